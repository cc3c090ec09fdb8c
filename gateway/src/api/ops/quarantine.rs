//! Held facts, for operators: the same as `/v1/quarantine`, of all platforms in the operator's scope.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_orm::{EntityTrait, Select};

use super::Group;
use super::auth::LoggedIn;
use crate::api::platform::quarantine::{
    Decision, Fact, FactInFull, State, find, in_full, page, reject, release,
};
use crate::api::rest::{Body, ChangeError, Found, Page, PageQuery};
use crate::app::App;
use crate::directory::operators::Role;
use crate::entity::quarantine;
use crate::error::Error;
use crate::orders::buyer::names_payer;
use crate::orders::quarantine::Person;

pub struct QuarantineOps;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Facts")]
impl QuarantineOps {
    /// List held facts
    ///
    /// What ScanForPay said about orders and what differs from what it was asked, newest first. Each is kept, and
    /// changes nothing while it is held.
    #[oai(path = "/quarantine", method = "get", operation_id = "listFacts")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        state: Query<Option<State>>,
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<Fact>, Error> {
        let query = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        page(app.0, in_scope(&caller), state.0, query).await
    }

    /// Get a held fact
    ///
    /// Everything that was asked beside everything that came; viewers are not shown who paid.
    #[oai(path = "/quarantine/:factId", method = "get", operation_id = "getFact")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The fact's id.
        #[oai(name = "factId", validator(max_length = 64))]
        fact_id: Path<String>,
    ) -> Result<Found<FactInFull>, Error> {
        let row = find(app.0, in_scope(&caller), &fact_id.0).await?;
        let mut fact = in_full(app.0, row).await?;
        if caller.must_be(Role::Operator).is_err() {
            fact.fields.retain(|field| !names_payer(&field.field));
        }
        Ok(Found(fact))
    }

    /// Release a held fact
    ///
    /// For operators and admins. Asks ScanForPay about the order first. Only if its answer agrees with what was asked,
    /// and bears out what the fact said, is the fact let in, and its effect is the answer's. Otherwise 409:
    /// `fact_disagrees` says what ScanForPay says now; `in_doubt`: it did not say, try again; `not_held`: somebody was
    /// quicker.
    #[oai(path = "/quarantine/:factId/release", method = "post", operation_id = "releaseFact")]
    async fn release(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The fact's id.
        #[oai(name = "factId", validator(max_length = 64))]
        fact_id: Path<String>,
        body: Body<Decision>,
    ) -> Result<Found<FactInFull>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let row = find(app.0, in_scope(&caller), &fact_id.0).await?;
        Ok(Found(release(app.0, &row, &person(&caller), &body.value.reason).await?))
    }

    /// Reject a held fact
    ///
    /// For operators and admins. It stays without effect for good. The order can be settled by other facts still. 409,
    /// `not_held`: somebody was quicker.
    #[oai(path = "/quarantine/:factId/reject", method = "post", operation_id = "rejectFact")]
    async fn reject(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The fact's id.
        #[oai(name = "factId", validator(max_length = 64))]
        fact_id: Path<String>,
        body: Body<Decision>,
    ) -> Result<Found<FactInFull>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let row = find(app.0, in_scope(&caller), &fact_id.0).await?;
        Ok(Found(reject(app.0, &row, &person(&caller), &body.value.reason).await?))
    }
}

/// Across tenants, as far as the operator's scope goes.
fn in_scope(caller: &LoggedIn) -> Select<quarantine::Entity> {
    match &caller.operator.platform {
        Some(platform) => quarantine::Entity::of_platform(&platform.id),
        None => quarantine::Entity::find(),
    }
}

fn person(caller: &LoggedIn) -> Person {
    Person::Operator { name: caller.operator.name.clone(), actor: caller.actor() }
}
