//! The stage every test plays on: a real store (a SQLite file, or a PostgreSQL database of its own), the real
//! gateway on port 0, the sandbox as the upstream, the demo shop as the merchant's system, a clock that only
//! moves when told, and deliveries that are only made when asked for.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gateway::app::{App, Opened};
use gateway::clock::{Clock, ManualClock};
use gateway::config::{Config, Given, Sources};
use gateway::deliveries::worker::Worker;
use gateway::directory::setup::{Description, Workshop};
use gateway::ledger::Writers;
use gateway::{api, lifecycle};
use sandbox::shop::Shop;
use sandbox::{Control, Sandbox};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub mod acts;
pub mod apart;
pub mod merchant;
pub mod people;
pub mod receiver;
pub mod rest;
pub mod rows;
pub mod side;
pub mod web;

pub use merchant::{Answer, Order};
pub use rest::Keys;

pub const PLATFORM: &str = "demo";
pub const PARTNER_NO: &str = "10001";
pub const UPSTREAM_PARTNER_NO: &str = "90001";
pub const HKD_STORE: &str = "100010000000002";
pub const UPSTREAM_HKD_STORE: &str = "900010000000002";
pub const JPY_STORE: &str = "100010000000003";
pub const UPSTREAM_JPY_STORE: &str = "900010000000003";
pub const MERCHANT_KEY: &str = "5fb2a3c0d1e94f7788aa0b1c2d3e4f505fb2a3c0d1e94f7788aa0b1c2d3e4f50";
pub const ACCOUNT_KEY: &str = "0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f500d9e8f7a6b5c4d3e2f1a0b9c8d7e6f50";

const LIMITS: [&str; 6] = [
    "limits.platform",
    "limits.merchant",
    "limits.store",
    "limits.account",
    "limits.failed_authentications",
    "limits.callbacks",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Run one test on both stores: `on_both!(a_sentence, async |stage: &mut Stage| { … });`, with settings on top of
/// the harness's own `on_both!(a_sentence, [("orders.query_min_interval", "0s")], async |stage: &mut Stage| { … });`.
#[macro_export]
macro_rules! on_both {
    ($name:ident, [$($setting:expr),*], $run:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                play($crate::harness::Backend::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                play($crate::harness::Backend::Postgres).await;
            }

            async fn play(backend: $crate::harness::Backend) {
                let mut stage = $crate::harness::Stage::set_with(backend, &[$($setting),*]).await;
                let run: fn(&mut $crate::harness::Stage) -> $crate::harness::Play<'_> = |stage| Box::pin($run(stage));
                run(&mut stage).await;
                stage.strike().await;
            }
        }
    };
    ($name:ident, $run:expr) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let mut stage = $crate::harness::Stage::set($crate::harness::Backend::Sqlite).await;
                let run: fn(&mut $crate::harness::Stage) -> $crate::harness::Play<'_> = |stage| Box::pin($run(stage));
                run(&mut stage).await;
                stage.strike().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let mut stage = $crate::harness::Stage::set($crate::harness::Backend::Postgres).await;
                let run: fn(&mut $crate::harness::Stage) -> $crate::harness::Play<'_> = |stage| Box::pin($run(stage));
                run(&mut stage).await;
                stage.strike().await;
            }
        }
    };
}

pub type Play<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What outlives a restart of the gateway.
pub struct World {
    pub backend: Backend,
    pub store_url: String,
    pub folder: TempDir,
    pub sandbox: Sandbox,
    pub upstream: Control,
    pub shop: Shop,
    pub clock: ManualClock,
    /// The platform's keys for the REST API.
    pub keys: Keys,
    time: Clock,
    /// Settings on top of the harness's own: path and value.
    pub settings: Vec<(&'static str, String)>,
    /// Nobody else needs its PostgreSQL database.
    has_own_database: bool,
}

/// One gateway process's worth of gateway.
pub struct Node {
    pub app: Arc<App>,
    pub worker: Worker,
    pub address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<lifecycle::Stopped>,
    writers: Writers,
}

/// A world with one node in it.
pub struct Stage {
    pub world: World,
    node: Option<Node>,
    /// Of the node and of those that come after it: the upstream was given its address to call back.
    listener: std::net::TcpListener,
}

impl World {
    pub async fn make(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::make_in(None).await,
            Backend::Postgres => {
                let own = new_database().await;
                Self { has_own_database: true, ..Self::make_in(Some(own)).await }
            }
        }
    }

    /// On this PostgreSQL database, or on a SQLite file of its own.
    pub async fn make_in(database: Option<String>) -> Self {
        Self::make_tuned(database, |_| {}).await
    }

