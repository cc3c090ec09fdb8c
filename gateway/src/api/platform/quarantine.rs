//! `/v1/quarantine`: what ScanForPay said that differs from what it was asked.

use std::collections::HashMap;
use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::{Any, Example};
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::Value;

use crate::api::merchant::order::Status;
use crate::api::rest::{Body, ChangeError, Found, Group, Once, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::directory::access::{Caller, Scope, is_id};
use crate::entity::{order, quarantine};
use crate::error::Error;
use crate::orders::quarantine::{self as facts, Field, Person, Released};

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "FactState", rename_all = "lowercase")]
pub enum State {
    /// It changes nothing, and waits for a person or for a later fact that agrees.
    Held,
    /// ScanForPay bore it out when it was asked.
    Released,
    /// It was turned away.
    Rejected,
}

impl State {
    fn of(text: &str) -> Self {
        match text {
            "released" => Self::Released,
            "rejected" => Self::Rejected,
            _ => Self::Held,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Rejected => "rejected",
        }
    }
}

/// Something that ScanForPay said about an order, and that differs from what it was asked.
#[derive(Object, Debug)]
#[oai(rename = "HeldFact", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Fact {
    pub id: String,
    pub merchant_id: String,
    /// The merchant's number of the order that the fact is about.
    pub number: String,
    /// How it was said: `answer`, `notice` or `query`.
    pub source: String,
    /// What it would have made of the order, such as `paid`.
    pub claim: Option<String>,
    pub state: State,
    pub held_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Who decided, such as `operator:anna` or `api_key:…`; `notice` or `query`: a later one agreed.
    pub ended_by: Option<String>,
    pub reason: Option<String>,
    /// The fields that differ.
    pub differences: Vec<FactField>,
}

/// A field as it was asked for and as it came.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct FactField {
    /// The protocol's name of it.
    pub field: String,
    /// Absent: nothing was asked for.
    pub asked: Option<Any<Value>>,
    /// Absent: nothing was said.
    pub told: Option<Any<Value>>,
    pub differs: bool,
}

/// A held fact with everything that was asked beside everything that came.
#[derive(Object, Debug)]
#[oai(rename = "HeldFactInFull", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct FactInFull {
    #[oai(flatten)]
    pub fact: Fact,
    /// The number that ScanForPay was given.
    pub sent_number: String,
    /// Where the order stands now.
    pub order_status: Status,
    pub fields: Vec<FactField>,
}

/// A decision about a held fact.
#[derive(Object, Debug)]
#[oai(rename = "FactDecision", example)]
pub struct Decision {
    /// Why; kept in the order's journal and in the audit log.
    #[oai(validator(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reason: String,
}

impl Example for Decision {
    fn example() -> Self {
        Self { reason: "ScanForPay's support has put it right".to_owned() }
    }
}

impl From<Field> for FactField {
    fn from(field: Field) -> Self {
        Self {
            field: field.name.to_owned(),
            asked: field.asked.map(Any),
            told: field.told.map(Any),
            differs: field.differs,
        }
    }
}

impl Fact {
    fn of(row: quarantine::Model, number: &str) -> Self {
        let differences: Value = serde_json::from_str(&row.differences).unwrap_or_default();
        let shown = |value: &Value| (!value.is_null()).then(|| Any(value.clone()));
        let differences = differences.as_array().into_iter().flatten().map(|difference| FactField {
            field: difference["field"].as_str().unwrap_or_default().to_owned(),
            asked: shown(&difference["asked"]),
            told: shown(&difference["told"]),
            differs: true,
        });
        Self {
            differences: differences.collect(),
            state: State::of(&row.state),
            held_at: Timestamp::of(row.held_at),
            ended_at: row.ended_at.map(Timestamp::of),
            id: row.id,
            merchant_id: row.merchant_id,
            number: number.to_owned(),
            source: row.source,
            claim: row.claim,
            ended_by: row.ended_by,
            reason: row.reason,
        }
    }
}

/// A page of `list`, each with its order's number.
pub async fn page(
    app: &App,
    list: Select<quarantine::Entity>,
    state: Option<State>,
    page: PageQuery,
) -> Result<Page<Fact>, Error> {
    use quarantine::Column;
    let list = match state {
        Some(state) => list.filter(Column::State.eq(state.as_str())),
        None => list,
    };
    let list = match page.after() {
        Some(after) => list.filter(Column::Id.lt(after)),
        None => list,
    };
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let mut rows = list.order_by_desc(Column::Id).limit(page.limit() + 1).all(&app.store.read).await?;
    let is_more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| is_more).map(|row| row.id.clone());
    let ids: Vec<&str> = rows.iter().map(|row| row.order_id.as_str()).collect();
    let orders = order::Entity::by_ids_across_tenants(&ids).all(&app.store.read).await?;
    let numbers: HashMap<String, String> = orders.into_iter().map(|order| (order.id, order.number)).collect();
    let shown = rows.into_iter().map(|row| {
        let number = numbers.get(&row.order_id).cloned().unwrap_or_default();
        Fact::of(row, &number)
    });
    Ok(page.page(shown.collect(), next))
}

