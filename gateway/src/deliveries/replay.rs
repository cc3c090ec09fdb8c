//! Deliveries made again: first a preview that counts and sends nothing, then, once somebody has seen the count, new
//! deliveries of the same events to the same endpoints at a pace (`run`), which can be paused, resumed and cancelled.

mod asked;
mod behind;
pub mod run;

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement, UpdateStatement};
use sea_orm::{
    ActiveEnum, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};
use serde_json::{Value, json};

use self::behind::Behind;
use super::select::{self, Scope, Wanted};
use crate::app::App;
use crate::directory::access::is_id;
use crate::entity::{delivery, endpoint, replay};
use crate::error::Error;
use crate::ledger::RowStatement;

pub use crate::entity::replay::State;

/// Deliveries that one replay may name.
pub const MOST_NAMED: usize = 1_000;
/// Deliveries a second.
pub const FASTEST: u32 = 1_000;

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub scope: Scope,
    pub wanted: Wanted,
    /// Pass over what has been acknowledged by the time it would be sent.
    pub skip: bool,
    /// Deliveries a second; `None`: the gateway's own.
    pub rate: Option<u32>,
    pub reason: String,
    /// `operator:NAME` or `api_key:ID`.
    pub asked_by: String,
}

/// Deliveries, merchants, endpoints, and when the oldest and the newest was promised.
type Counted = (i64, i64, i64, Option<i64>, Option<i64>);

/// Count what is asked for, and make the row of a replay that has not begun.
pub async fn preview(app: &App, ask: &Ask) -> Result<replay::Model, Error> {
    let rate = ask.rate.unwrap_or(app.config.deliveries.replay_rate);
    if !(1..=FASTEST).contains(&rate) {
        return Err(Error::invalid("/rate", format!("must be from 1 to {FASTEST}")));
    }
    let wanted = asked::checked(app, &ask.scope, &ask.wanted).await?;
    // What is promised from now on is not in it.
    let until_id = app.chance.id();
    let counted = select::originals(&ask.scope, &wanted).filter(delivery::Column::Id.lt(until_id.as_str()));
    let counted = if ask.skip { select::unacknowledged(counted) } else { counted };
    let unsendable = unsendable(app, counted.clone()).await?;
    let of = |column: delivery::Column| Expr::col((delivery::Entity, column));
    let row: Option<Counted> = counted
        .select_only()
        .expr(Func::count(of(delivery::Column::Id)))
        .expr(Func::count_distinct(of(delivery::Column::MerchantId)))
        .expr(Func::count_distinct(of(delivery::Column::EndpointId)))
        .expr(Func::min(of(delivery::Column::CreatedAt)))
        .expr(Func::max(of(delivery::Column::CreatedAt)))
        .into_tuple()
        .one(&app.store.read)
        .await?;
    let (total, merchants, endpoints, oldest_at, newest_at) = row.unwrap_or_default();
    Ok(replay::Model {
        id: app.chance.id(),
        platform_id: ask.scope.platform_id.clone(),
        merchant_id: ask.scope.merchant_id.clone(),
        mode: ask.scope.mode,
        asked_by: ask.asked_by.clone(),
        reason: ask.reason.clone(),
        wanted: serde_json::to_string(&wanted).expect("plain fields serialise"),
        until_id,
        skip: ask.skip,
        rate: rate.into(),
        state: State::Preview,
        total,
        merchants,
        endpoints,
        oldest_at,
        newest_at,
        after_id: String::new(),
        is_through: false,
        refused: 0,
        skipped: 0,
        version: 1,
        lease: None,
        leased_until: None,
        created_at: app.clock.now_ms(),
        started_at: None,
        ended_at: None,
        behind: Behind::default().text(),
        brought_forward: 0,
        unsendable,
    })
}

/// How many of `list` would go nowhere.
async fn unsendable(app: &App, list: Select<delivery::Entity>) -> Result<i64, Error> {
    let to_each: Vec<(String, String, i64)> = list
        .select_only()
        .column(delivery::Column::EndpointId)
        .column(delivery::Column::OwnerId)
        .expr(Func::count(Expr::col((delivery::Entity, delivery::Column::Id))))
        .group_by(delivery::Column::EndpointId)
        .group_by(delivery::Column::OwnerId)
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let mut count = 0;
    for (endpoint_id, owner_id, to_it) in to_each {
        let is_sendable = if let Some(endpoint) = app.directory.endpoint(&endpoint_id) {
            endpoint.is_proven && endpoint.owner_id() == owner_id
        } else {
            let found = endpoint::Entity::find_by_id(endpoint_id).one(&app.store.read).await?;
            found.is_some_and(|row| row.kind == endpoint::Kind::Implicit)
        };
        count += if is_sendable { 0 } else { to_it };
    }
    Ok(count)
}