    /// The same with a sandbox that has been seen to.
    pub async fn make_tuned(database: Option<String>, tune: impl FnOnce(&mut sandbox::Settings)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (backend, store_url) = match database {
            Some(url) => (Backend::Postgres, url),
            None => (Backend::Sqlite, format!("sqlite:{}", folder.path().join("scangate.db").display())),
        };
        let start = OffsetDateTime::from_unix_timestamp(1_790_000_000).expect("a time");
        let (time, clock) = Clock::manual(start);
        let shop_listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let shop_settings = sandbox::shop::ShopSettings {
            partner_no: PARTNER_NO.to_owned(),
            sign_key: MERCHANT_KEY.to_owned(),
            ..Default::default()
        };
        let shop = sandbox::shop::start(shop_listener, shop_settings).expect("a shop");
        let sandbox = start_sandbox(&time, tune).await;
        let upstream = sandbox.control();
        let keys = Keys::default();
        Self {
            backend,
            store_url,
            folder,
            sandbox,
            upstream,
            shop,
            clock,
            keys,
            time,
            settings: Vec::new(),
            has_own_database: false,
        }
    }

    pub fn clock(&self) -> Clock {
        self.time.clone()
    }

    pub fn config(&self, public: SocketAddr) -> Config {
        let given = |path, value: String| Given { path, value, by: "the test" };
        let mut sources = Sources { serving: true, ..Sources::default() };
        sources.given.extend([
            given("server.public_url", format!("http://{public}")),
            given("store.url", self.store_url.clone()),
            given("store.min_free_disk", "2MiB".to_owned()),
            given("store.stop_free_disk", "1MiB".to_owned()),
            given("secrets.master_key_file", self.path("master.key").display().to_string()),
            given("upstream.sandbox_base_urls", format!("[\"{}\"]", self.sandbox.base_url())),
            given("deliveries.allow_addresses", "[\"127.0.0.0/8\"]".to_owned()),
            given("deliveries.jitter", "0.0".to_owned()),
        ]);
        // The clock stands still, and with it every bucket: tests of limits set their own.
        sources.given.extend(LIMITS.map(|path| given(path, "1000000/1s".to_owned())));
        for (path, value) in &self.settings {
            sources.given.retain(|given| given.path != *path);
            sources.given.push(given(path, value.clone()));
        }
        Config::load_from(&sources).expect("the test's configuration is valid")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Who there is: one platform, its account at the sandbox, one merchant with two stores.
    pub fn description(&self) -> Description {
        let text = format!(
            r#"
            [[platform]]
            slug = "{PLATFORM}"
            [[platform.api_key]]
            name = "test"
            mode = "test"
            key = "{}"
            [[platform.api_key]]
            name = "live"
            mode = "live"
            key = "{}"
            [[platform.account]]
            name = "main"
            base_url = "{}"
            partner_no = "{UPSTREAM_PARTNER_NO}"
            sign_key = "{ACCOUNT_KEY}"
            [[platform.merchant]]
            name = "Shop"
            partner_no = "{PARTNER_NO}"
            mode = "test"
            sign_key = "{MERCHANT_KEY}"
            [[platform.merchant.store]]
            store_no = "{HKD_STORE}"
            account = "main"
            upstream_store_no = "{UPSTREAM_HKD_STORE}"
            currency = "HKD"
            wallets = ["Wechat", "Alipay", "AlipayHK"]
            [[platform.merchant.store]]
            store_no = "{JPY_STORE}"
            account = "main"
            upstream_store_no = "{UPSTREAM_JPY_STORE}"
            currency = "JPY"
            wallets = ["Wechat"]
            "#,
            self.keys.test,
            self.keys.live,
            self.sandbox.base_url()
        );
        toml::from_str(&text).expect("a description")
    }

    /// Start a gateway on this world's store.
    pub async fn node(&self) -> Node {
        self.node_on(&free_listener()).await
    }

    /// The same at a given address.
    pub async fn node_on(&self, listener: &std::net::TcpListener) -> Node {
        let address = listener.local_addr().expect("an address");
        let config = self.config(address);
        let Opened { app, worker, writers } =
            App::open(config, self.clock(), vec![address]).await.expect("the gateway opens its store");
        if app.directory.is_empty() {
            Workshop::of(&app).make(&self.description()).await.expect("everybody is made");
            app.directory.reload(&app.store.read, &app.vault).await.expect("everybody is loaded");
        }
        let stop = CancellationToken::new();
        let settings = lifecycle::Settings::from(&app.config.server);
        let listener = listener.try_clone().and_then(TcpListener::from_std).expect("it listens");
        let serving = tokio::spawn(lifecycle::serve(listener, api::public(&app), settings, stop.clone()));
        Node { app, worker, address, stop, serving, writers }
    }
}

fn free_listener() -> std::net::TcpListener {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("tokio wants it so");
    listener
}

async fn start_sandbox(time: &Clock, tune: impl FnOnce(&mut sandbox::Settings)) -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let store = |store_no: &str, currency: &str| sandbox::Store {
        store_no: store_no.to_owned(),
        currency: shared::money::Currency::parse(currency).expect("a currency"),
        wallets: shared::wallet::Wallet::ALL.to_vec(),
    };
    let partner = sandbox::Partner {
        partner_no: UPSTREAM_PARTNER_NO.to_owned(),
        sign_key: ACCOUNT_KEY.to_owned(),
        stores: vec![store(UPSTREAM_HKD_STORE, "HKD"), store(UPSTREAM_JPY_STORE, "JPY")],
    };
    let mut settings =
        sandbox::Settings { automatic_notices: false, ..sandbox::Settings::new(url, vec![partner]) };
    tune(&mut settings);
    let time = time.clone();
    sandbox::start(listener, settings, Arc::new(move || time.now())).expect("a sandbox")
}

