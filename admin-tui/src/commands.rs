//! The one table of commands: what keys do, help, footer and palette are all read from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shared::ops::{FactState, Mend, Role};

use crate::app::{App, Tab};

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

const fn entry(
    command: Command,
    keys: &'static [&'static str],
    name: &'static str,
    help: &'static str,
) -> Entry {
    Entry { command, keys, name, help, least: Role::Viewer, changes: false, footer: 0 }
}

impl Entry {
    const fn in_footer(mut self, place: u8) -> Self {
        self.footer = place;
        self
    }

    /// It changes something, and takes this role.
    const fn changing(mut self, least: Role) -> Self {
        self.least = least;
        self.changes = true;
        self
    }
}

pub static COMMANDS: [Entry; 33] = [
    entry(Command::Show(Tab::Attention), &["1"], "attention", "What waits for a person"),
    entry(Command::Show(Tab::Platforms), &["2"], "platforms", "The platforms in scope"),
    entry(Command::Show(Tab::Operators), &["3"], "operators", "Who may log in"),
    entry(Command::Show(Tab::Audit), &["4"], "audit", "What operators and commands changed"),
    entry(Command::Show(Tab::Health), &["5"], "health", "How the gateway is"),
    entry(Command::NextTab, &["tab", "l", "right"], "next", "Next screen"),
    entry(Command::PreviousTab, &["backtab", "h", "left"], "previous", "Previous screen"),
    entry(Command::Down, &["j", "down"], "down", "One row down"),
    entry(Command::Up, &["k", "up"], "up", "One row up"),
    entry(Command::PageDown, &["ctrl-d", "pagedown"], "page-down", "A page down"),
    entry(Command::PageUp, &["ctrl-u", "pageup"], "page-up", "A page up"),
    entry(Command::Top, &["g", "home"], "top", "First row"),
    entry(Command::Bottom, &["G", "end"], "bottom", "Last row; past it, older ones are read"),
    entry(Command::Open, &["enter"], "open", "Open the row").in_footer(1),
    entry(Command::Back, &["esc", "backspace"], "back", "Back to the list").in_footer(2),
    entry(Command::End, &["e"], "end", "Somebody has seen to it: end the matter")
        .changing(Role::Operator)
        .in_footer(3),
    entry(Command::Release, &["a"], "release", "Release the fact if ScanForPay agrees")
        .changing(Role::Operator)
        .in_footer(4),
    entry(Command::Reject, &["x"], "reject", "Reject the fact for good")
        .changing(Role::Operator)
        .in_footer(5),
    entry(Command::Approve, &["a"], "approve", "Approve the proposed refund")
        .changing(Role::Operator)
        .in_footer(6),
    entry(Command::Decline, &["x"], "decline", "Decline the proposed refund")
        .changing(Role::Operator)
        .in_footer(7),
    entry(Command::WasRefunded, &["a"], "was-refunded", "ScanForPay's books show the refund")
        .changing(Role::Operator)
        .in_footer(8),
    entry(Command::WasNotRefunded, &["x"], "was-not-refunded", "ScanForPay's books show no refund")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::Disable, &["x"], "disable", "Let the operator in no more")
        .changing(Role::Admin)
        .in_footer(10),
    entry(Command::Enable, &["a"], "enable", "Let the operator in again").changing(Role::Admin).in_footer(11),
    entry(Command::Pause, &["space"], "pause", "Hold the view still; what waits is counted").in_footer(12),
    entry(Command::Refresh, &["r"], "refresh", "Read the list anew"),
    entry(Command::Copy, &["y"], "copy", "Send the row's id to the clipboard (OSC 52)"),
    entry(Command::Export, &["w"], "write", "Write the rows to a CSV file in this folder"),
    entry(Command::Help, &["?"], "help", "All of this").in_footer(14),
    entry(Command::Palette, &[":"], "palette", "Give a command by its name").in_footer(13),
    entry(Command::LogOut, &["O"], "log-out", "Log out, and forget the token"),
    entry(Command::Suspend, &["ctrl-z"], "suspend", "Back to the shell; fg comes back"),
    entry(Command::Quit, &["q", "ctrl-c"], "quit", "Leave").in_footer(15),
];

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

fn is_available(app: &App, entry: &Entry) -> bool {
    let Some(me) = &app.me else {
        return matches!(entry.command, Command::Suspend | Command::Quit);
    };
    if me.role < entry.least || (entry.changes && app.read_only) {
        return false;
    }
    let mends = app.matter().map(shared::ops::Matter::mends).unwrap_or_default();
    // A fact that was decided meanwhile is shown, and no more to be decided.
    let is_decided = app.fact.as_ref().is_some_and(|fact| fact.fact.state != FactState::Held);
    match entry.command {
        Command::Show(tab) => app.tabs().contains(&tab),
        Command::Open => {
            !app.is_open && matches!(app.tab, Tab::Attention | Tab::Audit) && app.selected_id().is_some()
        }
        Command::Back => app.is_open,
        Command::End => mends.contains(&Mend::End),
        Command::Release | Command::Reject => mends.contains(&Mend::DecideFact) && app.is_open && !is_decided,
        Command::Approve | Command::Decline => mends.contains(&Mend::DecideRefund),
        Command::WasRefunded | Command::WasNotRefunded => mends.contains(&Mend::ResolveRefund),
        Command::Disable => {
            app.operator().is_some_and(|one| one.disabled_at.is_none() && one.name != me.name)
        }
        Command::Enable => app.operator().is_some_and(|one| one.disabled_at.is_some()),
        Command::Copy => app.selected_id().is_some(),
        _ => true,
    }
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
