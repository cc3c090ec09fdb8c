//! A platform's accounts: what ScanForPay issued to it. A live account is ScanForPay's own, a test account a
//! sandbox's, as the operator's lists of base URLs say.

use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::access::{Caller, Mode, is_id};
use super::audit::{self, States, Subject};
use super::change::{Plan, Refresh};
use super::merchants::{self, platform_of};
use super::sign_keys::{self, Owner};
use crate::app::App;
use crate::callback;
use crate::entity::{account, sign_key};
use crate::error::Error;

/// What was issued, as a caller says it.
#[derive(Clone)]
pub struct Issued {
    /// `None`: the partner number.
    pub name: Option<String>,
    /// `None`: the first that the operator allows.
    pub base_url: Option<String>,
    pub partner_no: String,
    pub sign_key: Zeroizing<String>,
}

/// An account that is about to be.
#[derive(Clone)]
pub struct NewAccount {
    pub row: account::Model,
    pub key: sign_key::Model,
}

/// The caller's account of this id.
pub async fn find(app: &App, caller: &Caller, id: &str) -> Result<account::Model, Error> {
    platform_of(caller)?;
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = account::Entity::of(&caller.tenant, caller.mode).filter(account::Column::Id.eq(id));
    found.one(&app.store.read).await?.ok_or(Error::NotFound)
}

/// Plan an account by itself.
pub async fn create(app: &App, caller: &Caller, issued: &Issued) -> Result<(Plan, NewAccount), Error> {
    let made = prepare(app, caller, issued, "").await?;
    let mut plan = Plan::new(entry(app, caller, &made)?);
    add(&mut plan, &made);
    Ok((plan, made))
}

/// What may be changed of an account. `None`: left as it is.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    /// The merchant whose orders go upstream under its own numbers; `Some(None)`: nobody's do.
    pub numbers_of: Option<Option<String>>,
}

/// Change an account of the caller's. Returns it as it will be; no plan where it is so already.
pub async fn change(
    app: &App,
    caller: &Caller,
    id: &str,
    patch: &Patch,
) -> Result<(Option<Plan>, account::Model), Error> {
    let before = find(app, caller, id).await?;
    let mut after = before.clone();
    if let Some(numbers_of) = &patch.numbers_of {
        after.numbers_of.clone_from(numbers_of);
    }
    if after == before {
        return Ok((None, before));
    }
    if let Some(merchant_id) = &after.numbers_of {
        // Of the same platform and mode; merchants are never deleted, so it will be there still.
        merchants::find(app, caller, merchant_id).await.map_err(|error| match error {
            Error::NotFound => Error::invalid("/numbersOf", "there is no such merchant"),
            error => error,
        })?;
    }
    after.version += 1;
    let subject = Subject { kind: "account", id, merchant_id: None };
    let states = States { before: Some(state(&before)), after: Some(state(&after)) };
    let mut plan = Plan::new(audit::entry(app, caller, "account.changed", subject, states));
    let this_version = Expr::col(account::Column::Id)
        .eq(before.id.as_str())
        .and(Expr::col(account::Column::Version).eq(before.version));
    plan.while_there_is(one_where(&before, this_version.clone()));
    let update = Query::update()
        .table(account::Entity)
        .value(account::Column::NumbersOf, after.numbers_of.clone())
        .value(account::Column::Version, after.version)
        .and_where(this_version)
        .to_owned();
    plan.update(update);
    plan.refresh(Refresh::Account(before.id));
    Ok((Some(plan), after))
}

/// Make the account's own address for notices, in the place of the one before. Returns its token, which nobody is shown
/// again, and the account as it will be.
pub async fn make_notice_url(
    app: &App,
    caller: &Caller,
    id: &str,
) -> Result<(Plan, String, account::Model), Error> {
    let before = find(app, caller, id).await?;
    let token = callback::token(id);
    let after = account::Model {
        notice_hash: Some(callback::hash(&token)),
        notice_made_at: Some(app.clock.now_ms()),
        version: before.version + 1,
        ..before.clone()
    };
    let subject = Subject { kind: "account", id, merchant_id: None };
    let states = States { before: Some(state(&before)), after: Some(state(&after)) };
    let mut plan = Plan::new(audit::entry(app, caller, "account.notice_url_made", subject, states));
    let this_version = Expr::col(account::Column::Id)
        .eq(before.id.as_str())
        .and(Expr::col(account::Column::Version).eq(before.version));
    plan.while_there_is(one_where(&before, this_version.clone()));
    let update = Query::update()
        .table(account::Entity)
        .value(account::Column::NoticeHash, after.notice_hash.clone())
        .value(account::Column::NoticeMadeAt, after.notice_made_at)
        .value(account::Column::Version, after.version)
        .and_where(this_version)
        .to_owned();
    plan.update(update);
    Ok((plan, token, after))
}

