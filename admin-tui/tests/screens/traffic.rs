//! Orders, deliveries and replays: found, narrowed, and acted on.

use admin_tui::app::{App, Dialog, Tab};
use admin_tui::client::{Failure, Page};
use admin_tui::effects::{Act, Effect, ReplayMove};
use admin_tui::event::{Answer, Event, Loaded};
use admin_tui::theme::Meaning;
use admin_tui::update::update;
use crossterm::event::KeyCode;
use serde_json::json;
use shared::ops::{DeliveryState, Problem, ReplayToMake, Role};

use crate::kit::*;
use crate::told::*;

/// The page that is asked for.
fn asked(effects: &[Effect]) -> &str {
    let path = effects.iter().find_map(|effect| match effect {
        Effect::Load { path, .. } => Some(path),
        _ => None,
    });
    path.expect("a list is asked for")
}

#[test]
fn orders_are_narrowed_and_the_filter_comes_back() {
    let mut app = console(Role::Viewer, (120, 40), false);
    go_to(&mut app, Tab::Orders);
    press(&mut app, KeyCode::Char('/'));
    type_in(&mut app, "sta");
    press(&mut app, KeyCode::Tab);
    type_in(&mut app, "unk");
    press(&mut app, KeyCode::Tab);
    type_in(&mut app, "since:2x");
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "what cannot be read is not asked for");
    assert_eq!(style_of(&app, "^^").fg, colour(Meaning::Bad));
    press(&mut app, KeyCode::Backspace);
    type_in(&mut app, "h");
    let effects = press(&mut app, KeyCode::Enter);
    assert_eq!(asked(&effects), "/ops/v1/orders?limit=100&filter=status%3Aunknown+since%3A2h");
    let is_kept = |effect: &Effect| matches!(effect, Effect::KeepFilters(kept) if kept["Orders"] == ["status:unknown since:2h"]);
    assert!(effects.iter().any(is_kept));
    press(&mut app, KeyCode::Char('/'));
    for _ in 0.."status:unknown since:2h".len() {
        press(&mut app, KeyCode::Backspace);
    }
    press(&mut app, KeyCode::Up);
    let Some(Dialog::Filter { typed, .. }) = &app.dialog else { panic!("it is being typed") };
    assert_eq!(typed, "status:unknown since:2h");
    // An answer to what was asked before is not taken for this.
    let path = "/ops/v1/orders?limit=100".to_owned();
    let before = Answer::Loaded { tab: Tab::Orders, path, is_more: false, result: Ok(loaded(Tab::Orders)) };
    update(&mut app, Event::Answer(before));
    assert!(app.orders.rows.is_empty());
}

#[test]
fn a_filter_that_few_rows_pass_is_looked_for_further_back_until_it_is_stopped() {
    let mut app = console(Role::Viewer, (80, 24), false);
    go_to(&mut app, Tab::Orders);
    press(&mut app, KeyCode::Char('/'));
    type_in(&mut app, "amount>=100000");
    press(&mut app, KeyCode::Enter);
    let next = |cursor: &str| format!("/ops/v1/orders?limit=100&filter=amount%3E%3D100000&cursor={cursor}");
    let page = |rows, cursor: Option<&str>| Loaded::Orders(Page { rows, next: cursor.map(next) });
    let more = |app: &mut App, path: String, loaded| {
        let (tab, result) = (Tab::Orders, Ok(loaded));
        update(app, Event::Answer(Answer::Loaded { tab, path, is_more: true, result }))
    };
    // Of 2026-11-25 10:00:00 and half an hour before.
    let (first, second) = ("01M892BP80000000000000000Z", "01M890MRE0000000000000000Z");
    let path = app.narrowed.first_page(Tab::Orders, app.is_day, app.now_ms, 100);
    let came =
        Answer::Loaded { tab: Tab::Orders, path, is_more: false, result: Ok(page(Vec::new(), Some(first))) };
    let effects = update(&mut app, Event::Answer(came));
    assert!(matches!(effects.as_slice(), [Effect::Load { is_more: true, .. }]));
    assert_eq!(asked(&effects), next(first));
    let screen = drawn(&app).to_string();
    assert!(
        screen.contains("Nothing so far, looking back to 2026-11-25 10:00:00…; esc stops it"),
        "{screen}"
    );

    let Loaded::Orders(Page { rows, .. }) = loaded(Tab::Orders) else { panic!("orders are loaded") };
    let effects = more(&mut app, next(first), page(rows, Some(second)));
    assert_eq!(asked(&effects), next(second), "three rows do not fill the screen");
    let screen = drawn(&app).to_string();
    assert!(screen.contains("1 of 3, looking back to 2026-11-25 09:30:00…; esc stops it"), "{screen}");

    assert!(press(&mut app, KeyCode::Esc).is_empty());
    assert_eq!(app.tab, Tab::Orders);
    let effects = more(&mut app, next(second), page(Vec::new(), Some(first)));
    assert!(effects.is_empty(), "what was under way is taken in, and no more is asked for");
    assert!(drawn(&app).to_string().contains("1 of 3, older ones past the last"));
    press(&mut app, KeyCode::Char('G'));
    let effects = press(&mut app, KeyCode::Char('j'));
    assert_eq!(asked(&effects), next(first));
    let effects = more(&mut app, next(first), page(Vec::new(), Some(second)));
    assert_eq!(asked(&effects), next(second), "it goes on by itself again");
    assert!(more(&mut app, next(second), page(Vec::new(), None)).is_empty(), "that was all");
    assert!(!drawn(&app).to_string().contains("looking"));
}

