//! Whether the process lives, and whether it can do its work.

use std::sync::Arc;

use http::StatusCode;
use poem::web::{Data, Json};
use poem::{IntoResponse, Response, handler};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::app::App;
use crate::waiting;

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
    let waiting = waiting::look(app.0).await.map_err(poem::error::ServiceUnavailable)?;
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "store": crate::app::store_name(&app.config.store.url),
        "disk_is_low": app.disk.is_low(),
        "limits_count": app.limits.counting().as_str(),
        "accounts_barred": app.directory.barred(),
        "deliveries_due": waiting.deliveries_due,
        "deliveries_parked": waiting.deliveries_parked,
        "oldest_due_since": waiting.oldest_due_since,
        "orders_overdue": waiting.orders_overdue,
        "master_keys_previous": app.vault.previous_ids().len(),
        "sealed_under_previous": waiting.sealed_under_previous,
        "attention": waiting.attention.iter().map(|(_, count)| count).sum::<u64>(),
        "facts_held": waiting.facts_held,
    })))
}
