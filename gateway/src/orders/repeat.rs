//! The same order number again (`docs/MONEY.md`): joined while in flight, answered again once open, submitted
//! anew after a refusal, and asked about first where it is in doubt. Never a second charge by ourselves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::code::Code;
use shared::order::OrderStatus;

use super::answer::refusal;
use super::journal::{self, Kind};
use super::place::{Create, expires_at, new_submission, submit};
use super::query::{Asked, ask};
use super::{Placed, reread, room, submission_of};
use crate::app::App;
use crate::entity::order;
use crate::ledger::{Changes, LedgerError, Target};
use crate::limits::Priority;
use crate::product::Carries;

/// How often a create that another node is making is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Answer a create whose number `order` has.
pub(super) async fn again(app: &Arc<App>, create: &Create, order: order::Model) -> Placed {
    let same = order.content_hash == create.hash();
    let order = if is_in_flight(app, &order).await {
        if !same {
            return other_content();
        }
        match join(app, order).await {
            Joined::Landed(placed) => return placed,
            Joined::Overdue(order) => *order,
        }
    } else {
        order
    };
    match order.status() {
        OrderStatus::Refused => resubmit(app, create, &order).await,
        _ if !same => other_content(),
        status => {
            match standing(create, &order).or_else(|| ended(status)).or_else(|| first_answer(create, &order))
            {
                Some(placed) => placed,
                None => after_asking(app, create, &order).await,
            }
        }
    }
}

/// Whether the answer to the order's latest submission is still to come.
async fn is_in_flight(app: &App, order: &order::Model) -> bool {
    match order.status() {
        OrderStatus::Submitting => true,
        OrderStatus::Refused | OrderStatus::Failed | OrderStatus::Closed => false,
        _ if order.pay_url.is_some() || order.answer_due_at < app.clock.now_ms() => false,
        // A notice, or the answer to a query, may have been quicker than the answer to create. (Paid through an
        // earlier call, the order names that one, whose answer may be overdue.)
        _ => submission_of(app, &order.submission_id).await.is_ok_and(|found| {
            found.is_some_and(|call| call.answered_at.is_none() && call.answer_due_at >= app.clock.now_ms())
        }),
    }
}

/// What a create is told of an order that nothing can be paid on any more.
fn ended(status: OrderStatus) -> Option<Placed> {
    match status {
        OrderStatus::Failed => Some(Placed::Conflict {
            code: Code::WRONG_STATE.0,
            msg: "this order has failed; use a new order number",
        }),
        OrderStatus::Closed => Some(Placed::Conflict {
            code: Code::ORDER_CLOSED.0,
            msg: "this order is closed; use a new order number",
        }),
        _ => None,
    }
}

fn other_content() -> Placed {
    Placed::Conflict {
        code: Code::CREATED_TWICE.0,
        msg: "this order number stands for an order with other content",
    }
}

/// Towards a create that would give the payer another way to pay.
pub(super) fn paid_already() -> Placed {
    Placed::Conflict { code: Code::WRONG_STATE.0, msg: "this order is paid; query it" }
}

/// How an order stands whose answer carries the outcome, once there is one.
fn standing(create: &Create, order: &order::Model) -> Option<Placed> {
    let is_over =
        order.status().has_money() || matches!(order.status(), OrderStatus::Failed | OrderStatus::Closed);
    is_over.then(|| as_it_stands(create, order)).flatten()
}

/// The same while it may still change. Of other content nobody is told that it is paid.
fn as_it_stands(create: &Create, order: &order::Model) -> Option<Placed> {
    let is_told =
        create.content.product.carries == Carries::Outcome && order.content_hash == create.content.hash();
    is_told.then(|| Placed::Standing { order: Box::new(order.clone()), extra: passed_on(create, order) })
}

/// What the first create was told, where it was told something that still holds.
fn first_answer(create: &Create, order: &order::Model) -> Option<Placed> {
    Some(Placed::Opened {
        pay_url: order.pay_url.clone()?,
        order_no: order.upstream_order_no.clone(),
        extra: passed_on(create, order),
    })
}

/// The fields of the first answer that we only pass on.
fn passed_on(create: &Create, order: &order::Model) -> Vec<(String, String)> {
    let extra =
        order.answer_extra.as_deref().and_then(|extra| serde_json::from_str(extra).ok()).unwrap_or_default();
    let said = crate::upstream::Said { extra, ..Default::default() };
    let theirs = [
        (order.submission_id.as_str(), order.number.as_str()),
        (create.store.upstream_store_no.as_str(), create.store.store_no.as_str()),
        (create.store.account.partner_no.as_str(), create.merchant.partner_no.as_str()),
    ];
    super::passed_on(&said, &theirs)
}

/// In doubt, or open without a payUrl: the upstream is asked first. Only an order that is not paid gets a new
/// submission, and only where nothing happens until the payer acts.
async fn after_asking(app: &Arc<App>, create: &Create, order: &order::Model) -> Placed {
    let Asked::Answered(order) = ask(app, order, Priority::Create).await else {
        return Placed::Doubt;
    };
    let is_refused = order.status() == OrderStatus::Refused;
    match order.status() {
        status if status.has_money() => standing(create, &order).unwrap_or_else(paid_already),
        // While we asked, a create with other content may have followed a refusal,
        _ if !is_refused && order.content_hash != create.hash() => other_content(),
        OrderStatus::Awaiting if create.content.product.carries == Carries::Outcome => {
            as_it_stands(create, &order).unwrap_or(Placed::Doubt)
        }
        // or the answer to the call that is in doubt may have come.
        _ if order.status() == OrderStatus::Awaiting && order.pay_url.is_some() => {
            first_answer(create, &order).unwrap_or(Placed::Doubt)
        }
        OrderStatus::Unknown | OrderStatus::Awaiting | OrderStatus::Refused
            if create.content.product.payer_starts =>
        {
            resubmit(app, create, &order).await
        }
        OrderStatus::Refused => {
            let code = order.code.and_then(|code| i32::try_from(code).ok()).unwrap_or(Code::FAILURE.0);
            refusal(code, Code(code).meaning().unwrap_or_default(), &[])
        }
        status => standing(create, &order).or_else(|| ended(status)).unwrap_or(Placed::Doubt),
    }
}

