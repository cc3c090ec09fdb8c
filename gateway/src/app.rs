//! The gateway put together: everything an operation may need, made once at start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::freshness::SeenIds;
use crate::api::rest::{self, Running};
use crate::chance::Chance;
use crate::clock::Clock;
use crate::config::{Config, Secret, StoreUrl};
use crate::console::live::Hub;
use crate::console::pulse::Pulse;
use crate::deliveries::Deliveries;
use crate::deliveries::address::AddressPolicy;
use crate::deliveries::worker::Worker;
use crate::directory::operators::password::Passwords;
use crate::directory::pepper::{self, Pepper};
use crate::directory::tokens::Tokens;
use crate::directory::vault::Vault;
use crate::directory::{Directory, api_keys, master, operators, sign_keys, tokens};
use crate::disk::Disk;
use crate::doctor::kept::Failures;
use crate::entity::delivery;
use crate::ledger::{self, Lane, Ledger, Writers};
use crate::limits::Limits;
use crate::live::Live;
use crate::metrics::{Metrics, Parts};
use crate::orders::query::Questions;
use crate::orders::recent::Recent;
use crate::orders::reconcile::Wake;
use crate::orders::{self, Flights};
use crate::outgoing::{Outgoing, Way};
use crate::product::Product;
use crate::redis::Redis;
use crate::retention::{self, Walk};
use crate::selfcheck;
use crate::store::{Access, Opening, Store};
use crate::troubles::Troubles;
use crate::upstream::Upstream;

/// Between two rounds of housekeeping.
const ROUND: Duration = Duration::from_secs(5);
/// How long a batch is tried again while the database cannot be reached; below any caller's deadline.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct App {
    pub config: Config,
    pub clock: Clock,
    pub chance: Chance,
    pub store: Store,
    pub ledger: Ledger,
    pub vault: Vault,
    pub pepper: Pepper,
    /// How far what is kept too long was looked for.
    pub walk: Walk,
    pub directory: Directory,
    pub tokens: Arc<Tokens>,
    pub passwords: Passwords,
    pub upstream: Upstream,
    /// For URLs of tenants' choosing.
    pub outgoing: Outgoing,
    pub policy: AddressPolicy,
    pub deliveries: Deliveries,
    pub flights: Arc<Flights>,
    /// Places for refunds that are followed at a time.
    pub following: Arc<Semaphore>,
    pub questions: Questions,
    /// Submissions that notices may be about.
    pub recent: Recent,
    /// For whoever learns that an order is to be looked after soon.
    pub wake: Wake,
    /// For whoever waits for an event.
    pub live: Live,
    /// A replay was started, or changed.
    pub replays: Notify,
    /// Consoles that listen to changes.
    pub hub: Hub,
    /// Orders of late, for those who look at a curve.
    pub pulse: Pulse,
    pub troubles: Troubles,
    pub seen: SeenIds,
    /// Requests with an Idempotency-Key that are being answered.
    pub running: Running,
    /// Requests that did not verify, for the merchants they claimed to be of.
    pub failures: Failures,
    pub limits: Arc<Limits>,
    /// Merchants whose endpoint is being checked.
    pub selfchecks: selfcheck::Running,
    /// What the nodes of one installation share, where it is configured.
    pub redis: Option<Redis>,
    pub disk: Disk,
    pub metrics: Metrics,
    pub started_at: OffsetDateTime,
    /// What must be finished before the process may end.
    pub tasks: TaskTracker,
}

/// An app with what runs beside it.
pub struct Opened {
    pub app: Arc<App>,
    pub worker: Worker,
    pub writers: Writers,
}

impl App {
    /// Open the store and load everybody. `own` are the addresses this process listens on.
    pub async fn open(config: Config, clock: Clock, own: Vec<SocketAddr>) -> anyhow::Result<Opened> {
        let opening =
            Opening { url: config.store.url.clone(), readers: config.store.readers, access: Access::Own };
        let store = Store::open(&opening).await?;
        let chance = Chance::new(clock.clone());
        let (ledger, writers) =
            Ledger::start(store.connector.clone(), ledger_settings(&config, &store)).await?;
        if store.path.is_some() {
            void_leases(&ledger).await?;
        }
        let vault = vault(&config, &store).await?;
        let pepper = Pepper::open(&store.read, &ledger, &vault, clock.now_ms()).await?;
        let tokens = Arc::new(Tokens::new(issuer(&config)));
        let redis = Redis::open(&config.redis)?;
        let limits = Arc::new(Limits::new(&config.limits, &clock, redis.clone()));
        let directory =
            Directory::load(&store.read, &vault, limits.clone(), tokens.clone(), config.upstream.clone())
                .await
                .context("loading merchants and their keys")?;
        let way = Way::of(&config.outgoing)?;
        let policy = AddressPolicy::new(config.deliveries.allow_addresses.clone(), own);
        let (deliveries, fresh) = Deliveries::new(chance.id(), &config.deliveries);
        let upstream = Upstream::new(
            Outgoing::for_upstream_by(way.clone()),
            clock.clone(),
            chance.clone(),
            config.upstream.max_response,
        );
        let parts = Parts { ledger: ledger.measures(), upstream: &upstream.calls, limits: &limits.reached };
        let metrics = Metrics::of(&parts);
        let app = Arc::new(Self {
            upstream,
            outgoing: Outgoing::for_tenants(policy.clone(), way),
            disk: Disk::new(store.path.clone(), config.store.min_free_disk, config.store.stop_free_disk),
            flights: Arc::default(),
            following: Arc::new(Semaphore::new(orders::refund::follow::FOLLOWED)),
            questions: Questions::default(),
            recent: Recent::default(),
            wake: Wake::default(),
            live: Live::default(),
            replays: Notify::new(),
            hub: Hub::default(),
            pulse: Pulse::default(),
            troubles: Troubles::default(),
            seen: SeenIds::default(),
            running: Running::default(),
            failures: Failures::default(),
            limits,
            selfchecks: selfcheck::Running::default(),
            redis,
            metrics,
            started_at: clock.now(),
            tasks: TaskTracker::new(),
            config,
            clock,
            chance,
            store,
            ledger,
            vault,
            pepper,
            walk: Walk::default(),
            directory,
            tokens,
            passwords: Passwords::default(),
            policy,
            deliveries,
        });
        tokens::begin(&app).await?;
        let worker = Worker::new(app.clone(), fresh);
        Ok(Opened { app, worker, writers })
    }

