//! The runner: takes what a running replay is about, page by page, and promises it anew at the replay's pace. A page and
//! the places behind it are written together, so what is on record as promised is never promised twice, and one node at a
//! time is at a replay.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, UpdateStatement};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::behind::{Behind, Lying, Stretch};
use super::{Scope, State, Wanted, cancel, park};
use crate::app::App;
use crate::deliveries::{promise, select};
use crate::entity::{delivery, journal, replay};
use crate::ledger::{Lane, RowStatement, insert_rows};
use crate::orders::journal::{Kind, entry};
use crate::orders::tell;

/// Replays that there is something to be done about. Most that were ever cancelled have nothing on its way any more.
const AT_WORK: &str = "state IN ('running', 'paused', 'cancelled') AND (state <> 'cancelled' OR EXISTS (\
    SELECT 1 FROM deliveries AS d WHERE d.replay_id = replays.id AND d.state IN ('due', 'waiting')))";

/// Between two looks while something is running.
const TICK: Duration = Duration::from_millis(200);
/// …and while nothing is.
const IDLE: Duration = Duration::from_secs(2);
/// Of a node that died, others take over after this.
const LEASE_MS: i64 = 15_000;
/// Deliveries promised anew in one transaction.
const PAGE: u64 = 250;

pub struct Runner {
    app: Arc<App>,
    /// What each running replay may still send of this second.
    pace: HashMap<String, Pace>,
}

struct Pace {
    left: f64,
    at: Duration,
}

impl Runner {
    pub fn new(app: Arc<App>) -> Self {
        Self { app, pace: HashMap::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let wait = match self.step().await {
                Ok(true) => TICK,
                Ok(false) => IDLE,
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "replays could not go on");
                    IDLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.app.replays.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Go on with each replay as far as its pace lets it. Whether any is running.
    pub async fn step(&mut self) -> anyhow::Result<bool> {
        let rows = replay::Entity::find()
            .filter(Expr::cust(AT_WORK))
            .order_by_asc(replay::Column::Id)
            .all(&self.app.store.read)
            .await?;
        let running: Vec<&replay::Model> = rows.iter().filter(|row| row.state == State::Running).collect();
        self.pace.retain(|id, _| running.iter().any(|row| row.id == *id));
        let is_any = !running.is_empty();
        for row in rows {
            match row.state {
                State::Running => self.advance(row).await?,
                State::Paused | State::Cancelled => self.keep_still(&row).await?,
                State::Preview | State::Done => {}
            }
        }
        Ok(is_any)
    }

    /// What somebody was at when it was paused or cancelled comes back as due when that fails.
    async fn keep_still(&self, row: &replay::Model) -> anyhow::Result<()> {
        let due = delivery::Entity::find()
            .filter(delivery::Column::ReplayId.eq(row.id.as_str()))
            .filter(delivery::Column::State.is_in([delivery::State::Due, delivery::State::Waiting]))
            .filter(delivery::Column::Lease.is_null())
            .limit(1)
            .count(&self.app.store.read)
            .await?;
        if due == 0 {
            return Ok(());
        }
        let now = self.app.clock.now_ms();
        let still = if row.state == State::Paused { park(&row.id) } else { cancel(&row.id, now) };
        let room = self.app.ledger.room_when_free(Lane::Bulk, &row.id).await?;
        room.rows(vec![RowStatement::Update(still)]).await?;
        Ok(())
    }

    async fn advance(&mut self, row: replay::Model) -> anyhow::Result<()> {
        let Some(mut row) = self.leased(row).await? else { return Ok(()) };
        let mut lying = self.lying(&row).await?;
        loop {
            if row.is_through {
                if lying.is_none() {
                    self.end(&row).await?;
                }
                return Ok(());
            }
            let Some(room) =
                [self.allowed(&row), PAGE, lying.most].into_iter().min().filter(|room| *room > 0)
            else {
                return Ok(());
            };
            let Some(stretch) = Stretch::next(&row, Behind::parse(&row.behind)?, &lying) else {
                return Ok(());
            };
            let Some(after) = self.page(&row, &stretch, room, &mut lying).await? else { return Ok(()) };
            row = after;
        }
    }

    /// How much is on its way, by endpoint.
    async fn lying(&self, row: &replay::Model) -> anyhow::Result<Lying> {
        use delivery::State::{Due, Parked, Waiting};
        let counted: Vec<(String, i64)> = delivery::Entity::find()
            .select_only()
            .column(delivery::Column::EndpointId)
            .expr(Func::count(Expr::col(delivery::Column::EndpointId)))
            .filter(delivery::Column::ReplayId.eq(row.id.as_str()))
            .filter(delivery::Column::State.is_in([Due, Waiting, Parked]))
            .group_by(delivery::Column::EndpointId)
            .into_tuple()
            .all(&self.app.store.read)
            .await?;
        let by_endpoint =
            counted.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or(0))).collect();
        Ok(Lying { by_endpoint, most: self.app.config.deliveries.replay_ahead.into() })
    }

