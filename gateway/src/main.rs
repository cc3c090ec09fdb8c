//! The `scangate` command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use gateway::app;
use gateway::client::{self, ClientCommand};
use gateway::clock::Clock;
use gateway::config::Config;
use gateway::control::operator::OperatorCommand;
use gateway::control::{self, Outcome};
use gateway::directory::setup;
use gateway::statements::command::StatementCommand;
use gateway::{alone, api, backup, contract, demo, lifecycle, server, statements, telemetry};
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
    /// Run the sandbox alone: a ScanForPay of your own to develop against, with faults on demand
    Sandbox(alone::SandboxArgs),
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
    /// Reconcile ScanForPay's statements with what is here
    #[command(subcommand)]
    Statement(StatementCommand),
    /// The people at the console
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// The master key, without which no sign key in the store can be read again, and the keys of tokens
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Print the master key, to be kept in escrow away from the store's backups; while it is rotated, the newest first
    Export,
    /// Seal secrets with a new master key, and those that are sealed already in the background
    RotateMaster,
    /// End the rotation: let go of the previous master key once it seals nothing any more
    DropPrevious,
    /// Sign tokens with a new key; tokens made with the old one stay good until they end
    RotateToken,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let code = runtime.block_on(run(arguments)).unwrap_or_else(|error| {
        complain(&error);
        ExitCode::FAILURE
    });
    // What had to be finished is finished. A command that failed half-way waits for nobody, not for the ledger either:
    // what is on disk is whole at any moment.
    runtime.shutdown_background();
    Ok(code)
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
            demo::run(&args, file, stop).await?;
        }
        Command::Sandbox(args) => {
            if let Some(listing) = args.listing() {
                print(&listing);
                return Ok(ExitCode::SUCCESS);
            }
            telemetry::start(&Config::default().log)?;
            let stop = CancellationToken::new();
            lifecycle::signals(stop.clone())?;
            alone::run(&args, stop).await?;
        }
        Command::Client(command) => return client::run(command).await,
        Command::Apply { file: description } => {
            let toml = read_description(&description)?;
            give(Config::load(file)?, control::Command::Apply { toml }).await?;
        }
        Command::Config { defaults: true } => print(gateway::config::DEFAULTS),
        Command::Config { defaults: false } => print(&Config::load(file)?.effective_toml()),
        Command::Openapi => print(&contract::yaml(&api::document())),
        Command::Migrate => give(Config::load(file)?, control::Command::Migrate).await?,
        Command::Backup { file: target } => {
            backup::backup(&Config::load(file)?, &target).await?;
            print(&format!("written and checked: {}\n", target.display()));
        }
        Command::Restore { file: source, verify } => restore(&Config::load(file)?, &source, verify).await?,
        Command::Statement(command) => return Box::pin(statements::command::run(command, file)).await,
        Command::Operator(command) => {
            let given = command.read()?;
            let outcome = control::run(Config::load(file)?, given.command).await?;
            print(&control::operator::told(&outcome, &given.done));
        }
        Command::Key(KeyCommand::RotateToken) => {
            give(Config::load(file)?, control::Command::RotateTokenKey).await?;
        }
        Command::Key(KeyCommand::RotateMaster) => {
            give(Config::load(file)?, control::Command::RotateMasterKey).await?;
        }
        Command::Key(KeyCommand::DropPrevious) => {
            give(Config::load(file)?, control::Command::DropPreviousKeys).await?;
        }
        Command::Key(KeyCommand::Export) => export_key(&Config::load(file)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the answer to the command")]
fn print(text: &str) {
    print!("{text}");
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
    running.app.directory.tell_barred();
    if running.app.directory.is_empty() {
        tracing::warn!("there are no merchants yet; make some with `scangate apply FILE`");
    }
    running.finish().await?;
    tracing::info!("stopped in good order");
    Ok(())
}

/// Carry a command out and print what it says.
async fn give(config: Config, command: control::Command) -> anyhow::Result<()> {
    match Box::pin(control::run(config, command)).await? {
        Outcome::Made(made) => print(&format!("{}\n", serde_json::to_string_pretty(&made)?)),
        Outcome::Schema(_) => print("the schema is up to date\n"),
        Outcome::TokenKey(id) => print(&format!("tokens are signed with the key {id}\n")),
        Outcome::MasterKey(id) => print(&format!(
            "secrets are sealed with the master key {id}; the previous one is in the file still, until `scangate key drop-previous`.\nPut a copy of the file into escrow now (`scangate key export`)\n"
        )),
        Outcome::KeysDropped(0) => print(
            "nothing is sealed under a previous master key; one in secrets.previous_master_keys can go from there\n",
        ),
        Outcome::KeysDropped(_) => print(
            "nothing is sealed under the previous master key, and it is no longer in the file; backups from before need it still\n",
        ),
        Outcome::Done | Outcome::Operators(_) | Outcome::Asked(_) => {}
    }
    Ok(())
}

fn read_description(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    setup::read(&text).map_err(|error| anyhow::anyhow!("{} {error}", file.display()))?;
    Ok(text)
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
    let previous =
        || secrets.previous_master_keys.iter().for_each(|key| print(&format!("{}\n", key.expose())));
    if !secrets.master_key.is_empty() {
        print(&format!("{}\n", secrets.master_key.expose()));
        previous();
        return Ok(());
    }
    let file = secrets.master_key_file.as_deref().context("secrets.master_key_file is not set")?;
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the master key file {}", file.display()))?;
    print(&text);
    previous();
    Ok(())
}
