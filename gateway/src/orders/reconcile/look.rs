//! One look at one order: claimed, made, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::order::OrderStatus;

use crate::app::App;
use crate::attention::{self, Matter};
use crate::entity::{order, submission};
use crate::ledger::{Changes, Lane, LedgerError, Target};
use crate::limits::Priority;
use crate::orders::fact::{Source, Told};
use crate::orders::query::{self, Asked};
use crate::orders::schedule::{Next, Pace};
use crate::orders::{fact_now, reread, room, settle, submission_of};

/// What came of a look.
pub(super) enum Outcome {
    Looked,
    /// The account's budget is used up for so many milliseconds; the order is due again then.
    Over(i64),
}

/// A look that is ours.
pub(super) struct Claimed {
    /// As it stands with the next look planned.
    order: order::Model,
    is_last: bool,
}

/// Take the look at `order` that is due, and plan the one behind it. `None`: it is not due any more.
pub(super) async fn claim(
    app: &Arc<App>,
    order: &order::Model,
    now: i64,
) -> Result<Option<Claimed>, LedgerError> {
    let pace = Pace::new(&app.config.reconcile, app.troubles.is_unnoticed(&order.store_id));
    let next = pace.next(order, now);
    let after = order::Model { look_at: next.at(), looks: order.looks + 1, ..order.clone() };
    let claimed = replan(app, order, &after, None).await?;
    Ok(claimed.map(|order| Claimed { order, is_last: matches!(next, Next::Last(_)) }))
}

/// Give `before` the look and the count of `after`, unless it was moved or looked at meanwhile.
async fn replan(
    app: &App,
    before: &order::Model,
    after: &order::Model,
    raised: Option<crate::entity::attention::Model>,
) -> Result<Option<order::Model>, LedgerError> {
    let target = Target::of_order(&before.id, &app.chance.id());
    let seen = (before.status.clone(), before.look_at, before.looks);
    let (look_at, looks) = (after.look_at, after.looks);
    let room = app.ledger.room_when_free(Lane::Bulk, &before.id).await?;
    room.change(target, move |current| {
        let order = current.order;
        if (&order.status, order.look_at, order.looks) != (&seen.0, seen.1, seen.2) {
            return (Changes::default(), None);
        }
        let order = order::Model { look_at, looks, ..order.clone() };
        let changes = Changes {
            order: Some(order.clone()),
            raised: raised.iter().cloned().collect(),
            ..Changes::default()
        };
        (changes, Some(order))
    })
    .await
}

pub(super) async fn look(app: &Arc<App>, claimed: Claimed) -> Outcome {
    let Claimed { order, is_last } = claimed;
    if order.status() == OrderStatus::Submitting {
        overdue(app, &order).await;
        return Outcome::Looked;
    }
    if order.status().has_money() && !is_payable(app, &order).await {
        return Outcome::Looked;
    }
    let asked_at = app.clock.now_ms();
    // However lately it was asked about: what was said then is older than the time that this look is for.
    match query::ask_within(app, &order, Duration::ZERO, Priority::Reconcile).await {
        Asked::Over(_, refusal) => {
            let wait = i64::try_from(refusal.wait.as_millis()).unwrap_or(i64::MAX / 4);
            put_off(app, &order, asked_at + wait).await;
            return Outcome::Over(wait);
        }
        Asked::Answered(now)
            if now.status() == OrderStatus::Awaiting
                && now.submission_id == order.submission_id
                && now.expires_at <= asked_at =>
        {
            expire(app, &now).await;
        }
        _ if is_last => give_up(app, &order).await,
        _ => {}
    }
    Outcome::Looked
}

/// Whether money could come through another submission than that which it came through.
async fn is_payable(app: &App, order: &order::Model) -> bool {
    let submissions = submission::Entity::of_order(&order.id).all(&app.store.read).await;
    submissions.is_ok_and(|submissions| submissions.iter().any(|submission| submission.state.is_open()))
}

/// It was not asked about: the look is still to be made.
async fn put_off(app: &App, claimed: &order::Model, until: i64) {
    let again = order::Model { look_at: Some(until), looks: claimed.looks - 1, ..claimed.clone() };
    if let Err(error) = replan(app, claimed, &again, None).await {
        tracing::warn!(order = %claimed.id, %error, "a look that was not made could not be put off; the next one is planned");
    }
}

/// Its time is over and nothing was paid: we stop expecting it.
async fn expire(app: &Arc<App>, order: &order::Model) {
    let (Ok(room), Ok(Some(submission))) =
        (room(app, &order.id), submission_of(app, &order.submission_id).await)
    else {
        return; // asked again on schedule
    };
    let fact = fact_now(app, Source::Expiry, Told::Expired, None, None);
    if let Err(error) = settle(app, room, &submission, fact).await {
        tracing::warn!(order = %order.id, %error, "an expired order could not be closed");
    }
}

/// Nobody could say what became of it for as long as we asked: a person has to find out.
async fn give_up(app: &App, claimed: &order::Model) {
    if !matches!(claimed.status(), OrderStatus::Unknown | OrderStatus::Awaiting) {
        return;
    }
    let detail = json!({ "status": claimed.status, "looks": claimed.looks });
    let now = app.clock.now_ms();
    let raised = attention::of_order(claimed, Matter::OrderUnknown, &claimed.id, now, &detail, &app.chance);
    let ended = order::Model { look_at: None, ..claimed.clone() };
    match replan(app, claimed, &ended, Some(raised)).await {
        Ok(Some(order)) => {
            tracing::error!(order = %order.id, status = order.status, "nobody can say what became of an order; it is asked about no more");
        }
        Ok(None) => {} // something came
        Err(error) => {
            tracing::warn!(order = %claimed.id, %error, "an order could not be given up; it is asked about again");
        }
    }
}

/// The order after its answer was due: unknown, unless something came meanwhile. `None`: it could not be written.
pub(in crate::orders) async fn overdue(app: &Arc<App>, order: &order::Model) -> Option<order::Model> {
    let room = room(app, &order.id).ok()?;
    let submission = submission_of(app, &order.submission_id).await.ok()??;
    let fact = fact_now(app, Source::Answer, Told::Overdue, None, None);
    match settle(app, room, &submission, fact).await {
        Ok(settled) => Some(settled.order),
        Err(error) => {
            tracing::warn!(order = %order.id, %error, "an overdue order could not be called unknown");
            reread(app, &order.id).await.ok()
        }
    }
}
