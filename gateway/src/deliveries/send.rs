//! One attempt: render the event in the receiver's form, sign it anew, post it, and say what came of it.

use bytes::Bytes;
use http::{HeaderValue, header};
use shared::envelope::{self, Side};
use url::Url;

use super::schedule;
use crate::app::App;
use crate::directory::{Merchant, SignKey};
use crate::entity::{attempt, delivery};
use crate::ledger::DeliveryMove;
use crate::orders::content::BodyText;
use crate::orders::tell;
use crate::outgoing::{Limits, Overlong, Reply, SendError};

/// Characters of an answer that are kept for people to see.
const EXCERPT: usize = 500;

/// Make the next attempt of `delivery`; yields what is to be written of it.
pub async fn attempt(app: &App, delivery: &delivery::Model, content: &str) -> DeliveryMove {
    let started_at = app.clock.now_ms();
    let Some(merchant) = app.directory.merchant_by_id(&delivery.merchant_id) else {
        return concluded(app, delivery, started_at, String::new(), Outcome::failed("merchant_gone"));
    };
    let key = key_for(&merchant, delivery, started_at);
    let outcome = match notification(app, &merchant, delivery, content, key) {
        Some(document) => post(app, &delivery.url, document).await,
        None => Outcome::failed("unreadable_event"),
    };
    concluded(app, delivery, started_at, key.id.clone(), outcome)
}

/// The version the merchant last used, and the other one in between once.
fn key_for<'a>(merchant: &'a Merchant, delivery: &delivery::Model, now: i64) -> &'a SignKey {
    let valid: Vec<&SignKey> = merchant.keys.iter().filter(|key| key.is_valid(now)).collect();
    let last_used = merchant.last_used_key().map_or(delivery.sign_key_id.as_str(), |key| key.id.as_str());
    let preferred = valid.iter().position(|key| key.id == last_used).unwrap_or(0);
    let place = schedule::key_place(preferred, valid.len(), delivery.attempts);
    valid.get(place).copied().unwrap_or_else(|| merchant.current_key())
}

/// `order.paid` as ScanForPay tells it: with the merchant's own numbers and no others.
fn notification(
    app: &App,
    merchant: &Merchant,
    delivery: &delivery::Model,
    content: &str,
    key: &SignKey,
) -> Option<String> {
    let paid: tell::Content = serde_json::from_str(content).ok()?;
    // The event's id: the same at every attempt, by which a receiver knows a repeat.
    let header = envelope::response_header(&merchant.partner_no, &delivery.event_id, app.clock.now());
    Some(envelope::seal(Side::Response, &header, &notice_body(&paid, PAID), &key.text))
}

/// A notice's `status` in ScanForPay's form, and the only one that orders' events are told with.
const PAID: i64 = 1;

/// What a notice says of an order, with this `status`.
pub(crate) fn notice_body(paid: &tell::Content, status: i64) -> String {
    let mut body = BodyText::default();
    body.number("code", 1);
    body.text("msg", "success");
    body.text_if("orderNo", paid.upstream_order_no.as_deref());
    body.text("partnerOrderNo", &paid.number);
    body.number("orderAmount", paid.amount);
    body.text_if("wallet", paid.wallet.as_deref());
    body.number("status", status);
    body.text_if("payTime", paid.pay_time.as_deref());
    body.text("currency", &paid.currency);
    body.text_if("buyer", paid.buyer.as_deref());
    body.text_if("buyerId", paid.buyer_id.as_deref());
    body.finish()
}

/// What came of an attempt.
struct Outcome {
    acknowledged: bool,
    word: &'static str,
    http_status: Option<u16>,
    excerpt: Option<String>,
}

impl Outcome {
    fn failed(word: &'static str) -> Self {
        Self { acknowledged: false, word, http_status: None, excerpt: None }
    }
}

