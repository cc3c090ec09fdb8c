//! The real binary in a terminal, against the real gateway: `scangate demo`, which the workspace's tests build beside it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use serde_json::Value;

const CONSOLE: &str = env!("CARGO_BIN_EXE_scangate-admin");
/// Nothing takes so long but what never comes.
const LONG: Duration = Duration::from_mins(1);

struct Demo {
    child: Child,
    folder: tempfile::TempDir,
    file: Value,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Self::command(&folder.path().join("demo"));
        command.args(["--listen", "127.0.0.1:0", "--sandbox-listen", "127.0.0.1:0"]);
        command.args(["--ops-listen", "127.0.0.1:0", "--shop-listen", "127.0.0.1:0"]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("scangate starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let is_ready = |line: &String| line.contains("client order --demo");
        lines.by_ref().map_while(Result::ok).find(is_ready).expect("the demo says that it is ready");
        // What it prints later is read, so that it never waits for us.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let text = std::fs::read_to_string(folder.path().join("demo/demo.json")).expect("the demo wrote it");
        Self { child, folder, file: serde_json::from_str(&text).expect("it is JSON") }
    }

    fn scangate() -> PathBuf {
        let path = Path::new(CONSOLE).with_file_name("scangate");
        assert!(path.exists(), "build the gateway first: cargo build -p gateway");
        path
    }

    fn command(data: &Path) -> Command {
        let mut command = Command::new(Self::scangate());
        command.env_clear().arg("demo").arg("--data").arg(data).stdin(Stdio::null());
        command
    }

    fn told(&self, pointer: &str) -> &str {
        self.file.pointer(pointer).and_then(Value::as_str).expect("the demo's file has it")
    }

    /// An order that is paid, of which ScanForPay tells another amount; when it is asked again it says nothing, so that the
    /// matter waits for a person.
    fn order_with_another_amount(&self) {
        self.sandbox("POST", "/control/faults", r#"{"name":"notice-wrong-amount","times":1}"#);
        self.sandbox("POST", "/control/faults", r#"{"name":"query-no-answer"}"#);
        let data = self.folder.path().join("demo");
        let mut client = Command::new(Self::scangate());
        client.env_clear().args(["client", "order", "--demo", "--data"]).arg(data);
        client.args(["--wallet", "Alipay", "--amount", "2100", "--currency", "HKD", "--number", "A-17"]);
        let placed = client.output().expect("scangate runs");
        assert!(placed.status.success(), "{placed:?}");
        let orders: Value =
            serde_json::from_str(&self.sandbox("GET", "/control/orders", "")).expect("it is JSON");
        let number = orders[0]["partnerOrderNo"].as_str().expect("the order has a number");
        self.sandbox("POST", &format!("/control/orders/{number}/pay"), "");
    }

    /// A proven endpoint of the demo's merchant. Gives its URL.
    fn endpoint(&self) -> String {
        let hooks = echoing();
        let address = self.told("/gateway/base_url");
        let key = self.told("/platform/api_key");
        let bearer = format!("Bearer {key}");
        let merchants = call(address, "GET", "/v1/merchants", &[("authorization", &bearer)], "");
        let merchants: Value = serde_json::from_str(&merchants).expect("it is JSON");
        let merchant = merchants.pointer("/data/0/id").and_then(Value::as_str).expect("the demo has one");
        let body = serde_json::json!({"url": hooks, "merchantId": merchant}).to_string();
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "endpoint-1")];
        let made = call(address, "POST", "/v1/endpoints", &headers, &body);
        let made: Value = serde_json::from_str(&made).expect("it is JSON");
        let id = made["id"].as_str().expect("it has an id");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", id)];
        call(address, "POST", &format!("/v1/endpoints/{id}/verify"), &headers, "");
        hooks
    }

    /// The answer's body.
    fn sandbox(&self, method: &str, path: &str, body: &str) -> String {
        call(self.told("/sandbox/base_url"), method, path, &[], body)
    }

    fn plain(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(CONSOLE);
        command.env_clear();
        if !arguments.contains(&"--demo") {
            command.args(["--url", self.told("/gateway/ops_url")]);
        }
        command.arg("--state").arg(self.state()).args(arguments);
        command.stdin(Stdio::null()).output().expect("the console runs")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Whatever happened, nothing is left running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who sends back the one thing that is sent there, which proves that the URL is theirs.
fn echoing() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hooks", listener.local_addr().expect("it has one"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("it is called");
        let mut reader = BufReader::new(stream.try_clone().expect("the same connection"));
        let mut length = 0;
        for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("as long as it says");
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
            .and_then(|()| stream.write_all(&body))
            .expect("it is sent");
    });
    url
}

/// The answer's body.
fn call(base: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let address = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("it is there");
    let lines = headers.iter().map(|(name, value)| [*name, ": ", *value, "\r\n"].concat());
    let headers: String = lines.collect();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
    .expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    answer.split_once("\r\n\r\n").expect("a head and a body").1.to_owned()
}

/// A terminal with the console at it.
struct Terminal {
    shown: Arc<(Mutex<Shown>, Condvar)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    /// Closing it would hang up.
    _master: Box<dyn MasterPty + Send>,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    is_over: bool,
}

impl Terminal {
    fn with(arguments: &[&str], state: &Path) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(CONSOLE);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.args(arguments);
        command.arg("--state");
        command.arg(state);
        let child = pair.slave.spawn_command(command).expect("the console starts");
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("its output");
        let keys = pair.master.take_writer().expect("its input");
        let shown = Shown { parser: vt100::Parser::new(24, 80, 0), raw: Vec::new(), is_over: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let writer = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = output.read(&mut bytes).unwrap_or_default();
                let mut shown = writer.0.lock().expect("nobody panics holding it");
                shown.parser.process(&bytes[..read]);
                shown.raw.extend(&bytes[..read]);
                shown.is_over = read == 0;
                writer.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { shown, keys, child, _master: pair.master }
    }

    /// Once the screen says so.
    fn sees(&self, words: &str) -> String {
        let text = |shown: &Shown| shown.parser.screen().contents();
        let guard = self.shown.0.lock().expect("nobody panics holding it");
        let is_missing = |shown: &mut Shown| !shown.is_over && !text(shown).contains(words);
        let (shown, _) =
            self.shown.1.wait_timeout_while(guard, LONG, is_missing).expect("nobody panics holding it");
        let text = text(&shown);
        assert!(text.contains(words), "{words:?} never comes: {text}");
        text
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
        self.keys.flush().expect("it reads");
    }

    /// The exit code, and all that was written.
    fn ends(mut self) -> (u32, String) {
        let guard = self.shown.0.lock().expect("nobody panics holding it");
        let ended = self.shown.1.wait_timeout_while(guard, LONG, |shown| !shown.is_over);
        let (shown, waited) = ended.expect("nobody panics holding it");
        assert!(!waited.timed_out(), "it does not end");
        let raw = String::from_utf8_lossy(&shown.raw).into_owned();
        drop(shown);
        (self.child.wait().expect("it is our child").exit_code(), raw)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, or its test has failed.
        let _ = self.child.kill();
    }
}

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
