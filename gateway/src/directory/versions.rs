//! How nodes see each other's changes of the directory. Each change raises the directory's version in the
//! transaction that makes it and notes at which version each of those it concerns was changed last; every node looks
//! once a second, or when it is told, at what lies beyond the version it has in memory. Only that is loaded.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::change::Refresh;
use crate::app::App;
use crate::entity::{directory_change, directory_version};
use crate::ledger::RowStatement;

/// Between two looks at the version.
const LOOK: Duration = Duration::from_secs(1);
/// More changes than this at once are not looked at one by one: reading everybody takes fewer round trips.
const FEW: usize = 100;
/// The id of the version's one row.
const THE_ROW: i64 = 1;

/// What has changed since a version.
pub(super) struct News {
    pub version: i64,
    pub changed: Changed,
}

pub(super) enum Changed {
    These(Vec<Refresh>),
    /// So many that everybody is read; or something of which only its own node knows what it is.
    Many(usize),
}

impl Changed {
    pub fn count(&self) -> usize {
        match self {
            Self::These(these) => these.len(),
            Self::Many(count) => *count,
        }
    }
}

/// `statements` as a change of the directory that concerns `changed`. The version's row is written first and stays
/// locked until the commit: versions become visible in their order, and two changes never wait for each other.
pub fn counted(statements: Vec<RowStatement>, changed: &[Refresh]) -> Vec<RowStatement> {
    if changed.is_empty() {
        return statements;
    }
    let mut counted = Vec::with_capacity(statements.len() + 2);
    counted.push(RowStatement::Insert(raise()));
    counted.extend(statements);
    counted.push(RowStatement::Insert(note(changed)));
    counted
}

fn raise() -> sea_orm::sea_query::InsertStatement {
    let version = directory_version::Column::Version;
    let next = Expr::col((directory_version::Entity, version)).add(1);
    Query::insert()
        .into_table(directory_version::Entity)
        .columns([directory_version::Column::Id, version])
        .values_panic([THE_ROW.into(), 1_i64.into()])
        .on_conflict(OnConflict::column(directory_version::Column::Id).value(version, next).to_owned())
        .to_owned()
}

fn note(changed: &[Refresh]) -> sea_orm::sea_query::InsertStatement {
    use directory_change::Column::{Id, Kind, Version};
    let mut insert = Query::insert();
    insert.into_table(directory_change::Entity).columns([Kind, Id, Version]);
    let mut noted: Vec<(&str, &str)> = changed.iter().map(Refresh::kind_and_id).collect();
    // One statement may not write a row twice.
    noted.sort_unstable();
    noted.dedup();
    for (kind, id) in noted {
        insert.values_panic([kind.into(), id.into(), Expr::SubQuery(None, Box::new(version_now().into()))]);
    }
    insert.on_conflict(OnConflict::columns([Kind, Id]).update_column(Version).to_owned());
    insert
}

fn version_now() -> SelectStatement {
    Query::select()
        .column(directory_version::Column::Version)
        .from(directory_version::Entity)
        .and_where(Expr::col(directory_version::Column::Id).eq(THE_ROW))
        .to_owned()
}

impl Refresh {
    fn kind_and_id(&self) -> (&'static str, &str) {
        match self {
            Self::Account(id) => ("account", id),
            Self::Merchant(id) => ("merchant", id),
            Self::Endpoint(id) => ("endpoint", id),
            Self::ApiKey(id) => ("api_key", id),
            Self::ApiKeysOf(id) => ("api_keys_of", id),
            Self::Tokens => ("tokens", ""),
            Self::Everybody => ("everybody", ""),
        }
    }

    /// Nothing for what a later version of this program may note.
    fn of(row: &directory_change::Model) -> Option<Self> {
        match row.kind.as_str() {
            "account" => Some(Self::Account(row.id.clone())),
            "merchant" => Some(Self::Merchant(row.id.clone())),
            "endpoint" => Some(Self::Endpoint(row.id.clone())),
            "api_key" => Some(Self::ApiKey(row.id.clone())),
            "api_keys_of" => Some(Self::ApiKeysOf(row.id.clone())),
            "tokens" => Some(Self::Tokens),
            _ => None,
        }
    }
}

/// 0 before the first change.
pub(super) async fn current(read: &DatabaseConnection) -> anyhow::Result<i64> {
    let row = directory_version::Entity::find_by_id(THE_ROW).one(read).await?;
    Ok(row.map_or(0, |row| row.version))
}

pub(super) async fn since(read: &DatabaseConnection, seen: i64) -> anyhow::Result<News> {
    let rows = directory_change::Entity::find()
        .filter(directory_change::Column::Version.gt(seen))
        .order_by_asc(directory_change::Column::Version)
        .limit(u64::try_from(FEW + 1).unwrap_or(u64::MAX))
        .all(read)
        .await?;
    let version = rows.last().map_or(seen, |row| row.version);
    let known: Option<Vec<Refresh>> = rows.iter().map(Refresh::of).collect();
    let changed = match known {
        Some(mut known) if known.len() <= FEW => {
            // Accounts first: a merchant's new store may be of a new account.
            known.sort_by_key(|what| !matches!(what, Refresh::Account(_)));
            Changed::These(known)
        }
        _ => Changed::Many(rows.len()),
    };
    Ok(News { version, changed })
}

/// Let the other nodes look at once, where there is a way to tell them.
pub fn announce(app: &App) {
    if let Some(redis) = app.redis.clone() {
        tokio::spawn(async move { redis.announce_directory().await });
    }
}

/// Look at what other nodes have changed, until `stop`.
pub async fn follow(app: Arc<App>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let told = async {
            match &app.redis {
                Some(redis) => redis.directory_news().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = looks.tick() => {}
            () = told => {}
        }
        match app.directory.catch_up(&app.store.read, &app.vault).await {
            Ok(0) => {}
            // An endpoint may take now what it did not before.
            Ok(_) => app.deliveries.wake(),
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "changes of the directory could not be looked at");
            }
        }
    }
}
