//! What is not kept for good, where the settings say so: the bytes in the journal, the excerpts of merchants' answers,
//! the audit log. It goes a page at a time, in the lane that yields to all others. Amounts, states and the journal's
//! entries stay.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UpdateStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use ulid::Ulid;

use crate::app::App;
use crate::entity::{attempt, audit_entry, delivery, journal, operator_act, order, quarantine};
use crate::ledger::{Lane, RowStatement};

/// The shortest time that may be set: answers kept for repeats name entries of the audit log that are younger.
pub const SHORTEST: Duration = Duration::from_hours(24);
pub const LONGEST: Duration = Duration::from_hours(3650 * 24);

/// Orders, or entries of the audit log, in one page.
const PAGE: u64 = 200;
/// Pages in one round of housekeeping.
const PAGES: usize = 20;
/// From the end of one walk through the orders to the beginning of the next.
const REST: Duration = Duration::from_hours(1);

/// How far the walk through the orders has come. A process begins it anew.
#[derive(Default)]
pub struct Walk(Mutex<Place>);

#[derive(Default, Clone)]
struct Place {
    /// The last order that was looked at.
    after: String,
    rests_until: i64,
}

/// Until when what was written is no longer kept.
#[derive(Debug, Clone, Copy)]
struct Cutoffs {
    journal_bytes: Option<i64>,
    attempt_excerpts: Option<i64>,
    audit_log: Option<i64>,
}

/// Look for what is kept too long, up to some pages.
pub async fn sweep(app: &App) -> anyhow::Result<()> {
    for _ in 0..PAGES {
        if !step(app).await? {
            break;
        }
    }
    Ok(())
}

/// One page of each kind. Whether there may be more.
pub async fn step(app: &App) -> anyhow::Result<bool> {
    let (now, kept) = (app.clock.now_ms(), &app.config.retention);
    let cutoffs = Cutoffs {
        journal_bytes: cutoff(now, kept.journal_bytes),
        attempt_excerpts: cutoff(now, kept.attempt_excerpts),
        audit_log: cutoff(now, kept.audit_log),
    };
    let more_orders = orders(app, now, cutoffs).await?;
    let more_entries = match cutoffs.audit_log {
        Some(cutoff) => audit_log(app, cutoff).await?,
        None => false,
    };
    Ok(more_orders || more_entries)
}

/// What is older than this goes; `None`: it is kept for good.
fn cutoff(now: i64, kept: Duration) -> Option<i64> {
    let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    (kept > 0).then(|| now.saturating_sub(kept))
}

/// The next orders on the walk, by their ids, which sort by time.
async fn orders(app: &App, now: i64, cutoffs: Cutoffs) -> anyhow::Result<bool> {
    let latest = [cutoffs.journal_bytes, cutoffs.attempt_excerpts].into_iter().flatten().max();
    let Some(latest) = latest else { return Ok(false) };
    let place = app.walk.place();
    if now < place.rests_until {
        return Ok(false);
    }
    let ids: Vec<String> = order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(order::Column::Id.gt(place.after.as_str()))
        .filter(order::Column::Id.lt(first_id_at(latest)))
        .order_by_asc(order::Column::Id)
        .limit(PAGE)
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let Some(last) = ids.last() else {
        let rest = i64::try_from(REST.as_millis()).expect("an hour in milliseconds");
        app.walk.set(Place { after: String::new(), rests_until: now.saturating_add(rest) });
        return Ok(false);
    };
    let bytes = cutoffs.journal_bytes.map(|cutoff| without_bytes(&ids, cutoff));
    let excerpts = cutoffs.attempt_excerpts.map(|cutoff| without_excerpts(&ids, cutoff));
    let updates = bytes.into_iter().chain(excerpts).map(RowStatement::Update).collect();
    app.ledger.room(Lane::Bulk, "retention")?.rows(updates).await?;
    app.walk.set(Place { after: last.clone(), rests_until: 0 });
    Ok(true)
}

