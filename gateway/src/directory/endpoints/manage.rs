//! Owners' changes of their endpoints, each planned as one change: registered, changed, proven, paused, resumed, and taken
//! away.

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UpdateStatement};
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use super::Acknowledgement;
use super::secrets::{self, Made};
use super::settings::Settings;
use crate::app::App;
use crate::attention::Matter;
use crate::deliveries::Breaker;
use crate::directory::access::{Caller, is_id};
use crate::directory::audit::{self, States, Subject};
use crate::directory::change::{Plan, Refresh};
use crate::directory::merchants;
use crate::entity::endpoint::{self, Format, Status};
use crate::entity::endpoint_secret::{self, Kind};
use crate::entity::{attention, audit_entry, store};
use crate::error::Error;

/// Registered endpoints of one owner.
pub const MOST: u64 = 20;

/// An endpoint that is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// `None`: the caller's own.
    pub merchant_id: Option<String>,
    pub format: Format,
    /// With a key pair besides the secret.
    pub with_key_pair: bool,
    pub settings: Settings,
}

/// One that is made, with what its owner is shown once.
pub struct New {
    pub row: endpoint::Model,
    pub secrets: Vec<Made>,
}

/// The caller's endpoint of this id.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<endpoint::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = endpoint::Entity::of(&caller.tenant, caller.mode).filter(endpoint::Column::Id.eq(id));
    found.one(&app.store.read).await?.ok_or(Error::NotFound)
}

pub async fn create(app: &App, caller: &Caller, wanted: &Wanted) -> Result<(Plan, New), Error> {
    let merchant_id = owner_of(app, caller, wanted.merchant_id.as_deref()).await?;
    let now = app.clock.now_ms();
    let mut row = endpoint::Model {
        id: app.chance.id(),
        platform_id: caller.tenant.platform_id().to_owned(),
        merchant_id,
        kind: endpoint::Kind::Registered,
        origin: String::new(),
        mode: Some(caller.mode),
        url: None,
        description: None,
        format: wanted.format,
        event_kinds: None,
        store_ids: None,
        wallets: None,
        acknowledgement: Acknowledgement::usual(wanted.format).text(),
        schedule: None,
        timeout_ms: None,
        rate: None,
        concurrency: None,
        headers: None,
        master_key_id: None,
        status: Status::Unproven,
        status_reason: None,
        proven_at: None,
        failing_since: None,
        created_at: now,
        updated_at: now,
        version: 1,
        deleted_at: None,
        held: false,
        first_proven_at: None,
        heard_since: None,
        quiet_until: None,
    };
    wanted.settings.apply(app, &mut row)?;
    stores_are_own(app, caller, &row, wanted.settings.stores.as_ref()).await?;
    if of_owner(&row).count(&app.store.read).await? >= MOST {
        let detail = format!("There are {MOST} endpoints already: delete one first.");
        return Err(Error::Conflict { code: "too_many_endpoints", detail, pointer: None });
    }
    let kinds: &[Kind] = match (wanted.format, wanted.with_key_pair) {
        (Format::ScanForPay, true) => {
            let why =
                "goes with standard-webhooks only: ScanForPay's form is signed with the merchant's sign key";
            return Err(Error::invalid("/keyPair", why));
        }
        (Format::ScanForPay, false) => &[],
        (Format::StandardWebhooks, false) => &[Kind::Hmac],
        (Format::StandardWebhooks, true) => &[Kind::Hmac, Kind::Ed25519],
    };
    let made = |kind: &Kind| secrets::make(&app.vault, app.chance.id(), &row.id, *kind, now);
    let secrets: Vec<Made> = kinds.iter().map(made).collect();
    let states = States { before: None, after: Some(state(&row)) };
    let mut plan = Plan::new(entry(app, caller, "endpoint.created", &row, states));
    plan.unless_there_is(the_last_that_fits(&row));
    plan.insert::<endpoint::Entity>(&row);
    for secret in &secrets {
        plan.insert::<endpoint_secret::Entity>(&secret.row);
    }
    plan.refresh(Refresh::Endpoint(row.id.clone()));
    Ok((plan, New { row, secrets }))
}

