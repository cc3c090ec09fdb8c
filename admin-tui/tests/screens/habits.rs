//! What keys do, whatever the screen; and that words and colours say the same.

use std::collections::BTreeSet;

use admin_tui::app::{App, List, Tab};
use admin_tui::client::{Failure, Page};
use admin_tui::commands::{self, COMMANDS};
use admin_tui::effects::{Act, Effect};
use admin_tui::event::{Answer, Event, Loaded};
use admin_tui::theme::{Colours, Meaning};
use admin_tui::update::update;
use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::style::Modifier;
use shared::ops::{Problem, Role};

use crate::kit::*;
use crate::told::*;

#[test]
fn a_smaller_terminal_is_told_so() {
    let app = console(Role::Admin, (79, 24), false);
    assert!(drawn(&app).to_string().contains("79 × 24 is too small: at least 80 × 24"));
}

#[test]
fn colours_say_what_the_words_say() {
    let mut app = console(Role::Admin, (120, 40), false);
    assert_eq!(style_of(&app, "connected, 0s").fg, colour(Meaning::Good));
    press(&mut app, KeyCode::Char('j'));
    assert_eq!(style_of(&app, "fact.quarantined").fg, colour(Meaning::Bad));
    assert!(style_of(&app, "refund.proposed").add_modifier.contains(Modifier::REVERSED), "it is selected");
    assert!(style_of(&app, " 6 Attention").add_modifier.contains(Modifier::REVERSED), "it is shown");
    update(&mut app, Event::Tick(NOW_MS + 7_000));
    assert_eq!(style_of(&app, "delayed, last word 7s ago").fg, colour(Meaning::Warning));
    answer(&mut app, Tab::Attention, Err(Failure::Lost("connection refused".to_owned())));
    assert_eq!(style_of(&app, "lost, last word 7s ago").fg, colour(Meaning::Bad));
    assert!(drawn(&app).to_string().contains("fact.quarantined"), "what is known stays");

    let mut app = console(Role::Admin, (120, 40), false);
    go_to(&mut app, Tab::Health);
    assert_eq!(style_of(&app, "low").fg, colour(Meaning::Bad));

    app.colours = Colours::None;
    let backend = drawn(&app);
    let is_plain = |cell: &ratatui::buffer::Cell| cell.fg == ratatui::style::Color::Reset;
    assert!(backend.buffer().content().iter().all(is_plain), "NO_COLOR is no colour");
}

#[test]
fn a_fields_difference_is_marked_and_coloured() {
    let mut app = console(Role::Operator, (80, 24), false);
    press(&mut app, KeyCode::Enter);
    update(&mut app, Event::Answer(Answer::Fact(Ok(Box::new(fact())))));
    assert_eq!(style_of(&app, "≠").fg, colour(Meaning::Bad));
    assert_eq!(style_of(&app, "2101").fg, colour(Meaning::Bad));
    assert_ne!(style_of(&app, "currency").fg, colour(Meaning::Bad));
}

#[test]
fn a_matter_is_ended_with_a_reason_and_not_without() {
    let mut app = console(Role::Operator, (80, 24), false);
    press(&mut app, KeyCode::Char('G'));
    press(&mut app, KeyCode::Char('d'));
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "there is no reason yet");
    type_in(&mut app, "they wrote: never paid");
    let effects = press(&mut app, KeyCode::Enter);
    let [Effect::Do { act, reason }] = effects.as_slice() else { panic!("one change is asked for") };
    assert_eq!(*act, Act::EndMatter { id: "4".to_owned() });
    assert_eq!(reason, "they wrote: never paid");
    let problem = Problem {
        title: "Conflict".to_owned(),
        status: 409,
        code: "x".to_owned(),
        detail: "Somebody was quicker.".to_owned(),
        errors: Vec::new(),
    };
    let refused = Err(Failure::Refused { problem });
    update(&mut app, Event::Answer(Answer::Done(act.clone(), refused)));
    assert_eq!(app.attention.rows.len(), 4, "what failed changes nothing on the screen");
    assert!(drawn(&app).to_string().contains("Not done: Somebody was quicker."));
}

