//! What waits in the store, and since when: for detailed health and for monitoring. It concerns all tenants, and names
//! none.

use std::collections::HashSet;

use sea_orm::sea_query::{Expr, Func};
use sea_orm::{
    ActiveEnum, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select,
};
use shared::order::OrderStatus;

use crate::app::App;
use crate::attention::Matter;
use crate::deliveries::due;
use crate::directory::master;
use crate::entity::{attention, delivery, endpoint, order, quarantine};

pub struct Waiting {
    /// Not acknowledged yet, to endpoints that take something.
    pub deliveries_due: u64,
    /// The same to endpoints that are paused or disabled, or that this node leaves alone for a while.
    pub deliveries_parked: u64,
    /// When the oldest of those that are due was promised.
    pub oldest_due_since: Option<i64>,
    /// Without an answer of the upstream after it was due.
    pub orders_overdue: u64,
    /// Facts in quarantine.
    pub facts_held: u64,
    /// What waits for a person, how many of each matter.
    pub attention: Vec<(Matter, u64)>,
    /// Secrets that another master key than the newest sealed.
    pub sealed_under_previous: u64,
}

pub async fn look(app: &App) -> Result<Waiting, DbErr> {
    let read = &app.store.read;
    let due = due(app).await?;
    let overdue = order::Entity::find()
        .filter(order::Column::Status.eq(OrderStatus::Submitting.as_str()))
        .filter(order::Column::LookAt.lt(app.clock.now_ms()));
    let held = quarantine::Entity::find().filter(quarantine::Column::State.eq("held"));
    Ok(Waiting {
        deliveries_due: due.taken,
        deliveries_parked: due.parked,
        oldest_due_since: due.oldest_since,
        orders_overdue: overdue.count(read).await?,
        facts_held: held.count(read).await?,
        attention: attention(app).await?,
        sealed_under_previous: master::left(app).await?,
    })
}

/// Deliveries that are not acknowledged yet.
#[derive(Debug, Default)]
struct Due {
    /// To endpoints that take something.
    taken: u64,
    /// To all others.
    parked: u64,
    /// When the oldest of those that are taken was promised.
    oldest_since: Option<i64>,
}

/// Endpoints named in one statement.
const NAMED: usize = 1_000;

/// All are counted by their index alone; looked at are those that are on their way, however many lie elsewhere.
async fn due(app: &App) -> Result<Due, DbErr> {
    let read = &app.store.read;
    let all = is_due().count(read).await?;
    let mut found = Due { parked: all, ..Due::default() };
    for some in taking(app).await?.chunks(NAMED) {
        let theirs = is_due().filter(delivery::Column::EndpointId.is_in(some.iter().map(String::as_str)));
        let (count, oldest) = theirs
            .select_only()
            .expr(Func::count(Expr::col(delivery::Column::Id)))
            .expr(Func::min(Expr::col(delivery::Column::CreatedAt)))
            .into_tuple::<(i64, Option<i64>)>()
            .one(read)
            .await?
            .unwrap_or_default();
        found.taken += count.unsigned_abs();
        found.oldest_since = found.oldest_since.into_iter().chain(oldest).min();
    }
    found.parked = all.saturating_sub(found.taken);
    Ok(found)
}

/// No parameter, so that the index of what is due is of use.
fn is_due() -> Select<delivery::Entity> {
    delivery::Entity::find().filter(Expr::cust("state = 'due'"))
}

/// Endpoints with something due that are neither paused nor disabled nor left alone by this node.
async fn taking(app: &App) -> Result<Vec<String>, DbErr> {
    let read = &app.store.read;
    let closed = endpoint::Entity::find()
        .select_only()
        .column(endpoint::Column::Id)
        .filter(endpoint::Column::Status.ne(endpoint::Status::Active.to_value()));
    let mut shut: HashSet<String> = closed.into_tuple().all(read).await?.into_iter().collect();
    shut.extend(app.deliveries.left_alone(app));
    let found = due::by_endpoint(read).await?.into_iter().map(|found| found.endpoint_id);
    Ok(found.filter(|id| !shut.contains(id)).collect())
}

/// Of every matter, also where nothing waits.
async fn attention(app: &App) -> Result<Vec<(Matter, u64)>, DbErr> {
    let counted: Vec<(String, i64)> = attention::Entity::waiting()
        .select_only()
        .column(attention::Column::Kind)
        .expr(Func::count(Expr::col(attention::Column::Id)))
        .group_by(attention::Column::Kind)
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let count = |matter: Matter| {
        let found = counted.iter().find(|(kind, _)| kind == matter.as_str());
        found.and_then(|(_, count)| u64::try_from(*count).ok()).unwrap_or(0)
    };
    Ok(Matter::ALL.into_iter().map(|matter| (matter, count(matter))).collect())
}
