//! `scangate statement`: reconciliation from the command line.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use jiff::civil::Date;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter};

use super::report::{self, Format};
use super::sweep::{Asker, TOGETHER, sweep};
use super::{Columns, Period, Scratch, check, columns};
use crate::config::Config;
use crate::entity::account;
use crate::orders::asking::Word;
use crate::store::{Access, Opening, Store};

/// How a check ends that found differences: apart from errors (1) and from wrong arguments (2).
const DIFFERS: u8 = 3;

#[derive(Subcommand)]
pub enum StatementCommand {
    /// Compare statements of ScanForPay's with our orders and refunds; exit code 0: they agree, 3: they differ
    Check(CheckArgs),
    /// Print how a statement's columns are named and its words read, commented
    Columns,
}

#[derive(Args)]
pub struct CheckArgs {
    /// CSV files, which count as one statement; `-` is standard input
    #[arg(required_unless_present = "sweep")]
    files: Vec<PathBuf>,
    /// The account that the statement is of: its name or its id
    #[arg(long)]
    account: String,
    /// The day on which the payments were made, such as 2026-09-21; the first one, with --through
    #[arg(long)]
    day: Date,
    /// The last day that the statements cover; absent: the day
    #[arg(long)]
    through: Option<Date>,
    /// A payment may be listed so many days later: 2 for T+2. Those not due by the last day are counted, and no difference
    #[arg(long)]
    settlement_days: Option<u8>,
    /// A TOML file with how the columns are named; `scangate statement columns` prints the defaults
    #[arg(long)]
    columns: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Ask ScanForPay about the orders that differ in status, or are missing on one side; its answers settle them
    #[arg(long)]
    query: bool,
    /// Instead of a statement: ask ScanForPay about every order of these days, within the account's budget
    #[arg(long, conflicts_with_all = ["files", "query"])]
    sweep: bool,
}

pub async fn run(command: StatementCommand, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let args = match command {
        StatementCommand::Columns => {
            io::stdout().write_all(columns::DEFAULTS.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        StatementCommand::Check(args) => args,
    };
    let config = Config::load(config)?;
    let columns = columns_of(&args)?;
    let period = Period::new(args.day, args.through.unwrap_or(args.day), &columns)?;
    let mut scratch = Scratch::new()?;
    for file in &args.files {
        load(&mut scratch, file, &columns)?;
    }
    let opening = Opening { url: config.store.url.clone(), readers: 1, access: Access::Look };
    let store = Store::open(&opening).await?;
    let account = account_of(&store, &args.account).await?;
    if args.sweep {
        let asker = Asker::open(config).await?;
        let swept = sweep(&store.read, account, &period, &asker, &mut scratch).await;
        asker.close().await;
        swept?;
    } else {
        check(&store.read, account, &period, &columns, &mut scratch).await?;
        if args.query {
            ask(config, &mut scratch).await?;
        }
    }
    let out = io::BufWriter::new(io::stdout().lock());
    report::write(&mut scratch, args.format, out)?;
    Ok(if scratch.summary.agrees() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERS) })
}

fn columns_of(args: &CheckArgs) -> anyhow::Result<Columns> {
    let mut columns = match &args.columns {
        None => Columns::default(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            Columns::read(&text).with_context(|| file.display().to_string())?
        }
    };
    columns.settlement_days = args.settlement_days.unwrap_or(columns.settlement_days);
    Ok(columns)
}

fn load(scratch: &mut Scratch, file: &Path, columns: &Columns) -> anyhow::Result<()> {
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).with_context(|| format!("reading {}", file.display()))?)
    };
    scratch.load(io::BufReader::new(reader), columns).with_context(|| file.display().to_string())
}

/// The one account of this id or name.
async fn account_of(store: &Store, named: &str) -> anyhow::Result<account::Model> {
    let column = account::Column::Id.eq(named).or(account::Column::Name.eq(named));
    // Across tenants: who may run commands on the machine may see all of them.
    let mut found = account::Entity::find().filter(column).all(&store.read).await?;
    match (found.pop(), found.len()) {
        (Some(account), 0) => Ok(account),
        (Some(account), _) => {
            let ids: Vec<String> = found.into_iter().chain([account]).map(|account| account.id).collect();
            bail!("several platforms have an account {named:?}; say which by its id: {}", ids.join(", "))
        }
        (None, _) => bail!("there is no account {named:?}; `scangate apply` made it by a name"),
    }
}

/// Ask about what differs, and say with each difference what came of it.
async fn ask(config: Config, scratch: &mut Scratch) -> anyhow::Result<()> {
    let asker = Asker::open(config).await?;
    let asked = ask_about(&asker, scratch).await;
    asker.close().await;
    asked
}

async fn ask_about(asker: &Asker, scratch: &mut Scratch) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let orders = scratch.to_ask_about(&after, TOGETHER)?;
        let Some(last) = orders.last() else { return Ok(()) };
        after.clone_from(last);
        for said in asker.ask_patiently(orders.into_iter().collect()).await? {
            let next = match &said.said {
                Word::Nothing | Word::Over(_) => {
                    scratch.summary.unanswered += 1;
                    "asked: ScanForPay did not say; try again".to_owned()
                }
                Word::Held => "asked: what ScanForPay says differs, and is among the held facts".to_owned(),
                Word::Claim(claim) => {
                    let claim = claim.as_deref().unwrap_or("nothing that is known");
                    format!(
                        "asked: ScanForPay says {claim}; the order was {}, and is {}",
                        said.before, said.after
                    )
                }
            };
            scratch.say_next(&said.order_id, &next)?;
        }
    }
}
