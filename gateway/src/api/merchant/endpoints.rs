//! `/v1/endpoints`: where a merchant, or its platform, wants events.

mod shapes;

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_orm::{ColumnTrait, QueryFilter};

use self::shapes::{Change, MadeEndpoint, New, Rotation, Shown, ShownTrial};
pub use self::shapes::{Format, Standing};
use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, change,
};
use crate::app::App;
use crate::deliveries::{dropped, prove};
use crate::directory::access::{Caller, Scope};
use crate::directory::change::Plan;
use crate::directory::endpoints::{Endpoint, manage, rotate};
use crate::entity::endpoint;
use crate::error::Error;

/// A day.
const USUAL_OVERLAP_HOURS: u32 = 24;

pub struct EndpointsApi;

#[OpenApi(tag = "Group::Endpoints")]
impl EndpointsApi {
    /// Register an endpoint
    ///
    /// Up to 20 for a merchant, and as many for a platform's own. Its secret is in this answer and nowhere else. Nothing is
    /// sent to it before it is verified.
    #[oai(path = "/v1/endpoints", method = "post", operation_id = "createEndpoint")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<New>,
    ) -> Result<Created<MadeEndpoint>, ChangeError> {
        caller.may(Scope::EndpointsWrite)?;
        let wanted = body.value.wanted()?;
        let plan = || async {
            let (plan, new) = manage::create(app.0, &caller, &wanted).await?;
            let made = MadeEndpoint::of(app.0, &new)?;
            let repeat = made.repeated(new.row.created_at);
            let location = format!("/v1/endpoints/{}", new.row.id);
            Ok(Planned::created(plan, location, made).repeated_as(repeat))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// List endpoints
    ///
    /// A platform sees its own and its merchants'.
    #[oai(path = "/v1/endpoints", method = "get", operation_id = "listEndpoints")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EventsRead")] caller: Caller,
        request: &Request,
        /// Only endpoints of this merchant.
        #[oai(name = "merchantId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant_id: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Shown>, Error> {
        caller.may(Scope::EventsRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = endpoint::Entity::of(&caller.tenant, caller.mode);
        if let Some(id) = &merchant_id.0 {
            list = list.filter(endpoint::Column::MerchantId.eq(id.as_str()));
        }
        let show = |row: endpoint::Model| Ok((row.id.clone(), Shown::of(app.0, &row)?));
        page.try_rows(&app.store.read, list, endpoint::Column::Id, show).await
    }

    /// Get an endpoint
    #[oai(path = "/v1/endpoints/:endpointId", method = "get", operation_id = "getEndpoint")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EventsRead")] caller: Caller,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
    ) -> Result<Found<Shown>, Error> {
        caller.may(Scope::EventsRead)?;
        let row = manage::find(app.0, &caller, &endpoint_id).await?;
        Ok(Found(Shown::of(app.0, &row)?))
    }

    /// Change an endpoint
    #[oai(path = "/v1/endpoints/:endpointId", method = "patch", operation_id = "changeEndpoint")]
    async fn patch(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
        body: Body<Change>,
    ) -> Result<Changed<Shown>, ChangeError> {
        caller.may(Scope::EndpointsWrite)?;
        let settings = body.value.settings()?;
        let plan = || manage::change(app.0, &caller, &endpoint_id, &settings);
        changed(app.0, &caller, once, &body.raw, plan).await
    }

    /// Delete an endpoint
    ///
    /// What is due to it ends unsent. Answers it as it was.
    #[oai(path = "/v1/endpoints/:endpointId", method = "delete", operation_id = "deleteEndpoint")]
    async fn delete(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
    ) -> Result<Changed<Shown>, ChangeError> {
        let answer =
            changed(app.0, &caller, once, &[], || manage::delete(app.0, &caller, &endpoint_id)).await?;
        // Whatever becomes of this, each ends when it is due.
        let (app, id) = (Arc::clone(app.0), endpoint_id.0);
        app.clone().tasks.spawn(async move { dropped::end(&app, &id).await });
        Ok(answer)
    }

    /// Verify an endpoint
    ///
    /// Posts a JSON body with a random text in `challenge`, signed like an event (not in ScanForPay's form, which has no secret of its own), and asks for it back: a status from 200 to
    /// 299, and as the body the text, or JSON with it in `challenge`. Then events are sent. 409 says what came instead.
    #[oai(path = "/v1/endpoints/:endpointId/verify", method = "post", operation_id = "verifyEndpoint")]
    async fn verify(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
    ) -> Result<Changed<Shown>, ChangeError> {
        let plan = || async {
            let row = manage::find(app.0, &caller, &endpoint_id).await?;
            let trial = prove::challenge(app.0, &*held(app.0, &row)?).await?;
            if !trial.outcome.acknowledged {
                return Err(not_proven(&trial.into()));
            }
            Ok(manage::proven(app.0, &caller, &row))
        };
        changed(app.0, &caller, once, &[], plan).await
    }

    /// Pause an endpoint
    ///
    /// What is told meanwhile waits.
    #[oai(path = "/v1/endpoints/:endpointId/pause", method = "post", operation_id = "pauseEndpoint")]
    async fn pause(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
    ) -> Result<Changed<Shown>, ChangeError> {
        changed(app.0, &caller, once, &[], || manage::pause(app.0, &caller, &endpoint_id)).await
    }

    /// Resume an endpoint
    ///
    /// One that is paused or disabled, or that is left alone because it fails or asked for it (`leftAloneUntil`). What waits for it goes
    /// out in order, at its rate.
    #[oai(path = "/v1/endpoints/:endpointId/resume", method = "post", operation_id = "resumeEndpoint")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
    ) -> Result<Changed<Shown>, ChangeError> {
        changed(app.0, &caller, once, &[], || manage::resume(app.0, &caller, &endpoint_id)).await
    }

    /// Rotate an endpoint's secret
    ///
    /// The new one is in this answer and nowhere else. The one before signs, too, for a while longer: receivers take any
    /// signature that verifies. A key pair is rotated with it. Five sign at once at most.
    #[oai(path = "/v1/endpoints/:endpointId/secrets", method = "post", operation_id = "rotateEndpointSecret")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
        body: Body<Rotation>,
    ) -> Result<Created<MadeEndpoint>, ChangeError> {
        caller.may(Scope::EndpointsWrite)?;
        let hours = body.value.previous_for_hours.unwrap_or(USUAL_OVERLAP_HOURS);
        let plan = || async {
            let (plan, new) = rotate::rotate(app.0, &caller, &endpoint_id, hours).await?;
            let made = MadeEndpoint::of(app.0, &new)?;
            let repeat = made.repeated(app.clock.now_ms());
            let location = format!("/v1/endpoints/{}", new.row.id);
            Ok(Planned::created(plan, location, made).repeated_as(repeat))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// Send a test event
    ///
    /// Sends `endpoint.test` now, once, and says what came of it. For test endpoints in `standard-webhooks` only; ten
    /// challenges and test events in a minute unless the gateway's operator has set another limit. Nothing is changed, so
    /// an `Idempotency-Key` is taken and has no effect.
    #[oai(path = "/v1/endpoints/:endpointId/test", method = "post", operation_id = "testEndpoint")]
    async fn test(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::EndpointsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] _once: Once,
        #[oai(name = "endpointId")] endpoint_id: Path<String>,
    ) -> Result<Found<ShownTrial>, ChangeError> {
        caller.may(Scope::EndpointsWrite)?;
        let row = manage::find(app.0, &caller, &endpoint_id).await?;
        let trial = prove::test(app.0, &*held(app.0, &row)?).await?;
        Ok(Found(trial.into()))
    }
}