async fn post(app: &App, url: &str, document: String) -> Outcome {
    let Ok(url) = Url::parse(url) else {
        return Outcome::failed("bad_url");
    };
    let config = &app.config.deliveries;
    let limits = Limits { timeout: config.timeout, max_body: config.max_body, overlong: Overlong::Cut };
    let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match app.outgoing.post(&url, &[json], Bytes::from(document), limits).await {
        Ok(reply) => judged(&reply),
        Err(error) => Outcome::failed(match error {
            SendError::Url => "bad_url",
            SendError::Refused(_) => "address_refused",
            SendError::Resolve { .. } => "name_not_resolved",
            SendError::Connect { .. } => "no_connection",
            SendError::Tls { .. } => "no_tls",
            SendError::TimedOut { .. } => "timed_out",
            SendError::Broken { .. } => "connection_broke",
            SendError::BodyTooLong { .. } => "answer_too_long",
        }),
    }
}

/// Acknowledged by status 200 and the text `success`, blanks and capitals forgiven.
pub(crate) fn acknowledges(reply: &Reply) -> bool {
    reply.status == 200 && String::from_utf8_lossy(&reply.body).trim().eq_ignore_ascii_case("success")
}

fn judged(reply: &Reply) -> Outcome {
    let text = String::from_utf8_lossy(&reply.body);
    let acknowledged = acknowledges(reply);
    let word = match (acknowledged, reply.status) {
        (true, _) => "delivered",
        (false, 200) => "not_acknowledged",
        (false, 300..=399) => "redirected",
        _ => "refused",
    };
    // U+0000 cannot be kept in a text column.
    let excerpt = text.chars().filter(|c| *c != '\0').take(EXCERPT).collect();
    Outcome { acknowledged, word, http_status: Some(reply.status), excerpt: Some(excerpt) }
}

/// The attempt and the delivery's next state.
fn concluded(
    app: &App,
    delivery: &delivery::Model,
    started_at: i64,
    key_id: String,
    outcome: Outcome,
) -> DeliveryMove {
    let now = app.clock.now_ms();
    let made = delivery.attempts + 1;
    let config = &app.config.deliveries;
    let swing = f64::from(i32::from(crate::chance::bytes::<1>()[0]) - 128) / 128.0;
    let next = schedule::next_due(&config.schedule, config.jitter, swing, made, now);
    let (state, due_at, ended_at) = match (outcome.acknowledged, next) {
        (true, _) => (delivery::State::Delivered, delivery.due_at, Some(now)),
        (false, Some(due_at)) => (delivery::State::Due, due_at, None),
        (false, None) => (delivery::State::Exhausted, delivery.due_at, Some(now)),
    };
    DeliveryMove {
        delivery_id: delivery.id.clone(),
        outcome: Some(outcome.word.to_owned()),
        is_superseded_by_paid: delivery.is_superseded_by_paid(),
        lease: delivery.lease.clone().unwrap_or_default(),
        attempt: Some(attempt::Model {
            id: app.chance.id(),
            delivery_id: delivery.id.clone(),
            started_at,
            duration_ms: (now - started_at).max(0),
            outcome: outcome.word.to_owned(),
            http_status: outcome.http_status.map(i64::from),
            excerpt: outcome.excerpt,
            sign_key_id: key_id,
        }),
        state,
        attempts: made,
        due_at,
        ended_at,
        sign_key_id: delivery.sign_key_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_forgiven_its_blanks_and_capitals_and_nothing_else() {
        let judge = |status, body: &str| {
            judged(&Reply { status, retry_after: None, body: Bytes::from(body.to_owned()), truncated: false })
                .acknowledged
        };
        for body in ["success", "SUCCESS", " Success\r\n"] {
            assert!(judge(200, body), "{body}");
        }
        for (status, body) in [
            (200, ""),
            (200, "success!"),
            (200, "\"success\""),
            (201, "success"),
            (500, "success"),
            (302, "success"),
        ] {
            assert!(!judge(status, body), "{status} {body}");
        }
    }
}
