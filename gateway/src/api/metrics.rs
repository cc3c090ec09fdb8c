//! `GET /metrics` on the operators' listener, for Prometheus or whatever speaks its text format. Like detailed health it
//! takes no login: who reaches the listener is an operator's machine, and no number here is about a tenant.

use std::sync::Arc;

use http::header;
use poem::web::Data;
use poem::{Response, handler};

use crate::app::App;
use crate::metrics::{CONTENT_TYPE, Metrics};

#[handler]
pub async fn metrics(app: Data<&Arc<App>>) -> Response {
    Response::builder().header(header::CONTENT_TYPE, CONTENT_TYPE).body(Metrics::text(app.0).await)
}
