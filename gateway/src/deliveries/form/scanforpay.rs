//! A payment as ScanForPay tells it: a signed envelope with the merchant's own numbers and no others.

use shared::envelope::{self, Side};

use super::super::schedule;
use super::{Letter, Original, Unwritable};
use crate::app::App;
use crate::directory::{Merchant, SignKey};
use crate::entity::delivery;
use crate::orders::content::BodyText;
use crate::orders::tell;

/// A notice's `status`, and the only one that orders' events are told with.
const PAID: i64 = 1;

pub fn letter(app: &App, delivery: &delivery::Model, original: &Original) -> Result<Letter, Unwritable> {
    let merchant = app.directory.merchant_by_id(&delivery.merchant_id).ok_or("merchant_gone")?;
    let key = key_for(&merchant, delivery, app.clock.now_ms());
    let paid: tell::Content = serde_json::from_str(&original.content).map_err(|_| "unreadable_event")?;
    // The event's id: the same at every attempt, by which a receiver knows a repeat.
    let header = envelope::response_header(&merchant.partner_no, &delivery.event_id, app.clock.now());
    let document = envelope::seal(Side::Response, &header, &notice_body(&paid, PAID), &key.text);
    Ok(Letter::json(document, &key.id))
}

/// The version the merchant last used, and the other one in between once.
fn key_for<'a>(merchant: &'a Merchant, delivery: &delivery::Model, now: i64) -> &'a SignKey {
    let valid: Vec<&SignKey> = merchant.keys.iter().filter(|key| key.is_valid(now)).collect();
    let last_used = merchant.last_used_key().map_or(delivery.sign_key_id.as_str(), |key| key.id.as_str());
    let preferred = valid.iter().position(|key| key.id == last_used).unwrap_or(0);
    let place = schedule::key_place(preferred, valid.len(), delivery.attempts);
    valid.get(place).copied().unwrap_or_else(|| merchant.current_key())
}

/// What a notice says of an order, with this `status`.
pub fn notice_body(paid: &tell::Content, status: i64) -> String {
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
