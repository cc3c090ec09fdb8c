//! Versions of sign keys, a merchant's or an account's: the first one, and rotation with an overlap in which the
//! previous version is good still.

pub mod operate;

use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};

use super::access::Caller;
use super::audit::{self, States, Subject};
use super::change::{Plan, Refresh};
use crate::app::App;
use crate::entity::sign_key;
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};

/// How long a previous version is good at most.
pub const MAX_OVERLAP_HOURS: u32 = 90 * 24;
/// Versions shown of one key, newest first.
const SHOWN: u64 = 20;
/// Last uses written in one go.
const USES: usize = 500;

/// Whose key it is. The caller has been shown to own it.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    Merchant(&'a str),
    Account(&'a str),
}

impl<'a> Owner<'a> {
    fn id(self) -> &'a str {
        match self {
            Self::Merchant(id) | Self::Account(id) => id,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Merchant(_) => "merchant",
            Self::Account(_) => "account",
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Merchant(_) => "merchant.sign_key_rotated",
            Self::Account(_) => "account.sign_key_rotated",
        }
    }
}

/// The row of a version.
pub fn row(app: &App, owner: Owner<'_>, version: i64, text: &str) -> sign_key::Model {
    let id = app.chance.id();
    let sealed = app.vault.seal(&id, text.as_bytes());
    sign_key::Model {
        sealed: sealed.bytes,
        id,
        owner_kind: owner.kind().to_owned(),
        owner_id: owner.id().to_owned(),
        version,
        master_key_id: sealed.master_key_id,
        created_at: app.clock.now_ms(),
        expires_at: None,
        last_used_at: None,
    }
}

/// Newest first.
pub async fn versions(app: &App, owner: Owner<'_>) -> Result<Vec<sign_key::Model>, Error> {
    use sea_orm::QuerySelect;
    let versions = sign_key::Entity::find()
        .filter(sign_key::Column::OwnerKind.eq(owner.kind()))
        .filter(sign_key::Column::OwnerId.eq(owner.id()))
        .order_by_desc(sign_key::Column::Version)
        .limit(SHOWN);
    Ok(versions.all(&app.store.read).await?)
}

/// Tells versions apart without telling the key.
pub fn fingerprint(app: &App, row: &sign_key::Model) -> Result<String, Error> {
    let text = app.vault.open(&row.master_key_id, &row.id, &row.sealed)?;
    Ok(app.pepper.fingerprint(&text))
}

/// Make `text` the current version. The one before is good for `overlap_hours` more, older ones are no longer.
pub async fn rotate(
    app: &App,
    caller: &Caller,
    owner: Owner<'_>,
    text: &str,
    overlap_hours: u32,
) -> Result<(Plan, sign_key::Model), Error> {
    let now = app.clock.now_ms();
    let versions = versions(app, owner).await?;
    let current = versions.first().ok_or(Error::NotFound)?;
    if fingerprint(app, current)? == app.pepper.fingerprint(text.as_bytes()) {
        return Err(Error::invalid("/signKey", "is the current one"));
    }
    let next = row(app, owner, current.version + 1, text);
    let ends_at = now + i64::from(overlap_hours) * 3_600_000;
    let merchant_id = matches!(owner, Owner::Merchant(_)).then_some(owner.id());
    let subject = Subject { kind: owner.kind(), id: owner.id(), merchant_id };
    let mut before = state(app, current)?;
    before["goodUntil"] = json!(ends_at);
    let states = States { before: Some(before), after: Some(state(app, &next)?) };
    let mut plan = Plan::new(audit::entry(app, caller, owner.action(), subject, states));
    plan.while_there_is(
        Query::select()
            .expr(Expr::val(1))
            .from(sign_key::Entity)
            .and_where(Expr::col(sign_key::Column::Id).eq(current.id.as_str()))
            .and_where(Expr::col(sign_key::Column::ExpiresAt).is_null())
            .to_owned(),
    );
    plan.update(end_older(owner, current.version, now));
    plan.update(end_current(&current.id, ends_at));
    plan.insert::<sign_key::Entity>(&next);
    plan.refresh(match owner {
        Owner::Merchant(id) => Refresh::Merchant(id.to_owned()),
        Owner::Account(id) => Refresh::Account(id.to_owned()),
    });
    Ok((plan, next))
}

/// What the audit log keeps of a version.
pub fn state(app: &App, row: &sign_key::Model) -> Result<Value, Error> {
    Ok(json!({ "id": row.id, "version": row.version, "fingerprint": fingerprint(app, row)? }))
}

fn end_current(id: &str, ends_at: i64) -> UpdateStatement {
    Query::update()
        .table(sign_key::Entity)
        .value(sign_key::Column::ExpiresAt, ends_at)
        .and_where(Expr::col(sign_key::Column::Id).eq(id))
        .and_where(Expr::col(sign_key::Column::ExpiresAt).is_null())
        .to_owned()
}

fn end_older(owner: Owner<'_>, version: i64, now: i64) -> UpdateStatement {
    Query::update()
        .table(sign_key::Entity)
        .value(sign_key::Column::ExpiresAt, now)
        .and_where(Expr::col(sign_key::Column::OwnerId).eq(owner.id()))
        .and_where(Expr::col(sign_key::Column::Version).lt(version))
        .and_where(Expr::col(sign_key::Column::ExpiresAt).gt(now))
        .to_owned()
}

/// Write when versions were last used, where that has changed by a minute or more.
pub async fn write_uses(app: &App) -> anyhow::Result<()> {
    let uses = app.directory.sign_key_uses(USES);
    if uses.is_empty() {
        return Ok(());
    }
    let updates = uses.iter().map(|(key, used_at)| {
        let earlier = Expr::col(sign_key::Column::LastUsedAt);
        let update = Query::update()
            .table(sign_key::Entity)
            .value(sign_key::Column::LastUsedAt, *used_at)
            .and_where(Expr::col(sign_key::Column::Id).eq(key.id.as_str()))
            .and_where(earlier.clone().is_null().or(earlier.lt(*used_at)))
            .to_owned();
        RowStatement::Update(update)
    });
    app.ledger.room(Lane::Bulk, "sign_keys")?.rows(updates.collect()).await?;
    for (key, used_at) in &uses {
        key.last_use.wrote(*used_at);
    }
    Ok(())
}
