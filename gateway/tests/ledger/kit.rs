//! A ledger on a store of its own, and those who get in its way.
//!
//! A test's runtime has one thread unless it says otherwise: a writer runs only while the test waits, so what is
//! handed over without waiting in between is one batch.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use gateway::chance::Chance;
use gateway::clock::Clock;
use gateway::ledger::{
    Changes, Claim, Connection, Connector, Current, DeliveryMove, Lane, Ledger, LedgerError, NewOrder,
    Placement, RowStatement, Settings, Target, Writers,
};
use gateway::store::{Access, Opening, Store};
use sqlx::{AssertSqlSafe, Connection as _, Executor};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use crate::harness::{Backend, new_database};

pub const NOW: i64 = 1_790_000_000_000;
/// No test waits as long as this but for something that will never come.
pub const GUARD: Duration = Duration::from_mins(1);

/// Run one test on both stores: `on_both_stores!(a_sentence, async |rig: Rig| { … });`
/// Where somebody else holds a file's writer up while the test goes on, the writer needs a thread of its own:
/// `on_both_stores!("multi_thread", a_sentence, …)`.
macro_rules! on_both_stores {
    ($name:ident, $run:expr) => {
        on_both_stores!("current_thread", $name, $run);
    };
    ($flavor:literal, $name:ident, $run:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = $flavor)]
            async fn sqlite() {
                let rig = $crate::kit::Rig::new($crate::harness::Backend::Sqlite).await;
                tokio::time::timeout($crate::kit::GUARD, ($run)(rig))
                    .await
                    .expect("the test comes to its end");
            }

            #[tokio::test(flavor = $flavor)]
            async fn postgres() {
                let rig = $crate::kit::Rig::new($crate::harness::Backend::Postgres).await;
                tokio::time::timeout($crate::kit::GUARD, ($run)(rig))
                    .await
                    .expect("the test comes to its end");
            }
        }
    };
}

/// Run one test on PostgreSQL.
macro_rules! on_postgres {
    ($name:ident, $run:expr) => {
        #[tokio::test]
        async fn $name() {
            let rig = $crate::kit::Rig::new($crate::harness::Backend::Postgres).await;
            tokio::time::timeout($crate::kit::GUARD, ($run)(rig)).await.expect("the test comes to its end");
        }
    };
}

/// A store with its schema, and nobody writing to it yet.
pub struct Rig {
    pub backend: Backend,
    pub url: String,
    pub store: Store,
    pub chance: Chance,
    pub folder: TempDir,
}

impl Rig {
    pub async fn new(backend: Backend) -> Self {
        Self::within(tempfile::tempdir().expect("a temporary folder"), backend).await
    }

    /// With its files, if it has any, in `folder`.
    pub async fn within(folder: TempDir, backend: Backend) -> Self {
        let url = match backend {
            Backend::Sqlite => format!("sqlite:{}", folder.path().join("scangate.db").display()),
            Backend::Postgres => new_database().await,
        };
        let store = open(&url).await;
        let start = OffsetDateTime::from_unix_timestamp(NOW / 1000).expect("a time");
        Self { backend, url, store, chance: Chance::new(Clock::manual(start).0), folder }
    }

    /// With nobody left who reads.
    pub async fn closed(self) -> Self {
        self.store.read.clone().close().await.expect("the readers close");
        self
    }

    /// Closed, and opened again.
    pub async fn reopened(self) -> Self {
        let Self { store, url, backend, chance, folder } = self.closed().await;
        drop(store);
        Self { store: open(&url).await, url, backend, chance, folder }
    }

    pub fn settings() -> Settings {
        Settings { writers: 1, max_batch: 64, queue: 256, patience: Duration::from_secs(20) }
    }

    pub async fn ledger(&self) -> Running {
        self.ledger_with(Self::settings()).await
    }

    pub async fn ledger_with(&self, settings: Settings) -> Running {
        Running::start(self.store.connector.clone(), settings).await
    }

    /// Another connection to the same store.
    pub async fn connection(&self) -> Connection {
        self.store.connector.connect().await.expect("the store takes another connection")
    }

    /// Keep every writer out until released.
    pub async fn hold(&self) -> Held {
        let tables = "LOCK TABLE orders, deliveries, attempts, settings IN EXCLUSIVE MODE";
        match self.backend {
            Backend::Sqlite => self.hold_by(&["BEGIN IMMEDIATE"]).await,
            Backend::Postgres => self.hold_by(&["BEGIN", tables]).await,
        }
    }

    pub async fn hold_by(&self, statements: &[&'static str]) -> Held {
        let mut connection = self.connection().await;
        for statement in statements {
            connection.plain(statement).await.expect("nobody else holds the store");
        }
        Held(connection)
    }

    pub async fn admin(&self) -> Admin {
        Admin(sqlx::PgConnection::connect(&self.url).await.expect("PostgreSQL answers"))
    }
}

async fn open(url: &str) -> Store {
    let opening = Opening { url: url.parse().expect("a store's URL"), readers: 2, access: Access::Own };
    Store::open(&opening).await.expect("the store opens")
}

/// Somebody else's transaction that writers have to wait for.
pub struct Held(Connection);

impl Held {
    pub async fn release(self) {
        self.end("ROLLBACK").await;
    }

