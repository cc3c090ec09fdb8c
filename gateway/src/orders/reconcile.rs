//! Orders whose answer is due and never came: called unknown, by whichever node sees it.

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use shared::order::OrderStatus;

use super::fact::{Source, Told};
use super::{fact_now, reread, room, settle, submission_of};
use crate::app::App;
use crate::entity::order;

/// Orders looked at in one go.
const PAGE: u64 = 100;

/// Call every overdue order unknown; returns how many were looked at.
pub async fn sweep(app: &Arc<App>) -> anyhow::Result<usize> {
    let overdue_orders = order::Entity::find()
        .filter(order::Column::Status.eq(OrderStatus::Submitting.as_str()))
        .filter(order::Column::LookAt.lt(app.clock.now_ms()))
        .order_by_asc(order::Column::LookAt)
        .limit(PAGE)
        .all(&app.store.read)
        .await?;
    for order in &overdue_orders {
        overdue(app, order).await;
    }
    Ok(overdue_orders.len())
}

/// The order after its answer was due: unknown, unless something came meanwhile. `None`: it could not be written.
pub(super) async fn overdue(app: &Arc<App>, order: &order::Model) -> Option<order::Model> {
    let room = room(app, &order.id).ok()?;
    let submission = submission_of(app, &order.submission_id).await.ok()??;
    let fact = fact_now(app, Source::Answer, Told::Overdue, None, None);
    match settle(app, room, &submission, fact).await {
        Ok(settled) => Some(settled.order),
        Err(error) => {
            tracing::warn!(order = %order.id, %error, "an overdue order could not be called unknown");
            reread(app, &order.id).await.ok()
        }
    }
}
