//! The payment products, one row each, and the create table of `docs/PROTOCOL.md`: which of its fields a product
//! takes, what its answer carries, how long it can be paid. One route serves them all.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::wallet::Wallet;

use crate::fields::{Kind, Rule};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// A page with a QR code, for sites seen on a PC.
    Qrcode,
    /// A checkout page that the browser is sent to.
    Online,
    /// A code for one transaction, shown in a store.
    TransactionQr,
    /// The payer's own code, scanned by the merchant.
    Barcode,
    /// A page inside the wallet's own browser.
    Jspay,
}

/// What tells the merchant how the order is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// `payUrl`: a page for the payer's browser.
    PayUrl,
    /// `qrCode`: the text of the code to be shown.
    QrCode,
    /// What a query would say: the payer may have paid already.
    Outcome,
}

pub(crate) struct Row {
    pub product: Product,
    pub path: &'static str,
    /// As people read it.
    pub title: &'static str,
    pub wallets: &'static [Wallet],
    pub carries: Carries,
    /// How long it can be paid, where `it_b_pay` does not say.
    pub pay_within: Duration,
}

const DAY: Duration = Duration::from_hours(24);

pub(crate) static ROWS: [Row; 5] = [
    row(Product::Qrcode, "/api/offline/qrcode", "web QR code", &Wallet::ALL, Carries::PayUrl, DAY),
    row(
        Product::Online,
        "/api/online/create",
        "web page",
        &[Wallet::Alipay, Wallet::AlipayHK],
        Carries::PayUrl,
        DAY,
    ),
    row(
        Product::TransactionQr,
        "/api/offline/create",
        "transaction QR code",
        &Wallet::ALL,
        Carries::QrCode,
        Duration::from_mins(3),
    ),
    // As long as a person may take to type a PIN with others waiting behind.
    row(
        Product::Barcode,
        "/api/offline/pay",
        "barcode",
        &Wallet::ALL,
        Carries::Outcome,
        Duration::from_mins(5),
    ),
    row(Product::Jspay, "/api/jspay/create", "JS API", &Wallet::ALL, Carries::PayUrl, DAY),
];

const fn row(
    product: Product,
    path: &'static str,
    title: &'static str,
    wallets: &'static [Wallet],
    carries: Carries,
    pay_within: Duration,
) -> Row {
    Row { product, path, title, wallets, carries, pay_within }
}

impl Product {
    pub(crate) fn row(self) -> &'static Row {
        ROWS.iter().find(|row| row.product == self).expect("every product has a row")
    }

    pub(crate) fn at(path: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.path == path).map(|row| row.product)
    }

    /// The fields of its create body.
    pub(crate) fn rules(self) -> Vec<Rule> {
        let column = ROWS.iter().position(|row| row.product == self).expect("every product has a row");
        let rules = CREATE.iter().filter_map(|(name, kind, needs)| {
            let required = match needs[column] {
                Y => true,
                N => false,
                X => return None,
            };
            Some(Rule { name, kind: *kind, required })
        });
        rules.collect()
    }
}

#[derive(Clone, Copy)]
enum Need {
    /// Required.
    Y,
    /// Not required.
    N,
    /// Not a field of the product.
    X,
}

use Need::{N, X, Y};

/// The columns stand in the order of [`ROWS`].
const CREATE: [(&str, Kind, [Need; 5]); 14] = [
    ("storeNo", Kind::Text(15), [Y, Y, Y, Y, Y]),
    ("partnerOrderNo", Kind::Text(32), [Y, Y, Y, Y, Y]),
    ("wallet", Kind::Wallet, [Y, Y, Y, X, Y]),
    ("barcode", Kind::Text(20), [X, X, X, Y, X]),
    ("currency", Kind::Currency, [Y, Y, X, X, X]),
    ("orderAmount", Kind::Amount, [Y, Y, Y, Y, Y]),
    ("goodsAmount", Kind::PartAmount, [N, N, X, X, X]),
    ("goodsExtraAmount", Kind::PartAmount, [N, N, X, X, X]),
    ("orderTitle", Kind::Title(100), [N, N, N, N, N]),
    ("operatorId", Kind::Text(20), [N, N, N, N, N]),
    ("terminalNo", Kind::Text(20), [N, N, N, N, N]),
    ("notifyUrl", Kind::Url(200), [N, N, N, N, N]),
    ("returnUrl", Kind::Url(200), [N, N, X, X, N]),
    ("it_b_pay", Kind::TimeToPay, [X, X, N, X, X]),
];
