//! The watch for purchases that are paid more than once: orders of one merchant with the same reference. With the move
//! to paid a check is written, in the same transaction; after the commit the orders of that reference are looked at
//! together, and each is told of the others. Of two that are paid at the same moment on two nodes the later look sees
//! both, and a check that a crash left behind is made by the next sweep. An order is told of another once: the event's
//! move names it.

use std::sync::Arc;

use anyhow::Context;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};
use shared::order::OrderStatus;

use super::journal::{self, Kind};
use super::{reread, tell};
use crate::app::App;
use crate::attention::{self, Matter};
use crate::entity::{attention as matter, event, order, purchase_check};
use crate::ledger::{Calmed, Changes, Lane, LedgerError, RowStatement, Target};

/// Checks made in one sweep.
const PAGE: u64 = 100;
/// Orders of one reference that are told of each other. A pattern may give one reference to all orders of a shop.
const MOST: u64 = 20;
/// Where an event about it is confirmed from: our own books.
const BY: &str = "watch";

/// Make the checks that wait: what a crash, or a failure, left behind.
pub async fn sweep(app: &Arc<App>) -> anyhow::Result<usize> {
    let waiting = purchase_check::Entity::find().limit(PAGE).all(&app.store.read).await?;
    for check in &waiting {
        if let Err(error) = make(app, check).await {
            tracing::warn!(order = %check.order_id, error = %format!("{error:#}"), "orders of one purchase could not be looked at; they will be");
        }
    }
    Ok(waiting.len())
}

