//! Endpoints, for operators: the list, and pausing, resuming and disabling one with a reason.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ActiveEnum, ColumnTrait, QueryFilter};

use super::Group;
use super::auth::LoggedIn;
use crate::api::merchant::endpoints::{Format, Standing};
use crate::api::merchant::service::{LeftAlone, Service};
use crate::api::rest::{Body, ChangeError, Found, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::deliveries::service;
use crate::directory::endpoints::operate::{self, By, Operation};
use crate::directory::operators::Role;
use crate::entity::endpoint;
use crate::error::Error;

/// `registered`, or `implicit`: of orders' `notifyUrl`s.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "EndpointKind", rename_all = "lowercase")]
pub enum Kind {
    Implicit,
    Registered,
}

/// An endpoint, and how events reach it.
#[derive(Object, Debug)]
#[oai(rename = "Endpoint", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct EndpointEntry {
    pub id: String,
    pub kind: Kind,
    /// The platform's slug.
    pub platform: String,
    /// Absent: the platform's own, which hears of all its merchants.
    pub merchant_id: Option<String>,
    /// Without what follows a `?`; of an implicit one its scheme, host and port.
    pub url: String,
    pub description: Option<String>,
    pub format: Format,
    pub status: Standing,
    pub status_reason: Option<String>,
    /// As the gateway that answers sees it; absent: it has had nothing to do with it lately.
    pub breaker: Option<LeftAlone>,
    /// Nothing is sent to it until then, because it fails or asked for it; `resume` ends that.
    pub left_alone_until: Option<Timestamp>,
    /// Since when nothing was acknowledged.
    pub failing_since: Option<Timestamp>,
    pub service: Service,
    pub created_at: Timestamp,
}

/// Why something is done to an endpoint.
#[derive(Object)]
#[oai(rename = "Because", rename_all = "camelCase", example)]
pub struct Because {
    /// For who reads it later; of a pause and of disabling, the endpoint's owner is shown it.
    #[oai(validator(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"))]
    pub reason: String,
}

impl Example for Because {
    fn example() -> Self {
        Self { reason: "its owner asked for it by mail, while the shop is moved".to_owned() }
    }
}

pub struct EndpointOps;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Endpoints")]
impl EndpointOps {
    /// List endpoints
    ///
    /// Of the platforms in the operator's scope: registered ones, and those of orders' `notifyUrl`s.
    #[oai(path = "/endpoints", method = "get", operation_id = "listEndpoints")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// Only endpoints of this merchant.
        #[oai(name = "merchantId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant_id: Query<Option<String>>,
        status: Query<Option<Standing>>,
        kind: Query<Option<Kind>>,
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<EndpointEntry>, Error> {
        use endpoint::Column;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = operate::of(caller.operator.platform.as_ref());
        if let Some(id) = &merchant_id.0 {
            list = list.filter(Column::MerchantId.eq(id.as_str()));
        }
        if let Some(status) = status.0 {
            list = list.filter(Column::Status.eq(endpoint::Status::from(status).to_value()));
        }
        if let Some(kind) = kind.0 {
            list = list.filter(Column::Kind.eq(endpoint::Kind::from(kind).to_value()));
        }
        let (rows, next) = operate::page(app.0, list, page.limit(), page.after()).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            entries.push(entry(app.0, row).await?);
        }
        Ok(page.page(entries, next))
    }

    /// Pause an endpoint
    ///
    /// For operators and admins. A registered one that was proven; what is told meanwhile waits. Its owner cannot resume it.
    #[oai(path = "/endpoints/:id/pause", method = "post", operation_id = "pauseEndpoint")]
    async fn pause(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The endpoint's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Because>,
    ) -> Result<Found<EndpointEntry>, ChangeError> {
        operated(app.0, &caller, &id.0, Operation::Pause, &body.value).await
    }

    /// Resume an endpoint
    ///
    /// For operators and admins. One that is paused or disabled; what waits for it goes out in order, at its rate.
    #[oai(path = "/endpoints/:id/resume", method = "post", operation_id = "resumeEndpoint")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The endpoint's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Because>,
    ) -> Result<Found<EndpointEntry>, ChangeError> {
        operated(app.0, &caller, &id.0, Operation::Resume, &body.value).await
    }

    /// Disable an endpoint
    ///
    /// For operators and admins. As the gateway does it to one that acknowledges nothing for days: what is told meanwhile
    /// waits, and its owner hears of it at its other endpoints.
    #[oai(path = "/endpoints/:id/disable", method = "post", operation_id = "disableEndpoint")]
    async fn disable(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The endpoint's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Because>,
    ) -> Result<Found<EndpointEntry>, ChangeError> {
        operated(app.0, &caller, &id.0, Operation::Disable, &body.value).await
    }
}

async fn operated(
    app: &App,
    caller: &LoggedIn,
    id: &str,
    operation: Operation,
    because: &Because,
) -> Result<Found<EndpointEntry>, ChangeError> {
    caller.must_be(Role::Operator)?;
    let reason = because.reason.trim();
    if reason.is_empty() {
        return Err(Error::invalid("/reason", "must say something").into());
    }
    let by = By { name: &caller.operator.name, actor: &caller.actor(), reason };
    let row = operate::operate(app, id, caller.operator.platform.as_ref(), operation, by).await?;
    Ok(Found(entry(app, row).await?))
}

pub async fn entry(app: &App, row: endpoint::Model) -> Result<EndpointEntry, Error> {
    let platform = app.directory.platform_by_id(&row.platform_id);
    let url = row.url.as_deref().unwrap_or(&row.origin);
    let standing = app.deliveries.state_of(app, &row.id);
    Ok(EndpointEntry {
        kind: match row.kind {
            endpoint::Kind::Implicit => Kind::Implicit,
            endpoint::Kind::Registered => Kind::Registered,
        },
        // One that another node has made just now is known by its id.
        platform: platform.map_or_else(|| row.platform_id.clone(), |platform| platform.slug.clone()),
        // What follows may be a secret of the receiver's.
        url: url.split('?').next().unwrap_or_default().to_owned(),
        format: row.format.into(),
        status: row.status.into(),
        breaker: standing.map(|standing| standing.breaker.into()),
        left_alone_until: standing.and_then(|standing| standing.left_alone_until).map(Timestamp::of),
        failing_since: row.failing_since.map(Timestamp::of),
        service: service::of_one(app, &row.id).await?.into(),
        created_at: Timestamp::of(row.created_at),
        id: row.id,
        merchant_id: row.merchant_id,
        description: row.description,
        status_reason: row.status_reason,
    })
}

impl From<Kind> for endpoint::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Implicit => Self::Implicit,
            Kind::Registered => Self::Registered,
        }
    }
}
