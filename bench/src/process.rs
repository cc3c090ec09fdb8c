//! Processes the bench starts. Each is known by its pid and ended when its `Server` is dropped, which happens on
//! every way out, an interrupt included; no other process is ever touched.

pub mod usage;

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to come up…
const START_LIMIT: Duration = Duration::from_mins(1);
/// …and to end when asked; then it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// How much of a log is quoted when a server fails.
const LOG_LINES: usize = 15;

/// A running server of ours.
pub struct Server {
    name: &'static str,
    child: Child,
    stop: Signal,
    log: PathBuf,
}

impl Server {
    /// Start `command` with its output in `log`. `stop` is the signal that ends it in order.
    pub fn start(
        name: &'static str,
        mut command: Command,
        stop: Signal,
        log: PathBuf,
    ) -> anyhow::Result<Self> {
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // Its own group: an interrupt at the terminal is for the bench, which then ends its servers in order.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name} ({command:?})"))?;
        Ok(Self { name, child, stop, log })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Wait until `is_ready` says so.
    pub async fn ready(&mut self, mut is_ready: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        let limit = Instant::now() + START_LIMIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}); its last words:\n{}", self.name, tail(&self.log));
            }
            if is_ready().await {
                return Ok(());
            }
            if Instant::now() > limit {
                let limit = START_LIMIT.as_secs();
                bail!("{} is not ready after {limit} s; its last words:\n{}", self.name, tail(&self.log));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Fail if it has ended by itself.
    pub fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended ({status}); its last words:\n{}", self.name, tail(&self.log)),
        }
    }

    /// End it with no time to do anything.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.send(Signal::KILL);
        self.child.wait().map(drop).with_context(|| format!("waiting for {}", self.name))
    }

    fn send(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Until it is waited for, the pid is still this child's.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Server {
    #[expect(
        clippy::disallowed_methods,
        reason = "the bench is leaving; there is nothing else to run meanwhile"
    )]
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        self.send(self.stop);
        let limit = Instant::now() + STOP_LIMIT;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > limit {
                eprintln!("{} (pid {}) does not end; killing it", self.name, self.child.id());
                self.send(Signal::KILL);
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Run `command` to its end and give its standard output; its errors become ours.
pub fn run(name: &str, command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} failed ({}):\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} prints no text"))
}

fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
