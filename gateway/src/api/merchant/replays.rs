//! `/v1/replays` and `/v1/recover`: deliveries made again.

mod shapes;

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use self::shapes::{Recovery, ReplayToMake};
pub use self::shapes::{Replay, ReplayFilter, ReplayPace, ReplayStart, page};
use super::merchant_of;
use super::orders::found;
use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, change,
};
use crate::app::App;
use crate::deliveries::replay::{self, Ask, State, Step};
use crate::deliveries::select::{Filter, Scope, Wanted};
use crate::directory::access::{self, Caller};
use crate::directory::audit::{self, States, Subject};
use crate::directory::change::Plan;
use crate::directory::endpoints::manage;
use crate::entity;
use crate::error::Error;

pub struct ReplaysApi;

#[OpenApi(tag = "Group::Endpoints")]
impl ReplaysApi {
    /// Preview a replay
    ///
    /// Counts the deliveries that would be made again: named ones, all of an order, or what a filter lets through. Nothing is
    /// sent before it is started with the count. Each goes to its original endpoint, if that is still the same owner's and
    /// verified, with the same event id and the header `ScanGate-Replay`.
    #[oai(path = "/v1/replays", method = "post", operation_id = "createReplay")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<ReplayToMake>,
    ) -> Result<Created<Replay>, ChangeError> {
        caller.may(access::Scope::ReplaysWrite)?;
        let wanted = wanted(app.0, &caller, &body.value).await?;
        let ask = Ask {
            scope: Scope::of(&caller),
            wanted,
            skip: body.value.skip_acknowledged.unwrap_or(false),
            rate: body.value.rate,
            reason: body.value.reason.clone(),
            asked_by: format!("api_key:{}", caller.credential.id()),
        };
        created(app.0, &caller, once, &body.raw, &ask, State::Preview, None).await
    }

    /// List replays
    #[oai(path = "/v1/replays", method = "get", operation_id = "listReplays")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::EventsRead")] caller: Caller,
        request: &Request,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Replay>, Error> {
        caller.may(access::Scope::EventsRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        shapes::page(app.0, entity::replay::Entity::of(&caller.tenant, caller.mode), page).await
    }

    /// Get a replay
    ///
    /// With how far it has come.
    #[oai(path = "/v1/replays/:replayId", method = "get", operation_id = "getReplay")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::EventsRead")] caller: Caller,
        #[oai(name = "replayId")] replay_id: Path<String>,
    ) -> Result<Found<Replay>, Error> {
        caller.may(access::Scope::EventsRead)?;
        let list = entity::replay::Entity::of(&caller.tenant, caller.mode);
        let row = replay::find(app.0, list, &replay_id).await?;
        Ok(Found(Replay::of(app.0, row).await?))
    }

    /// Start a replay
    ///
    /// With the `total` that its preview has counted.
    #[oai(path = "/v1/replays/:replayId/start", method = "post", operation_id = "startReplay")]
    async fn start(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "replayId")] replay_id: Path<String>,
        body: Body<ReplayStart>,
    ) -> Result<Changed<Replay>, ChangeError> {
        caller.may(access::Scope::ReplaysWrite)?;
        let step = Step::Start { total: body.value.total };
        stepped(app.0, &caller, once, &body.raw, &replay_id, step).await
    }

    /// Pause a replay
    #[oai(path = "/v1/replays/:replayId/pause", method = "post", operation_id = "pauseReplay")]
    async fn pause(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "replayId")] replay_id: Path<String>,
    ) -> Result<Changed<Replay>, ChangeError> {
        stepped(app.0, &caller, once, &[], &replay_id, Step::Pause).await
    }

    /// Resume a replay
    #[oai(path = "/v1/replays/:replayId/resume", method = "post", operation_id = "resumeReplay")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "replayId")] replay_id: Path<String>,
    ) -> Result<Changed<Replay>, ChangeError> {
        stepped(app.0, &caller, once, &[], &replay_id, Step::Resume).await
    }

    /// Cancel a replay
    ///
    /// What has not been sent yet is not.
    #[oai(path = "/v1/replays/:replayId/cancel", method = "post", operation_id = "cancelReplay")]
    async fn cancel(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "replayId")] replay_id: Path<String>,
    ) -> Result<Changed<Replay>, ChangeError> {
        stepped(app.0, &caller, once, &[], &replay_id, Step::Cancel).await
    }

    /// Change a replay's pace
    #[oai(path = "/v1/replays/:replayId", method = "patch", operation_id = "paceReplay")]
    async fn pace(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "replayId")] replay_id: Path<String>,
        body: Body<ReplayPace>,
    ) -> Result<Changed<Replay>, ChangeError> {
        caller.may(access::Scope::ReplaysWrite)?;
        let step = Step::Pace { rate: body.value.rate };
        stepped(app.0, &caller, once, &body.raw, &replay_id, step).await
    }

    /// Recover
    ///
    /// Brings, from now on, every delivery since a time that was not acknowledged: for a receiver that was away. What was given
    /// up is made again, as by a replay that is started at once; what still waits for its next attempt is sent now, and
    /// not twice. An endpoint that is named is tried at once, though it failed or asked to be left alone.
    #[oai(path = "/v1/recover", method = "post", operation_id = "recover")]
    async fn recover(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "access::Scope::ReplaysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<Recovery>,
    ) -> Result<Created<Replay>, ChangeError> {
        caller.may(access::Scope::ReplaysWrite)?;
        let Recovery { since, endpoint_id, merchant_id, rate } = &body.value;
        let filter = Filter {
            merchant_id: merchant_id.clone(),
            endpoint_id: endpoint_id.clone(),
            states: ["due", "waiting", "exhausted"].map(str::to_owned).to_vec(),
            from: Some(since.unix_ms),
            ..Filter::default()
        };
        let ask = Ask {
            scope: Scope::of(&caller),
            wanted: Wanted::Missed(filter),
            skip: true,
            rate: *rate,
            reason: "recover".to_owned(),
            asked_by: format!("api_key:{}", caller.credential.id()),
        };
        created(app.0, &caller, once, &body.raw, &ask, State::Running, endpoint_id.as_deref()).await
    }
}

