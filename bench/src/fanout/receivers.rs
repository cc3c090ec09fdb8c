//! Shops that hear of payments: one listener for all that are well, and one for the one that is not.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::notices::Notices;
use crate::http1;
use crate::tally::{Outcome, Tally};

const ACKNOWLEDGED: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nsuccess";
/// How long the slow one thinks.
const SLOW: Duration = Duration::from_secs(2);

/// What is the matter with one of the shops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// It refuses connections.
    Dead,
    /// It answers after two seconds.
    Slow,
    /// It takes the request and never answers.
    Hangs,
}

/// What came to the shops that are well.
pub struct Receivers {
    heard: RefCell<Heard>,
    changed: Notify,
}

struct Heard {
    notices: Option<Rc<Notices>>,
    /// The paths at which each was heard already.
    seen: HashSet<(String, String)>,
    tally: Tally,
    twice: u64,
    last: Instant,
    /// By path and event, what came of a replay, and how often it came again.
    replayed: HashSet<(String, String)>,
    replayed_again: u64,
}

impl Receivers {
    pub async fn listen() -> anyhow::Result<(Rc<Self>, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the shops")?;
        let address = listener.local_addr()?;
        let heard = Heard {
            notices: None,
            seen: HashSet::new(),
            tally: Tally::new(),
            twice: 0,
            last: Instant::now(),
            replayed: HashSet::new(),
            replayed_again: 0,
        };
        let receivers = Rc::new(Self { heard: RefCell::new(heard), changed: Notify::new() });
        let hearing = Rc::clone(&receivers);
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let hearing = Rc::clone(&hearing);
                tokio::task::spawn_local(async move {
                    // A peer that goes away mid-message is the peer's affair.
                    let _ = hearing.converse(stream).await;
                });
            }
        });
        Ok((receivers, address))
    }

    /// From now on what these notices lead to counts.
    pub fn expect(&self, notices: &Rc<Notices>) {
        let mut heard = self.heard.borrow_mut();
        heard.notices = Some(Rc::clone(notices));
        heard.seen.clear();
        heard.tally = Tally::new();
        heard.twice = 0;
        heard.last = Instant::now();
    }

    /// Until so many were heard, or for so long nothing was. What there is of it, when the last one came, and how
    /// many came a second time.
    pub async fn all(&self, count: u64, patience: Duration) -> (Tally, Instant, u64) {
        loop {
            let changed = self.changed.notified();
            let (so_far, quiet) = {
                let heard = self.heard.borrow();
                (heard.tally.accepted(), heard.last.elapsed() > patience)
            };
            if so_far >= count || quiet {
                break;
            }
            // Looked at again now and then, lest the last one never comes.
            let _ = tokio::time::timeout(Duration::from_millis(200), changed).await;
        }
        let mut heard = self.heard.borrow_mut();
        let tally = std::mem::replace(&mut heard.tally, Tally::new());
        (tally, heard.last, heard.twice)
    }

    /// Requests of replays, and those of them beyond the first of an event at one path.
    pub fn replayed(&self) -> (u64, u64) {
        let heard = self.heard.borrow();
        (heard.replayed.len() as u64 + heard.replayed_again, heard.replayed_again)
    }

    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut seen = Vec::with_capacity(4 * 1024);
        loop {
            while let Some(head) = http1::head(&seen)? {
                let end = head.length + head.body;
                if seen.len() < end {
                    break;
                }
                let body = &seen[head.length..end];
                if let Some(text) = http1::quoted(body, b"\"challenge\":\"") {
                    let length = text.len();
                    let echo = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{text}");
                    stream.write_all(echo.as_bytes()).await?;
                } else {
                    stream.write_all(ACKNOWLEDGED).await?;
                    self.heard(&seen[..head.length], body);
                }
                seen.drain(..end);
            }
            if stream.read_buf(&mut seen).await? == 0 {
                return Ok(());
            }
        }
    }

    fn heard(&self, head: &[u8], body: &[u8]) {
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let path = String::from_utf8_lossy(path).into_owned();
        if http1::after(head, b"scangate-replay: ").is_some() {
            let event = http1::quoted(body, b"\"respMsgId\":\"").unwrap_or_default().to_owned();
            let mut heard = self.heard.borrow_mut();
            if !heard.replayed.insert((path, event)) {
                heard.replayed_again += 1;
            }
            return;
        }
        let order_no = http1::quoted(body, b"\"orderNo\":\"").unwrap_or_default().to_owned();
        let mut heard = self.heard.borrow_mut();
        let Some(sent_at) = heard.notices.as_ref().and_then(|notices| notices.sent_at(&order_no)) else {
            return;
        };
        if heard.seen.insert((path, order_no)) {
            heard.tally.record(&Outcome::Accepted, sent_at.elapsed());
            heard.last = Instant::now();
            self.changed.notify_one();
        } else {
            heard.twice += 1;
        }
    }
}

/// Where the one that is not well is called.
pub async fn faulty(fault: Fault) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for a shop")?;
    let address = listener.local_addr()?;
    if fault == Fault::Dead {
        return Ok(address); // nobody listens there any more
    }
    tokio::task::spawn_local(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut request = Vec::new();
                while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                    if fault == Fault::Slow {
                        tokio::time::sleep(SLOW).await;
                        let _ = stream.write_all(ACKNOWLEDGED).await;
                    }
                }
            });
        }
    });
    Ok(address)
}
