//! The one table of commands: what keys do, help, footer and palette are all read from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shared::ops::{EndpointStatus, FactState, Mend, OrderRow, ReplayState, Role};

use crate::app::{App, Tab};
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

pub static COMMANDS: [Entry; 68] = [
    entry(Command::Show(Tab::Overview), &["1"], "overview", "How the gateway fares, over an hour or a day"),
    entry(Command::Show(Tab::Orders), &["2"], "orders", "Orders, newest first"),
    entry(Command::Show(Tab::Deliveries), &["3"], "deliveries", "What shops are told"),
    entry(Command::Show(Tab::Endpoints), &["4"], "endpoints", "Where shops are told it"),
    entry(Command::Show(Tab::Replays), &["5"], "replays", "What is delivered again"),
    entry(Command::Show(Tab::Attention), &["6"], "attention", "What waits for a person"),
    entry(Command::Show(Tab::Merchants), &["7"], "merchants", "Merchants, their stores and keys"),
    entry(Command::Show(Tab::Platforms), &["8"], "platforms", "The platforms in scope"),
    entry(Command::Show(Tab::Audit), &["9"], "audit", "What operators and commands changed"),
    entry(Command::Show(Tab::Health), &["0"], "health", "How the gateway is"),
    entry(Command::Show(Tab::Operators), &["o"], "operators", "Who may log in"),
    entry(Command::NextTab, &["tab", "l", "right"], "next", "Next screen"),
    entry(Command::PreviousTab, &["backtab", "h", "left"], "previous", "Previous screen"),
    entry(Command::Down, &["j", "down"], "down", "One row down"),
    entry(Command::Up, &["k", "up"], "up", "One row up"),
    entry(Command::PageDown, &["ctrl-d", "pagedown"], "page-down", "A page down"),
    entry(Command::PageUp, &["ctrl-u", "pageup"], "page-up", "A page up"),
    entry(Command::Top, &["home", "^"], "top", "First row"),
    entry(Command::Bottom, &["G", "end"], "bottom", "Last row; past it, older ones are read"),
    entry(Command::Open, &["enter"], "open", "Open the row").in_footer(1),
    entry(Command::Back, &["esc", "backspace"], "back", "Back to where you were").in_footer(2),
    entry(Command::Find, &["g"], "go-to", "Open the order of any number: ours, the shop's, ScanForPay's")
        .in_footer(4),
    entry(Command::Filter, &["/"], "filter", "Narrow the list; completed as you type").in_footer(3),
    entry(Command::Sort, &["s"], "sort", "Sort the rows that were read in another way"),
    entry(Command::Columns, &["c"], "columns", "More columns, or fewer"),
    entry(Command::Follow, &["f"], "follow", "Stay with the newest row, or with the chosen one"),
    entry(Command::Zone, &["z"], "zone", "Times in the other time zone"),
    entry(Command::Span, &["t"], "span", "Over a day instead of an hour, and back").in_footer(5),
    entry(Command::Json, &["J"], "json", "The gateway's JSON: indented, exact, and back").in_footer(20),
    entry(Command::Code, &["Q"], "code", "Where the payer pays, as a QR code").in_footer(21),
    entry(Command::ItsOrder, &["w"], "its-order", "The order that it is about").in_footer(22),
    entry(Command::ItsDeliveries, &["D"], "its-deliveries", "Its deliveries").in_footer(23),
    entry(Command::Mark, &["v"], "mark", "Mark the delivery, to replay several").in_footer(6),
    entry(Command::Unmark, &["V"], "unmark", "Mark no delivery any more"),
    entry(Command::Replay, &["R"], "replay", "Deliver again: the marked ones, this one, or the order's")
        .changing(Role::Operator)
        .in_footer(7),
    entry(Command::ReplayFiltered, &["A"], "replay-all", "Deliver again all that the filter lets through")
        .changing(Role::Operator)
        .in_footer(8),
    entry(Command::StartReplay, &["a"], "start", "Start what was counted")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::ResumeReplay, &["a"], "go-on", "Go on with the replay")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::PauseReplay, &["p"], "hold", "Pause the replay").changing(Role::Operator).in_footer(10),
    entry(Command::CancelReplay, &["x"], "cancel", "Cancel the replay")
        .changing(Role::Operator)
        .in_footer(11),
    entry(Command::Faster, &["+"], "faster", "Twice the replay's pace").changing(Role::Operator),
    entry(Command::Slower, &["-"], "slower", "Half the replay's pace").changing(Role::Operator),
    entry(Command::Query, &["u"], "query", "Ask ScanForPay now how the order stands")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::Refund, &["m"], "refund", "Give money back").changing(Role::Operator).in_footer(10),
    entry(Command::PauseEndpoint, &["p"], "pause-endpoint", "Keep its events until it goes on")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::ResumeEndpoint, &["a"], "resume-endpoint", "Deliver to it again")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::DisableEndpoint, &["x"], "disable-endpoint", "Deliver to it no more")
        .changing(Role::Operator)
        .in_footer(10),
    entry(Command::SuspendMerchant, &["x"], "suspend-merchant", "Take no new orders from the merchant")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::ResumeMerchant, &["a"], "resume-merchant", "Take the merchant's orders again")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::End, &["d"], "done", "Somebody has seen to it: end the matter")
        .changing(Role::Operator)
        .in_footer(9),
    entry(Command::Release, &["a"], "release", "Release the fact if ScanForPay agrees")
        .changing(Role::Operator)
        .in_footer(10),
    entry(Command::Reject, &["x"], "reject", "Reject the fact for good")
        .changing(Role::Operator)
        .in_footer(11),
    entry(Command::Approve, &["a"], "approve", "Approve the proposed refund")
        .changing(Role::Operator)
        .in_footer(12),
    entry(Command::Decline, &["x"], "decline", "Decline the proposed refund")
        .changing(Role::Operator)
        .in_footer(13),
    entry(Command::WasRefunded, &["a"], "was-refunded", "ScanForPay's books show the refund")
        .changing(Role::Operator)
        .in_footer(14),
    entry(Command::WasNotRefunded, &["x"], "was-not-refunded", "ScanForPay's books show no refund")
        .changing(Role::Operator)
        .in_footer(15),
    entry(Command::Disable, &["x"], "disable", "Let the operator in no more")
        .changing(Role::Admin)
        .in_footer(16),
    entry(Command::Enable, &["a"], "enable", "Let the operator in again").changing(Role::Admin).in_footer(17),
    entry(Command::Pause, &["space"], "pause", "Hold the view still; what waits is counted").in_footer(24),
    entry(Command::Refresh, &["r"], "refresh", "Read the screen anew"),
    entry(Command::Copy, &["y"], "copy", "Send the row's number to the clipboard (OSC 52)"),
    entry(Command::Export, &["e"], "export", "Write the rows that were read to a CSV file in this folder"),
    entry(Command::ExportJson, &["E"], "export-json", "The same as NDJSON: a JSON object on each line"),
    entry(Command::Help, &["?"], "help", "All of this").in_footer(26),
    entry(Command::Palette, &[":"], "palette", "Give a command by its name").in_footer(25),
    entry(Command::LogOut, &["O"], "log-out", "Log out, and forget the token"),
    entry(Command::Suspend, &["ctrl-z"], "suspend", "Back to the shell; fg comes back"),
    entry(Command::Quit, &["q", "ctrl-c"], "quit", "Leave").in_footer(27),
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

