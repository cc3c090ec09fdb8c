//! The worker: starts fresh promises at once, looks for due ones when it has room, and keeps every endpoint
//! within its share, so that a dead one slows nobody.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Fresh, send};
use crate::app::App;
use crate::entity::{delivery, event};
use crate::ledger::{Claim, DeliveryMove, Lane, LedgerError};

/// Between two looks at the least, where something due cannot be had just now.
const LEAST_PAUSE_MS: i64 = 50;

/// Between two looks when the store could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Worker {
    app: Arc<App>,
    fresh: mpsc::Receiver<Fresh>,
    sends: JoinSet<Sent>,
    /// Attempts under way, by endpoint.
    under_way: HashMap<String, usize>,
    /// What is ours to send as soon as an attempt to its endpoint has ended, by endpoint: at most as many as are
    /// taken from the store at a time, and only for endpoints that are at their limit.
    waiting: HashMap<String, VecDeque<Leased>>,
}

/// A delivery under our lease, and its event's content if that is at hand.
struct Leased {
    delivery: delivery::Model,
    content: Option<String>,
    /// At the latest.
    since: Instant,
}

/// What a finished send leaves behind.
struct Sent {
    endpoint_id: String,
    /// When the delivery is due again.
    due_at: Option<i64>,
}

impl Worker {
    pub fn new(app: Arc<App>, fresh: mpsc::Receiver<Fresh>) -> Self {
        Self { app, fresh, sends: JoinSet::new(), under_way: HashMap::new(), waiting: HashMap::new() }
    }

    /// Deliver until told to stop; then finish what is under way.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut look_at = Some(self.app.clock.now_ms());
        loop {
            let wait = look_at.map_or(self.app.config.deliveries.idle_poll, |at| {
                let wait = Duration::from_millis(u64::try_from(at - self.app.clock.now_ms()).unwrap_or(0));
                wait.min(self.app.config.deliveries.idle_poll)
            });
            let has_room = self.has_room();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(sent) = self.sends.join_next() => {
                    let freed = self.ended(sent, &mut look_at);
                    // Due ones of this endpoint may have been left lying while it was at its limit.
                    if freed { look_at = Some(self.app.clock.now_ms()); }
                }
                Some(fresh) = self.fresh.recv(), if has_room => self.start_fresh(fresh).await,
                () = self.app.deliveries.woken(), if has_room => look_at = Some(self.app.clock.now_ms()),
                () = tokio::time::sleep(wait), if has_room => look_at = self.look().await,
            }
        }
        let waiting: Vec<Leased> = self.waiting.drain().flat_map(|(_, waiting)| waiting).collect();
        join_all(waiting.iter().map(|leased| release(&self.app, &leased.delivery))).await;
        while let Some(sent) = self.sends.join_next().await {
            self.ended(sent, &mut look_at);
        }
    }

    /// Send all that is due now and wait for it; returns how many attempts were made.
    pub async fn step(&mut self) -> usize {
        let mut made = 0;
        loop {
            while let Ok(fresh) = self.fresh.try_recv() {
                self.start_fresh(fresh).await;
            }
            self.look().await;
            if self.sends.is_empty() {
                return made;
            }
            while let Some(sent) = self.sends.join_next().await {
                self.ended(sent, &mut None);
                made += 1;
            }
        }
    }

    fn has_room(&self) -> bool {
        self.sends.len() < self.app.config.deliveries.max_in_flight
    }

    /// Whether the endpoint was at its limit until now, and is no longer.
    fn ended(&mut self, sent: Result<Sent, tokio::task::JoinError>, look_at: &mut Option<i64>) -> bool {
        let Ok(sent) = sent else {
            tracing::error!("a send ended by itself; its lease will run out");
            return false;
        };
        *look_at = match (*look_at, sent.due_at) {
            (Some(at), Some(due)) => Some(at.min(due)),
            (at, due) => at.or(due),
        };
        let limit = self.app.config.deliveries.max_in_flight_per_endpoint;
        let count = self.under_way.get(&sent.endpoint_id).copied().unwrap_or(1);
        if count > 1 {
            self.under_way.insert(sent.endpoint_id.clone(), count - 1);
        } else {
            self.under_way.remove(&sent.endpoint_id);
        }
        count >= limit && !self.start_waiting(&sent.endpoint_id)
    }

    /// Start the next one that waits for its endpoint; whether there was one.
    fn start_waiting(&mut self, endpoint_id: &str) -> bool {
        while let Some(waiting) = self.waiting.get_mut(endpoint_id) {
            let Some(next) = waiting.pop_front() else {
                self.waiting.remove(endpoint_id);
                break;
            };
            if self.is_held(&next) {
                self.send(next);
                return true;
            }
        }
        false
    }

    /// A lease that may end while we send is nobody's: leave it to whoever finds it due.
    fn is_held(&self, leased: &Leased) -> bool {
        let deliveries = &self.app.config.deliveries;
        leased.since.elapsed() + deliveries.timeout < deliveries.lease
    }

    async fn start_fresh(&mut self, fresh: Fresh) {
        let leased =
            Leased { delivery: fresh.delivery, content: Some(fresh.content), since: fresh.leased_at };
        if self.is_held(&leased) {
            self.start(leased).await;
        }
    }

    /// Take due deliveries from the store. Returns when to look again.
    async fn look(&mut self) -> Option<i64> {
        let now = self.app.clock.now_ms();
        match self.claim(now).await {
            Ok((taken, limit)) if taken >= limit => Some(now),
            Ok(_) => self.next_due().await.map(|due| due.max(now + LEAST_PAUSE_MS)),
            Err(error) => {
                tracing::warn!(%error, "due deliveries could not be taken");
                Some(now + i64::try_from(PAUSE.as_millis()).unwrap_or(1_000))
            }
        }
    }

    async fn claim(&mut self, now: i64) -> Result<(usize, usize), LedgerError> {
        let config = &self.app.config.deliveries;
        let limit = config.claim_batch.min(config.max_in_flight.saturating_sub(self.sends.len()));
        if limit == 0 {
            return Ok((0, 1));
        }
        let claim = Claim {
            lease: self.app.deliveries.node().to_owned(),
            now,
            lease_ms: self.app.deliveries.lease_ms(),
            limit: u64::try_from(limit).unwrap_or(u64::MAX),
            except_endpoints: self.full_endpoints(),
        };
        let room = self.app.ledger.room_when_free(Lane::Attempts, self.app.deliveries.node()).await?;
        let since = Instant::now();
        let claimed = room.claim(claim).await?;
        let taken = claimed.len();
        for delivery in claimed {
            self.start(Leased { delivery, content: None, since }).await;
        }
        Ok((taken, limit))
    }

    /// Endpoints that are at their limit: what is due to them waits until one of their attempts has ended.
    fn full_endpoints(&self) -> Vec<String> {
        let limit = self.app.config.deliveries.max_in_flight_per_endpoint;
        self.under_way.iter().filter(|(_, count)| **count >= limit).map(|(id, _)| id.clone()).collect()
    }

    async fn next_due(&self) -> Option<i64> {
        let next: Result<Option<Option<i64>>, _> = delivery::Entity::find()
            .select_only()
            .expr(Func::min(Expr::col(delivery::Column::DueAt)))
            .filter(delivery::Column::State.eq(delivery::State::Due))
            .filter(delivery::Column::Lease.is_null())
            .filter(delivery::Column::EndpointId.is_not_in(self.full_endpoints()))
            .into_tuple()
            .one(&self.app.store.read)
            .await;
        next.ok().flatten().flatten()
    }

    /// Send under the endpoint's limit; what is beyond it waits, and what is beyond that is given back.
    async fn start(&mut self, leased: Leased) {
        let config = &self.app.config.deliveries;
        let endpoint_id = &leased.delivery.endpoint_id;
        if self.under_way.get(endpoint_id).copied().unwrap_or_default() < config.max_in_flight_per_endpoint {
            self.send(leased);
            return;
        }
        let waiting = self.waiting.entry(endpoint_id.clone()).or_default();
        if waiting.len() < config.claim_batch {
            waiting.push_back(leased);
        } else {
            release(&self.app, &leased.delivery).await;
        }
    }

    fn send(&mut self, leased: Leased) {
        let Leased { delivery, content, .. } = leased;
        *self.under_way.entry(delivery.endpoint_id.clone()).or_default() += 1;
        let app = self.app.clone();
        self.sends.spawn(async move {
            let due_at = send_one(&app, &delivery, content).await;
            Sent { endpoint_id: delivery.endpoint_id, due_at }
        });
    }
}

