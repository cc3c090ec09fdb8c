//! `scangate demo`: gateway, sandbox and a shop in one process, with everything made that a first order needs.

mod asking;
pub mod file;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use shared::money::Currency;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::client;
use crate::clock::Clock;
use crate::config::{Config, Given, Sources};
use crate::directory::access::Mode;
use crate::directory::operators::Role;
use crate::directory::setup::{
    AccountDescription, ApiKeyDescription, Description, MerchantDescription, OperatorDescription,
    PlatformDescription, StoreDescription, Workshop,
};
use crate::entity::account;
use crate::ledger::{Lane, RowStatement};
use crate::lifecycle;
use crate::server;
use file::DemoFile;

const PLATFORM: &str = "demo";
const ACCOUNT: &str = "sandbox";
const UPSTREAM_PARTNER_NO: &str = "90001";
const PARTNER_NO: &str = "10001";
/// The merchant's stores: number, number at the sandbox, currency.
const STORES: [(&str, &str, &str); 2] =
    [("100010000000002", "900010000000002", "HKD"), ("100010000000003", "900010000000003", "JPY")];
/// Where the shops under development are: this machine, its containers, the office.
const OWN_NETWORKS: &str = r#"["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]"#;

#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder for the store, the master key, demo.json and what the sandbox keeps
    #[arg(long, default_value = "scangate-data")]
    pub data: PathBuf,
    /// Address of the gateway
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of the sandbox, the stand-in for ScanForPay
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub sandbox_listen: SocketAddr,
    /// Address of the operators' listener
    #[arg(long, default_value = "127.0.0.1:8082")]
    pub ops_listen: SocketAddr,
    /// Address of the demo shop, which receives events and prints them
    #[arg(long, default_value = "127.0.0.1:8083")]
    pub shop_listen: SocketAddr,
}

/// Run the demo until `stop`.
/// `settings`: a file of the operator's own, over which the demo puts what it needs.
pub async fn run(args: &DemoArgs, settings: Option<&Path>, stop: CancellationToken) -> anyhow::Result<()> {
    let public = lifecycle::bind(args.listen, "--listen").await?;
    let ops = lifecycle::bind(args.ops_listen, "--ops-listen").await?;
    let sandbox_listener = lifecycle::bind(args.sandbox_listen, "--sandbox-listen").await?;
    let shop_listener = lifecycle::bind(args.shop_listen, "--shop-listen").await?;
    let url = |listener: &tokio::net::TcpListener| {
        Ok::<_, std::io::Error>(format!("http://{}", listener.local_addr()?))
    };
    let (gateway_url, ops_url) = (url(&public)?, url(&ops)?);
    let (sandbox_url, shop_url) = (url(&sandbox_listener)?, url(&shop_listener)?);

    std::fs::create_dir_all(&args.data).with_context(|| {
        format!("the folder {} cannot be made; choose another with --data", args.data.display())
    })?;
    let path = args.data.join("demo.json");
    let is_new = !path.exists();
    let file = DemoFile::read_or_new(&path, &gateway_url, &ops_url, &sandbox_url, &shop_url)?;
    let config = config(settings, &args.data, &gateway_url, &sandbox_url)?;

    // First, so that a folder in use is told by its store. Until the others serve, their callers wait.
    let running = server::start(config, Clock::system(), public, ops, stop).await?;
    let sandbox =
        sandbox::start(sandbox_listener, sandbox_settings(&file, &sandbox_url, &args.data), sandbox_clock())?;
    let shop = sandbox::shop::start(shop_listener, shop_settings(&file)?)?;
    ensure!(
        !is_new || running.app.directory.is_empty(),
        "{} is missing, and with it the keys to what the store holds; put it back, or remove the whole folder to begin anew",
        path.display()
    );
    running.app.directory.tell_barred();
    // Before they are in the store: keys that nobody knows would open nothing.
    file.write(&path)?;
    make(&running.app, &file, &sandbox_url).await?;
    tell(&file, &path, &args.data);
    let ended = running.finish().await;
    shop.stop().await;
    sandbox.stop().await;
    ended
}

fn config(
    settings: Option<&Path>,
    data: &Path,
    gateway_url: &str,
    sandbox_url: &str,
) -> anyhow::Result<Config> {
    let given = |path, value: String| Given { path, value, by: "scangate demo" };
    let data = |name: &str| data.join(name).display().to_string();
    let mut sources = Sources { serving: true, ..Sources::of_this_process(settings) };
    sources.given.extend([
        given("server.public_url", gateway_url.to_owned()),
        given("store.url", format!("sqlite:{}", data("scangate.db"))),
        given("secrets.master_key_file", data("master.key")),
        given("upstream.sandbox_base_urls", format!("[\"{sandbox_url}\"]")),
        given("deliveries.allow_addresses", OWN_NETWORKS.to_owned()),
        given("server.bare_platform", PLATFORM.to_owned()),
    ]);
    Ok(Config::load_from(&sources)?)
}

fn sandbox_clock() -> sandbox::Clock {
    let clock = Clock::system();
    std::sync::Arc::new(move || clock.now())
}

