//! Every screen as it is drawn, at the smallest size and at a usual one, and what keys do to it.

use std::collections::BTreeSet;

use admin_tui::app::{App, Tab};
use admin_tui::client::{Failure, Page};
use admin_tui::commands::{self, COMMANDS};
use admin_tui::draw;
use admin_tui::effects::{Act, Effect};
use admin_tui::event::{Answer, Event, Loaded, LoggedIn};
use admin_tui::theme::{Colours, Meaning};
use admin_tui::update::update;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Modifier, Style};
use serde_json::{Value, json};
use shared::ops::{FactInFull, Health, Me, Problem, Role};

const NOW_MS: i64 = 1_795_687_465_000;
const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is what the gateway says")
}

fn matter(id: &str, kind: &str, subject: &str, number: &str) -> Value {
    json!({
        "id": id, "kind": kind, "subject": {"kind": subject, "id": format!("S{id}"), "number": number},
        "merchantId": "M1", "storeId": "T1", "count": 2, "raisedAt": "2026-11-26T09:55:25Z",
        "seenAt": "2026-11-26T10:00:00Z", "detail": {"amount": 2100, "currency": "HKD"},
        "cause": "ScanForPay gave no answer about the order for as long as it was asked.",
        "nextStep": "Look the order up at ScanForPay by its order number."
    })
}

fn attention() -> Loaded {
    let rows = json!([
        matter("1", "fact.quarantined", "fact", "咖啡-17"),
        matter("2", "refund.proposed", "refund", "R-2"),
        matter("3", "refund.unknown", "refund", "R-3"),
        matter("4", "order.unknown", "order", "A-4"),
    ]);
    Loaded::Attention(Page { rows: read(rows), next: None })
}

fn loaded(tab: Tab) -> Loaded {
    let at = "2026-11-26T09:00:00Z";
    match tab {
        Tab::Attention => attention(),
        Tab::Platforms => {
            let rows = json!([
                {"id": "P1", "slug": "demo", "name": "咖啡 Group", "limit": {"count": 2000, "window": "1s"}, "createdAt": at},
                {"id": "P2", "slug": "acme", "name": "Acme Commerce", "createdAt": at},
            ]);
            Loaded::Platforms(Page { rows: read(rows), next: None })
        }
        Tab::Operators => {
            let rows = json!([
                {"name": "anna", "role": "admin", "createdAt": at},
                {"name": "ben", "role": "viewer", "platform": "acme", "createdAt": at, "disabledAt": at},
            ]);
            Loaded::Operators(Page { rows: read(rows), next: None })
        }
        Tab::Audit => {
            let rows = json!([{
                "id": "C1", "at": at, "operatorId": "O1", "address": "127.0.0.1", "action": "attention.ended",
                "subjectId": "S1", "before": {"kind": "order.unknown"}, "after": {"reason": "seen to"},
            }]);
            Loaded::Audit(Page { rows: read(rows), next: Some("/ops/v1/audit?cursor=x".to_owned()) })
        }
        Tab::Health => {
            let health: Health = read(json!({
                "version": "0.1.0", "store": "scangate.db", "disk_is_low": true, "limits_count": "alone",
                "accounts_barred": 0, "deliveries_due": 3, "oldest_due_since": NOW_MS - 90_000, "orders_overdue": 1,
                "master_keys_previous": 0, "sealed_under_previous": 0, "attention": 4, "facts_held": 1
            }));
            Loaded::Health(Box::new(health))
        }
    }
}

fn fact() -> FactInFull {
    read(json!({
        "id": "S1", "merchantId": "M1", "number": "咖啡-17", "source": "notice", "claim": "paid", "state": "held",
        "heldAt": "2026-11-26T09:55:25Z", "differences": [], "sentNumber": "S", "orderStatus": "awaiting",
        "fields": [
            {"field": "amount", "asked": 2100, "told": 2101, "differs": true},
            {"field": "currency", "asked": "HKD", "told": "HKD", "differs": false},
        ]
    }))
}

/// Logged in, with the first screen read.
fn console(role: Role, size: (u16, u16), read_only: bool) -> App {
    let mut app = fresh(size, read_only);
    let me = Me { name: "anna".to_owned(), role, platform: None };
    let paths: BTreeSet<String> = Tab::ALL.iter().map(|tab| tab.path().to_owned()).collect();
    let logged_in = LoggedIn { me, paths, expires_at: NOW_MS + 900_000, can_renew: true };
    update(&mut app, Event::Answer(Answer::LoggedIn(Ok(logged_in))));
    take_in(&mut app, Tab::Attention);
    app
}

fn fresh(size: (u16, u16), read_only: bool) -> App {
    App::new("http://127.0.0.1:8082".to_owned(), Colours::Dark, read_only, size, NOW_MS)
}

fn take_in(app: &mut App, tab: Tab) {
    let answer = Answer::Loaded { tab, is_more: false, result: Ok(loaded(tab)) };
    update(app, Event::Answer(answer));
}

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn type_in(app: &mut App, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|character| press(app, KeyCode::Char(character))).collect()
}

