//! Open refunds are followed until they are resolved: a query tells of one that empties its order; the same number is
//! sent again only where that is configured; after a day a person has to look. Never another refund in its place.

use std::sync::Arc;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use tokio::time::Instant;

use super::settle::{self, Fact, Told};
use super::{begin, call, ready, schedule, target};
use crate::app::App;
use crate::attention::{self, Matter};
use crate::chance::Chance;
use crate::entity::refund::{self, State};
use crate::ledger::{Changes, Current, Lane, LedgerError};
use crate::limits::Priority;
use crate::orders::journal::{self, Kind};
use crate::orders::query;
use crate::orders::{change, reread};

/// Refunds claimed in one go.
const PAGE: u64 = 100;
/// Refunds that are followed at a time.
pub const FOLLOWED: usize = 16;

/// What whoever claimed a due refund is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Look,
    /// Another node was quicker, or there is nothing more to do.
    Nothing,
}

/// Follow every refund that is due; returns how many were taken on. The work itself goes on in tasks of its own.
pub async fn sweep(app: &Arc<App>) -> anyhow::Result<usize> {
    let due = refund::Entity::find()
        .filter(refund::Column::LookAt.lte(app.clock.now_ms()))
        .order_by_asc(refund::Column::LookAt)
        .limit(PAGE)
        .all(&app.store.read)
        .await?;
    let mut taken = 0;
    for refund in due {
        // The others are due still in the next round.
        let Ok(permit) = app.following.clone().try_acquire_owned() else { break };
        let app_ = app.clone();
        taken += 1;
        app.tasks.spawn(async move {
            if let Err(error) = follow(&app_, &refund).await {
                tracing::warn!(refund = %refund.id, %error, "a refund could not be followed");
            }
            drop(permit);
        });
    }
    Ok(taken)
}

/// Do what is due for a refund, unless somebody else does.
pub async fn follow(app: &Arc<App>, refund: &refund::Model) -> Result<(), LedgerError> {
    if refund.state == State::Submitting && refund.calls == 0 {
        return first_call(app, refund).await;
    }
    if claim(app, refund).await? == Step::Look {
        look(app, refund, Priority::Reconcile).await;
        if app.config.orders.repeat_refunds {
            repeat(app, refund).await?;
        }
    }
    Ok(())
}

/// Make the first call of a refund that is on record, now.
pub(crate) fn begin_now(app: &Arc<App>, refund: refund::Model) {
    let task = app.clone();
    app.tasks.spawn(async move {
        if let Err(error) = first_call(&task, &refund).await {
            tracing::warn!(refund = %refund.id, %error, "a refund could not be begun; it is due still");
        }
    });
}

async fn first_call(app: &Arc<App>, refund: &refund::Model) -> Result<(), LedgerError> {
    // Where there is no room or no budget it is due still.
    let Ok(ready) = ready(app, &refund.order_id, &refund.submission_id).await else { return Ok(()) };
    let (id, now, key) = (refund.id.clone(), app.clock.now_ms(), app.chance.id());
    let due = now + app.answer_wait_ms();
    let target = target(&refund.order_id, &refund.submission_id, &key);
    let claimed = change(app, ready.first, target, move |current| {
        let is_new = |refund: &&refund::Model| refund.state == State::Submitting && refund.calls == 0;
        let Some(mut refund) = found(current, &id).filter(is_new).cloned() else {
            return (Changes::default(), None);
        };
        begin(&mut refund, due);
        refund.updated_at = refund.updated_at.max(now);
        let note = json!({"refundNo": refund.refund_no, "amount": refund.amount, "by": refund.asked_by});
        (written(&refund, &key, now, Kind::RefundAsked, &note), Some(refund))
    });
    if let Some(refund) = claimed.await? {
        call::call(app, &ready.account, &ready.submission, &refund, ready.second, false).await;
    }
    Ok(())
}

/// Take what is due: one write that sets when it is due next, which only one node can make.
async fn claim(app: &Arc<App>, seen: &refund::Model) -> Result<Step, LedgerError> {
    let room = app.ledger.room_when_free(Lane::Bulk, &seen.order_id).await?;
    let (seen, now, chance, key) = (seen.clone(), app.clock.now_ms(), app.chance.clone(), app.chance.id());
    let target = target(&seen.order_id, &seen.submission_id, &key);
    change(app, room, target, move |current| {
        let as_seen = |refund: &&refund::Model| refund.look_at == seen.look_at && refund.state.is_open();
        match found(current, &seen.id).filter(as_seen) {
            Some(refund) => due(current, refund, &key, now, &chance),
            None => (Changes::default(), Step::Nothing),
        }
    })
    .await
}

