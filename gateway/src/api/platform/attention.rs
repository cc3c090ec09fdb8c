//! `/v1/attention`: what waits for a person of the platform's.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;

use crate::api::rest::{Group, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::attention::list::{self, Waiting};
use crate::directory::access::{Caller, Scope};
use crate::directory::merchants::platform_of;
use crate::error::Error;

/// Something that waits for a person.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Matter {
    pub id: String,
    /// Such as `order.unknown` or `store.credentials_failing`.
    pub kind: String,
    pub subject: Subject,
    pub merchant_id: String,
    pub store_id: String,
    /// How often it was seen since it was raised.
    #[oai(validator(minimum(value = "1")))]
    pub count: i64,
    pub raised_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// What is known of it; which members there are depends on its kind.
    pub detail: Any<Value>,
    /// The likely cause, for people.
    pub cause: String,
    /// What to do next, for people.
    pub next_step: String,
}

/// What it is about.
#[derive(Object, Debug)]
#[oai(rename = "MatterSubject", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Subject {
    /// `order`, `payment`, `refund`, `store`, or `fact`: what ScanForPay said of an order.
    pub kind: String,
    pub id: String,
    /// The order's, refund's or store's number; a payment's and a fact's is its order's.
    pub number: Option<String>,
}

impl From<Waiting> for Matter {
    fn from(waiting: Waiting) -> Self {
        let Waiting { row, matter, number } = waiting;
        let (cause, next_step) = matter.words();
        Self {
            id: row.id,
            kind: row.kind,
            subject: Subject { kind: matter.subject().to_owned(), id: row.subject_id, number },
            merchant_id: row.merchant_id,
            store_id: row.store_id,
            count: row.count,
            raised_at: Timestamp::of(row.raised_at),
            seen_at: Timestamp::of(row.seen_at),
            detail: Any(serde_json::from_str(&row.detail).unwrap_or_default()),
            cause: cause.to_owned(),
            next_step: next_step.to_owned(),
        }
    }
}

pub struct AttentionApi;

#[OpenApi(tag = "Group::Attention")]
impl AttentionApi {
    /// List what waits for a person
    ///
    /// Oldest first, with its likely cause and what to do next. It goes from the list when somebody, or what comes to
    /// pass, has ended it.
    #[oai(path = "/v1/attention", method = "get", operation_id = "listAttention")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AttentionRead")] caller: Caller,
        request: &Request,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Matter>, Error> {
        caller.may(Scope::AttentionRead)?;
        platform_of(&caller)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let waiting = list::of(&caller.tenant, caller.mode);
        let (rows, next) = list::page(app.0, waiting, page.limit(), page.after()).await?;
        Ok(page.page(rows.into_iter().map(Matter::from).collect(), next))
    }
}
