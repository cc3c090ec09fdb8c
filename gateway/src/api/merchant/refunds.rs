//! `/v1/refunds` and `/v1/orders/{number}/refunds`: giving a merchant's money back, and what came of it.

use std::collections::HashMap;
use std::sync::Arc;

use http::StatusCode;
use poem::web::Data;
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::{Path, Query};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::{Example, ToJSON, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::merchant_of;
use super::orders::{found, time};
use super::refund::{Refund, State, failed, refusal};
use crate::api::rest::{
    Answer, Body, ChangeError, Found, Group, Once, Page, PageQuery, located, location, point,
};
use crate::api::signed::in_time;
use crate::app::App;
use crate::directory::access::{Caller, Scope, Tenant};
use crate::entity::{order, refund, submission};
use crate::error::Error;
use crate::orders::refund::list::{self, Filter};
use crate::orders::refund::{Ask, Payment, Refunding, Standing, refund as begin};

/// A refund to be made.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct NewRefund {
    /// The merchant's own number of the refund, unique within the order. The same number with the same amount is the
    /// same refund.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00]*$"))]
    pub refund_no: String,
    /// In the currency's smallest unit; refunds of one payment may be several, in all no more than was paid.
    #[oai(validator(minimum(value = "1"), maximum(value = "9007199254740992")))]
    pub amount: i64,
    /// Which payment it is taken from: required where the order was paid more than once, an `id` of its `payments`.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00]*$"))]
    pub payment: Option<String>,
    /// For people.
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub reason: Option<String>,
    /// Though as much is being refunded under another number and how that ends is not known.
    pub force: Option<bool>,
    /// The merchant's cashier.
    #[oai(validator(min_length = 1, max_length = 20, pattern = r"^[^\x00]*$"))]
    pub operator_id: Option<String>,
    /// The merchant's till.
    #[oai(validator(min_length = 1, max_length = 20, pattern = r"^[^\x00]*$"))]
    pub terminal_no: Option<String>,
}

impl Example for NewRefund {
    fn example() -> Self {
        Self {
            refund_no: "r20180726091500000001".into(),
            amount: 700,
            payment: None,
            reason: Some("one cup was cold".into()),
            force: None,
            operator_id: None,
            terminal_no: None,
        }
    }
}

const REFUNDS: &str = "/v1/refunds";

/// The refund as it stands, and whether it has ended.
pub struct MadeRefund(Answer);

impl IntoResponse for MadeRefund {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl ApiResponse for MadeRefund {
    fn meta() -> MetaResponses {
        located::<Refund>(&[
            (201, "The refund; the money is given back."),
            (202, "The refund; how it ends is not known yet."),
        ])
    }

    fn register(registry: &mut Registry) {
        Refund::register(registry);
    }
}

pub struct RefundsApi;

#[OpenApi(tag = "Group::Refunds")]
impl RefundsApi {
    /// Refund an order
    ///
    /// Gives back a part of what was paid, or all of it. Answered within ten seconds: 201 once the money is given back;
    /// 202 while how it ends is not known, and then it is followed until it is, and `refund.succeeded` or
    /// `refund.failed` tells. The same `refundNo` with the same amount is the same refund, however often it is sent.
    /// The `Idempotency-Key` points to the refund. Of an order that was paid more than once it is said which payment is
    /// meant (`payment`); the order's status tells of the one that it counts.
    #[oai(path = "/v1/orders/:number/refunds", method = "post", operation_id = "refundOrder")]
    async fn refund(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::RefundsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        number: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        body: Body<NewRefund>,
    ) -> Result<MadeRefund, ChangeError> {
        caller.may(Scope::RefundsWrite)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let order = found(app.0, &merchant, &number).await?;
        Ok(make(app.0, &caller, order, once, body).await?)
    }

    /// List an order's refunds
    ///
    /// Newest first.
    #[oai(path = "/v1/orders/:number/refunds", method = "get", operation_id = "listOrderRefunds")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn of_order(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        request: &Request,
        number: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Refund>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let order = found(app.0, &merchant, &number).await?;
        let calls = submission::Entity::of_order(&order.id).all(&app.store.read).await?;
        let rows = refund::Entity::find().filter(refund::Column::OrderId.eq(order.id.as_str()));
        let show = |row: refund::Model| (row.id.clone(), Refund::of(&order, &calls, row));
        page.rows(&app.store.read, rows, refund::Column::Id, show).await
    }

