//! How well events reach their endpoints: attempts of the last hour as this node made them, and what waits in the store.
//! For owners, for operators and for monitoring.

mod backlog;
mod last_hour;

use std::collections::HashSet;

use sea_orm::DbErr;
use shared::ops::{Moment, Service};

use self::backlog::{Backlog, of_endpoint, of_merchant};
use self::last_hour::{Fares, Figures};
use super::due;
use crate::app::App;
use crate::entity::delivery;
use crate::ledger::DeliveryMove;

/// What this node has heard of each endpoint, and of all of each merchant's together.
#[derive(Debug, Default)]
pub struct Services {
    endpoints: Fares,
    merchants: Fares,
}

impl Services {
    /// An attempt of `delivery` was made, and led to `step`. `is_ours`: and with it the delivery moved on.
    pub(super) fn note(&self, app: &App, delivery: &delivery::Model, step: &DeliveryMove, is_ours: bool) {
        if step.attempt.is_none() {
            return;
        }
        let acknowledged = step.state == delivery::State::Delivered;
        // A replay is late because somebody wanted it so.
        let told_after = step.ended_at.filter(|_| acknowledged && is_ours && delivery.replay_id.is_none());
        let told_after = told_after.map(|at| at - delivery.created_at);
        let now = app.clock.passed();
        self.endpoints.note(&delivery.endpoint_id, acknowledged, told_after, now);
        if delivery.owner_id == delivery.merchant_id {
            self.merchants.note(&delivery.merchant_id, acknowledged, told_after, now);
        }
    }
}

/// Endpoints that were tried within the hour, and acknowledged nothing.
pub fn failing(app: &App) -> usize {
    app.deliveries.services.endpoints.failing(app.clock.passed())
}

/// How an endpoint is served. Its owner has been asked for before.
pub async fn of_one(app: &App, endpoint_id: &str) -> Result<Service, DbErr> {
    let figures = app.deliveries.services.endpoints.of(endpoint_id, app.clock.passed());
    Ok(said(&figures, &of_endpoint(&app.store.read, endpoint_id).await?))
}

/// How a merchant is told, at all of its endpoints.
pub async fn of_all_of(app: &App, merchant_id: &str) -> Result<Service, DbErr> {
    let figures = app.deliveries.services.merchants.of(merchant_id, app.clock.passed());
    Ok(said(&figures, &of_merchant(&app.store.read, merchant_id).await?))
}

fn said(figures: &Figures, backlog: &Backlog) -> Service {
    Service {
        attempts: figures.attempts,
        acknowledged: figures.acknowledged,
        p50_ms: figures.told.percentile(50),
        p95_ms: figures.told.percentile(95),
        p99_ms: figures.told.percentile(99),
        backlog: backlog.open,
        oldest_at: backlog.oldest_at.and_then(Moment::of_ms),
        exhausted: backlog.exhausted,
    }
}

/// A name in `/metrics` and what goes by it.
pub struct Named {
    pub name: String,
    pub service: Service,
}

/// What has no name of its own.
pub const OTHER: &str = "other";

/// The endpoints of which one wants to know: half of `most` for those to which something is due the longest, the rest
/// for those with the most attempts; and all others together, of which nothing is said about what waits.
pub async fn endpoints_by_name(app: &App, most: usize) -> Result<Vec<Named>, DbErr> {
    let now = app.clock.passed();
    let mut due = due::by_endpoint(&app.store.read).await?;
    due.sort_unstable_by_key(|found| found.due_at.unwrap_or(i64::MAX));
    let names = due.into_iter().map(|found| found.endpoint_id).take(most / 2).collect();
    let (names, others) = app.deliveries.services.endpoints.busiest(names, most, now);
    let mut named = Vec::with_capacity(names.len() + 1);
    for name in names {
        named.push(Named { service: of_one(app, &name).await?, name });
    }
    named.extend(others.map(|figures| together(&figures)));
    Ok(named)
}

/// The merchants with the most attempts, and all others together.
pub async fn merchants_by_name(app: &App, most: usize) -> Result<Vec<Named>, DbErr> {
    let (names, others) = app.deliveries.services.merchants.busiest(Vec::new(), most, app.clock.passed());
    let mut named = Vec::with_capacity(names.len() + 1);
    for name in names {
        named.push(Named { service: of_all_of(app, &name).await?, name });
    }
    named.extend(others.map(|figures| together(&figures)));
    Ok(named)
}

fn together(figures: &Figures) -> Named {
    Named { name: OTHER.to_owned(), service: said(figures, &Backlog::default()) }
}

/// `first`, then those of `more` that are not among them, up to `most`.
fn without_repeats(first: Vec<String>, more: impl Iterator<Item = String>, most: usize) -> Vec<String> {
    let mut seen = HashSet::new();
    first.into_iter().chain(more).filter(|name| seen.insert(name.clone())).take(most).collect()
}
