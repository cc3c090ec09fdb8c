//! Every command with its keys, its name and what it does.

use shared::ops::Role;

use super::{Command, Entry};
use crate::app::Tab;

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

pub static COMMANDS: [Entry; 72] = [
    entry(Command::Show(Tab::Overview), &["1"], "overview", "How the gateway fares"),
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
    entry(Command::Find, &["g"], "go-to", "The order of any number, whoever gave it").in_footer(4),
    entry(Command::Filter, &["/"], "filter", "Narrow the list; completed as you type").in_footer(3),
    entry(Command::Sort, &["s"], "sort", "Sort the rows that were read otherwise"),
    entry(Command::Columns, &["c"], "columns", "More columns, or fewer"),
    entry(Command::Follow, &["f"], "follow", "Stay with the newest row, or no more"),
    entry(Command::Zone, &["z"], "zone", "Times in the other time zone"),
    entry(Command::Span, &["t"], "span", "Over a day instead of an hour, and back").in_footer(5),
    entry(Command::Json, &["J"], "json", "Its JSON: indented, exact, and back").in_footer(20),
    entry(Command::NextEntry, &["n"], "next-entry", "Choose the next thing that happened to the order")
        .in_footer(18),
    entry(Command::PreviousEntry, &["N"], "previous-entry", "Choose the one before it"),
    entry(Command::OpenEntry, &["enter"], "open-entry", "What came, indented; J as it came").in_footer(1),
    entry(Command::Code, &["Q"], "code", "Where the payer pays, as a QR code").in_footer(21),
    entry(Command::ItsOrder, &["w"], "its-order", "The order that it is about").in_footer(22),
    entry(Command::ItsDeliveries, &["D"], "its-deliveries", "Its deliveries").in_footer(23),
    entry(Command::Mark, &["v"], "mark", "Mark the delivery, to replay several").in_footer(6),
    entry(Command::Unmark, &["V"], "unmark", "Mark no delivery any more"),
    entry(Command::Replay, &["R"], "replay", "Deliver again: marked, this, the order's")
        .changing(Role::Operator)
        .in_footer(7),
    entry(Command::ReplayFiltered, &["A"], "replay-all", "Deliver again what the filter shows")
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
    entry(Command::Rotate, &["K"], "rotate", "A new sign key for the merchant, into a file")
        .changing(Role::Admin)
        .in_footer(10),
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
    entry(Command::Copy, &["y"], "copy", "Send its number, or what came, to the clipboard"),
    entry(Command::Export, &["e"], "export", "Write the rows to a CSV file here"),
    entry(Command::ExportJson, &["E"], "export-json", "The same as NDJSON: a line for each row"),
    entry(Command::Help, &["?"], "help", "All of this").in_footer(26),
    entry(Command::Palette, &[":"], "palette", "Give a command by its name").in_footer(25),
    entry(Command::LogOut, &["O"], "log-out", "Log out, and forget the token"),
    entry(Command::Suspend, &["ctrl-z"], "suspend", "Back to the shell; fg comes back"),
    entry(Command::Quit, &["q", "ctrl-c"], "quit", "Leave").in_footer(27),
];