/// Make an order's checks now, with nobody waiting for it.
pub(super) fn look_soon(app: &Arc<App>, order: &order::Model) {
    if order.reference.is_none() || !order.status().has_money() {
        return;
    }
    let (task_app, order_id) = (app.clone(), order.id.clone());
    app.tasks.spawn(async move {
        let checks = purchase_check::Entity::find().filter(purchase_check::Column::OrderId.eq(&order_id));
        let made = async {
            for check in checks.all(&task_app.store.read).await? {
                make(&task_app, &check).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = made.await {
            tracing::warn!(order = %order_id, error = %format!("{error:#}"), "orders of one purchase could not be looked at yet");
        }
    });
}

/// Look at the orders of the check's reference, and let it go once what is to be told of them is on record.
async fn make(app: &Arc<App>, check: &purchase_check::Model) -> anyhow::Result<()> {
    let order = reread(app, &check.order_id).await?;
    let paid = paid_ones(app, check).await?;
    if keeps_money(&order) {
        for other in paid.iter().filter(|other| other.id != order.id) {
            told(app, &order, other).await?;
            told(app, other, &order).await?;
        }
    } else if paid.len() < 2 {
        calm(app, check).await?;
    }
    let made = Query::delete()
        .from_table(purchase_check::Entity)
        .and_where(purchase_check::Column::Id.eq(check.id.as_str()))
        .to_owned();
    let room = app.ledger.room_when_free(Lane::Bulk, &check.order_id).await?;
    room.rows(vec![RowStatement::Delete(made)]).await?;
    Ok(())
}

/// Paid, and not given back whole.
fn keeps_money(order: &order::Model) -> bool {
    matches!(order.status(), OrderStatus::Paid | OrderStatus::PartiallyRefunded)
}

/// The newest orders of the reference that keep their money.
async fn paid_ones(app: &App, check: &purchase_check::Model) -> Result<Vec<order::Model>, sea_orm::DbErr> {
    let keeping = [OrderStatus::Paid, OrderStatus::PartiallyRefunded].map(OrderStatus::as_str);
    order::Entity::of_reference(&check.merchant_id, &check.reference)
        .filter(order::Column::Status.is_in(keeping))
        .order_by_desc(order::Column::Id)
        .limit(MOST)
        .all(&app.store.read)
        .await
}

/// Flag `order` as paid beside `other`, once.
async fn told(app: &Arc<App>, order: &order::Model, other: &order::Model) -> anyhow::Result<()> {
    let r#move = format!("paid_twice:{}", other.id);
    if is_told(app, order, &r#move).await? {
        return Ok(());
    }
    let now = app.clock.now_ms();
    let reference = order.reference.clone().unwrap_or_default();
    let note = json!({"reference": reference, "number": other.number});
    let (id, kind) = (app.chance.id(), Kind::PaidTwice);
    let entry = journal::entry(id, &order.id, &order.submission_id, now, kind, &note);
    let target = Target::of_order(&order.id, &entry.id);
    let (other, chance) = (other.clone(), app.chance.clone());
    let told_as = r#move.clone();
    let room = app.ledger.room_when_free(Lane::Money, &order.id).await?;
    let change = super::change(app, room, target, move |current| {
        if !keeps_money(current.order) {
            return (Changes::default(), false);
        }
        let mut after = current.order.clone();
        after.paid_twice = true;
        after.updated_at = after.updated_at.max(now);
        let detail = json!({
            "reference": reference, "number": other.number, "paid": other.paid, "refunded": other.refunded,
            "currency": other.currency,
        });
        let news = tell::News {
            detail: Some(detail),
            ..tell::News::new(tell::Kind::OrderPaidTwice, told_as.clone(), now, BY)
        };
        let told = tell::told(&mut after, news, &chance);
        // One matter for the two: the newer order's.
        let raised = (after.id > other.id).then(|| {
            let detail = json!({"reference": reference, "orders": [in_short(&after), in_short(&other)]});
            attention::of_order(&after, Matter::OrderPaidTwice, &after.id, now, &detail, &chance)
        });
        let changes = Changes {
            order: Some(after),
            journal: vec![entry.clone()],
            told: vec![told],
            raised: raised.into_iter().collect(),
            ..Changes::default()
        };
        (changes, true)
    });
    match change.await {
        Ok(true) => {
            tracing::error!(order = %order.id, "a purchase was paid with another order, too");
            Ok(())
        }
        Ok(false) => Ok(()),
        // Another node was quicker: what is told once stands.
        Err(LedgerError::Rejected(_)) if is_told(app, order, &r#move).await? => Ok(()),
        Err(error) => Err(error).context("flagging an order as paid twice"),
    }
}

/// What a person needs to know to give one of them back.
fn in_short(order: &order::Model) -> Value {
    json!({
        "id": order.id, "number": order.number, "paid": order.paid, "refunded": order.refunded,
        "refundable": order.paid - order.refunded - order.refund_reserved, "currency": order.currency,
        "payTime": order.pay_time,
    })
}

async fn is_told(app: &App, order: &order::Model, r#move: &str) -> Result<bool, sea_orm::DbErr> {
    let told = event::Entity::find()
        .filter(event::Column::SubjectId.eq(order.id.as_str()))
        .filter(event::Column::Move.eq(r#move));
    Ok(told.one(&app.store.read).await?.is_some())
}

/// One of them was given back: what waited for a person waits no longer.
async fn calm(app: &Arc<App>, check: &purchase_check::Model) -> anyhow::Result<()> {
    let orders = order::Entity::of_reference(&check.merchant_id, &check.reference)
        .filter(Expr::cust("\"orders\".\"paid_twice\""))
        .order_by_desc(order::Column::Id)
        .limit(MOST);
    for order in orders.all(&app.store.read).await? {
        let open = matter::Entity::waiting()
            .filter(matter::Column::Kind.eq(Matter::OrderPaidTwice.as_str()))
            .filter(matter::Column::SubjectId.eq(order.id.as_str()));
        if open.one(&app.store.read).await?.is_none() {
            continue;
        }
        let target = Target::of_order(&order.id, &app.chance.id());
        let calmed = Calmed {
            kind: Matter::OrderPaidTwice.as_str(),
            subject_id: order.id.clone(),
            at: app.clock.now_ms(),
            by: "refund".to_owned(),
            reason: Some("one order of the purchase keeps its money".to_owned()),
        };
        let room = app.ledger.room_when_free(Lane::Money, &order.id).await?;
        let calming = move |_: &crate::ledger::Current<'_>| {
            (Changes { calmed: vec![calmed.clone()], ..Changes::default() }, ())
        };
        super::change(app, room, target, calming).await?;
    }
    Ok(())
}