fn drawn(app: &App) -> TestBackend {
    let mut terminal =
        Terminal::new(TestBackend::new(app.size.0, app.size.1)).expect("it is drawn in memory");
    terminal.draw(|frame| draw::draw(app, frame)).expect("it is drawn in memory");
    terminal.backend().clone()
}

/// The style of the first cell of a text on the screen.
fn style_of(app: &App, text: &str) -> Style {
    let backend = drawn(app);
    let buffer = backend.buffer();
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let rest: String = (x..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
            if rest.starts_with(text) {
                return buffer[(x, y)].style();
            }
        }
    }
    panic!("{text:?} is not on the screen: {backend}");
}

fn colour(meaning: Meaning) -> Option<ratatui::style::Color> {
    Colours::Dark.style(meaning).fg
}

#[test]
fn every_screen_at_both_sizes() {
    for size in SIZES {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut login = fresh(size, false);
        type_in(&mut login, "anna");
        press(&mut login, KeyCode::Tab);
        type_in(&mut login, "correct horse battery");
        insta::assert_snapshot!(name("login"), drawn(&login));
        for tab in Tab::ALL {
            let mut app = console(Role::Admin, size, false);
            while app.tab != tab {
                press(&mut app, KeyCode::Tab);
            }
            take_in(&mut app, tab);
            insta::assert_snapshot!(name(tab.title()), drawn(&app));
        }
        let mut app = console(Role::Operator, size, false);
        press(&mut app, KeyCode::Enter);
        update(&mut app, Event::Answer(Answer::Fact(Ok(Box::new(fact())))));
        insta::assert_snapshot!(name("fact"), drawn(&app));
        press(&mut app, KeyCode::Char('x'));
        type_in(&mut app, "ScanForPay wrote: a test");
        insta::assert_snapshot!(name("reason"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        press(&mut app, KeyCode::Char(':'));
        insta::assert_snapshot!(name("palette"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        press(&mut app, KeyCode::Char('?'));
        insta::assert_snapshot!(name("help"), drawn(&app));
    }
}

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
    assert!(style_of(&app, " 1 Attention").add_modifier.contains(Modifier::REVERSED), "it is shown");
    update(&mut app, Event::Tick(NOW_MS + 6_000));
    assert_eq!(style_of(&app, "delayed, last word 6s ago").fg, colour(Meaning::Warning));
    let lost = Err(Failure::Lost("connection refused".to_owned()));
    update(&mut app, Event::Answer(Answer::Loaded { tab: Tab::Attention, is_more: false, result: lost }));
    assert_eq!(style_of(&app, "lost, last word 6s ago").fg, colour(Meaning::Bad));
    assert!(drawn(&app).to_string().contains("fact.quarantined"), "what is known stays");

    let mut app = console(Role::Admin, (120, 40), false);
    press(&mut app, KeyCode::Char('5'));
    take_in(&mut app, Tab::Health);
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
    press(&mut app, KeyCode::Char('e'));
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
        for _ in 0..4 {
            assert!(commands::available(&app).all(|entry| !entry.changes), "{role:?}");
            for key in ['a', 'x', 'e'] {
                press(&mut app, KeyCode::Char(key));
                assert!(app.dialog.is_none(), "{key} of {role:?}");
            }
            press(&mut app, KeyCode::Down);
        }
    }
    let viewer = console(Role::Viewer, (80, 24), false);
    assert_eq!(viewer.tabs(), [Tab::Attention, Tab::Platforms, Tab::Health]);
}

#[test]
fn a_screen_is_there_only_if_the_server_feeds_it() {
    let mut app = console(Role::Admin, (80, 24), false);
    app.paths.remove(Tab::Audit.path());
    assert!(!app.tabs().contains(&Tab::Audit));
    press(&mut app, KeyCode::Char('4'));
    assert_eq!(app.tab, Tab::Attention);
}

#[test]
fn help_footer_and_keys_are_one_table() {
    let mut app = console(Role::Admin, (120, 40), false);
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
        app.tab = tab;
        take_in(&mut app, tab);
        for row in 0..app.row_count().max(1) {
            app.select(row);
            for is_open in [false, true] {
                app.is_open = is_open;
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
    update(
        &mut app,
        Event::Answer(Answer::Loaded { tab: Tab::Attention, is_more: false, result: Ok(empty) }),
    );
    assert_eq!(app.attention.rows.len(), 4);
    assert!(drawn(&app).to_string().contains("Paused: 4 changes wait"));
    press(&mut app, KeyCode::Char(' '));
    assert_eq!(app.attention.rows.len(), 0);
}

#[test]
fn older_rows_are_read_past_the_last_one() {
    let mut app = console(Role::Admin, (80, 24), false);
    press(&mut app, KeyCode::Char('4'));
    take_in(&mut app, Tab::Audit);
    let effects = press(&mut app, KeyCode::Char('j'));
    let [Effect::Load { next: Some(next), .. }] = effects.as_slice() else {
        panic!("the next page is asked for")
    };
    assert_eq!(next, "/ops/v1/audit?cursor=x");
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
    click(&mut app, 22, 1);
    assert_eq!(app.tab, Tab::Platforms);
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
