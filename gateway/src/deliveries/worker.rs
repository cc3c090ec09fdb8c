//! The worker: starts fresh promises at once, and takes from the store what is due, as the endpoints' lanes allow. What
//! lies in the store is found by looking at it at the start, when somebody says so, and now and then; what this node
//! has promised or scheduled itself it knows without.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::form::Original;
use super::lanes::{Now, Place, Terms};
use super::send::Made;
use super::{Fresh, Said, due, failing, send};
use crate::app::App;
use crate::entity::delivery;
use crate::ledger::{DeliveryMove, Lane, LedgerError, Moved};

mod taking;

/// Between two turns when the store could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Worker {
    app: Arc<App>,
    fresh: mpsc::Receiver<Fresh>,
    /// What is being taken from the store: one turn at a time, and what there is room for meanwhile waits for the next.
    takes: JoinSet<Result<Vec<Leased>, LedgerError>>,
    /// Attempts that are being made…
    sends: JoinSet<Answered>,
    /// …and what came of them, while it is written.
    writes: JoinSet<Sent>,
    /// Fresh ones for endpoints to which as much is under way as they allow, by endpoint: each has its place.
    waiting: HashMap<String, VecDeque<Leased>>,
    /// The store is looked at again, and turns are tried again after a failure.
    look_at: Instant,
    retry_at: Option<Instant>,
}

/// A delivery under our lease, its place, and what its event tells.
struct Leased {
    delivery: delivery::Model,
    original: Original,
    /// At the latest.
    since: Instant,
    place: Place,
}

