//! A platform's merchants: making, changing, suspending and resuming them, each planned as one change.

use std::time::Duration;

use ipnet::IpNet;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UpdateStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::access::{Caller, Tenant, is_id};
use super::audit::{self, States, Subject};
use super::change::{Plan, Refresh};
use super::sign_keys::{self, Owner};
use super::{Freshness, networks, references};
use crate::app::App;
use crate::chance;
use crate::entity::{merchant, sign_key};
use crate::error::Error;
use crate::limits::Quota;

/// What may be changed of a merchant. `None`: left as it is.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    pub name: Option<String>,
    /// `Some(None)`: taken away.
    pub reference: Option<Option<String>>,
    pub is_suspended: Option<bool>,
    /// Where its signed requests are taken from; an empty list: from everywhere.
    pub allowed_addresses: Option<Vec<IpNet>>,
    /// `Some(None)`: the gateway's again.
    pub limit: Option<Option<Quota>>,
    pub freshness: Option<OwnFreshness>,
    /// `Some(None)`: taken away.
    pub reference_pattern: Option<Option<String>>,
}

/// How old a merchant's requests may be. `None`: as the gateway says.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnFreshness {
    pub window: Option<Duration>,
    pub mode: Option<Freshness>,
}

impl OwnFreshness {
    pub fn of(row: &merchant::Model) -> Self {
        let window_ms = row.freshness_ms.and_then(|ms| u64::try_from(ms).ok());
        Self {
            window: window_ms.map(Duration::from_millis),
            mode: row.freshness_mode.as_deref().and_then(Freshness::parse),
        }
    }
}

/// A merchant that is wanted.
#[derive(Clone, Default)]
pub struct WantedMerchant {
    pub name: String,
    pub reference: Option<String>,
    /// `None`: a number of ours. Whether the platform may claim it is for the caller to find out ([`claims`]).
    ///
    /// [`claims`]: super::claims
    pub partner_no: Option<String>,
    /// The one that the merchant signs with already; `None`: a new one.
    pub sign_key: Option<Zeroizing<String>>,
}

/// A merchant that is about to be, and its first sign key.
pub struct NewMerchant {
    pub plan: Plan,
    pub row: merchant::Model,
    pub key: sign_key::Model,
    /// Shown once and never again; `None`: it was brought.
    pub sign_key: Option<String>,
}

/// The platform of a caller that is one.
pub fn platform_of(caller: &Caller) -> Result<&str, Error> {
    match &caller.tenant {
        Tenant::Platform { platform_id } => Ok(platform_id),
        Tenant::Merchant { .. } => Err(Error::PlatformsOnly),
    }
}

/// The caller's merchant of this id.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<merchant::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = merchant::Entity::of(&caller.tenant, caller.mode).filter(merchant::Column::Id.eq(id));
    found.one(&app.store.read).await?.ok_or(Error::NotFound)
}

pub async fn create(app: &App, caller: &Caller, wanted: &WantedMerchant) -> Result<NewMerchant, Error> {
    let platform_id = platform_of(caller)?;
    let WantedMerchant { name, reference, partner_no, sign_key } = wanted;
    let reference = reference.as_deref();
    if let Some(partner_no) = partner_no {
        partner_no_is_free(app, platform_id, partner_no).await?;
    }
    let row = merchant::Model {
        id: app.chance.id(),
        platform_id: platform_id.to_owned(),
        partner_no: partner_no.clone().unwrap_or_else(new_partner_no),
        reference: reference.map(str::to_owned),
        name: name.clone(),
        mode: caller.mode,
        status: "active".to_owned(),
        freshness_ms: None,
        freshness_mode: None,
        created_at: app.clock.now_ms(),
        version: 1,
        offboarded_at: None,
        allowed_addresses: None,
        limit_count: None,
        limit_window_ms: None,
        reference_pattern: None,
    };
    let subject = Subject { kind: "merchant", id: &row.id, merchant_id: Some(&row.id) };
    let made = sign_key.is_none().then(chance::sign_key);
    let text = sign_key.as_ref().map(|brought| brought.as_str()).or(made.as_deref()).unwrap_or_default();
    let key = sign_keys::row(app, Owner::Merchant(&row.id), 1, text);
    let mut after = state(&row);
    after["signKey"] = sign_keys::state(app, &key)?;
    let states = States { before: None, after: Some(after) };
    let mut plan = Plan::new(audit::entry(app, caller, "merchant.created", subject, states));
    if let Some(reference) = reference {
        reference_is_free(app, &row, reference).await?;
        plan.unless_there_is(with_reference(&row, reference));
    }
    plan.unless_there_is(one_where(platform_id, Expr::col(merchant::Column::PartnerNo).eq(&*row.partner_no)));
    plan.insert::<merchant::Entity>(&row);
    plan.insert::<sign_key::Entity>(&key);
    plan.refresh(Refresh::Merchant(row.id.clone()));
    Ok(NewMerchant { plan, row, key, sign_key: made })
}

