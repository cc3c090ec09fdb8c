//! Platforms as operators see and make them.

use anyhow::Context;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use super::acts::Actor;
use super::operators::Bound;
use super::setup::{Description, PlatformDescription, Workshop, check_slug};
use crate::app::App;
use crate::entity::platform::{Column, Entity, Model};

/// Why a platform is not made.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    #[error("{0}")]
    Slug(String),
    #[error("there is a platform {0} already")]
    Taken(String),
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

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