/// Whose it shall be: the merchant's id, or the platform's own.
async fn owner_of(app: &App, caller: &Caller, named: Option<&str>) -> Result<Option<String>, Error> {
    let unknown = || Error::invalid("/merchantId", "there is no such merchant");
    match (caller.tenant.merchant_id(), named) {
        (None, None) => Ok(None),
        (Some(own), None) => Ok(Some(own.to_owned())),
        (Some(own), Some(named)) if own == named => Ok(Some(own.to_owned())),
        (Some(_), Some(_)) => Err(unknown()),
        (None, Some(named)) => match merchants::find(app, caller, named).await {
            Err(Error::NotFound) => Err(unknown()),
            found => Ok(Some(found?.id)),
        },
    }
}

async fn stores_are_own(
    app: &App,
    caller: &Caller,
    row: &endpoint::Model,
    stores: Option<&Option<Vec<String>>>,
) -> Result<(), Error> {
    for (place, id) in stores.into_iter().flatten().flatten().enumerate() {
        let mut own =
            store::Entity::of(&caller.tenant, caller.mode).filter(store::Column::Id.eq(id.as_str()));
        if let Some(merchant_id) = &row.merchant_id {
            own = own.filter(store::Column::MerchantId.eq(merchant_id.as_str()));
        }
        if own.one(&app.store.read).await?.is_none() {
            return Err(Error::invalid(&format!("/storeIds/{place}"), "there is no such store"));
        }
    }
    Ok(())
}

/// Change an endpoint's settings. Another URL has to be proven anew; until then what is due to it waits.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: &str,
    settings: &Settings,
) -> Result<(Option<Plan>, endpoint::Model), Error> {
    let before = find(app, caller, id).await?;
    let mut after = before.clone();
    settings.apply(app, &mut after)?;
    stores_are_own(app, caller, &after, settings.stores.as_ref()).await?;
    if after.url != before.url {
        after.proven_at = None;
        after.begin_anew(app.clock.now_ms());
        // What was paused stays so, and what an operator has stopped.
        if !before.held && before.status != Status::Paused {
            (after.status, after.status_reason) = (Status::Unproven, None);
        }
    }
    let is_moved = after.url != before.url;
    let (mut plan, after) = planned(app, caller, "endpoint.changed", &before, after);
    if let Some(plan) = plan.as_mut().filter(|_| is_moved) {
        // It was said of the URL before.
        plan.update(end_matters(app, id, caller.credential.id()));
    }
    Ok((plan, after))
}

/// Its owner has echoed the challenge at the URL that it has in `before`.
pub fn proven(app: &App, caller: &Caller, before: &endpoint::Model) -> (Option<Plan>, endpoint::Model) {
    let mut after = before.clone();
    let now = app.clock.now_ms();
    let failing_since = before.failing_since;
    after.begin_anew(now);
    // It echoes; whether it acknowledges is to be seen.
    after.failing_since = failing_since;
    after.proven_at = Some(now);
    after.first_proven_at = before.first_proven_at.or(Some(now));
    if after.status == Status::Unproven {
        after.status = Status::Active;
    }
    planned(app, caller, "endpoint.proven", before, after)
}

/// Nothing is sent to it until it is resumed; what is told meanwhile waits.
pub async fn pause(app: &App, caller: &Caller, id: &str) -> Result<(Option<Plan>, endpoint::Model), Error> {
    let before = find(app, caller, id).await?;
    let mut after = before.clone();
    match before.status {
        Status::Active => after.status = Status::Paused,
        Status::Paused => {}
        Status::Unproven | Status::Disabled => return Err(not_sent_anyway(before.status)),
    }
    Ok(planned(app, caller, "endpoint.paused", &before, after))
}