/// A new submission of an order that has no payment coming.
async fn resubmit(app: &Arc<App>, create: &Create, order: &order::Model) -> Placed {
    let (Ok(first), Ok(second)) = (room(app, &order.id), room(app, &order.id)) else {
        return Placed::Busy;
    };
    let now = app.clock.now_ms();
    let (submission, tokens) = new_submission(app, create, &order.id, now);
    let mut after = with_content(order, create);
    after.submission_id.clone_from(&submission.id);
    after.submissions += 1;
    after.answer_due_at = submission.answer_due_at;
    after.updated_at = now.max(order.updated_at);
    after.expires_at = expires_at(app, create, now);
    after.look_at = Some(submission.answer_due_at);
    after.looks = 0;
    if order.status().may_become(OrderStatus::Submitting) {
        OrderStatus::Submitting.as_str().clone_into(&mut after.status);
    }
    let note = json!({"submission": after.submissions, "store": create.store.store_no, "key": create.key_id});
    let mut entry = journal::entry(app.chance.id(), &order.id, &submission.id, now, Kind::Resubmitted, &note);
    entry.raw = Some(create.kept());
    let target = Target::of_order(&order.id, &entry.id);

    let (seen, new_order, new_submission) = (order.clone(), after.clone(), submission.clone());
    let begun = super::change(app, first, target, move |current| {
        // Another create or a payment was quicker: this one changes nothing. (That it was looked after is no matter.)
        let as_seen = order::Model { look_at: seen.look_at, looks: seen.looks, ..current.order.clone() };
        if as_seen != seen {
            return (Changes::default(), false);
        }
        let changes = Changes {
            order: Some(new_order.clone()),
            new_submission: Some(new_submission.clone()),
            journal: vec![entry.clone()],
            ..Changes::default()
        };
        (changes, true)
    });
    match begun.await {
        Ok(true) => {
            let flight = app.flights.depart(&order.id);
            let placed = submit(app, create, &after, &submission, &tokens, second).await;
            flight.land(&placed);
            placed
        }
        Ok(false) => join_other(app, create, &order.id).await,
        Err(LedgerError::InDoubt) => Placed::Doubt,
        Err(_) => Placed::Busy,
    }
}

/// Somebody else has just moved the order: take part in what they began.
async fn join_other(app: &Arc<App>, create: &Create, order_id: &str) -> Placed {
    let Ok(order) = reread(app, order_id).await else {
        return Placed::Doubt;
    };
    if order.content_hash != create.hash() {
        return other_content();
    }
    let again = |order: &order::Model| {
        standing(create, order).or_else(|| first_answer(create, order)).unwrap_or(Placed::Doubt)
    };
    if !is_in_flight(app, &order).await {
        return again(&order);
    }
    match join(app, order).await {
        Joined::Landed(placed) => placed,
        Joined::Overdue(order) => again(&order),
    }
}

/// The order with what this create asks for; after a refusal that may be something else than before.
fn with_content(order: &order::Model, create: &Create) -> order::Model {
    let content = &create.content;
    order::Model {
        store_id: create.store.id.clone(),
        product: content.product.name.to_owned(),
        wallet: content.wallet.map(|wallet| wallet.as_str().to_owned()),
        currency: create.store.currency.to_string(),
        amount: content.amount,
        title: content.title.clone(),
        notify_url: content.notify_url.as_ref().map(ToString::to_string),
        return_url: content.return_url.as_ref().map(ToString::to_string),
        content_hash: create.hash(),
        reference: create.reference(),
        sign_key_id: create.key_id.clone(),
        pay_url: None,
        answer_extra: None,
        code: None,
        ..order.clone()
    }
}

enum Joined {
    Landed(Placed),
    /// Its answer is due and never came.
    Overdue(Box<order::Model>),
}

/// Wait for the create that is under way, in this node or another, until its answer is due.
async fn join(app: &Arc<App>, mut order: order::Model) -> Joined {
    loop {
        if !is_in_flight(app, &order).await {
            return Joined::Overdue(Box::new(order));
        }
        let left = order.answer_due_at - app.clock.now_ms();
        let Ok(left) = u64::try_from(left) else {
            return super::reconcile::overdue(app, &order)
                .await
                .map_or(Joined::Landed(Placed::Doubt), |order| Joined::Overdue(Box::new(order)));
        };
        let left = Duration::from_millis(left + 1);
        if let Some(mut landed) = app.flights.board(&order.id) {
            let landed = tokio::time::timeout(left, landed.wait_for(Option::is_some)).await;
            return match landed {
                Ok(Ok(placed)) => Joined::Landed(placed.clone().unwrap_or(Placed::Doubt)),
                _ => Joined::Landed(Placed::Doubt),
            };
        }
        tokio::time::sleep(left.min(LOOK)).await;
        order = match reread(app, &order.id).await {
            Ok(order) => order,
            Err(_) => return Joined::Landed(Placed::Doubt),
        };
    }
}
