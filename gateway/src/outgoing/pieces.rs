//! A body that takes its time: sent in pieces with a pause before each but the first, as over a slow line.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

pub struct Pieces {
    left: VecDeque<Bytes>,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Pieces {
    /// `body` in `count` pieces of about one length.
    pub fn of(body: &Bytes, count: usize, pause: Duration) -> Self {
        let length = body.len().div_ceil(count.max(1)).max(1);
        let left =
            (0..body.len()).step_by(length).map(|from| body.slice(from..body.len().min(from + length)));
        Self { left: left.collect(), pause, waiting: None }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(waiting) = &mut self.waiting {
            ready!(waiting.as_mut().poll(context));
        }
        let Some(piece) = self.left.pop_front() else { return Poll::Ready(None) };
        let pause = self.pause;
        self.waiting = (!self.left.is_empty()).then(|| Box::pin(sleep(pause)));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    /// Known, so that the length is announced as it is for a body that is sent at once.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.iter().map(|piece| piece.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_are_the_whole_body_and_its_length_is_known_before() {
        let body = Bytes::from_static(b"0123456789");
        for count in [0, 1, 3, 10, 99] {
            let pieces = Pieces::of(&body, count, Duration::from_millis(1));
            assert_eq!(pieces.size_hint().exact(), Some(10));
            assert_eq!(pieces.left.len(), count.clamp(1, 10), "{count}");
            assert_eq!(pieces.collect().await.expect("it cannot fail").to_bytes(), body);
        }
        assert!(Pieces::of(&Bytes::new(), 3, Duration::ZERO).is_end_stream());
    }
}
