//! The payment products, one row each: where they are created, which fields they take, who starts the payment.
//! To be checked against the create table of `docs/PROTOCOL.md`.

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
    Wallet,
    Currency,
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

/// One way to pay.
#[derive(Debug)]
pub struct Product {
    /// As stored and logged.
    pub name: &'static str,
    /// Relative to the upstream's base URL, and to ours.
    pub path: &'static str,
    /// Whether nothing happens until the payer acts; then a second submission cannot charge anybody by itself.
    pub payer_starts: bool,
    pub fields: &'static [Field],
}

const fn required(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// A page with a QR code, for shops on PCs.
pub static QRCODE: Product = Product {
    name: "qrcode",
    path: "/api/offline/qrcode",
    payer_starts: true,
    fields: &[
        required("storeNo", Kind::Text(15)),
        required("partnerOrderNo", Kind::Text(32)),
        required("wallet", Kind::Wallet),
        required("currency", Kind::Currency),
        required("orderAmount", Kind::Amount),
        optional("goodsAmount", Kind::PartAmount),
        optional("goodsExtraAmount", Kind::PartAmount),
        optional("orderTitle", Kind::Title(100)),
        optional("operatorId", Kind::Text(20)),
        optional("terminalNo", Kind::Text(20)),
        optional("notifyUrl", Kind::NotifyUrl),
        optional("returnUrl", Kind::ReturnUrl),
    ],
};

pub static ALL: [&Product; 1] = [&QRCODE];

/// Every field that any product or operation of the protocol knows. A merchant's own field may not become one
/// of these by trimming or folding.
pub const KNOWN_FIELDS: [&str; 20] = [
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
];

/// The product of this stored name.
pub fn named(name: &str) -> Option<&'static Product> {
    ALL.into_iter().find(|product| product.name == name)
}
