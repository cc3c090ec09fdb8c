//! The worker: starts fresh promises at once, and takes from the store what is due, as the endpoints' lanes allow. What
//! lies in the store is found by looking at it at the start, when somebody says so, and now and then; what this node
//! has promised or scheduled itself it knows without.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use sea_orm::EntityTrait;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::form::Original;
use super::lanes::{Now, Place, Spent, Terms};
use super::send::Made;
use super::{Fresh, due, failing, send};
use crate::app::App;
use crate::entity::{delivery, event};
use crate::ledger::{Claim, DeliveryMove, Lane, LedgerError, Moved};

/// Between two turns when the store could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Worker {
    app: Arc<App>,
    fresh: mpsc::Receiver<Fresh>,
    sends: JoinSet<Sent>,
    /// Fresh ones for endpoints to which as much is under way as they allow, by endpoint: each has its place.
    waiting: HashMap<String, VecDeque<Leased>>,
    /// The store is looked at again, and turns are tried again after a failure.
    look_at: Instant,
    retry_at: Option<Instant>,
}

/// A delivery under our lease, its place, and what its event tells if that is at hand.
struct Leased {
    delivery: delivery::Model,
    original: Option<Original>,
    /// At the latest.
    since: Instant,
    place: Place,
}

/// What a finished send leaves behind.
struct Sent {
    endpoint_id: String,
    owner_id: String,
    /// When this delivery, or what waited for its end, is due.
    due_at: Option<i64>,
}

impl Worker {
    pub fn new(app: Arc<App>, fresh: mpsc::Receiver<Fresh>) -> Self {
        let (sends, waiting) = (JoinSet::new(), HashMap::new());
        Self { app, fresh, sends, waiting, look_at: Instant::now(), retry_at: None }
    }

