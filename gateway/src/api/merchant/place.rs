//! Placing an order over REST: the same content rules and the same operation as the signed API's.

use std::sync::Arc;

use http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::{Example, ToJSON, Type};
use poem_openapi::{ApiResponse, Enum, Object};
use shared::code::Code;
use shared::json::Object as Json;
use shared::order::OrderStatus;

use super::order::Order;
use super::orders::{found, shown};
use crate::api::rest::{Answer, Body, Once, located, location, point};
use crate::api::scanforpay::Wallet;
use crate::api::signed::in_time;
use crate::app::App;
use crate::directory::Merchant;
use crate::directory::access::{Caller, Tenant};
use crate::entity::order;
use crate::error::{Error, FieldProblem};
use crate::limits::Tier;
use crate::orders::content::{BodyText, Content, FieldError};
use crate::orders::place::{Create, store_for};
use crate::orders::{self, Placed};
use crate::product::{BARCODE, JSPAY, ONLINE, Product, QRCODE, TRANSACTION_QR};

/// The way to pay.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "Product", rename_all = "snake_case")]
pub enum ProductName {
    /// A page with a QR code, for shops seen on a PC.
    Qrcode,
    /// A page that the payer's browser is sent to, with Alipay or AlipayHK.
    Online,
    /// A code for this payment, shown in a store.
    TransactionQr,
    /// The payer's own code, scanned by the merchant.
    Barcode,
    /// A page inside the wallet's own browser.
    Jspay,
}

impl ProductName {
    pub fn product(self) -> &'static Product {
        match self {
            Self::Qrcode => &QRCODE,
            Self::Online => &ONLINE,
            Self::TransactionQr => &TRANSACTION_QR,
            Self::Barcode => &BARCODE,
            Self::Jspay => &JSPAY,
        }
    }
}

/// An order to be placed. Amounts are integers in the currency's smallest unit. A field that is not the product's is
/// refused.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct NewOrder {
    pub product: ProductName,
    /// The merchant's own order number, unique within the merchant.
    #[oai(validator(min_length = 1, max_length = 32))]
    pub number: String,
    #[oai(validator(min_length = 1, max_length = 15))]
    pub store_no: String,
    /// The wallet to pay with; the store must take it. Required, but of a `barcode`, which names it by itself.
    pub wallet: Option<Wallet>,
    /// Of a `barcode`, and required there: the payer's code as scanned. It is kept nowhere.
    #[oai(validator(min_length = 1, max_length = 20))]
    pub barcode: Option<String>,
    /// ISO 4217; must be the store's. Required of `qrcode` and `online`, and of these only: the others are in the
    /// store's currency.
    #[oai(validator(pattern = "^[A-Z]{3}$"))]
    pub currency: Option<String>,
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub amount: i64,
    /// The part of `amount` that is goods. Of `qrcode` and `online`.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740992")))]
    pub goods_amount: Option<i64>,
    /// The part of `amount` that is extras. Of `qrcode` and `online`.
    #[oai(validator(minimum(value = "0"), maximum(value = "9007199254740992")))]
    pub goods_extra_amount: Option<i64>,
    /// Shown to the payer.
    #[oai(validator(min_length = 1, max_length = 100))]
    pub title: Option<String>,
    /// The merchant's cashier.
    #[oai(validator(min_length = 1, max_length = 20))]
    pub operator_id: Option<String>,
    /// The merchant's till.
    #[oai(validator(min_length = 1, max_length = 20))]
    pub terminal_no: Option<String>,
    /// Where the payment is notified, in ScanForPay's form and signed with the merchant's sign key. Only public
    /// addresses.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub notify_url: Option<String>,
    /// Where the payer's browser goes afterwards. Of `qrcode`, `online` and `jspay`.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub return_url: Option<String>,
    /// Of a `transaction_qr`: how long it can be paid, `1m` to `15d` in whole minutes, hours or days, or `1c`, until
    /// midnight where the store is. 3 minutes without it.
    #[oai(validator(pattern = "^([1-9][0-9]{0,4}[mhd]|1c)$"))]
    pub time_to_pay: Option<String>,
    /// What the order is for, in the merchant's own words: orders of one reference are the same purchase, and are
    /// flagged when more than one is paid. Absent: what the merchant's `referencePattern` finds in the number.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Option<String>,
}

