//! An event changes the state and asks for effects. No I/O, no clock but the ticks.

pub mod acts;
mod answers;
mod entries;
mod live;
mod looking;
mod places;
mod typing;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use shared::ops::ReplayState;

pub(crate) use self::places::{arrive, close, go_to_order, listen};
use self::places::{go_back, its_deliveries, its_order, open, show, show_beside};
use crate::app::{App, Dialog, Listed, Looking, MAX_ROWS, StreamState, Tab, View};
use crate::commands::{self, Command};
use crate::draw;
use crate::effects::Effect;
use crate::event::Event;
use crate::plain;
use crate::text;
use crate::theme::Meaning;

/// Between two readings of the screen that is shown.
pub const READ_EVERY_MS: i64 = 2_000;
/// Deliveries that are replayed by their ids at most.
const MAX_MARKED: usize = 1_000;
/// How long before its end a token is renewed.
const RENEW_BEFORE_MS: i64 = 5 * 60_000;
/// Rows of a page.
const PAGE: u32 = 100;

pub fn update(app: &mut App, event: Event) -> Vec<Effect> {
    match event {
        Event::Key(key) => pressed(app, key),
        Event::Mouse(mouse) => clicked(app, mouse),
        Event::Resize(columns, rows) => {
            app.size = (columns, rows);
            Vec::new()
        }
        Event::Tick(now_ms) => ticked(app, now_ms),
        Event::Answer(answer) => answers::answered(app, answer),
        Event::Paste(text) => typing::pasted(app, &text),
        Event::Stream(stream, word) => live::heard(app, stream, word),
        Event::Suspend => vec![Effect::Suspend],
        Event::Stop => vec![Effect::Quit],
    }
}

fn ticked(app: &mut App, now_ms: i64) -> Vec<Effect> {
    app.now_ms = now_ms;
    if app.me.is_none() {
        return Vec::new();
    }
    let mut effects = Vec::new();
    if app.can_renew && !app.is_renewing && app.expires_at - now_ms < RENEW_BEFORE_MS {
        app.is_renewing = true;
        effects.push(Effect::Renew);
    }
    // What the stream brings need not be asked for; an older page that was read stays until the list is asked for anew.
    let is_fed =
        app.stream.state == StreamState::Open && !app.stream.is_stale && !app.is_open() && !is_moving(app);
    let is_due = app.read_at.is_none_or(|read| now_ms - read >= READ_EVERY_MS);
    if is_due && !is_fed && app.asked_at.is_none() && (app.is_open() || !app.has_older()) {
        effects.extend(load(app));
    }
    effects
}

/// How far a replay has come is not told with each of its deliveries.
fn is_moving(app: &App) -> bool {
    app.tab == Tab::Replays && app.replays.rows.iter().any(|row| row.state == ReplayState::Running)
}

/// Read what is shown: the row that is open, or the list.
pub(crate) fn load(app: &mut App) -> Vec<Effect> {
    app.asked_at = Some(app.now_ms);
    match &app.open {
        Some(id) if app.tab.has_wholes() => vec![Effect::LoadWhole { tab: app.tab, id: id.clone() }],
        _ => {
            app.stream.is_stale = false;
            app.looking = Looking::default();
            vec![Effect::Load { tab: app.tab, path: first_page(app), is_more: false }]
        }
    }
}

pub(crate) fn first_page(app: &App) -> String {
    app.narrowed.first_page(app.tab, app.is_day, app.now_ms, PAGE)
}

fn pressed(app: &mut App, key: KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let Some(name) = commands::spelled(key) else { return Vec::new() };
    // These two are for every place, also where letters are typed.
    match name.as_str() {
        "ctrl-c" => return vec![Effect::Quit],
        "ctrl-z" => return vec![Effect::Suspend],
        _ => {}
    }
    if app.me.is_none() {
        return typing::at_login(app, key);
    }
    if app.dialog.is_some() {
        return typing::in_dialog(app, key);
    }
    app.message = None;
    if let Some(entry) = commands::of_key(app, &name) {
        return obey(app, entry.command);
    }
    // Somebody who knows the key wonders why nothing happens.
    if commands::COMMANDS.iter().any(|entry| entry.keys.contains(&name.as_str())) {
        app.say(format!("{name} does nothing here, or is not yours; ? lists what does."), Meaning::Dim);
    }
    Vec::new()
}