#[test]
fn any_number_opens_its_order_and_back_leads_back() {
    let mut app = console(Role::Viewer, (120, 40), false);
    let effects = update(&mut app, Event::Paste("2026112609000012345\n".to_owned()));
    let [Effect::Find(number)] = effects.as_slice() else { panic!("it is looked for") };
    let found = |rows| Event::Answer(Answer::Found { number: number.clone(), result: Ok(read(rows)) });
    update(&mut app, found(json!([])));
    assert!(drawn(&app).to_string().contains("No order has the number 2026112609000012345"));
    update(&mut app, found(json!([order("O1", "咖啡-17", "paid", 2100)])));
    assert_eq!((app.tab, app.open.as_deref()), (Tab::Orders, Some("O1")));
    answer_whole(&mut app, order_whole());
    let stands = "paid 09:01:00; the shop answered 500 twice, next try in 3m";
    assert_eq!(style_of(&app, stands).fg, colour(Meaning::Warning), "not as if all were well");
    press(&mut app, KeyCode::Esc);
    assert_eq!((app.tab, app.open.as_deref()), (Tab::Attention, None));
    update(&mut app, found(json!([order("O1", "A", "paid", 1), order("O2", "A", "paid", 1)])));
    assert_eq!(app.tab, Tab::Orders);
    assert_eq!(app.narrowed.text(Tab::Orders), "\"2026112609000012345\"", "one chooses among several");
}

fn previewed(effects: &[Effect]) -> &ReplayToMake {
    match effects {
        [Effect::Preview(what)] => what,
        _ => panic!("a preview is asked for"),
    }
}

#[test]
fn marked_deliveries_are_counted_and_started_by_typing_the_count() {
    let mut app = console(Role::Operator, (120, 40), false);
    go_to(&mut app, Tab::Deliveries);
    press(&mut app, KeyCode::Char('v'));
    press(&mut app, KeyCode::Char('v'));
    assert!(drawn(&app).to_string().contains("2 marked"));
    press(&mut app, KeyCode::Char('R'));
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "a reason is wanted");
    type_in(&mut app, "the shop was down");
    let effects = press(&mut app, KeyCode::Enter);
    let what = previewed(&effects);
    assert_eq!(
        (what.delivery_ids.as_slice(), what.reason.as_str()),
        (["D1".to_owned(), "D2".to_owned()].as_slice(), "the shop was down")
    );
    update(&mut app, Event::Answer(Answer::Previewed(Ok(Box::new(read(replay("Y1", "preview", 21)))))));
    assert!(drawn(&app).to_string().contains("21 deliveries"));
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "above 20 the count is typed");
    type_in(&mut app, "21");
    let effects = press(&mut app, KeyCode::Enter);
    let [Effect::Do { act, .. }] = effects.as_slice() else { panic!("it is started") };
    assert_eq!(*act, Act::StartReplay { id: "Y1".to_owned(), total: 21 });
    update(&mut app, Event::Answer(Answer::Done(act.clone(), Ok(None))));
    assert_eq!(app.tab, Tab::Replays, "one watches it");
    assert!(app.marked.is_empty());
}