impl Node {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// End in good order: finish what was begun, write out the ledger.
    pub async fn stop(self) {
        self.stop.cancel();
        self.serving.await.expect("the listener ends");
        self.app.tasks.close();
        self.app.tasks.wait().await;
        self.writers.finish().await;
    }
}

impl Stage {
    pub async fn set(backend: Backend) -> Self {
        Self::set_with(backend, &[]).await
    }

    /// With settings on top of the harness's own.
    pub async fn set_with(backend: Backend, settings: &[(&'static str, &str)]) -> Self {
        Self::over(World::make(backend).await, settings).await
    }

    pub async fn over(mut world: World, settings: &[(&'static str, &str)]) -> Self {
        world.settings.extend(settings.iter().map(|(path, value)| (*path, (*value).to_owned())));
        let listener = free_listener();
        let node = world.node_on(&listener).await;
        Self { world, node: Some(node), listener }
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("a node is running")
    }

    pub fn app(&self) -> &Arc<App> {
        &self.node().app
    }

    pub fn upstream(&self) -> &Control {
        &self.world.upstream
    }

    pub fn shop(&self) -> &Shop {
        &self.world.shop
    }

    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// Send all that is due now; returns the number of attempts.
    pub async fn deliver_due(&mut self) -> usize {
        self.node.as_mut().expect("a node is running").worker.step().await
    }

    /// The node's worker, to be run beside the test; nothing is delivered by [`Self::deliver_due`] any more.
    pub fn take_worker(&mut self) -> Worker {
        let node = self.node.as_mut().expect("a node is running");
        let (_, nothing) = tokio::sync::mpsc::channel(1);
        let idle = Worker::new(node.app.clone(), nothing);
        std::mem::replace(&mut node.worker, idle)
    }

    /// Stop the gateway in good order and start it again on the same store, at the same address.
    pub async fn restart(&mut self) {
        self.node.take().expect("a node is running").stop().await;
        self.node = Some(Box::pin(self.world.node_on(&self.listener)).await);
    }

    pub async fn strike(mut self) {
        if let Some(node) = self.node.take() {
            node.stop().await;
        }
        self.world.sandbox.stop().await;
        self.world.shop.stop().await;
        if self.world.has_own_database {
            drop_database(&self.world.store_url).await;
        }
    }
}

/// A database of its own in the PostgreSQL that `scripts/test` started.
pub async fn new_database() -> String {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    let server = setting("SCANGATE_TEST_POSTGRES");
    let name = format!("t_{}", gateway::chance::secret_text().to_lowercase());
    let mut connection = sqlx::PgConnection::connect(&server).await.expect("PostgreSQL answers");
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("a database is made");
    connection.close().await.expect("the connection closes");
    let mut url = url::Url::parse(&server).expect("a URL");
    url.set_path(&name);
    url.to_string()
}

/// Hundreds of tests would leave gigabytes behind. That of a test that failed stays, to be looked at.
async fn drop_database(url: &str) {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    let name = url.rsplit('/').next().expect("a URL with a name at its end");
    let mut connection =
        sqlx::PgConnection::connect(&setting("SCANGATE_TEST_POSTGRES")).await.expect("PostgreSQL answers");
    let drop = AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"));
    connection.execute(drop).await.expect("the database is dropped");
    connection.close().await.expect("the connection closes");
}

/// What `scripts/test` tells the tests.
#[expect(clippy::disallowed_methods, reason = "the tests' own door to the environment")]
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run the tests with scripts/test"))
}

/// The same, where the test can do without.
#[expect(clippy::disallowed_methods, reason = "the tests' own door to the environment")]
pub fn optional_setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where a test's choices come from: `SCANGATE_TEST_SEED` to see a run again, else chance. Printed, so that it is
/// found with the failure.
#[expect(clippy::disallowed_methods, reason = "the tests' own door to the environment")]
pub fn seed() -> u64 {
    let given = std::env::var("SCANGATE_TEST_SEED").ok();
    let given = given.map(|text| text.parse().expect("SCANGATE_TEST_SEED is a whole number"));
    let seed = given.unwrap_or_else(|| u64::from_le_bytes(gateway::chance::bytes()));
    eprintln!("SCANGATE_TEST_SEED={seed}");
    seed
}

/// Remove all rows, for a test that begins again and again: making and dropping databases takes its time.
pub async fn empty_database(store_url: &str) {
    use sqlx::{AssertSqlSafe, Connection, Executor};
    let mut connection = sqlx::PgConnection::connect(store_url).await.expect("PostgreSQL answers");
    let tables = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('seaql_migrations', 'event_numbers')";
    let tables: Option<String> =
        sqlx::query_scalar(tables).fetch_one(&mut connection).await.expect("the tables are known");
    if let Some(tables) = tables {
        connection.execute(AssertSqlSafe(format!("TRUNCATE {tables}"))).await.expect("they are emptied");
    }
    connection.close().await.expect("the connection closes");
}
