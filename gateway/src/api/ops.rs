//! `/ops/v1`, on the operators' listener only: logging in and out, operators and platforms. It has a document of its
//! own, since nobody but operators can reach it.

mod attention;
mod auth;
mod endpoints;
mod quarantine;
mod refund_shapes;
mod refunds;
mod shapes;

use std::sync::Arc;

use poem::web::{Data, Json as PlainJson};
use poem::{Request, handler};
use poem_openapi::param::{Path, Query};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService, Tags};
use serde_json::Value;
use zeroize::Zeroizing;

use self::attention::AttentionApi;
use self::auth::LoggedIn;
use self::endpoints::EndpointOps;
use self::quarantine::QuarantineOps;
use self::shapes::{
    ActEntry, Done, Login, MadePlatform, Me, OperatorEntry, OperatorToAdd, PlatformChange, PlatformEntry,
    PlatformToMake, Session,
};
use super::edge::address::client_address;
use super::rest::{Body, ChangeError, Created, Found, Page, PageQuery};
use crate::app::App;
use crate::contract;
use crate::directory::acts;
use crate::directory::operators::{self, NewOperator, Role, Slugs};
use crate::directory::platforms;
use crate::directory::tokens::{self, Audience, Grant, LIFETIME};
use crate::entity::{operator, operator_act, platform};
use crate::error::Error;

const INTRODUCTION: &str = "For the operators of a gateway, on a listener that only they can reach. Log in with \
    `POST /ops/v1/login`; send the token with every other call. Lists are pages of at most 100, \
    newest first unless they say otherwise: follow `Link: <…>; rel=\"next\"`.";

#[derive(Tags)]
enum Group {
    /// Logging in and out.
    Session,
    /// The people at the console.
    Operators,
    /// The SaaS companies whose merchants this gateway serves.
    Platforms,
    /// What ScanForPay said that differs from what it was asked.
    #[oai(rename = "Held facts")]
    Facts,
    /// Money given back.
    Refunds,
    /// What waits for a person.
    Attention,
    /// Where events are sent, and how they arrive there.
    Endpoints,
}

pub struct OpsApi;

#[OpenApi(prefix_path = "/ops/v1")]
impl OpsApi {
    /// Log in
    ///
    /// Five wrong passwords in a row lock a name for half a minute, each further one for twice as long, up to a
    /// quarter of an hour; an address that fails too often is not listened to for a while. Whether a name exists
    /// cannot be learned here.
    #[oai(path = "/login", method = "post", tag = "Group::Session", operation_id = "login")]
    async fn login(
        &self,
        app: Data<&Arc<App>>,
        request: &Request,
        body: Body<Login>,
    ) -> Result<Found<Session>, ChangeError> {
        let Login { name, password } = body.value;
        let operator =
            operators::log_in(app.0, name, Zeroizing::new(password), client_address(request)).await?;
        let grant = Grant {
            audience: Audience::Operators,
            credential: operator.id.clone(),
            scope: operator.scope(),
            role: Some(operator.role.as_str().to_owned()),
        };
        let (token, _) = app.tokens.make(grant, &app.chance, app.clock.now_ms())?;
        tracing::info!(operator = operator.name, "logged in");
        Ok(Found(Session { token, expires_in: LIFETIME.as_secs(), operator: operator.into() }))
    }

    /// Log out
    ///
    /// The token is good no more, here and on every other node.
    #[oai(path = "/logout", method = "post", tag = "Group::Session", operation_id = "logout")]
    async fn logout(&self, app: Data<&Arc<App>>, caller: LoggedIn) -> Result<Found<Done>, ChangeError> {
        tokens::revoke(app.0, &caller.claims).await?;
        Ok(Found(Done { done: true }))
    }

    /// Who am I
    #[oai(path = "/me", method = "get", tag = "Group::Session", operation_id = "me")]
    async fn me(&self, caller: LoggedIn) -> Result<Found<Me>, Error> {
        Ok(Found(caller.operator.into()))
    }

    /// List operators
    ///
    /// For admins. One who is bound to a platform sees that platform's.
    #[oai(path = "/operators", method = "get", tag = "Group::Operators", operation_id = "listOperators")]
    async fn list_operators(
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
    ) -> Result<Page<OperatorEntry>, Error> {
        caller.must_be(Role::Admin)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let slugs = Slugs::load(app.0).await?;
        let show = |row: operator::Model| (row.id.clone(), slugs.listed(row).into());
        let list = operators::of(caller.operator.platform.as_ref());
        page.rows(&app.store.read, list, operator::Column::Id, show).await
    }

    /// Add an operator
    ///
    /// For admins. One who is bound to a platform adds operators of that platform only.
    #[oai(path = "/operators", method = "post", tag = "Group::Operators", operation_id = "addOperator")]
    async fn add_operator(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        body: Body<OperatorToAdd>,
    ) -> Result<Created<Me>, ChangeError> {
        caller.must_be(Role::Admin)?;
        let OperatorToAdd { name, password, role, platform } = body.value;
        if let Some(bound) = &caller.operator.platform
            && platform.as_deref() != Some(bound.slug.as_str())
        {
            return Err(Error::BoundToPlatform.into());
        }
        let added =
            operators::add(app.0, NewOperator { name, password, role, platform }, &caller.actor()).await?;
        Ok(Created::at(format!("/ops/v1/operators/{}", added.name), &added.into()))
    }