    pub fn notify_url(&self, token: &str) -> String {
        format!("{}/callback/notify/{token}", self.config.server.public_base())
    }

    /// Where notices of an account's orders of before the move are taken.
    pub fn account_notice_url(&self, token: &str) -> String {
        format!("{}/callback/account/{token}", self.config.server.public_base())
    }

    pub fn return_url(&self, token: &str) -> String {
        format!("{}/callback/return/{token}", self.config.server.public_base())
    }

    /// How long an order of the product can be paid that does not say so itself.
    pub fn pay_window_ms(&self, product: &Product) -> i64 {
        millis(product.pay_window(&self.config.orders))
    }

    /// After so long a submission without an answer is called unknown.
    pub fn answer_wait_ms(&self) -> i64 {
        millis(self.config.upstream.timeout + self.config.upstream.answer_grace)
    }

    /// See everybody, and what became of tokens, as the store has them now.
    pub async fn reload(&self) -> anyhow::Result<()> {
        self.directory.reload(&self.store.read, &self.vault).await
    }

    /// What is done every few seconds until `stop`.
    pub async fn keep_house(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(ROUND)).await.is_some() {
            self.disk.look();
            if let Err(error) = orders::twice::sweep(&self).await {
                tracing::warn!(error = %format!("{error:#}"), "purchases that are paid twice could not be looked for");
            }
            if let Err(error) = orders::refund::follow::sweep(&self).await {
                tracing::warn!(%error, "open refunds could not be looked for");
            }
            if let Err(error) = api_keys::manage::write_uses(&self).await {
                tracing::warn!(%error, "the last uses of API keys could not be written");
            }
            if let Err(error) = sign_keys::write_uses(&self).await {
                tracing::warn!(%error, "the last uses of sign keys could not be written");
            }
            if let Err(error) = rest::prune(&self).await {
                tracing::warn!(%error, "kept answers could not be pruned");
            }
            self.keep_access().await;
            if let Err(error) = retention::sweep(&self).await {
                tracing::warn!(error = %format!("{error:#}"), "what is kept too long could not be looked for");
            }
        }
    }

    async fn keep_access(&self) {
        if let Err(error) = master::sweep(self).await {
            tracing::warn!(error = %format!("{error:#}"), "master keys could not be looked after");
        }
        if let Err(error) = tokens::sweep(self).await {
            tracing::warn!(error = %format!("{error:#}"), "the keys of tokens could not be looked after");
        }
        if let Err(error) = operators::sweep(self).await {
            tracing::warn!(error = %format!("{error:#}"), "failed logins could not be looked after");
        }
    }
}

/// Who has made a token: this gateway, by the name all its nodes have.
fn issuer(config: &Config) -> &str {
    let base = config.server.public_base();
    if base.is_empty() { "scangate" } else { base }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn ledger_settings(config: &Config, store: &Store) -> ledger::Settings {
    // One writer is what SQLite allows; PostgreSQL takes several side by side.
    let writers = if store.path.is_some() { 1 } else { usize::try_from(config.store.writers).unwrap_or(1) };
    ledger::Settings {
        writers,
        max_batch: config.store.max_batch,
        queue: config.store.queue,
        patience: PATIENCE,
    }
}

/// Leases of a SQLite store were given by a process that is no more.
async fn void_leases(ledger: &Ledger) -> anyhow::Result<()> {
    use sea_orm::sea_query::{Expr, ExprTrait, Query};
    let update = Query::update()
        .table(delivery::Entity)
        .value(delivery::Column::Lease, Option::<String>::None)
        .value(delivery::Column::LeasedUntil, Option::<i64>::None)
        .and_where(Expr::col(delivery::Column::Lease).is_not_null())
        .to_owned();
    ledger.room(Lane::Bulk, "leases")?.rows(vec![ledger::RowStatement::Update(update)]).await?;
    Ok(())
}

/// The master keys from the configuration, or from their file, which is made only while nothing is sealed yet.
pub async fn vault(config: &Config, store: &Store) -> anyhow::Result<Vault> {
    use sea_orm::{EntityTrait, PaginatorTrait};
    let secrets = &config.secrets;
    let previous: Vec<&str> = secrets.previous_master_keys.iter().map(Secret::expose).collect();
    if !secrets.master_key.is_empty() {
        let vault = Vault::new(secrets.master_key.expose(), &previous);
        return vault.context("secrets.master_key or secrets.previous_master_keys");
    }
    let file = secrets
        .master_key_file
        .as_deref()
        .context("neither secrets.master_key nor secrets.master_key_file is set; set one of them")?;
    let sealed = crate::entity::sign_key::Entity::find().count(&store.read).await?
        + crate::entity::token_key::Entity::find().count(&store.read).await?;
    let is_new = sealed == 0 && !pepper::is_there(&store.read).await?;
    Vault::from_file(file, is_new, &previous)
}

/// Where the store lies, for messages.
pub fn store_name(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Sqlite(path) => path.display().to_string(),
        StoreUrl::Postgres(_) => "PostgreSQL".to_owned(),
    }
}