/// What waits goes out, in order and at its rate. What was said of its failing is over.
pub async fn resume(app: &App, caller: &Caller, id: &str) -> Result<(Option<Plan>, endpoint::Model), Error> {
    let before = find(app, caller, id).await?;
    if before.held {
        let why = before.status_reason.as_deref().unwrap_or_default();
        let detail = format!("An operator of the gateway has stopped it, and resumes it: {why}");
        return Err(Error::Conflict { code: "held_by_operator", detail, pointer: None });
    }
    if before.proven_at.is_none() {
        return Err(not_sent_anyway(Status::Unproven));
    }
    let mut after = before.clone();
    if before.status != Status::Active || is_left_alone(app, &before) {
        (after.status, after.status_reason) = (Status::Active, None);
        after.begin_anew(app.clock.now_ms());
    }
    let (mut plan, after) = planned(app, caller, "endpoint.resumed", &before, after);
    if let Some(plan) = &mut plan {
        plan.update(end_matters(app, id, caller.credential.id()));
    }
    Ok((plan, after))
}

/// Nothing is sent to it for a while, because it fails or asked for it.
pub(super) fn is_left_alone(app: &App, row: &endpoint::Model) -> bool {
    app.deliveries.state_of(app, &row.id).is_some_and(|it| it.breaker != Breaker::Closed)
}

/// It is tried at once, though it failed or asked to be left alone: its owner says that it is back.
pub async fn try_now(app: &App, caller: &Caller, id: &str, plan: &mut Plan) -> Result<(), Error> {
    let before = match find(app, caller, id).await {
        // Of orders' notifyUrls.
        Err(Error::NotFound) => return Ok(()),
        found => found?,
    };
    if before.status == Status::Active && is_left_alone(app, &before) {
        let mut after = before.clone();
        after.begin_anew(app.clock.now_ms());
        after.failing_since = before.failing_since;
        plan.update(update(&before, &after));
        plan.refresh(Refresh::Endpoint(before.id));
    }
    Ok(())
}

pub(super) fn not_sent_anyway(status: Status) -> Error {
    let (code, detail) = match status {
        Status::Unproven => {
            ("not_proven", "Nothing is sent to it before its URL is proven: verify it first.")
        }
        _ => ("endpoint_disabled", "It is disabled, and nothing is sent to it: resume it instead."),
    };
    Error::Conflict { code, detail: detail.to_owned(), pointer: None }
}

/// What is due to it ends unsent; its history stays.
pub async fn delete(app: &App, caller: &Caller, id: &str) -> Result<(Option<Plan>, endpoint::Model), Error> {
    let before = find(app, caller, id).await?;
    let mut after = before.clone();
    after.deleted_at = Some(app.clock.now_ms());
    let (mut plan, after) = planned(app, caller, "endpoint.deleted", &before, after);
    if let Some(plan) = &mut plan {
        plan.update(end_matters(app, id, caller.credential.id()));
    }
    Ok((plan, after))
}

/// No plan where nothing changes.
fn planned(
    app: &App,
    caller: &Caller,
    action: &'static str,
    before: &endpoint::Model,
    mut after: endpoint::Model,
) -> (Option<Plan>, endpoint::Model) {
    if after == *before {
        return (None, after);
    }
    after.version += 1;
    after.updated_at = app.clock.now_ms();
    let states =
        States { before: Some(state(before)), after: after.deleted_at.is_none().then(|| state(&after)) };
    let mut plan = Plan::new(entry(app, caller, action, before, states));
    plan.while_there_is(exists(endpoint::Entity, this_version(before)));
    plan.update(update(before, &after));
    plan.refresh(Refresh::Endpoint(before.id.clone()));
    (Some(plan), after)
}

pub(super) fn entry(
    app: &App,
    caller: &Caller,
    action: &'static str,
    row: &endpoint::Model,
    states: States,
) -> audit_entry::Model {
    let subject = Subject { kind: "endpoint", id: &row.id, merchant_id: row.merchant_id.as_deref() };
    audit::entry(app, caller, action, subject, states)
}