    /// How many may go out now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between nothing and the rate"
    )]
    fn allowed(&mut self, row: &replay::Model) -> u64 {
        let (now, rate) = (self.app.clock.passed(), f64::from(u32::try_from(row.rate).unwrap_or(1)));
        let pace = self.pace.entry(row.id.clone()).or_insert(Pace { left: rate, at: now });
        pace.left = (pace.left + rate * now.saturating_sub(pace.at).as_secs_f64()).min(rate);
        pace.at = now;
        pace.left as u64
    }

    /// The row under our lease; `None`: another node has it, or it has changed.
    async fn leased(&self, row: replay::Model) -> anyhow::Result<Option<replay::Model>> {
        let (now, node) = (self.app.clock.now_ms(), self.app.deliveries.node());
        let is_ours = row.lease.as_deref() == Some(node);
        if is_ours && row.leased_until.is_some_and(|until| until - now > LEASE_MS / 2) {
            return Ok(Some(row));
        }
        if !is_ours && row.leased_until.is_some_and(|until| until > now) {
            return Ok(None);
        }
        let free = Expr::col(replay::Column::Lease)
            .is_null()
            .or(Expr::col(replay::Column::Lease).eq(node))
            .or(Expr::col(replay::Column::LeasedUntil).lte(now));
        let take = Query::update()
            .table(replay::Entity)
            .value(replay::Column::Lease, node)
            .value(replay::Column::LeasedUntil, now + LEASE_MS)
            .and_where(Expr::col(replay::Column::Id).eq(row.id.as_str()))
            .and_where(Expr::col(replay::Column::State).eq(State::Running.to_value()))
            .and_where(free)
            .to_owned();
        let room = self.app.ledger.room_when_free(Lane::Bulk, &row.id).await?;
        room.rows(vec![RowStatement::Update(take)]).await?;
        let again = replay::Entity::find_by_id(row.id.as_str()).one(&self.app.store.read).await?;
        Ok(again.filter(|row| row.lease.as_deref() == Some(node) && row.state == State::Running))
    }

    /// See to the next `room` of a stretch. The row behind them; `None`: it is not ours any more.
    async fn page(
        &mut self,
        row: &replay::Model,
        stretch: &Stretch,
        room: u64,
        lying: &mut Lying,
    ) -> anyhow::Result<Option<replay::Model>> {
        let app = Arc::clone(&self.app);
        let wanted: Wanted = serde_json::from_str(&row.wanted)?;
        let found = self.found(row, &wanted, stretch, room).await?;
        let kept = if row.skip { self.still_wanted(&found).await? } else { found.clone() };
        let (now, passed_over) = (app.clock.now_ms(), found.len() - kept.len());
        let is_recovery = matches!(wanted, Wanted::Missed(_));
        let (open, ended): (Vec<_>, Vec<_>) = kept.iter().partition(|one| is_recovery && is_on_its_way(one));
        let (sent, refused): (Vec<_>, Vec<_>) = ended.into_iter().partition(|one| may_be_sent(&app, one));
        let mut after = row.clone();
        let last = found.last().filter(|_| found.len() as u64 == room);
        stretch.seen(&mut after, last.map(|last| last.id.as_str()));
        after.skipped += i64::try_from(passed_over)?;
        after.refused += i64::try_from(refused.len())?;
        after.brought_forward += i64::try_from(open.len())?;
        let anew: Vec<delivery::Model> = sent.iter().map(|one| again(&app, one, row, now)).collect();
        let forward = Query::update()
            .table(replay::Entity)
            .value(replay::Column::AfterId, after.after_id.as_str())
            .value(replay::Column::Behind, after.behind.as_str())
            .value(replay::Column::IsThrough, after.is_through)
            .value(replay::Column::Skipped, after.skipped)
            .value(replay::Column::Refused, after.refused)
            .value(replay::Column::BroughtForward, after.brought_forward)
            .and_where(Expr::col(replay::Column::Id).eq(row.id.as_str()))
            .and_where(Expr::col(replay::Column::AfterId).eq(row.after_id.as_str()))
            .and_where(Expr::col(replay::Column::Behind).eq(row.behind.as_str()))
            .and_where(Expr::col(replay::Column::State).eq(State::Running.to_value()))
            .and_where(Expr::col(replay::Column::Lease).eq(app.deliveries.node()))
            .to_owned();
        let mut statements = vec![RowStatement::Provided(forward)];
        if !open.is_empty() {
            statements.push(RowStatement::Update(bring_forward(&open, now)));
        }
        for one in &anew {
            lying.more(&one.endpoint_id);
        }
        let taken = open.len() + anew.len();
        if !anew.is_empty() {
            let notes = notes(&app, row, &anew, now);
            statements.push(RowStatement::Promise(anew));
            if !notes.is_empty() {
                statements.push(insert_rows::<journal::Entity>(&notes));
            }
        }
        let ledger = app.ledger.room_when_free(Lane::Bulk, &row.id).await?;
        ledger.rows(statements).await?;
        if let Some(pace) = self.pace.get_mut(&row.id) {
            #[expect(clippy::cast_precision_loss, reason = "a page is small")]
            let taken = taken as f64;
            pace.left -= taken;
        }
        app.deliveries.wake();
        let stands = replay::Entity::find_by_id(row.id.as_str()).one(&app.store.read).await?;
        let is_ours = |now: &replay::Model| {
            now.after_id == after.after_id && now.behind == after.behind && now.state == State::Running
        };
        Ok(stands.filter(is_ours))
    }

    /// The next originals of a stretch.
    async fn found(
        &self,
        row: &replay::Model,
        wanted: &Wanted,
        stretch: &Stretch,
        room: u64,
    ) -> anyhow::Result<Vec<delivery::Model>> {
        let scope = Scope {
            platform_id: row.platform_id.clone(),
            merchant_id: row.merchant_id.clone(),
            mode: row.mode,
        };
        let list = select::originals(&scope, wanted)
            .filter(delivery::Column::Id.gt(stretch.after.as_str()))
            .filter(delivery::Column::Id.lte(stretch.until.as_str()))
            .order_by_asc(delivery::Column::Id)
            .limit(room);
        let list = match &stretch.endpoint {
            Some(endpoint_id) => list.filter(delivery::Column::EndpointId.eq(endpoint_id.as_str())),
            None if stretch.behind.is_empty() => list,
            None => list.filter(delivery::Column::EndpointId.is_not_in(stretch.behind.endpoints())),
        };
        Ok(list.all(&self.app.store.read).await?)
    }

    /// Without what has been acknowledged meanwhile.
    async fn still_wanted(&self, found: &[delivery::Model]) -> anyhow::Result<Vec<delivery::Model>> {
        let ids = found.iter().map(|one| one.id.as_str());
        let list = delivery::Entity::find().filter(delivery::Column::Id.is_in(ids));
        let open = select::unacknowledged(list).order_by_asc(delivery::Column::Id);
        Ok(open.all(&self.app.store.read).await?)
    }

    async fn end(&self, row: &replay::Model) -> anyhow::Result<()> {
        let now = self.app.clock.now_ms();
        let end = Query::update()
            .table(replay::Entity)
            .value(replay::Column::State, State::Done.to_value())
            .value(replay::Column::EndedAt, now)
            .value(replay::Column::Version, row.version + 1)
            .and_where(super::this_version(row))
            .and_where(Expr::col(replay::Column::State).eq(State::Running.to_value()))
            .to_owned();
        let room = self.app.ledger.room_when_free(Lane::Bulk, &row.id).await?;
        room.rows(vec![RowStatement::Update(end)]).await?;
        tracing::info!(replay = %row.id, "a replay is done");
        Ok(())
    }
}

