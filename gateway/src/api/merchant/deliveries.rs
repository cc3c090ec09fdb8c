//! `/v1/deliveries`: what became of each promise to bring an event somewhere. Operators see the same of all in their scope.

use std::collections::HashMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::wrong;
use crate::api::rest::{EventType, Found, Group, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::deliveries::list::{self, Window};
use crate::deliveries::select::{self, Filter, Scope};
use crate::directory::access::{self, Caller, is_id};
use crate::entity::{attempt, delivery, order};
use crate::error::Error;

/// Attempts that are shown of one delivery, the latest.
const MOST_ATTEMPTS: u64 = 100;

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum)]
#[oai(rename = "DeliveryState", rename_all = "snake_case")]
pub enum State {
    /// Or at it.
    Due,
    /// Until what was promised earlier about the same order to the same endpoint has ended.
    Waiting,
    /// Its replay is paused. What waits for an endpoint that is paused, disabled or left alone stays `due`.
    Parked,
    Delivered,
    /// The schedule is used up without an acknowledgement.
    Exhausted,
    /// What came after it says more: an order that was closed was paid after all.
    Superseded,
    /// With its replay, or because its endpoint was deleted.
    Cancelled,
}

impl From<delivery::State> for State {
    fn from(state: delivery::State) -> Self {
        match state {
            delivery::State::Due => Self::Due,
            delivery::State::Waiting => Self::Waiting,
            delivery::State::Parked => Self::Parked,
            delivery::State::Delivered => Self::Delivered,
            delivery::State::Exhausted => Self::Exhausted,
            delivery::State::Superseded => Self::Superseded,
            delivery::State::Cancelled => Self::Cancelled,
        }
    }
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Due,
        Self::Waiting,
        Self::Parked,
        Self::Delivered,
        Self::Exhausted,
        Self::Superseded,
        Self::Cancelled,
    ];

    /// As the store writes it.
    pub fn word(self) -> String {
        let state = match self {
            Self::Due => delivery::State::Due,
            Self::Waiting => delivery::State::Waiting,
            Self::Parked => delivery::State::Parked,
            Self::Delivered => delivery::State::Delivered,
            Self::Exhausted => delivery::State::Exhausted,
            Self::Superseded => delivery::State::Superseded,
            Self::Cancelled => delivery::State::Cancelled,
        };
        select::state_word(state)
    }
}

/// The promise to bring one event to one endpoint.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Delivery {
    pub id: String,
    pub event_id: String,
    /// The event's type, such as `order.paid`.
    pub kind: String,
    pub endpoint_id: String,
    /// Where it goes, without what follows a `?`.
    pub url: String,
    /// Empty: the event is about a platform's own endpoint.
    pub merchant_id: String,
    /// The merchant's number of the order; empty: it is about none.
    pub number: String,
    pub state: State,
    /// Made so far.
    pub attempt_count: i64,
    /// How the last one went: `delivered`, `refused`, `timed_out`, …
    pub outcome: Option<String>,
    /// When it is tried next, at the earliest: in the past, as soon as its endpoint takes it. Absent: it has ended, or waits.
    pub due_at: Option<Timestamp>,
    /// The replay that made it.
    pub replay_id: Option<String>,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Oldest first, of a single delivery; absent in lists.
    pub attempts: Option<Vec<Attempt>>,
}

/// One HTTP request of a delivery.
#[derive(Object, Debug)]
#[oai(rename = "DeliveryAttempt", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Attempt {
    pub at: Timestamp,
    pub took_ms: i64,
    /// The HTTP status; absent: there was no answer.
    pub status: Option<u16>,
    pub outcome: String,
    /// The beginning of the answer's body.
    pub excerpt: Option<String>,
}

impl From<attempt::Model> for Attempt {
    fn from(row: attempt::Model) -> Self {
        Self {
            at: Timestamp::of(row.started_at),
            took_ms: row.duration_ms,
            status: row.http_status.and_then(|status| u16::try_from(status).ok()),
            outcome: row.outcome,
            excerpt: row.excerpt.filter(|text| !text.is_empty()),
        }
    }
}

impl Delivery {
    fn of(row: delivery::Model, number: String) -> Self {
        let url = row.url.split(['?', '#']).next().unwrap_or_default().to_owned();
        Self {
            due_at: (row.state == delivery::State::Due).then(|| Timestamp::of(row.due_at)),
            id: row.id,
            event_id: row.event_id,
            kind: row.kind,
            endpoint_id: row.endpoint_id,
            url,
            merchant_id: row.merchant_id,
            number,
            state: row.state.into(),
            attempt_count: row.attempts,
            outcome: row.outcome,
            replay_id: row.replay_id,
            created_at: Timestamp::of(row.created_at),
            ended_at: row.ended_at.map(Timestamp::of),
            attempts: None,
        }
    }
}

/// What a list of deliveries is asked for.
pub struct ListQuery {
    pub merchant_id: Option<String>,
    pub endpoint_id: Option<String>,
    pub kinds: Option<Vec<EventType>>,
    pub states: Option<Vec<State>>,
    pub outcome: Option<String>,
    pub from: Option<String>,
    pub before: Option<String>,
}

