//! The ledger's own connection. It is not borrowed from a pool: a pool asks the database twice whether the
//! connection lives, at every use. A SQLite file is written from the thread that asks, not through another one: a
//! batch makes up to ten statements, and a change of threads for each would cost more than they do.

mod postgres;
mod sqlite;

use std::time::Duration;

use sea_orm::sea_query::{PostgresQueryBuilder, QueryStatementWriter, SqliteQueryBuilder};
use sea_orm::{DbBackend, EntityTrait, TryIntoModel};
use sea_query_sqlx::SqlxBinder;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::each::{Each, Parameters};
pub use sqlite::SqliteFile;

/// How to reach the store for writing.
#[derive(Clone)]
pub enum Connector {
    Sqlite(SqliteFile),
    Postgres(Box<PgConnectOptions>),
}

pub enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

/// What a store answers instead of doing what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// A row that is not as its entity says.
    #[error("a row could not be read: {0}")]
    Row(#[from] sea_orm::DbErr),
}

/// An entity whose rows the ledger reads.
pub trait Readable: EntityTrait<ActiveModel: TryIntoModel<Self::Model>> {}
impl<E: EntityTrait<ActiveModel: TryIntoModel<E::Model>>> Readable for E {}

impl Connector {
    pub async fn connect(&self) -> Result<Connection, StoreError> {
        match self {
            Self::Sqlite(file) => Ok(Connection::Sqlite(file.open()?)),
            Self::Postgres(options) => {
                let connect = PgConnection::connect_with(options);
                let connected = tokio::time::timeout(Duration::from_secs(5), connect).await;
                let timed_out = || sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut));
                Ok(Connection::Postgres(connected.unwrap_or_else(|_| Err(timed_out()))?))
            }
        }
    }
}

impl Connection {
    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    /// A statement without parameters, such as COMMIT.
    pub async fn plain(&mut self, sql: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::plain(connection, sql),
            Self::Postgres(connection) => postgres::plain(connection, sql).await,
        }
    }

    /// `each` for all of `rows`; the first column of what it yields, which must be text.
    pub(super) async fn each(
        &mut self,
        each: &Each,
        rows: Vec<Parameters>,
    ) -> Result<Vec<String>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::each(connection, each, &rows),
            Self::Postgres(connection) => postgres::each(connection, each, rows).await,
        }
    }

    /// `each` for all of `rows`, where it selects whole rows of an entity.
    pub(super) async fn select<E: Readable>(
        &mut self,
        each: &Each,
        rows: Vec<Parameters>,
    ) -> Result<Vec<E::Model>, StoreError> {
        match self {
            Self::Sqlite(connection) => sqlite::select::<E>(connection, each, &rows),
            Self::Postgres(connection) => postgres::select::<E>(connection, each, rows).await,
        }
    }

    /// A statement that is made anew; rows changed.
    pub(super) async fn execute(&mut self, statement: &impl Statement) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(connection) => {
                let (sql, values) = statement.build(SqliteQueryBuilder);
                sqlite::execute(connection, &sql, &values.0)
            }
            Self::Postgres(connection) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                postgres::execute(connection, sql, values).await
            }
        }
    }

    /// A statement that is made anew and yields whole rows of an entity, its columns in the entity's order.
    pub(super) async fn fetch<E: Readable>(
        &mut self,
        statement: &impl Statement,
    ) -> Result<Vec<E::Model>, StoreError> {
        match self {
            Self::Sqlite(connection) => {
                let (sql, values) = statement.build(SqliteQueryBuilder);
                sqlite::fetch::<E>(connection, &sql, &values.0)
            }
            Self::Postgres(connection) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                postgres::fetch::<E>(connection, sql, values).await
            }
        }
    }

    pub async fn close(self) {
        // The store closes it with or without our goodbye.
        match self {
            Self::Sqlite(connection) => drop(connection.close()),
            Self::Postgres(connection) => drop(connection.close().await),
        }
    }
}

/// Anything sea-query can write for both stores.
pub(super) trait Statement: QueryStatementWriter + SqlxBinder + Sync {}
impl<S: QueryStatementWriter + SqlxBinder + Sync> Statement for S {}