#[test]
fn who_may_not_act_is_offered_nothing() {
    for (role, read_only) in [(Role::Viewer, false), (Role::Admin, true)] {
        let mut app = console(role, (80, 24), read_only);
        for tab in app.tabs() {
            go_to(&mut app, tab);
            assert!(commands::available(&app).all(|entry| !entry.changes), "{role:?}");
            for key in ['a', 'x', 'd'] {
                press(&mut app, KeyCode::Char(key));
                assert!(app.dialog.is_none(), "{key} of {role:?}");
                assert!(drawn(&app).to_string().contains(&format!("{key} does nothing here")));
            }
        }
    }
    let viewer = console(Role::Viewer, (80, 24), false);
    let is_an_admins = |tab: &Tab| matches!(tab, Tab::Operators | Tab::Audit);
    assert!(!viewer.tabs().iter().any(is_an_admins) && viewer.tabs().len() == Tab::ALL.len() - 2);
}

#[test]
fn a_screen_is_there_only_if_the_server_feeds_it() {
    let mut app = console(Role::Admin, (80, 24), false);
    app.paths.remove(Tab::Audit.path());
    assert!(!app.tabs().contains(&Tab::Audit));
    press(&mut app, KeyCode::Char('9'));
    assert_eq!(app.tab, Tab::Attention);
}

#[test]
fn help_footer_and_keys_are_one_table() {
    let mut app = console(Role::Admin, (200, 100), false);
    let footer = drawn(&app).to_string();
    for entry in commands::available(&app).filter(|entry| entry.footer > 0) {
        assert!(
            footer.contains(&format!(" {} {} ", entry.keys[0], entry.name)),
            "{} in {footer}",
            entry.name
        );
    }
    press(&mut app, KeyCode::Char('?'));
    let help = drawn(&app).to_string();
    for entry in &COMMANDS {
        assert!(help.contains(entry.help) && help.contains(entry.name), "{} in {help}", entry.name);
        assert!(!entry.keys.is_empty());
    }
    let names: BTreeSet<&str> = COMMANDS.iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), COMMANDS.len(), "a name is one command's");
}

#[test]
fn no_key_is_two_commands_at_once() {
    for tab in Tab::ALL {
        let mut app = console(Role::Admin, (80, 24), false);
        go_to(&mut app, tab);
        for row in 0..app.row_count().max(1) {
            app.select(row);
            for is_open in [false, true] {
                app.open = app.list().and_then(|list| list.id_at(row)).filter(|_| is_open).map(str::to_owned);
                let mut keys: Vec<&str> =
                    commands::available(&app).flat_map(|entry| entry.keys).copied().collect();
                keys.sort_unstable();
                let all = keys.len();
                keys.dedup();
                assert_eq!(keys.len(), all, "{tab:?}, row {row}, open: {is_open}");
            }
        }
    }
}

#[test]
fn a_view_that_is_held_still_loses_nothing() {
    let mut app = console(Role::Admin, (80, 24), false);
    press(&mut app, KeyCode::Char(' '));
    let empty = Loaded::Attention(Page { rows: Vec::new(), next: None });
    answer(&mut app, Tab::Attention, Ok(empty));
    assert_eq!(app.attention.rows.len(), 4);
    assert!(drawn(&app).to_string().contains("Paused: 4 changes wait"));
    press(&mut app, KeyCode::Char(' '));
    assert_eq!(app.attention.rows.len(), 0);
}

#[test]
fn a_screen_that_was_never_read_is_read_though_it_is_held_still() {
    let mut app = console(Role::Admin, (80, 24), false);
    press(&mut app, KeyCode::Char('2'));
    press(&mut app, KeyCode::Char(' '));
    take_in(&mut app, Tab::Orders);
    assert_eq!(app.orders.rows.len(), 3, "else it would say that there is nothing");
    take_in(&mut app, Tab::Orders);
    assert!(app.held.page.is_some());
}

#[test]
fn what_waits_for_a_person_is_told_on_the_first_screen() {
    for size in SIZES {
        let mut app = console(Role::Viewer, size, false);
        go_to(&mut app, Tab::Attention);
        app.attention = List::default();
        go_to(&mut app, Tab::Overview);
        assert_eq!(style_of(&app, "4  ").fg, colour(Meaning::Bad));
        let screen = drawn(&app).to_string();
        assert!(screen.contains("waiting for a person 4"), "{screen}");
        let tabs = screen.lines().nth(1).expect("there are tabs");
        assert!(tabs.contains("(4)"), "{tabs}");
    }
}

