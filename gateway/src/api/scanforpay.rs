//! ScanForPay's own operations as merchants see them: the bodies, field by field with their limits, for the
//! contract. They describe; what a request really says is read from its raw bytes.

mod envelope;
mod products;
mod refund;
mod text;

use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Enum, Object, Tags, Webhook, payload::Json};

pub use envelope::{RequestEnvelope, RequestHeader, ResponseEnvelope, ResponseHeader};
pub use products::{CodePlaced, PlaceBarcode, PlaceJspay, PlaceOnline, PlaceTransactionQr};
pub use refund::{RefundOrder, RefundState};
pub use text::{CODES, INTRODUCTION};

/// The payer's wallet: `Wechat` is WeChat Pay, `Alipay` is Alipay (it serves AlipayHK's payers, too),
/// `AlipayHK` is AlipayHK.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wallet {
    Wechat,
    Alipay,
    AlipayHK,
}

impl From<shared::wallet::Wallet> for Wallet {
    fn from(wallet: shared::wallet::Wallet) -> Self {
        match wallet {
            shared::wallet::Wallet::Wechat => Self::Wechat,
            shared::wallet::Wallet::Alipay => Self::Alipay,
            shared::wallet::Wallet::AlipayHK => Self::AlipayHK,
        }
    }
}

impl From<Wallet> for shared::wallet::Wallet {
    fn from(wallet: Wallet) -> Self {
        match wallet {
            Wallet::Wechat => Self::Wechat,
            Wallet::Alipay => Self::Alipay,
            Wallet::AlipayHK => Self::AlipayHK,
        }
    }
}

/// An order to be paid on a page with a QR code.
///
/// Fields named here are checked; others are passed on to ScanForPay as they are. An empty optional string
/// counts as absent.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PlaceQrcode {
    /// `String(15)`, required. The store the order is for; its number was issued by ScanForPay.
    #[oai(validator(min_length = 1, max_length = 15))]
    pub store_no: String,
    /// `String(32)`, required. The merchant's own order number, unique within the merchant. The same number
    /// with the same content is the same order, however often it is sent; with other content it is code 31.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub partner_order_no: String,
    /// `String(10)`, required. The wallet to pay with; the store must take it.
    pub wallet: Wallet,
    /// `String(10)`, required. ISO 4217 code; must be the store's currency.
    #[oai(validator(min_length = 1, max_length = 10))]
    pub currency: String,
    /// `int`, required. The amount to pay in the currency's smallest unit: 100 is 1.00 CNY or HKD, and 100 JPY.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: i64,
    /// `int`, optional. The part of `orderAmount` that is goods, in the same unit.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740992")))]
    pub goods_amount: Option<i64>,
    /// `int`, optional. The part of `orderAmount` that is extras, in the same unit.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740992")))]
    pub goods_extra_amount: Option<i64>,
    /// `String(100)`, optional. Shown to the payer. A longer title is cut to 100 characters, not refused.
    pub order_title: Option<String>,
    /// `String(20)`, optional. The merchant's cashier.
    #[oai(validator(max_length = 20))]
    pub operator_id: Option<String>,
    /// `String(20)`, optional. The merchant's till.
    #[oai(validator(max_length = 20))]
    pub terminal_no: Option<String>,
    /// `String(200)`, optional. Where the payment is notified, see the webhook; absent: no notification. An
    /// http or https URL without user name that leads to a public address.
    #[oai(validator(max_length = 200))]
    pub notify_url: Option<String>,
    /// `String(200)`, optional. Where the payer's browser goes afterwards: a form POST with the field
    /// `partnerOrderNo`. A query string of the URL's own stays. It proves nothing: query the order.
    #[oai(validator(max_length = 200))]
    pub return_url: Option<String>,
}

impl Example for PlaceQrcode {
    fn example() -> Self {
        Self {
            store_no: "100010000000002".into(),
            partner_order_no: "p20180725180605466813".into(),
            wallet: Wallet::Alipay,
            currency: "HKD".into(),
            order_amount: 2100,
            goods_amount: Some(2000),
            goods_extra_amount: Some(100),
            order_title: Some("Consume".into()),
            operator_id: Some("211918".into()),
            terminal_no: Some("123456".into()),
            notify_url: Some("https://shop.example/ScanForPay/notify".into()),
            return_url: Some("https://shop.example/ScanForPay/return".into()),
        }
    }
}

/// The answer to an order: where to send the payer, or why not.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Placed {
    /// `int`, always there. 1: the order is open. Anything else: see the table of response codes.
    pub code: i32,
    /// `String(100)`, always there. The reason in words; with codes 4 and 5 it names the field.
    #[oai(validator(max_length = 100))]
    pub msg: String,
    /// `String(200)`, with code 1. The payment page: send the payer's browser there.
    #[oai(validator(max_length = 200))]
    pub pay_url: Option<String>,
    /// `String(32)`, with code 1 where ScanForPay gave one. ScanForPay's order number.
    #[oai(validator(max_length = 32))]
    pub order_no: Option<String>,
}

impl Example for Placed {
    fn example() -> Self {
        Self {
            code: 1,
            msg: "success".into(),
            pay_url: Some("https://www.scanforpay.com/api/online/pay/5a421395def7ffdsa610f2".into()),
            order_no: Some("2018072518061200000017".into()),
        }
    }
}