/// An attempt that was made.
struct Answered {
    delivery: delivery::Model,
    place: Place,
    step: DeliveryMove,
    said: Option<Said>,
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
        Self {
            app,
            fresh,
            takes: JoinSet::new(),
            sends: JoinSet::new(),
            writes: JoinSet::new(),
            waiting: HashMap::new(),
            look_at: Instant::now(),
            retry_at: None,
        }
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
                self.turn();
                is_turn = false;
            }
            let wait = self.wait();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(answered) = self.sends.join_next() => {
                    self.answered(answered);
                    is_turn = true;
                }
                Some(sent) = self.writes.join_next() => {
                    self.ended(sent);
                    is_turn = true;
                }
                Some(fresh) = self.fresh.recv() => self.start_fresh(fresh),
                Some(taken) = self.takes.join_next() => {
                    self.taken(taken);
                    is_turn = true;
                }
                () = self.app.deliveries.woken() => is_turn = true,
                () = tokio::time::sleep(wait) => is_turn = true,
            }
        }
        let mut given_back: Vec<Leased> = self.waiting.drain().flat_map(|(_, waiting)| waiting).collect();
        while let Some(taken) = self.takes.join_next().await {
            given_back.extend(taken.ok().and_then(Result::ok).into_iter().flatten());
        }
        join_all(given_back.iter().map(|leased| release(&self.app, &leased.delivery))).await;
        while let Some(answered) = self.sends.join_next().await {
            self.answered(answered);
        }
        while let Some(sent) = self.writes.join_next().await {
            self.ended(sent);
        }
        failing::write_down(&self.app).await;
    }

    /// Send all that is due now and may go out, and wait for it; returns how many attempts were made.
    pub async fn step(&mut self) -> usize {
        let mut made = 0;
        loop {
            while let Ok(fresh) = self.fresh.try_recv() {
                self.start_fresh(fresh);
            }
            self.look().await;
            while self.turn() {
                while let Some(taken) = self.takes.join_next().await {
                    self.taken(taken);
                }
            }
            if self.sends.is_empty() && self.writes.is_empty() {
                failing::write_down(&self.app).await;
                return made;
            }
            while let Some(answered) = self.sends.join_next().await {
                self.answered(answered);
            }
            while let Some(sent) = self.writes.join_next().await {
                self.ended(sent);
                made += 1;
            }
        }
    }

    /// Until the next turn, if nothing happens.
    fn wait(&self) -> Duration {
        let until_look = self.look_at.saturating_duration_since(Instant::now());
        let until_turn = match self.retry_at {
            _ if !self.takes.is_empty() => None,
            Some(retry_at) => Some(retry_at.saturating_duration_since(Instant::now())),
            None => {
                let next = self.app.deliveries.lanes.lock().next_turn();
                let wait = next.map(|at| u64::try_from(at - self.app.clock.now_ms()).unwrap_or(0));
                wait.map(Duration::from_millis)
            }
        };
        until_turn.map_or(until_look, |wait| wait.min(until_look))
    }

    /// The receiver has room again, whatever is still to be written.
    fn answered(&mut self, answered: Result<Answered, tokio::task::JoinError>) {
        let Ok(mut answered) = answered else {
            tracing::error!("a send ended by itself; its lease will run out");
            return;
        };
        answered.place.answered();
        let endpoint_id = answered.delivery.endpoint_id.clone();
        let app = Arc::clone(&self.app);
        self.writes.spawn(async move { write_down(&app, answered).await });
        self.start_waiting(&endpoint_id);
    }

    fn ended(&mut self, sent: Result<Sent, tokio::task::JoinError>) {
        let Ok(sent) = sent else {
            tracing::error!("an attempt was not written down; its lease will run out");
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
                self.writes.spawn(async move { given_back(&app, next).await });
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

    fn start_fresh(&mut self, fresh: Fresh) {
        let Fresh { delivery, original, leased_at, place } = fresh;
        self.start(Leased { delivery, original, since: leased_at, place });
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

    /// Begin to take due deliveries from the store as the lanes allow. Whether there may be any.
    fn turn(&mut self) -> bool {
        if !self.takes.is_empty() || self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        self.retry_at = None;
        let now = Now::of(&self.app);
        let most = self.app.config.deliveries.claim_batch;
        let planned = self.app.deliveries.lanes.plan(now, most, |id| Terms::of(&self.app, id));
        if planned.is_empty() {
            return false;
        }
        let app = Arc::clone(&self.app);
        self.takes.spawn(async move { taking::take(&app, planned, now).await });
        true
    }

    fn taken(&mut self, taken: Result<Result<Vec<Leased>, LedgerError>, tokio::task::JoinError>) {
        match taken {
            Ok(Ok(leased)) => leased.into_iter().for_each(|leased| self.start(leased)),
            Ok(Err(error)) => {
                tracing::warn!(%error, "due deliveries could not be taken");
                self.retry_at = Some(Instant::now() + PAUSE);
            }
            Err(_) => tracing::error!("taking what is due ended by itself; leases will run out"),
        }
    }

    /// Send under the endpoint's limit; what is beyond it waits.
    fn start(&mut self, mut leased: Leased) {
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

/// Make the attempt.
async fn send_one(app: &App, leased: Leased) -> Answered {
    let Leased { delivery, original, place, .. } = leased;
    let began = app.clock.passed();
    let Made { step, said } = send::attempt(app, &delivery, &original).await;
    if step.state == delivery::State::Exhausted {
        tracing::error!(delivery = %delivery.id, subject = %delivery.subject_id, attempts = step.attempts, "a delivery was given up");
    }
    if let Some(said) = said {
        let now = Now::of(app);
        app.deliveries.lanes.lock().heard(&delivery.endpoint_id, said, began, now);
        app.deliveries.heard.note(&delivery.endpoint_id, said, now.ms);
    }
    Answered { delivery, place, step, said }
}

/// Write what came of it.
async fn write_down(app: &App, answered: Answered) -> Sent {
    let Answered { delivery, place, step, said } = answered;
    let written = write(app, step.clone()).await;
    let is_ours = written.as_ref().is_ok_and(|moved| moved.is_ours);
    app.metrics.attempts.note(&delivery, &step, is_ours);
    app.deliveries.services.note(app, &delivery, &step, is_ours);
    drop(place);
    if let Some(said) = said {
        failing::quiet(app, &delivery.endpoint_id, said).await;
    }
    if let Some(said) = said.filter(|_| is_ours && step.outcome.as_deref() == Some(send::GONE)) {
        failing::gone(app, &delivery.endpoint_id, said).await;
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
