//! Deliveries and replays, for operators: of all platforms in their scope.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Group;
use super::auth::LoggedIn;
use crate::api::merchant::deliveries::{self, Delivery, ListQuery, State};
use crate::api::merchant::replays::{Replay, ReplayFilter, ReplayPace, ReplayStart, page};
use crate::api::rest::{Body, ChangeError, Created, EventType, Found, Page, PageQuery};
use crate::app::App;
use crate::deliveries::replay::{self, Ask, Step};
use crate::deliveries::select::{Scope, Wanted};
use crate::directory::acts::{self, Act};
use crate::directory::operators::Role;
use crate::entity;
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};

/// What is to be made again: exactly one of `deliveryIds`, `orderId` and `filter`.
#[derive(Object)]
#[oai(rename = "OperatorsReplay", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct ReplayToMake {
    #[oai(validator(min_items = 1, max_items = 1000, unique_items))]
    pub delivery_ids: Option<Vec<String>>,
    /// All deliveries of one order.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub order_id: Option<String>,
    pub filter: Option<ReplayFilter>,
    /// Pass over what has been acknowledged by the time it would be sent.
    pub skip_acknowledged: Option<bool>,
    /// Deliveries a second; absent: the gateway's own.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    pub rate: Option<u32>,
    /// For the log of operators' changes and for each order's timeline.
    #[oai(validator(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"))]
    pub reason: String,
}

impl Example for ReplayToMake {
    fn example() -> Self {
        Self {
            delivery_ids: None,
            order_id: Some("01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into()),
            filter: None,
            skip_acknowledged: Some(true),
            rate: Some(20),
            reason: "the shop's firewall dropped them".into(),
        }
    }
}

pub struct DeliveriesOps;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Deliveries")]
impl DeliveriesOps {
    /// List deliveries
    ///
    /// Newest first. A page may hold fewer rows than asked for and still have a `next`, as with orders.
    #[oai(path = "/deliveries", method = "get", operation_id = "listDeliveries")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// Only of events about this merchant.
        #[oai(name = "merchantId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant_id: Query<Option<String>>,
        /// Only to this endpoint.
        #[oai(name = "endpointId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        endpoint_id: Query<Option<String>>,
        /// A type of event; given several times, any of them.
        #[oai(name = "kind")]
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
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<Delivery>, Error> {
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
        deliveries::page(app.0, &scope(&caller), &wanted.filter()?, query).await
    }

    /// Get a delivery
    ///
    /// With its attempts.
    #[oai(path = "/deliveries/:id", method = "get", operation_id = "getDelivery")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The delivery's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Delivery>, Error> {
        Ok(Found(deliveries::one(app.0, &scope(&caller), &id.0).await?))
    }

