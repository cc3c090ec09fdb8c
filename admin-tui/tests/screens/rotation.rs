//! A new sign key for a merchant: asked for with a reason, and never on a screen.

use admin_tui::app::{App, Tab};
use admin_tui::client::Failure;
use admin_tui::commands::{self, Command};
use admin_tui::effects::Effect;
use admin_tui::event::{Answer, Event};
use admin_tui::run::rotate::{NotRotated, Rotated};
use admin_tui::update::update;
use crossterm::event::KeyCode;
use serde_json::{Value, json};
use shared::ops::{Moment, Role};

use crate::kit::*;
use crate::told::*;

fn merchant_open(role: Role, whole: Value) -> App {
    let mut app = console(role, (80, 24), false);
    go_to(&mut app, Tab::Merchants);
    assert!(!is_given(&app), "only where its keys are seen");
    press(&mut app, KeyCode::Enter);
    answer_whole(&mut app, whole);
    app
}

fn is_given(app: &App) -> bool {
    commands::available(app).any(|entry| entry.command == Command::Rotate)
}

#[test]
fn only_an_admin_rotates_a_key() {
    assert!(is_given(&merchant_open(Role::Admin, merchant_whole())));
    assert!(!is_given(&merchant_open(Role::Operator, merchant_whole())));
}

#[test]
fn a_key_is_rotated_with_a_reason_and_hours_that_are_some() {
    let mut whole = merchant_whole();
    whole["keys"].as_array_mut().expect("a list").truncate(1);
    let mut app = merchant_open(Role::Admin, whole);
    press(&mut app, KeyCode::Char('K'));
    assert!(!drawn(&app).to_string().contains("ends at once"));
    for (hours, is_taken) in
        [("", false), ("2161", false), ("a", false), ("2160", true), ("0", true), ("16", true)]
    {
        (0..4).for_each(|_| drop(press(&mut app, KeyCode::Backspace)));
        type_in(&mut app, hours);
        let is_wrong = drawn(&app).to_string().contains("expected 0 to 2160 hours");
        assert_eq!(is_wrong, !is_taken, "{hours:?}");
    }
    press(&mut app, KeyCode::Enter);
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "there is no reason yet");
    type_in(&mut app, "their laptop was stolen");
    let effects = press(&mut app, KeyCode::Enter);
    let [Effect::Rotate { merchant_id, partner_no, asked }] = effects.as_slice() else {
        panic!("it is asked for")
    };
    assert_eq!((merchant_id.as_str(), partner_no.as_str()), ("M1", "10001"));
    assert_eq!((asked.reason.as_str(), asked.previous_for_hours), ("their laptop was stolen", 16));
    assert!(!asked.end_earlier);
    let rotated = Rotated {
        path: "/home/anna/.local/state/scangate-admin/sign-key-10001-1795687465000.json".to_owned(),
        previous_ends_at: Moment::of_ms(NOW_MS).expect("a date"),
    };
    let effects = update(&mut app, Event::Answer(Answer::Rotated(Ok(rotated))));
    assert!(matches!(effects.as_slice(), [Effect::LoadWhole { .. }]), "its keys are read anew");
    let screen = drawn(&app).to_string();
    assert!(screen.contains("sign-key-10001-1795687465000.json"), "{screen}");
}

#[test]
fn what_would_end_is_said_before() {
    let mut app = merchant_open(Role::Admin, merchant_whole());
    press(&mut app, KeyCode::Char('K'));
    assert!(drawn(&app).to_string().contains("good until 2026-12-01 00:00:00,"));
    press(&mut app, KeyCode::Enter);
    type_in(&mut app, "again");
    let effects = press(&mut app, KeyCode::Enter);
    assert!(matches!(effects.as_slice(), [Effect::Rotate { asked, .. }] if asked.end_earlier));

    let mut whole = merchant_whole();
    whole["keys"][1]["endsAt"] = json!("2026-11-01T00:00:00Z");
    let mut app = merchant_open(Role::Admin, whole);
    press(&mut app, KeyCode::Char('K'));
    assert!(!drawn(&app).to_string().contains("ends at once"), "it has ended long ago");
}

#[test]
fn whether_a_key_was_rotated_is_not_guessed() {
    let mut app = merchant_open(Role::Admin, merchant_whole());
    let unknown = NotRotated::Unknown(Failure::InDoubt("no answer within 45 s".to_owned()));
    update(&mut app, Event::Answer(Answer::Rotated(Err(unknown))));
    let screen = drawn(&app).to_string();
    assert!(screen.contains("whether the key was rotated is not known"), "{screen}");
}
