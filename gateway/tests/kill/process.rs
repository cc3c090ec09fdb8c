//! The gateway as a process of its own: made, started, killed, stopped.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{oneshot, watch};

/// Lines of its log that are kept for a failure.
const TAIL: usize = 200;
/// How long a start or a stop may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Gateway {
    folder: PathBuf,
    port: u16,
    /// On top of its file, as environment variables.
    pub settings: Vec<(&'static str, &'static str)>,
    child: Option<Child>,
    /// How often it has come up. Whoever found it gone waits for the next number.
    pub lives: watch::Sender<u64>,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Gateway {
    /// Configure it in `folder`: everything of `config` besides the addresses.
    pub fn configure(folder: PathBuf, store_url: &str, upstream: &str) -> Self {
        let [port, ops_port] = free_ports();
        let mut config = String::new();
        let mut section = |name: &str, settings: &[(&str, &str)]| {
            writeln!(config, "[{name}]").expect("a string takes everything");
            for (key, value) in settings {
                writeln!(config, "{key} = {value}").expect("a string takes everything");
            }
        };
        let text = |text: &str| format!("{text:?}");
        section(
            "server",
            &[
                ("listen", &text(&format!("127.0.0.1:{port}"))),
                ("ops_listen", &text(&format!("127.0.0.1:{ops_port}"))),
                ("public_url", &text(&format!("http://127.0.0.1:{port}"))),
            ],
        );
        section(
            "store",
            &[("url", &text(store_url)), ("min_free_disk", "\"2MiB\""), ("stop_free_disk", "\"1MiB\"")],
        );
        section("secrets", &[("master_key_file", &text(&folder.join("master.key").display().to_string()))]);
        // An order whose answer died with the process is in doubt after timeout + answer_grace.
        section(
            "upstream",
            &[
                ("sandbox_base_urls", &format!("[{upstream:?}]")),
                ("timeout", "\"2s\""),
                ("answer_grace", "\"500ms\""),
            ],
        );
        // A dead node's deliveries are taken over when their lease has run out.
        let schedule = format!("[{}]", vec!["\"250ms\""; 100].join(", "));
        section(
            "deliveries",
            &[
                ("schedule", &schedule),
                ("timeout", "\"1s\""),
                ("lease", "\"2s\""),
                ("idle_poll", "\"250ms\""),
                ("allow_addresses", "[\"127.0.0.0/8\"]"),
            ],
        );
        // One merchant does here in a second what others do in a day.
        let limits = ["platform", "merchant", "store", "account", "callbacks"];
        section("limits", &limits.map(|limit| (limit, "\"1000000/1s\"")));
        section("log", &[("level", "\"warn,scangate=info\"")]);
        std::fs::write(folder.join("scangate.toml"), config).expect("the folder is ours");
        let lives = watch::Sender::new(0);
        Self { folder, port, settings: Vec::new(), child: None, lives, log: Arc::default() }
    }

    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `scangate apply`, and what it says of what it made.
    pub fn apply(&self, description: &str) -> Value {
        let file = self.folder.join("who.toml");
        std::fs::write(&file, description).expect("the folder is ours");
        let output = self.scangate().arg("apply").arg(file).output().expect("scangate runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    fn scangate(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scangate"));
        // Nothing else of the environment.
        command.env_clear().envs(self.settings.iter().copied());
        command.arg("--config").arg(self.folder.join("scangate.toml")).current_dir(&self.folder);
        command
    }

    /// Start it; the answer comes when it serves, or never if it ends before.
    pub fn spawn(&mut self) -> oneshot::Receiver<()> {
        assert!(self.child.is_none(), "one at a time");
        let mut child = self
            .scangate()
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("scangate starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped"));
        let (serving, serves) = oneshot::channel();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || listen(lines, &log, serving));
        self.child = Some(child);
        serves
    }

    /// Start it, and tell everybody when it serves.
    pub async fn start(&mut self) {
        let serves = self.spawn();
        tokio::time::timeout(PATIENCE, serves).await.expect("it starts in time").expect("it serves");
        self.lives.send_modify(|lives| *lives += 1);
    }

    /// SIGKILL, by its id, and wait until it is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        assert!(child.try_wait().expect("it is our child").is_none(), "it died by itself");
        child.kill().expect("it may be killed");
        child.wait().expect("it is our child");
    }

    /// SIGTERM; it must end in good order.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let signalled = Command::new("/bin/sh").arg("-c").arg(format!("kill -TERM {}", child.id())).status();
        assert!(signalled.expect("a shell").success());
        let ended = tokio::task::spawn_blocking(move || child.wait());
        let ended =
            tokio::time::timeout(PATIENCE, ended).await.expect("it stops in time").expect("it is waited for");
        assert!(ended.expect("it is our child").success(), "it ends with 0");
    }
}

/// Keep what it logs; tell when it serves.
fn listen(lines: impl BufRead, log: &Mutex<VecDeque<String>>, serving: oneshot::Sender<()>) {
    let mut serving = Some(serving);
    for line in lines.lines().map_while(Result::ok) {
        if line.contains("scangate: serving")
            && let Some(serving) = serving.take()
        {
            // Whoever killed it early no longer listens.
            let _ = serving.send(());
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == TAIL {
            log.pop_front();
        }
        log.push_back(line);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test has failed already; what matters is that nothing is left running.
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for line in self.log.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                eprintln!("gateway: {line}");
            }
        }
    }
}

/// Ports that stay free while the gateway is away: below those that the system gives to outgoing connections.
fn free_ports() -> [u16; 2] {
    let start = u16::from_le_bytes(gateway::chance::bytes()) % 20_000;
    let ports = (0..20_000).map(|step| 10_240 + (start + step) % 20_000);
    let mut free = ports.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let mut next = || free.next().expect("some of twenty thousand are free");
    [next(), next()]
}
