//! An event as it is told: the same JSON to those who list or fetch it and to the endpoints that it is brought to.

use poem_openapi::Object;
use poem_openapi::types::Any;
use serde::Deserialize;
use serde_json::Value;

use crate::api::rest::Timestamp;
use crate::entity::event;
use crate::orders::tell::{Content, Kind};

/// Something that was told of an order or of a store, with the order as it stood then. What each type has in it: the guide's chapter
/// 'Events'.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Event {
    pub id: String,
    /// Such as `order.paid`.
    #[oai(rename = "type")]
    pub kind: String,
    /// Of what is in it.
    pub version: u32,
    /// Its place among the events of its order or matter, from 1.
    pub sequence: i64,
    pub created_at: Timestamp,
    /// Where it is known from: `answer`, `notice`, `query`, …
    pub confirmed_by: Option<String>,
    /// The id of the merchant it is about. Of what is about the platform's own endpoint, none.
    pub merchant_id: Option<String>,
    /// Of what is told of an order.
    pub order: Option<OrderThen>,
    pub refund: Option<RefundThen>,
    /// Of what is told of a store.
    pub store: Option<StoreThen>,
    /// Of what is told of an endpoint.
    pub endpoint: Option<EndpointThen>,
    /// More, by type.
    pub detail: Option<Any<Value>>,
}

/// An order as it stood when an event was written. Amounts are integers in the currency's smallest unit.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct OrderThen {
    /// The merchant's own number.
    pub number: String,
    pub reference: Option<String>,
    pub status: Option<String>,
    /// ScanForPay's order number.
    pub order_no: Option<String>,
    pub currency: String,
    pub amount: i64,
    pub paid_amount: i64,
    pub refunded_amount: i64,
    pub wallet: Option<String>,
    /// When the payer paid, as ScanForPay said it: RFC 3339.
    pub pay_time: Option<String>,
    /// The payer's account, masked.
    pub buyer: Option<String>,
    /// It was paid after it had been given up.
    pub late: bool,
}

/// A refund as it stood when an event was written.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct RefundThen {
    /// The merchant's number.
    pub refund_no: String,
    pub amount: i64,
    /// ScanForPay's last code.
    pub code: Option<i64>,
    pub reason: Option<String>,
    /// The payment that it is taken from, where that is not the one that the order counts.
    pub payment: Option<String>,
}

/// A store that something was told of.
#[derive(Object, Deserialize, Debug)]
#[oai(rename_all = "camelCase")]
#[serde(rename_all = "camelCase")]
pub struct StoreThen {
    #[serde(rename = "storeId")]
    pub id: String,
    /// `raised`: from now on; `ended`: no longer.
    pub state: String,
}

/// An endpoint that something was told of.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase")]
pub struct EndpointThen {
    pub id: String,
    /// Since when nothing was acknowledged there.
    pub failing_since: Timestamp,
}

/// What is not about an order, as it is kept (`troubles::credentials`, `deliveries::failing`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotOfOrder {
    version: u32,
    #[serde(flatten)]
    store: Option<StoreThen>,
    endpoint_id: Option<String>,
    failing_since: Option<i64>,
    detail: Option<Value>,
}

impl Event {
    /// From its row.
    pub fn of(row: event::Model) -> anyhow::Result<Self> {
        let merchant_id = (!row.merchant_id.is_empty()).then_some(row.merchant_id);
        if !Kind::parse(&row.kind).is_some_and(Kind::is_of_order) {
            let content: NotOfOrder = serde_json::from_str(&row.content)?;
            return Ok(Self {
                id: row.id,
                kind: row.kind,
                version: content.version,
                sequence: row.sequence,
                created_at: Timestamp::of(row.created_at),
                confirmed_by: None,
                merchant_id,
                order: None,
                refund: None,
                store: content.store,
                endpoint: content
                    .endpoint_id
                    .zip(content.failing_since)
                    .map(|(id, since)| EndpointThen { id, failing_since: Timestamp::of(since) }),
                detail: content.detail.map(Any),
            });
        }
        let content: Content = serde_json::from_str(&row.content)?;
        let said = |text: String| (!text.is_empty()).then_some(text);
        Ok(Self {
            id: row.id,
            kind: row.kind,
            version: content.version,
            sequence: row.sequence,
            created_at: Timestamp::of(row.created_at),
            confirmed_by: said(content.confirmed_by),
            merchant_id,
            order: Some(OrderThen {
                number: content.number,
                reference: content.reference,
                status: said(content.status),
                order_no: content.upstream_order_no,
                currency: content.currency,
                amount: content.amount,
                paid_amount: content.paid,
                refunded_amount: content.refunded,
                wallet: content.wallet,
                pay_time: content.pay_time,
                buyer: content.buyer,
                late: content.late,
            }),
            store: None,
            endpoint: None,
            refund: content.refund.map(|refund| RefundThen {
                refund_no: refund.refund_no,
                amount: refund.amount,
                code: refund.code,
                reason: refund.reason,
                payment: refund.payment,
            }),
            detail: content.detail.map(Any),
        })
    }
}
