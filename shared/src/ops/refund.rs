//! Refunds as operators see and make them.

use serde::{Deserialize, Serialize};

use super::Moment;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// An operator asks for it; a second one has to agree.
    Proposed,
    Declined,
    /// Sent to ScanForPay; no answer yet.
    Submitting,
    /// Whether it was made is not known; it is followed until it is.
    Unknown,
    /// ScanForPay is at it.
    InProgress,
    Refunded,
    Failed,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// The number that ScanForPay was given.
    pub id: String,
    pub order_id: String,
    /// The merchant's number of the order.
    pub number: String,
    pub merchant_id: String,
    /// The number of whoever asked for it.
    pub refund_no: String,
    pub amount: i64,
    pub currency: String,
    pub state: RefundState,
    /// `merchant`, `platform`, `late_payment`, or `operator:` and the operator's name.
    pub asked_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The second operator, where one was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// ScanForPay's last `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i64>,
    /// How often ScanForPay was asked for it.
    pub calls: i64,
    /// When it is looked at next; absent: it has ended, or waits for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_at: Option<Moment>,
    /// What may still be refunded of the order.
    pub left_amount: i64,
    /// It has left one smallest unit of the payment, as rounding does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remainder: Option<i64>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

/// A refund to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundToMake {
    /// Unique within the order, 1 to 32 characters. Made up where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_no: Option<String>,
    pub amount: i64,
    /// 1 to 200 characters.
    pub reason: String,
    /// Though as much is being refunded under another number and how that ends is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

/// A second operator's word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundApproval {
    /// Though as much is being refunded under another number and how that ends is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub force: Option<bool>,
}

/// Why, in 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundReason {
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOutcome {
    Refunded,
    Failed,
}

/// How a refund ended, and how that is known, in 1 to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundResolution {
    pub outcome: RefundOutcome,
    pub reason: String,
}
