//! One call to the upstream for a refund that is durably on record, and its answer through the gate.

use std::sync::Arc;

use super::settle::{self, Fact, Settled, Told};
use super::target;
use crate::app::App;
use crate::directory::Account;
use crate::entity::refund::State;
use crate::entity::{refund, submission};
use crate::ledger::{LedgerError, Room};
use crate::orders::change;
use crate::orders::content::BodyText;
use crate::orders::query;
use crate::upstream::{Heard, REFUND_PATH};

/// Refusals that say the order is not as our books have it.
const BOOKS_DIFFER: [i64; 4] = [32, 33, 34, 35];

pub(super) async fn call(
    app: &Arc<App>,
    account: &Account,
    submission: &submission::Model,
    refund: &refund::Model,
    room: Room,
    is_repeat: bool,
) {
    let asked_at = app.clock.now_ms();
    let (key, timeout) = (account.signing_key(asked_at), app.config.upstream.timeout);
    let body = body(submission, refund);
    let heard = app.upstream.call(account, key, REFUND_PATH, &body, timeout).await;
    let took_ms = Some(app.clock.now_ms() - asked_at);
    let (told, raw) = match heard {
        Heard::Said(said) => {
            let raw = Some(said.raw.clone());
            (Told::Said { said, is_repeat }, raw)
        }
        Heard::Nothing { why, sent: false, .. } if !is_repeat => (Told::NotSent { why }, None),
        Heard::Nothing { why, raw, .. } => (Told::Nothing { why }, raw),
    };
    let fact = Fact {
        id: app.chance.id(),
        at: app.clock.now_ms(),
        refund_id: refund.id.clone(),
        told,
        raw,
        took_ms,
    };
    match take(app, room, refund, fact).await {
        Ok(settled) => after(app, &settled),
        // It stays as it was: open, kept back, and looked at once its answer is due.
        Err(error) => {
            tracing::error!(order = %refund.order_id, %error, "the upstream's answer to a refund could not be kept");
        }
    }
}

/// Ours alone: nothing that a merchant sent goes there.
fn body(submission: &submission::Model, refund: &refund::Model) -> String {
    let mut body = BodyText::default();
    body.text("partnerOrderNo", submission.sent_number());
    body.text("refundNo", &refund.id);
    body.number("orderAmount", refund.amount);
    body.finish()
}

/// Take a fact about `refund` through the gate, durably.
pub(super) async fn take(
    app: &Arc<App>,
    room: Room,
    refund: &refund::Model,
    fact: Fact,
) -> Result<Settled, LedgerError> {
    let target = target(&refund.order_id, &refund.submission_id, &fact.id);
    let chance = app.chance.clone();
    change(app, room, target, move |current| settle::settle(current, &fact, &chance)).await
}

fn after(app: &Arc<App>, settled: &Settled) {
    let order = &settled.order;
    if settled.held {
        tracing::error!(order = %order.id, "an answer to a refund is held: it differs from what was asked");
    }
    let Some(refund) = &settled.refund else { return };
    if refund.state.is_open() {
        tracing::warn!(order = %order.id, refund = %refund.id, state = ?refund.state, "how a refund ends is not known yet");
    }
    let differs =
        refund.state == State::Failed && refund.code.is_some_and(|code| BOOKS_DIFFER.contains(&code));
    if settled.held || differs {
        query::ask_later(app, order);
    }
}