/// What may be done to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// By somebody who has seen that so many are in it.
    Start {
        total: i64,
    },
    Pause,
    Resume,
    Cancel,
    Pace {
        rate: u32,
    },
}

impl Step {
    pub fn action(self) -> &'static str {
        match self {
            Self::Start { .. } => "replay.started",
            Self::Pause => "replay.paused",
            Self::Resume => "replay.resumed",
            Self::Cancel => "replay.cancelled",
            Self::Pace { .. } => "replay.paced",
        }
    }
}

/// The row after `step`; `None`: it stands so already.
pub fn stepped(row: &replay::Model, step: Step, now: i64) -> Result<Option<replay::Model>, Error> {
    let mut after = row.clone();
    let conflict = |code, detail: String| Err(Error::Conflict { code, detail, pointer: None });
    match (step, row.state) {
        (Step::Start { total }, State::Preview) => {
            if total != row.total {
                let detail = format!("The preview counted {}: start it with that `total`.", row.total);
                return conflict("another_total", detail);
            }
            (after.state, after.started_at) = (State::Running, Some(now));
        }
        (Step::Pause, State::Running) => after.state = State::Paused,
        (Step::Resume, State::Paused) => after.state = State::Running,
        (Step::Cancel, State::Preview | State::Running | State::Paused) => {
            (after.state, after.ended_at) = (State::Cancelled, Some(now));
        }
        (Step::Pace { rate }, State::Preview | State::Running | State::Paused) => {
            if !(1..=FASTEST).contains(&rate) {
                return Err(Error::invalid("/rate", format!("must be from 1 to {FASTEST}")));
            }
            after.rate = rate.into();
        }
        (Step::Pause, State::Paused)
        | (Step::Start { .. } | Step::Resume, State::Running)
        | (Step::Cancel, State::Cancelled) => {}
        _ => return conflict("replay_state", format!("It is {}.", row.state.to_value())),
    }
    if after == *row {
        return Ok(None);
    }
    after.version += 1;
    Ok(Some(after))
}

/// What has to be written for that, besides who did it. The first finds nothing where somebody was quicker.
pub fn statements(before: &replay::Model, after: &replay::Model) -> Vec<UpdateStatement> {
    let mut update = Query::update();
    update
        .table(replay::Entity)
        .value(replay::Column::State, after.state.to_value())
        .value(replay::Column::Rate, after.rate)
        .value(replay::Column::StartedAt, after.started_at)
        .value(replay::Column::EndedAt, after.ended_at)
        .value(replay::Column::Version, after.version)
        .and_where(this_version(before));
    let mut statements = vec![update.clone()];
    let now = after.ended_at.unwrap_or(0);
    match after.state {
        State::Paused => statements.push(park(&after.id)),
        State::Cancelled => statements.push(cancel(&after.id, now)),
        State::Running if before.state == State::Paused => statements.push(unpark(&after.id)),
        _ => {}
    }
    statements
}

pub fn this_version(row: &replay::Model) -> Expr {
    let version = Expr::col(replay::Column::Version).eq(row.version);
    Expr::col(replay::Column::Id).eq(row.id.as_str()).and(version)
}

pub fn stands(row: &replay::Model) -> SelectStatement {
    Query::select().expr(Expr::val(1)).from(replay::Entity).and_where(this_version(row)).to_owned()
}

/// Deliveries of the replay that nobody is at.
fn at_rest(id: &str, states: &[delivery::State]) -> UpdateStatement {
    Query::update()
        .table(delivery::Entity)
        .and_where(Expr::col(delivery::Column::ReplayId).eq(id))
        .and_where(Expr::col(delivery::Column::State).is_in(states.iter().map(ActiveEnum::to_value)))
        .and_where(Expr::col(delivery::Column::Lease).is_null())
        .to_owned()
}

fn park(id: &str) -> UpdateStatement {
    at_rest(id, &[delivery::State::Due, delivery::State::Waiting])
        .value(delivery::Column::State, delivery::State::Parked.to_value())
        .to_owned()
}