/// The fact of this id among `list`.
pub async fn find(app: &App, list: Select<quarantine::Entity>, id: &str) -> Result<quarantine::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = list.filter(quarantine::Column::Id.eq(id)).one(&app.store.read).await?;
    found.ok_or(Error::NotFound)
}

pub async fn in_full(app: &App, row: quarantine::Model) -> Result<FactInFull, Error> {
    let held = facts::look(&app.store.read, &row).await?.ok_or(Error::NotFound)?;
    Ok(FactInFull {
        fact: Fact::of(row, &held.order.number),
        sent_number: held.sent_number,
        order_status: held.order.status().into(),
        fields: held.fields.into_iter().map(FactField::from).collect(),
    })
}

/// Let it in, if ScanForPay bears it out.
pub async fn release(
    app: &Arc<App>,
    row: &quarantine::Model,
    person: &Person,
    reason: &str,
) -> Result<FactInFull, Error> {
    decided(app, facts::release(app, row, person, reason).await?).await
}

pub async fn reject(
    app: &Arc<App>,
    row: &quarantine::Model,
    person: &Person,
    reason: &str,
) -> Result<FactInFull, Error> {
    decided(app, facts::reject(app, row, person, reason).await?).await
}

async fn decided(app: &App, released: Released) -> Result<FactInFull, Error> {
    let conflict = |code, detail: String| Error::Conflict { code, detail, pointer: None };
    match released {
        Released::Done(row) => in_full(app, *row).await,
        Released::Ended(row) => {
            let by = row.ended_by.unwrap_or_default();
            let detail = format!("The fact is held no longer: it was {} by {by}.", row.state);
            Err(conflict("not_held", detail))
        }
        Released::Disagrees(says) => {
            let detail = format!("ScanForPay does not bear the fact out. Asked just now, it says: {says}.");
            Err(conflict("fact_disagrees", detail))
        }
        Released::Doubt => {
            let detail =
                "Whether the fact is true is in doubt: ScanForPay gave no answer to rely on. It stays \
                held; try again."
                    .to_owned();
            Err(conflict("in_doubt", detail))
        }
        Released::Over(refusal) => Err(Error::Limited(refusal)),
    }
}

pub struct QuarantineApi;

#[OpenApi(tag = "Group::Facts")]
impl QuarantineApi {
    /// List held facts
    ///
    /// What ScanForPay said about orders and what differs from what it was asked, newest first. Each is kept, and
    /// changes nothing while it is held. For platforms.
    #[oai(path = "/v1/quarantine", method = "get", operation_id = "listFacts")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::FactsRead")] caller: Caller,
        request: &Request,
        state: Query<Option<State>>,
        /// Only about orders of the merchant of this id.
        #[oai(validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Fact>, Error> {
        caller.may(Scope::FactsRead)?;
        let query = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = quarantine::Entity::of(&caller.tenant, caller.mode);
        if let Some(merchant) = &merchant.0 {
            list = list.filter(quarantine::Column::MerchantId.eq(merchant.as_str()));
        }
        page(app.0, list, state.0, query).await
    }

    /// Get a held fact
    ///
    /// Everything that was asked beside everything that came.
    #[oai(path = "/v1/quarantine/:factId", method = "get", operation_id = "getFact")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::FactsRead")] caller: Caller,
        #[oai(name = "factId")] fact_id: Path<String>,
    ) -> Result<Found<FactInFull>, Error> {
        caller.may(Scope::FactsRead)?;
        let row = find(app.0, quarantine::Entity::of(&caller.tenant, caller.mode), &fact_id).await?;
        Ok(Found(in_full(app.0, row).await?))
    }

    /// Release a held fact
    ///
    /// Asks ScanForPay about the order first. Only if its answer agrees with what was asked, and bears out what the
    /// fact said, is the fact let in, and its effect is the answer's. Otherwise 409: `fact_disagrees` says what
    /// ScanForPay says now; `in_doubt`: it did not say, try again; `not_held`: somebody was quicker.
    #[oai(path = "/v1/quarantine/:factId/release", method = "post", operation_id = "releaseFact")]
    async fn release(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::FactsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] _once: Once,
        #[oai(name = "factId")] fact_id: Path<String>,
        body: Body<Decision>,
    ) -> Result<Found<FactInFull>, ChangeError> {
        caller.may(Scope::FactsWrite)?;
        let row = find(app.0, quarantine::Entity::of(&caller.tenant, caller.mode), &fact_id).await?;
        Ok(Found(release(app.0, &row, &Person::Caller(caller), &body.value.reason).await?))
    }

    /// Reject a held fact
    ///
    /// It stays without effect for good. The order can be settled by other facts still. 409, `not_held`: somebody was
    /// quicker.
    #[oai(path = "/v1/quarantine/:factId/reject", method = "post", operation_id = "rejectFact")]
    async fn reject(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::FactsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] _once: Once,
        #[oai(name = "factId")] fact_id: Path<String>,
        body: Body<Decision>,
    ) -> Result<Found<FactInFull>, ChangeError> {
        caller.may(Scope::FactsWrite)?;
        let row = find(app.0, quarantine::Entity::of(&caller.tenant, caller.mode), &fact_id).await?;
        Ok(Found(reject(app.0, &row, &Person::Caller(caller), &body.value.reason).await?))
    }
}
