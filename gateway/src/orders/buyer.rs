//! Forgetting a payer: who paid is taken out of the order, of what its events say, and of the bytes in its journal.
//! Amounts, numbers and states stay, and so do the entries and what they note.

use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::blot::blotted;
use crate::app::App;
use crate::directory::access::Caller;
use crate::directory::audit::{self, States, Subject};
use crate::directory::change::Plan;
use crate::entity::{event, journal, order};
use crate::error::Error;

/// The fields that say who paid, as ScanForPay and as our events spell them.
const FIELDS: [&str; 3] = ["buyer", "buyerId", "buyer_id"];

/// Whether a field says who paid.
pub fn names_payer(field: &str) -> bool {
    FIELDS.contains(&field)
}

/// Erase what is kept of who paid `order`. No plan where nothing is.
pub async fn erase(app: &App, caller: &Caller, order: &order::Model) -> Result<Option<Plan>, Error> {
    let entries = journal::Entity::find()
        .filter(journal::Column::OrderId.eq(order.id.as_str()))
        .filter(journal::Column::Raw.is_not_null())
        .all(&app.store.read)
        .await?;
    let events = event::Entity::find()
        .filter(event::Column::SubjectId.eq(order.id.as_str()))
        .all(&app.store.read)
        .await?;
    let mut updates = Vec::new();
    if order.buyer.is_some() || order.buyer_id.is_some() {
        updates.push(without_buyer(order));
    }
    updates.extend(entries.iter().filter_map(entry_without_buyer));
    updates.extend(events.iter().filter_map(event_without_buyer));
    if updates.is_empty() {
        return Ok(None);
    }
    let subject = Subject { kind: "order", id: &order.id, merchant_id: Some(&order.merchant_id) };
    let after = json!({ "number": order.number, "rows": updates.len() });
    let states = States { before: None, after: Some(after) };
    let mut plan = Plan::new(audit::entry(app, caller, "order.buyer_erased", subject, states));
    for update in updates {
        plan.update(update);
    }
    Ok(Some(plan))
}

/// Whether an order's payer is not, or no longer, to be kept: it was paid, and nobody is known to have.
fn is_unknown(order: &order::Model) -> bool {
    order.status().has_money() && order.buyer.is_none() && order.buyer_id.is_none()
}

/// The bytes without what says who paid; what is not JSON is read as far as it looks like it.
pub fn forgotten(raw: &[u8]) -> Vec<u8> {
    blotted(raw, &FIELDS, "\"\"")
}

fn without_buyer(order: &order::Model) -> UpdateStatement {
    Query::update()
        .table(order::Entity)
        .value(order::Column::Buyer, Option::<String>::None)
        .value(order::Column::BuyerId, Option::<String>::None)
        .and_where(Expr::col(order::Column::Id).eq(order.id.as_str()))
        .to_owned()
}

fn entry_without_buyer(entry: &journal::Model) -> Option<UpdateStatement> {
    let raw = entry.raw.as_deref()?;
    let forgotten = forgotten(raw);
    let update = || {
        Query::update()
            .table(journal::Entity)
            .value(journal::Column::Raw, forgotten.clone())
            .and_where(Expr::col(journal::Column::OrderId).eq(entry.order_id.as_str()))
            .and_where(Expr::col(journal::Column::Id).eq(entry.id.as_str()))
            .and_where(Expr::col(journal::Column::Raw).is_not_null())
            .to_owned()
    };
    (forgotten != raw).then(update)
}

fn event_without_buyer(event: &event::Model) -> Option<UpdateStatement> {
    let mut content: Value = serde_json::from_str(&event.content).unwrap_or_default();
    let members = content.as_object_mut()?;
    let mut is_changed = false;
    for (_, value) in members.iter_mut().filter(|(key, _)| FIELDS.contains(&key.as_str())) {
        is_changed |= *value != Value::Null;
        *value = Value::Null;
    }
    let update = || {
        Query::update()
            .table(event::Entity)
            .value(event::Column::Content, content.to_string())
            .and_where(Expr::col(event::Column::Id).eq(event.id.as_str()))
            .to_owned()
    };
    is_changed.then(update)
}

/// A later message of ScanForPay names the payer again: it is kept without.
pub fn keep_out(order: &order::Model, raw: Vec<u8>) -> Vec<u8> {
    if is_unknown(order) { forgotten(&raw) } else { raw }
}

#[cfg(test)]
mod tests {
    use super::forgotten;

    fn left(raw: &str) -> String {
        String::from_utf8(forgotten(raw.as_bytes())).expect("text")
    }

    #[test]
    fn only_the_payer_goes_and_every_other_byte_stays() {
        let raw = r#"{ "a":"buyer","buyer" : "138****\"0000", "amount":2100,"buyerId":{"a":[1,"}"],"b":2},"b\u0075yer":null}"#;
        let expected = r#"{ "a":"buyer","buyer" : "", "amount":2100,"buyerId":"","b\u0075yer":""}"#;
        assert_eq!(left(raw), expected);
        assert_eq!(left(expected), expected, "twice is once");
    }
}
