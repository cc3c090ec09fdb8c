//! A request's body within its limits: so many bytes, so much time from when it is first read. What went wrong is
//! also noted beside the body, because extractors turn errors into texts.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::Rejection;

/// The body of poem's requests and answers, which poem does not name.
pub type BoxBody = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// How much beyond the limit is read and thrown away, so that a client that sends first and reads afterwards gets
/// to see why it was refused instead of a broken connection.
const MAX_DISCARDED: u64 = 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body took too long to arrive")]
    TooSlow,
}

impl From<BodyFault> for Rejection {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge => Self::TooLarge,
            BodyFault::TooSlow => Self::TooSlow,
        }
    }
}

/// What has become of a request's body so far.
#[derive(Debug, Default)]
pub struct Watch {
    /// In bytes.
    received: AtomicU64,
    fault: AtomicU8,
}

impl Watch {
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub fn fault(&self) -> Option<BodyFault> {
        match self.fault.load(Ordering::Relaxed) {
            1 => Some(BodyFault::TooLarge),
            2 => Some(BodyFault::TooSlow),
            _ => None,
        }
    }

    fn note(&self, fault: BodyFault) {
        let number = match fault {
            BodyFault::TooLarge => 1,
            BodyFault::TooSlow => 2,
        };
        self.fault.store(number, Ordering::Relaxed);
    }
}

pub struct CappedBody {
    body: BoxBody,
    max: u64,
    timeout: Duration,
    /// Set when the body is first read: a handler that is slow to begin is not the client's fault.
    deadline: Option<Pin<Box<Sleep>>>,
    watch: Arc<Watch>,
}

impl CappedBody {
    pub fn new(body: BoxBody, max: usize, timeout: Duration, watch: Arc<Watch>) -> Self {
        Self { body, max: max as u64, timeout, deadline: None, watch }
    }

    fn fail(&self, fault: BodyFault) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.watch.note(fault);
        Poll::Ready(Some(Err(io::Error::other(fault))))
    }
}

impl Body for CappedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        if let Some(fault) = this.watch.fault() {
            return this.fail(fault);
        }
        let most = this.max + MAX_DISCARDED;
        if this.watch.received() + this.body.size_hint().lower() > most {
            return this.fail(BodyFault::TooLarge);
        }
        let timeout = this.timeout;
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if deadline.as_mut().poll(context).is_ready() {
            return this.fail(BodyFault::TooSlow);
        }
        loop {
            let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) else {
                return Poll::Pending;
            };
            let is_over = this.watch.received() > this.max;
            match frame {
                None if is_over => return this.fail(BodyFault::TooLarge),
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    let length = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                    let received = this.watch.received.fetch_add(length, Ordering::Relaxed) + length;
                    if received > most {
                        return this.fail(BodyFault::TooLarge);
                    }
                    if received <= this.max {
                        return Poll::Ready(Some(Ok(frame)));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.watch.received() <= self.max
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// Reads a body of so many parts of this length, with a limit of 1,000 bytes. Gives how many parts were taken
    /// from the client, and what was wrong.
    async fn read(parts: u64, length: usize) -> (u64, Option<BodyFault>) {
        let taken = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&taken);
        let parts = stream::iter(0..parts).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, io::Error>(vec![b'x'; length])
        });
        let watch = Arc::new(Watch::default());
        let body = poem::Body::from_bytes_stream(parts).into();
        let read = CappedBody::new(body, 1000, LONG, Arc::clone(&watch)).collect().await;
        assert_eq!(read.is_err(), watch.fault().is_some());
        (taken.load(Ordering::Relaxed), watch.fault())
    }

    #[tokio::test]
    async fn a_body_within_the_limit_is_read_and_one_beyond_it_is_taken_to_its_end_and_refused() {
        assert_eq!(read(10, 100).await, (10, None));
        assert_eq!(read(11, 100).await, (11, Some(BodyFault::TooLarge)));
    }

    #[tokio::test]
    async fn of_an_endless_body_only_so_much_is_thrown_away() {
        let length = 64 * 1024;
        let most = MAX_DISCARDED / length as u64 + 1;
        assert_eq!(read(1_000_000, length).await, (most, Some(BodyFault::TooLarge)));
    }
}
