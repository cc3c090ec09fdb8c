//! A console in memory: what it is told, what is pressed, what is drawn.

use std::collections::BTreeSet;

use admin_tui::app::{App, Tab};
use admin_tui::client::Failure;
use admin_tui::commands::{COMMANDS, Command};
use admin_tui::draw;
use admin_tui::effects::Effect;
use admin_tui::event::{Answer, Event, Loaded, LoggedIn, Opened, Whole};
use admin_tui::theme::{Colours, Meaning};
use admin_tui::update::update;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Style;
use serde_json::Value;
use shared::ops::{Me, Role};

use crate::told::loaded;

pub const NOW_MS: i64 = 1_795_687_465_000;
pub const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];
pub const WIDE: (u16, u16) = (200, 50);

pub fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it is what the gateway says")
}

/// Logged in, with the first screen read.
pub fn console(role: Role, size: (u16, u16), read_only: bool) -> App {
    let mut app = fresh(size, read_only);
    let me = Me { name: "anna".to_owned(), role, platform: None };
    let beside = [
        "/ops/v1/find",
        "/ops/v1/live",
        "/ops/v1/orders/{id}/query",
        "/ops/v1/orders/{id}/refunds",
        "/ops/v1/merchants/{id}/sign-keys",
    ];
    let paths: BTreeSet<String> =
        Tab::ALL.iter().map(|tab| tab.path()).chain(beside).map(str::to_owned).collect();
    let logged_in = LoggedIn { me, paths, expires_at: NOW_MS + 900_000, can_renew: true };
    update(&mut app, Event::Answer(Answer::LoggedIn(Ok(logged_in))));
    go_to(&mut app, Tab::Attention);
    // One begins there.
    app.history.clear();
    app
}

/// Show a screen, and read it.
pub fn go_to(app: &mut App, tab: Tab) {
    let found = COMMANDS.iter().find(|entry| entry.command == Command::Show(tab)).expect("each has a key");
    let key = found.keys[0].chars().next().expect("it is a letter");
    press(app, KeyCode::Char(key));
    take_in(app, tab);
}

pub fn fresh(size: (u16, u16), read_only: bool) -> App {
    App::new("http://127.0.0.1:8082".to_owned(), Colours::Dark, read_only, size, NOW_MS)
}

pub fn take_in(app: &mut App, tab: Tab) {
    answer(app, tab, Ok(loaded(tab)));
}

/// To what was asked last of the screen.
pub fn answer(app: &mut App, tab: Tab, result: Result<Loaded, Failure>) {
    let path = app.narrowed.first_page(tab, app.is_day, app.now_ms, 100);
    update(app, Event::Answer(Answer::Loaded { tab, path, is_more: false, result }));
}

/// The row that is open, read whole.
pub fn answer_whole(app: &mut App, whole: Value) {
    let raw = whole.to_string();
    let whole = match app.tab {
        Tab::Orders => Whole::Order(read(whole)),
        Tab::Deliveries => Whole::Delivery(read(whole)),
        _ => Whole::Merchant(read(whole)),
    };
    let id = app.open.clone().expect("a row is open");
    update(app, Event::Answer(Answer::Opened { id, result: Ok(Opened { whole, raw }) }));
}

pub fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    update(app, Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

pub fn type_in(app: &mut App, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|character| press(app, KeyCode::Char(character))).collect()
}

pub fn drawn(app: &App) -> TestBackend {
    let mut terminal =
        Terminal::new(TestBackend::new(app.size.0, app.size.1)).expect("it is drawn in memory");
    terminal.draw(|frame| draw::draw(app, frame)).expect("it is drawn in memory");
    terminal.backend().clone()
}

/// The style of the first cell of a text on the screen.
pub fn style_of(app: &App, text: &str) -> Style {
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

pub fn colour(meaning: Meaning) -> Option<ratatui::style::Color> {
    Colours::Dark.style(meaning).fg
}
