//! The one table of commands: what keys do, help, footer and palette are all read from it.

mod subject;
mod table;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shared::ops::Role;

use self::subject::{leads_on, mends, moves};
pub use self::table::COMMANDS;
use crate::app::{App, Tab, View};
use crate::event::Whole;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Show(Tab),
    NextTab,
    PreviousTab,
    Down,
    Up,
    PageDown,
    PageUp,
    Top,
    Bottom,
    Open,
    Back,
    Find,
    Filter,
    Sort,
    Columns,
    Follow,
    Zone,
    Span,
    Mark,
    Unmark,
    Replay,
    ReplayFiltered,
    StartReplay,
    ResumeReplay,
    PauseReplay,
    CancelReplay,
    Faster,
    Slower,
    Query,
    Refund,
    Json,
    Code,
    NextEntry,
    PreviousEntry,
    OpenEntry,
    Rotate,
    ItsOrder,
    ItsDeliveries,
    PauseEndpoint,
    ResumeEndpoint,
    DisableEndpoint,
    SuspendMerchant,
    ResumeMerchant,
    Refresh,
    Pause,
    End,
    Release,
    Reject,
    Approve,
    Decline,
    WasRefunded,
    WasNotRefunded,
    Disable,
    Enable,
    Copy,
    Export,
    ExportJson,
    Help,
    Palette,
    LogOut,
    Suspend,
    Quit,
}

/// A command as people meet it.
#[derive(Debug)]
pub struct Entry {
    pub command: Command,
    /// The first is the one that is shown.
    pub keys: &'static [&'static str],
    /// What the palette knows it by.
    pub name: &'static str,
    pub help: &'static str,
    /// Who may; nobody below.
    pub least: Role,
    /// Whether it changes something at the gateway.
    pub changes: bool,
    /// Its place in the footer; 0: none.
    pub footer: u8,
}

/// What can be done now: by role, by what the server has, and by what is selected.
pub fn available(app: &App) -> impl Iterator<Item = &'static Entry> {
    COMMANDS.iter().filter(|entry| is_available(app, entry))
}

/// The command of a key, if it can be given now.
pub fn of_key(app: &App, key: &str) -> Option<&'static Entry> {
    available(app).find(|entry| entry.keys.contains(&key))
}

pub fn of_name(app: &App, name: &str) -> Option<&'static Entry> {
    available(app).find(|entry| entry.name == name)
}

/// Those that what was typed may mean: names that begin so, then names that have it elsewhere.
pub fn meant(app: &App, typed: &str) -> Vec<&'static Entry> {
    let (mut begun, other): (Vec<_>, Vec<_>) = available(app)
        .filter(|entry| entry.name.contains(typed))
        .partition(|entry| entry.name.starts_with(typed));
    begun.extend(other);
    begun
}

fn is_available(app: &App, entry: &Entry) -> bool {
    let Some(me) = &app.me else {
        return matches!(entry.command, Command::Suspend | Command::Quit);
    };
    if me.role < entry.least || (entry.changes && app.read_only) {
        return false;
    }
    let is_list = !app.is_open() && app.row_count() > 0;
    let is_open = app.is_open();
    let whole = app.opened.as_ref().map(|opened| &opened.whole);
    match entry.command {
        Command::Show(tab) => app.tabs().contains(&tab),
        Command::Open => is_list && app.tab.is_list() && !matches!(app.tab, Tab::Platforms | Tab::Operators),
        Command::Back => is_open || !app.history.is_empty(),
        Command::Find => app.has("/ops/v1/find"),
        Command::Filter => app.tab.is_filtered() && !is_open,
        Command::Sort | Command::Columns | Command::Follow => app.tab == Tab::Orders && !is_open,
        Command::Span => app.tab == Tab::Overview,
        Command::Json => whole.is_some(),
        Command::NextEntry | Command::PreviousEntry => has_entries(app),
        Command::OpenEntry => app.entry().is_some() && app.view == View::Told,
        Command::Code => matches!(whole, Some(Whole::Order(order)) if order.pay_url.is_some()),
        Command::Copy | Command::ItsOrder | Command::ItsDeliveries => leads_on(app, entry.command),
        Command::Export | Command::ExportJson => is_list,
        Command::Mark => app.tab == Tab::Deliveries && is_list,
        Command::Unmark => app.tab == Tab::Deliveries && !app.marked.is_empty(),
        _ if !entry.changes => true,
        Command::Disable => {
            app.operator().is_some_and(|one| one.disabled_at.is_none() && one.name != me.name)
        }
        Command::Enable => app.operator().is_some_and(|one| one.disabled_at.is_some()),
        command => mends(app, command) || moves(app, command),
    }
}

/// Whether there is something to choose in what happened to the order.
fn has_entries(app: &App) -> bool {
    let is_shown = app.view == View::Told || app.view.is_entry();
    let whole = app.opened.as_ref().map(|opened| &opened.whole).filter(|_| is_shown);
    matches!(whole, Some(Whole::Order(order)) if order.timeline.iter().any(|entry| entry.id.is_some()))
}

/// A key as the table spells it; absent: one that no command has.
pub fn spelled(key: KeyEvent) -> Option<String> {
    let name = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(character) => character.to_string(),
        KeyCode::Enter => "enter".to_owned(),
        KeyCode::Esc => "esc".to_owned(),
        KeyCode::Backspace => "backspace".to_owned(),
        KeyCode::Tab => "tab".to_owned(),
        KeyCode::BackTab => "backtab".to_owned(),
        KeyCode::Left => "left".to_owned(),
        KeyCode::Right => "right".to_owned(),
        KeyCode::Up => "up".to_owned(),
        KeyCode::Down => "down".to_owned(),
        KeyCode::PageUp => "pageup".to_owned(),
        KeyCode::PageDown => "pagedown".to_owned(),
        KeyCode::Home => "home".to_owned(),
        KeyCode::End => "end".to_owned(),
        _ => return None,
    };
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    Some(if is_control { format!("ctrl-{name}") } else { name })
}
