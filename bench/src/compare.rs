//! The comparisons: the same load through different servers to the same stub, taking turns within one run, so
//! that whatever else the machine does meets all of them.

pub mod stage;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::fanout::Fault;
use crate::load::Load;
use crate::report::Report;

use stage::{Burden, Stage};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    Sqlite,
    Postgres,
}

/// What stands between the driver and the stub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Through {
    Nothing,
    Nginx,
    Gateway,
    /// A second one, with something to bear besides the load.
    Burdened,
}

impl Through {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "(stub alone)",
            Self::Nginx => "nginx",
            Self::Gateway => "gateway",
            Self::Burdened => "burdened gateway",
        }
    }
}

#[derive(Debug, Args)]
pub struct Common {
    /// Where the gateway keeps its orders
    #[arg(long, value_enum, default_value = "sqlite")]
    pub store: Store,
    /// How long each measurement lasts
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Load before each measurement that is not measured, in seconds
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub warm_up: u64,
    /// How often everything is measured, taking turns
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub runs: u32,
    /// Merchants, each with a store, that the orders are spread over
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub merchants: u32,
    /// Where the result is written as JSON [default: target/bench/<what>-<store>.json]
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The gateway's binary; built with cargo unless given
    #[arg(long, value_name = "PATH")]
    scangate: Option<PathBuf>,
    /// Where the temporary folder with the databases is made; must be a real disk
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The folder of PostgreSQL's initdb and postgres; looked for unless given
    #[arg(long, value_name = "DIR")]
    postgres: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct OrdersArgs {
    #[command(flatten)]
    common: Common,
    /// Open connections; in a closed loop each has one order under way
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4000))]
    connections: u16,
    /// Orders per second, sent at fixed times (open loop); as fast as answers come unless given
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Measure the stub without anything in front too: what driver and stub can do at most
    #[arg(long)]
    stub_too: bool,
    #[command(flatten)]
    burden: Burden,
    /// Leave the gateway out: what nginx does on this machine
    #[arg(long, conflicts_with_all = ["scangate", "store", "stored", "consoles"])]
    no_gateway: bool,
}

#[derive(Debug, Args)]
pub struct LatencyArgs {
    #[command(flatten)]
    common: Common,
    /// Open connections
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4000))]
    connections: u16,
    /// Orders per second, sent at fixed times
    #[arg(long, value_name = "R", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
}

/// What a comparison was asked to do, as it stands in the result.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    pub what: &'static str,
    /// What is counted of the gateway; of nginx it is orders.
    pub unit: &'static str,
    /// None where the gateway was left out.
    pub store: Option<Store>,
    pub connections: u16,
    /// Orders per second in open loop; none is closed loop.
    pub rate: Option<u32>,
    pub seconds: u64,
    pub warm_up_seconds: u64,
    pub runs: u32,
    pub merchants: u32,
    /// Registered endpoints that hear every event.
    pub each: u32,
    /// Of the second gateway.
    pub burden: Burden,
    /// What is the matter with one of the receivers.
    pub fault: Option<Fault>,
}

pub async fn orders(args: OrdersArgs) -> anyhow::Result<()> {
    let mut turns = Vec::new();
    if args.stub_too {
        turns.push(Through::Nothing);
    }
    turns.push(Through::Nginx);
    if !args.no_gateway {
        turns.push(Through::Gateway);
    }
    if !args.burden.is_none() {
        turns.push(Through::Burdened);
    }
    compare("orders", &args.common, turns, (args.connections, args.rate), args.burden).await
}

pub async fn latency(args: LatencyArgs) -> anyhow::Result<()> {
    let turns = vec![Through::Nothing, Through::Gateway];
    compare("latency", &args.common, turns, (args.connections, Some(args.rate)), Burden::default()).await
}

async fn compare(
    what: &'static str,
    common: &Common,
    mut turns: Vec<Through>,
    (connections, rate): (u16, Option<u32>),
    burden: Burden,
) -> anyhow::Result<()> {
    let mut stage = Stage::set(common, &turns, burden).await?;
    turns.retain(|through| stage.has(*through));
    anyhow::ensure!(
        !turns.is_empty(),
        "nginx is not installed here, and without the gateway nothing is left to measure"
    );
    let settings = Settings {
        what,
        unit: "orders",
        store: turns.contains(&Through::Gateway).then_some(common.store),
        connections,
        rate,
        seconds: common.seconds,
        warm_up_seconds: common.warm_up,
        runs: common.runs,
        merchants: common.merchants,
        each: 0,
        burden,
        fault: None,
    };
    let load = Load { connections: connections.into(), window: Duration::from_secs(common.seconds), rate };
    let warm_up = Duration::from_secs(common.warm_up);
    let mut report = Report::new(settings, stage.about());
    for run in 1..=common.runs {
        for through in &turns {
            eprintln!("run {run} of {}: {} …", common.runs, through.as_str());
            report.add(stage.measure(run, *through, load, warm_up).await?);
        }
    }
    drop(stage);
    report.print();
    report.write(common.json.as_deref())
}
