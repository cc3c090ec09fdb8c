//! New secrets in the place of those that sign, which go on signing for a while.

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use serde_json::json;

use super::manage::{New, entry, exists, find};
use super::secrets::{self, Made};
use crate::api::rest::Timestamp;
use crate::app::App;
use crate::directory::access::Caller;
use crate::directory::audit::States;
use crate::directory::change::{Plan, Refresh};
use crate::entity::endpoint_secret;
use crate::error::Error;

/// Of one kind.
const MOST_AT_ONCE: usize = 5;

/// New secrets in the place of the current ones, which are good for so many hours more; those before them no longer than that.
pub async fn rotate(app: &App, caller: &Caller, id: &str, overlap_hours: u32) -> Result<(Plan, New), Error> {
    let row = find(app, caller, id).await?;
    let now = app.clock.now_ms();
    let is_good = Condition::any()
        .add(endpoint_secret::Column::EndsAt.is_null())
        .add(endpoint_secret::Column::EndsAt.gt(now));
    let good = endpoint_secret::Entity::find()
        .filter(endpoint_secret::Column::EndpointId.eq(id))
        .filter(is_good)
        .order_by_asc(endpoint_secret::Column::Id)
        .all(&app.store.read)
        .await?;
    let (current, earlier): (Vec<_>, Vec<_>) = good.into_iter().partition(|row| row.ends_at.is_none());
    if current.is_empty() {
        let detail = "ScanForPay's form is signed with the merchant's sign key: rotate that one.";
        return Err(Error::Conflict { code: "no_secret", detail: detail.to_owned(), pointer: None });
    }
    let ends_at = now + i64::from(overlap_hours) * 3_600_000;
    if overlap_hours > 0 {
        fits(&current, &earlier)?;
    }
    let made =
        |old: &endpoint_secret::Model| secrets::make(&app.vault, app.chance.id(), &row.id, old.kind, now);
    let secrets: Vec<Made> = current.iter().map(made).collect();
    let ids = |all: Vec<&str>| json!({ "secrets": all });
    let mut before = ids(current.iter().map(|row| row.id.as_str()).collect());
    before["goodUntil"] = json!(ends_at);
    let after = ids(secrets.iter().map(|made| made.row.id.as_str()).collect());
    let states = States { before: Some(before), after: Some(after) };
    let mut plan = Plan::new(entry(app, caller, "endpoint.secret_rotated", &row, states));
    for old in &current {
        let stands = Expr::col(endpoint_secret::Column::Id).eq(old.id.as_str());
        let stands = stands.and(Expr::col(endpoint_secret::Column::EndsAt).is_null());
        plan.while_there_is(exists(endpoint_secret::Entity, stands.clone()));
        let end = Query::update()
            .table(endpoint_secret::Entity)
            .value(endpoint_secret::Column::EndsAt, ends_at)
            .and_where(stands)
            .to_owned();
        plan.update(end);
    }
    let shorten = Query::update()
        .table(endpoint_secret::Entity)
        .value(endpoint_secret::Column::EndsAt, ends_at)
        .and_where(Expr::col(endpoint_secret::Column::EndpointId).eq(id))
        .and_where(Expr::col(endpoint_secret::Column::EndsAt).gt(ends_at))
        .to_owned();
    plan.update(shorten);
    for secret in &secrets {
        plan.insert::<endpoint_secret::Entity>(&secret.row);
    }
    plan.refresh(Refresh::Endpoint(row.id.clone()));
    Ok((plan, New { row, secrets }))
}

/// Each that is good makes the header of signatures longer, and is one more that may be known to somebody.
fn fits(current: &[endpoint_secret::Model], earlier: &[endpoint_secret::Model]) -> Result<(), Error> {
    let rotations = earlier.len() / current.len().max(1);
    let ends_at = earlier.iter().filter_map(|row| row.ends_at).min();
    match ends_at {
        Some(ends_at) if rotations + 2 > MOST_AT_ONCE => {
            let first = Timestamp::of(ends_at).text();
            let detail = format!(
                "{MOST_AT_ONCE} secrets sign at once at most, and the first of them ends at {first}. Rotate then, or now \
                 with `previousForHours` 0, which ends all before."
            );
            Err(Error::Conflict { code: "too_many_secrets", detail, pointer: None })
        }
        _ => Ok(()),
    }
}
