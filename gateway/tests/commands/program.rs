//! The binary as a person or a script runs it: in a folder of its own, with no settings but those given.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::harness::acts::soon;
use crate::harness::web;

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// One line that names what is wrong and the way out, exit code 1, nothing of the inside.
    pub fn complains(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        let line = self.err.strip_prefix("scangate: ").unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(line.lines().count(), 1, "one line, not: {}", self.err);
        for word in words {
            assert!(line.contains(word), "{word:?} is not said in: {line}");
        }
        for inside in ["panicked", "backtrace", "src/", ".rs:"] {
            assert!(!line.contains(inside), "{inside:?} is said in: {line}");
        }
    }
}

pub fn command(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scangate"));
    command.args(arguments).current_dir(folder).env_clear().envs(settings.iter().copied());
    // Whoever asks for backtraces of crashes must not get them of plain refusals.
    command.env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command
}

/// Run it to its end.
pub async fn run(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let mut command = command(folder, arguments, settings);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("scangate starts");
    wait(child).await
}

/// Run it to its end with `input` on its standard input.
pub async fn run_with(folder: &Path, arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Ended {
    let mut command = command(folder, arguments, settings);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("scangate starts");
    // It may have ended already, without reading any of it.
    let _ = child.stdin.take().expect("it is piped").write_all(input.as_bytes());
    wait(child).await
}

async fn wait(child: Child) -> Ended {
    // A command that hangs holds the thread; the pid is kept to end it.
    let pid = child.id();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let Ok(output) = tokio::time::timeout(std::time::Duration::from_mins(1), output).await else {
        signal(pid, "KILL");
        panic!("the command does not end");
    };
    let output = output.expect("it is waited for").expect("it is our child");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("scangate writes text");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

pub fn signal(pid: u32, name: &str) {
    let kill = Command::new("/bin/sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
    assert!(kill.expect("there is a shell").success(), "{name} to {pid}");
}

/// Run a line that scangate printed, as it would be typed.
pub async fn type_in(folder: &Path, line: &str) -> Ended {
    let line = match line.strip_prefix("scangate ") {
        Some(arguments) => format!("{} {arguments}", env!("CARGO_BIN_EXE_scangate")),
        None => line.to_owned(),
    };
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("exec {line}")).current_dir(folder).env_clear().stdin(Stdio::null());
    wait(shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("there is a shell")).await
}

/// Lines as a program writes them.
#[derive(Clone)]
pub struct Lines(Arc<watch::Sender<Vec<String>>>);

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::new(watch::Sender::new(Vec::new())));
        let writer = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                writer.0.send_modify(|lines| lines.push(line));
            }
        });
        lines
    }

    /// The first line with these words, once it is there.
    pub async fn line(&self, words: &str) -> String {
        let found = |lines: &Vec<String>| lines.iter().find(|line| line.contains(words)).cloned();
        let mut lines = self.0.subscribe();
        let line = soon(lines.wait_for(|lines| found(lines).is_some())).await.expect("the sender is held");
        found(&line).expect("it was just found")
    }

    pub fn count(&self, words: &str) -> usize {
        self.0.borrow().iter().filter(|line| line.contains(words)).count()
    }
}

/// A demo that runs.
pub struct Demo {
    child: Option<Child>,
    pub folder: PathBuf,
    pub out: Lines,
    pub err: Lines,
    /// `demo.json`
    pub file: Value,
}

/// Free ports, so that demos of several tests can run side by side.
pub const ANY_PORTS: [&str; 8] = [
    "--listen",
    "127.0.0.1:0",
    "--sandbox-listen",
    "127.0.0.1:0",
    "--ops-listen",
    "127.0.0.1:0",
    "--shop-listen",
    "127.0.0.1:0",
];

/// `scangate demo --data FOLDER` on free ports.
pub fn demo_arguments(folder: &Path) -> Vec<&str> {
    [&["demo", "--data", folder.to_str().expect("UTF-8")], ANY_PORTS.as_slice()].concat()
}

impl Demo {
    /// Start it; it is ready when it has said what to do next.
    pub async fn start(folder: &Path) -> Self {
        let mut command =
            command(folder.parent().expect("a folder in a folder"), &demo_arguments(folder), &[]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("scangate starts");
        let out = Lines::of(child.stdout.take().expect("it is piped"));
        let err = Lines::of(child.stderr.take().expect("it is piped"));
        let mut demo = Self { child: Some(child), folder: folder.to_owned(), out, err, file: Value::Null };
        demo.out.line("client order --demo").await;
        let text = std::fs::read_to_string(folder.join("demo.json")).expect("the demo has written it");
        demo.file = serde_json::from_str(&text).expect("it is JSON");
        demo
    }

    /// A text of `demo.json` by its pointer.
    pub fn told(&self, pointer: &str) -> &str {
        let value = self.file.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no {pointer} in demo.json"))
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.as_ref().expect("it runs").id(), name);
    }

    /// The exit code, once it has ended.
    pub async fn ended(mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let ended = tokio::task::spawn_blocking(move || child.wait());
        soon(ended).await.expect("it is waited for").expect("it is our child").code()
    }

    pub async fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.ended().await, Some(0));
    }

    /// `scangate client …` for this demo.
    pub async fn client(&self, arguments: &[&str]) -> Ended {
        let (command, rest) = arguments.split_first().expect("a command");
        let folder = self.folder.to_str().expect("UTF-8");
        let arguments = [&["client", command, "--demo", "--data", folder], rest].concat();
        run(Path::new("/"), &arguments, &[]).await
    }

    /// Place an order of this number with the demo's shop to be told, unless `more` says otherwise.
    pub async fn order(&self, number: &str, more: &[&str]) -> String {
        let order =
            ["order", "--wallet", "Alipay", "--amount", "2100", "--currency", "HKD", "--number", number];
        self.client(&[&order, more].concat()).await.succeeds()
    }

    /// Pay the newest order at the sandbox.
    pub async fn pay_newest(&self) {
        let control = format!("{}/control/orders", self.told("/sandbox/base_url"));
        let orders = web::get(&control).await.json();
        let newest = orders.as_array().and_then(|orders| orders.last()).expect("there is an order");
        let number = newest["partnerOrderNo"].as_str().expect("a number");
        assert_eq!(web::post_json(&format!("{control}/{number}/pay"), "").await.status, 200);
    }

    /// What commands beside the demo need to find its store.
    pub fn store(&self) -> [(&'static str, String); 2] {
        store_in(&self.folder)
    }
}

/// The settings by which a folder's store is found.
pub fn store_in(folder: &Path) -> [(&'static str, String); 2] {
    [
        ("SCANGATE_STORE__URL", format!("sqlite:{}", folder.join("scangate.db").display())),
        ("SCANGATE_SECRETS__MASTER_KEY_FILE", folder.join("master.key").display().to_string()),
    ]
}

/// The same as borrowed texts.
pub fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

impl Drop for Demo {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test has failed already; what matters is that nothing is left running.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            self.err.0.borrow().iter().for_each(|line| eprintln!("demo: {line}"));
        }
    }
}