/// Which order is asked for. At least one of the two order numbers is needed (neither: code 7); where both
/// are given, `orderNo` decides.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PayQuery {
    /// `String(15)`, optional. The order's store.
    #[oai(validator(max_length = 15))]
    pub store_no: Option<String>,
    /// `String(32)`, required without `orderNo`. The merchant's own order number.
    #[oai(validator(max_length = 32))]
    pub partner_order_no: Option<String>,
    /// `String(32)`, required without `partnerOrderNo`. ScanForPay's order number.
    #[oai(validator(max_length = 32))]
    pub order_no: Option<String>,
}

impl Example for PayQuery {
    fn example() -> Self {
        Self {
            store_no: Some("100010000000002".into()),
            partner_order_no: Some("p20180725180605466813".into()),
            order_no: None,
        }
    }
}

/// How an order stands: the answer to a query and to a barcode, and what a notification carries. With a code other than 1
/// only `code` and `msg` are there.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct OrderState {
    /// `int`, always there. 1: the other fields say how the order stands. Anything else: see the table of
    /// response codes.
    pub code: i32,
    /// `String(100)`, always there. The reason in words.
    #[oai(validator(max_length = 100))]
    pub msg: String,
    /// `String(32)`, with code 1. ScanForPay's order number.
    #[oai(validator(max_length = 32))]
    pub order_no: Option<String>,
    /// `String(32)`, with code 1. The merchant's own order number.
    #[oai(validator(max_length = 32))]
    pub partner_order_no: Option<String>,
    /// `int`, with code 1. The order's amount in the currency's smallest unit.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: Option<i64>,
    /// `String(10)`, with code 1. The wallet: `Wechat`, `Alipay` or `AlipayHK`.
    #[oai(validator(max_length = 10))]
    pub wallet: Option<String>,
    /// `int`, with code 1. 0: to be paid. 1: paid, perhaps refunded in part. 2: failed or closed. 3: refunded
    /// in full.
    #[oai(validator(minimum(value = "0"), maximum(value = "3")))]
    pub status: Option<i32>,
    /// `String(25)`, optional. When it was paid, RFC 3339 with offset.
    #[oai(validator(max_length = 25))]
    pub pay_time: Option<String>,
    /// `String(10)`, with code 1. ISO 4217 code of `orderAmount`.
    #[oai(validator(max_length = 10))]
    pub currency: Option<String>,
    /// `String(30)`, optional. The payer's account, masked.
    #[oai(validator(max_length = 30))]
    pub buyer: Option<String>,
    /// `String(30)`, optional. The payer's number at the wallet.
    #[oai(validator(max_length = 30))]
    pub buyer_id: Option<String>,
}

impl Example for OrderState {
    fn example() -> Self {
        Self {
            code: 1,
            msg: "success".into(),
            order_no: Some("2018072518061200000017".into()),
            partner_order_no: Some("p20180725180605466813".into()),
            order_amount: Some(2100),
            wallet: Some("Alipay".into()),
            status: Some(1),
            pay_time: Some("2018-07-25T18:07:31+08:00".into()),
            currency: Some("HKD".into()),
            buyer: Some("138****0000".into()),
            buyer_id: Some("2088000000000017".into()),
        }
    }
}

#[derive(Tags)]
pub(super) enum Group {
    /// What the gateway sends, and what it wants to hear.
    Notices,
}

/// The message to an order's `notifyUrl`.
#[Webhook]
pub trait PaymentNotification {
    /// An order was paid
    ///
    /// Sent to the order's `notifyUrl` once the payment is certain, as a *response* envelope signed with the
    /// merchant's key; `code` and `status` are always 1, other changes are never told this way. Verify the
    /// signature, look the order up by `partnerOrderNo`, compare amount and currency, and answer with HTTP 200
    /// and the text `success`.
    ///
    /// Any other answer, or none within 10 seconds, and the message comes again: after 15 s, 15 s, 30 s, 3 min,
    /// 10 min, 20 min, three times 30 min, 60 min, three times 3 h and twice 6 h. Take repeats as what they are.
    /// Redirects are not followed.
    #[oai(
        name = "paymentNotification",
        method = "post",
        operation_id = "paymentNotification",
        tag = "Group::Notices"
    )]
    fn paid(&self, message: Json<ResponseEnvelope<OrderState>>) -> Acknowledgement;
}

/// A receiver's answer to a notification.
pub struct Acknowledgement;

impl ApiResponse for Acknowledgement {
    fn meta() -> MetaResponses {
        let success = MetaSchema {
            description: Some("`success`; letter case and white space around it do not matter."),
            example: Some("success".into()),
            ..MetaSchema::new("string")
        };
        let taken =
            MetaMediaType { content_type: "text/plain", schema: MetaSchemaRef::Inline(Box::new(success)) };
        MetaResponses {
            responses: vec![
                answer(Some(200), "Taken; with any other text the message comes again.", vec![taken]),
                answer(None, "Not taken; the message comes again.", Vec::new()),
            ],
        }
    }

    fn register(_: &mut Registry) {}
}

fn answer(status: Option<u16>, description: &'static str, content: Vec<MetaMediaType>) -> MetaResponse {
    MetaResponse { description, status, status_range: None, content, headers: Vec::new() }
}
