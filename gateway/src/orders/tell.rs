//! What is told of an order: the event, and the delivery that promises it to the order's notifyUrl. That address
//! hears one thing only, that the order was paid: existing clients mark an order paid on any validly signed message
//! that names it.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use super::settle::Telling;
use crate::chance::Chance;
use crate::entity::event::Audience;
use crate::entity::{delivery, endpoint, event, order, refund};
use crate::ledger::Told;

/// Of an event's content; raised when a reader of the one before could misread it.
const VERSION: u32 = 1;

/// What can be told. The words are stored and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    OrderPaid,
    OrderFailed,
    OrderClosed,
    OrderRefused,
    /// Paid with another order of the same purchase too, or through two submissions.
    OrderPaidTwice,
    /// More is refunded than our refunds explain.
    OrderRefundedExternally,
    /// What ScanForPay said does not agree with what was asked.
    FactQuarantined,
    RefundSucceeded,
    RefundFailed,
    StoreCredentialsFailing,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::OrderPaid,
        Self::OrderFailed,
        Self::OrderClosed,
        Self::OrderRefused,
        Self::OrderPaidTwice,
        Self::OrderRefundedExternally,
        Self::FactQuarantined,
        Self::RefundSucceeded,
        Self::RefundFailed,
        Self::StoreCredentialsFailing,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrderPaid => "order.paid",
            Self::OrderFailed => "order.failed",
            Self::OrderClosed => "order.closed",
            Self::OrderRefused => "order.refused",
            Self::OrderPaidTwice => "order.paid_twice",
            Self::OrderRefundedExternally => "order.refunded_externally",
            Self::FactQuarantined => "fact.quarantined",
            Self::RefundSucceeded => "refund.succeeded",
            Self::RefundFailed => "refund.failed",
            Self::StoreCredentialsFailing => "store.credentials_failing",
        }
    }

    /// What differs between us and the upstream is the platform's to look into.
    pub fn audience(self) -> Audience {
        match self {
            Self::FactQuarantined | Self::StoreCredentialsFailing => Audience::Platform,
            _ => Audience::All,
        }
    }
}

/// The content of an event about an order, in nobody's format and unsigned: every attempt renders and signs anew.
/// Events of earlier versions lack what is marked `default`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    #[serde(default)]
    pub version: u32,
    /// The merchant's number.
    pub number: String,
    #[serde(default)]
    pub reference: Option<String>,
    #[serde(default)]
    pub status: String,
    pub upstream_order_no: Option<String>,
    /// Minor units.
    pub amount: i64,
    #[serde(default)]
    pub paid: i64,
    #[serde(default)]
    pub refunded: i64,
    pub currency: String,
    pub wallet: Option<String>,
    /// RFC 3339 as the upstream said it.
    pub pay_time: Option<String>,
    pub buyer: Option<String>,
    pub buyer_id: Option<String>,
    /// It came after the order was given up.
    pub late: bool,
    /// Where we have it from: `answer`, `notice`, `query`, ….
    #[serde(default)]
    pub confirmed_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundContent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// Of the refund that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundContent {
    /// The merchant's number.
    pub refund_no: String,
    /// Minor units.
    pub amount: i64,
    /// The upstream's last code.
    pub code: Option<i64>,
    pub reason: Option<String>,
    /// The payment that it is taken from, where that is not the one that the order counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<String>,
}

/// A delivery with what it is to bring.
#[derive(Debug, Clone)]
pub struct Promised {
    pub delivery: delivery::Model,
    pub content: String,
}

/// What is new of an order.
#[derive(Debug, Clone)]
pub struct News<'a> {
    pub kind: Kind,
    /// What must be told once: the move it tells of. Unique within the order.
    pub r#move: String,
    /// Unix milliseconds.
    pub at: i64,
    pub confirmed_by: &'a str,
    pub refund: Option<&'a refund::Model>,
    pub detail: Option<Value>,
}

impl<'a> News<'a> {
    pub fn new(kind: Kind, r#move: impl Into<String>, at: i64, confirmed_by: &'a str) -> Self {
        Self { kind, r#move: r#move.into(), at, confirmed_by, refund: None, detail: None }
    }
}

/// What there is to tell of an order as it stands.
pub fn content(order: &order::Model, confirmed_by: &str) -> Content {
    Content {
        version: VERSION,
        number: order.number.clone(),
        reference: order.reference.clone(),
        status: order.status.clone(),
        upstream_order_no: order.upstream_order_no.clone(),
        amount: order.amount,
        paid: order.paid,
        refunded: order.refunded,
        currency: order.currency.clone(),
        wallet: order.paid_wallet.clone().or_else(|| order.wallet.clone()),
        pay_time: order.pay_time.clone(),
        buyer: order.buyer.clone(),
        buyer_id: order.buyer_id.clone(),
        late: order.late,
        confirmed_by: confirmed_by.to_owned(),
        refund: None,
        detail: None,
    }
}

/// The event that tells of it. Takes the order's next sequence number.
pub fn event(order: &mut order::Model, news: News<'_>, chance: &Chance) -> event::Model {
    order.events += 1;
    let content = Content {
        refund: news.refund.map(|refund| RefundContent {
            refund_no: refund.refund_no.clone(),
            amount: refund.amount,
            code: refund.code,
            reason: refund.reason.clone(),
            payment: (refund.submission_id != order.submission_id).then(|| refund.submission_id.clone()),
        }),
        detail: news.detail,
        ..content(order, news.confirmed_by)
    };
    event::Model {
        id: chance.id(),
        subject_id: order.id.clone(),
        merchant_id: order.merchant_id.clone(),
        kind: news.kind.as_str().to_owned(),
        r#move: news.r#move,
        sequence: order.events,
        content: serde_json::to_string(&content).expect("plain fields serialise"),
        created_at: news.at,
        platform_id: order.platform_id.clone(),
        audience: news.kind.audience(),
    }
}

/// An event that only registered endpoints hear of.
pub fn told(order: &mut order::Model, news: News<'_>, chance: &Chance) -> Told {
    Told { event: event(order, news, chance), promise: None }
}

/// The event that `order` was paid, and its delivery where the order has a notifyUrl.
pub fn paid(
    order: &mut order::Model,
    at: i64,
    confirmed_by: &str,
    telling: &Telling,
    chance: &Chance,
) -> Told {
    let event = event(order, News::new(Kind::OrderPaid, "paid", at, confirmed_by), chance);
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
