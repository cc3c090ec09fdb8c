//! The load: keep-alive connections on one thread. Closed loop, where each connection sends its next request when
//! the last is answered; and open loop, where requests are due at fixed times whatever happens to earlier ones,
//! and latency counts from the time a request was due, so that a stall shows in every one it held up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use shared::envelope::{Envelope, Side};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::http1::{self, Head};
use crate::order::{Batch, OnlyReady};
use crate::tally::{Outcome, Tally};

/// How long orders under way may take to come back once the leg is over.
const GRACE: Duration = Duration::from_secs(15);
/// Before a connection that was refused is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(10);
/// One answer in so many is verified; more would make the driver's hashing part of what is measured.
const SAMPLE: u64 = 64;

/// What is sent, one after the other, and what an answer to it is worth.
pub trait Requests: 'static {
    /// Put the next whole HTTP request into `out`, and give its serial; `None`: there are no more.
    fn write_next(&self, out: &mut Vec<u8>) -> Option<u64>;
    /// `answer` is the whole of it, with this head.
    fn judge(&self, serial: u64, answer: &[u8], head: Head) -> Outcome;
}

impl Requests for Batch {
    fn write_next(&self, out: &mut Vec<u8>) -> Option<u64> {
        Some(self.write_next_order(out))
    }

    fn judge(&self, serial: u64, answer: &[u8], head: Head) -> Outcome {
        judge(answer, head, serial.is_multiple_of(SAMPLE).then(|| self.sign_key(serial)))
    }
}

impl Requests for OnlyReady {
    fn write_next(&self, out: &mut Vec<u8>) -> Option<u64> {
        self.is_left().then(|| self.0.write_next_order(out))
    }

    fn judge(&self, serial: u64, answer: &[u8], head: Head) -> Outcome {
        self.0.judge(serial, answer, head)
    }
}

/// How hard, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub window: Duration,
    /// Requests per second; none is closed loop.
    pub rate: Option<u32>,
}

/// Send `requests` to `target` and report what came back.
pub async fn drive<R: Requests>(target: SocketAddr, requests: &Rc<R>, load: Load) -> anyhow::Result<Tally> {
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let connection = Connection::open(target).await;
        connections.push(connection.with_context(|| format!("cannot connect to {target}"))?);
    }
    let tally = Rc::new(RefCell::new(Tally::new()));
    let schedule = load.rate.map(|_| Arc::new(Schedule::default()));
    let start = Instant::now();
    let until = start + load.window;
    let mut workers = JoinSet::new();
    for connection in connections {
        let (requests, tally) = (Rc::clone(requests), Rc::clone(&tally));
        match &schedule {
            Some(schedule) => {
                workers.spawn_local(open_loop(connection, requests, Arc::clone(schedule), tally))
            }
            None => workers.spawn_local(closed_loop(connection, requests, until, tally)),
        };
    }
    let pacer = load.rate.zip(schedule.clone()).map(|(rate, schedule)| {
        let workers = load.connections;
        std::thread::spawn(move || schedule.pace(start, load.window, rate, workers))
    });
    let all_back = async { while workers.join_next().await.is_some() {} };
    let in_time = tokio::time::timeout_at((until + GRACE).into(), all_back).await.is_ok();
    let elapsed = start.elapsed();
    if !in_time {
        let busy = workers.len() as u64;
        let waiting = schedule.map_or(0, |schedule| schedule.waiting());
        tally.borrow_mut().count_errors(&Outcome::Unanswered, busy + waiting);
        workers.shutdown().await;
    }
    if let Some(pacer) = pacer {
        pacer.join().map_err(|_| anyhow::anyhow!("the pacer panicked"))?;
    }
    let mut tally = tally.replace(Tally::new());
    tally.elapsed = if in_time { elapsed } else { load.window };
    Ok(tally)
}

async fn closed_loop<R: Requests>(
    mut connection: Connection,
    requests: Rc<R>,
    until: Instant,
    tally: Rc<RefCell<Tally>>,
) {
    loop {
        let sent_at = Instant::now();
        if sent_at >= until {
            return;
        }
        let Some(outcome) = connection.send(&*requests).await else { return };
        tally.borrow_mut().record(&outcome, sent_at.elapsed());
    }
}

