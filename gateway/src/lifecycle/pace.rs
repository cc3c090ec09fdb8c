//! The pace a client has to keep on a connection. hyper calls a connection silent or slow by one timeout that each
//! request starts anew; here three are told apart: how long a client may be silent between requests, how long a
//! request's head may take once it has begun, and how long a client may take nothing of its answer. While the
//! gateway itself works there is no deadline here: the edge has one for the body and one for the answer.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Where a connection is between two requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has come.
    Silent,
    /// The head has begun.
    Head,
    /// The gateway has the request: its body may still come, the answer has not begun.
    Working,
    /// The answer is on its way.
    Answering,
}

/// Shared by a connection's socket, its requests and its deadline. All of them are polled by one task, so the lock
/// is never waited for.
#[derive(Clone)]
pub struct Pacer(Arc<Mutex<Pace>>);

#[derive(Debug)]
struct Pace {
    phase: Phase,
    /// When the connection is closed if nothing changes.
    due: Option<Instant>,
    header_timeout: Duration,
    idle_timeout: Duration,
}

impl Pace {
    /// A new connection is given no more time than a head.
    fn new(header_timeout: Duration, idle_timeout: Duration, now: Instant) -> Self {
        Self { phase: Phase::Silent, due: Some(now + header_timeout), header_timeout, idle_timeout }
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.due = match phase {
            Phase::Head => Some(now + self.header_timeout),
            Phase::Working => None,
            Phase::Silent | Phase::Answering => Some(now + self.idle_timeout),
        };
    }

    fn bytes_came(&mut self, now: Instant) {
        // Only the first byte: a head that drips does not win time by dripping.
        if self.phase == Phase::Silent {
            self.enter(Phase::Head, now);
        }
    }

    fn bytes_went(&mut self, now: Instant) {
        match self.phase {
            Phase::Answering => self.enter(Phase::Answering, now),
            // The answer's last bytes.
            Phase::Silent => self.enter(Phase::Silent, now),
            Phase::Head | Phase::Working => {}
        }
    }
}

impl Pacer {
    pub fn new(header_timeout: Duration, idle_timeout: Duration) -> Self {
        Self(Arc::new(Mutex::new(Pace::new(header_timeout, idle_timeout, Instant::now()))))
    }

    fn change(&self, change: impl FnOnce(&mut Pace, Instant)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
    }

    /// A request's head is complete.
    pub fn request_read(&self) {
        self.change(|pace, now| pace.enter(Phase::Working, now));
    }

    pub fn answer_begun(&self) {
        self.change(|pace, now| pace.enter(Phase::Answering, now));
    }

    fn due(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).due
    }

    /// Drives the connection until it ends, or until it has not kept the pace (`None`).
    pub async fn hold<C: Future>(&self, connection: C) -> Option<C::Output> {
        let mut connection = pin!(connection);
        let mut alarm = pin!(tokio::time::sleep_until(self.due().unwrap_or_else(Instant::now)));
        std::future::poll_fn(|context| {
            if let Poll::Ready(output) = connection.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            // An alarm that is set too early only wakes this task once for nothing, which is cheaper than moving
            // it several times in every request.
            while let Some(due) = self.due() {
                if due < alarm.deadline() {
                    alarm.as_mut().reset(due);
                }
                if alarm.as_mut().poll(context).is_pending() {
                    break;
                }
                if due <= Instant::now() {
                    return Poll::Ready(None);
                }
                alarm.as_mut().reset(due);
            }
            Poll::Pending
        })
        .await
    }
}

/// The socket, noting when bytes come and go.
pub struct PacedIo<S> {
    socket: S,
    pacer: Pacer,
}

impl<S> PacedIo<S> {
    pub fn new(socket: S, pacer: Pacer) -> Self {
        Self { socket, pacer }
    }

    fn sent(&self, written: &Poll<io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.pacer.change(Pace::bytes_went);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PacedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pacer.change(Pace::bytes_came);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PacedIo<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// An answer's body; when hyper lets go of it, the connection waits for its next request.
pub struct PacedBody<B> {
    body: B,
    pacer: Pacer,
}

impl<B> PacedBody<B> {
    pub fn new(body: B, pacer: Pacer) -> Self {
        Self { body, pacer }
    }
}

impl<B> Drop for PacedBody<B> {
    fn drop(&mut self) {
        self.pacer.change(|pace, now| pace.enter(Phase::Silent, now));
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for PacedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(75);
    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> (Pace, Instant) {
        let now = Instant::now();
        (Pace::new(HEADER, IDLE, now), now)
    }

    #[test]
    fn a_new_connection_has_the_time_of_a_head_to_say_something() {
        let (pace, now) = pace();
        assert_eq!(pace.due, Some(now + HEADER));
    }

    #[test]
    fn a_head_that_drips_wins_no_time() {
        let (mut pace, now) = pace();
        pace.bytes_came(now + SECOND);
        pace.bytes_came(now + 2 * SECOND);
        assert_eq!(pace.due, Some(now + SECOND + HEADER));
    }

    #[test]
    fn there_is_no_deadline_while_the_gateway_works_even_if_the_body_drips() {
        let (mut pace, now) = pace();
        pace.enter(Phase::Working, now);
        pace.bytes_came(now + SECOND);
        assert_eq!((pace.phase, pace.due), (Phase::Working, None));
    }

    #[test]
    fn an_answer_that_is_being_taken_is_not_cut_off() {
        let (mut pace, now) = pace();
        pace.enter(Phase::Answering, now);
        pace.bytes_went(now + 60 * SECOND);
        assert_eq!(pace.due, Some(now + 60 * SECOND + IDLE));
    }

    #[test]
    fn between_requests_a_connection_may_be_silent_longer_than_a_head_may_take() {
        let (mut pace, now) = pace();
        pace.enter(Phase::Silent, now);
        assert_eq!(pace.due, Some(now + IDLE));
        pace.bytes_came(now + 74 * SECOND);
        assert_eq!(pace.due, Some(now + 74 * SECOND + HEADER));
    }
}
