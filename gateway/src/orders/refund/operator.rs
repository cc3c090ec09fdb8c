//! What operators decide about refunds: a second one agrees to more than one may refund alone, and where the upstream
//! does not tell how a refund ended, one who has looked there says so.

use std::sync::Arc;

use serde_json::json;

use super::settle::{Fact, Told};
use super::{Ask, Refunding, begin, books, call, follow, keep_back, not_begun, ready, stands, target};
use crate::app::App;
use crate::attention::Matter;
use crate::entity::refund::{self, State};
use crate::ledger::{Calmed, Changes, Current, LedgerError};
use crate::orders::journal::{self, Kind};
use crate::orders::{change, room};

/// `asked_by` of what an operator asks for.
pub fn asked_by(name: &str) -> String {
    format!("operator:{name}")
}

/// Whether one operator may not decide this alone. Several small refunds of one order count as one.
pub(super) fn takes_two(ask: &Ask, refunds: &[refund::Model]) -> bool {
    let Some(most) = ask.alone_up_to else { return false };
    let alone = refunds.iter().filter(|refund| {
        let counts = refund.state.is_open() || refund.state == State::Refunded;
        counts && refund.approved_by.is_none() && refund.asked_by.starts_with("operator:")
    });
    ask.amount.saturating_add(alone.map(|refund| refund.amount).sum()) > most
}

/// What comes of deciding about a refund.
#[derive(Debug, Clone)]
pub enum Decided {
    Done(Refunding),
    /// It waits for nobody's decision, or for none of this kind.
    NotWaiting,
    /// Whoever proposed it does not agree to it, too.
    Own,
}

#[derive(Debug, Clone)]
enum Approved {
    Begun(Box<refund::Model>),
    Refused(books::Refused),
    NotWaiting,
    Own,
}

/// Let a proposed refund be made. `force`: though as much is being refunded under another number.
pub async fn approve(app: &Arc<App>, seen: &refund::Model, by: String, force: bool) -> Decided {
    let ready = match ready(app, &seen.order_id, &seen.submission_id).await {
        Ok(ready) => ready,
        Err(refunding) => return Decided::Done(refunding),
    };
    let (id, key, now) = (seen.id.clone(), app.chance.id(), app.clock.now_ms());
    let (due, target) = (now + app.answer_wait_ms(), target(&seen.order_id, &seen.submission_id, &key));
    let task_app = app.clone();
    let task = app.tasks.spawn(async move {
        let app = task_app;
        let decide = move |current: &Current<'_>| agreed(current, &id, &by, force, &key, now, due);
        match change(&app, ready.first, target, decide).await {
            Ok(Approved::Begun(refund)) => {
                call::call(&app, &ready.account, &ready.submission, &refund, ready.second, false).await;
                follow::while_waited_for(&app, &refund).await;
                Decided::Done(stands(&app, &refund.id).await)
            }
            Ok(Approved::Refused(refused)) => Decided::Done(Refunding::Refused(refused)),
            Ok(Approved::NotWaiting) => Decided::NotWaiting,
            Ok(Approved::Own) => Decided::Own,
            Err(error) => Decided::Done(not_begun(&error)),
        }
    });
    match tokio::time::timeout(app.config.orders.refund_wait, task).await {
        Ok(Ok(decided)) => decided,
        Ok(Err(_)) => Decided::Done(Refunding::Doubt),
        Err(_) => Decided::Done(stands(app, &seen.id).await),
    }
}

fn agreed(
    current: &Current<'_>,
    id: &str,
    by: &str,
    force: bool,
    key: &str,
    now: i64,
    due: i64,
) -> (Changes, Approved) {
    let proposed = current.refunds.iter().find(|refund| refund.id == id && refund.state == State::Proposed);
    let Some((proposed, call)) = proposed.zip(current.submission) else {
        return (Changes::default(), Approved::NotWaiting);
    };
    if proposed.asked_by == by {
        return (Changes::default(), Approved::Own);
    }
    let others: Vec<refund::Model> =
        current.refunds.iter().filter(|refund| refund.id != id).cloned().collect();
    if let Some(refused) = books::refused(current.order, call, &others, proposed.amount, force) {
        return (Changes::default(), Approved::Refused(refused));
    }
    let mut refund = proposed.clone();
    begin(&mut refund, due);
    refund.approved_by = Some(by.to_owned());
    let mut changes = decided(&refund, by, None, key, now, Kind::RefundAsked);
    let (mut order, mut call) = (current.order.clone(), call.clone());
    keep_back(&mut order, &mut call, &refund, now);
    changes.order = Some(order);
    changes.submission = Some(call);
    (changes, Approved::Begun(Box::new(refund)))
}

/// What every decision about a proposal writes.
fn decided(
    refund: &refund::Model,
    by: &str,
    reason: Option<&str>,
    key: &str,
    now: i64,
    kind: Kind,
) -> Changes {
    let mut refund = refund.clone();
    refund.updated_at = refund.updated_at.max(now);
    let mut note = json!({
        "refundNo": refund.refund_no, "amount": refund.amount, "by": refund.asked_by, "decidedBy": by,
        "reason": refund.reason,
    });
    if let Some(reason) = reason {
        note["declined"] = json!(reason);
    }
    let calmed = Calmed {
        kind: Matter::RefundProposed.as_str(),
        subject_id: refund.id.clone(),
        at: now,
        by: by.to_owned(),
        reason: reason.map(str::to_owned),
    };
    let entry = journal::entry(key.to_owned(), &refund.order_id, &refund.submission_id, now, kind, &note);
    Changes { refunds: vec![refund], journal: vec![entry], calmed: vec![calmed], ..Changes::default() }
}

/// Turn a proposed refund away. Nothing of it was reserved.
pub async fn decline(
    app: &Arc<App>,
    seen: &refund::Model,
    by: String,
    reason: String,
) -> Result<Decided, LedgerError> {
    let (id, key, now) = (seen.id.clone(), app.chance.id(), app.clock.now_ms());
    let target = target(&seen.order_id, &seen.submission_id, &key);
    let declined = change(app, room(app, &seen.order_id)?, target, move |current| {
        let proposed = current.refunds.iter().find(|refund| refund.id == id);
        let Some(refund) = proposed.filter(|refund| refund.state == State::Proposed) else {
            return (Changes::default(), false);
        };
        let refund = refund::Model { state: State::Declined, ..refund.clone() };
        (decided(&refund, &by, Some(&reason), &key, now, Kind::RefundDeclined), true)
    });
    if !declined.await? {
        return Ok(Decided::NotWaiting);
    }
    Ok(Decided::Done(stands(app, &seen.id).await))
}

/// How a refund in doubt ended, by the word of an operator who has looked at the upstream's own books.
pub async fn resolve(
    app: &Arc<App>,
    seen: &refund::Model,
    by: String,
    refunded: bool,
    reason: String,
) -> Result<Decided, LedgerError> {
    if !matches!(seen.state, State::Unknown | State::InProgress) {
        return Ok(Decided::NotWaiting);
    }
    let fact = Fact {
        id: app.chance.id(),
        at: app.clock.now_ms(),
        refund_id: seen.id.clone(),
        told: Told::Word { refunded, by, reason },
        raw: None,
        took_ms: None,
    };
    call::take(app, room(app, &seen.order_id)?, seen, fact).await?;
    Ok(Decided::Done(stands(app, &seen.id).await))
}