    pub async fn end(mut self, statement: &'static str) {
        self.0.plain(statement).await.expect("the transaction ends");
        self.0.close().await;
    }
}

/// The test's own word with PostgreSQL.
pub struct Admin(sqlx::PgConnection);

impl Admin {
    pub async fn run(&mut self, sql: impl Into<String>) {
        let sql = sql.into();
        self.0
            .execute(sqlx::raw_sql(AssertSqlSafe(sql.clone())))
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// A setting that new sessions of this database begin with.
    pub async fn configure(&mut self, setting: &str) {
        let quoted = setting.replace('\'', "''");
        self.run(format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {quoted}', current_database()); END $$"
        ))
        .await;
    }

    pub async fn number(&mut self, sql: impl Into<String>) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.into())).fetch_one(&mut self.0).await.expect("a number")
    }

    /// Wait until so many sessions of this database wait for a lock.
    pub async fn waiting(&mut self, sessions: i64) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.number(waiting).await != sessions {
            tokio::task::yield_now().await;
        }
    }

    /// In how many transactions the rows of `table` were written.
    pub async fn transactions(&mut self, table: &str) -> i64 {
        self.number(format!("SELECT count(DISTINCT xmin::text) FROM {table}")).await
    }
}

/// Start a write now and wait for its answer elsewhere.
pub async fn begin<W>(write: W) -> JoinHandle<W::Output>
where
    W: Future<Output: Send> + Send + 'static,
{
    let mut write = Box::pin(write);
    let first = std::future::poll_fn(|context| Poll::Ready(write.as_mut().poll(context))).await;
    match first {
        Poll::Ready(answer) => tokio::spawn(async move { answer }),
        Poll::Pending => tokio::spawn(write),
    }
}

/// A ledger at work.
pub struct Running {
    pub ledger: Ledger,
    writers: Writers,
}

impl Running {
    pub async fn start(connector: Connector, settings: Settings) -> Self {
        let (ledger, writers) = Ledger::start(connector, settings).await.expect("the ledger starts");
        Self { ledger, writers }
    }

    pub async fn finish(self) {
        self.writers.finish().await;
    }

    /// A ledger that is being finished, and what tells that it has.
    pub fn finishing(self) -> (Ledger, JoinHandle<()>) {
        (self.ledger, tokio::spawn(self.writers.finish()))
    }

    /// The error the store died of, if it has.
    pub fn died(&self) -> Option<String> {
        let mut died = pin!(self.ledger.died());
        match died.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => None,
        }
    }

    pub fn place(
        &self,
        rows: &NewOrder,
    ) -> impl Future<Output = Result<Placement, LedgerError>> + Send + use<> {
        let (room, rows) = (self.ledger.room(Lane::Money, &rows.order.id), rows.clone());
        async move { room?.place(rows).await }
    }

    pub fn change<T, F>(
        &self,
        change: (Target, F),
    ) -> impl Future<Output = Result<T, LedgerError>> + Send + use<T, F>
    where
        T: Send + Sync + 'static,
        F: FnMut(&Current<'_>) -> (Changes, T) + Send + Sync + 'static,
    {
        self.change_in(Lane::Money, change)
    }

    pub fn change_in<T, F>(
        &self,
        lane: Lane,
        (target, decide): (Target, F),
    ) -> impl Future<Output = Result<T, LedgerError>> + Send + use<T, F>
    where
        T: Send + Sync + 'static,
        F: FnMut(&Current<'_>) -> (Changes, T) + Send + Sync + 'static,
    {
        let room = self.ledger.room(lane, &target.order_id);
        async move { room?.change(target, decide).await }
    }

    /// Whether it was made.
    pub fn advance(
        &self,
        step: DeliveryMove,
    ) -> impl Future<Output = Result<bool, LedgerError>> + Send + use<> {
        let room = self.ledger.room(Lane::Attempts, &step.delivery_id);
        async move { Ok(room?.advance(step).await?.is_ours) }
    }

    pub fn claim(
        &self,
        claim: Claim,
    ) -> impl Future<Output = Result<Vec<String>, LedgerError>> + Send + use<> {
        let room = self.ledger.room(Lane::Attempts, &claim.lease);
        async move {
            let mut ids: Vec<String> =
                room?.claim(claim).await?.into_iter().map(|claimed| claimed.delivery.id).collect();
            ids.sort();
            Ok(ids)
        }
    }

    pub fn rows(
        &self,
        statements: Vec<RowStatement>,
    ) -> impl Future<Output = Result<u64, LedgerError>> + Send + use<> {
        let room = self.ledger.room(Lane::Bulk, "rows");
        async move { room?.rows(statements).await }
    }
}
