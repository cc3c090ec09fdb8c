//! Orders, for operators: found by the filter language or by any number, seen whole, and asked about at ScanForPay.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::{Any, ToJSON};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::json;
use shared::filter::Filter;
use shared::ops::{EntryBytes, OrderRow, OrderWhole, Refund};

use super::Group;
use super::auth::LoggedIn;
use super::endpoints::Because;
use super::refund_shapes::RefundEntry;
use super::refunds::{note, order_of};
use crate::api::rest::{Body, ChangeError, Found, Page, PageQuery};
use crate::app::App;
use crate::console::{bytes, rows, whole};
use crate::directory::access::is_id;
use crate::directory::operators::Role;
use crate::entity::{order, refund, submission};
use crate::error::{Error, FieldProblem};
use crate::limits::Priority;
use crate::orders::history;
use crate::orders::query::{self, Asked};
use crate::orders::search;

/// Refunds of one order that are shown with it.
const MOST_REFUNDS: u64 = 100;

pub struct OrdersOps;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Orders")]
impl OrdersOps {
    /// List orders
    ///
    /// Newest first, of the platforms in the operator's scope. A page looks at ten thousand orders at most: it may be short, or
    /// empty, and have a next one.
    #[oai(path = "/orders", method = "get", operation_id = "listOrders")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// Such as `status:unknown merchant:10001 wallet:alipay amount>=100000 since:2h "text"`.
        #[oai(validator(max_length = 500))]
        filter: Query<Option<String>>,
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<Any<OrderRow>>, Error> {
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let filter = parsed(filter.0.as_deref())?;
        let bound = caller.operator.platform.as_ref().map(|platform| platform.id.as_str());
        let window = search::page(app.0, bound, &filter, page.limit(), page.after()).await?;
        let shown = window.rows.iter().map(|row| Any(rows::order(app.0, row))).collect();
        Ok(page.page(shown, window.next))
    }

    /// Find an order
    ///
    /// By any number: the merchant's, ScanForPay's, the one ScanForPay was given, a refund's, an event's or a delivery's.
    #[oai(path = "/find", method = "get", operation_id = "findOrders")]
    async fn find(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))] number: Query<String>,
    ) -> Result<Page<Any<OrderRow>>, Error> {
        let page = PageQuery::new(request.original_uri(), None, None)?;
        let bound = caller.operator.platform.as_ref().map(|platform| platform.id.as_str());
        let found = search::find(&app.store.read, bound, number.0.trim()).await?;
        Ok(page.page(found.iter().map(|row| Any(rows::order(app.0, row))).collect(), None))
    }

    /// Get an order
    ///
    /// With everything that happened to it, and one sentence on where it stands.
    #[oai(path = "/orders/:id", method = "get", operation_id = "getOrder")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The order's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Any<OrderWhole>>, Error> {
        let order = order_of(app.0, &caller, &id.0).await?;
        Ok(Found(Any(shown(app.0, &order).await?)))
    }

    /// Read the bytes of an order's entry
    ///
    /// Of an entry of its `timeline` that `hasBytes`: a request, an answer or a notice as it came, without signatures and keys;
    /// 64 KiB at most. Viewers are not shown who paid. Each reading is in the log of changes before anything is shown.
    #[oai(path = "/orders/:id/entries/:entryId", method = "get", operation_id = "getEntry")]
    async fn entry(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The order's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        /// The entry's id.
        #[oai(name = "entryId", validator(max_length = 64))]
        entry_id: Path<String>,
    ) -> Result<Found<Any<EntryBytes>>, Error> {
        let order = order_of(app.0, &caller, &id.0).await?;
        if !is_id(&entry_id.0) {
            return Err(Error::NotFound);
        }
        let shows_payer = caller.must_be(Role::Operator).is_ok();
        let entry = history::entry(&app.store.read, &order.id, &entry_id.0).await?;
        let shown = entry.and_then(|entry| bytes::shown(entry, shows_payer)).ok_or(Error::NotFound)?;
        let said = json!({ "orderId": order.id, "kind": shown.kind });
        note(app.0, &caller, "journal.raw_read", &shown.id, &order.platform_id, said).await?;
        Ok(Found(Any(shown)))
    }

    /// Query an order at ScanForPay
    ///
    /// For operators. What ScanForPay says counts like a notice; answers the order as it stands then.
    #[oai(path = "/orders/:id/query", method = "post", operation_id = "queryOrder")]
    async fn query(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The order's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Because>,
    ) -> Result<Found<Any<OrderWhole>>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let order = order_of(app.0, &caller, &id.0).await?;
        let said = json!({ "reason": body.value.reason });
        note(app.0, &caller, "order.queried", &order.id, &order.platform_id, said).await?;
        match query::ask(app.0, &order, Priority::Query).await {
            Asked::Answered(order) => Ok(Found(Any(shown(app.0, &order).await?))),
            Asked::Over(_, refusal) => Err(Error::Limited(refusal).into()),
            Asked::NoAnswer(_) => {
                let detail = "ScanForPay gave no answer to rely on; the order stands as it was.".to_owned();
                Err(Error::Conflict { code: "no_answer", detail, pointer: None }.into())
            }
        }
    }
}

/// What is wrong in it, and where.
pub fn parsed(filter: Option<&str>) -> Result<Filter, Error> {
    Filter::parse(filter.unwrap_or_default())
        .map_err(|error| Error::Invalid(vec![FieldProblem::parameter("filter", error.to_string())]))
}

async fn shown(app: &App, order: &order::Model) -> Result<OrderWhole, Error> {
    let read = &app.store.read;
    let calls = submission::Entity::of_order(&order.id).all(read).await?;
    let refunds = refund::Entity::find()
        .filter(refund::Column::OrderId.eq(order.id.as_str()))
        .order_by_asc(refund::Column::Id)
        .limit(MOST_REFUNDS)
        .all(read)
        .await?;
    let refunds = refunds.into_iter().map(|row| -> Result<Refund, Error> {
        // The same members under the same names.
        let entry = RefundEntry::of(order, &calls, row).to_json().unwrap_or_default();
        serde_json::from_value(entry).map_err(|error| Error::Failed(error.into()))
    });
    let refunds = refunds.collect::<Result<_, _>>()?;
    Ok(whole::whole(app, order, refunds).await?)
}
