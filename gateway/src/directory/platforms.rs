//! Platforms as operators see, make and limit them.

use anyhow::Context;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Select};
use serde_json::json;

use super::acts::{self, Act, Actor};
use super::change::Refresh;
use super::operators::Bound;
use super::setup::{Description, PlatformDescription, Workshop, check_slug};
use super::versions;
use crate::app::App;
use crate::entity::platform::{Column, Entity, Model};
use crate::ledger::{Lane, LedgerError, RowStatement};
use crate::limits::Quota;

/// Why a platform is not made.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error("{0}")]
    Slug(String),
    #[error("there is a platform {0} already")]
    Taken(String),
    #[error("there is no such platform")]
    Missing,
    /// Others change the platform all the time.
    #[error("the platform is being changed by others; try again in a moment")]
    Busy,
    #[error(transparent)]
    Store(#[from] DbErr),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// A change that came too late is planned anew this often at most.
const ATTEMPTS: usize = 5;

/// A platform that was made, and its first API key.
pub struct MadePlatform {
    pub row: Model,
    pub api_key: String,
}

/// All of them, or the one that the asker is bound to.
pub fn of(bound: Option<&Bound>) -> Select<Entity> {
    match bound {
        Some(platform) => Entity::find().filter(Column::Id.eq(&platform.id)),
        None => Entity::find(),
    }
}

/// For operators of all platforms.
pub async fn find(app: &App, id: &str) -> Result<Model, PlatformError> {
    seen(app, id, None).await
}

/// The platform of this id, if it is in the asker's scope.
pub async fn seen(app: &App, id: &str, bound: Option<&Bound>) -> Result<Model, PlatformError> {
    of(bound).filter(Column::Id.eq(id)).one(&app.store.read).await?.ok_or(PlatformError::Missing)
}

/// Give a platform a limit of its own, or, with `None`, the gateway's again. Returns it as it is then.
pub async fn limit(app: &App, id: &str, limit: Option<Quota>, by: &Actor) -> Result<Model, PlatformError> {
    let (count, window_ms) = Quota::columns(limit);
    let is_so = |row: &Model| (row.limit_count, row.limit_window_ms) == (count, window_ms);
    for _ in 0..ATTEMPTS {
        let row = find(app, id).await?;
        if is_so(&row) {
            return Ok(row);
        }
        write_limit(app, &row, limit, by).await?;
        app.directory.refresh(&app.store.read, &app.vault, &Refresh::Everybody).await?;
        versions::announce(app);
    }
    let row = find(app, id).await?;
    if is_so(&row) { Ok(row) } else { Err(PlatformError::Busy) }
}

/// Writes nothing if the platform has been changed since `before` was read.
async fn write_limit(app: &App, before: &Model, limit: Option<Quota>, by: &Actor) -> Result<(), LedgerError> {
    let (count, window_ms) = Quota::columns(limit);
    let changed = Expr::col((Entity, Column::Id))
        .eq(&before.id)
        .and(Expr::col((Entity, Column::Changes)).eq(before.changes + 1));
    let update = Query::update()
        .table(Entity)
        .value(Column::LimitCount, count)
        .value(Column::LimitWindowMs, window_ms)
        .value(Column::Changes, before.changes + 1)
        .and_where(Expr::col(Column::Id).eq(&before.id))
        .and_where(Expr::col(Column::Changes).eq(before.changes))
        .to_owned();
    let act = Act {
        action: "platform.limited",
        subject_id: Some(&before.id),
        platform_id: Some(&before.id),
        before: Some(json!({ "limit": Quota::said(before.limit_count, before.limit_window_ms) })),
        after: Some(json!({ "limit": limit })),
    };
    let same_limit = match (count, window_ms) {
        (Some(count), Some(window_ms)) => {
            let count = Expr::col((Entity, Column::LimitCount)).eq(count);
            count.and(Expr::col((Entity, Column::LimitWindowMs)).eq(window_ms))
        }
        _ => Expr::col((Entity, Column::LimitCount)).is_null(),
    };
    let written =
        Query::select().expr(Expr::val(1)).from(Entity).and_where(changed.and(same_limit)).to_owned();
    let entry = acts::entry_if(by, act, Expr::exists(written), &app.chance, app.clock.now_ms());
    let rows = versions::counted(vec![RowStatement::Update(update), entry], &[Refresh::Everybody]);
    app.ledger.room(Lane::Bulk, &before.id)?.rows(rows).await.map(drop)
}

/// Make a platform with a first API key, and have it known.
pub async fn make(
    app: &App,
    slug: String,
    name: Option<String>,
    by: Actor,
) -> Result<MadePlatform, PlatformError> {
    check_slug(&slug).map_err(|error| PlatformError::Slug(error.to_string()))?;
    let platform = PlatformDescription::bare(slug.clone(), name);
    let description = Description { platform: vec![platform], operator: Vec::new() };
    let made = Workshop::by(app, by).make(&description).await?;
    if made.platforms.is_empty() {
        return Err(PlatformError::Taken(slug));
    }
    app.reload().await?;
    let found = Entity::find().filter(Column::Slug.eq(&slug)).one(&app.store.read).await;
    let row = found.map_err(anyhow::Error::from)?.context("the platform was just made")?;
    let api_key = made.api_keys.into_iter().find_map(|made| made.key).context("a new platform has a key")?;
    Ok(MadePlatform { row, api_key })
}
