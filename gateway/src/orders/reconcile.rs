//! Orders looked after when nobody asks: those whose answer is due and never came are called unknown, others are asked
//! about when their schedule says so, whichever gateway is first. A look is claimed by one guarded write that plans the
//! next one, before anything is asked: two gateways never ask twice for one look, and a crash loses one look at most.

mod look;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Notify;
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::attention::Matter;
use crate::entity::{attention, order, submission};
use crate::troubles;
pub(super) use look::overdue;
use look::{Outcome, claim, look};

/// Between two looks at what is due, at most: other gateways plan looks too.
const POLL_MS: i64 = 5_000;
/// Between two rounds at least, where what is due cannot be had just now.
const LEAST_PAUSE_MS: i64 = 20;
/// After the store could not be asked.
const PAUSE_MS: i64 = 1_000;
/// Between two looks at what is wrong with stores.
const TROUBLES_MS: i64 = 10_000;
/// An account whose budget is used up is let alone for so long at least, so that there is something to use then.
const LEAST_REST_MS: i64 = 250;
/// Accounts whose budget is used up that are remembered; beyond them all rest until one may be asked again.
const RESTING: usize = 500;

/// Wakes the worker for what is due before it would look by itself.
#[derive(Default)]
pub struct Wake {
    planned: AtomicI64,
    notify: Notify,
}

impl Wake {
    /// Something is due at `at`.
    pub fn by(&self, at: i64) {
        if at < self.planned.load(Ordering::Relaxed) {
            self.notify.notify_one();
        }
    }
}

pub struct Worker {
    app: Arc<App>,
    looks: JoinSet<Outcome>,
    /// The accounts of the looks under way, by task.
    accounts: HashMap<task::Id, String>,
    /// Looks under way, by account.
    under_way: HashMap<String, usize>,
    /// Accounts whose budget is used up, and until when they are let alone.
    resting: HashMap<String, i64>,
}