/// The audit entry of an account that is made.
pub fn entry(
    app: &App,
    caller: &Caller,
    made: &NewAccount,
) -> Result<crate::entity::audit_entry::Model, Error> {
    let subject = Subject { kind: "account", id: &made.row.id, merchant_id: None };
    let mut after = state(&made.row);
    after["signKey"] = sign_keys::state(app, &made.key)?;
    let states = States { before: None, after: Some(after) };
    Ok(audit::entry(app, caller, "account.created", subject, states))
}

/// Check what was issued and make its rows. `at` is the pointer to it in the body.
pub async fn prepare(app: &App, caller: &Caller, issued: &Issued, at: &str) -> Result<NewAccount, Error> {
    let platform_id = platform_of(caller)?;
    let base_url = base_url(app, caller.mode, issued.base_url.as_deref(), at)?;
    let name = issued.name.clone().unwrap_or_else(|| issued.partner_no.clone());
    let others = account::Entity::find().filter(account::Column::PlatformId.eq(platform_id));
    if others.filter(account::Column::Name.eq(name.as_str())).one(&app.store.read).await?.is_some() {
        let detail = "Another account of the platform has this name, live or test.";
        return Err(Error::conflict("account_name_taken", format!("{at}/name"), detail));
    }
    let row = account::Model {
        id: app.chance.id(),
        platform_id: platform_id.to_owned(),
        name,
        base_url,
        partner_no: issued.partner_no.clone(),
        created_at: app.clock.now_ms(),
        version: 1,
        mode: caller.mode,
        numbers_of: None,
        limit_count: None,
        limit_window_ms: None,
        notice_hash: None,
        notice_made_at: None,
    };
    let key = sign_keys::row(app, Owner::Account(&row.id), 1, &issued.sign_key);
    Ok(NewAccount { row, key })
}

/// Write a new account with a plan.
pub fn add(plan: &mut Plan, made: &NewAccount) {
    plan.unless_there_is(with_name(&made.row));
    plan.insert::<account::Entity>(&made.row);
    plan.insert::<sign_key::Entity>(&made.key);
    plan.refresh(Refresh::Account(made.row.id.clone()));
}

/// One of the mode's base URLs, without a slash at its end.
pub fn base_url(app: &App, mode: Mode, wanted: Option<&str>, at: &str) -> Result<String, Error> {
    let upstream = &app.config.upstream;
    let pointer = format!("{at}/baseUrl");
    let bare = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
    let Some(wanted) = wanted else {
        let first = upstream.base_urls(mode).first().map(bare);
        return first.ok_or_else(|| Error::invalid(&pointer, "the operator allows none in this mode"));
    };
    let url = Url::parse(wanted).ok().filter(|url| upstream.mode_of(url) == Some(mode));
    url.as_ref()
        .map(bare)
        .ok_or_else(|| Error::invalid(&pointer, "is none that the operator allows in this mode"))
}

/// What the audit log keeps of an account.
fn state(row: &account::Model) -> Value {
    json!({
        "name": row.name, "baseUrl": row.base_url, "partnerNo": row.partner_no, "mode": row.mode.as_str(),
        "numbersOf": row.numbers_of, "noticeUrlMadeAt": row.notice_made_at,
    })
}

fn with_name(row: &account::Model) -> SelectStatement {
    one_where(row, Expr::col(account::Column::Name).eq(row.name.as_str()))
}

/// An account of the same platform.
fn one_where(row: &account::Model, condition: Expr) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(account::Entity)
        .and_where(Expr::col(account::Column::PlatformId).eq(row.platform_id.as_str()))
        .and_where(condition)
        .to_owned()
}