impl ListQuery {
    pub fn filter(self) -> Result<Filter, Error> {
        let words = |kinds: Vec<EventType>| {
            kinds.into_iter().map(|EventType(kind)| kind.as_str().to_owned()).collect()
        };
        Ok(Filter {
            merchant_id: self.merchant_id,
            endpoint_id: self.endpoint_id,
            kinds: self.kinds.map(words).unwrap_or_default(),
            states: self.states.unwrap_or_default().into_iter().map(State::word).collect(),
            outcomes: self.outcome.into_iter().collect(),
            from: time("from", self.from.as_deref())?,
            before: time("before", self.before.as_deref())?,
        })
    }
}

fn time(parameter: &'static str, text: Option<&str>) -> Result<Option<i64>, Error> {
    let read = |text| {
        let time = Timestamp::parse(text).map(|time| time.unix_ms);
        time.ok_or_else(|| wrong(parameter, "is no RFC 3339 time such as 2026-09-21T14:13:20Z"))
    };
    text.map(read).transpose()
}

/// A page of deliveries, newest first.
pub async fn page(
    app: &App,
    scope: &Scope,
    filter: &Filter,
    page: PageQuery,
) -> Result<Page<Delivery>, Error> {
    let Window { rows, next } =
        list::page(&app.store.read, scope, filter, page.limit(), page.after()).await?;
    Ok(page.page(shown(app, rows).await?, next))
}

/// Of rows that their reader may see.
pub async fn shown(app: &App, rows: Vec<delivery::Model>) -> Result<Vec<Delivery>, Error> {
    let subjects = rows.iter().map(|row| row.subject_id.as_str());
    let numbers: Vec<(String, String)> = order::Entity::find()
        .select_only()
        .columns([order::Column::Id, order::Column::Number])
        .filter(order::Column::Id.is_in(subjects))
        .into_tuple()
        .all(&app.store.read)
        .await?;
    let numbers: HashMap<String, String> = numbers.into_iter().collect();
    let number = |row: &delivery::Model| numbers.get(&row.subject_id).cloned().unwrap_or_default();
    Ok(rows
        .into_iter()
        .map(|row| (number(&row), row))
        .map(|(number, row)| Delivery::of(row, number))
        .collect())
}

/// One of a scope, with its attempts.
pub async fn one(app: &App, scope: &Scope, id: &str) -> Result<Delivery, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = select::filtered(scope, &Filter::default()).filter(delivery::Column::Id.eq(id));
    let row = found.one(&app.store.read).await?.ok_or(Error::NotFound)?;
    let mut attempts = attempt::Entity::find()
        .filter(attempt::Column::DeliveryId.eq(id))
        .order_by_desc(attempt::Column::Id)
        .limit(MOST_ATTEMPTS)
        .all(&app.store.read)
        .await?;
    attempts.reverse();
    let mut shown = shown(app, vec![row]).await?.remove(0);
    shown.attempts = Some(attempts.into_iter().map(Attempt::from).collect());
    Ok(shown)
}

pub struct DeliveriesApi;

#[OpenApi(tag = "Group::Endpoints")]
impl DeliveriesApi {
    /// List deliveries
    ///
    /// Newest first: what was promised to the caller's endpoints and to orders' `notifyUrl`s; a platform sees its
    /// merchants', too. A page may hold fewer rows than asked for, even none, and still have a `next`: of filters that
    /// match few deliveries it looks through 4,000 at a time. Go on until there is no `next`.
    #[oai(path = "/v1/deliveries", method = "get", operation_id = "listDeliveries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::EventsRead")] caller: Caller,
        request: &Request,
        /// Only of events about this merchant.
        #[oai(name = "merchantId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant_id: Query<Option<String>>,
        /// Only to this endpoint.
        #[oai(name = "endpointId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        endpoint_id: Query<Option<String>>,
        /// A type of event; given several times, any of them.
        #[oai(name = "type")]
        kinds: Query<Option<Vec<EventType>>>,
        /// A state; given several times, any of them.
        #[oai(name = "state")]
        states: Query<Option<Vec<State>>>,
        /// How the last attempt went, such as `timed_out`.
        #[oai(validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        outcome: Query<Option<String>>,
        /// Promised at this time or later: RFC 3339.
        #[oai(validator(max_length = 40, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        from: Query<Option<String>>,
        /// Promised before this time.
        #[oai(validator(max_length = 40, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        before: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Delivery>, Error> {
        caller.may(access::Scope::EventsRead)?;
        let query = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let wanted = ListQuery {
            merchant_id: merchant_id.0,
            endpoint_id: endpoint_id.0,
            kinds: kinds.0,
            states: states.0,
            outcome: outcome.0,
            from: from.0,
            before: before.0,
        };
        page(app.0, &Scope::of(&caller), &wanted.filter()?, query).await
    }

    /// Get a delivery
    ///
    /// With its attempts.
    #[oai(path = "/v1/deliveries/:deliveryId", method = "get", operation_id = "getDelivery")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::EventsRead")] caller: Caller,
        #[oai(name = "deliveryId")] delivery_id: Path<String>,
    ) -> Result<Found<Delivery>, Error> {
        caller.may(access::Scope::EventsRead)?;
        Ok(Found(one(app.0, &Scope::of(&caller), &delivery_id).await?))
    }
}