#[test]
fn a_count_of_twenty_takes_a_yes_only_and_what_is_left_is_cancelled() {
    let mut app = console(Role::Operator, (120, 40), false);
    go_to(&mut app, Tab::Deliveries);
    let preview = || Event::Answer(Answer::Previewed(Ok(Box::new(read(replay("Y1", "preview", 20))))));
    update(&mut app, preview());
    let effects = press(&mut app, KeyCode::Esc);
    let [Effect::Do { act, .. }] = effects.as_slice() else { panic!("it is not left behind") };
    assert_eq!(*act, Act::MoveReplay { id: "Y1".to_owned(), how: ReplayMove::Cancel });
    update(&mut app, preview());
    assert!(matches!(press(&mut app, KeyCode::Enter).as_slice(), [Effect::Do { .. }]));
    update(&mut app, Event::Answer(Answer::Previewed(Ok(Box::new(read(replay("Y1", "preview", 0)))))));
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "nothing is not started");
}

#[test]
fn all_that_a_filter_lets_through_is_delivered_again() {
    let mut app = console(Role::Operator, (120, 40), false);
    go_to(&mut app, Tab::Deliveries);
    press(&mut app, KeyCode::Char('A'));
    assert!(app.dialog.is_none(), "everything there is, is not replayed by one key");
    press(&mut app, KeyCode::Char('/'));
    type_in(&mut app, "state:exhausted event:order.paid");
    let effects = press(&mut app, KeyCode::Enter);
    assert_eq!(asked(&effects), "/ops/v1/deliveries?limit=100&state=exhausted&kind=order.paid");
    press(&mut app, KeyCode::Char('A'));
    type_in(&mut app, "missed");
    let effects = press(&mut app, KeyCode::Enter);
    let what = previewed(&effects);
    let filter = what.filter.as_ref().expect("it is of a filter");
    assert_eq!(filter.states, [DeliveryState::Exhausted]);
    assert!(what.skip_acknowledged, "what was taken meanwhile is not sent again");
}

#[test]
fn a_refund_is_bounded_by_what_is_left() {
    let mut app = console(Role::Operator, (120, 40), false);
    go_to(&mut app, Tab::Orders);
    press(&mut app, KeyCode::Char('m'));
    assert!(app.dialog.is_none(), "there is no money in it");
    press(&mut app, KeyCode::Char('G'));
    press(&mut app, KeyCode::Char('m'));
    for _ in 0..5 {
        press(&mut app, KeyCode::Backspace);
    }
    type_in(&mut app, "21.01");
    press(&mut app, KeyCode::Enter);
    type_in(&mut app, "x");
    assert!(drawn(&app).to_string().contains("expected"), "it stays at the amount");
    for _ in 0.."1.01x".len() {
        press(&mut app, KeyCode::Backspace);
    }
    type_in(&mut app, "0.50");
    press(&mut app, KeyCode::Enter);
    assert!(press(&mut app, KeyCode::Enter).is_empty(), "a reason is wanted");
    type_in(&mut app, "one cup was cold");
    let effects = press(&mut app, KeyCode::Enter);
    let [Effect::Do { act, reason }] = effects.as_slice() else { panic!("it is asked for") };
    assert_eq!(*act, Act::Refund { order_id: "O1".to_owned(), amount: 2050 });
    assert_eq!(reason, "one cup was cold");
    let problem = Problem {
        title: "Conflict".to_owned(),
        status: 409,
        code: "refund_open".to_owned(),
        detail: "As much is being refunded under R-1.".to_owned(),
        errors: Vec::new(),
    };
    update(&mut app, Event::Answer(Answer::Done(act.clone(), Err(Failure::Refused { problem }))));
    assert!(drawn(&app).to_string().contains("Not done: As much is being refunded under R-1."));
}

