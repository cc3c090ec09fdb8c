//! What waits for a person, for operators: the list, and ending a matter by hand.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::auth::LoggedIn;
use super::shapes::Done;
use crate::api::platform::attention::Matter;
use crate::api::rest::{Body, ChangeError, Found, Page, PageQuery};
use crate::app::App;
use crate::attention::list;
use crate::directory::operators::Role;
use crate::error::Error;

/// Why a matter is ended.
#[derive(Object)]
#[oai(rename_all = "camelCase", example)]
pub struct MatterToEnd {
    /// What was found out or done, for who reads it later.
    #[oai(validator(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"))]
    pub reason: String,
}

impl Example for MatterToEnd {
    fn example() -> Self {
        Self { reason: "ScanForPay confirms by mail that the order was never paid".to_owned() }
    }
}

pub struct AttentionApi;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Attention")]
impl AttentionApi {
    /// List what waits
    ///
    /// Oldest first, of the platforms in the operator's scope, with its likely cause and what to do next.
    #[oai(path = "/attention", method = "get", operation_id = "listAttention")]
    async fn list_attention(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<Matter>, Error> {
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let waiting = list::in_scope(caller.operator.platform.as_ref());
        let (rows, next) = list::page(app.0, waiting, page.limit(), page.after()).await?;
        Ok(page.page(rows.into_iter().map(Matter::from).collect(), next))
    }

    /// End what waits
    ///
    /// For operators and admins: somebody has seen to it. What it was about stays as it is; if it is found again it waits
    /// again. What another operation ends (a held fact, a proposed refund) is not ended here.
    #[oai(path = "/attention/:id/end", method = "post", operation_id = "endAttention")]
    async fn end_attention(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The matter's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<MatterToEnd>,
    ) -> Result<Found<Done>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let (bound, by) = (caller.operator.platform.as_ref(), caller.actor());
        list::end(app.0, &id.0, bound, (&caller.operator.name, &by), body.value.reason.trim()).await?;
        Ok(Found(Done { done: true }))
    }
}
