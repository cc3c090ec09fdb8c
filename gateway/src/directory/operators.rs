//! Operators: the people at the console. Each has a name, a password, a role and a scope: all platforms or one. What
//! changes one of them, and what happens when somebody says to be one of them.

pub mod lockout;
mod login;
pub mod password;

use std::collections::HashMap;

use anyhow::Context;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use self::lockout::Failures;
pub use self::login::{LoginError, log_in, sweep};
use super::acts::{self, Act, Actor};
use super::tokens;
use crate::app::App;
use crate::entity::{operator, platform};
use crate::ledger::{Lane, LedgerError, RowStatement, insert_rows};

/// In characters.
const LONGEST_NAME: usize = 64;

/// What an operator may do. Each may do what the ones before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    clap::ValueEnum,
    poem_openapi::Enum,
)]
#[serde(rename_all = "lowercase")]
#[oai(rename_all = "lowercase")]
pub enum Role {
    /// Sees orders and deliveries, but neither buyers nor signatures
    Viewer,
    /// Also replays, releases and asks again
    Operator,
    /// Also manages operators and platforms, and rotates merchants' sign keys
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// As a row has it.
    fn parse(text: &str) -> Self {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.expect("the schema has a CHECK on these three")
    }
}

/// A platform that an operator is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub id: String,
    pub slug: String,
}

/// An operator who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub id: String,
    pub name: String,
    pub role: Role,
    /// `None`: all platforms.
    pub platform: Option<Bound>,
}

impl Operator {
    /// The scope as tokens and answers say it.
    pub fn scope(&self) -> String {
        self.platform
            .as_ref()
            .map_or_else(|| "all".to_owned(), |platform| format!("platform:{}", platform.slug))
    }

    /// Whether this platform is in the operator's scope.
    pub fn reaches(&self, platform_id: &str) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform.id == platform_id)
    }
}

/// Somebody to be added.
#[derive(Serialize, Deserialize)]
pub struct NewOperator {
    pub name: String,
    pub password: String,
    pub role: Role,
    /// The slug of the one platform in scope; absent: all.
    pub platform: Option<String>,
}

/// An operator as lists show one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub role: Role,
    /// Slug; absent: all platforms.
    pub platform: Option<String>,
    /// Unix milliseconds.
    pub created_at: i64,
    pub disabled_at: Option<i64>,
}

