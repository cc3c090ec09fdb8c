//! An order as the REST API shows it.

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};
use shared::order::OrderStatus;

use crate::api::rest::Timestamp;
use crate::directory::Merchant;
use crate::entity::{order, submission};
use crate::orders::refund::sums::{self, Sums};
use crate::product::{self, Carries};

/// Where an order stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "OrderStatus", rename_all = "snake_case")]
pub enum Status {
    /// ScanForPay is being asked to open it.
    Submitting,
    /// Whether it was opened is not known yet.
    Unknown,
    /// Open; the payer has not paid yet.
    Awaiting,
    /// ScanForPay did not open it.
    Refused,
    Failed,
    /// A payment is not expected any more.
    Closed,
    Paid,
    PartiallyRefunded,
    Refunded,
}

impl From<OrderStatus> for Status {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Submitting => Self::Submitting,
            OrderStatus::Unknown => Self::Unknown,
            OrderStatus::Awaiting => Self::Awaiting,
            OrderStatus::Refused => Self::Refused,
            OrderStatus::Failed => Self::Failed,
            OrderStatus::Closed => Self::Closed,
            OrderStatus::Paid => Self::Paid,
            OrderStatus::PartiallyRefunded => Self::PartiallyRefunded,
            OrderStatus::Refunded => Self::Refunded,
        }
    }
}

impl From<Status> for OrderStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Submitting => Self::Submitting,
            Status::Unknown => Self::Unknown,
            Status::Awaiting => Self::Awaiting,
            Status::Refused => Self::Refused,
            Status::Failed => Self::Failed,
            Status::Closed => Self::Closed,
            Status::Paid => Self::Paid,
            Status::PartiallyRefunded => Self::PartiallyRefunded,
            Status::Refunded => Self::Refunded,
        }
    }
}

/// One of an order's payments. Amounts are integers in the currency's smallest unit.
#[derive(Object, Debug, Clone)]
#[oai(rename = "OrderPayment", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Payment {
    /// What a refund names it by.
    pub id: String,
    /// It is the one that the order's own amounts and status tell of.
    pub is_counted: bool,
    /// The number that ScanForPay was given.
    pub sent_number: String,
    /// ScanForPay's order number.
    pub order_no: Option<String>,
    /// When the payer paid, as ScanForPay said it: RFC 3339.
    pub pay_time: Option<String>,
    pub paid_amount: i64,
    pub refunded_amount: i64,
    /// What may still be refunded of it.
    pub left_amount: i64,
}

impl Payment {
    /// Those of `order`, which came through some of `calls`: all that it has.
    pub fn all(order: &order::Model, calls: &[submission::Model]) -> Vec<Self> {
        let paid = calls.iter().filter(|call| Sums::of(order, call).paid > 0);
        let mut payments: Vec<Self> = paid.map(|call| Self::of(order, call)).collect();
        payments.sort_by(|a, b| (!a.is_counted, &a.id).cmp(&(!b.is_counted, &b.id)));
        payments
    }

    fn of(order: &order::Model, call: &submission::Model) -> Self {
        let (sums, is_counted) = (Sums::of(order, call), sums::is_counted(order, call));
        Self {
            id: call.id.clone(),
            is_counted,
            sent_number: call.sent_number().to_owned(),
            order_no: call.upstream_order_no.clone(),
            pay_time: if is_counted { order.pay_time.clone() } else { call.second_pay_time.clone() },
            paid_amount: sums.paid,
            refunded_amount: sums.refunded,
            left_amount: sums.left(),
        }
    }
}

