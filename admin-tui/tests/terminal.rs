//! The real binary in a terminal, against the real gateway: `scangate demo`, which the workspace's tests build beside it.

#[path = "terminal/called.rs"]
mod called;
#[path = "terminal/demo.rs"]
mod demo;
#[path = "terminal/keys.rs"]
mod keys;
#[path = "terminal/pty.rs"]
mod pty;
#[path = "terminal/relay.rs"]
mod relay;
#[path = "terminal/shop.rs"]
mod shop;
#[path = "terminal/traffic.rs"]
mod traffic;

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use demo::Demo;
use pty::Terminal;

const CONSOLE: &str = env!("CARGO_BIN_EXE_scangate-admin");
/// Nothing takes so long but what never comes.
const LONG: Duration = Duration::from_mins(1);

/// The terminal as it was: the first screen, a cursor, no mouse.
fn is_restored(raw: &str) {
    for sequence in ["\u{1b}[?1049l", "\u{1b}[?25h", "\u{1b}[?1000l", "\u{1b}[?1006l"] {
        assert!(raw.contains(sequence), "{sequence:?} is not in {raw:?}");
    }
    assert!(!raw.contains("\u{1b}[?1003h"), "motion is not asked for");
    assert!(!raw.contains("\u{1b}[6n"), "the terminal is asked nothing");
}

