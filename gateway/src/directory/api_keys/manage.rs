//! Making and revoking API keys, each planned as one change.

use ipnet::IpNet;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::new_key;
use crate::app::App;
use crate::directory::access::{Caller, Scope, Scopes, Tenant, is_id};
use crate::directory::audit::{self, States, Subject};
use crate::directory::change::{Plan, Refresh};
use crate::directory::merchants;
use crate::entity::api_key;
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};

/// Last uses written in one go.
const USES: usize = 500;

/// What a new key shall be good for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub name: String,
    /// For this merchant of the platform; `None`: for the caller's own tenant.
    pub merchant_id: Option<String>,
    pub scopes: Vec<Scope>,
    pub addresses: Vec<IpNet>,
    /// Unix milliseconds.
    pub expires_at: Option<i64>,
}

pub struct NewApiKey {
    pub plan: Plan,
    pub row: api_key::Model,
    /// Shown once and never again.
    pub text: Zeroizing<String>,
}

/// The caller's key of this id: a platform's are its own and its merchants'.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<api_key::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = api_key::Entity::of(&caller.tenant, caller.mode).filter(api_key::Column::Id.eq(id));
    found.one(&app.store.read).await?.ok_or(Error::NotFound)
}

pub async fn create(app: &App, caller: &Caller, wanted: &Wanted) -> Result<NewApiKey, Error> {
    let merchant_id = owner(app, caller, wanted.merchant_id.as_deref()).await?;
    for (place, scope) in wanted.scopes.iter().enumerate() {
        if merchant_id.is_some() && !scope.is_for_merchants() {
            return Err(Error::invalid(&format!("/scopes/{place}"), "is not for a merchant's key"));
        }
        caller.may(*scope)?;
    }
    let now = app.clock.now_ms();
    if wanted.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("/expiresAt", "must be in the future"));
    }
    let (row, text) = new_row(app, caller, merchant_id, wanted);
    let subject = Subject { kind: "api_key", id: &row.id, merchant_id: row.merchant_id.as_deref() };
    let states = States { before: None, after: Some(state(&row)) };
    let mut plan = Plan::new(audit::entry(app, caller, "api_key.created", subject, states));
    plan.insert::<api_key::Entity>(&row);
    plan.refresh(Refresh::ApiKey(row.id.clone()));
    Ok(NewApiKey { plan, row, text })
}

/// Revoke a key of the caller's. No plan: it is revoked already.
pub async fn revoke(app: &App, caller: &Caller, id: &str) -> Result<(Option<Plan>, api_key::Model), Error> {
    let before = find(app, caller, id).await?;
    if before.revoked_at.is_some() {
        return Ok((None, before));
    }
    let now = app.clock.now_ms();
    let after = api_key::Model { revoked_at: Some(now), ..before.clone() };
    let subject = Subject { kind: "api_key", id, merchant_id: before.merchant_id.as_deref() };
    let states = States { before: Some(state(&before)), after: Some(state(&after)) };
    let mut plan = Plan::new(audit::entry(app, caller, "api_key.revoked", subject, states));
    let is_good = Expr::col(api_key::Column::Id).eq(id).and(Expr::col(api_key::Column::RevokedAt).is_null());
    let good = Query::select().expr(Expr::val(1)).from(api_key::Entity).and_where(is_good.clone()).to_owned();
    plan.while_there_is(good);
    let revoke = Query::update()
        .table(api_key::Entity)
        .value(api_key::Column::RevokedAt, now)
        .and_where(is_good)
        .to_owned();
    plan.update(revoke);
    plan.refresh(Refresh::ApiKey(id.to_owned()));
    Ok((Some(plan), after))
}

/// The row of a new key, and the key.
pub fn new_row(
    app: &App,
    caller: &Caller,
    merchant_id: Option<String>,
    wanted: &Wanted,
) -> (api_key::Model, Zeroizing<String>) {
    let key = new_key(caller.mode);
    let addresses: Vec<String> = wanted.addresses.iter().map(IpNet::to_string).collect();
    let row = api_key::Model {
        id: app.chance.id(),
        platform_id: caller.tenant.platform_id().to_owned(),
        merchant_id,
        name: wanted.name.clone(),
        mode: caller.mode,
        prefix: key.prefix,
        hash: key.hash.to_vec(),
        scopes: wanted.scopes.iter().copied().collect::<Scopes>().text(),
        addresses: addresses.join(" "),
        created_at: app.clock.now_ms(),
        expires_at: wanted.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    (row, key.text)
}

/// Whose key it will be. A merchant makes keys for itself only.
async fn owner(app: &App, caller: &Caller, merchant_id: Option<&str>) -> Result<Option<String>, Error> {
    match (&caller.tenant, merchant_id) {
        (Tenant::Platform { .. }, None) => Ok(None),
        (Tenant::Merchant { merchant_id, .. }, None) => Ok(Some(merchant_id.clone())),
        (_, Some(id)) => match merchants::find(app, caller, id).await {
            Ok(row) => Ok(Some(row.id)),
            Err(Error::NotFound) => Err(Error::invalid("/merchantId", "there is no such merchant")),
            Err(error) => Err(error),
        },
    }
}

/// What the audit log keeps of a key.
fn state(row: &api_key::Model) -> Value {
    json!({
        "name": row.name, "merchantId": row.merchant_id, "prefix": row.prefix, "scopes": row.scopes,
        "addresses": row.addresses, "expiresAt": row.expires_at, "revokedAt": row.revoked_at,
    })
}

/// Write when keys were last used, where that has changed by a minute or more.
pub async fn write_uses(app: &App) -> anyhow::Result<()> {
    let uses = app.directory.api_key_uses(USES);
    if uses.is_empty() {
        return Ok(());
    }
    let updates = uses.iter().map(|(key, used_at)| {
        let earlier = Expr::col(api_key::Column::LastUsedAt);
        let update = Query::update()
            .table(api_key::Entity)
            .value(api_key::Column::LastUsedAt, *used_at)
            .and_where(Expr::col(api_key::Column::Id).eq(key.id.as_str()))
            .and_where(earlier.clone().is_null().or(earlier.lt(*used_at)))
            .to_owned();
        RowStatement::Update(update)
    });
    app.ledger.room(Lane::Bulk, "api_keys")?.rows(updates.collect()).await?;
    for (key, used_at) in &uses {
        key.last_use.wrote(*used_at);
    }
    Ok(())
}
