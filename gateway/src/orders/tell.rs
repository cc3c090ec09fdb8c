//! What a merchant is told of an order: the event, and the delivery that promises it to the order's notifyUrl.
//! That address hears one thing only, that the order was paid: existing clients mark an order paid on any
//! validly signed message that names it.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::settle::Telling;
use crate::chance::Chance;
use crate::entity::{delivery, endpoint, event, order};
use crate::ledger::Told;

/// The content of `order.paid`, in nobody's format and unsigned: every attempt renders and signs anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The merchant's number.
    pub number: String,
    pub upstream_order_no: Option<String>,
    /// Minor units.
    pub amount: i64,
    pub currency: String,
    pub wallet: Option<String>,
    /// RFC 3339 as the upstream said it.
    pub pay_time: Option<String>,
    pub buyer: Option<String>,
    pub buyer_id: Option<String>,
    /// It came after the order was given up.
    pub late: bool,
}

/// A delivery with what it is to bring.
#[derive(Debug, Clone)]
pub struct Promised {
    pub delivery: delivery::Model,
    pub content: String,
}

/// The event that `order` was paid, and its delivery where the order has a notifyUrl. Takes the order's next
/// sequence number.
pub fn paid(order: &mut order::Model, at: i64, telling: &Telling, chance: &Chance) -> Told {
    order.events += 1;
    let content = Paid {
        number: order.number.clone(),
        upstream_order_no: order.upstream_order_no.clone(),
        amount: order.amount,
        currency: order.currency.clone(),
        wallet: order.paid_wallet.clone().or_else(|| order.wallet.clone()),
        pay_time: order.pay_time.clone(),
        buyer: order.buyer.clone(),
        buyer_id: order.buyer_id.clone(),
        late: order.late,
    };
    let event = event::Model {
        id: chance.id(),
        order_id: order.id.clone(),
        merchant_id: order.merchant_id.clone(),
        kind: "order.paid".to_owned(),
        r#move: "paid".to_owned(),
        sequence: order.events,
        content: serde_json::to_string(&content).expect("plain fields serialise"),
        created_at: at,
    };
    let promise = order.notify_url.as_ref().map(|url| promise(order, &event, url, at, telling, chance));
    Told { event, promise }
}

fn promise(
    order: &order::Model,
    event: &event::Model,
    url: &str,
    at: i64,
    telling: &Telling,
    chance: &Chance,
) -> (endpoint::Model, delivery::Model) {
    let endpoint = implicit_endpoint(&order.merchant_id, url, at);
    let delivery = delivery::Model {
        id: chance.id(),
        event_id: event.id.clone(),
        endpoint_id: endpoint.id.clone(),
        order_id: order.id.clone(),
        merchant_id: order.merchant_id.clone(),
        replay_id: None,
        url: url.to_owned(),
        state: delivery::State::Due,
        attempts: 0,
        due_at: at,
        lease: telling.lease.as_ref().map(|(lease, _)| lease.clone()),
        leased_until: telling.lease.as_ref().map(|(_, length_ms)| *length_ms),
        sign_key_id: telling.sign_key_id.clone(),
        created_at: at,
        ended_at: None,
    };
    (endpoint, delivery)
}

/// The endpoint that a merchant's notifyUrls at one scheme, host and port share. Its id follows from them, so
/// that nothing has to be looked up to promise a delivery.
fn implicit_endpoint(merchant_id: &str, url: &str, at: i64) -> endpoint::Model {
    let origin = Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization());
    let digest = Sha256::digest(format!("{merchant_id} {origin}"));
    endpoint::Model {
        id: BASE32_NOPAD.encode(&digest[..16]),
        merchant_id: merchant_id.to_owned(),
        kind: "implicit".to_owned(),
        origin,
        status: "active".to_owned(),
        created_at: at,
    }
}

/// What is to be sent at once of what was told: only what this node holds the lease of.
pub fn promised(told: &Told) -> Option<Promised> {
    let (_, delivery) = told.promise.as_ref()?;
    delivery.lease.as_ref()?;
    Some(Promised { delivery: delivery.clone(), content: told.event.content.clone() })
}
