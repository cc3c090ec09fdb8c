//! What the stream of changes does to the lists, and what it costs.

use admin_tui::app::{App, MAX_LIVE_ROWS, StreamState, Tab};
use admin_tui::client::Failure;
use admin_tui::effects::Effect;
use admin_tui::event::{Event, Word};
use admin_tui::theme::Meaning;
use admin_tui::update::update;
use crossterm::event::KeyCode;
use serde_json::Value;
use shared::ops::{Live, Role};

use crate::kit::*;
use crate::told::*;

fn listening(tab: Tab) -> App {
    let mut app = console(Role::Operator, (120, 40), false);
    go_to(&mut app, tab);
    say(&mut app, Word::Opened);
    update(&mut app, Event::Tick(NOW_MS + 2_000));
    take_in(&mut app, tab);
    app
}

fn say(app: &mut App, word: Word) -> Vec<Effect> {
    let stream = app.stream.number;
    update(app, Event::Stream(stream, word))
}

fn ordered(row: Value) -> Word {
    Word::Changed(Box::new(Live::Order(read(row))))
}

fn numbers(app: &App) -> Vec<&str> {
    app.orders.rows.iter().map(|row| row.number.as_str()).collect()
}

#[test]
fn a_screen_that_is_fed_is_not_asked_for_and_its_rows_change() {
    let mut app = listening(Tab::Orders);
    assert!(update(&mut app, Event::Tick(NOW_MS + 6_000)).is_empty(), "it is told by itself");
    app.select(1);
    say(&mut app, ordered(order("O4", "A-20", "submitting", 100)));
    say(&mut app, ordered(order("O3", "A-19", "paid", 9900)));
    assert_eq!(numbers(&app), ["A-20", "A-19", "A-18", "咖啡-17"]);
    assert!(app.orders.rows[1].status.has_money());
    assert_eq!(app.selected(), 2, "the selection stays with its row");
    press(&mut app, KeyCode::Char('f'));
    say(&mut app, ordered(order("O5", "A-21", "submitting", 100)));
    assert_eq!((app.selected(), numbers(&app)[0]), (0, "A-21"), "or follows the newest");
    assert_eq!(style_of(&app, "live, 0s").fg, colour(Meaning::Good));
}

#[test]
fn a_row_that_the_filter_no_longer_lets_through_goes() {
    let mut app = listening(Tab::Orders);
    press(&mut app, KeyCode::Char('/'));
    type_in(&mut app, "status:unknown status:paid currency:HKD");
    let effects = press(&mut app, KeyCode::Enter);
    let listens = effects.iter().find_map(|effect| match effect {
        Effect::Listen { path, .. } => path.as_deref(),
        _ => None,
    });
    assert_eq!(
        listens,
        Some("/ops/v1/live?topics=orders&filter=currency%3AHKD"),
        "of its leaving we must hear"
    );
    take_in(&mut app, Tab::Orders);
    say(&mut app, Word::Opened);
    say(&mut app, ordered(order("O3", "A-19", "closed", 9900)));
    say(&mut app, ordered(order("O9", "A-9", "failed", 100)));
    assert_eq!(numbers(&app), ["A-18", "咖啡-17"], "what the gateway's own list held stays");
}

#[test]
fn a_paused_view_keeps_the_last_change_of_each_row() {
    let mut app = listening(Tab::Orders);
    press(&mut app, KeyCode::Char(' '));
    for status in ["submitting", "awaiting", "paid"] {
        say(&mut app, ordered(order("O4", "A-20", status, 100)));
    }
    say(&mut app, ordered(order("O3", "A-19", "paid", 9900)));
    assert_eq!(numbers(&app).len(), 3);
    assert!(drawn(&app).to_string().contains("Paused: 2 changes wait"));
    press(&mut app, KeyCode::Char(' '));
    assert_eq!(numbers(&app)[0], "A-20");
    assert!(app.orders.rows.iter().filter(|row| row.status.has_money()).count() == 3);
}

#[test]
fn a_break_is_told_and_a_gap_is_read() {
    let mut app = listening(Tab::Orders);
    say(&mut app, Word::Broken(Failure::Lost("connection refused".to_owned())));
    assert_eq!(app.stream.state, StreamState::Broken);
    assert_eq!(style_of(&app, "lost, last word 0s ago").fg, colour(Meaning::Bad));
    assert_eq!(numbers(&app).len(), 3, "what is known stays");
    // Until it is back, the list is asked for as without it.
    let effects = update(&mut app, Event::Tick(NOW_MS + 5_000));
    assert!(matches!(effects.as_slice(), [Effect::Load { .. }]));
    take_in(&mut app, Tab::Orders);
    say(&mut app, Word::Opened);
    assert!(
        update(&mut app, Event::Tick(NOW_MS + 8_000)).is_empty(),
        "resumed without a gap nothing is read"
    );
    say(&mut app, Word::Changed(Box::new(Live::Gap)));
    let effects = update(&mut app, Event::Tick(NOW_MS + 11_000));
    assert!(matches!(effects.as_slice(), [Effect::Load { is_more: false, .. }]), "what was missed is read");
}

#[test]
fn what_the_stream_catches_up_with_does_not_undo_what_was_read() {
    let mut app = listening(Tab::Orders);
    let mut earlier = order("O1", "咖啡-17", "awaiting", 2100);
    earlier["updatedAt"] = earlier["createdAt"].clone();
    say(&mut app, ordered(earlier));
    assert!(app.orders.rows[2].status.has_money());
}

#[test]
fn words_of_a_stream_that_was_left_are_passed_over() {
    let mut app = listening(Tab::Orders);
    let before = app.stream.number;
    go_to(&mut app, Tab::Deliveries);
    go_to(&mut app, Tab::Orders);
    update(&mut app, Event::Stream(before, ordered(order("O4", "A-20", "paid", 1))));
    assert_eq!(numbers(&app).len(), 3);
}

#[test]
fn silence_is_not_passed_off_as_life() {
    let mut app = listening(Tab::Orders);
    update(&mut app, Event::Tick(NOW_MS + 12_000));
    assert_eq!(style_of(&app, "delayed, last word 10s ago").fg, colour(Meaning::Warning));
    say(&mut app, Word::Beat);
    assert_eq!(style_of(&app, "live, 0s").fg, colour(Meaning::Good));
}

#[test]
fn rows_that_come_by_themselves_are_bounded() {
    let mut app = listening(Tab::Orders);
    for count in 0..MAX_LIVE_ROWS + 10 {
        say(&mut app, ordered(order(&format!("P{count:06}"), "B", "submitting", 1)));
    }
    assert_eq!(app.orders.rows.len(), MAX_LIVE_ROWS);
    assert_eq!(app.next(), None, "it does not go on behind rows that are gone");
}