pub(crate) fn obey(app: &mut App, command: Command) -> Vec<Effect> {
    let last = app.row_count().saturating_sub(1);
    let page = usize::from(app.size.1.saturating_sub(6)).max(1);
    match command {
        Command::Show(tab) => return show(app, tab),
        Command::NextTab => return show_beside(app, 1),
        Command::PreviousTab => return show_beside(app, -1),
        Command::Down if app.is_open() => {
            app.scroll = app.scroll.saturating_add(1).min(draw::max_scroll(app));
        }
        Command::Up if app.is_open() => app.scroll = app.scroll.saturating_sub(1),
        Command::PageDown if app.is_open() => {
            let page = u16::try_from(page).unwrap_or(u16::MAX);
            app.scroll = app.scroll.saturating_add(page).min(draw::max_scroll(app));
        }
        Command::PageUp if app.is_open() => {
            app.scroll = app.scroll.saturating_sub(u16::try_from(page).unwrap_or(u16::MAX));
        }
        Command::Top if app.is_open() => app.scroll = 0,
        Command::Bottom if app.is_open() => app.scroll = draw::max_scroll(app),
        Command::Down => return go_to(app, app.selected() + 1),
        Command::Up => return go_to(app, app.selected().saturating_sub(1)),
        Command::PageDown => return go_to(app, app.selected() + page),
        Command::PageUp => return go_to(app, app.selected().saturating_sub(page)),
        Command::Top => app.select(0),
        Command::Bottom => {
            let is_there = app.selected() == last;
            return go_to(app, if is_there { last + 1 } else { last });
        }
        Command::Open => return open(app),
        Command::Back if looking::stop(app) => {}
        Command::Back => return go_back(app),
        Command::Find => app.dialog = Some(Dialog::Find { typed: String::new() }),
        Command::Filter => {
            app.dialog = Some(Dialog::Filter { typed: app.narrowed.text(app.tab), recalled: None });
        }
        Command::Sort => sort(app),
        Command::Columns => app.changes_columns = !app.changes_columns,
        Command::Follow => {
            app.follows = !app.follows;
            app.select(0);
        }
        Command::Zone => std::mem::swap(&mut app.zone, &mut app.other_zone),
        Command::Span => {
            app.is_day = !app.is_day;
            return load(app);
        }
        Command::Json => {
            let next = match app.view {
                View::Entry => View::EntryExact,
                View::EntryExact => View::Entry,
                View::Told | View::Code => View::Pretty,
                View::Pretty => View::Exact,
                View::Exact => View::Told,
            };
            (app.view, app.scroll) = (next, 0);
        }
        Command::NextEntry => return entries::step(app, 1),
        Command::PreviousEntry => return entries::step(app, -1),
        Command::OpenEntry => return entries::open(app),
        Command::Code => {
            let next = if app.view == View::Code { View::Told } else { View::Code };
            (app.view, app.scroll) = (next, 0);
        }
        Command::Mark => return mark(app),
        Command::Unmark => app.marked.clear(),
        Command::ItsOrder => return its_order(app),
        Command::ItsDeliveries => return its_deliveries(app),
        Command::Refresh => return load(app),
        Command::Pause => pause(app),
        Command::Copy => return copy(app).into_iter().collect(),
        Command::Export => match plain::csv(&app.table()) {
            Ok(text) => return vec![Effect::Export { name: app.tab.title(), extension: "csv", text }],
            Err(error) => app.say(format!("Not written: {error}"), Meaning::Bad),
        },
        Command::ExportJson => {
            let text = app.list().map(Listed::ndjson).unwrap_or_default();
            return vec![Effect::Export { name: app.tab.title(), extension: "ndjson", text }];
        }
        Command::Help => app.dialog = Some(Dialog::Help { scroll: 0 }),
        Command::Palette => app.dialog = Some(Dialog::Palette { typed: String::new() }),
        Command::LogOut => return vec![Effect::LogOut],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit => return vec![Effect::Quit],
        change => acts::confirm(app, change),
    }
    Vec::new()
}

