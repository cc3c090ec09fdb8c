//! A receiver with bad manners, each request met by another of them, that writes down what came and what it acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use shared::envelope::{Envelope, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::receiver::Heard;

/// Between the bytes of one that dribbles: its answer takes many times what it is given.
const DRIBBLE: Duration = Duration::from_millis(100);

/// What its answer must be to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    AnySuccess,
    Success,
    Field,
}

impl Wants {
    pub fn profile(self) -> Value {
        match self {
            Self::AnySuccess => json!({ "kind": "any_success" }),
            Self::Success => json!({ "kind": "success" }),
            Self::Field => json!({ "kind": "field", "at": "/code", "equals": "0" }),
        }
    }

    /// A body that acknowledges, and one that does not where the status alone decides nothing.
    fn bodies(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::AnySuccess => ("whatever", None),
            Self::Success => ("success", Some("failure")),
            Self::Field => (r#"{"code":0}"#, Some(r#"{"code":1}"#)),
        }
    }
}

/// How a request is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manner {
    Acknowledges,
    /// In pieces, but in time.
    AcknowledgesSlowly,
    Fails,
    Hangs,
    Dribbles,
    NeverStops,
    Resets,
    SaysSomethingElse,
}

impl Manner {
    pub const ALL: [Self; 8] = [
        Self::Acknowledges,
        Self::AcknowledgesSlowly,
        Self::Fails,
        Self::Hangs,
        Self::Dribbles,
        Self::NeverStops,
        Self::Resets,
        Self::SaysSomethingElse,
    ];

    fn any(chance: &mut StdRng) -> Self {
        match chance.random_range(0..100) {
            0..60 => Self::Acknowledges,
            60..70 => Self::AcknowledgesSlowly,
            other => Self::ALL[2 + other % 6],
        }
    }
}

/// One request that came.
#[derive(Debug, Clone)]
pub struct Came {
    pub event_id: String,
    pub kind: String,
    /// The order's.
    pub number: String,
    pub heard: Heard,
}

/// What happened, in the order in which it did. Numbers are places in `came`.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    Came(usize),
    /// Written before the answer's last byte is, so that nothing that follows from it can be written before.
    Acknowledged(usize),
}

#[derive(Default)]
pub struct Log {
    pub came: Vec<Came>,
    pub entries: Vec<Entry>,
    pub manners: BTreeMap<Manner, usize>,
}

/// Of the endpoint.
pub struct Registered {
    pub id: String,
    pub secret: String,
}

pub struct Receiver {
    pub name: &'static str,
    pub wants: Wants,
    /// Types of events.
    pub hears: &'static [&'static str],
    /// `None`: nobody has registered it.
    pub registered: OnceLock<Registered>,
    url: String,
    log: Arc<Mutex<Log>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub async fn open(name: &'static str, wants: Wants, hears: &'static [&'static str], seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/events", listener.local_addr().expect("an address"));
        let log = Arc::new(Mutex::new(Log::default()));
        let serving = tokio::spawn(serve(listener, wants, Arc::clone(&log), StdRng::seed_from_u64(seed)));
        Self { name, wants, hears, registered: OnceLock::new(), url, log, serving }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn is_registered(&self, id: String, secret: String) {
        assert!(self.registered.set(Registered { id, secret }).is_ok(), "once");
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        locked(&self.log)
    }

    /// Requests that came.
    pub fn count(&self) -> usize {
        self.log().came.len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, wants: Wants, log: Arc<Mutex<Log>>, mut chance: StdRng) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let manner = match Manner::any(&mut chance) {
            // The status alone acknowledges.
            Manner::NeverStops | Manner::SaysSomethingElse if wants == Wants::AnySuccess => Manner::Fails,
            manner => manner,
        };
        let log = Arc::clone(&log);
        // A gateway that is killed breaks off.
        connections.spawn(async move { meet(stream, wants, &log, manner).await.unwrap_or_default() });
        while connections.try_join_next().is_some_and(|ended| ended.is_ok()) {}
    }
}

async fn meet(mut stream: TcpStream, wants: Wants, log: &Mutex<Log>, manner: Manner) -> std::io::Result<()> {
    let Some(heard) = read(&mut stream).await? else { return Ok(()) };
    if let Some(challenge) = challenge(&heard) {
        let echo = json!({ "challenge": challenge }).to_string();
        return stream.write_all(&answer(200, &echo)).await;
    }
    let came = {
        let mut log = locked(log);
        let came = log.came.len();
        log.came.push(read_event(heard));
        log.entries.push(Entry::Came(came));
        *log.manners.entry(manner).or_default() += 1;
        came
    };
    let (right, wrong) = wants.bodies();
    match manner {
        Manner::Acknowledges => {
            locked(log).entries.push(Entry::Acknowledged(came));
            stream.write_all(&answer(200, right)).await
        }
        Manner::AcknowledgesSlowly => {
            let answer = answer(200, right);
            let (first, last) = answer.split_at(answer.len() - 1);
            piecemeal(&mut stream, first, first.len().div_ceil(4), Duration::from_millis(10)).await?;
            locked(log).entries.push(Entry::Acknowledged(came));
            stream.write_all(last).await
        }
        Manner::Fails => stream.write_all(&answer(500, right)).await,
        Manner::SaysSomethingElse => {
            stream.write_all(&answer(200, wrong.expect("not where the status decides"))).await
        }
        Manner::Hangs => until_closed(&mut stream).await,
        Manner::Dribbles => {
            let answer = answer(200, right);
            piecemeal(&mut stream, &answer[..answer.len() - 1], 1, DRIBBLE).await?;
            until_closed(&mut stream).await
        }
        Manner::NeverStops => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 1024]).await?;
            }
        }
        Manner::Resets => {
            stream.write_all(b"HTTP/1.1 200 O").await?;
            stream.set_zero_linger()
        }
    }
}

async fn piecemeal(stream: &mut TcpStream, text: &[u8], size: usize, wait: Duration) -> std::io::Result<()> {
    let mut turn = tokio::time::interval(wait);
    for piece in text.chunks(size) {
        turn.tick().await;
        stream.write_all(piece).await?;
    }
    Ok(())
}

async fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 64]).await? > 0 {}
    Ok(())
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One request; `None` if it broke off, as those of killed gateways do.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Heard>> {
    let mut seen = Vec::new();
    let head = loop {
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(None);
        }
    };
    let text = std::str::from_utf8(&seen[..head]).expect("a head is text");
    let mut lines = text.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a path").to_owned();
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a header's name");
            (name, HeaderValue::from_str(value).expect("a header's value"))
        })
        .collect();
    let length = headers.get("content-length").expect("a length").to_str().expect("text");
    let end = head + length.parse::<usize>().expect("a number");
    while seen.len() < end {
        if stream.read_buf(&mut seen).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Heard { path, headers, body: Bytes::copy_from_slice(&seen[head..end]) }))
}

fn challenge(heard: &Heard) -> Option<Value> {
    let body = heard.json();
    (body["type"] == "endpoint.challenge").then(|| body["challenge"].clone())
}

/// In either form.
fn read_event(heard: Heard) -> Came {
    let body = heard.json();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    if body["response"].is_null() {
        let [event_id, kind, number] = [&body["id"], &body["type"], &body["order"]["number"]].map(text);
        return Came { event_id, kind, number, heard };
    }
    let envelope = Envelope::read(&heard.body, Side::Response).expect("an envelope");
    let event_id = envelope.header_text(&["respMsgId"]).expect("every message has one");
    let number = text(&body["response"]["body"]["partnerOrderNo"]);
    Came { event_id, kind: "order.paid".to_owned(), number, heard }
}
