//! What is due later to an endpoint that was taken away: it is due now, and ends unsent.

use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ActiveEnum, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use crate::app::App;
use crate::entity::delivery::{Column, Entity, State};
use crate::ledger::{Lane, LedgerError, RowStatement};

/// In one write.
const PAGE: u64 = 500;

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Read(#[from] DbErr),
    #[error(transparent)]
    Write(#[from] LedgerError),
}

/// Page by page, however much it is. What is missed ends when it would have been sent.
pub async fn end(app: &App, endpoint_id: &str) {
    if let Err(error) = bring_forward(app, endpoint_id).await {
        tracing::warn!(%error, "what is due to an endpoint that was taken away ends only when it is due");
    }
    app.deliveries.wake();
}

async fn bring_forward(app: &App, endpoint_id: &str) -> Result<(), Trouble> {
    let now = app.clock.now_ms();
    let later = Expr::col(Column::EndpointId)
        .eq(endpoint_id)
        .and(Expr::col(Column::State).eq(State::Due.to_value()))
        .and(Expr::col(Column::DueAt).gt(now));
    while Entity::find().filter(later.clone()).limit(1).count(&app.store.read).await? > 0 {
        let page = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(later.clone())
            .order_by(Column::DueAt, Order::Asc)
            .limit(PAGE)
            .to_owned();
        let update = Query::update()
            .table(Entity)
            .value(Column::DueAt, now)
            .and_where(Column::Id.in_subquery(page))
            .to_owned();
        let room = app.ledger.room_when_free(Lane::Bulk, endpoint_id).await?;
        room.rows(vec![RowStatement::Update(update)]).await?;
    }
    Ok(())
}
