//! `/v1/orders`: a merchant's orders, one by any of its numbers, and lists.

use std::collections::HashMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use shared::money::Currency;

use super::order::{Order, Payment, Status};
use super::place::{self, NewOrder, PlacedOrder, ProductName};
use super::{merchant_of, wrong};
use crate::api::rest::{Body, ChangeError, Found, Group, Once, Page, PageQuery, Timestamp};
use crate::api::scanforpay::Wallet;
use crate::app::App;
use crate::directory::Merchant;
use crate::directory::access::{Caller, Scope};
use crate::entity::{order, submission};
use crate::error::Error;
use crate::orders::list::{self, Filter};

pub struct OrdersApi;

#[OpenApi(tag = "Group::Orders")]
impl OrdersApi {
    /// Place an order
    ///
    /// Opens an order with ScanForPay. `product` says how it is paid: send the payer's browser to `payUrl`, show
    /// `qrCode` as a code, or, for a `barcode`, look at `status`, because the payer may have paid already. The same
    /// number with the same content is the same order, however often it is sent. 202: whether it was opened is not known yet; get it, or send it again
    /// unchanged. The `Idempotency-Key` points to the order: while that is being opened, a repeat gets 409; afterwards
    /// it is told how the order stands.
    #[oai(path = "/v1/orders", method = "post", operation_id = "placeOrder")]
    async fn place(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        body: Body<NewOrder>,
    ) -> Result<PlacedOrder, ChangeError> {
        caller.may(Scope::OrdersWrite)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        Ok(place::place(app.0, &caller, &merchant, once, body).await?)
    }

    /// List orders
    ///
    /// Newest first. A page may hold fewer rows than asked for, even none, and still have a `next`: of filters that
    /// match few orders it looks through 4,000 orders at a time. Go on until there is no `next`.
    #[oai(path = "/v1/orders", method = "get", operation_id = "listOrders")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        request: &Request,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        status: Query<Option<Status>>,
        /// The way to pay.
        product: Query<Option<ProductName>>,
        /// The wallet that was asked for.
        wallet: Query<Option<Wallet>>,
        /// ISO 4217.
        #[oai(validator(pattern = "^[A-Z]{3}$"))]
        currency: Query<Option<String>>,
        /// At least this amount, in the smallest unit.
        #[oai(name = "amountFrom", validator(minimum(value = "0"), maximum(value = "9007199254740992")))]
        amount_from: Query<Option<i64>>,
        /// At most this amount, in the smallest unit.
        #[oai(name = "amountTo", validator(minimum(value = "0"), maximum(value = "9007199254740992")))]
        amount_to: Query<Option<i64>>,
        /// Made at this time or later: RFC 3339.
        #[oai(name = "createdFrom", validator(max_length = 40))]
        created_from: Query<Option<String>>,
        /// Made before this time: RFC 3339.
        #[oai(name = "createdBefore", validator(max_length = 40))]
        created_before: Query<Option<String>>,
        /// What the merchant's order number starts with.
        #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        prefix: Query<Option<String>>,
        /// What the merchant's or ScanForPay's order number or the title contain; letter case does not matter.
        #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        q: Query<Option<String>>,
        /// Exactly this reference.
        #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        reference: Query<Option<String>>,
        /// Those that were paid twice, or those that were not.
        #[oai(name = "paidTwice")]
        paid_twice: Query<Option<bool>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Order>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let filter = Filter {
            status: status.0.map(Into::into),
            product: product.0.map(ProductName::product),
            wallet: wallet.0.map(Into::into),
            currency: currency.0.as_deref().map(currency_of).transpose()?,
            amount_from: amount_from.0,
            amount_to: amount_to.0,
            created_from: time("createdFrom", created_from.0.as_deref())?,
            created_before: time("createdBefore", created_before.0.as_deref())?,
            prefix: prefix.0,
            text: q.0,
            reference: reference.0,
            paid_twice: paid_twice.0,
        };
        let found = list::page(&app.store.read, &merchant.id, &filter, page.limit(), page.after()).await?;
        Ok(page.page(shown(app.0, &merchant, found.rows).await?, found.next))
    }

    /// Get an order
    ///
    /// By any of its numbers: the merchant's own, ScanForPay's, a refund's, or the one that ScanForPay was given (`sentNumber`);
    /// where one number could be several, in that order. As it stands in the gateway's books; the signed query asks
    /// ScanForPay.
    #[oai(path = "/v1/orders/:number", method = "get", operation_id = "getOrder")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        number: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Found<Order>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let order = found(app.0, &merchant, &number).await?;
        let payments = if order.second_payments > 0 {
            let calls = submission::Entity::of_order(&order.id).all(&app.store.read).await?;
            Some(Payment::all(&order, &calls))
        } else {
            None
        };
        let shown = shown(app.0, &merchant, vec![order]).await?;
        let order = shown.into_iter().next().ok_or(Error::NotFound)?;
        Ok(Found(Order { payments, ..order }))
    }
}

/// The merchant's order under any of its numbers.
pub(super) async fn found(app: &App, merchant: &Merchant, number: &str) -> Result<order::Model, Error> {
    // No text that is kept has U+0000 in it, and PostgreSQL takes none that has.
    if number.contains('\0') {
        return Err(Error::NotFound);
    }
    list::find(&app.store.read, &merchant.id, number).await?.ok_or(Error::NotFound)
}

/// The merchant's orders as they are shown.
pub(super) async fn shown(
    app: &App,
    merchant: &Merchant,
    rows: Vec<order::Model>,
) -> Result<Vec<Order>, Error> {
    let ids = rows.iter().map(|row| row.submission_id.as_str());
    let submissions = submission::Entity::by_ids(ids).all(&app.store.read).await?;
    let sent: HashMap<&str, &str> =
        submissions.iter().map(|row| (row.id.as_str(), row.sent_number())).collect();
    let shown = rows.into_iter().map(|row| {
        let sent_number = sent.get(row.submission_id.as_str()).copied().unwrap_or_default();
        Order::of(merchant, row, sent_number)
    });
    Ok(shown.collect())
}

fn currency_of(code: &str) -> Result<Currency, Error> {
    Currency::parse(code).ok_or_else(|| wrong("currency", "must be an ISO 4217 code such as HKD"))
}

pub(super) fn time(parameter: &'static str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let parsed = text.map(|text| {
        let time = Timestamp::parse(text).map(|time| time.unix_ms);
        time.ok_or_else(|| wrong(parameter, "must be an RFC 3339 time such as 2026-09-21T14:13:20Z"))
    });
    parsed.transpose()
}
