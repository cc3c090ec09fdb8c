//! The bodies of the products beside the web QR code, field by field with their limits, for the contract. Which
//! product takes which is told in `product.rs`; a test holds the two against each other.

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};

use super::Wallet;

/// The wallets of a web page.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlipayWallet {
    Alipay,
    AlipayHK,
}

/// An order to be paid on a checkout page.
///
/// Fields named here are checked; others are passed on to ScanForPay as they are, but for those of the other products,
/// which are left out. An empty optional string counts as absent.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PlaceOnline {
    /// `String(15)`, required. The store the order is for; its number was issued by ScanForPay.
    #[oai(validator(min_length = 1, max_length = 15))]
    pub store_no: String,
    /// `String(32)`, required. The merchant's own order number, unique within the merchant. The same number
    /// with the same content is the same order, however often it is sent; with other content it is code 31.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub partner_order_no: String,
    /// `String(10)`, required. The wallet to pay with; the store must take it.
    pub wallet: AlipayWallet,
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

impl Example for PlaceOnline {
    fn example() -> Self {
        Self {
            store_no: "100010000000002".into(),
            partner_order_no: "p20180725180605466814".into(),
            wallet: AlipayWallet::Alipay,
            currency: "HKD".into(),
            order_amount: 2100,
            goods_amount: None,
            goods_extra_amount: None,
            order_title: Some("Consume".into()),
            operator_id: Some("211918".into()),
            terminal_no: Some("123456".into()),
            notify_url: Some("https://shop.example/ScanForPay/notify".into()),
            return_url: Some("https://shop.example/ScanForPay/return".into()),
        }
    }
}

/// An order to be paid by scanning a code of its own.
///
/// Fields named here are checked; others are passed on to ScanForPay as they are, but for those of the other products,
/// which are left out; a `currency` must be
/// the store's all the same. An empty optional string counts as absent.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PlaceTransactionQr {
    /// `String(15)`, required. The store the order is for; its number was issued by ScanForPay.
    #[oai(validator(min_length = 1, max_length = 15))]
    pub store_no: String,
    /// `String(32)`, required. The merchant's own order number, unique within the merchant. The same number
    /// with the same content is the same order, however often it is sent; with other content it is code 31.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub partner_order_no: String,
    /// `String(10)`, required. The wallet to pay with; the store must take it.
    pub wallet: Wallet,
    /// `int`, required. The amount to pay in the smallest unit of the store's currency: 100 is 1.00 CNY or HKD, and
    /// 100 JPY.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: i64,
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
    /// `String(10)`, optional. How long it can be paid: `1m` to `15d` in whole minutes, hours or days, or `1c`, until
    /// midnight where the store is. 3 minutes without it.
    #[oai(rename = "it_b_pay", validator(max_length = 10, pattern = "^([1-9][0-9]{0,4}[mhd]|1c)?$"))]
    pub it_b_pay: Option<String>,
}

impl Example for PlaceTransactionQr {
    fn example() -> Self {
        Self {
            store_no: "100010000000002".into(),
            partner_order_no: "p20180725180605466815".into(),
            wallet: Wallet::Alipay,
            order_amount: 2100,
            order_title: Some("Consume".into()),
            operator_id: Some("211918".into()),
            terminal_no: Some("123456".into()),
            notify_url: Some("https://shop.example/ScanForPay/notify".into()),
            it_b_pay: Some("10m".into()),
        }
    }
}

/// An order to be paid by the payer's code, which the merchant has scanned.
///
/// Fields named here are checked; others are passed on to ScanForPay as they are, but for those of the other products,
/// which are left out; a `currency` must be
/// the store's all the same. An empty optional string counts as absent.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PlaceBarcode {
    /// `String(15)`, required. The store the order is for; its number was issued by ScanForPay.
    #[oai(validator(min_length = 1, max_length = 15))]
    pub store_no: String,
    /// `String(32)`, required. The merchant's own order number, unique within the merchant. The same number
    /// with the same content is the same order, however often it is sent; with other content it is code 31.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub partner_order_no: String,
    /// `String(20)`, required. The payer's code as scanned. It is passed on and kept nowhere.
    #[oai(validator(min_length = 1, max_length = 20))]
    pub barcode: String,
    /// `int`, required. The amount to pay in the smallest unit of the store's currency: 100 is 1.00 CNY or HKD, and
    /// 100 JPY.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: i64,
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
}

impl Example for PlaceBarcode {
    fn example() -> Self {
        Self {
            store_no: "100010000000002".into(),
            partner_order_no: "p20180725180605466816".into(),
            barcode: "284447106610060508".into(),
            order_amount: 2100,
            order_title: Some("Consume".into()),
            operator_id: Some("211918".into()),
            terminal_no: Some("123456".into()),
            notify_url: Some("https://shop.example/ScanForPay/notify".into()),
        }
    }
}

/// An order to be paid inside the wallet's own browser.
///
/// Fields named here are checked; others are passed on to ScanForPay as they are, but for those of the other products,
/// which are left out; a `currency` must be
/// the store's all the same. An empty optional string counts as absent.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PlaceJspay {
    /// `String(15)`, required. The store the order is for; its number was issued by ScanForPay.
    #[oai(validator(min_length = 1, max_length = 15))]
    pub store_no: String,
    /// `String(32)`, required. The merchant's own order number, unique within the merchant. The same number
    /// with the same content is the same order, however often it is sent; with other content it is code 31.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub partner_order_no: String,
    /// `String(10)`, required. The wallet to pay with; the store must take it.
    pub wallet: Wallet,
    /// `int`, required. The amount to pay in the smallest unit of the store's currency: 100 is 1.00 CNY or HKD, and
    /// 100 JPY.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub order_amount: i64,
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

impl Example for PlaceJspay {
    fn example() -> Self {
        Self {
            store_no: "100010000000002".into(),
            partner_order_no: "p20180725180605466817".into(),
            wallet: Wallet::Alipay,
            order_amount: 2100,
            order_title: Some("Consume".into()),
            operator_id: Some("211918".into()),
            terminal_no: Some("123456".into()),
            notify_url: Some("https://shop.example/ScanForPay/notify".into()),
            return_url: Some("https://shop.example/ScanForPay/return".into()),
        }
    }
}

/// The answer to an order with a code: what to show, or why not.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct CodePlaced {
    /// `int`, always there. 1: the order is open. Anything else: see the table of response codes.
    pub code: i32,
    /// `String(100)`, always there. The reason in words; with codes 4 and 5 it names the field.
    #[oai(validator(max_length = 100))]
    pub msg: String,
    /// With code 1. The text of the QR code to be shown.
    pub qr_code: Option<String>,
    /// `String(32)`, with code 1 where ScanForPay gave one. ScanForPay's order number.
    #[oai(validator(max_length = 32))]
    pub order_no: Option<String>,
}

impl Example for CodePlaced {
    fn example() -> Self {
        Self {
            code: 1,
            msg: "success".into(),
            qr_code: Some("https://qr.alipay.com/bax03431ljhokirwl38f00a7".into()),
            order_no: Some("2018072518061200000018".into()),
        }
    }
}
