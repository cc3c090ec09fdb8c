//! What is known of one order: what was asked for, where it stands, what was given back of it.

use serde::{Deserialize, Deserializer, Serialize, de};
use shared::money::Currency;
use shared::wallet::Wallet;
use time::OffsetDateTime;

use crate::products::Product;

/// What the partner asked for. Two calls with equal content are the same call made twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    pub product: Product,
    pub partner_no: String,
    pub store_no: String,
    pub partner_order_no: String,
    pub wallet: Wallet,
    /// As scanned; for the barcode product only.
    pub barcode: Option<String>,
    #[serde(serialize_with = "as_text", deserialize_with = "of_text")]
    pub currency: Currency,
    /// In the currency's smallest unit.
    pub amount: i64,
    pub goods_amount: Option<i64>,
    pub goods_extra_amount: Option<i64>,
    pub title: Option<String>,
    pub operator_id: Option<String>,
    pub terminal_no: Option<String>,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
    /// `it_b_pay`.
    pub time_to_pay: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn as_text<S: serde::Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.as_str())
}

fn of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    let text = String::deserialize(deserializer)?;
    Currency::parse(&text).ok_or_else(|| de::Error::custom("must be an ISO 4217 code"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    Awaiting,
    /// Called off: by the payer on the page, through the control, or because its time to pay was over. Queries are
    /// answered with code 33.
    Closed,
    Failed,
    Paid,
    /// In full.
    Refunded,
}

impl PaymentState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Closed => "closed",
            Self::Failed => "failed",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
        }
    }

    /// `status` of a query's answer. A closed order is answered with code 33 instead.
    pub fn wire_status(self) -> i64 {
        match self {
            Self::Awaiting => 0,
            Self::Paid => 1,
            Self::Failed | Self::Closed => 2,
            Self::Refunded => 3,
        }
    }

    /// A payment can still arrive for an order that failed or was closed: late, but money.
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Awaiting, Self::Paid | Self::Failed | Self::Closed)
                | (Self::Failed, Self::Paid | Self::Closed)
                | (Self::Closed, Self::Paid)
                | (Self::Paid, Self::Refunded)
        )
    }
}

/// Who paid with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaidWith {
    pub wallet: Wallet,
    /// Masked account, at most 30 characters.
    pub buyer: String,
    pub buyer_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    InProgress,
    Refunded,
    Failed,
}

impl RefundState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in progress",
            Self::Refunded => "refunded",
            Self::Failed => "failed",
        }
    }

    /// `status` of a refund's answer.
    pub fn wire_status(self) -> i64 {
        match self {
            Self::InProgress => 0,
            Self::Refunded => 1,
            Self::Failed => 2,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// The partner's; of a refund made elsewhere, one of ScanForPay's own.
    pub refund_no: String,
    pub amount: i64,
    pub state: RefundState,
    /// How often it was asked for: 1, and repeats with the same amount.
    pub asked: u32,
    /// How one in progress ends by itself.
    pub ends: Option<Ending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub state: RefundState,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// In the order of creation.
    #[serde(skip)]
    pub id: u64,
    #[serde(flatten)]
    pub content: Content,
    /// ScanForPay's own number.
    pub order_no: String,
    /// The payer's page; for a transaction QR code it is the code's text.
    pub pay_url: String,
    pub state: PaymentState,
    /// Until when it can be paid.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    pub paid_with: Option<PaidWith>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub paid_at: Option<OffsetDateTime>,
    /// Oldest first.
    pub refunds: Vec<Refund>,
    /// How often it was created: 1, and repeats with the same content.
    pub creates: u32,
    pub queries: u32,
    /// Attempts at notices, and whether one was answered with `success`.
    pub notices: u32,
    pub acknowledged: bool,
}

impl Order {
    /// The page's secret part.
    pub(crate) fn token(&self) -> &str {
        self.pay_url.rsplit('/').next().unwrap_or_default()
    }

    /// Whether somebody waits to hear of a payment.
    pub(crate) fn is_to_be_told(&self) -> bool {
        self.paid_at.is_some() && self.content.notify_url.is_some() && !self.acknowledged
    }

    pub fn refunded(&self) -> i64 {
        self.refund_sum(|state| state == RefundState::Refunded)
    }

    /// What can still be given back: nothing twice, refunds in progress counted as if they were made.
    pub fn refundable(&self) -> i64 {
        match self.state {
            PaymentState::Paid => self.content.amount - self.refund_sum(|state| state != RefundState::Failed),
            _ => 0,
        }
    }

    fn refund_sum(&self, counts: impl Fn(RefundState) -> bool) -> i64 {
        self.refunds.iter().filter(|refund| counts(refund.state)).map(|refund| refund.amount).sum()
    }

    pub(crate) fn refund(&self, refund_no: &str) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.refund_no == refund_no)
    }
}