    /// Deliver until told to stop; then finish what is under way.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut is_turn = true;
        loop {
            if self.app.deliveries.take_look() || self.look_at <= Instant::now() {
                self.look().await;
                let app = Arc::clone(&self.app);
                self.app.tasks.spawn(async move { failing::write_down(&app).await });
                is_turn = true;
            }
            if is_turn {
                is_turn = self.turn().await;
            }
            let wait = if is_turn { Duration::ZERO } else { self.wait() };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(sent) = self.sends.join_next() => {
                    self.ended(sent);
                    is_turn = true;
                }
                Some(fresh) = self.fresh.recv() => self.start_fresh(fresh).await,
                () = self.app.deliveries.woken() => is_turn = true,
                () = tokio::time::sleep(wait) => is_turn = true,
            }
        }
        let waiting: Vec<Leased> = self.waiting.drain().flat_map(|(_, waiting)| waiting).collect();
        join_all(waiting.iter().map(|leased| release(&self.app, &leased.delivery))).await;
        while let Some(sent) = self.sends.join_next().await {
            self.ended(sent);
        }
        failing::write_down(&self.app).await;
    }

    /// Send all that is due now and may go out, and wait for it; returns how many attempts were made.
    pub async fn step(&mut self) -> usize {
        let mut made = 0;
        loop {
            while let Ok(fresh) = self.fresh.try_recv() {
                self.start_fresh(fresh).await;
            }
            self.look().await;
            while self.turn().await {}
            if self.sends.is_empty() {
                failing::write_down(&self.app).await;
                return made;
            }
            while let Some(sent) = self.sends.join_next().await {
                self.ended(sent);
                made += 1;
            }
        }
    }

    /// Until the next turn, if nothing happens.
    fn wait(&self) -> Duration {
        let until_look = self.look_at.saturating_duration_since(Instant::now());
        let retry = self.retry_at.map(|at| at.saturating_duration_since(Instant::now()));
        let next = self.app.deliveries.lanes.lock().next_turn();
        let next = next.map(|at| u64::try_from(at - self.app.clock.now_ms()).unwrap_or(0));
        let next = next.map(Duration::from_millis);
        [retry, next].into_iter().flatten().fold(until_look, Duration::min)
    }

    fn ended(&mut self, sent: Result<Sent, tokio::task::JoinError>) {
        let Ok(sent) = sent else {
            tracing::error!("a send ended by itself; its lease will run out");
            return;
        };
        if let Some(at) = sent.due_at {
            let now = self.app.clock.now_ms();
            self.app.deliveries.lanes.lock().due(&sent.endpoint_id, &sent.owner_id, at, now);
        }
        self.start_waiting(&sent.endpoint_id);
    }

    /// Start what waits for its endpoint, as far as that allows.
    fn start_waiting(&mut self, endpoint_id: &str) {
        let terms = Terms::of(&self.app, endpoint_id);
        while let Some(mut next) = self.waiting.get_mut(endpoint_id).and_then(VecDeque::pop_front) {
            let lanes = &self.app.deliveries.lanes;
            if !self.is_held(&next) {
                continue;
            }
            if !terms.is_open || !lanes.lock().is_closed(endpoint_id, self.app.clock.passed()) {
                let app = Arc::clone(&self.app);
                self.sends.spawn(async move { given_back(&app, next).await });
                continue;
            }
            if !next.place.begin(terms) {
                self.waiting.entry(endpoint_id.to_owned()).or_default().push_front(next);
                return;
            }
            self.send(next);
        }
        self.waiting.remove(endpoint_id);
    }

    /// A lease that may end while we send is nobody's: leave it to whoever finds it due.
    fn is_held(&self, leased: &Leased) -> bool {
        let deliveries = &self.app.config.deliveries;
        leased.since.elapsed() + deliveries.timeout < deliveries.lease
    }

    async fn start_fresh(&mut self, fresh: Fresh) {
        let Fresh { delivery, original, leased_at, place } = fresh;
        self.start(Leased { delivery, original: Some(original), since: leased_at, place }).await;
    }

    /// See in the store which endpoints have something due.
    async fn look(&mut self) {
        let deliveries = &self.app.deliveries;
        deliveries.take_look();
        self.look_at = Instant::now() + self.app.config.deliveries.idle_poll;
        let read = &self.app.store.read;
        let found = match due::by_endpoint(read).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "what is due could not be looked for");
                return;
            }
        };
        let abandoned = due::abandoned(read).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "leases that ran out could not be looked for");
            Vec::new()
        });
        let now = Now::of(&self.app);
        let mut lanes = deliveries.lanes.lock();
        lanes.tidy(now.passed);
        for found in found {
            if let Some(at) = found.due_at {
                lanes.due(&found.endpoint_id, &found.owner_id, at, now.ms);
            }
        }
        for (endpoint_id, owner_id) in abandoned {
            lanes.due(&endpoint_id, &owner_id, now.ms, now.ms);
        }
    }

    /// Take due deliveries from the store as the lanes allow, and send them. Whether there may be more.
    async fn turn(&mut self) -> bool {
        self.retry_at = None;
        let now = Now::of(&self.app);
        let config = &self.app.config.deliveries;
        let mut planned =
            self.app.deliveries.lanes.plan(now, config.claim_batch, |id| Terms::of(&self.app, id));
        if planned.is_empty() {
            return false;
        }
        let share = |(id, places): (&String, &Vec<Place>)| {
            (id.clone(), u32::try_from(places.len()).unwrap_or(u32::MAX))
        };
        let claim = Claim {
            lease: self.app.deliveries.node().to_owned(),
            now: now.ms,
            lease_ms: self.app.deliveries.lease_ms(),
            shares: planned.iter().map(share).collect(),
        };
        let (claimed, since) = match self.claim(claim).await {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "due deliveries could not be taken");
                self.retry_at = Some(Instant::now() + PAUSE);
                return false;
            }
        };
        for delivery in claimed {
            // More than was asked for is never given.
            let Some(place) = planned.get_mut(&delivery.endpoint_id).and_then(Vec::pop) else { continue };
            self.start(Leased { delivery, original: None, since, place }).await;
        }
        for (endpoint_id, left) in planned {
            if !left.is_empty() {
                drop(left);
                self.spent(&endpoint_id).await;
            }
        }
        true
    }

    async fn claim(&self, claim: Claim) -> Result<(Vec<delivery::Model>, Instant), LedgerError> {
        let room = self.app.ledger.room_when_free(Lane::Attempts, self.app.deliveries.node()).await?;
        let since = Instant::now();
        Ok((room.claim(claim).await?, since))
    }

    /// Nothing more was due to the endpoint.
    async fn spent(&self, endpoint_id: &str) {
        let spent = self.app.deliveries.lanes.lock().spent(endpoint_id);
        if let Spent::AskForNext { owner_id } = spent {
            match due::next_of(&self.app.store.read, endpoint_id).await {
                Ok(Some(at)) => {
                    let now = self.app.clock.now_ms();
                    self.app.deliveries.lanes.lock().due(endpoint_id, &owner_id, at, now);
                }
                Ok(None) => {}
                // The next look finds it.
                Err(error) => tracing::warn!(%error, "what is due next could not be looked for"),
            }
        }
    }

    /// Send under the endpoint's limit; what is beyond it waits.
    async fn start(&mut self, mut leased: Leased) {
        if !self.is_held(&leased) {
            return;
        }
        let endpoint_id = leased.delivery.endpoint_id.clone();
        if leased.place.begin(Terms::of(&self.app, &endpoint_id)) {
            self.send(leased);
        } else {
            self.waiting.entry(endpoint_id).or_default().push_back(leased);
        }
    }

    fn send(&mut self, leased: Leased) {
        let app = self.app.clone();
        self.sends.spawn(async move { send_one(&app, leased).await });
    }
}

