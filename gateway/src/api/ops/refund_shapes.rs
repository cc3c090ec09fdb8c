//! What `/ops/v1` takes and answers about refunds.

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};

use crate::api::merchant::refund::State;
use crate::api::rest::Timestamp;
use crate::entity::{order, refund, submission};
use crate::orders::refund::sums::Sums;

/// A refund to be made.
#[derive(Object)]
#[oai(rename = "NewRefund", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct RefundToMake {
    /// Unique within the order; the same number with the same amount is the same refund. Made up where it is absent.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub refund_no: Option<String>,
    /// In the currency's smallest unit.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub amount: i64,
    /// Which payment it is taken from: required where the order was paid more than once. A matter `order.paid_again`
    /// names the second one in its detail, in `refund`.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00]*$"))]
    pub payment: Option<String>,
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub reason: String,
    /// Though as much is being refunded under another number and how that ends is not known.
    pub force: Option<bool>,
}

impl Example for RefundToMake {
    fn example() -> Self {
        Self { refund_no: None, amount: 700, payment: None, reason: "one cup was cold".into(), force: None }
    }
}

/// A second operator's word.
#[derive(Object)]
#[oai(rename = "RefundApproval", example, skip_serializing_if_is_none)]
pub struct Approval {
    /// Though as much is being refunded under another number and how that ends is not known.
    pub force: Option<bool>,
}

impl Example for Approval {
    fn example() -> Self {
        Self { force: Some(false) }
    }
}

/// Why.
#[derive(Object)]
#[oai(rename = "RefundReason", example)]
pub struct Reason {
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub reason: String,
}

impl Example for Reason {
    fn example() -> Self {
        Self { reason: "the shop has sent another cup".into() }
    }
}

/// How a refund ended.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "RefundOutcome", rename_all = "snake_case")]
pub enum Outcome {
    Refunded,
    Failed,
}

impl Outcome {
    pub fn is_refunded(self) -> bool {
        self == Self::Refunded
    }
}

/// How a refund ended, and how that is known.
#[derive(Object)]
#[oai(rename = "RefundResolution", example)]
pub struct Resolution {
    pub outcome: Outcome,
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub reason: String,
}

impl Example for Resolution {
    fn example() -> Self {
        Self { outcome: Outcome::Refunded, reason: "it is on ScanForPay's statement".into() }
    }
}

/// A refund as operators see it. Amounts are integers in the currency's smallest unit.
#[derive(Object)]
#[oai(rename = "Refund", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct RefundEntry {
    /// The number that ScanForPay was given.
    pub id: String,
    pub order_id: String,
    /// The merchant's number of the order.
    pub number: String,
    pub merchant_id: String,
    /// The number of whoever asked for it.
    pub refund_no: String,
    /// The payment that it is taken from; an order has more than one where it was paid through several calls.
    pub payment: String,
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    pub state: State,
    /// `merchant`, `platform`, `late_payment`, or `operator:` and the operator's name.
    pub asked_by: String,
    pub reason: Option<String>,
    /// The second operator, where one was needed.
    pub approved_by: Option<String>,
    /// ScanForPay's last `code`.
    pub code: Option<i64>,
    /// How often ScanForPay was asked for it.
    pub calls: i64,
    /// When it is looked at next; absent: it has ended, or waits for a person.
    pub look_at: Option<Timestamp>,
    /// What may still be refunded of the payment.
    pub left_amount: i64,
    /// It has left one smallest unit of the payment, as rounding does.
    pub remainder: Option<i64>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl RefundEntry {
    /// `calls` has the one that the refund's payment came through, unless that is the one that the order counts.
    pub fn of(order: &order::Model, calls: &[submission::Model], refund: refund::Model) -> Self {
        let sums = Sums::through(order, calls, &refund.submission_id);
        Self {
            id: refund.id,
            order_id: refund.order_id,
            number: order.number.clone(),
            merchant_id: refund.merchant_id,
            refund_no: refund.refund_no,
            payment: refund.submission_id,
            amount: refund.amount,
            currency: refund.currency,
            state: refund.state.into(),
            asked_by: refund.asked_by,
            reason: refund.reason,
            approved_by: refund.approved_by,
            code: refund.code,
            calls: refund.calls,
            look_at: refund.look_at.map(Timestamp::of),
            left_amount: sums.left(),
            remainder: sums.remainder().filter(|_| refund.state == refund::State::Refunded),
            created_at: Timestamp::of(refund.created_at),
            updated_at: Timestamp::of(refund.updated_at),
        }
    }
}