    /// List refunds
    ///
    /// Newest first.
    #[oai(path = "/v1/refunds", method = "get", operation_id = "listRefunds")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        request: &Request,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        state: Query<Option<State>>,
        /// The number of whoever asked for it.
        #[oai(name = "refundNo", validator(min_length = 1, max_length = 32, pattern = r"^[^\x00]*$"))]
        refund_no: Query<Option<String>>,
        /// Asked for at this time or later: RFC 3339.
        #[oai(name = "createdFrom", validator(max_length = 40))]
        created_from: Query<Option<String>>,
        /// Asked for before this time: RFC 3339.
        #[oai(name = "createdBefore", validator(max_length = 40))]
        created_before: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Refund>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let filter = Filter {
            state: state.0.map(Into::into),
            refund_no: refund_no.0,
            created_from: time("createdFrom", created_from.0.as_deref())?,
            created_before: time("createdBefore", created_before.0.as_deref())?,
        };
        let found = list::page(&app.store.read, &merchant.id, &filter, page.limit(), page.after()).await?;
        Ok(page.page(shown(app.0, found.rows).await?, found.next))
    }

    /// Get a refund
    ///
    /// By the number that ScanForPay was given (`id`), or by the number of whoever asked for it; of several orders'
    /// refunds with that number the newest.
    #[oai(path = "/v1/refunds/:refundNo", method = "get", operation_id = "getRefund")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        #[oai(name = "refundNo")] refund_no: Path<String>,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Found<Refund>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        // No text that is kept has U+0000 in it, and PostgreSQL takes none that has.
        if refund_no.contains('\0') {
            return Err(Error::NotFound);
        }
        let refund = list::find(&app.store.read, &merchant.id, &refund_no).await?.ok_or(Error::NotFound)?;
        shown(app.0, vec![refund]).await?.pop().map(Found).ok_or(Error::NotFound)
    }
}

async fn make(
    app: &Arc<App>,
    caller: &Caller,
    order: order::Model,
    once: Once,
    body: Body<NewRefund>,
) -> Result<MadeRefund, Error> {
    let asked_by = match caller.tenant {
        Tenant::Platform { .. } => "platform",
        Tenant::Merchant { .. } => "merchant",
    };
    let NewRefund { refund_no, amount, payment, reason, force, operator_id, terminal_no } = body.value;
    // A platform may send the same body for two merchants.
    let request = [order.merchant_id.as_bytes(), &body.raw].concat();
    // The same again is the same refund by its number; the key tells another request apart.
    let _pointed = point(app, caller, once, &request, &location(REFUNDS, &refund_no)).await?;
    let force = force.unwrap_or_default();
    let ask = Ask {
        refund_no,
        amount,
        payment: Payment::of(payment),
        asked_by: asked_by.to_owned(),
        reason,
        operator_id,
        terminal_no,
        force,
        alone_up_to: None,
    };
    told(in_time(app, begin(app, order, ask)).await.unwrap_or(Refunding::Doubt))
}

fn told(refunding: Refunding) -> Result<MadeRefund, Error> {
    let Standing { order, call, refund } = match refunding {
        Refunding::Stands(standing) => *standing,
        Refunding::Refused(refused) => return Err(refusal(&refused)),
        Refunding::Over(refusal) => return Err(Error::Limited(refusal)),
        Refunding::Doubt => return Err(Error::InDoubt),
        Refunding::Busy => return Err(Error::Busy),
    };
    let status = match refund.state {
        refund::State::Refunded => StatusCode::CREATED,
        refund::State::Failed | refund::State::Declined => return Err(failed(&refund)),
        _ => StatusCode::ACCEPTED,
    };
    let location = Some(location(REFUNDS, &refund.id));
    Ok(MadeRefund(Answer { status, location, body: Refund::of(&order, &[call], refund).to_json_string() }))
}

/// The refunds with the numbers of their orders.
async fn shown(app: &App, rows: Vec<refund::Model>) -> Result<Vec<Refund>, Error> {
    // Across tenants: the refunds are one merchant's already.
    let ids = rows.iter().map(|row| row.order_id.as_str());
    let orders = order::Entity::find().filter(order::Column::Id.is_in(ids)).all(&app.store.read).await?;
    let orders: HashMap<&str, &order::Model> =
        orders.iter().map(|order| (order.id.as_str(), order)).collect();
    let calls = rows.iter().map(|row| row.submission_id.as_str());
    let calls = submission::Entity::by_ids(calls).all(&app.store.read).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| orders.get(row.order_id.as_str()).map(|order| Refund::of(order, &calls, row)))
        .collect())
}