fn sandbox_settings(file: &DemoFile, url: &str, data: &Path) -> sandbox::Settings {
    let stores = STORES.iter().zip(&file.stores).map(|((_, upstream_store_no, _), store)| sandbox::Store {
        store_no: (*upstream_store_no).to_owned(),
        currency: Currency::parse(&store.currency).expect("the demo's currencies are codes"),
        wallets: store.wallets.clone(),
    });
    let partner = sandbox::Partner {
        partner_no: file.upstream.partner_no.clone(),
        sign_key: file.upstream.sign_key.clone(),
        stores: stores.collect(),
    };
    let state_file = Some(data.join("sandbox.json"));
    sandbox::Settings { state_file, ..sandbox::Settings::new(url, vec![partner]) }
}

fn shop_settings(file: &DemoFile) -> anyhow::Result<sandbox::shop::ShopSettings> {
    let asking = asking::Asking::of(file)?;
    Ok(sandbox::shop::ShopSettings {
        partner_no: file.merchant.partner_no.clone(),
        sign_key: file.merchant.sign_key.clone(),
        print: true,
        ask: Some(asking.ask()),
        compare: Some(asking.compare()),
    })
}

/// What the demo's store lacks: everything, on the first start.
async fn make(app: &App, file: &DemoFile, sandbox_url: &str) -> anyhow::Result<()> {
    let account = AccountDescription {
        numbers_of: None,
        name: ACCOUNT.to_owned(),
        base_url: sandbox_url.to_owned(),
        partner_no: file.upstream.partner_no.clone(),
        sign_key: file.upstream.sign_key.clone(),
    };
    let store = STORES.iter().zip(&file.stores).map(|((store_no, upstream_store_no, currency), store)| {
        StoreDescription {
            store_no: (*store_no).to_owned(),
            account: account.name.clone(),
            upstream_store_no: (*upstream_store_no).to_owned(),
            currency: (*currency).to_owned(),
            wallets: store.wallets.clone(),
            time_zone: "Asia/Hong_Kong".to_owned(),
        }
    });
    let merchant = MerchantDescription {
        name: "Demo shop".to_owned(),
        partner_no: file.merchant.partner_no.clone(),
        mode: Mode::Test,
        sign_key: Some(file.merchant.sign_key.clone()),
        allowed_addresses: Vec::new(),
        store: store.collect(),
    };
    let platform = PlatformDescription {
        slug: file.platform.slug.clone(),
        name: Some("Demo".to_owned()),
        account: vec![account],
        merchant: vec![merchant],
        api_key: vec![ApiKeyDescription {
            name: "demo".to_owned(),
            mode: Mode::Test,
            key: Some(file.platform.api_key.clone()),
        }],
    };
    let operator = OperatorDescription {
        name: file.operator.name.clone(),
        password: file.operator.password.clone(),
        role: Role::Admin,
        platform: None,
    };
    let description = Description { platform: vec![platform], operator: vec![operator] };
    Workshop::of(app).make(&description).await?;
    move_account(app, sandbox_url).await?;
    app.reload().await
}

/// The sandbox may listen elsewhere than at the last start.
async fn move_account(app: &App, sandbox_url: &str) -> anyhow::Result<()> {
    let update = Query::update()
        .table(account::Entity)
        .value(account::Column::BaseUrl, sandbox_url)
        .and_where(Expr::col(account::Column::Name).eq(ACCOUNT))
        .and_where(Expr::col(account::Column::BaseUrl).ne(sandbox_url))
        .to_owned();
    app.ledger.room(Lane::Bulk, "directory")?.rows(vec![RowStatement::Update(update)]).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the demo speaks to the person who started it")]
fn tell(file: &DemoFile, path: &Path, data: &Path) {
    let stores: Vec<String> =
        file.stores.iter().map(|store| format!("{} ({})", store.store_no, store.currency)).collect();
    let data = match data.to_string_lossy() {
        usual if usual == "scangate-data" => String::new(),
        other => format!(" --data {}", client::quoted(&other)),
    };
    println!("ScanGate demo is running. Ctrl-C stops it; everything is kept.\n");
    println!(
        "  gateway   {}   (signed routes below {})",
        file.gateway.base_url, file.gateway.signed_base_url
    );
    println!("  REST API  {}/v1   (Authorization: Bearer, with platform.api_key)", file.gateway.base_url);
    println!("  docs      {}", file.gateway.docs_url);
    println!("  sandbox   {}   (stands in for ScanForPay)", file.sandbox.base_url);
    println!("  shop      {}", file.shop.notify_url);
    println!("  operators {}/health", file.gateway.ops_url);
    println!("  merchant  {} with stores {}", file.merchant.partner_no, stores.join(", "));
    println!("  keys and passwords are in {}\n", path.display());
    println!("A first order:\n");
    let program = std::env::args().next().unwrap_or_else(|| "scangate".to_owned());
    let program = client::quoted(&program);
    println!("  {program} client order --demo{data} --wallet Alipay --amount 2100 --currency HKD\n");
}
