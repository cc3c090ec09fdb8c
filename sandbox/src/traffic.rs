//! What came and went: counters that tests can wait on, and the latest requests as they were sent.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

/// How many requests are kept.
pub const KEPT: usize = 200;

/// How often things happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Create calls that were read and judged (and have taken effect, unless a fault forbids it). Counted
    /// before the answer leaves.
    pub creates: u64,
    /// The same of queries and refunds.
    pub queries: u64,
    pub refunds: u64,
    pub payments: u64,
    /// Attempts at notices that have ended, well or badly.
    pub notices: u64,
    /// Attempts answered with `success`.
    pub acknowledged: u64,
    /// Orders whose notices were given up.
    pub given_up: u64,
}

/// One call as it was sent and what it was answered. Holds the whole body: for the partner's eyes.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenRequest {
    pub at: String,
    pub path: String,
    /// The body as sent; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The body's code of the true answer, whatever a fault made of it.
    pub code: i32,
}

pub(crate) struct Traffic {
    counts: watch::Sender<Counts>,
    requests: Mutex<VecDeque<SeenRequest>>,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        Self { counts: watch::Sender::new(Counts::default()), requests: Mutex::default() }
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(count);
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// Wait until the counters satisfy `enough`.
    pub(crate) async fn until(&self, enough: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.counts.subscribe();
        *counts.wait_for(enough).await.expect("the sender is borrowed for as long as this waits")
    }

    pub(crate) fn keep(&self, request: SeenRequest) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == KEPT {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    pub(crate) fn requests(&self) -> Vec<SeenRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
