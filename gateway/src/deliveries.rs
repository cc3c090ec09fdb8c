//! Every change of a delivery passes here. A delivery is the promise to bring one event to one endpoint; each
//! HTTP request of it is an attempt. What a fact promised is sent at once by the node that wrote it; what was
//! not acknowledged, and what a node that died left behind, is found in the store when it is due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::app::App;
use crate::config;
use crate::directory::endpoints::Endpoint;
use crate::entity::delivery;

pub mod address;
mod breaker;
pub mod dropped;
pub mod due;
pub mod failing;
pub mod form;
mod lanes;
pub mod list;
mod pace;
pub mod promise;
pub mod prove;
pub mod replay;
pub mod schedule;
pub mod select;
pub mod send;
pub mod service;
pub mod worker;

pub use breaker::State as Breaker;
use failing::Heard;
use form::Original;
use lanes::{Now, Place, Shared, Terms};
pub use lanes::{Said, Standing};
use service::Services;

/// Handle on the worker: what was promised just now goes to it directly.
pub struct Deliveries {
    fresh: mpsc::Sender<Fresh>,
    lanes: Shared,
    /// How attempts at registered endpoints went since that was last written down.
    heard: Heard,
    services: Services,
    /// This node, in the leases it holds.
    node: String,
    lease_ms: i64,
    wake: Notify,
    /// The store is to be looked at.
    is_look_wanted: AtomicBool,
}

/// A promise of this node's own, leased to it since `leased_at` at the latest.
#[derive(Debug)]
pub struct Fresh {
    delivery: delivery::Model,
    original: Original,
    leased_at: Instant,
    place: Place,
}

impl Deliveries {
    /// The handle, and the worker's end of it.
    pub fn new(node: String, config: &config::Deliveries) -> (Self, mpsc::Receiver<Fresh>) {
        // Each has a place, of which there are no more.
        let (fresh, queue) = mpsc::channel(config.max_in_flight);
        let deliveries = Self {
            fresh,
            lanes: Shared::new(config),
            heard: Heard::default(),
            services: Services::default(),
            node,
            lease_ms: i64::try_from(config.lease.as_millis()).unwrap_or(i64::MAX),
            wake: Notify::new(),
            is_look_wanted: AtomicBool::new(true),
        };
        (deliveries, queue)
    }

    pub fn node(&self) -> &str {
        &self.node
    }

    pub fn lease_ms(&self) -> i64 {
        self.lease_ms
    }

    /// Something may be due sooner than the worker thinks, or an endpoint may take again what it did not.
    pub fn wake(&self) {
        self.is_look_wanted.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// How this node stands with an endpoint; `None`: it has had nothing to do with it lately.
    pub fn state_of(&self, app: &App, endpoint_id: &str) -> Option<Standing> {
        let terms = Terms::of(app, endpoint_id);
        self.lanes.lock().standing(endpoint_id, terms, Now::of(app))
    }

    /// Endpoints that this node leaves alone for a while, because they fail.
    pub fn left_alone(&self, app: &App) -> Vec<String> {
        self.lanes.lock().left_alone(app.clock.passed())
    }

    /// The endpoint has acknowledged what was no delivery.
    fn is_back(&self, app: &App, endpoint: &Endpoint, began: Duration) {
        let said = Said { since: Some(endpoint.heard_since), acknowledged: true, leave_alone: None };
        self.lanes.lock().heard(&endpoint.id, said, began, Now::of(app));
        self.wake.notify_one();
    }

    /// A place for a promise that is about to be written, if it can go out as soon as that is done.
    fn place(&self, app: &App, delivery: &delivery::Model) -> Option<Place> {
        if self.fresh.is_closed() {
            return None;
        }
        let terms = Terms::of(app, &delivery.endpoint_id);
        self.lanes.promise(&delivery.endpoint_id, &delivery.owner_id, terms, Now::of(app))
    }

    fn send_fresh(&self, fresh: Fresh) {
        if self.fresh.try_send(fresh).is_err() {
            tracing::info!("a promise was made while the worker ends; its lease will run out");
        }
    }

    /// Something is due, as the store knows by now: endpoint, its owner, and since when.
    fn is_due<'a>(&self, due: impl Iterator<Item = (&'a str, &'a str, i64)>, now: i64) {
        let mut lanes = self.lanes.lock();
        for (endpoint_id, owner_id, at) in due {
            lanes.due(endpoint_id, owner_id, at, now);
        }
        drop(lanes);
        self.wake.notify_one();
    }

    async fn woken(&self) {
        self.wake.notified().await;
    }

    fn take_look(&self) -> bool {
        self.is_look_wanted.swap(false, Ordering::Relaxed)
    }
}