#[test]
fn an_operator_logs_in_sees_a_matter_and_ends_it() {
    let demo = Demo::start();
    demo.order_with_another_amount();
    let mut terminal = Terminal::with(&["--url", demo.told("/gateway/ops_url")], &demo.state());
    terminal.sees("Password");
    terminal.types(&format!("{}\r{}", demo.told("/operator/name"), demo.told("/operator/password")));
    terminal.sees("••••••••");
    terminal.types("\r");
    terminal.sees("connected");
    terminal.types("6");
    let screen = terminal.sees("fact.quarantined");
    assert!(screen.contains("fact A-17") && screen.contains("demo, admin at http://127.0.0.1"), "{screen}");
    terminal.types("\r");
    let screen = terminal.sees("≠");
    assert!(screen.contains("2100"), "what was asked is beside what came: {screen}");
    terminal.types("x");
    terminal.sees("Why:");
    terminal.types("they confirm by mail: a test\r");
    terminal.sees("The fact is rejected.");
    terminal.sees("Nothing waits for a person.");
    terminal.types("9");
    terminal.sees("fact.rejected");
    terminal.types("q");
    let (code, raw) = terminal.ends();
    assert_eq!(code, 0);
    is_restored(&raw);
    assert!(!raw.contains(demo.told("/operator/password")), "the password is never shown");

    let kept = std::fs::metadata(demo.state().join("token.json")).expect("the token is kept");
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    // The next run needs no password: with the token, also in plain mode.
    let audit = demo.plain(&["audit", "--json", "--limit", "1"]);
    assert!(audit.status.success(), "{audit:?}");
    let entry: Value = serde_json::from_slice(&audit.stdout).expect("one JSON object on a line");
    assert_eq!(entry["action"], "fact.rejected");
    assert!(entry["after"].to_string().contains("they confirm by mail: a test"), "{entry}");
    let attention = demo.plain(&["attention", "--csv"]);
    assert_eq!(String::from_utf8_lossy(&attention.stdout), "age,matter,about,seen,likely cause\n");
    let missing = demo.plain(&["end", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--reason", "none"]);
    assert_eq!(missing.status.code(), Some(5), "{missing:?}");
    let unreachable = demo.plain(&["health", "--url", "http://127.0.0.1:9"]);
    assert_eq!(unreachable.status.code(), Some(3), "the token is for its server only: {unreachable:?}");
}

#[test]
fn an_endpoint_is_disabled_with_a_reason_that_is_in_the_log() {
    let demo = Demo::start();
    let hooks = demo.endpoint();
    let data = demo.folder.path().join("demo");
    let demos = ["--demo", "--data", data.to_str().expect("UTF-8")];
    let mut terminal = Terminal::with(&demos, &demo.state());
    terminal.sees("connected");
    terminal.types("4");
    terminal.sees(&hooks);
    terminal.types("x");
    terminal.sees("Why:");
    terminal.types("the shop moves 搬家\r");
    terminal.sees("The endpoint is disabled.");
    terminal.sees("disabled");
    terminal.types("9");
    terminal.sees("endpoint.disabled");
    terminal.types("q");
    assert_eq!(terminal.ends().0, 0);
    let endpoints = demo.plain(&[&["endpoints", "--json"], demos.as_slice()].concat());
    let endpoint: Value = serde_json::from_slice(&endpoints.stdout).expect("one JSON object on a line");
    assert_eq!(endpoint["status"], "disabled");
}

#[test]
fn the_demo_is_entered_without_a_password_and_left_by_a_signal() {
    let demo = Demo::start();
    let data = demo.folder.path().join("demo");
    let record = demo.folder.path().join("record.txt");
    let data = data.to_str().expect("UTF-8");
    let arguments = ["--demo", "--data", data, "--read-only", "--record", record.to_str().expect("UTF-8")];
    let mut terminal = Terminal::with(&arguments, &demo.state());
    terminal.sees("connected");
    terminal.types("6");
    let screen = terminal.sees("Nothing waits for a person.");
    assert!(screen.contains("read only"), "{screen}");
    terminal.types("0");
    terminal.sees("deliveries due");
    let pid = terminal.child.process_id().expect("it runs");
    terminal.types("\u{1a}");
    is_stopped(pid);
    signal(pid, "CONT");
    terminal.types("6");
    terminal.sees("Nothing waits for a person.");
    signal(pid, "TERM");
    let (code, raw) = terminal.ends();
    assert_eq!(code, 0);
    is_restored(&raw);
    let record = std::fs::read_to_string(record).expect("it is written");
    assert!(record.contains("key 0") && record.contains("Nothing waits for a person."), "{record}");
    assert!(!record.contains(demo.told("/operator/password")));
}

fn signal(pid: u32, name: &str) {
    let kill = Command::new("/bin/kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(kill.expect("there is kill").success());
}

/// Once the system says that it stands still. That is told to a parent only, which here is the terminal's library.
fn is_stopped(pid: u32) {
    let begun = std::time::Instant::now();
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    while !state().rsplit(')').next().expect("a name in brackets").starts_with(" T") {
        assert!(begun.elapsed() < LONG, "it does not stop");
        std::thread::yield_now();
    }
}

#[test]
fn without_a_terminal_it_points_to_the_plain_commands() {
    let mut command = Command::new(CONSOLE);
    let ended = command.env_clear().stdin(Stdio::null()).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("scangate-admin attention --json"));
}

#[test]
fn what_a_script_asks_wrongly_is_pointed_at() {
    let demo = Demo::start();
    let data = demo.folder.path().join("demo");
    let demos = ["--demo", "--data", data.to_str().expect("UTF-8")];
    let said = |arguments: &[&str]| {
        let ended = demo.plain(&[arguments, demos.as_slice()].concat());
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    let filter = said(&["orders", "--filter", "wallet:alipay status:payed"]);
    assert!(
        filter.contains("wallet:alipay status:payed\n                     ^ expected one of"),
        "{filter}"
    );
    let filter = said(&["deliveries", "--filter", "state:dead"]);
    assert!(filter.contains("state:dead\n      ^ expected one of due, "), "{filter}");
    said(&["replay", "--reason", "they were down"]);
    said(&["replay", "--reason", "they were down", "--order", "A-17", "--filter", "state:exhausted"]);
    let refused = said(&["replay", "--reason", "they were down", "--order", "A-17", "--read-only"]);
    assert!(refused.contains("--read-only changes nothing"), "{refused}");
}

#[test]
fn a_wrong_password_and_no_gateway_have_exit_codes_of_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let password = folder.path().join("password");
    std::fs::write(&password, "not the right one\n").expect("it is written");
    let demo = Demo::start();
    let with = ["--name", "demo", "--password-file", password.to_str().expect("UTF-8")];
    let refused = demo.plain(&[&["health"], with.as_slice()].concat());
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert!(!demo.state().exists(), "no token is kept");
    let mut command = Command::new(CONSOLE);
    // Port 9 is nobody's.
    command
        .env_clear()
        .args(["--url", "http://127.0.0.1:9", "health"])
        .args(with)
        .arg("--state")
        .arg(folder.path());
    let lost = command.output().expect("it runs");
    assert_eq!(lost.status.code(), Some(4), "{lost:?}");
}
