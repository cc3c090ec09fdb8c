//! Every change of a delivery passes here. A delivery is the promise to bring one event to one endpoint; each
//! HTTP request of it is an attempt. What a fact promised is sent at once by the node that wrote it; what was
//! not acknowledged, and what a node that died left behind, is found in the store when it is due.

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::entity::delivery;

pub mod address;
pub mod promise;
pub mod schedule;
pub mod send;
pub mod worker;

/// Handle on the worker: what was promised just now goes to it directly.
pub struct Deliveries {
    fresh: mpsc::Sender<Fresh>,
    /// This node, in the leases it holds.
    node: String,
    lease_ms: i64,
    wake: Notify,
}

/// A promise of this node's own, leased to it since `leased_at` at the latest.
#[derive(Debug)]
pub struct Fresh {
    pub delivery: delivery::Model,
    /// The event's.
    pub content: String,
    pub leased_at: Instant,
}

impl Deliveries {
    /// The handle, and the worker's end of it. `queue` promises may wait to be sent.
    pub fn new(node: String, lease: std::time::Duration, queue: usize) -> (Self, mpsc::Receiver<Fresh>) {
        let (fresh, queue) = mpsc::channel(queue);
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        (Self { fresh, node, lease_ms, wake: Notify::new() }, queue)
    }

    /// A place in the worker's queue; `None` where it has enough to do.
    fn place(&self) -> Option<mpsc::OwnedPermit<Fresh>> {
        self.fresh.clone().try_reserve_owned().ok()
    }

    pub fn node(&self) -> &str {
        &self.node
    }

    pub fn lease_ms(&self) -> i64 {
        self.lease_ms
    }

    /// Something may be due sooner than the worker thinks.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }
}
