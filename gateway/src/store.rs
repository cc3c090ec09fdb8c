//! The store: opening it, its schema, and connections that only read. Writing is the ledger's.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail};
use migrations::Migrator;
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqlxPostgresConnector, SqlxSqliteConnector};
use sea_orm_migration::MigratorTrait;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Executor};

use crate::config::StoreUrl;
use crate::ledger::{Connector, SqliteFile};

/// Taken on PostgreSQL while the schema is changed, so that nodes starting together do it once.
const MIGRATION_LOCK: i64 = 0x5ca7_6a7e;

/// The ledger reaches rows by their keys and nothing else. A plan that was made while a table was small would read all
/// of it, and be kept.
const BY_KEY: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
];

/// How the store is to be opened.
#[derive(Clone)]
pub struct Opening {
    pub url: StoreUrl,
    /// Connections that read.
    pub readers: u32,
    pub access: Access,
}

/// What is to be done with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Serve or change it: a SQLite store is then this process's alone.
    Own,
    /// Only look; a gateway may be serving it.
    Look,
    /// Only look, at a SQLite file that nobody writes, such as a backup.
    LookAtFile,
}

/// An open store with its schema up to date.
pub struct Store {
    pub read: DatabaseConnection,
    pub connector: Connector,
    /// Where a SQLite store lies; its free space is watched.
    pub path: Option<PathBuf>,
    _lock: Option<File>,
}

impl Store {
    pub async fn open(opening: &Opening) -> anyhow::Result<Self> {
        match &opening.url {
            StoreUrl::Sqlite(path) => Self::open_sqlite(path, opening).await,
            StoreUrl::Postgres(url) => Self::open_postgres(url.expose(), opening).await,
        }
    }

    pub fn backend(&self) -> DbBackend {
        match self.connector {
            Connector::Sqlite(_) => DbBackend::Sqlite,
            Connector::Postgres(_) => DbBackend::Postgres,
        }
    }

    async fn open_sqlite(path: &Path, opening: &Opening) -> anyhow::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("the folder {} cannot be made; choose another or mend its rights", folder.display())
            })?;
        }
        let lock = match opening.access {
            Access::Own => Some(lock(path)?),
            Access::Look | Access::LookAtFile => None,
        };
        let write = SqliteConnectOptions::new().filename(path);
        let write = match opening.access {
            Access::Own => write.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
            // Leaves no file beside it, and needs no right to make one.
            Access::LookAtFile => write.immutable(true),
            Access::Look => write,
        };
        let write = write
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-32000")
            .pragma("temp_store", "MEMORY"); // else every multi-row statement makes and removes a file
        if opening.access == Access::Own {
            refuse_network_file_system(path)?;
            make_private(path)?;
            migrate_sqlite(&write).await.map_err(|error| unusable(path, error))?;
        }
        let read = SqlitePoolOptions::new()
            .max_connections(opening.readers)
            .test_before_acquire(false) // a file does not go away; asking first costs a change of threads each time
            .connect_with(
                // Each has its own: what it does not keep, the system does.
                write.clone().read_only(true).create_if_missing(false).pragma("cache_size", "-12000"),
            )
            .await
            .with_context(|| format!("the store {} cannot be read", path.display()))?;
        Ok(Self {
            read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
            connector: Connector::Sqlite(SqliteFile::new(path.to_owned())),
            path: Some(path.to_owned()),
            _lock: lock,
        })
    }

    async fn open_postgres(url: &str, opening: &Opening) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| anyhow::anyhow!("store.url is not a PostgreSQL URL that can be read"))?
            .application_name("scangate");
        if opening.access == Access::Own {
            migrate_postgres(&options).await.with_context(|| {
                format!(
                    "the PostgreSQL store at {}:{} cannot be used",
                    options.get_host(),
                    options.get_port()
                )
            })?;
        }
        let read = PgPoolOptions::new()
            .max_connections(opening.readers)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false) // a dead connection shows at its use; asking first costs a round trip each time
            .connect_with(options.clone())
            .await
            .with_context(|| {
                format!("PostgreSQL at {}:{} cannot be reached", options.get_host(), options.get_port())
            })?;
        Ok(Self {
            read: SqlxPostgresConnector::from_sqlx_postgres_pool(read),
            connector: Connector::Postgres(Box::new(options.options(BY_KEY))),
            path: None,
            _lock: None,
        })
    }
}

