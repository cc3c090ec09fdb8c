//! `/v1/orders/{number}/events`: what was told of an order.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_orm::{ColumnTrait, QueryFilter};

use super::merchant_of;
use super::orders::found;
use crate::api::rest::{Group, Page, PageQuery};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::entity::event;
use crate::error::Error;
use crate::told::Event;

pub struct EventsApi;

#[OpenApi(tag = "Group::Orders")]
impl EventsApi {
    /// List an order's events
    ///
    /// What was told of it, newest first, each with the order as it stood then. Each move is told once, however often and
    /// from wherever it was heard. A platform also sees what is for platforms only.
    #[oai(path = "/v1/orders/:number/events", method = "get", operation_id = "listOrderEvents")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EventsRead")] caller: Caller,
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
    ) -> Result<Page<Event>, Error> {
        caller.may(Scope::EventsRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let order = found(app.0, &merchant, &number).await?;
        let list = match caller.tenant.merchant_id() {
            Some(_) => event::Entity::of(&merchant.id),
            None => event::Entity::of_all_audiences(&merchant.id),
        };
        let list = list.filter(event::Column::SubjectId.eq(order.id.as_str()));
        page.try_rows(&app.store.read, list, event::Column::Id, |row| Ok((row.id.clone(), Event::of(row)?)))
            .await
    }
}
