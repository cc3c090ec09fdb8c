//! The payment products, one row each: where they are created, which fields they take, who starts the payment, how
//! long it can be paid and what its answer carries. Nothing else knows one product from another. To be checked
//! against the create table of `docs/PROTOCOL.md`.

use std::time::Duration;

use shared::wallet::Wallet;

use crate::config;

/// How a field of a create body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// At most so many code points.
    Text(usize),
    /// Shown to the payer: cut to so many code points, not refused. A payment matters more.
    Title(usize),
    /// Minor units, at least 1.
    Amount,
    /// Minor units, 0 allowed.
    PartAmount,
    /// One of the product's.
    Wallet,
    Currency,
    /// The payer's code as scanned: at most so many code points, and nothing to be kept or shown.
    Barcode(usize),
    /// `it_b_pay`.
    TimeToPay,
    /// Called by us, so its address is checked.
    NotifyUrl,
    /// Opened by the payer's browser.
    ReturnUrl,
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
}

/// What the upstream's answer to an order that it opened carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// What leads the payer to the payment, under this name. It is also looked for under the others, in their order.
    Way { field: &'static str, also: &'static [&'static str] },
    /// How the order stands: the payer may have paid already.
    Outcome,
}

const PAY_URL: Carries = Carries::Way { field: "payUrl", also: &[] };

/// How long an order can be paid.
#[derive(Debug, Clone, Copy)]
pub enum PayWindow {
    /// As its `it_b_pay` says; the upstream's default where it says nothing.
    Asked(Duration),
    Configured(fn(&config::Orders) -> Duration),
}

/// One way to pay.
#[derive(Debug)]
pub struct Product {
    /// As stored, logged and shown.
    pub name: &'static str,
    /// Relative to the upstream's base URL, and to ours.
    pub path: &'static str,
    /// Whether nothing happens until the payer acts; then a second submission cannot charge anybody by itself.
    pub payer_starts: bool,
    pub wallets: &'static [Wallet],
    pub carries: Carries,
    pub pay_window: PayWindow,
    /// Sooner after a submission 'no such order' proves nothing: the call may still be under way.
    pub arrival_wait: Duration,
    pub fields: &'static [Field],
}

impl Product {
    pub fn takes(&self, field: &str) -> bool {
        self.fields.iter().any(|known| known.name == field)
    }

    /// How long an order can be paid that does not say so itself.
    pub fn pay_window(&self, orders: &config::Orders) -> Duration {
        match self.pay_window {
            PayWindow::Asked(default) => default,
            PayWindow::Configured(setting) => setting(orders),
        }
    }
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const STORE: Field = required("storeNo", Kind::Text(15));
const NUMBER: Field = required("partnerOrderNo", Kind::Text(32));
const WALLET: Field = required("wallet", Kind::Wallet);
const CURRENCY: Field = required("currency", Kind::Currency);
const AMOUNT: Field = required("orderAmount", Kind::Amount);
const GOODS: Field = optional("goodsAmount", Kind::PartAmount);
const EXTRAS: Field = optional("goodsExtraAmount", Kind::PartAmount);
const TITLE: Field = optional("orderTitle", Kind::Title(100));
const OPERATOR: Field = optional("operatorId", Kind::Text(20));
const TERMINAL: Field = optional("terminalNo", Kind::Text(20));
const NOTIFY: Field = optional("notifyUrl", Kind::NotifyUrl);
const RETURN: Field = optional("returnUrl", Kind::ReturnUrl);
const BARCODE_READ: Field = required("barcode", Kind::Barcode(20));
const TIME_TO_PAY: Field = optional("it_b_pay", Kind::TimeToPay);

const ARRIVAL_WAIT: Duration = Duration::from_mins(2);

/// A page with a QR code, for shops on PCs.
pub static QRCODE: Product = Product {
    name: "qrcode",
    path: "/api/offline/qrcode",
    payer_starts: true,
    wallets: &Wallet::ALL,
    carries: PAY_URL,
    pay_window: PayWindow::Configured(|orders| orders.pay_window_qrcode),
    arrival_wait: ARRIVAL_WAIT,
    fields: &[
        STORE, NUMBER, WALLET, CURRENCY, AMOUNT, GOODS, EXTRAS, TITLE, OPERATOR, TERMINAL, NOTIFY, RETURN,
    ],
};

/// A checkout page that the payer's browser is sent to.
pub static ONLINE: Product = Product {
    name: "online",
    path: "/api/online/create",
    payer_starts: true,
    wallets: &[Wallet::Alipay, Wallet::AlipayHK],
    carries: PAY_URL,
    pay_window: PayWindow::Configured(|orders| orders.pay_window_online),
    arrival_wait: ARRIVAL_WAIT,
    fields: QRCODE.fields,
};

/// A code for one payment, shown in a store.
pub static TRANSACTION_QR: Product = Product {
    name: "transaction_qr",
    path: "/api/offline/create",
    payer_starts: true,
    wallets: &Wallet::ALL,
    // `docs/UPSTREAM-QUESTIONS.md`: what the field is called is not known for certain.
    carries: Carries::Way { field: "qrCode", also: &["codeUrl", "payUrl"] },
    pay_window: PayWindow::Asked(Duration::from_mins(3)),
    arrival_wait: ARRIVAL_WAIT,
    fields: &[STORE, NUMBER, WALLET, AMOUNT, TITLE, OPERATOR, TERMINAL, NOTIFY, TIME_TO_PAY],
};

/// The payer's own code, scanned by the merchant: the money moves with the call.
pub static BARCODE: Product = Product {
    name: "barcode",
    path: "/api/offline/pay",
    payer_starts: false,
    wallets: &Wallet::ALL,
    carries: Carries::Outcome,
    pay_window: PayWindow::Configured(|orders| orders.pay_window_barcode),
    arrival_wait: Duration::from_mins(5),
    fields: &[STORE, NUMBER, BARCODE_READ, AMOUNT, TITLE, OPERATOR, TERMINAL, NOTIFY],
};

/// A page inside the wallet's own browser.
pub static JSPAY: Product = Product {
    name: "jspay",
    path: "/api/jspay/create",
    payer_starts: true,
    wallets: &Wallet::ALL,
    carries: PAY_URL,
    pay_window: PayWindow::Configured(|orders| orders.pay_window_jspay),
    arrival_wait: ARRIVAL_WAIT,
    fields: &[STORE, NUMBER, WALLET, AMOUNT, TITLE, OPERATOR, TERMINAL, NOTIFY, RETURN],
};

pub static ALL: [&Product; 5] = [&QRCODE, &ONLINE, &TRANSACTION_QR, &BARCODE, &JSPAY];

/// Every field that any product or operation of the protocol knows. A merchant's own field may not become one
/// of these by trimming or folding.
pub const KNOWN_FIELDS: [&str; 22] = [
    "storeNo",
    "partnerOrderNo",
    "orderNo",
    "wallet",
    "barcode",
    "currency",
    "orderAmount",
    "goodsAmount",
    "goodsExtraAmount",
    "orderTitle",
    "operatorId",
    "terminalNo",
    "notifyUrl",
    "returnUrl",
    "it_b_pay",
    "refundNo",
    "partnerNo",
    "code",
    "msg",
    "payUrl",
    "qrCode",
    "codeUrl",
];

/// The product of this stored name.
pub fn named(name: &str) -> Option<&'static Product> {
    ALL.into_iter().find(|product| product.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The create table of `docs/PROTOCOL.md`, read off the page: required, optional, not a field of the product.
    const TABLE: [(&str, [char; 5]); 14] = [
        ("storeNo", ['Y', 'Y', 'Y', 'Y', 'Y']),
        ("partnerOrderNo", ['Y', 'Y', 'Y', 'Y', 'Y']),
        ("wallet", ['Y', 'Y', 'Y', '-', 'Y']),
        ("barcode", ['-', '-', '-', 'Y', '-']),
        ("currency", ['Y', 'Y', '-', '-', '-']),
        ("orderAmount", ['Y', 'Y', 'Y', 'Y', 'Y']),
        ("goodsAmount", ['N', 'N', '-', '-', '-']),
        ("goodsExtraAmount", ['N', 'N', '-', '-', '-']),
        ("orderTitle", ['N', 'N', 'N', 'N', 'N']),
        ("operatorId", ['N', 'N', 'N', 'N', 'N']),
        ("terminalNo", ['N', 'N', 'N', 'N', 'N']),
        ("notifyUrl", ['N', 'N', 'N', 'N', 'N']),
        ("returnUrl", ['N', 'N', '-', '-', 'N']),
        ("it_b_pay", ['-', '-', 'N', '-', '-']),
    ];

    #[test]
    fn every_product_takes_its_column_of_the_create_table() {
        let paths = ["/offline/qrcode", "/online/create", "/offline/create", "/offline/pay", "/jspay/create"];
        for (column, path) in paths.into_iter().enumerate() {
            let product = ALL.into_iter().find(|product| product.path == format!("/api{path}"));
            let product = product.unwrap_or_else(|| panic!("{path} has a row"));
            for (name, needs) in TABLE {
                let taken = product.fields.iter().find(|field| field.name == name);
                let need = taken.map_or('-', |field| if field.required { 'Y' } else { 'N' });
                assert_eq!(need, needs[column], "{path} {name}");
            }
            let known = product.fields.iter().all(|field| TABLE.iter().any(|(name, _)| *name == field.name));
            assert!(known && product.fields.iter().all(|field| KNOWN_FIELDS.contains(&field.name)), "{path}");
        }
    }

    #[test]
    fn only_a_barcode_is_paid_by_the_call_itself_and_takes_longer_to_be_proven_lost() {
        for product in ALL {
            let minutes = product.arrival_wait.as_secs() / 60;
            let expected = if product.name == "barcode" { (false, 5) } else { (true, 2) };
            assert_eq!((product.payer_starts, minutes), expected, "{}", product.name);
            assert!(std::ptr::eq(named(product.name).expect("it has a row"), product));
        }
    }
}