/// Why a change of an operator is refused.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    #[error("an operator's name has 1 to {LONGEST_NAME} letters, digits and . _ - + @")]
    Name,
    #[error(
        "a password has {} characters or more, and {} bytes or less",
        password::SHORTEST,
        password::LONGEST
    )]
    Password,
    #[error("there is an operator {0} already")]
    Taken(String),
    #[error("there is no operator {0}")]
    Missing(String),
    #[error("there is no platform {0}")]
    Platform(String),
    #[error("too many passwords are being checked; try again in a moment")]
    Busy,
    #[error(transparent)]
    Store(#[from] DbErr),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

pub fn check_name(name: &str) -> Result<(), OperatorError> {
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@".contains(&b));
    if fits { Ok(()) } else { Err(OperatorError::Name) }
}

pub fn check_password(text: &str) -> Result<(), OperatorError> {
    let fits = text.chars().count() >= password::SHORTEST && text.len() <= password::LONGEST;
    if fits { Ok(()) } else { Err(OperatorError::Password) }
}

/// The row of a new operator.
pub fn row(
    id: String,
    name: &str,
    password_hash: String,
    role: Role,
    platform_id: Option<String>,
    now: i64,
) -> RowStatement {
    insert_rows::<operator::Entity>(&[operator::Model {
        id,
        name: name.to_owned(),
        password_hash,
        role: role.as_str().to_owned(),
        platform_id,
        created_at: now,
        disabled_at: None,
    }])
}

pub async fn add(app: &App, new: NewOperator, by: &Actor) -> Result<Operator, OperatorError> {
    check_name(&new.name)?;
    check_password(&new.password)?;
    let platform = match new.platform {
        None => None,
        Some(slug) => {
            let found = platform::Entity::find().filter(platform::Column::Slug.eq(&slug));
            let row = found.one(&app.store.read).await?.ok_or(OperatorError::Platform(slug))?;
            Some(Bound { id: row.id, slug: row.slug })
        }
    };
    if named(app, &new.name).await?.is_some() {
        return Err(OperatorError::Taken(new.name));
    }
    let hash = hash(app, new.password).await?;
    let added = Operator { id: app.chance.id(), name: new.name, role: new.role, platform };
    let platform_id = added.platform.as_ref().map(|platform| platform.id.clone());
    let now = app.clock.now_ms();
    let row = row(added.id.clone(), &added.name, hash, added.role, platform_id.clone(), now);
    let act = Act {
        action: "operator.added",
        subject_id: Some(&added.id),
        platform_id: platform_id.as_deref(),
        after: Some(json!({ "name": added.name, "role": added.role.as_str(), "scope": added.scope() })),
        ..Act::default()
    };
    // Somebody may take the name meanwhile.
    let stands = Query::select()
        .expr(Expr::val(1))
        .from(operator::Entity)
        .and_where(Expr::col((operator::Entity, operator::Column::Id)).eq(&added.id))
        .to_owned();
    let entry = acts::entry_if(by, act, Expr::exists(stands), &app.chance, now);
    write(app, vec![row, entry]).await?;
    match named(app, &added.name).await? {
        Some(row) if row.id == added.id => Ok(added),
        _ => Err(OperatorError::Taken(added.name)),
    }
}

/// Give an operator another password. Whoever is logged in under the old one is so no more, and locks are lifted.
pub async fn set_password(app: &App, name: &str, text: String, by: &Actor) -> Result<(), OperatorError> {
    check_password(&text)?;
    let row = named(app, name).await?.ok_or_else(|| OperatorError::Missing(name.to_owned()))?;
    let hash = hash(app, text).await?;
    let now = app.clock.now_ms();
    let update = Query::update()
        .table(operator::Entity)
        .value(operator::Column::PasswordHash, hash)
        .and_where(Expr::col(operator::Column::Id).eq(&row.id))
        .to_owned();
    let failures = Failures::of(&app.store.read, name, now).await?;
    let act = act_on(&row, "operator.password_changed");
    let entry = acts::entry(by, act, &app.chance, now);
    let mut rows = vec![RowStatement::Update(update), tokens::revoke_all_of(&row.id, now), entry];
    rows.extend(failures.forgive(name, now));
    tokens::write(app, rows).await?;
    Ok(tokens::take_effect(app).await?)
}

/// The operator of this name. Who is bound to a platform sees that platform's only.
pub async fn seen(app: &App, name: &str, bound: Option<&Bound>) -> Result<operator::Model, OperatorError> {
    let found = of(bound).filter(operator::Column::Name.eq(name)).one(&app.store.read).await?;
    found.ok_or_else(|| OperatorError::Missing(name.to_owned()))
}

/// Let an operator in no more, from this moment on. Who is bound to a platform reaches that platform's only.
pub async fn disable(app: &App, name: &str, bound: Option<&Bound>, by: &Actor) -> Result<(), OperatorError> {
    let row = seen(app, name, bound).await?;
    let now = app.clock.now_ms();
    let update = Query::update()
        .table(operator::Entity)
        .value(operator::Column::DisabledAt, now)
        .and_where(Expr::col(operator::Column::Id).eq(&row.id))
        .and_where(Expr::col(operator::Column::DisabledAt).is_null())
        .to_owned();
    let entry = acts::entry(by, act_on(&row, "operator.disabled"), &app.chance, now);
    let rows = vec![RowStatement::Update(update), tokens::revoke_all_of(&row.id, now), entry];
    tokens::write(app, rows).await?;
    Ok(tokens::take_effect(app).await?)
}

/// Let an operator in again, with the password there was. The same reach as that of [`disable`]. Nothing is written for
/// one who is let in.
pub async fn enable(app: &App, name: &str, bound: Option<&Bound>, by: &Actor) -> Result<(), OperatorError> {
    let row = seen(app, name, bound).await?;
    if row.disabled_at.is_none() {
        return Ok(());
    }
    let update = Query::update()
        .table(operator::Entity)
        .value(operator::Column::DisabledAt, Option::<i64>::None)
        .and_where(Expr::col(operator::Column::Id).eq(&row.id))
        .to_owned();
    let entry = acts::entry(by, act_on(&row, "operator.enabled"), &app.chance, app.clock.now_ms());
    Ok(write(app, vec![RowStatement::Update(update), entry]).await?)
}

/// Everybody, or those of a platform where the asker is bound to it.
pub fn of(bound: Option<&Bound>) -> Select<operator::Entity> {
    let found = operator::Entity::find();
    match bound {
        Some(platform) => found.filter(operator::Column::PlatformId.eq(&platform.id)),
        None => found,
    }
}

/// Everybody in order of their names, up to a limit.
pub async fn list(app: &App, limit: u64) -> Result<Vec<Listed>, OperatorError> {
    let found = of(None).order_by_asc(operator::Column::Name).limit(limit).all(&app.store.read).await?;
    let slugs = Slugs::load(app).await?;
    Ok(found.into_iter().map(|row| slugs.listed(row)).collect())
}

/// The slugs of all platforms, by their ids.
pub struct Slugs(HashMap<String, String>);

impl Slugs {
    pub async fn load(app: &App) -> Result<Self, DbErr> {
        let rows = platform::Entity::find().all(&app.store.read).await?;
        Ok(Self(rows.into_iter().map(|row| (row.id, row.slug)).collect()))
    }

    pub fn listed(&self, row: operator::Model) -> Listed {
        Listed {
            role: Role::parse(&row.role),
            platform: row.platform_id.and_then(|id| self.0.get(&id).cloned()),
            name: row.name,
            created_at: row.created_at,
            disabled_at: row.disabled_at,
        }
    }
}

/// The operator of this id, unless disabled.
pub async fn find(app: &App, id: &str) -> anyhow::Result<Option<Operator>> {
    match operator::Entity::find_by_id(id).one(&app.store.read).await? {
        Some(row) if row.disabled_at.is_none() => operator_of(app, row).await.map(Some),
        _ => Ok(None),
    }
}

fn act_on<'a>(row: &'a operator::Model, action: &'static str) -> Act<'a> {
    Act {
        action,
        subject_id: Some(&row.id),
        platform_id: row.platform_id.as_deref(),
        after: Some(json!({ "name": row.name })),
        ..Act::default()
    }
}

async fn named(app: &App, name: &str) -> Result<Option<operator::Model>, DbErr> {
    operator::Entity::find().filter(operator::Column::Name.eq(name)).one(&app.store.read).await
}

async fn operator_of(app: &App, row: operator::Model) -> anyhow::Result<Operator> {
    let platform = match row.platform_id {
        None => None,
        Some(id) => {
            let row = platform::Entity::find_by_id(&id).one(&app.store.read).await?;
            let slug = row.with_context(|| format!("platform {id} of an operator is gone"))?.slug;
            Some(Bound { id, slug })
        }
    };
    Ok(Operator { role: Role::parse(&row.role), id: row.id, name: row.name, platform })
}

async fn hash(app: &App, text: String) -> Result<String, OperatorError> {
    let place = app.passwords.place().await.ok_or(OperatorError::Busy)?;
    Ok(place.hash(Zeroizing::new(text)).await?)
}

async fn write(app: &App, rows: Vec<RowStatement>) -> Result<(), LedgerError> {
    app.ledger.room(Lane::Bulk, "operators")?.rows(rows).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_have_their_lengths_and_letters() {
        for (name, fits) in [
            ("a", true),
            ("anna.lee+hk@example.com", true),
            (&"a".repeat(LONGEST_NAME), true),
            (&"a".repeat(LONGEST_NAME + 1), false),
            ("", false),
            ("anna lee", false),
            ("anna\n", false),
            ("аnna", false),
        ] {
            assert_eq!(check_name(name).is_ok(), fits, "{name:?}");
        }
        for (text, fits) in [
            ("twelve chars", true),
            ("eleven char", false),
            ("咖啡咖啡咖啡咖啡咖啡咖啡", true),
            (&"x".repeat(password::LONGEST), true),
            (&"x".repeat(password::LONGEST + 1), false),
        ] {
            assert_eq!(check_password(text).is_ok(), fits, "{text:?}");
        }
    }

    #[test]
    fn each_role_may_do_what_the_ones_before_it_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), role);
        }
    }
}