impl Worker {
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            looks: JoinSet::new(),
            accounts: HashMap::new(),
            under_way: HashMap::new(),
            resting: HashMap::new(),
        }
    }

    /// Look after orders until told to stop; then finish what is under way.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut round_at, mut troubles_at) = (self.now(), self.now());
        loop {
            self.app.wake.planned.store(round_at, Ordering::Relaxed);
            let wait = Duration::from_millis(u64::try_from(round_at - self.now()).unwrap_or(0));
            let (has_room, app) = (self.has_room(), Arc::clone(&self.app));
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(looked) = self.looks.join_next_with_id() => {
                    let was_full = !has_room || self.full_accounts().len() > self.resting.len();
                    self.ended(looked);
                    if was_full { round_at = self.now(); }
                    continue;
                }
                () = app.wake.notify.notified(), if has_room => {}
                () = tokio::time::sleep(wait), if has_room => {}
            }
            if troubles_at <= self.now() {
                troubles_at = self.now() + TROUBLES_MS;
                if let Err(error) = troubles::look_after(&self.app).await {
                    tracing::warn!(error = %format!("{error:#}"), "stores' troubles could not be looked after");
                }
            }
            round_at = match self.round().await {
                Ok(true) => self.now(),
                Ok(false) => self.next_round().await,
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "due orders could not be looked for");
                    self.now() + PAUSE_MS
                }
            };
        }
        while let Some(looked) = self.looks.join_next_with_id().await {
            self.ended(looked);
        }
    }

    /// Look after all that is due now and wait for it; returns how many orders were.
    pub async fn step(&mut self) -> anyhow::Result<usize> {
        troubles::look_after(&self.app).await?;
        let mut made = 0;
        loop {
            self.round().await?;
            if self.looks.is_empty() {
                return Ok(made);
            }
            while let Some(looked) = self.looks.join_next_with_id().await {
                made += usize::from(self.ended(looked));
            }
        }
    }

    fn now(&self) -> i64 {
        self.app.clock.now_ms()
    }

    fn has_room(&self) -> bool {
        self.looks.len() < self.app.config.reconcile.concurrency
    }

    fn per_account(&self) -> usize {
        (self.app.config.reconcile.concurrency / 2).max(1)
    }

    /// Whether the order was looked at; else it is due again.
    fn ended(&mut self, looked: Result<(task::Id, Outcome), task::JoinError>) -> bool {
        let (id, outcome) = match looked {
            Ok((id, outcome)) => (id, Some(outcome)),
            Err(error) => {
                tracing::error!(%error, "a look at an order ended by itself; the next one is planned");
                (error.id(), None)
            }
        };
        let Some(account_id) = self.accounts.remove(&id) else { return false };
        self.let_go(&account_id);
        if let Some(Outcome::Over(wait)) = outcome {
            let until = self.now() + Ord::max(wait, LEAST_REST_MS);
            self.resting.insert(account_id, until);
        }
        matches!(outcome, Some(Outcome::Looked))
    }

    /// One look fewer is under way for the account.
    fn let_go(&mut self, account_id: &str) {
        match self.under_way.get_mut(account_id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.under_way.remove(account_id)),
        }
    }

    /// Claim what is due, as far as there is room, and start to look at it. Whether there may be more.
    async fn round(&mut self) -> anyhow::Result<bool> {
        let now = self.now();
        self.resting.retain(|_, until| now < *until);
        let room = self.app.config.reconcile.concurrency - self.looks.len();
        if room == 0 || self.resting.len() >= RESTING {
            return Ok(false);
        }
        let (due, per_account) = (self.due(now, room).await?, self.per_account());
        let is_more = due.len() == room;
        let mut ours = Vec::new();
        for (order, account_id) in due {
            let count = self.under_way.entry(account_id.clone()).or_default();
            if *count < per_account {
                *count += 1;
                ours.push((order, account_id));
            }
        }
        let claims = ours.iter().map(|(order, _)| claim(&self.app, order, now));
        let claims = futures_util::future::join_all(claims).await;
        let mut failure = None;
        for ((_, account_id), claimed) in ours.into_iter().zip(claims) {
            let app = Arc::clone(&self.app);
            match claimed {
                Ok(Some(claimed)) => {
                    let id = self.looks.spawn(async move { look(&app, claimed).await }).id();
                    self.accounts.insert(id, account_id);
                }
                Ok(None) => self.let_go(&account_id), // another gateway was quicker, or something came meanwhile
                Err(error) => {
                    self.let_go(&account_id);
                    failure = Some(error);
                }
            }
        }
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(is_more),
        }
    }

    /// Orders that are due, the longest due first, each with the account it is placed under. None of stores whose
    /// credentials are refused, nor of accounts that have had their share for now.
    async fn due(&self, now: i64, limit: usize) -> anyhow::Result<Vec<(order::Model, String)>> {
        let mut due = order::Entity::find()
            .filter(order::Column::LookAt.lt(now))
            .filter(Expr::exists(failing()).not())
            .order_by_asc(order::Column::LookAt)
            .limit(u64::try_from(limit).unwrap_or(u64::MAX));
        let full = self.full_accounts();
        if !full.is_empty() {
            let of_them = Query::select()
                .expr(Expr::val(1))
                .from(submission::Entity)
                .and_where(
                    Expr::col((submission::Entity, submission::Column::Id))
                        .equals((order::Entity, order::Column::SubmissionId)),
                )
                .and_where(Expr::col((submission::Entity, submission::Column::AccountId)).is_in(full))
                .to_owned();
            due = due.filter(Expr::exists(of_them).not());
        }
        let due = due.all(&self.app.store.read).await?;
        let ids = due.iter().map(|order| order.submission_id.as_str());
        let submissions = submission::Entity::by_ids(ids).all(&self.app.store.read).await?;
        let accounts: HashMap<String, String> =
            submissions.into_iter().map(|submission| (submission.id, submission.account_id)).collect();
        let with_account = |order: order::Model| {
            let account_id = accounts.get(&order.submission_id)?.clone();
            Some((order, account_id))
        };
        Ok(due.into_iter().filter_map(with_account).collect())
    }

    /// Accounts that are not to be asked just now.
    fn full_accounts(&self) -> Vec<String> {
        let full = self.under_way.iter().filter(|(_, count)| **count >= self.per_account());
        full.map(|(id, _)| id).chain(self.resting.keys()).cloned().collect()
    }

    /// When to look for due orders again.
    async fn next_round(&self) -> i64 {
        let now = self.now();
        let next: Result<Option<Option<i64>>, _> = order::Entity::find()
            .select_only()
            .expr(Func::min(Expr::col(order::Column::LookAt)))
            .filter(order::Column::LookAt.gte(now))
            .into_tuple()
            .one(&self.app.store.read)
            .await;
        let due = next.ok().flatten().flatten().map(|look_at| look_at + 1);
        let rested = self.resting.values().min().copied();
        let next = due.into_iter().chain(rested).min().unwrap_or(now + POLL_MS);
        next.clamp(now + LEAST_PAUSE_MS, now + POLL_MS)
    }
}

/// That the store of an order is one whose credentials are refused.
fn failing() -> sea_orm::sea_query::SelectStatement {
    use attention::Column::{EndedAt, Kind, SubjectId};
    Query::select()
        .expr(Expr::val(1))
        .from(attention::Entity)
        .and_where(Expr::col((attention::Entity, Kind)).eq(Matter::StoreCredentialsFailing.as_str()))
        .and_where(Expr::col((attention::Entity, SubjectId)).equals((order::Entity, order::Column::StoreId)))
        .and_where(Expr::col((attention::Entity, EndedAt)).is_null())
        .to_owned()
}

/// Look after all orders that are due now; returns how many were.
pub async fn sweep(app: &Arc<App>) -> anyhow::Result<usize> {
    Worker::new(Arc::clone(app)).step().await
}