/// Of what is about one subject and goes to one endpoint only the first is due.
fn unpark(id: &str) -> UpdateStatement {
    let first = "CASE WHEN EXISTS (SELECT 1 FROM deliveries AS d WHERE d.subject_id = deliveries.subject_id \
        AND d.endpoint_id = deliveries.endpoint_id AND d.replay_id = deliveries.replay_id \
        AND d.sequence < deliveries.sequence AND d.state IN ('due', 'waiting', 'parked')) \
        THEN 'waiting' ELSE 'due' END";
    at_rest(id, &[delivery::State::Parked]).value(delivery::Column::State, Expr::cust(first)).to_owned()
}

fn cancel(id: &str, now: i64) -> UpdateStatement {
    at_rest(id, &[delivery::State::Due, delivery::State::Waiting, delivery::State::Parked])
        .value(delivery::Column::State, delivery::State::Cancelled.to_value())
        .value(delivery::Column::EndedAt, now)
        .to_owned()
}

/// How far one has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Promised anew and not ended.
    pub sending: i64,
    pub delivered: i64,
    /// Exhausted, or not sent.
    pub failed: i64,
    pub skipped: i64,
    /// Still on their way when it came to them, and sent at once.
    pub brought_forward: i64,
}

impl Progress {
    fn ended(&self) -> i64 {
        self.delivered + self.failed + self.skipped + self.brought_forward
    }
}

pub async fn progress(app: &App, row: &replay::Model) -> Result<Progress, DbErr> {
    use delivery::State::{Delivered, Due, Exhausted, Parked, Waiting};
    let counted: Vec<(delivery::State, i64)> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::State)
        .expr(Func::count(Expr::col(delivery::Column::ReplayId)))
        .filter(delivery::Column::ReplayId.eq(row.id.as_str()))
        .group_by(delivery::Column::State)
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let of = |states: &[delivery::State]| {
        counted.iter().filter(|(state, _)| states.contains(state)).map(|(_, count)| count).sum::<i64>()
    };
    // What is cancelled is not sent any more, but for what somebody is at.
    let sending =
        if row.state == State::Cancelled { under_way(app, row).await? } else { of(&[Due, Waiting, Parked]) };
    let (delivered, failed) = (of(&[Delivered]), of(&[Exhausted]) + row.refused);
    // What was acknowledged before the preview, which has not counted it, is passed over, too.
    let left = row.total - sending - delivered - failed - row.brought_forward;
    let skipped = Ord::min(row.skipped, Ord::max(left, 0));
    Ok(Progress { sending, delivered, failed, skipped, brought_forward: row.brought_forward })
}

async fn under_way(app: &App, row: &replay::Model) -> Result<i64, DbErr> {
    let count = delivery::Entity::find()
        .filter(delivery::Column::ReplayId.eq(row.id.as_str()))
        .filter(delivery::Column::Lease.is_not_null())
        .count(&app.store.read)
        .await?;
    Ok(i64::try_from(count).unwrap_or(i64::MAX))
}

/// How long what is left takes at its pace, in seconds.
pub fn takes_seconds(row: &replay::Model, progress: &Progress) -> u64 {
    if matches!(row.state, State::Done | State::Cancelled) {
        return 0;
    }
    let left = u64::try_from(row.total - progress.ended()).unwrap_or(0);
    left.div_ceil(Ord::max(u64::try_from(row.rate).unwrap_or(1), 1))
}

/// The one of this id among `list`.
pub async fn find(app: &App, list: Select<replay::Entity>, id: &str) -> Result<replay::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    list.filter(replay::Column::Id.eq(id)).one(&app.store.read).await?.ok_or(Error::NotFound)
}

/// What is on record of one.
pub fn state(row: &replay::Model) -> Value {
    json!({
        "state": row.state.to_value(), "reason": row.reason, "total": row.total, "rate": row.rate,
        "wanted": serde_json::from_str::<Value>(&row.wanted).unwrap_or_default(), "skipAcknowledged": row.skip,
    })
}

/// To be written with the row's first appearance.
pub fn insert(row: &replay::Model) -> RowStatement {
    crate::ledger::insert_rows::<replay::Entity>(std::slice::from_ref(row))
}

/// Newest first.
pub fn newest_first(list: Select<replay::Entity>) -> Select<replay::Entity> {
    list.order_by_desc(replay::Column::Id)
}