/// The endpoint with its secrets. Another node's change is here within seconds.
fn held(app: &App, row: &endpoint::Model) -> Result<Arc<Endpoint>, Error> {
    let held = app.directory.endpoint(&row.id);
    held.filter(|held| Some(held.url.as_str()) == row.url.as_deref()).ok_or(Error::Busy)
}

fn not_proven(trial: &ShownTrial) -> Error {
    let came = match (trial.http_status, trial.outcome.as_str()) {
        (Some(status), "not_echoed") => format!("it answered {status} without the challenge's text"),
        (Some(status), _) => format!("it answered {status}"),
        (None, word) => format!("there was no answer ({word})"),
    };
    let excerpt = trial.excerpt.as_deref().filter(|text| !text.trim().is_empty());
    let excerpt = excerpt.map_or_else(String::new, |text| format!(": {}", text.trim()));
    Error::Conflict {
        code: "not_proven",
        detail: format!("The endpoint did not echo the challenge: {came}{excerpt}"),
        pointer: None,
    }
}

async fn changed<F>(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    body: &[u8],
    how: impl Fn() -> F,
) -> Result<Changed<Shown>, ChangeError>
where
    F: Future<Output = Result<(Option<Plan>, endpoint::Model), Error>>,
{
    caller.may(Scope::EndpointsWrite)?;
    let plan = || async {
        let (plan, row) = how().await?;
        Ok(Planned::changed(plan, Shown::of(app, &row)?))
    };
    Ok(change(app, caller, once, body, plan).await?.into())
}