/// One process at a time owns a SQLite store: group commit and leases rest on it.
fn lock(path: &Path) -> anyhow::Result<File> {
    let lock_path = path.with_extension("lock");
    let file =
        File::options().create(true).truncate(false).write(true).open(&lock_path).with_context(|| {
            format!("{} cannot be written; choose another folder or mend its rights", lock_path.display())
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another scangate is using {}; stop it first, or name another store", path.display())
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", lock_path.display()))
        }
    }
}

/// The store holds buyers' names: a new one is for its owner's eyes only. SQLite gives the files beside it the
/// same mode.
fn make_private(path: &Path) -> anyhow::Result<()> {
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error).with_context(|| {
            format!("{} cannot be made; choose another folder or mend its rights", path.display())
        }),
        _ => Ok(()),
    }
}

/// SQLite's locks and shared memory do not work over a network.
fn refuse_network_file_system(path: &Path) -> anyhow::Result<()> {
    // Magic numbers of statfs(2): NFS, SMB1/CIFS, SMB2, 9P, Ceph, AFS, Coda.
    const NETWORKED: [u64; 8] =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x00c3_6400, 0x5346_414f, 0x7375_7245];
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let kind = rustix::fs::statfs(folder).with_context(|| format!("looking at {}", folder.display()))?.f_type;
    let kind = u64::from_ne_bytes(kind.to_ne_bytes()) & 0xffff_ffff;
    if NETWORKED.contains(&kind) {
        bail!(
            "{} is on a network file system, where SQLite is not safe; use a local disk or PostgreSQL",
            folder.display()
        );
    }
    Ok(())
}

async fn migrate_sqlite(options: &SqliteConnectOptions) -> anyhow::Result<()> {
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let migrated = migrate(&SqlxSqliteConnector::from_sqlx_sqlite_pool(pool.clone())).await;
    pool.close().await;
    migrated
}

async fn migrate_postgres(options: &PgConnectOptions) -> anyhow::Result<()> {
    // The migrator takes no lock of its own; this connection holds one for it and lets go by closing.
    let mut guard = sqlx::PgConnection::connect_with(options).await?;
    guard.execute(sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK)).await?;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
    let migrated = migrate(&SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone())).await;
    pool.close().await;
    guard.close().await?;
    migrated
}

async fn migrate(connection: &DatabaseConnection) -> anyhow::Result<()> {
    refuse_newer(connection).await?;
    // The migrator logs even that there is nothing to do.
    if !Migrator::get_pending_migrations(connection).await?.is_empty() {
        Migrator::up(connection, None).await?;
    }
    Ok(())
}

/// A step that this program does not have was made by a later one, and what it means cannot be guessed.
async fn refuse_newer(connection: &DatabaseConnection) -> anyhow::Result<()> {
    let known = Migrator::migrations();
    let applied = Migrator::get_migration_models(connection).await?;
    let newer = applied.iter().find(|step| known.iter().all(|known| known.name() != step.version));
    match newer {
        Some(step) => bail!(
            "a newer scangate has changed it (step {}, unknown to version {}); use that scangate, or a backup from before",
            step.version,
            env!("CARGO_PKG_VERSION")
        ),
        None => Ok(()),
    }
}

/// Why a SQLite store cannot be opened, and the way out.
fn unusable(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let store = path.display();
    match sqlite_damage(&error) {
        Some(damage) => anyhow::anyhow!(
            "the store {store} is damaged ({damage}); move it away together with its -wal and -shm files, \
             then bring back a backup with `scangate restore FILE`, or start anew without one"
        ),
        None => error.context(format!("the store {store} cannot be used")),
    }
}

/// SQLite's words where the file is not, or no longer, a whole database.
pub fn sqlite_damage(error: &anyhow::Error) -> Option<String> {
    const DAMAGED: [&str; 2] = ["11", "26"]; // corrupt, not a database
    let error = match error.downcast_ref::<DbErr>() {
        Some(
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)),
        ) => Some(error.as_ref()),
        _ => error.downcast_ref::<sqlx::Error>(),
    };
    let database = error?.as_database_error()?;
    DAMAGED.contains(&&*database.code()?).then(|| database.message().to_owned())
}

/// Bytes free where `path` lies, for those who are not root.
pub fn free_space(path: &Path) -> std::io::Result<u64> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}