fn due(
    current: &Current<'_>,
    refund: &refund::Model,
    key: &str,
    now: i64,
    chance: &Chance,
) -> (Changes, Step) {
    if refund.state == State::Submitting {
        let refund_id = refund.id.clone();
        let fact =
            Fact { id: key.to_owned(), at: now, refund_id, told: Told::Overdue, raw: None, took_ms: None };
        return (settle::settle(current, &fact, chance).0, Step::Nothing);
    }
    let mut refund = refund.clone();
    refund.updated_at = refund.updated_at.max(now);
    refund.looks += 1;
    refund.look_at = schedule::next(usize::try_from(refund.looks).unwrap_or(usize::MAX), now);
    if refund.look_at.is_some() {
        return (Changes { refunds: vec![refund], ..Changes::default() }, Step::Look);
    }
    // The last look may still tell, and ends the matter then.
    let note = json!({"refundNo": refund.refund_no, "amount": refund.amount, "looks": refund.looks});
    let matter = Matter::RefundUnknown;
    let raised = attention::of_order(current.order, matter, &refund.id, now, &note, chance);
    let mut changes = written(&refund, key, now, Kind::RefundGivenUp, &note);
    changes.raised.push(raised);
    (changes, Step::Look)
}

fn found<'a>(current: &Current<'a>, id: &str) -> Option<&'a refund::Model> {
    current.refunds.iter().find(|refund| refund.id == id)
}

/// The refund as it is to be, and what the journal says of it.
fn written(refund: &refund::Model, key: &str, now: i64, kind: Kind, note: &serde_json::Value) -> Changes {
    let entry = journal::entry(key.to_owned(), &refund.order_id, &refund.submission_id, now, kind, note);
    Changes { refunds: vec![refund.clone()], journal: vec![entry], ..Changes::default() }
}

/// Ask about a refund's order: that all of it is refunded ends the refund.
pub async fn look(app: &Arc<App>, refund: &refund::Model, priority: Priority) {
    match reread(app, &refund.order_id).await {
        Ok(order) => drop(query::ask(app, &order, priority).await),
        Err(error) => {
            tracing::warn!(order = %refund.order_id, %error, "a refund's order could not be read");
        }
    }
}

/// Send the same number again, which the upstream is configured to take for the same refund.
async fn repeat(app: &Arc<App>, refund: &refund::Model) -> Result<(), LedgerError> {
    let Ok(ready) = ready(app, &refund.order_id, &refund.submission_id).await else { return Ok(()) };
    let (seen, now, key) = (refund.clone(), app.clock.now_ms(), app.chance.id());
    let due = now + app.answer_wait_ms();
    let target = target(&refund.order_id, &refund.submission_id, &key);
    let repeated = change(app, ready.first, target, move |current| {
        let may = |refund: &&refund::Model| {
            matches!(refund.state, State::Unknown | State::InProgress) && refund.calls == seen.calls
        };
        let Some(mut refund) = found(current, &seen.id).filter(may).cloned() else {
            return (Changes::default(), None);
        };
        refund.calls += 1;
        refund.answer_due_at = Some(due);
        refund.updated_at = refund.updated_at.max(now);
        let note = json!({"refundNo": refund.refund_no, "amount": refund.amount, "calls": refund.calls});
        (written(&refund, &key, now, Kind::RefundRepeated, &note), Some(refund))
    });
    if let Some(refund) = repeated.await? {
        call::call(app, &ready.account, &ready.submission, &refund, ready.second, true).await;
    }
    Ok(())
}

/// While its caller waits for the end of a refund that is in progress, the order is asked about, if that can tell.
pub(super) async fn while_waited_for(app: &Arc<App>, refund: &refund::Model) {
    let (wait, pause) = (app.config.orders.refund_wait, app.config.orders.query_min_interval);
    let until = Instant::now() + wait;
    loop {
        let Ok(Some(standing)) = super::standing(app, &refund.id).await else { return };
        let can_tell = standing.refund.state == State::InProgress && standing.sums().left() == 0;
        if !can_tell || Instant::now() + pause >= until {
            return;
        }
        tokio::time::sleep(pause.max(super::LOOK)).await;
        look(app, refund, Priority::Refund).await;
    }
}
