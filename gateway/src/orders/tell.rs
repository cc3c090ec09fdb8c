//! What is told of an order: the event. Whom it is promised to: `deliveries::promise`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chance::Chance;
use crate::entity::event::Audience;
use crate::entity::{event, order, refund};
use crate::ledger::Told;

/// Of an event's content; raised when a reader of the one before could misread it.
const VERSION: u32 = 1;

/// What can be told. The words are stored and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// An endpoint acknowledges nothing and will be disabled.
    EndpointFailing,
    EndpointDisabled,
}

impl Kind {
    pub const ALL: [Self; 12] = [
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
        Self::EndpointFailing,
        Self::EndpointDisabled,
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
            Self::EndpointFailing => "endpoint.failing",
            Self::EndpointDisabled => "endpoint.disabled",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether it tells how an order stands.
    pub fn is_of_order(self) -> bool {
        !matches!(self, Self::StoreCredentialsFailing | Self::EndpointFailing | Self::EndpointDisabled)
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
        position: 0,
    }
}

/// The event, promised to nobody yet: `orders::change` sees to that.
pub fn told(order: &mut order::Model, news: News<'_>, chance: &Chance) -> Told {
    Told { event: event(order, news, chance), promises: Vec::new() }
}
