//! Every change of a delivery passes here. A delivery is the promise to bring one event to one endpoint; each
//! HTTP request of it is an attempt. What a fact promised is sent at once by the node that wrote it; what was
//! not acknowledged, and what a node that died left behind, is found in the store when it is due.

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::orders::tell::Promised;

pub mod address;
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
pub struct Fresh {
    pub promised: Promised,
    pub leased_at: Instant,
}

/// A place in the worker's queue, taken before the promise is written.
pub struct StartingPlace {
    permit: mpsc::OwnedPermit<Fresh>,
    lease: String,
    lease_ms: i64,
    at: Instant,
}

impl Deliveries {
    /// The handle, and the worker's end of it. `queue` promises may wait to be sent.
    pub fn new(node: String, lease: std::time::Duration, queue: usize) -> (Self, mpsc::Receiver<Fresh>) {
        let (fresh, queue) = mpsc::channel(queue);
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        (Self { fresh, node, lease_ms, wake: Notify::new() }, queue)
    }

    /// `None` where the worker has enough to do: then the promise is written without a lease and found when due.
    pub fn starting_place(&self) -> Option<StartingPlace> {
        let permit = self.fresh.clone().try_reserve_owned().ok()?;
        Some(StartingPlace { permit, lease: self.node.clone(), lease_ms: self.lease_ms, at: Instant::now() })
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

impl StartingPlace {
    /// Name and length in milliseconds of the lease to write.
    pub fn lease(&self) -> (String, i64) {
        (self.lease.clone(), self.lease_ms)
    }

    /// Hand over what was promised. One fact promises at most one delivery that is ours to send at once.
    pub fn go(self, promised: Vec<Promised>) {
        if let Some(promised) = promised.into_iter().next() {
            self.permit.send(Fresh { promised, leased_at: self.at });
        }
    }
}
