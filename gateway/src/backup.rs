//! Backups of a SQLite store: taken while the gateway runs, checked before they are trusted.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use sea_orm::EntityTrait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};

use crate::app;
use crate::config::{Config, StoreUrl};
use crate::directory::pepper;
use crate::entity::{sign_key, token_key};
use crate::store::{Access, Opening, Store, sqlite_damage};

fn sqlite_path(config: &Config) -> anyhow::Result<&Path> {
    match &config.store.url {
        StoreUrl::Sqlite(path) => Ok(path),
        StoreUrl::Postgres(_) => {
            bail!("this store is PostgreSQL; back it up with pg_dump and restore it with pg_restore")
        }
    }
}

/// Write a consistent copy of the store to `file`, which must not exist. The gateway may be running.
pub async fn backup(config: &Config, file: &Path) -> anyhow::Result<()> {
    let path = sqlite_path(config)?;
    ensure!(!file.exists(), "{} is there already; name a new file", file.display());
    let target = file.to_str().context("the file's name is not UTF-8")?.replace('\'', "''");
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .with_context(|| format!("the store {} cannot be read", path.display()))?;
    connection
        .execute(AssertSqlSafe(format!("VACUUM INTO '{target}'")))
        .await
        .with_context(|| format!("writing {}", file.display()))?;
    connection.close().await?;
    verify(config, file).await
}

/// Whether `file` is a whole store that this configuration's master keys open.
pub async fn verify(config: &Config, file: &Path) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .with_context(|| format!("{} is not a store that can be read", file.display()))?;
    let answer: String = match connection.fetch_one("PRAGMA integrity_check").await {
        Ok(row) => row.try_get(0)?,
        Err(error) => damage(error.into()).with_context(|| format!("checking {}", file.display()))?,
    };
    let first = answer.lines().last().unwrap_or_default();
    ensure!(first == "ok", "{} is damaged ({first}); use another backup", file.display());
    connection.close().await?;

    let opening = Opening { url: StoreUrl::Sqlite(file.to_owned()), readers: 1, access: Access::LookAtFile };
    let store = Store::open(&opening).await?;
    let vault = app::vault(config, &store).await?;
    for key in sign_key::Entity::find().all(&store.read).await.context("reading the sign keys")? {
        vault.open(&key.master_key_id, &key.id, &key.sealed)?;
    }
    pepper::verify(&store.read, &vault).await?;
    for key in token_key::Entity::find().all(&store.read).await.context("reading the keys of tokens")? {
        vault.open(&key.master_key_id, &key.id, &key.sealed)?;
    }
    Ok(())
}

/// What SQLite says where its error is that of a damaged file.
fn damage(error: anyhow::Error) -> anyhow::Result<String> {
    sqlite_damage(&error).ok_or(error)
}

/// Put a backup in the place of a store that is gone. Never over one that is there.
pub async fn restore(config: &Config, file: &Path) -> anyhow::Result<()> {
    let path = sqlite_path(config)?;
    verify(config, file).await?;
    ensure!(!path.exists(), "{} is there; move it away first, with its -wal and -shm files", path.display());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    // Copied beside and renamed, so that an interrupted restore leaves no half store.
    let beside = path.with_extension("restoring");
    std::fs::copy(file, &beside).with_context(|| format!("copying to {}", beside.display()))?;
    std::fs::File::open(&beside)
        .and_then(|copy| copy.sync_all())
        .with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(&beside, path).with_context(|| format!("moving it to {}", path.display()))
}