fn sort(app: &mut App) {
    app.sort = app.sort.next();
    resort(app);
    app.say(format!("The rows that were read are sorted {}.", app.sort.told()), Meaning::Dim);
}

/// The selection stays with its row, or with the first.
pub(crate) fn resort(app: &mut App) {
    let list = &mut app.orders;
    let selected = list.rows.get(list.selected).map(|row| row.id.clone());
    app.sort.apply(&mut list.rows);
    list.select_again(selected);
    if app.follows {
        list.selected = 0;
    }
}

/// What came, where that is shown; else what the row is known by.
fn copy(app: &App) -> Option<Effect> {
    if app.view.is_entry() {
        let text = app.entry_text()?;
        let told = text::counted(i64::try_from(text.len()).unwrap_or(i64::MAX), "byte", "bytes");
        return Some(Effect::Copy { text, told });
    }
    let text = app.known_by()?;
    Some(Effect::Copy { told: text.clone(), text })
}

fn mark(app: &mut App) -> Vec<Effect> {
    let Some(id) = app.current_id() else { return Vec::new() };
    if !app.marked.remove(&id) {
        if app.marked.len() == MAX_MARKED {
            app.say(
                format!("No more than {MAX_MARKED} are marked; narrow the list and use A."),
                Meaning::Warning,
            );
            return Vec::new();
        }
        app.marked.insert(id);
    }
    if app.selected() + 1 < app.row_count() { go_to(app, app.selected() + 1) } else { Vec::new() }
}

/// Select a row; past the last one, older rows are read.
fn go_to(app: &mut App, row: usize) -> Vec<Effect> {
    if app.is_open() {
        return Vec::new();
    }
    let last = app.row_count().saturating_sub(1);
    app.select(row.min(last));
    if row <= last || app.asked_at.is_some() || app.is_paused {
        return Vec::new();
    }
    if app.row_count() >= MAX_ROWS {
        app.say(format!("No more than {MAX_ROWS} rows are held."), Meaning::Warning);
        return Vec::new();
    }
    let Some(next) = app.next().cloned() else { return Vec::new() };
    app.asked_at = Some(app.now_ms);
    app.looking.is_stopped = false;
    vec![Effect::Load { tab: app.tab, path: next, is_more: true }]
}

fn pause(app: &mut App) {
    app.is_paused = !app.is_paused;
    if app.is_paused {
        return;
    }
    let held = std::mem::take(&mut app.held);
    if let Some(page) = held.page {
        answers::take_in(app, page, false);
    }
    if let Some(opened) = held.opened {
        app.opened = Some(opened);
    }
    app.stream.is_stale |= held.is_incomplete;
    for change in held.changes.into_values() {
        live::put(app, change);
    }
}

fn clicked(app: &mut App, mouse: MouseEvent) -> Vec<Effect> {
    if app.me.is_none() || app.dialog.is_some() {
        return Vec::new();
    }
    match mouse.kind {
        MouseEventKind::ScrollDown => obey(app, Command::Down),
        MouseEventKind::ScrollUp => obey(app, Command::Up),
        MouseEventKind::Down(MouseButton::Left) => {
            if let Some(tab) = draw::tab_at(app, mouse.column, mouse.row) {
                return show(app, tab);
            }
            match draw::row_at(app, mouse.row) {
                Some(row)
                    if row == app.selected()
                        && commands::available(app).any(|e| e.command == Command::Open) =>
                {
                    open(app)
                }
                Some(row) => go_to(app, row),
                None => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}