async fn wanted(app: &App, caller: &Caller, body: &ReplayToMake) -> Result<Wanted, Error> {
    let ReplayToMake { delivery_ids, order, merchant_id, filter, .. } = body;
    match (delivery_ids, order, filter) {
        (Some(ids), None, None) => Ok(Wanted::Named(ids.clone())),
        (None, Some(number), None) => {
            if caller.tenant.merchant_id().is_none() && merchant_id.is_none() {
                let why = "is required with a platform's key: the id of one of its merchants";
                return Err(Error::invalid("/merchantId", why));
            }
            let merchant = merchant_of(app, caller, merchant_id.as_deref())?;
            let found = found(app, &merchant, number).await;
            match found {
                Err(Error::NotFound) => Err(Error::invalid("/order", "there is no such order")),
                found => Ok(Wanted::Order(found?.id)),
            }
        }
        (None, None, Some(filter)) => {
            let mut filter = filter.read();
            filter.merchant_id = filter.merchant_id.or_else(|| merchant_id.clone());
            Ok(Wanted::Filter(filter))
        }
        _ => Err(Error::invalid(
            "/filter",
            "is one of three ways to say which: `deliveryIds`, `order` and `filter`",
        )),
    }
}

/// `state`: `Preview`, or `Running` for what needs none. `back`: an endpoint that is there again.
async fn created(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    body: &[u8],
    ask: &Ask,
    state: State,
    back: Option<&str>,
) -> Result<Created<Replay>, ChangeError> {
    let plan = || async {
        let mut row = replay::preview(app, ask).await?;
        row.state = state;
        row.started_at = (state == State::Running).then_some(row.created_at);
        let states = States { before: None, after: Some(replay::state(&row)) };
        let mut plan = Plan::new(entry(app, caller, "replay.previewed", &row, states));
        plan.insert::<entity::replay::Entity>(&row);
        if let Some(id) = back {
            manage::try_now(app, caller, id, &mut plan).await?;
        }
        let location = format!("/v1/replays/{}", row.id);
        Ok(Planned::created(plan, location, Replay::of(app, row).await?))
    };
    let answer = change(app, caller, once, body, plan).await?;
    app.replays.notify_one();
    Ok(answer.into())
}

async fn stepped(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    body: &[u8],
    id: &str,
    step: Step,
) -> Result<Changed<Replay>, ChangeError> {
    caller.may(access::Scope::ReplaysWrite)?;
    let plan = || async {
        let list = entity::replay::Entity::of(&caller.tenant, caller.mode);
        let before = replay::find(app, list, id).await?;
        let Some(after) = replay::stepped(&before, step, app.clock.now_ms())? else {
            return Ok(Planned::changed(None, Replay::of(app, before).await?));
        };
        let states = States { before: Some(replay::state(&before)), after: Some(replay::state(&after)) };
        let mut plan = Plan::new(entry(app, caller, step.action(), &before, states));
        plan.while_there_is(replay::stands(&before));
        for update in replay::statements(&before, &after) {
            plan.update(update);
        }
        Ok(Planned::changed(Some(plan), Replay::of(app, after).await?))
    };
    let answer = change(app, caller, once, body, plan).await?;
    app.replays.notify_one();
    app.deliveries.wake();
    Ok(answer.into())
}

fn entry(
    app: &App,
    caller: &Caller,
    action: &'static str,
    row: &entity::replay::Model,
    states: States,
) -> entity::audit_entry::Model {
    let subject = Subject { kind: "replay", id: &row.id, merchant_id: row.merchant_id.as_deref() };
    audit::entry(app, caller, action, subject, states)
}
