//! Headless Chromium, told what to do over the pipe of its `DevTools` protocol: JSON messages with a NUL behind each.
//! A driver of our own, because this takes two pages of code and a library would bring a hundred crates.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};

use crate::harness::acts::soon;
use crate::harness::setting;
use crate::tab::Tab;

/// The pipe is file descriptors 3 and 4; a shell can give a child those, and the standard library cannot.
const ON_A_PIPE: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox", // the tests may run as root, where Chromium's own sandbox cannot; it sees our pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "about:blank",
];

pub struct Chromium {
    child: Child,
    wire: Arc<Wire>,
    _profile: TempDir,
}

pub struct Wire {
    to: Mutex<Outbox>,
    /// Everything that was reported, in order.
    pub events: watch::Sender<Vec<Value>>,
}

struct Outbox {
    pipe: ChildStdin,
    sent: u64,
    waiting: HashMap<u64, oneshot::Sender<Value>>,
}

impl Chromium {
    pub fn start() -> Self {
        let program = PathBuf::from(setting("SCANGATE_TEST_CHROMIUM"));
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("/bin/sh")
            .args(["-c", ON_A_PIPE])
            .arg(program)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(FLAGS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium starts");
        let pipe = child.stdin.take().expect("it is piped");
        let to = Mutex::new(Outbox { pipe, sent: 0, waiting: HashMap::new() });
        let wire = Arc::new(Wire { to, events: watch::Sender::new(Vec::new()) });
        let from = BufReader::new(child.stdout.take().expect("it is piped"));
        let reader = Arc::clone(&wire);
        std::thread::spawn(move || {
            for message in from.split(0).map_while(Result::ok) {
                reader.take(serde_json::from_slice(&message).expect("DevTools speak JSON"));
            }
            // Whoever still waits for an answer is told by it that none comes.
            reader.outbox().waiting.clear();
        });
        Self { child, wire, _profile: profile }
    }

    /// A new tab that reports all that matters here.
    pub async fn open_tab(&self) -> Tab {
        let target = self.wire.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.wire.call(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().expect("an id").to_owned();
        let tab = Tab::new(Arc::clone(&self.wire), session);
        for domain in ["Page", "Runtime", "Log", "Network", "DOM", "Audits"] {
            tab.call(&format!("{domain}.enable"), json!({})).await;
        }
        tab
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may be gone already; what matters is that nothing is left running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Wire {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.to.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, message: Value) {
        match message["id"].as_u64() {
            Some(id) => {
                if let Some(asked) = self.outbox().waiting.remove(&id) {
                    // Whoever asked may have given up.
                    let _ = asked.send(message);
                }
            }
            None => self.events.send_modify(|events| events.push(message)),
        }
    }

    pub async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let (asked, answer) = oneshot::channel();
        {
            let mut outbox = self.outbox();
            outbox.sent += 1;
            let id = outbox.sent;
            let mut message = json!({ "id": id, "method": method, "params": params });
            if let Some(session) = session {
                message["sessionId"] = session.into();
            }
            outbox.waiting.insert(id, asked);
            let mut bytes = message.to_string().into_bytes();
            bytes.push(0);
            outbox.pipe.write_all(&bytes).and_then(|()| outbox.pipe.flush()).expect("Chromium listens");
        }
        let answer = soon(answer).await.unwrap_or_else(|_| panic!("Chromium went away at {method}"));
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }
}