/// Whoever decides about what is held must see what was said.
fn without_bytes(orders: &[String], cutoff: i64) -> UpdateStatement {
    let held = Query::select()
        .column(quarantine::Column::Id)
        .from(quarantine::Entity)
        .and_where(Expr::col(quarantine::Column::State).eq("held"))
        .to_owned();
    Query::update()
        .table(journal::Entity)
        .value(journal::Column::Raw, Option::<Vec<u8>>::None)
        .and_where(Expr::col(journal::Column::OrderId).is_in(orders.iter().map(String::as_str)))
        .and_where(Expr::col(journal::Column::At).lt(cutoff))
        .and_where(Expr::col(journal::Column::Raw).is_not_null())
        .and_where(Expr::col(journal::Column::Id).not_in_subquery(held))
        .to_owned()
}

fn without_excerpts(orders: &[String], cutoff: i64) -> UpdateStatement {
    let deliveries = Query::select()
        .column(delivery::Column::Id)
        .from(delivery::Entity)
        .and_where(Expr::col(delivery::Column::SubjectId).is_in(orders.iter().map(String::as_str)))
        .to_owned();
    Query::update()
        .table(attempt::Entity)
        .value(attempt::Column::Excerpt, Option::<String>::None)
        .and_where(Expr::col(attempt::Column::DeliveryId).in_subquery(deliveries))
        .and_where(Expr::col(attempt::Column::StartedAt).lt(cutoff))
        .and_where(Expr::col(attempt::Column::Excerpt).is_not_null())
        .to_owned()
}

async fn audit_log(app: &App, cutoff: i64) -> anyhow::Result<bool> {
    let end = first_id_at(cutoff);
    let tenants = audit_entry::Entity::find().filter(audit_entry::Column::Id.lt(end.as_str()));
    let operators = operator_act::Entity::find().filter(operator_act::Column::Id.lt(end.as_str()));
    let mut deletes = Vec::new();
    if tenants.one(&app.store.read).await?.is_some() {
        let page = oldest(audit_entry::Entity, audit_entry::Column::Id, &end);
        deletes.push(
            Query::delete()
                .from_table(audit_entry::Entity)
                .and_where(Expr::col(audit_entry::Column::Id).in_subquery(page))
                .to_owned(),
        );
    }
    if operators.one(&app.store.read).await?.is_some() {
        let page = oldest(operator_act::Entity, operator_act::Column::Id, &end);
        deletes.push(
            Query::delete()
                .from_table(operator_act::Entity)
                .and_where(Expr::col(operator_act::Column::Id).in_subquery(page))
                .to_owned(),
        );
    }
    if deletes.is_empty() {
        return Ok(false);
    }
    let deletes = deletes.into_iter().map(RowStatement::Delete).collect();
    app.ledger.room(Lane::Bulk, "retention")?.rows(deletes).await?;
    Ok(true)
}

fn oldest<E: EntityTrait>(table: E, id: E::Column, end: &str) -> SelectStatement {
    Query::select()
        .column(id)
        .from(table.table_ref())
        .and_where(Expr::col(id).lt(end))
        .order_by(id, sea_orm::Order::Asc)
        .limit(PAGE)
        .to_owned()
}

/// What ids made at this time or later are not less than.
fn first_id_at(ms: i64) -> String {
    Ulid::from_parts(u64::try_from(ms).unwrap_or_default(), 0).to_string()
}

impl Walk {
    fn place(&self) -> Place {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, place: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_keeps_for_good_and_ids_are_cut_at_their_time() {
        assert_eq!(cutoff(1000, Duration::ZERO), None);
        assert_eq!(cutoff(1000, Duration::from_millis(400)), Some(600));
        let id = Ulid::from_parts(600, 17).to_string();
        assert!(id >= first_id_at(600) && id < first_id_at(601));
    }
}