/// To the original endpoint only, and only while that is the same owner's and its URL is proven.
fn may_be_sent(app: &App, original: &delivery::Model) -> bool {
    match app.directory.endpoint(&original.endpoint_id) {
        Some(endpoint) => endpoint.owner_id() == original.owner_id && endpoint.is_proven,
        // An order's notifyUrl is the order's for good; what is neither was deleted.
        None => promise::implicit_id(&original.merchant_id, &original.url) == original.endpoint_id,
    }
}

/// It waits for an attempt, or for what is before it.
fn is_on_its_way(original: &delivery::Model) -> bool {
    matches!(original.state, delivery::State::Due | delivery::State::Waiting)
}

/// Those of them that nobody is at have their next attempt now.
fn bring_forward(open: &[&delivery::Model], now: i64) -> UpdateStatement {
    Query::update()
        .table(delivery::Entity)
        .value(delivery::Column::DueAt, now)
        .and_where(Expr::col(delivery::Column::Id).is_in(open.iter().map(|one| one.id.as_str())))
        .and_where(Expr::col(delivery::Column::State).eq(delivery::State::Due.to_value()))
        .and_where(Expr::col(delivery::Column::DueAt).gt(now))
        .and_where(Expr::col(delivery::Column::Lease).is_null())
        .to_owned()
}

/// The same event to the same endpoint.
fn again(app: &App, original: &delivery::Model, row: &replay::Model, now: i64) -> delivery::Model {
    delivery::Model {
        id: app.chance.id(),
        replay_id: Some(row.id.clone()),
        bulk: true,
        state: delivery::State::Due,
        attempts: 0,
        outcome: None,
        due_at: now,
        lease: None,
        leased_until: None,
        created_at: now,
        ended_at: None,
        ..original.clone()
    }
}

/// On record with each order, once in a page.
fn notes(app: &App, row: &replay::Model, anew: &[delivery::Model], now: i64) -> Vec<journal::Model> {
    let mut orders: Vec<&str> = anew
        .iter()
        .filter(|one| tell::Kind::parse(&one.kind).is_some_and(tell::Kind::is_of_order))
        .map(|one| one.subject_id.as_str())
        .collect();
    orders.sort_unstable();
    orders.dedup();
    let note = json!({ "replay": row.id, "by": row.asked_by, "reason": row.reason });
    let entry = |order: &str| journal::Model {
        submission_id: None,
        ..entry(app.chance.id(), order, "", now, Kind::Replayed, &note)
    };
    orders.into_iter().map(entry).collect()
}