#[test]
fn endpoints_and_merchants_are_moved_with_a_reason() {
    let mut app = console(Role::Operator, (120, 40), false);
    for (tab, row, key) in [
        (Tab::Endpoints, 0, 'p'),
        (Tab::Endpoints, 1, 'a'),
        (Tab::Endpoints, 0, 'x'),
        (Tab::Merchants, 0, 'x'),
        (Tab::Merchants, 1, 'a'),
        (Tab::Orders, 0, 'u'),
    ] {
        go_to(&mut app, tab);
        app.select(row);
        press(&mut app, KeyCode::Char(key));
        assert!(press(&mut app, KeyCode::Enter).is_empty(), "{key} on {tab:?} wants a reason");
        type_in(&mut app, "asked by phone");
        let effects = press(&mut app, KeyCode::Enter);
        assert!(matches!(effects.as_slice(), [Effect::Do { .. }]), "{key} on {tab:?}");
    }
    go_to(&mut app, Tab::Endpoints);
    let effects = press(&mut app, KeyCode::Char('D'));
    assert_eq!(asked(&effects), "/ops/v1/deliveries?limit=100&endpointId=N1");
}

#[test]
fn rows_are_sorted_and_the_selection_stays_with_its_row() {
    let mut app = console(Role::Viewer, (120, 40), false);
    go_to(&mut app, Tab::Orders);
    app.select(1);
    let id = app.current_id();
    for _ in 0..4 {
        press(&mut app, KeyCode::Char('s'));
        assert_eq!(app.current_id(), id, "{:?}", app.sort);
    }
    press(&mut app, KeyCode::Char('s'));
    press(&mut app, KeyCode::Char('s'));
    let amounts: Vec<i64> = app.orders.rows.iter().map(|row| row.amount).collect();
    assert_eq!(amounts, [9900, 2100, 50]);
}

#[test]
fn times_are_told_in_the_other_zone() {
    let mut app = console(Role::Viewer, (120, 40), false);
    go_to(&mut app, Tab::Orders);
    assert!(drawn(&app).to_string().contains("2026-11-26 09:00:00"));
    press(&mut app, KeyCode::Char('z'));
    let screen = drawn(&app).to_string();
    assert!(screen.contains("2026-11-26 17:00:00") && screen.contains("UTC+8"), "{screen}");
}

#[test]
fn rows_are_exported_as_they_were_read() {
    let mut app = console(Role::Viewer, (120, 40), false);
    go_to(&mut app, Tab::Orders);
    let effects = press(&mut app, KeyCode::Char('E'));
    let [Effect::Export { text, extension: "ndjson", .. }] = effects.as_slice() else {
        panic!("it is written")
    };
    let first: serde_json::Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first, order("O3", "A-19", "unknown", 9900));
    let effects = press(&mut app, KeyCode::Char('e'));
    let [Effect::Export { text, extension: "csv", .. }] = effects.as_slice() else { panic!("it is written") };
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn json_is_shown_exactly_as_it_came() {
    let mut app = console(Role::Viewer, (200, 50), false);
    go_to(&mut app, Tab::Merchants);
    press(&mut app, KeyCode::Enter);
    answer_whole(&mut app, merchant_whole());
    press(&mut app, KeyCode::Char('J'));
    assert!(drawn(&app).to_string().contains("\"partnerNo\": \"10001\""), "indented");
    press(&mut app, KeyCode::Char('J'));
    assert!(drawn(&app).to_string().contains("\"partnerNo\":\"10001\""), "exact");
    press(&mut app, KeyCode::Char('J'));
    assert!(drawn(&app).to_string().contains("credentials refused"));
}

#[test]
fn an_empty_list_behind_a_filter_says_why() {
    let mut app = console(Role::Viewer, (80, 24), false);
    go_to(&mut app, Tab::Merchants);
    press(&mut app, KeyCode::Char('/'));
    type_in(&mut app, "茶");
    press(&mut app, KeyCode::Enter);
    answer(&mut app, Tab::Merchants, Ok(Loaded::Merchants(Page { rows: Vec::new(), next: None })));
    assert!(drawn(&app).to_string().contains("Nothing is let through by the filter."));
}
