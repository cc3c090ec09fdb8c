//! What waits in the store, and since when: for detailed health and for monitoring. It concerns all tenants, and names
//! none.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, Func, Query};
use sea_orm::{
    ActiveEnum, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, Select,
};
use shared::order::OrderStatus;

use crate::app::App;
use crate::attention::Matter;
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
    let (due, parked) = due_and_parked(app);
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
        deliveries_parked: parked.count(read).await?,
        oldest_due_since: oldest.flatten(),
        orders_overdue: overdue.count(read).await?,
        facts_held: held.count(read).await?,
        attention: attention(app).await?,
        sealed_under_previous: master::left(app).await?,
    })
}

/// Endpoints that fail are named to the store, of which there may be many: those beyond this count as due.
const LEFT_ALONE: usize = 1_000;

fn due_and_parked(app: &App) -> (Select<delivery::Entity>, Select<delivery::Entity>) {
    use delivery::Column::EndpointId;
    let closed = Query::select()
        .column(endpoint::Column::Id)
        .from(endpoint::Entity)
        .and_where(Expr::col(endpoint::Column::Status).ne(endpoint::Status::Active.to_value()))
        .to_owned();
    let mut left_alone = app.deliveries.left_alone(app);
    left_alone.truncate(LEFT_ALONE);
    let parked = Condition::any().add(EndpointId.in_subquery(closed)).add(EndpointId.is_in(left_alone));
    // No parameter, so that the index of what is due is of use.
    let due = delivery::Entity::find().filter(Expr::cust("state = 'due'"));
    (due.clone().filter(parked.clone().not()), due.filter(parked))
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
