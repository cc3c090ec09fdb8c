//! A refund as the REST API shows it.

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};

use crate::api::rest::Timestamp;
use crate::api::signed::refund::failure;
use crate::entity::{order, refund, submission};
use crate::error::Error;
use crate::orders::refund::Refused;
use crate::orders::refund::sums::Sums;

/// Where a refund stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "RefundStatus", rename_all = "snake_case")]
pub enum State {
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

impl From<refund::State> for State {
    fn from(state: refund::State) -> Self {
        match state {
            refund::State::Proposed => Self::Proposed,
            refund::State::Declined => Self::Declined,
            refund::State::Submitting => Self::Submitting,
            refund::State::Unknown => Self::Unknown,
            refund::State::InProgress => Self::InProgress,
            refund::State::Refunded => Self::Refunded,
            refund::State::Failed => Self::Failed,
        }
    }
}

impl From<State> for refund::State {
    fn from(state: State) -> Self {
        match state {
            State::Proposed => Self::Proposed,
            State::Declined => Self::Declined,
            State::Submitting => Self::Submitting,
            State::Unknown => Self::Unknown,
            State::InProgress => Self::InProgress,
            State::Refunded => Self::Refunded,
            State::Failed => Self::Failed,
        }
    }
}

/// Who asked for a refund.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum AskedBy {
    Merchant,
    Platform,
    /// Staff of the gateway.
    Operator,
    /// The store's policy on payments that come late.
    LatePayment,
}

impl AskedBy {
    fn of(text: &str) -> Self {
        match text {
            "merchant" => Self::Merchant,
            "platform" => Self::Platform,
            "late_payment" => Self::LatePayment,
            _ => Self::Operator,
        }
    }
}

/// Money given back, or being given back. Amounts are integers in the currency's smallest unit.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Refund {
    /// The number that ScanForPay was given.
    pub id: String,
    /// The number of whoever asked for it, unique within the order.
    pub refund_no: String,
    /// The merchant's number of the order.
    pub number: String,
    pub merchant_id: String,
    /// The payment that it is taken from; an order has more than one where it was paid through several calls.
    pub payment: String,
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    pub state: State,
    pub asked_by: AskedBy,
    pub reason: Option<String>,
    /// ScanForPay's last `code`.
    pub code: Option<i64>,
    /// What may still be refunded of the payment.
    pub left_amount: i64,
    /// It has left one smallest unit of the payment, as rounding does. Nothing refunds that by itself.
    pub remainder: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Example for Refund {
    fn example() -> Self {
        Self {
            id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GK".into(),
            refund_no: "r20180726091500000001".into(),
            number: "p20180725180605466813".into(),
            merchant_id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GJ".into(),
            payment: "01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into(),
            amount: 700,
            currency: "HKD".into(),
            state: State::Refunded,
            asked_by: AskedBy::Merchant,
            reason: Some("one cup was cold".into()),
            code: Some(1),
            left_amount: 1400,
            remainder: None,
            created_at: Timestamp::of(1_532_567_700_000),
            updated_at: Timestamp::of(1_532_567_701_250),
        }
    }
}

impl Refund {
    /// `calls` has the one that the refund's payment came through, unless that is the one that the order counts.
    pub fn of(order: &order::Model, calls: &[submission::Model], refund: refund::Model) -> Self {
        let sums = Sums::through(order, calls, &refund.submission_id);
        Self {
            id: refund.id,
            refund_no: refund.refund_no,
            number: order.number.clone(),
            merchant_id: refund.merchant_id,
            payment: refund.submission_id,
            amount: refund.amount,
            currency: refund.currency,
            state: refund.state.into(),
            asked_by: AskedBy::of(&refund.asked_by),
            reason: refund.reason,
            code: refund.code,
            left_amount: sums.left(),
            remainder: sums.remainder().filter(|_| refund.state == refund::State::Refunded),
            created_at: Timestamp::of(refund.created_at),
            updated_at: Timestamp::of(refund.updated_at),
        }
    }
}

/// Why a refund was not begun, as the REST API says it.
pub fn refusal(refused: &Refused) -> Error {
    let (code, pointer) = match refused {
        Refused::OtherAmount => ("refund_no_taken", Some("/refundNo")),
        Refused::OtherPayment => ("refund_no_taken", Some("/payment")),
        Refused::WhichPayment => ("several_payments", Some("/payment")),
        Refused::NoSuchPayment => ("no_such_payment", Some("/payment")),
        Refused::Open(_) => ("refund_open", Some("/amount")),
        Refused::TooMuch { .. } => ("more_than_refundable", Some("/amount")),
        Refused::NotPaid => ("not_paid", None),
        Refused::PaymentUnknown => ("payment_unknown", None),
        Refused::Elsewhere => ("refunded_externally", None),
        Refused::TooMany => ("too_many_refunds", None),
    };
    Error::Conflict { code, detail: refused.text(), pointer: pointer.map(str::to_owned) }
}

/// Why a refund has failed. It is kept, and can be looked at.
pub fn failed(refund: &refund::Model) -> Error {
    let detail = failure(refund.code).1;
    Error::Conflict { code: "refund_failed", detail, pointer: None }
}