/// What the audit log keeps of an endpoint: of its headers, that there are any.
fn state(row: &endpoint::Model) -> Value {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let words = |listed: &Option<String>| {
        listed.as_ref().map(|listed| listed.split(',').map(str::to_owned).collect::<Vec<_>>())
    };
    json!({
        "merchantId": row.merchant_id, "url": row.url, "description": row.description,
        "eventTypes": words(&row.event_kinds), "storeIds": words(&row.store_ids), "wallets": words(&row.wallets),
        "acknowledgement": read(&row.acknowledgement), "scheduleMs": row.schedule.as_deref().map(read),
        "timeoutMs": row.timeout_ms,
        "rate": row.rate, "concurrency": row.concurrency, "hasHeaders": row.headers.is_some(),
        "status": row.status.to_value(), "held": row.held,
    })
}

fn update(before: &endpoint::Model, after: &endpoint::Model) -> UpdateStatement {
    use endpoint::Column;
    Query::update()
        .table(endpoint::Entity)
        .value(Column::Origin, after.origin.as_str())
        .value(Column::Url, after.url.clone())
        .value(Column::Description, after.description.clone())
        .value(Column::EventKinds, after.event_kinds.clone())
        .value(Column::StoreIds, after.store_ids.clone())
        .value(Column::Wallets, after.wallets.clone())
        .value(Column::Acknowledgement, after.acknowledgement.as_str())
        .value(Column::Schedule, after.schedule.clone())
        .value(Column::TimeoutMs, after.timeout_ms)
        .value(Column::Rate, after.rate)
        .value(Column::Concurrency, after.concurrency)
        .value(Column::Headers, after.headers.clone())
        .value(Column::MasterKeyId, after.master_key_id.clone())
        .value(Column::Status, after.status.to_value())
        .value(Column::StatusReason, after.status_reason.clone())
        .value(Column::ProvenAt, after.proven_at)
        .value(Column::FirstProvenAt, after.first_proven_at)
        .value(Column::HeardSince, after.heard_since)
        .value(Column::QuietUntil, after.quiet_until)
        .value(Column::FailingSince, after.failing_since)
        .value(Column::UpdatedAt, after.updated_at)
        .value(Column::Version, after.version)
        .value(Column::DeletedAt, after.deleted_at)
        .and_where(this_version(before))
        .to_owned()
}

/// The status is compared, too: the gateway disables an endpoint without its owner.
pub(super) fn this_version(row: &endpoint::Model) -> Expr {
    Expr::col(endpoint::Column::Id)
        .eq(row.id.as_str())
        .and(Expr::col(endpoint::Column::Version).eq(row.version))
        .and(Expr::col(endpoint::Column::Status).eq(row.status.to_value()))
}

/// Nobody has to look after an endpoint's failing any more.
pub fn end_matters(app: &App, endpoint_id: &str, by: &str) -> UpdateStatement {
    use attention::Column::{EndedAt, EndedBy, Kind, SubjectId};
    let kinds = [Matter::EndpointFailing.as_str(), Matter::EndpointDisabled.as_str()];
    Query::update()
        .table(attention::Entity)
        .value(EndedAt, app.clock.now_ms())
        .value(EndedBy, by)
        .and_where(Expr::col(Kind).is_in(kinds))
        .and_where(Expr::col(SubjectId).eq(endpoint_id))
        .and_where(Expr::col(EndedAt).is_null())
        .to_owned()
}

/// The registered endpoints of the same owner.
fn of_owner(row: &endpoint::Model) -> sea_orm::Select<endpoint::Entity> {
    match &row.merchant_id {
        Some(merchant_id) => endpoint::Entity::of_merchant(merchant_id),
        None => endpoint::Entity::of_platform(&row.platform_id),
    }
}

/// There is one only where as many are there as an owner may have.
fn the_last_that_fits(row: &endpoint::Model) -> SelectStatement {
    use sea_orm::{QuerySelect, QueryTrait};
    of_owner(row).select_only().column(endpoint::Column::Id).offset(MOST - 1).limit(1).into_query()
}

pub(super) fn exists(table: impl EntityTrait, condition: Expr) -> SelectStatement {
    Query::select().expr(Expr::val(1)).from(table).and_where(condition).to_owned()
}
