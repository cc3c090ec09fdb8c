//! Whether the process lives, and whether it can do its work.

use std::sync::Arc;

use http::StatusCode;
use poem::web::{Data, Json};
use poem::{IntoResponse, Response, handler};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use serde_json::json;
use shared::order::OrderStatus;

use crate::app::App;
use crate::entity::{delivery, order, quarantine};

/// `GET /health/live`: the process answers.
#[handler]
pub fn live() -> &'static str {
    "ok"
}

/// `GET /health/ready`: the store can be read and has room. Says no more than yes or no.
#[handler]
pub async fn ready(app: Data<&Arc<App>>) -> Response {
    let store = app.store.read.execute_unprepared("SELECT 1").await;
    if store.is_ok() && !app.disk.is_out() {
        "ok".into_response()
    } else {
        Response::builder().status(StatusCode::SERVICE_UNAVAILABLE).body("not ready")
    }
}

/// `GET /health` on the operators' listener: what waits, and how long.
#[handler]
pub async fn detail(app: Data<&Arc<App>>) -> poem::Result<Json<serde_json::Value>> {
    let read = &app.store.read;
    let broken = poem::error::ServiceUnavailable;
    let due = delivery::Entity::find().filter(delivery::Column::State.eq(delivery::State::Due));
    let oldest: Option<Option<i64>> = due
        .clone()
        .select_only()
        .expr(Func::min(Expr::col(delivery::Column::CreatedAt)))
        .into_tuple()
        .one(read)
        .await
        .map_err(broken)?;
    let overdue = order::Entity::find()
        .filter(order::Column::Status.eq(OrderStatus::Submitting.as_str()))
        // Those without it were answered; it is by this that the others are found among all orders.
        .filter(order::Column::LookAt.is_not_null())
        .filter(order::Column::AnswerDueAt.lt(app.clock.now_ms()));
    let held = quarantine::Entity::find().filter(quarantine::Column::State.eq("held"));
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "store": crate::app::store_name(&app.config.store.url),
        "disk_is_low": app.disk.is_low(),
        "limits_count": app.limits.counting().as_str(),
        "deliveries_due": due.count(read).await.map_err(broken)?,
        "oldest_due_since": oldest.flatten(),
        "orders_overdue": overdue.count(read).await.map_err(broken)?,
        "master_keys_previous": app.vault.previous_ids().len(),
        "sealed_under_previous": crate::directory::master::left(app.0).await.unwrap_or_default(),
        "facts_held": held.count(read).await.map_err(broken)?,
    })))
}