/// Make the attempt and write what came of it. Returns when the delivery is due again.
async fn send_one(app: &App, delivery: &delivery::Model, content: Option<String>) -> Option<i64> {
    let content = match content {
        Some(content) => content,
        None => match event::Entity::find_by_id(delivery.event_id.as_str()).one(&app.store.read).await {
            Ok(event) => event.map(|event| event.content).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "an event could not be read");
                release(app, delivery).await;
                return Some(app.clock.now_ms() + 1_000);
            }
        },
    };
    let step = send::attempt(app, delivery, &content).await;
    let due_again = (step.state == delivery::State::Due).then_some(step.due_at);
    if step.state == delivery::State::Exhausted {
        tracing::error!(delivery = %delivery.id, subject = %delivery.subject_id, attempts = step.attempts, "a delivery was given up");
    }
    let written = write(app, step.clone()).await;
    app.metrics.attempts.note(delivery, &step, written == Ok(true));
    match written {
        Ok(true) => due_again,
        Ok(false) => {
            tracing::info!(delivery = %delivery.id, "an attempt ended after its lease; another node has the delivery");
            None
        }
        Err(error) => {
            tracing::warn!(delivery = %delivery.id, %error, "an attempt could not be written; the delivery will be sent again");
            None
        }
    }
}

/// Give a delivery back as it was.
async fn release(app: &App, delivery: &delivery::Model) {
    let step = DeliveryMove {
        delivery_id: delivery.id.clone(),
        outcome: delivery.outcome.clone(),
        is_superseded_by_paid: delivery.is_superseded_by_paid(),
        lease: delivery.lease.clone().unwrap_or_default(),
        attempt: None,
        state: delivery::State::Due,
        attempts: delivery.attempts,
        due_at: delivery.due_at,
        ended_at: None,
        sign_key_id: delivery.sign_key_id.clone(),
    };
    if let Err(error) = write(app, step).await {
        tracing::warn!(delivery = %delivery.id, %error, "a lease could not be given back; it will run out");
    }
}

async fn write(app: &App, step: DeliveryMove) -> Result<bool, LedgerError> {
    let room = app.ledger.room_when_free(Lane::Attempts, &step.delivery_id).await?;
    room.advance(step).await
}
