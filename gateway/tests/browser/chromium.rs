//! Headless Chromium, told what to do over the pipe of its DevTools protocol: JSON messages with a NUL behind each.
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

struct Wire {
    to: Mutex<Outbox>,
    /// Everything that was reported, in order.
    events: watch::Sender<Vec<Value>>,
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
        let tab = Tab { wire: Arc::clone(&self.wire), session };
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

    async fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
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

pub struct Tab {
    wire: Arc<Wire>,
    session: String,
}

/// A place in the stream of events: what came before it is not waited for.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Tab {
    async fn call(&self, method: &str, params: Value) -> Value {
        self.wire.call(Some(&self.session), method, params).await
    }

    pub fn mark(&self) -> Mark {
        Mark(self.wire.events.borrow().len())
    }

    /// As wide as a screen of so many CSS pixels.
    pub async fn set_width(&self, width: u32) {
        let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", screen).await;
    }

    pub async fn switch_scripts_off(&self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// Go to an address and wait until the page is loaded.
    pub async fn visit(&self, url: &str) -> Mark {
        let mark = self.mark();
        let gone = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(gone["errorText"].is_null(), "{url}: {}", gone["errorText"]);
        self.arrives(mark, url).await
    }

    /// Wait until the tab has, after `mark`, come to an address that begins like this and has loaded it.
    pub async fn arrives(&self, mark: Mark, url: &str) -> Mark {
        let loaded = |events: &Vec<Value>| {
            let came = self.position(events, mark.0, |method, params| {
                method == "Page.frameNavigated"
                    && params["frame"]["url"].as_str().is_some_and(|at| at.starts_with(url))
            })?;
            self.position(events, came, |method, _| method == "Page.loadEventFired")
        };
        let mut events = self.wire.events.subscribe();
        let events = tokio::time::timeout(
            std::time::Duration::from_secs(30),
            events.wait_for(|e| loaded(e).is_some()),
        );
        let Ok(events) = events.await else {
            panic!("the tab did not come to {url}; it came to {:?}", self.been(mark));
        };
        Mark(loaded(&events.expect("the sender is held")).expect("it was just found") + 1)
    }

    fn position(&self, events: &[Value], from: usize, fits: impl Fn(&str, &Value) -> bool) -> Option<usize> {
        let found = events.iter().skip(from).position(|event| {
            event["sessionId"] == self.session.as_str()
                && fits(event["method"].as_str().unwrap_or_default(), &event["params"])
        });
        found.map(|at| at + from)
    }

    /// Parameters of the events of one kind.
    fn all(&self, from: Mark, method: &str) -> Vec<Value> {
        let events = self.wire.events.borrow();
        let own = events.iter().skip(from.0).filter(|event| event["sessionId"] == self.session.as_str());
        own.filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    }

    /// The addresses the tab has been at since.
    pub fn been(&self, from: Mark) -> Vec<String> {
        let pages = self.all(from, "Page.frameNavigated");
        pages.iter().filter_map(|page| page["frame"]["url"].as_str().map(str::to_owned)).collect()
    }

    /// The forms that were posted since: address and body.
    pub fn posted(&self, from: Mark) -> Vec<(String, String)> {
        let requests = self.all(from, "Network.requestWillBeSent");
        let posts =
            requests.iter().map(|sent| &sent["request"]).filter(|request| request["method"] == "POST");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        posts.map(|request| (text(&request["url"]), text(&request["postData"]))).collect()
    }

    /// Every address that was asked for since.
    pub fn requested(&self, from: Mark) -> Vec<String> {
        let requests = self.all(from, "Network.requestWillBeSent");
        requests.iter().filter_map(|sent| sent["request"]["url"].as_str().map(str::to_owned)).collect()
    }

    /// What pages complained about, breaches of their own policies above all, and what they should not have been
    /// able to do.
    pub fn troubles(&self) -> Vec<String> {
        let all = |kind| self.all(Mark(0), kind);
        let said = all("Runtime.consoleAPICalled")
            .into_iter()
            .filter(|said| said["type"] != "log" && said["type"] != "info");
        // Generic issues are advice on forms.
        let issues =
            all("Audits.issueAdded").into_iter().filter(|found| found["issue"]["code"] != "GenericIssue");
        let others = ["Log.entryAdded", "Runtime.exceptionThrown", "Page.javascriptDialogOpening"]
            .into_iter()
            .flat_map(all);
        said.chain(issues).chain(others).map(|trouble| trouble.to_string()).collect()
    }

    /// What an expression of our own says in the page; works with the page's own scripts switched off, too.
    pub async fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let said = self.call("Runtime.evaluate", asked).await;
        assert!(said["exceptionDetails"].is_null(), "{expression}: {said}");
        said["result"]["value"].clone()
    }

    /// Wait until a page that draws itself has drawn so much that the condition holds.
    pub async fn draws(&self, condition: &str) {
        let watch = format!(
            "new Promise(done => {{ const look = () => {{ if ({condition}) done(true) }}; \
             new MutationObserver(look).observe(document, {{ childList: true, subtree: true }}); look() }})"
        );
        self.evaluate(&watch).await;
    }

    /// The page's text as its reader sees it.
    pub async fn text(&self) -> String {
        self.evaluate("document.body.innerText").await.as_str().expect("text").to_owned()
    }

    /// Press the mouse on an element, as a person does.
    pub async fn click(&self, selector: &str) -> Mark {
        let root = self.call("DOM.getDocument", json!({})).await["root"]["nodeId"].clone();
        let node =
            self.call("DOM.querySelector", json!({ "nodeId": root, "selector": selector })).await["nodeId"]
                .clone();
        assert_ne!(node, 0, "there is a {selector}");
        self.call("DOM.scrollIntoViewIfNeeded", json!({ "nodeId": node })).await;
        let corners =
            self.call("DOM.getBoxModel", json!({ "nodeId": node })).await["model"]["content"].clone();
        let corner = |at: usize| corners[at].as_f64().expect("eight numbers");
        let (x, y) = (f64::midpoint(corner(0), corner(4)), f64::midpoint(corner(1), corner(5)));
        let mark = self.mark();
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await;
        }
        mark
    }

    /// Nothing sticks out to the side.
    pub async fn assert_fits(&self) {
        let over = self
            .evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
            .await;
        assert_eq!(over, 0, "{:?} is no wider than the screen", self.been(Mark(0)).last());
    }

    /// And what can be pressed is big enough for a thumb.
    pub async fn assert_fits_hands(&self) {
        self.assert_fits().await;
        let low = "[...document.querySelectorAll('button')].filter(one => one.getBoundingClientRect().height < 40).length";
        assert_eq!(
            self.evaluate(low).await,
            0,
            "{:?} has buttons too low to press",
            self.been(Mark(0)).last()
        );
    }
}