    /// Get an operator
    ///
    /// For admins. One who is bound to a platform sees that platform's.
    #[oai(path = "/operators/:name", method = "get", tag = "Group::Operators", operation_id = "getOperator")]
    async fn get_operator(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The operator's name.
        #[oai(validator(max_length = 64))]
        name: Path<String>,
    ) -> Result<Found<OperatorEntry>, Error> {
        caller.must_be(Role::Admin)?;
        let row = operators::seen(app.0, &name.0, caller.operator.platform.as_ref()).await?;
        Ok(Found(Slugs::load(app.0).await?.listed(row).into()))
    }

    /// Disable an operator
    ///
    /// For admins. The operator is let in no more, and logged out everywhere.
    #[oai(
        path = "/operators/:name/disable",
        method = "post",
        tag = "Group::Operators",
        operation_id = "disableOperator"
    )]
    async fn disable_operator(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The operator's name.
        #[oai(validator(max_length = 64))]
        name: Path<String>,
    ) -> Result<Found<Done>, ChangeError> {
        caller.must_be(Role::Admin)?;
        if name.0 == caller.operator.name {
            let detail = "nobody disables themselves; let another admin do it".to_owned();
            return Err(Error::Conflict { code: "own_operator", detail, pointer: None }.into());
        }
        operators::disable(app.0, &name.0, caller.operator.platform.as_ref(), &caller.actor()).await?;
        Ok(Found(Done { done: true }))
    }

    /// Enable an operator
    ///
    /// For admins. Who was disabled is let in again, with the password there was.
    #[oai(
        path = "/operators/:name/enable",
        method = "post",
        tag = "Group::Operators",
        operation_id = "enableOperator"
    )]
    async fn enable_operator(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The operator's name.
        #[oai(validator(max_length = 64))]
        name: Path<String>,
    ) -> Result<Found<Done>, ChangeError> {
        caller.must_be(Role::Admin)?;
        operators::enable(app.0, &name.0, caller.operator.platform.as_ref(), &caller.actor()).await?;
        Ok(Found(Done { done: true }))
    }

    /// List platforms
    ///
    /// Those in the operator's scope.
    #[oai(path = "/platforms", method = "get", tag = "Group::Platforms", operation_id = "listPlatforms")]
    async fn list_platforms(
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
    ) -> Result<Page<PlatformEntry>, Error> {
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let show = |row: platform::Model| (row.id.clone(), row.into());
        let list = platforms::of(caller.operator.platform.as_ref());
        page.rows(&app.store.read, list, platform::Column::Id, show).await
    }

    /// Make a platform
    ///
    /// For admins of all platforms. The answer holds the platform's first API key, for testing, this once.
    #[oai(path = "/platforms", method = "post", tag = "Group::Platforms", operation_id = "makePlatform")]
    async fn make_platform(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        body: Body<PlatformToMake>,
    ) -> Result<Created<MadePlatform>, ChangeError> {
        caller.must_be(Role::Admin)?;
        caller.must_see_all()?;
        let made = platforms::make(app.0, body.value.slug, body.value.name, caller.actor()).await?;
        let location = format!("/ops/v1/platforms/{}", made.row.id);
        Ok(Created::at(location, &MadePlatform { platform: made.row.into(), api_key: made.api_key }))
    }

    /// Get a platform
    ///
    /// One in the operator's scope.
    #[oai(path = "/platforms/:id", method = "get", tag = "Group::Platforms", operation_id = "getPlatform")]
    async fn get_platform(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The platform's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<PlatformEntry>, Error> {
        Ok(Found(platforms::seen(app.0, &id.0, caller.operator.platform.as_ref()).await?.into()))
    }

    /// Change a platform
    ///
    /// For admins of all platforms. In force at once, and within two seconds on other nodes.
    #[oai(
        path = "/platforms/:id",
        method = "patch",
        tag = "Group::Platforms",
        operation_id = "changePlatform"
    )]
    async fn change_platform(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The platform's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<PlatformChange>,
    ) -> Result<Found<PlatformEntry>, ChangeError> {
        caller.must_be(Role::Admin)?;
        caller.must_see_all()?;
        let row = match &body.value.limit.0 {
            None => platforms::find(app.0, &id.0).await?,
            Some(limit) => {
                let limit = limit.as_ref().map(|limit| limit.quota("/limit")).transpose()?;
                platforms::limit(app.0, &id.0, limit, &caller.actor()).await?
            }
        };
        Ok(Found(row.into()))
    }

    /// List changes
    ///
    /// What operators and commands changed, for admins. Entries are never changed themselves. What tenants changed is
    /// in their own audit log.
    #[oai(path = "/audit", method = "get", tag = "Group::Operators", operation_id = "listChanges")]
    async fn list_changes(
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
    ) -> Result<Page<ActEntry>, Error> {
        caller.must_be(Role::Admin)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let show = |row: operator_act::Model| (row.id.clone(), row.into());
        let list = acts::of(caller.operator.platform.as_ref());
        page.rows(&app.store.read, list, operator_act::Column::Id, show).await
    }
}

/// All that the operators' document is made of.
type Apis = (OpsApi, QuarantineOps, refunds::RefundsApi, AttentionApi, EndpointOps);

pub fn service() -> OpenApiService<Apis, ()> {
    let apis = (OpsApi, QuarantineOps, refunds::RefundsApi, AttentionApi, EndpointOps);
    OpenApiService::new(apis, "ScanGate for operators", env!("CARGO_PKG_VERSION"))
        .description(INTRODUCTION)
        .license(LicenseObject::new("Apache-2.0").identifier("Apache-2.0"))
}

/// The document as OpenAPI 3.1.
pub fn document() -> Value {
    contract::document(serde_json::from_str(&service().spec()).expect("poem-openapi writes JSON"))
}

/// `GET /ops/openapi.json`
#[handler]
pub fn openapi() -> PlainJson<Value> {
    PlainJson(document())
}
