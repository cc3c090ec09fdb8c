//! The `scangate` command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use gateway::app::{self, App, Opened};
use gateway::client::{self, ClientCommand};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::directory::setup::{Description, Workshop};
use gateway::store::{Access, Opening, Store};
use gateway::{api, backup, contract, demo, lifecycle, server, telemetry};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A multi-tenant payment gateway in front of ScanForPay
#[derive(Parser)]
#[command(name = "scangate", version, arg_required_else_help = true)]
struct Arguments {
    /// Configuration file; every setting is explained in the one `scangate config --defaults` prints
    #[arg(long, global = true, env = "SCANGATE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "made once, from the command line")]
enum Command {
    /// Run the gateway
    Serve,
    /// Run gateway, sandbox and a shop in one process, with everything made for a first order
    Demo(demo::DemoArgs),
    /// Send signed requests as a merchant's system does
    #[command(subcommand)]
    Client(ClientCommand),
    /// Make the platforms, accounts, merchants, stores and operators that a TOML file names and the store lacks
    Apply { file: PathBuf },
    /// Print the configuration in force, secrets hidden
    Config {
        /// Print the commented defaults instead
        #[arg(long)]
        defaults: bool,
    },
    /// Print the contract (OpenAPI 3.1, YAML)
    Openapi,
    /// Bring the store's schema up to date and exit
    Migrate,
    /// Write a consistent copy of a SQLite store to a new file; the gateway may be running
    Backup { file: PathBuf },
    /// Put a backup in the place of a SQLite store that is gone
    Restore {
        file: PathBuf,
        /// Only check that the backup is whole and that the master key opens its secrets
        #[arg(long)]
        verify: bool,
    },
    /// The master key, without which no sign key in the store can be read again
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Print the master key, to be kept in escrow away from the store's backups
    Export,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word to the person at the terminal")]
fn complain(error: &anyhow::Error) {
    eprintln!("scangate: {error:#}");
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Serve => serve(file).await?,
        Command::Demo(args) => {
            telemetry::start(&Config::default().log)?;
            let stop = CancellationToken::new();
            lifecycle::signals(stop.clone())?;
            demo::run(&args, stop).await?;
        }
        Command::Client(command) => return client::run(command).await,
        Command::Apply { file: description } => apply(file, &description).await?,
        Command::Config { defaults: true } => print(gateway::config::DEFAULTS),
        Command::Config { defaults: false } => print(&Config::load(file)?.effective_toml()),
        Command::Openapi => print(&contract::yaml(&api::document())),
        Command::Migrate => {
            let config = Config::load(file)?;
            Store::open(&opening(&config)).await?;
            print("the schema is up to date\n");
        }
        Command::Backup { file: target } => {
            backup::backup(&Config::load(file)?, &target).await?;
            print(&format!("written and checked: {}\n", target.display()));
        }
        Command::Restore { file: source, verify } => restore(&Config::load(file)?, &source, verify).await?,
        Command::Key(KeyCommand::Export) => export_key(&Config::load(file)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer to the command")]
fn print(text: &str) {
    print!("{text}");
}

fn opening(config: &Config) -> Opening {
    Opening { url: config.store.url.clone(), readers: config.store.readers, access: Access::Own }
}

async fn serve(file: Option<&Path>) -> anyhow::Result<()> {
    let config = Config::load_to_serve(file)?;
    telemetry::start(&config.log)?;
    let stop = CancellationToken::new();
    lifecycle::signals(stop.clone())?;
    let public = lifecycle::bind(config.server.listen, "server.listen").await?;
    let ops = lifecycle::bind(config.server.ops_listen, "server.ops_listen").await?;
    let running = server::start(config, Clock::system(), public, ops, stop).await?;
    let server = &running.app.config.server;
    tracing::info!(
        listen = %server.listen, ops_listen = %server.ops_listen, store = app::store_name(&running.app.config.store.url),
        "serving"
    );
    if running.app.directory.is_empty() {
        tracing::warn!("there are no merchants yet; make some with `scangate apply FILE`");
    }
    running.finish().await?;
    tracing::info!("stopped in good order");
    Ok(())
}

async fn apply(file: Option<&Path>, description: &Path) -> anyhow::Result<()> {
    let config = Config::load(file)?;
    let described = read_description(description)?;
    let Opened { app, worker, writers } = App::open(config, Clock::system(), Vec::new()).await?;
    drop(worker);
    let made = Workshop::of(&app).make(&described).await;
    // The made keys are shown whatever comes of closing.
    drop(app.store.read.close_by_ref().await);
    writers.finish().await;
    print(&format!("{}\n", serde_json::to_string_pretty(&made?)?));
    Ok(())
}

/// Its errors name a line and do not show it: the line may hold a sign key.
fn read_description(file: &Path) -> anyhow::Result<Description> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    toml::from_str(&text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let (number, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
        let line = text[start..].trim_start();
        let what = if ["sign_key", "password"].iter().any(|secret| line.starts_with(secret)) {
            "this is not text in quotes"
        } else {
            error.message()
        };
        anyhow::anyhow!("{} line {number}: {what}", file.display())
    })
}

async fn restore(config: &Config, source: &Path, verify: bool) -> anyhow::Result<()> {
    if verify {
        backup::verify(config, source).await?;
        print(&format!("{} is whole, and the master key opens its secrets\n", source.display()));
    } else {
        backup::restore(config, source).await?;
        print(&format!("restored from {}\n", source.display()));
    }
    Ok(())
}

fn export_key(config: &Config) -> anyhow::Result<()> {
    let secrets = &config.secrets;
    if !secrets.master_key.is_empty() {
        print(&format!("{}\n", secrets.master_key.expose()));
        return Ok(());
    }
    let file = secrets.master_key_file.as_deref().context("secrets.master_key_file is not set")?;
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the master key file {}", file.display()))?;
    print(&text);
    Ok(())
}