#[test]
fn the_help_has_room_in_every_footer() {
    for tab in Tab::ALL {
        let mut app = console(Role::Admin, (80, 24), false);
        go_to(&mut app, tab);
        let screen = drawn(&app).to_string();
        assert!(screen.contains(" ? help "), "{tab:?}: {screen}");
    }
}

#[test]
fn orders_have_all_their_columns_where_there_is_room_and_the_key_says_otherwise() {
    for (columns, is_wide) in [(179, false), (180, true)] {
        let mut app = console(Role::Admin, (columns, 24), false);
        go_to(&mut app, Tab::Orders);
        for is_wide in [is_wide, !is_wide] {
            assert_eq!(drawn(&app).to_string().contains("refunded"), is_wide, "{columns}");
            press(&mut app, KeyCode::Char('c'));
        }
    }
}

#[test]
fn what_was_sent_and_never_answered_is_not_called_undone() {
    let mut app = console(Role::Operator, (80, 24), false);
    let act = Act::EndMatter { id: "4".to_owned() };
    let silence = Err(Failure::InDoubt("no answer within 45 s".to_owned()));
    let effects = update(&mut app, Event::Answer(Answer::Done(act, silence)));
    assert!(matches!(effects.as_slice(), [Effect::Load { .. }]), "what stands is read");
    let screen = drawn(&app).to_string();
    assert!(screen.contains("whether it was done is not known") && !screen.contains("Not done"), "{screen}");
}

#[test]
fn older_rows_are_read_past_the_last_one() {
    let mut app = console(Role::Admin, (80, 24), false);
    go_to(&mut app, Tab::Audit);
    let effects = press(&mut app, KeyCode::Char('j'));
    let [Effect::Load { path, is_more: true, .. }] = effects.as_slice() else {
        panic!("the next page is asked for")
    };
    assert_eq!(path, "/ops/v1/audit?cursor=x");
}

#[test]
fn tabs_and_rows_are_clicked() {
    let mut app = console(Role::Admin, (80, 24), false);
    let click = |app: &mut App, column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        update(app, Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    };
    click(&mut app, 5, 5);
    assert_eq!(app.selected(), 2);
    click(&mut app, 7, 1);
    assert_eq!(app.tab, Tab::Orders);
}

#[test]
fn a_token_is_renewed_before_its_end_and_once() {
    let mut app = console(Role::Admin, (80, 24), false);
    let is_renewal = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::Renew));
    assert!(!is_renewal(&update(&mut app, Event::Tick(NOW_MS + 600_000))));
    assert!(is_renewal(&update(&mut app, Event::Tick(NOW_MS + 600_001))));
    assert!(!is_renewal(&update(&mut app, Event::Tick(NOW_MS + 600_500))));
}

#[test]
fn what_an_operator_saw_is_gone_after_logging_out() {
    let mut app = console(Role::Admin, (80, 24), false);
    update(&mut app, Event::Answer(Answer::LoggedOut));
    assert!(app.attention.rows.is_empty() && app.me.is_none());
    assert!(drawn(&app).to_string().contains("Logged out."));
}

#[test]
fn the_palette_finds_a_command_by_any_part_of_its_name() {
    let mut app = console(Role::Admin, (80, 24), false);
    let typed = |app: &mut App, name: &str| {
        press(app, KeyCode::Char(':'));
        type_in(app, name);
        press(app, KeyCode::Enter);
    };
    typed(&mut app, "live");
    assert_eq!(app.tab, Tab::Deliveries, "there is no other with these letters");
    typed(&mut app, "o");
    assert_eq!(app.tab, Tab::Deliveries, "several have them");
    assert!(app.message.is_some(), "which is said");
}

#[test]
fn the_help_can_be_read_to_its_end_by_pages() {
    let mut app = console(Role::Admin, (80, 24), false);
    press(&mut app, KeyCode::Char('?'));
    press(&mut app, KeyCode::End);
    assert!(drawn(&app).to_string().contains("quit"));
    press(&mut app, KeyCode::Home);
    press(&mut app, KeyCode::PageDown);
    assert!(!drawn(&app).to_string().contains("How the gateway fares"));
    press(&mut app, KeyCode::PageUp);
    assert!(drawn(&app).to_string().contains("How the gateway fares"));
}
