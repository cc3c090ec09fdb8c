//! One tab: going somewhere, waiting until it is somewhere, pressing what is there, and all it complained about.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chromium::Wire;
use crate::harness::acts::soon;

pub struct Tab {
    wire: Arc<Wire>,
    session: String,
}

/// A place in the stream of events: what came before it is not waited for.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Tab {
    pub fn new(wire: Arc<Wire>, session: String) -> Self {
        Self { wire, session }
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
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
        let events = tokio::time::timeout(Duration::from_secs(30), events.wait_for(|e| loaded(e).is_some()));
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

    /// Wait for the first entry in the browser's log.
    pub async fn complains(&self) -> String {
        let entry = |events: &Vec<Value>| {
            self.position(events, 0, |method, _| method == "Log.entryAdded")
                .map(|at| events[at]["params"].to_string())
        };
        let mut events = self.wire.events.subscribe();
        let events =
            soon(events.wait_for(|events| entry(events).is_some())).await.expect("the sender is held");
        entry(&events).expect("it was just found")
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