/// Whether what is selected leads there.
fn leads_on(app: &App, command: Command) -> bool {
    match command {
        Command::Copy => app.known_by().is_some(),
        Command::ItsDeliveries => {
            app.has(Tab::Deliveries.path()) && (app.endpoint().is_some() || app.merchant().is_some())
        }
        _ => {
            let leads = match app.tab {
                Tab::Deliveries => app.current_id().is_some(),
                Tab::Replays => app.replay().is_some_and(|replay| replay.order_id.is_some()),
                Tab::Attention => app.matter().is_some_and(|matter| matter.subject.kind != "store"),
                _ => false,
            };
            leads && app.has("/ops/v1/find") && app.has(Tab::Orders.path())
        }
    }
}

/// What can be done about the selected matter.
fn mends(app: &App, command: Command) -> bool {
    let mends = app.matter().map(shared::ops::Matter::mends).unwrap_or_default();
    // A fact that was decided meanwhile is shown, and no more to be decided.
    let is_decided = app.fact.as_ref().is_some_and(|fact| fact.fact.state != FactState::Held);
    match command {
        Command::End => mends.contains(&Mend::End),
        Command::Release | Command::Reject => {
            mends.contains(&Mend::DecideFact) && app.is_open() && !is_decided
        }
        Command::Approve | Command::Decline => mends.contains(&Mend::DecideRefund),
        Command::WasRefunded | Command::WasNotRefunded => mends.contains(&Mend::ResolveRefund),
        _ => false,
    }
}

/// What can be done to the selected order, delivery, replay, endpoint or merchant.
fn moves(app: &App, command: Command) -> bool {
    let replay = app.replay().map(|replay| replay.state);
    let endpoint = app.endpoint().map(|endpoint| endpoint.status);
    match command {
        Command::Query => app.order().is_some() && app.has("/ops/v1/orders/{id}/query"),
        Command::Refund => {
            let has_money =
                |order: &OrderRow| order.status.has_money() && order.paid_amount > order.refunded_amount;
            app.order().is_some_and(has_money) && app.has("/ops/v1/orders/{id}/refunds")
        }
        Command::Replay => {
            let is_there = match app.tab {
                Tab::Deliveries => app.current_id().is_some(),
                _ => app.order().is_some(),
            };
            is_there && app.has(Tab::Replays.path())
        }
        Command::ReplayFiltered => {
            let is_narrowed = !app.narrowed.deliveries.is_empty();
            app.tab == Tab::Deliveries && !app.is_open() && is_narrowed && app.has(Tab::Replays.path())
        }
        Command::StartReplay => replay == Some(ReplayState::Preview),
        Command::ResumeReplay => replay == Some(ReplayState::Paused),
        Command::PauseReplay => replay == Some(ReplayState::Running),
        Command::CancelReplay => {
            matches!(replay, Some(ReplayState::Preview | ReplayState::Running | ReplayState::Paused))
        }
        Command::Faster | Command::Slower => {
            matches!(replay, Some(ReplayState::Preview | ReplayState::Running | ReplayState::Paused))
        }
        Command::PauseEndpoint => endpoint == Some(EndpointStatus::Active),
        Command::ResumeEndpoint => {
            matches!(endpoint, Some(EndpointStatus::Paused | EndpointStatus::Disabled))
        }
        Command::DisableEndpoint => endpoint.is_some_and(|status| status != EndpointStatus::Disabled),
        Command::SuspendMerchant => app.merchant().is_some_and(|merchant| merchant.suspended_at.is_none()),
        Command::ResumeMerchant => app.merchant().is_some_and(|merchant| merchant.suspended_at.is_some()),
        _ => false,
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