/// Make the attempt and write what came of it.
async fn send_one(app: &App, leased: Leased) -> Sent {
    let Leased { delivery, original, place, .. } = leased;
    let began = app.clock.passed();
    let original = match original {
        Some(original) => original,
        None => match event::Entity::find_by_id(delivery.event_id.as_str()).one(&app.store.read).await {
            Ok(event) => event.map_or_else(
                || Original { at: delivery.created_at, content: String::new() },
                |event| Original { at: event.created_at, content: event.content },
            ),
            Err(error) => {
                tracing::warn!(%error, "an event could not be read");
                release(app, &delivery).await;
                return Sent::of(delivery, Some(app.clock.now_ms() + 1_000));
            }
        },
    };
    let Made { step, leave_alone } = send::attempt(app, &delivery, &original).await;
    if step.state == delivery::State::Exhausted {
        tracing::error!(delivery = %delivery.id, subject = %delivery.subject_id, attempts = step.attempts, "a delivery was given up");
    }
    if step.attempt.is_some() {
        let acknowledged = step.state == delivery::State::Delivered;
        let now = Now::of(app);
        let mut lanes = app.deliveries.lanes.lock();
        lanes.ended(&delivery.endpoint_id, acknowledged, began, now);
        if let Some(wait) = leave_alone {
            lanes.leave_alone(&delivery.endpoint_id, wait, now);
        }
        drop(lanes);
        app.deliveries.heard.note(&delivery.endpoint_id, acknowledged, app.clock.now_ms());
    }
    let written = write(app, step.clone()).await;
    let is_ours = written.as_ref().is_ok_and(|moved| moved.is_ours);
    app.metrics.attempts.note(&delivery, &step, is_ours);
    app.deliveries.services.note(app, &delivery, &step, is_ours);
    drop(place);
    if is_ours && step.outcome.as_deref() == Some(send::GONE) {
        failing::gone(app, &delivery.endpoint_id).await;
    }
    let due_at = match written {
        Ok(Moved { has_freed: true, .. }) => Some(app.clock.now_ms()),
        Ok(Moved { is_ours: true, .. }) => (step.state == delivery::State::Due).then_some(step.due_at),
        Ok(_) => {
            tracing::info!(delivery = %delivery.id, "an attempt ended after its lease; another node has the delivery");
            None
        }
        Err(error) => {
            tracing::warn!(delivery = %delivery.id, %error, "an attempt could not be written; the delivery will be sent again");
            None
        }
    };
    Sent::of(delivery, due_at)
}

impl Sent {
    fn of(delivery: delivery::Model, due_at: Option<i64>) -> Self {
        Self { endpoint_id: delivery.endpoint_id, owner_id: delivery.owner_id, due_at }
    }
}

async fn given_back(app: &App, leased: Leased) -> Sent {
    release(app, &leased.delivery).await;
    let Leased { delivery, place, .. } = leased;
    drop(place);
    let due_at = delivery.due_at;
    Sent::of(delivery, Some(due_at))
}

/// Give a delivery back as it was.
async fn release(app: &App, delivery: &delivery::Model) {
    if let Err(error) = write(app, send::unmoved(delivery)).await {
        tracing::warn!(delivery = %delivery.id, %error, "a lease could not be given back; it will run out");
    }
}

async fn write(app: &App, step: DeliveryMove) -> Result<Moved, LedgerError> {
    let room = app.ledger.room_when_free(Lane::Attempts, &step.delivery_id).await?;
    room.advance(step).await
}