/// Change a merchant of the caller's. Returns it as it will be; no plan where it is so already.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: &str,
    action: &'static str,
    patch: &Patch,
) -> Result<(Option<Plan>, merchant::Model), Error> {
    platform_of(caller)?;
    let before = find(app, caller, id).await?;
    if before.offboarded_at.is_some() {
        let detail = "The merchant has been offboarded.".to_owned();
        return Err(Error::Conflict { code: "offboarded", detail, pointer: None });
    }
    let mut after = before.clone();
    if let Some(name) = &patch.name {
        after.name.clone_from(name);
    }
    if let Some(reference) = &patch.reference {
        after.reference.clone_from(reference);
    }
    if let Some(is_suspended) = patch.is_suspended {
        if is_suspended { "suspended" } else { "active" }.clone_into(&mut after.status);
    }
    if let Some(allowed) = &patch.allowed_addresses {
        after.allowed_addresses = networks::write(allowed);
    }
    if let Some(limit) = patch.limit {
        (after.limit_count, after.limit_window_ms) = Quota::columns(limit);
    }
    if let Some(freshness) = patch.freshness {
        after.freshness_ms =
            freshness.window.map(|window| i64::try_from(window.as_millis()).unwrap_or(i64::MAX));
        after.freshness_mode = freshness.mode.map(|mode| mode.as_str().to_owned());
    }
    if let Some(pattern) = &patch.reference_pattern {
        if let Some(text) = pattern {
            references::pattern(text).map_err(|why| Error::invalid("/referencePattern", why))?;
        }
        after.reference_pattern.clone_from(pattern);
    }
    if after == before {
        return Ok((None, before));
    }
    after.version += 1;
    let subject = Subject { kind: "merchant", id, merchant_id: Some(id) };
    let states = States { before: Some(state(&before)), after: Some(state(&after)) };
    let mut plan = Plan::new(audit::entry(app, caller, action, subject, states));
    if let Some(reference) = after.reference.as_deref().filter(|_| after.reference != before.reference) {
        reference_is_free(app, &after, reference).await?;
        plan.unless_there_is(with_reference(&after, reference));
    }
    plan.while_there_is(this_version(&before));
    plan.update(update(&before, &after));
    plan.refresh(Refresh::Merchant(id.to_owned()));
    Ok((Some(plan), after))
}

/// What the audit log keeps of a merchant.
fn state(row: &merchant::Model) -> Value {
    json!({
        "partnerNo": row.partner_no, "reference": row.reference, "name": row.name,
        "mode": row.mode.as_str(), "status": row.status, "allowAddresses": row.allowed_addresses,
        "limit": Quota::said(row.limit_count, row.limit_window_ms),
        "freshness": { "windowMs": row.freshness_ms, "mode": row.freshness_mode },
        "referencePattern": row.reference_pattern,
    })
}

fn update(before: &merchant::Model, after: &merchant::Model) -> UpdateStatement {
    Query::update()
        .table(merchant::Entity)
        .value(merchant::Column::Name, after.name.as_str())
        .value(merchant::Column::Reference, after.reference.clone())
        .value(merchant::Column::Status, after.status.as_str())
        .value(merchant::Column::AllowedAddresses, after.allowed_addresses.clone())
        .value(merchant::Column::LimitCount, after.limit_count)
        .value(merchant::Column::LimitWindowMs, after.limit_window_ms)
        .value(merchant::Column::FreshnessMs, after.freshness_ms)
        .value(merchant::Column::FreshnessMode, after.freshness_mode.clone())
        .value(merchant::Column::ReferencePattern, after.reference_pattern.clone())
        .value(merchant::Column::Version, after.version)
        .and_where(Expr::col(merchant::Column::Id).eq(before.id.as_str()))
        .and_where(Expr::col(merchant::Column::Version).eq(before.version))
        .to_owned()
}

/// 12 digits, of which 11 are chance: numbers of ours do not tell how many merchants there are.
fn new_partner_no() -> String {
    let chance = u64::from_le_bytes(chance::bytes());
    format!("2{:011}", chance % 100_000_000_000)
}

pub fn partner_no_taken() -> Error {
    let detail = "Another merchant of the platform has this partner number, live or test.";
    Error::conflict("partner_no_taken", "/partnerNo", detail)
}

async fn partner_no_is_free(app: &App, platform_id: &str, partner_no: &str) -> Result<(), Error> {
    let taken = merchant::Entity::find()
        .filter(merchant::Column::PlatformId.eq(platform_id))
        .filter(merchant::Column::PartnerNo.eq(partner_no))
        .one(&app.store.read)
        .await?;
    if taken.is_some() { Err(partner_no_taken()) } else { Ok(()) }
}

pub fn reference_taken() -> Error {
    let detail = "Another merchant of the platform has this reference, live or test.";
    Error::conflict("reference_taken", "/reference", detail)
}

async fn reference_is_free(app: &App, row: &merchant::Model, reference: &str) -> Result<(), Error> {
    let taken = merchant::Entity::find()
        .filter(merchant::Column::PlatformId.eq(row.platform_id.as_str()))
        .filter(merchant::Column::Reference.eq(reference))
        .one(&app.store.read)
        .await?;
    match taken {
        Some(_) => Err(reference_taken()),
        None => Ok(()),
    }
}

fn with_reference(row: &merchant::Model, reference: &str) -> SelectStatement {
    let other = Expr::col(merchant::Column::Id).ne(row.id.as_str());
    one_where(&row.platform_id, Expr::col(merchant::Column::Reference).eq(reference).and(other))
}

/// The row as it was read, if it stands so still.
pub fn this_version(row: &merchant::Model) -> SelectStatement {
    let version = Expr::col(merchant::Column::Version).eq(row.version);
    one_where(&row.platform_id, Expr::col(merchant::Column::Id).eq(row.id.as_str()).and(version))
}

fn one_where(platform_id: &str, condition: Expr) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(merchant::Entity)
        .and_where(Expr::col(merchant::Column::PlatformId).eq(platform_id))
        .and_where(condition)
        .to_owned()
}
