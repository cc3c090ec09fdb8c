//! What waits, as people are shown it: oldest first, each with what it is about under the number people know it by; and
//! ending it by hand.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use serde_json::json;

use super::Matter;
use crate::app::App;
use crate::directory::access::{Mode, Tenant, is_id};
use crate::directory::acts::{self, Act, Actor};
use crate::directory::operators::Bound;
use crate::entity::{attention, merchant, order, quarantine, refund, store, submission};
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};
use crate::troubles;

/// A matter, and the number of what it is about.
pub struct Waiting {
    pub row: attention::Model,
    pub matter: Matter,
    /// The order's, the store's or the refund's own, a payment's order's; absent where that is gone.
    pub number: Option<String>,
}

/// What waits of a tenant's in one mode.
pub fn of(tenant: &Tenant, mode: Mode) -> Select<attention::Entity> {
    let merchants = merchant::Entity::of(tenant, mode).select_only().column(merchant::Column::Id);
    attention::Entity::waiting_of(tenant.platform_id())
        .filter(attention::Column::MerchantId.in_subquery(merchants.into_query()))
}

/// What waits, of all platforms or of the one that the asker is bound to.
pub fn in_scope(bound: Option<&Bound>) -> Select<attention::Entity> {
    match bound {
        Some(platform) => attention::Entity::waiting_of(&platform.id),
        None => attention::Entity::waiting(),
    }
}

/// A page of `list` behind the row of this id, and the id behind which the next one begins.
pub async fn page(
    app: &App,
    list: Select<attention::Entity>,
    limit: u64,
    after: Option<&str>,
) -> Result<(Vec<Waiting>, Option<String>), Error> {
    let list = match after {
        Some(id) => list.filter(attention::Column::Id.gt(id)),
        None => list,
    };
    let mut rows = list.order_by_asc(attention::Column::Id).limit(limit + 1).all(&app.store.read).await?;
    let is_more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| is_more).map(|row| row.id.clone());
    Ok((shown(app, rows).await?, next))
}

/// Rows that their reader may see, each with the number of what it is about.
pub async fn shown(app: &App, rows: Vec<attention::Model>) -> Result<Vec<Waiting>, Error> {
    let numbers = numbers(app, &rows).await?;
    let known = rows.into_iter().filter_map(|row| {
        // One that a newer version has written is for that version to show.
        let matter = Matter::parse(&row.kind)?;
        let number = numbers.get(&row.subject_id).cloned();
        Some(Waiting { row, matter, number })
    });
    Ok(known.collect())
}

/// By subject. What the rows are about is of the tenant that they are of.
async fn numbers(app: &App, rows: &[attention::Model]) -> Result<HashMap<String, String>, Error> {
    let read = &app.store.read;
    let ids: Vec<&str> = rows.iter().map(|row| row.subject_id.as_str()).collect();
    let held = quarantine::Entity::find().filter(quarantine::Column::Id.is_in(ids.clone())).all(read).await?;
    let calls = submission::Entity::by_ids(ids.iter().copied()).all(read).await?;
    let order_ids = ids.iter().copied().chain(held.iter().map(|fact| fact.order_id.as_str()));
    let order_ids = order_ids.chain(calls.iter().map(|call| call.order_id.as_str()));
    let orders = order::Entity::find().filter(order::Column::Id.is_in(order_ids)).all(read).await?;
    let refunds = refund::Entity::find().filter(refund::Column::Id.is_in(ids.clone())).all(read).await?;
    let stores = store::Entity::find().filter(store::Column::Id.is_in(ids)).all(read).await?;
    let mut numbers: HashMap<String, String> =
        orders.into_iter().map(|order| (order.id, order.number)).collect();
    let of_orders = held.into_iter().map(|fact| (fact.id, fact.order_id));
    for (id, order_id) in of_orders.chain(calls.into_iter().map(|call| (call.id, call.order_id))) {
        if let Some(number) = numbers.get(&order_id).cloned() {
            numbers.insert(id, number);
        }
    }
    numbers.extend(refunds.into_iter().map(|refund| (refund.id, refund.refund_no)));
    numbers.extend(stores.into_iter().map(|store| (store.id, store.store_no)));
    Ok(numbers)
}

/// End a matter by hand: somebody has seen to it.
pub async fn end(
    app: &App,
    id: &str,
    bound: Option<&Bound>,
    (operator, actor): (&str, &Actor),
    reason: &str,
) -> Result<(), Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = in_scope(bound).filter(attention::Column::Id.eq(id)).one(&app.store.read).await?;
    let row = found.ok_or(Error::NotFound)?;
    if let Some(how) = Matter::parse(&row.kind).and_then(Matter::ended_otherwise) {
        return Err(Error::Conflict { code: "ended_otherwise", detail: how.to_owned(), pointer: None });
    }
    let now = app.clock.now_ms();
    let by = format!("operator:{operator}");
    let update = Query::update()
        .table(attention::Entity)
        .value(attention::Column::EndedAt, now)
        .value(attention::Column::EndedBy, by.as_str())
        .value(attention::Column::Reason, reason)
        .and_where(Expr::col(attention::Column::Id).eq(id))
        .and_where(Expr::col(attention::Column::EndedAt).is_null())
        .to_owned();
    let ended_so = Query::select()
        .expr(Expr::val(1))
        .from(attention::Entity)
        .and_where(Expr::col((attention::Entity, attention::Column::Id)).eq(id))
        .and_where(Expr::col((attention::Entity, attention::Column::EndedBy)).eq(by))
        .and_where(Expr::col((attention::Entity, attention::Column::EndedAt)).eq(now))
        .to_owned();
    let act = Act {
        action: "attention.ended",
        subject_id: Some(id),
        platform_id: Some(&row.platform_id),
        before: Some(json!({ "kind": row.kind, "subject": row.subject_id })),
        after: Some(json!({ "reason": reason })),
    };
    let mut rows = vec![
        RowStatement::Update(update),
        acts::entry_if(actor, act, Expr::exists(ended_so), &app.chance, now),
    ];
    let (tell, begun) = troubles::credentials::ended_by_hand(app, &row).unzip();
    rows.extend(tell);
    app.ledger.room(Lane::Bulk, &row.subject_id)?.rows(rows).await?;
    if let Some(begun) = begun {
        begun.go(app);
    }
    // In force here at once, and within seconds on other nodes.
    troubles::look(app).await?;
    app.wake.by(now);
    Ok(())
}