impl Example for NewOrder {
    fn example() -> Self {
        Self {
            product: ProductName::Qrcode,
            number: "p20180725180605466813".into(),
            store_no: "100010000000002".into(),
            wallet: Some(Wallet::Alipay),
            barcode: None,
            currency: Some("HKD".into()),
            amount: 2100,
            goods_amount: None,
            goods_extra_amount: None,
            title: Some("Consume".into()),
            operator_id: None,
            terminal_no: None,
            notify_url: Some("https://shop.example/notify".into()),
            return_url: Some("https://shop.example/return".into()),
            time_to_pay: None,
            reference: Some("cart-4711".into()),
        }
    }
}

const ORDERS: &str = "/v1/orders";

/// The protocol's name of a field, and ours.
const FIELDS: [(&str, &str); 14] = [
    ("storeNo", "/storeNo"),
    ("partnerOrderNo", "/number"),
    ("wallet", "/wallet"),
    ("barcode", "/barcode"),
    ("currency", "/currency"),
    ("orderAmount", "/amount"),
    ("goodsAmount", "/goodsAmount"),
    ("goodsExtraAmount", "/goodsExtraAmount"),
    ("orderTitle", "/title"),
    ("operatorId", "/operatorId"),
    ("terminalNo", "/terminalNo"),
    ("notifyUrl", "/notifyUrl"),
    ("returnUrl", "/returnUrl"),
    ("it_b_pay", "/timeToPay"),
];

/// The order as it stands, and whether it is known to be open.
pub struct PlacedOrder(Answer);

impl IntoResponse for PlacedOrder {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl ApiResponse for PlacedOrder {
    fn meta() -> MetaResponses {
        located::<Order>(&[
            (201, "The order as it stands; it was opened."),
            (202, "Whether it was opened is not known yet."),
        ])
    }

