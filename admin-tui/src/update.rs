//! An event changes the state and asks for effects. No I/O, no clock but the ticks.

mod answers;
mod typing;

use crossterm::event::{KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use shared::ops::RefundOutcome;

use crate::app::{App, Dialog, Tab};
use crate::commands::{self, Command};
use crate::draw;
use crate::effects::{Act, Effect};
use crate::event::Event;
use crate::plain;
use crate::theme::Meaning;

/// Between two readings of the screen that is shown.
pub const READ_EVERY_MS: i64 = 2_000;
/// How long before its end a token is renewed.
const RENEW_BEFORE_MS: i64 = 5 * 60_000;
/// Rows that one screen holds at most.
pub const MAX_ROWS: usize = 10_000;

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
    let is_due = app.heard_at.is_none_or(|heard| now_ms - heard >= READ_EVERY_MS);
    // An older page that was read stays until the list is asked for anew.
    if is_due && app.asked_at.is_none() && !app.has_older() {
        effects.push(load(app));
    }
    effects
}

/// Read the screen that is shown.
pub(crate) fn load(app: &mut App) -> Effect {
    app.asked_at = Some(app.now_ms);
    Effect::Load { tab: app.tab, next: None }
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
    match commands::of_key(app, &name) {
        Some(entry) => obey(app, entry.command),
        None => Vec::new(),
    }
}

pub(crate) fn obey(app: &mut App, command: Command) -> Vec<Effect> {
    let last = app.row_count().saturating_sub(1);
    let page = usize::from(app.size.1.saturating_sub(6)).max(1);
    match command {
        Command::Show(tab) => return show(app, tab),
        Command::NextTab => return show_beside(app, 1),
        Command::PreviousTab => return show_beside(app, -1),
        Command::Down if app.is_open => app.scroll = app.scroll.saturating_add(1).min(draw::max_scroll(app)),
        Command::Up if app.is_open => app.scroll = app.scroll.saturating_sub(1),
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
        Command::Back => close(app),
        Command::Refresh => return vec![load(app)],
        Command::Pause => pause(app),
        Command::Copy => {
            let id = app.selected_id();
            return id.map(Effect::Copy).into_iter().collect();
        }
        Command::Export => match plain::csv(&app.table()) {
            Ok(csv) => return vec![Effect::Export { name: app.tab.title(), csv }],
            Err(error) => app.say(format!("Not written: {error}"), Meaning::Bad),
        },
        Command::Help => app.dialog = Some(Dialog::Help { scroll: 0 }),
        Command::Palette => app.dialog = Some(Dialog::Palette { typed: String::new() }),
        Command::LogOut => return vec![Effect::LogOut],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Quit => return vec![Effect::Quit],
        change => confirm(app, change),
    }
    Vec::new()
}

/// Every change waits for a reason or a yes.
fn confirm(app: &mut App, command: Command) {
    let subject = app.matter().map(|matter| matter.subject.id.clone()).unwrap_or_default();
    let matter = app.matter().map(|matter| matter.id.clone()).unwrap_or_default();
    let name = app.operator().map(|operator| operator.name.clone()).unwrap_or_default();
    let act = match command {
        Command::End => Act::EndMatter { id: matter },
        Command::Release => Act::ReleaseFact { id: subject },
        Command::Reject => Act::RejectFact { id: subject },
        Command::Approve => Act::ApproveRefund { id: subject },
        Command::Decline => Act::DeclineRefund { id: subject },
        Command::WasRefunded => Act::ResolveRefund { id: subject, outcome: RefundOutcome::Refunded },
        Command::WasNotRefunded => Act::ResolveRefund { id: subject, outcome: RefundOutcome::Failed },
        Command::Disable => Act::SetOperator { name, is_enabled: false },
        Command::Enable => Act::SetOperator { name, is_enabled: true },
        _ => return,
    };
    app.dialog = Some(Dialog::Confirm { act, reason: String::new() });
}

fn show_beside(app: &mut App, step: isize) -> Vec<Effect> {
    let tabs = app.tabs();
    let at = tabs.iter().position(|tab| *tab == app.tab).unwrap_or(0);
    let to = (at.cast_signed() + step).rem_euclid(tabs.len().cast_signed());
    show(app, tabs[to.cast_unsigned()])
}

fn show(app: &mut App, tab: Tab) -> Vec<Effect> {
    close(app);
    if app.tab == tab {
        return Vec::new();
    }
    (app.tab, app.heard_at, app.is_paused, app.held) = (tab, None, false, None);
    vec![load(app)]
}

pub(crate) fn close(app: &mut App) {
    (app.is_open, app.fact, app.scroll) = (false, None, 0);
}

fn open(app: &mut App) -> Vec<Effect> {
    (app.is_open, app.fact, app.scroll) = (true, None, 0);
    let fact = app.matter().filter(|matter| matter.subject.kind == "fact");
    fact.map(|matter| Effect::LoadFact(matter.subject.id.clone())).into_iter().collect()
}

/// Select a row; past the last one, older rows are read.
fn go_to(app: &mut App, row: usize) -> Vec<Effect> {
    if app.is_open {
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
    vec![Effect::Load { tab: app.tab, next: Some(next) }]
}

fn pause(app: &mut App) {
    app.is_paused = !app.is_paused;
    if !app.is_paused
        && let Some(held) = app.held.take()
    {
        answers::take_in(app, held, false);
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