async fn open_loop<R: Requests>(
    mut connection: Connection,
    requests: Rc<R>,
    schedule: Arc<Schedule>,
    tally: Rc<RefCell<Tally>>,
) {
    while let Some(due_at) = schedule.next().await {
        tally.borrow_mut().record_delay(due_at.elapsed());
        let Some(outcome) = connection.send(&*requests).await else { return };
        tally.borrow_mut().record(&outcome, due_at.elapsed());
    }
}

/// Requests that are due and not yet sent. At most rate × window of them ever exist.
struct Schedule {
    /// None tells one worker to stop.
    due: Mutex<VecDeque<Option<Instant>>>,
    ready: Semaphore,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { due: Mutex::default(), ready: Semaphore::new(0) }
    }
}

impl Schedule {
    /// Make each order due at its time, from a thread of its own: the runtime's timers have milliseconds only.
    #[expect(clippy::disallowed_methods, reason = "the thread has nothing to do but to wait")]
    fn pace(&self, start: Instant, window: Duration, rate: u32, workers: usize) {
        for due_after in due_times(window, rate) {
            let due_at = start + due_after;
            if let Some(wait) = due_at.checked_duration_since(Instant::now()) {
                std::thread::sleep(wait);
            }
            self.push(Some(due_at));
        }
        for _ in 0..workers {
            self.push(None);
        }
    }

    fn push(&self, entry: Option<Instant>) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).push_back(entry);
        self.ready.add_permits(1);
    }

    async fn next(&self) -> Option<Instant> {
        self.ready.acquire().await.ok()?.forget();
        self.due.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
    }

    fn waiting(&self) -> u64 {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().count() as u64
    }
}

/// When orders are due, from the start: evenly, from 0 to just before the window's end.
fn due_times(window: Duration, rate: u32) -> impl Iterator<Item = Duration> {
    let nanos = move |index: u64| index * 1_000_000_000 / u64::from(rate.max(1));
    (0..).map(move |index| Duration::from_nanos(nanos(index))).take_while(move |after| *after < window)
}

struct Connection {
    target: SocketAddr,
    stream: Option<TcpStream>,
    out: Vec<u8>,
    seen: Vec<u8>,
}

impl Connection {
    async fn open(target: SocketAddr) -> io::Result<Self> {
        let stream = Some(connect(target).await?);
        Ok(Self { target, stream, out: Vec::with_capacity(2048), seen: Vec::with_capacity(8192) })
    }

    /// Send the next request and judge its answer; `None`: there are no more.
    async fn send(&mut self, requests: &impl Requests) -> Option<Outcome> {
        self.out.clear();
        self.seen.clear();
        let serial = requests.write_next(&mut self.out)?;
        Some(match self.exchange().await {
            Ok(head) => {
                if head.close {
                    self.stream = None;
                }
                requests.judge(serial, &self.seen, head)
            }
            Err(error) => {
                self.stream = None;
                if error.kind() == io::ErrorKind::ConnectionRefused {
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                Outcome::Lost(error.kind())
            }
        })
    }

    async fn exchange(&mut self) -> io::Result<Head> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            closed => closed.insert(connect(self.target).await?),
        };
        stream.write_all(&self.out).await?;
        loop {
            if stream.read_buf(&mut self.seen).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = http1::head(&self.seen)?
                && self.seen.len() >= head.length + head.body
            {
                return Ok(head);
            }
        }
    }
}

async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What an answer says; with a key, also whether it is signed with it and complete.
fn judge(answer: &[u8], head: Head, sign_key: Option<&str>) -> Outcome {
    let status = http1::status(answer);
    if status != 200 {
        return Outcome::Status(status);
    }
    let body = &answer[head.length..head.length + head.body];
    match code(body) {
        None => Outcome::Unreadable,
        Some(1) if sign_key.is_none_or(|key| is_true(body, key)) => Outcome::Accepted,
        Some(1) => Outcome::Untrue,
        Some(code) => Outcome::Code(code),
    }
}

/// The number behind the first `"code":`, without reading the document.
fn code(body: &[u8]) -> Option<i64> {
    let rest = http1::after(body, b"\"code\":")?.trim_ascii_start();
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}

fn is_true(body: &[u8], sign_key: &str) -> bool {
    Envelope::read(body, Side::Response)
        .is_ok_and(|envelope| envelope.body.get("payUrl").is_some() && envelope.verifies(sign_key))
}

#[cfg(test)]
mod tests;
