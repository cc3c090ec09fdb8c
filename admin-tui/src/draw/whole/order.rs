//! An order: where it stands, what happened, what was told of it.

use shared::ops::{Delivery, DeliveryState, OrderWhole, Refund, RefundState};

use super::attempts;
use crate::app::App;
use crate::draw::detail::Lines;
use crate::tables;
use crate::text;
use crate::theme::Meaning;

pub fn order(app: &App, whole: &OrderWhole, lines: &mut Lines) {
    let order = &whole.order;
    let standing = match (untold(&whole.deliveries), tables::status_meaning(order.status)) {
        (Some(meaning), _) => meaning,
        (None, Meaning::Plain | Meaning::Dim) => Meaning::Title,
        (None, other) => other,
    };
    lines.wide(&text::told(&whole.stands, app.zone), standing);
    lines.gap();
    let mut amounts = vec![text::money(order.amount, &order.currency)];
    for (what, minor) in [("paid", order.paid_amount), ("refunded", order.refunded_amount)] {
        if minor != 0 {
            amounts.push(format!("{what} {}", text::money(minor, &order.currency)));
        }
    }
    lines.named("status", order.status.as_str(), tables::status_meaning(order.status));
    lines.named("amount", &amounts.join(", "), Meaning::Plain);
    let store = order.store_no.as_ref().map_or(String::new(), |store| format!(", store {store}"));
    lines.named("merchant", &format!("{} of {}{store}", order.partner_no, order.platform), Meaning::Plain);
    let wallet = order.wallet.as_ref().map_or(String::new(), |wallet| format!(" with {wallet}"));
    lines.named("product", &format!("{}{wallet}", order.product), Meaning::Plain);
    if let Some(title) = &order.title {
        lines.named("title", title, Meaning::Plain);
    }
    lines.named("shop's number", &order.number, Meaning::Plain);
    lines.named("sent number", &whole.sent_number, Meaning::Plain);
    if let Some(number) = &whole.order_no {
        lines.named("ScanForPay's", number, Meaning::Plain);
    }
    let ends = text::time(whole.expires_at, app.zone);
    lines.named(
        "placed",
        &format!("{}, until {ends}", text::time(order.created_at, app.zone)),
        Meaning::Plain,
    );

    lines.heading("What happened");
    for entry in &whole.timeline {
        let by = entry.by.as_ref().map_or(String::new(), |by| format!(" ({by})"));
        let name = text::clock(entry.at, app.zone);
        let first = lines.drawn.len();
        lines.named(
            &name,
            &format!("{:<9} {}{by}", entry.kind.replace('_', " "), entry.text),
            meaning_of(&entry.kind),
        );
        if entry.id.is_some() && entry.id == app.chosen {
            lines.choose_from(first);
        }
    }
    submissions(app, whole, lines);
    if !whole.refunds.is_empty() {
        lines.heading("Refunds");
        whole.refunds.iter().for_each(|refund| one_refund(app, refund, lines));
    }
    for one in &whole.deliveries {
        let (state, meaning) = tables::delivery_meaning(one);
        lines.heading(&format!("Delivery of {} to {}", one.kind, one.url));
        lines.named("is", state, meaning);
        attempts(app, &one.attempts, lines);
    }
}

/// That a shop could not be told weighs more than that the order is paid, unless a replay has told it since.
fn untold(deliveries: &[Delivery]) -> Option<Meaning> {
    let is_same = |one: &Delivery, other: &Delivery| {
        (&one.event_id, &one.endpoint_id) == (&other.event_id, &other.endpoint_id)
    };
    let is_told = |one: &Delivery| {
        deliveries.iter().any(|other| other.state == DeliveryState::Delivered && is_same(one, other))
    };
    let left: Vec<_> = deliveries.iter().filter(|one| !is_told(one)).collect();
    if left.iter().any(|one| one.state == DeliveryState::Exhausted) {
        return Some(Meaning::Bad);
    }
    left.iter()
        .any(|one| one.state == DeliveryState::Due && one.attempt_count > 0)
        .then_some(Meaning::Warning)
}

fn meaning_of(kind: &str) -> Meaning {
    if kind.contains("fail") || kind.contains("quarantine") { Meaning::Bad } else { Meaning::Plain }
}

fn submissions(app: &App, whole: &OrderWhole, lines: &mut Lines) {
    lines.heading("Calls to ScanForPay");
    for one in &whole.submissions {
        let answer = match (one.answered_at, one.code) {
            (Some(at), Some(code)) => {
                format!("code {code} after {} ms", at.ms() - one.sent_at.ms())
            }
            (Some(at), None) => {
                format!("nothing to rely on after {} ms", at.ms() - one.sent_at.ms())
            }
            (None, _) => "no answer".to_owned(),
        };
        lines.named(&text::clock(one.sent_at, app.zone), &format!("{}: {answer}", one.id), Meaning::Plain);
    }
}

fn one_refund(app: &App, refund: &Refund, lines: &mut Lines) {
    let (state, meaning) = match refund.state {
        RefundState::Proposed => ("proposed: a second operator has to agree", Meaning::Warning),
        RefundState::Declined => ("declined", Meaning::Dim),
        RefundState::Submitting => ("being sent", Meaning::Plain),
        RefundState::Unknown => ("unknown", Meaning::Bad),
        RefundState::InProgress => ("in progress", Meaning::Plain),
        RefundState::Refunded => ("refunded", Meaning::Good),
        RefundState::Failed => ("failed", Meaning::Warning),
    };
    let reason = refund.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let said = format!(
        "{} {state}, {} asked by {}{reason}",
        text::money(refund.amount, &refund.currency),
        refund.refund_no,
        refund.asked_by
    );
    lines.named(&text::clock(refund.created_at, app.zone), &said, meaning);
}
