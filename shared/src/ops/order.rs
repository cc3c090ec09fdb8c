//! Orders, in a list and whole.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Delivery, Moment, Refund};
use crate::order::OrderStatus;

/// An order in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRow {
    pub id: String,
    /// The merchant's own order number.
    pub number: String,
    pub platform: String,
    pub merchant_id: String,
    pub partner_no: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_no: Option<String>,
    pub product: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wallet: Option<String>,
    pub amount: i64,
    pub paid_amount: i64,
    pub refunded_amount: i64,
    pub currency: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub status: OrderStatus,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// An order with everything that happened to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderWhole {
    pub order: OrderRow,
    /// Where it stands and, if it is stuck, why: one sentence for people.
    pub stands: String,
    /// The number that ScanForPay was given.
    pub sent_number: String,
    /// ScanForPay's own number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_no: Option<String>,
    /// Where the payer pays, while it can be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_url: Option<String>,
    pub expires_at: Moment,
    pub submissions: Vec<Submission>,
    pub refunds: Vec<Refund>,
    /// Oldest first.
    pub timeline: Vec<TimelineEntry>,
    pub deliveries: Vec<Delivery>,
}

/// One call to ScanForPay for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    pub id: String,
    pub sent_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Moment>,
    /// ScanForPay's `code`; absent: there was no answer to rely on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
}

/// One thing that happened to an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimelineEntry {
    /// Of an entry of the journal; absent: an attempt, which is with its delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The bytes in which it came are kept, and can be read with its id.
    #[serde(default)]
    pub has_bytes: bool,
    pub at: Moment,
    /// Such as `placed`, `notice` or `attempt`.
    pub kind: String,
    /// In words, for people.
    pub text: String,
    /// Who did it, where it was a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The same for programs; which members there are depends on its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// The bytes in which an entry of an order's journal came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryBytes {
    pub id: String,
    pub at: Moment,
    /// Such as `placed` or `notice`.
    pub kind: String,
    /// As they are kept, without signatures and keys. A byte that is no text is `\x` with its two hexadecimal digits.
    pub text: String,
    /// How many bytes are kept.
    pub size: u64,
    /// More are kept than `text` shows.
    pub cut: bool,
    /// Who paid is kept, and left out: viewers do not see it.
    #[serde(default)]
    pub payer_withheld: bool,
}