    fn register(registry: &mut Registry) {
        Order::register(registry);
    }
}

pub(super) async fn place(
    app: &Arc<App>,
    caller: &Caller,
    merchant: &Arc<Merchant>,
    once: Once,
    body: Body<NewOrder>,
) -> Result<PlacedOrder, Error> {
    let create = create(app, merchant, &body)?;
    let number = create.content.number.clone();
    let location = location(ORDERS, &number);
    let admitted = match caller.tenant {
        Tenant::Platform { .. } => Tier::Platform,
        Tenant::Merchant { .. } => Tier::Merchant,
    };
    // Before anything is kept: who is refused here has begun nothing.
    app.limits.admitted_create(admitted, merchant, &create.store).await.map_err(Error::Limited)?;
    // A platform may send the same body for two merchants.
    let request = [merchant.id.as_bytes(), &body.raw].concat();
    let pointed = point(app, caller, once, &request, &location).await?;
    if pointed.is_repeat
        && let Some(order) = order::Entity::of(&merchant.id, &number).one(&app.store.read).await?
    {
        return stands(app, merchant, order, location).await;
    }
    match in_time(app, orders::place::place(app, create)).await.unwrap_or(Placed::Doubt) {
        Placed::Opened { .. } | Placed::Standing { .. } => {
            reply(app, merchant, &number, location, StatusCode::CREATED).await
        }
        Placed::Doubt => reply(app, merchant, &number, location, StatusCode::ACCEPTED).await,
        Placed::Refused { code, msg } => Err(refused(code, &msg)),
        Placed::Conflict { code, msg } => Err(Error::Conflict {
            code: match Code(code) {
                Code::CREATED_TWICE => "number_taken",
                Code::ORDER_CLOSED => "order_closed",
                _ => "wrong_state",
            },
            detail: msg.to_owned(),
            pointer: Some("/number".to_owned()),
        }),
        Placed::Busy => Err(Error::Busy),
    }
}

/// What a repeat is told of the order that its key points to.
async fn stands(
    app: &Arc<App>,
    merchant: &Merchant,
    order: order::Model,
    location: String,
) -> Result<PlacedOrder, Error> {
    let status = match order.status() {
        // Its key runs until the answer is due, and no longer: it may never come.
        OrderStatus::Submitting if app.clock.now_ms() < order.answer_due_at => return Err(Error::KeyRunning),
        OrderStatus::Submitting | OrderStatus::Unknown => StatusCode::ACCEPTED,
        OrderStatus::Refused => {
            let code = order.code.and_then(|code| i32::try_from(code).ok()).unwrap_or(Code::FAILURE.0);
            return Err(refused(code, Code(code).meaning().unwrap_or_default()));
        }
        _ => StatusCode::CREATED,
    };
    answered(app, merchant, order, location, status).await
}

fn refused(code: i32, msg: &str) -> Error {
    Error::Conflict {
        code: "refused",
        detail: format!("ScanForPay refused it (code {code}): {msg}"),
        pointer: None,
    }
}

async fn reply(
    app: &Arc<App>,
    merchant: &Merchant,
    number: &str,
    location: String,
    status: StatusCode,
) -> Result<PlacedOrder, Error> {
    // What was not told is not known to be there either.
    let order = match found(app, merchant, number).await {
        Err(Error::NotFound) => return Err(Error::InDoubt),
        found => found?,
    };
    answered(app, merchant, order, location, status).await
}

async fn answered(
    app: &Arc<App>,
    merchant: &Merchant,
    order: order::Model,
    location: String,
    status: StatusCode,
) -> Result<PlacedOrder, Error> {
    let order = shown(app, merchant, vec![order]).await?.into_iter().next().ok_or(Error::NotFound)?;
    Ok(PlacedOrder(Answer { status, location: Some(location), body: order.to_json_string() }))
}

/// The create that the body asks for, by the very rules of the signed API.
fn create(app: &App, merchant: &Arc<Merchant>, body: &Body<NewOrder>) -> Result<Create, Error> {
    if merchant.suspended {
        return Err(Error::Conflict {
            code: "merchant_suspended",
            detail: "this merchant is suspended; ask the platform".to_owned(),
            pointer: None,
        });
    }
    let text = protocol_body(&body.value);
    let parsed = Json::parse(text.as_bytes()).map_err(|error| Error::NotJson(error.to_string()))?;
    let product = body.value.product.product();
    not_the_products(product, &parsed)?;
    let content = Content::read(product, &parsed, &app.policy).map_err(|e| field_error(&e))?;
    let store = store_for(merchant, &content).map_err(|e| field_error(&e))?;
    // No sign key verified this: the paid message is signed with the one that the merchant is known to use.
    let key = merchant.last_used_key().unwrap_or_else(|| merchant.current_key());
    Ok(Create {
        merchant: merchant.clone(),
        store,
        key_id: key.id.clone(),
        content,
        reference: body.value.reference.clone(),
        raw: String::from_utf8_lossy(&body.raw).into_owned(),
    })
}

/// Dropping a field, as the signed API has to, would be a slip that nobody hears of.
fn not_the_products(product: &Product, body: &Json<'_>) -> Result<(), Error> {
    let strange = body.members().iter().filter(|member| !product.takes(&member.key));
    let problems: Vec<FieldProblem> = strange
        .map(|member| {
            FieldProblem::body(pointer(&member.key), format!("is no field of the product {}", product.name))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
}

/// The order in the signed API's words.
fn protocol_body(order: &NewOrder) -> String {
    let mut body = BodyText::default();
    body.text("storeNo", &order.store_no);
    body.text("partnerOrderNo", &order.number);
    body.text_if("wallet", order.wallet.map(|wallet| shared::wallet::Wallet::from(wallet).as_str()));
    body.text_if("barcode", order.barcode.as_deref());
    body.text_if("currency", order.currency.as_deref());
    body.number("orderAmount", order.amount);
    body.number_if("goodsAmount", order.goods_amount);
    body.number_if("goodsExtraAmount", order.goods_extra_amount);
    body.text_if("orderTitle", order.title.as_deref());
    body.text_if("operatorId", order.operator_id.as_deref());
    body.text_if("terminalNo", order.terminal_no.as_deref());
    body.text_if("notifyUrl", order.notify_url.as_deref());
    body.text_if("returnUrl", order.return_url.as_deref());
    body.text_if("it_b_pay", order.time_to_pay.as_deref());
    body.finish()
}

/// Where a field of the protocol is in our body.
fn pointer(field: &str) -> &'static str {
    FIELDS.iter().find(|(theirs, _)| *theirs == field).map_or("", |(_, ours)| ours)
}

fn field_error(error: &FieldError) -> Error {
    if error.code == Code::NOT_AUTHORISED {
        let detail = error.reason.clone().into_owned();
        return Error::Conflict { code: "store_disabled", detail, pointer: Some("/storeNo".to_owned()) };
    }
    Error::Invalid(vec![FieldProblem::body(pointer(&error.field), error.reason.clone())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product;

    #[test]
    fn every_field_of_every_product_has_a_pointer() {
        for field in product::ALL.into_iter().flat_map(|product| product.fields) {
            assert!(FIELDS.iter().any(|(name, _)| *name == field.name), "{}", field.name);
        }
    }
}
