//! The refund's bodies.

use poem_openapi::Object;
use poem_openapi::types::Example;

/// Money to be given back: several times, in all no more than was paid.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct RefundOrder {
    /// `String(32)`, required. The merchant's own order number.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub partner_order_no: String,
    /// `String(32)`, required. The merchant's own number of the refund, unique within the order. The same number with
    /// the same amount is the same refund, however often it is sent; with another amount it is code 31.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub refund_no: String,
    /// `int`, required. The amount to give back in the currency's smallest unit.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: i64,
    /// `String(15)`, optional. The order's store.
    #[oai(validator(max_length = 15))]
    pub store_no: Option<String>,
    /// `String(20)`, optional. The merchant's cashier.
    #[oai(validator(max_length = 20))]
    pub operator_id: Option<String>,
    /// `String(20)`, optional. The merchant's till.
    #[oai(validator(max_length = 20))]
    pub terminal_no: Option<String>,
}

impl Example for RefundOrder {
    fn example() -> Self {
        Self {
            partner_order_no: "p20180725180605466813".into(),
            refund_no: "r20180726091500000001".into(),
            order_amount: 700,
            store_no: None,
            operator_id: Some("211918".into()),
            terminal_no: Some("123456".into()),
        }
    }
}

/// How a refund stands. With a code other than 1 the refund was not begun, or, where `status` is 2, ScanForPay has
/// refused it.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct RefundState {
    /// `int`, always there. 1: `status` says how the refund stands. Anything else: see the table of response codes.
    pub code: i32,
    /// `String(100)`, always there. The reason in words; also points out one smallest unit that is left of a payment,
    /// as rounding leaves it.
    #[oai(validator(max_length = 100))]
    pub msg: String,
    /// `int`. The refund's amount in the currency's smallest unit.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: Option<i64>,
    /// `int`. 0: in progress, or in doubt and followed until it is known; send the same again to learn how it ended. 1:
    /// refunded. 2: failed.
    #[oai(validator(minimum(value = "0"), maximum(value = "2")))]
    pub status: Option<i32>,
    /// `String(10)`. ISO 4217 code of `orderAmount`.
    #[oai(validator(max_length = 10))]
    pub currency: Option<String>,
    /// `String(32)`. The merchant's own number of the refund.
    #[oai(validator(max_length = 32))]
    pub refund_no: Option<String>,
}

impl Example for RefundState {
    fn example() -> Self {
        Self {
            code: 1,
            msg: "success".into(),
            order_amount: Some(700),
            status: Some(1),
            currency: Some("HKD".into()),
            refund_no: Some("r20180726091500000001".into()),
        }
    }
}