/// One payment. Amounts are integers in the currency's smallest unit: 2100 is 21.00 HKD, and 2100 JPY.
#[derive(Object, Debug, Clone)]
#[allow(clippy::struct_field_names, reason = "`orderNo` is ScanForPay's own word")]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Order {
    /// The merchant's own order number.
    pub number: String,
    /// The number that ScanForPay knows it by, as long as it has given none of its own. Payers see it on their bills.
    pub sent_number: String,
    /// ScanForPay's order number.
    pub order_no: Option<String>,
    pub merchant_id: String,
    pub store_no: Option<String>,
    /// The way to pay, such as `qrcode`.
    pub product: String,
    /// The wallet that it was paid with, or is to be.
    pub wallet: Option<String>,
    /// ISO 4217.
    pub currency: String,
    pub amount: i64,
    pub paid_amount: i64,
    pub refunded_amount: i64,
    pub title: Option<String>,
    /// What it is for, by the merchant's word or by its `referencePattern`.
    pub reference: Option<String>,
    pub status: Status,
    /// It was paid after it had been given up.
    pub late: bool,
    /// The same purchase was paid with another order too, or this order through two calls to ScanForPay.
    pub paid_twice: bool,
    /// Of an order that was paid through several calls, when it is looked at by itself: each payment, the one that the
    /// order counts first. A refund says which it is taken from.
    pub payments: Option<Vec<Payment>>,
    /// Where the payer pays; while it can be paid.
    pub pay_url: Option<String>,
    /// Of a `transaction_qr`: the text of the code to be shown; while it can be paid.
    pub qr_code: Option<String>,
    /// When the payer paid, as ScanForPay said it: RFC 3339.
    pub pay_time: Option<String>,
    /// The payer's account, masked.
    pub buyer: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Until then a payment is expected.
    pub expires_at: Timestamp,
}

impl Example for Order {
    fn example() -> Self {
        Self {
            number: "p20180725180605466813".into(),
            sent_number: "01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into(),
            order_no: Some("2018072518061200000017".into()),
            merchant_id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GJ".into(),
            store_no: Some("100010000000002".into()),
            product: "qrcode".into(),
            wallet: Some("Alipay".into()),
            currency: "HKD".into(),
            amount: 2100,
            paid_amount: 2100,
            refunded_amount: 0,
            title: Some("Consume".into()),
            reference: Some("cart-4711".into()),
            status: Status::Paid,
            late: false,
            paid_twice: false,
            payments: None,
            pay_url: None,
            qr_code: None,
            pay_time: Some("2018-07-25T18:07:31+08:00".into()),
            buyer: Some("138****0000".into()),
            created_at: Timestamp::of(1_532_513_165_250),
            updated_at: Timestamp::of(1_532_513_251_000),
            expires_at: Timestamp::of(1_532_599_565_250),
        }
    }
}

impl Order {
    /// `sent_number` is the one that the order's submission was sent under.
    pub fn of(merchant: &Merchant, row: order::Model, sent_number: &str) -> Self {
        let store = merchant.stores.values().find(|store| store.id == row.store_id);
        let status = row.status();
        let way = |field: &str| {
            let carries = product::named(&row.product).map(|product| product.carries);
            let is_it = matches!(carries, Some(Carries::Way { field: own, .. }) if own == field);
            row.pay_url.clone().filter(|_| is_it && status == OrderStatus::Awaiting)
        };
        Self {
            pay_url: way("payUrl"),
            qr_code: way("qrCode"),
            sent_number: sent_number.to_owned(),
            order_no: row.upstream_order_no,
            merchant_id: row.merchant_id,
            store_no: store.map(|store| store.store_no.clone()),
            product: row.product,
            wallet: row.paid_wallet.or(row.wallet),
            currency: row.currency,
            amount: row.amount,
            paid_amount: row.paid,
            refunded_amount: row.refunded,
            title: row.title,
            reference: row.reference,
            status: status.into(),
            late: row.late,
            paid_twice: row.paid_twice,
            payments: None,
            pay_time: row.pay_time,
            buyer: row.buyer,
            created_at: Timestamp::of(row.created_at),
            updated_at: Timestamp::of(row.updated_at),
            expires_at: Timestamp::of(row.expires_at),
            number: row.number,
        }
    }
}
