//! A test's own hand on the gateway's store, to get in the gateway's way.

use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use super::Stage;

/// A connection of the test's own to the gateway's store.
pub enum Side {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Side {
    pub async fn open(stage: &Stage) -> Self {
        let url = &stage.world.store_url;
        match &stage.app().store.path {
            Some(_) => Self::Sqlite(SqliteConnection::connect(url).await.expect("the store opens")),
            None => Self::Postgres(PgConnection::connect(url).await.expect("the store opens")),
        }
    }

    /// Statements that do the same on either store.
    pub async fn run(&mut self, sqlite: &'static str, postgres: &'static str) {
        match self {
            Self::Sqlite(connection) => connection.execute(sqlite).await.map(drop),
            Self::Postgres(connection) => connection.execute(postgres).await.map(drop),
        }
        .expect("the statement runs");
    }

    /// Every row of every table as text; bytes as hex digits.
    pub async fn everything(&mut self) -> String {
        use sqlx::AssertSqlSafe;
        let mut all = Vec::new();
        match self {
            Self::Sqlite(connection) => {
                let tables: Vec<String> =
                    sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
                        .fetch_all(&mut *connection)
                        .await
                        .expect("the tables are known");
                for table in tables {
                    let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
                        "SELECT name FROM pragma_table_info('{table}')"
                    )))
                    .fetch_all(&mut *connection)
                    .await
                    .expect("the columns are known");
                    let shown = columns.iter().map(|column| {
                        format!("CASE typeof(\"{column}\") WHEN 'blob' THEN lower(hex(\"{column}\")) ELSE coalesce(\"{column}\", '') END")
                    });
                    let shown = shown.collect::<Vec<_>>().join(" || ' ' || ");
                    let rows: Vec<String> =
                        sqlx::query_scalar(AssertSqlSafe(format!("SELECT {shown} FROM \"{table}\"")))
                            .fetch_all(&mut *connection)
                            .await
                            .expect("the rows are read");
                    all.extend(rows);
                }
            }
            Self::Postgres(connection) => {
                let tables: Vec<String> =
                    sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                        .fetch_all(&mut *connection)
                        .await
                        .expect("the tables are known");
                for table in tables {
                    let rows: Vec<String> =
                        sqlx::query_scalar(AssertSqlSafe(format!("SELECT t::text FROM {table} t")))
                            .fetch_all(&mut *connection)
                            .await
                            .expect("the rows are read");
                    all.extend(rows);
                }
            }
        }
        all.join("\n")
    }

    /// A statement that the store may refuse.
    pub async fn try_run(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => connection.execute(statement).await.map(drop),
            Self::Postgres(connection) => connection.execute(statement).await.map(drop),
        }
    }

    /// Let nobody else write an order until this is released. Reading goes on.
    pub async fn hold_orders(&mut self) {
        self.run("BEGIN IMMEDIATE", "BEGIN; LOCK TABLE orders IN EXCLUSIVE MODE").await;
    }

    pub async fn release(&mut self) {
        self.run("ROLLBACK", "ROLLBACK").await;
    }
}