    /// Preview a replay
    ///
    /// For operators. Counts what would be sent, and sends nothing before it is started with that count.
    #[oai(path = "/replays", method = "post", operation_id = "createReplay")]
    async fn preview(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        body: Body<ReplayToMake>,
    ) -> Result<Created<Replay>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let ReplayToMake { delivery_ids, order_id, filter, skip_acknowledged, rate, reason } = body.value;
        let wanted = match (delivery_ids, order_id, filter) {
            (Some(ids), None, None) => Wanted::Named(ids),
            (None, Some(id), None) => Wanted::Order(id),
            (None, None, Some(filter)) => Wanted::Filter(filter.read()),
            _ => {
                let why = "is one of three ways to say which: `deliveryIds`, `orderId` and `filter`";
                return Err(Error::invalid("/filter", why).into());
            }
        };
        let ask = Ask {
            scope: scope(&caller),
            wanted,
            skip: skip_acknowledged.unwrap_or(false),
            rate,
            reason,
            asked_by: format!("operator:{}", caller.operator.name),
        };
        let row = replay::preview(app.0, &ask).await?;
        let statements =
            vec![replay::insert(&row), on_record(app.0, &caller, "replay.previewed", None, &row)];
        app.ledger
            .room(Lane::Bulk, "operators")
            .map_err(Error::from)?
            .rows(statements)
            .await
            .map_err(Error::from)?;
        let location = format!("/ops/v1/replays/{}", row.id);
        Ok(Created::at(location, &Replay::of(app.0, row).await?))
    }

    /// List replays
    #[oai(path = "/replays", method = "get", operation_id = "listReplays")]
    async fn replays(
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
    ) -> Result<Page<Replay>, Error> {
        let query = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        page(app.0, in_scope(&caller), query).await
    }

    /// Get a replay
    #[oai(path = "/replays/:id", method = "get", operation_id = "getReplay")]
    async fn replay(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The replay's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Replay>, Error> {
        let row = replay::find(app.0, in_scope(&caller), &id.0).await?;
        Ok(Found(Replay::of(app.0, row).await?))
    }

    /// Start a replay
    ///
    /// For operators, with the `total` that the preview has counted.
    #[oai(path = "/replays/:id/start", method = "post", operation_id = "startReplay")]
    async fn start(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The replay's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<ReplayStart>,
    ) -> Result<Found<Replay>, ChangeError> {
        stepped(app.0, &caller, &id.0, Step::Start { total: body.value.total }).await
    }

    /// Pause a replay
    #[oai(path = "/replays/:id/pause", method = "post", operation_id = "pauseReplay")]
    async fn pause(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The replay's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Replay>, ChangeError> {
        stepped(app.0, &caller, &id.0, Step::Pause).await
    }

    /// Resume a replay
    #[oai(path = "/replays/:id/resume", method = "post", operation_id = "resumeReplay")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The replay's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Replay>, ChangeError> {
        stepped(app.0, &caller, &id.0, Step::Resume).await
    }

    /// Cancel a replay
    #[oai(path = "/replays/:id/cancel", method = "post", operation_id = "cancelReplay")]
    async fn cancel(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The replay's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Replay>, ChangeError> {
        stepped(app.0, &caller, &id.0, Step::Cancel).await
    }

    /// Change a replay's pace
    #[oai(path = "/replays/:id", method = "patch", operation_id = "paceReplay")]
    async fn pace(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The replay's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<ReplayPace>,
    ) -> Result<Found<Replay>, ChangeError> {
        stepped(app.0, &caller, &id.0, Step::Pace { rate: body.value.rate }).await
    }
}

fn scope(caller: &LoggedIn) -> Scope {
    let platform_id = caller.operator.platform.as_ref().map(|platform| platform.id.clone());
    Scope { platform_id, ..Scope::default() }
}

fn in_scope(caller: &LoggedIn) -> sea_orm::Select<entity::replay::Entity> {
    let bound = caller.operator.platform.as_ref().map(|platform| platform.id.as_str());
    entity::replay::Entity::in_scope(bound)
}

/// The operator's act, to be written with what it does.
fn on_record(
    app: &App,
    caller: &LoggedIn,
    action: &'static str,
    before: Option<&entity::replay::Model>,
    after: &entity::replay::Model,
) -> RowStatement {
    let act = Act {
        action,
        subject_id: Some(&after.id),
        platform_id: after.platform_id.as_deref(),
        before: before.map(replay::state),
        after: Some(replay::state(after)),
    };
    acts::entry(&caller.actor(), act, &app.chance, app.clock.now_ms())
}

async fn stepped(
    app: &Arc<App>,
    caller: &LoggedIn,
    id: &str,
    step: Step,
) -> Result<Found<Replay>, ChangeError> {
    caller.must_be(Role::Operator)?;
    let before = replay::find(app, in_scope(caller), id).await?;
    let Some(after) = replay::stepped(&before, step, app.clock.now_ms())? else {
        return Ok(Found(Replay::of(app, before).await?));
    };
    let mut updates = replay::statements(&before, &after).into_iter();
    let mut statements: Vec<RowStatement> = updates.next().map(RowStatement::Provided).into_iter().collect();
    statements.push(on_record(app, caller, step.action(), Some(&before), &after));
    statements.extend(updates.map(RowStatement::Update));
    let written = app.ledger.room(Lane::Bulk, "operators").map_err(Error::from)?.rows(statements).await;
    if written.map_err(Error::from)? == 0 {
        return Err(Error::Busy.into());
    }
    app.replays.notify_one();
    app.deliveries.wake();
    Ok(Found(Replay::of(app, after).await?))
}
