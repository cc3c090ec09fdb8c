//! The ledger's own connection. It is not borrowed from a pool: a pool asks the database twice whether the
//! connection lives, at every use.

use std::time::Duration;

use sea_orm::sea_query::{PostgresQueryBuilder, QueryStatementWriter, SqliteQueryBuilder};
use sea_orm::{DbBackend, QueryResult};
use sea_query_sqlx::SqlxBinder;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor};

/// How to reach the store for writing.
#[derive(Clone)]
pub enum Connector {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

pub enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connector {
    pub async fn connect(&self) -> Result<Connection, sqlx::Error> {
        let timeout = Duration::from_secs(5);
        let connect = async {
            Ok(match self {
                Self::Sqlite(options) => Connection::Sqlite(SqliteConnection::connect_with(options).await?),
                Self::Postgres(options) => Connection::Postgres(PgConnection::connect_with(options).await?),
            })
        };
        tokio::time::timeout(timeout, connect)
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::TimedOut))))
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
    pub async fn plain(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(drop),
            Self::Postgres(connection) => connection.execute(sqlx::raw_sql(sql)).await.map(drop),
        }
    }

    /// Rows changed.
    pub async fn execute(&mut self, statement: &impl SqlxStatement) -> Result<u64, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
                sqlx::query_with(AssertSqlSafe(sql), values)
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected())
            }
            Self::Postgres(connection) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                sqlx::query_with(AssertSqlSafe(sql), values)
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected())
            }
        }
    }

    pub async fn fetch(&mut self, statement: &impl SqlxStatement) -> Result<Vec<QueryResult>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => {
                let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
                let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(connection).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Self::Postgres(connection) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                let rows = sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(connection).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
        }
    }

    pub async fn close(self) {
        // The store closes it with or without our goodbye.
        match self {
            Self::Sqlite(connection) => drop(connection.close().await),
            Self::Postgres(connection) => drop(connection.close().await),
        }
    }
}

/// Anything sea-query can write for both stores.
pub trait SqlxStatement: QueryStatementWriter + SqlxBinder + Sync {}
impl<S: QueryStatementWriter + SqlxBinder + Sync> SqlxStatement for S {}
