//! `GET /v1/service`: how well events reach a merchant, or a platform's own endpoints.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{QueryOrder, QuerySelect, Select};
use shared::ops;

use super::merchant_of;
use crate::api::rest::{Found, Group, Timestamp};
use crate::app::App;
use crate::deliveries::{Breaker, service};
use crate::directory::access::{Caller, Scope};
use crate::entity::endpoint;
use crate::error::Error;

/// Endpoints in an answer: the registered ones, and the first of so many of orders' notifyUrls.
const MOST: u64 = 100;

/// How well events arrive. Attempts are those of the last hour that the gateway that answers has made; what waits is
/// the same at every gateway.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Service {
    pub attempts: u64,
    /// Attempts that were acknowledged.
    pub acknowledged: u64,
    /// From the promise of an event, which is when its notice was kept, to its acknowledgement, in milliseconds: half of them
    /// took no longer. Within a tenth; replays are left out. Absent: nothing was acknowledged.
    pub p50_ms: Option<u64>,
    /// The same for 95 of a hundred.
    pub p95_ms: Option<u64>,
    /// The same for 99 of a hundred.
    pub p99_ms: Option<u64>,
    /// Deliveries that are due or wait for one that is; counted up to 10,000.
    pub backlog: u64,
    /// When the oldest of them was promised.
    pub oldest_at: Option<Timestamp>,
    /// Deliveries that were given up and not sent again since; counted up to 10,000.
    pub exhausted: u64,
}

impl From<ops::Service> for Service {
    fn from(service: ops::Service) -> Self {
        Self {
            attempts: service.attempts,
            acknowledged: service.acknowledged,
            p50_ms: service.p50_ms,
            p95_ms: service.p95_ms,
            p99_ms: service.p99_ms,
            backlog: service.backlog,
            oldest_at: service.oldest_at.map(|at| Timestamp::of(at.ms())),
            exhausted: service.exhausted,
        }
    }
}

/// Whether an endpoint is left alone for a while, because it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub enum LeftAlone {
    /// It is not.
    Closed,
    /// Until a time that is longer with every failure.
    Open,
    /// One attempt tells whether it has come back.
    HalfOpen,
}

impl From<Breaker> for LeftAlone {
    fn from(state: Breaker) -> Self {
        match state {
            Breaker::Closed => Self::Closed,
            Breaker::Open => Self::Open,
            Breaker::HalfOpen => Self::HalfOpen,
        }
    }
}

/// How well one endpoint is reached.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct EndpointService {
    pub id: String,
    /// Where it is; of orders' `notifyUrl`s the scheme, host and port that they share.
    pub url: String,
    /// Whether it was registered, and not only named by orders.
    pub registered: bool,
    /// As the gateway that answers sees it; absent: it has had nothing to do with it lately.
    pub breaker: Option<LeftAlone>,
    /// Since when nothing was acknowledged.
    pub failing_since: Option<Timestamp>,
    pub service: Service,
}

/// How well events arrive, at all endpoints together and at each.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ServiceReport {
    /// Of all of the merchant's endpoints; absent with a platform's own.
    pub all: Option<Service>,
    /// Each: of those of orders' `notifyUrl`s a hundred at most.
    pub endpoints: Vec<EndpointService>,
}

pub struct ServiceApi;

#[OpenApi(tag = "Group::Endpoints")]
impl ServiceApi {
    /// How events arrive
    ///
    /// Attempts, how long it took until they were acknowledged, and what waits: of a merchant's endpoints, or, with a
    /// platform's key and without `merchant`, of the platform's own.
    #[oai(path = "/v1/service", method = "get", operation_id = "getService")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EventsRead")] caller: Caller,
        /// With a platform's key: the id of one of its merchants.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Found<ServiceReport>, Error> {
        caller.may(Scope::EventsRead)?;
        if caller.tenant.merchant_id().is_none() && merchant.0.is_none() {
            let own = endpoint::Entity::of_platform(caller.tenant.platform_id());
            let rows = rows(app.0, own).await?.into_iter().filter(|row| row.mode == Some(caller.mode));
            return Ok(Found(ServiceReport { all: None, endpoints: each(app.0, rows).await? }));
        }
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let mut rows = rows(app.0, endpoint::Entity::of_merchant(&merchant.id)).await?;
        rows.extend(self::rows(app.0, endpoint::Entity::implicit_of(&merchant.id)).await?);
        let all = service::of_all_of(app.0, &merchant.id).await?;
        Ok(Found(ServiceReport { all: Some(all.into()), endpoints: each(app.0, rows).await? }))
    }
}

async fn rows(app: &App, list: Select<endpoint::Entity>) -> Result<Vec<endpoint::Model>, Error> {
    Ok(list.order_by_desc(endpoint::Column::Id).limit(MOST).all(&app.store.read).await?)
}

async fn each(
    app: &App,
    rows: impl IntoIterator<Item = endpoint::Model>,
) -> Result<Vec<EndpointService>, Error> {
    let mut told = Vec::new();
    for row in rows {
        let service = service::of_one(app, &row.id).await?.into();
        let breaker = app.deliveries.state_of(app, &row.id).map(|standing| standing.breaker.into());
        told.push(EndpointService {
            id: row.id,
            registered: row.kind == endpoint::Kind::Registered,
            url: row.url.unwrap_or(row.origin),
            breaker,
            failing_since: row.failing_since.map(Timestamp::of),
            service,
        });
    }
    Ok(told)
}
