//! What happened to an order, one thing after the other: chosen, opened, copied.

use admin_tui::app::{App, Tab, View};
use admin_tui::client::Failure;
use admin_tui::commands::{self, Command};
use admin_tui::effects::Effect;
use admin_tui::event::{Answer, Event};
use admin_tui::update::update;
use crossterm::event::KeyCode;
use ratatui::style::Modifier;
use shared::ops::{Problem, Role};

use crate::kit::*;
use crate::told::*;

/// An order, open.
fn order_open(size: (u16, u16)) -> App {
    let mut app = console(Role::Viewer, size, false);
    go_to(&mut app, Tab::Orders);
    press(&mut app, KeyCode::Char('G'));
    press(&mut app, KeyCode::Enter);
    answer_whole(&mut app, order_whole());
    app
}

/// The entry whose bytes are asked for.
fn asked(effects: &[Effect]) -> Option<&str> {
    match effects {
        [] => None,
        [Effect::LoadBytes { order_id, entry_id }] if order_id == "O1" => Some(entry_id),
        _ => panic!("something else is asked for"),
    }
}

fn is_given(app: &App, command: Command) -> bool {
    commands::available(app).any(|entry| entry.command == command)
}

fn answered(app: &mut App, entry_id: &str) {
    let mut bytes = bytes();
    entry_id.clone_into(&mut bytes.id);
    update(app, Event::Answer(Answer::Bytes { entry_id: entry_id.to_owned(), result: Ok(bytes) }));
}

#[test]
fn bytes_are_read_when_an_entry_is_opened_and_not_before() {
    let mut app = order_open((120, 40));
    assert!(!is_given(&app, Command::OpenEntry), "nothing is chosen yet");
    for expected in ["J1", "J2", "J3", "J4", "J4"] {
        assert_eq!(asked(&press(&mut app, KeyCode::Char('n'))), None, "each reading is noted at the gateway");
        assert_eq!(app.chosen.as_deref(), Some(expected), "attempts are passed over");
    }
    press(&mut app, KeyCode::Char('N'));
    assert_eq!(asked(&press(&mut app, KeyCode::Enter)), Some("J3"));
    assert!(drawn(&app).to_string().contains("Reading…"));
    answered(&mut app, "J1");
    assert!(app.bytes.is_none(), "of an entry that is not shown");
    answered(&mut app, "J3");
    assert!(drawn(&app).to_string().contains("\"orderTitle\": \"冰咖啡"));
    update(&mut app, Event::Tick(NOW_MS + 9_000));
    answer_whole(&mut app, order_whole());
    assert!(app.bytes.is_some(), "reading the order anew reads no bytes, and loses none");

    assert_eq!(asked(&press(&mut app, KeyCode::Char('N'))), Some("J2"), "the one before, at once");
    assert!(app.bytes.is_none());
    type_in(&mut app, "nn");
    assert!(drawn(&app).to_string().contains("\"code\": 1"), "without bytes, what is noted is shown");
    press(&mut app, KeyCode::Esc);
    assert_eq!((app.view, app.open.as_deref(), app.chosen.as_deref()), (View::Told, Some("O1"), Some("J4")));
    press(&mut app, KeyCode::Esc);
    assert!(!app.is_open() && app.chosen.is_none());
}

#[test]
fn one_key_changes_between_indented_and_exact_and_what_is_shown_is_copied() {
    let mut app = order_open((120, 40));
    type_in(&mut app, "nnn");
    press(&mut app, KeyCode::Enter);
    assert!(press(&mut app, KeyCode::Char('y')).is_empty(), "there is nothing yet");
    answered(&mut app, "J3");
    let copied = |app: &mut App| match press(app, KeyCode::Char('y')).as_slice() {
        [Effect::Copy { text, told }] => (text.clone(), told.clone()),
        _ => panic!("one text is copied"),
    };
    let (text, _) = copied(&mut app);
    assert!(text.starts_with("{\n  \"partnerNo\": \"10001\",\n"), "{text}");
    press(&mut app, KeyCode::Char('J'));
    let screen = drawn(&app).to_string();
    assert!(screen.contains("\\u51b0") && screen.contains('␉') && screen.contains("\\u{202e}"), "{screen}");
    assert_eq!(
        copied(&mut app),
        (bytes().text, format!("{} bytes", bytes().size)),
        "the bytes, not their signs"
    );
    press(&mut app, KeyCode::Char('J'));
    assert_eq!(app.view, View::Entry);
    update(&mut app, Event::Answer(Answer::Copied(Ok("98 bytes".to_owned()))));
    assert!(drawn(&app).to_string().contains("Sent to the clipboard: 98 bytes"));
}

#[test]
fn what_is_not_shown_says_why_and_leaves_the_order_as_it_was() {
    let mut app = order_open((80, 24));
    press(&mut app, KeyCode::Char('n'));
    press(&mut app, KeyCode::Enter);
    let problem = Problem {
        title: "Not found".to_owned(),
        status: 404,
        code: "not_found".to_owned(),
        detail: "There is no such thing.".to_owned(),
        errors: Vec::new(),
    };
    let result = Err(Failure::Refused { problem });
    update(&mut app, Event::Answer(Answer::Bytes { entry_id: "J1".to_owned(), result }));
    let screen = drawn(&app).to_string();
    assert!(screen.contains("There is no such thing.") && screen.contains("What happened"), "{screen}");
}

#[test]
fn the_chosen_entry_is_seen_and_marked_to_the_end_of_the_row() {
    let mut app = order_open((80, 24));
    for key in ['n', 'n', 'n', 'n', 'N', 'N', 'N'] {
        press(&mut app, KeyCode::Char(key));
        let backend = drawn(&app);
        let buffer = backend.buffer();
        let marked = |x: u16, y: u16| buffer[(x, y)].modifier.contains(Modifier::REVERSED);
        let rows: Vec<u16> = (2..22).filter(|y| marked(0, *y)).collect();
        assert!(!rows.is_empty(), "{key}: {:?} is not on the screen", app.chosen);
        assert!(rows.iter().all(|y| marked(79, *y)), "{rows:?}");
    }
}
