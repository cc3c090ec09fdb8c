//! What waits in the store, and since when: for detailed health and for monitoring. It concerns all tenants, and names
//! none.

use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use shared::order::OrderStatus;

use crate::app::App;
use crate::attention::Matter;
use crate::directory::master;
use crate::entity::{attention, delivery, order, quarantine};

pub struct Waiting {
    /// Not acknowledged yet.
    pub deliveries_due: u64,
    /// When the oldest of them was promised.
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
    let due = delivery::Entity::find().filter(delivery::Column::State.eq(delivery::State::Due));
    let oldest: Option<Option<i64>> = due
        .clone()
        .select_only()
        .expr(Func::min(Expr::col(delivery::Column::CreatedAt)))
        .into_tuple()
        .one(read)
        .await?;
    let overdue = order::Entity::find()
        .filter(order::Column::Status.eq(OrderStatus::Submitting.as_str()))
        .filter(order::Column::LookAt.lt(app.clock.now_ms()));
    let held = quarantine::Entity::find().filter(quarantine::Column::State.eq("held"));
    Ok(Waiting {
        deliveries_due: due.count(read).await?,
        oldest_due_since: oldest.flatten(),
        orders_overdue: overdue.count(read).await?,
        facts_held: held.count(read).await?,
        attention: attention(app).await?,
        sealed_under_previous: master::left(app).await?,
    })
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
