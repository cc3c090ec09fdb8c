//! What a store as full as one of years costs: how long a restart takes, what memory it needs, and how long an
//! operator waits for a page. With `--parked` every payment also waits for an endpoint that is paused.

mod asks;
pub mod fill;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::call;
use crate::cast;
use crate::compare::stage::{Burden, Cast, Stage};
use crate::compare::{Common, Through};
use crate::fanout::{Outside, endpoints};
use crate::load::{Load, drive};
use crate::process::usage;
use crate::report::About;

use asks::Asked;

/// For deliveries of the orders that are multiplied.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub struct StoredArgs {
    #[command(flatten)]
    common: Common,
    /// Orders in the store
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    orders: u64,
    /// Every payment waits for an endpoint that is paused, too
    #[arg(long)]
    parked: bool,
    /// How often each page is asked for
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    times: u32,
}

#[derive(Debug, Serialize)]
struct Found {
    about: About,
    orders: i64,
    due: i64,
    /// From its start until the gateway is ready.
    restart_ms: Vec<f64>,
    /// After the restart, before anything is asked.
    memory_mib: f64,
    peak_memory_mib: f64,
    pages: Vec<Asked>,
}

pub async fn stored(args: StoredArgs) -> anyhow::Result<()> {
    let common = &args.common;
    let (outside, shops) = Outside::open().await?;
    let mut merchants = cast::merchants(common.merchants);
    for (merchant, number) in merchants.iter_mut().zip(1..) {
        merchant.notify_url = format!("http://{shops}/notify/{number}");
    }
    let templates = merchants.len();
    let cast = Cast { merchants, upstream: Some(outside.upstream), burden: Burden::default() };
    let mut stage = Stage::set_with(common, &[Through::Gateway], cast).await?;
    let gateway = stage.address(Through::Gateway).context("it was not started")?;
    if args.parked {
        for id in endpoints::register(gateway, shops, 1).await? {
            call::post(
                gateway,
                &format!("/v1/endpoints/{id}/pause"),
                cast::API_KEY,
                "{\"reason\":\"measured\"}",
            )
            .await?;
        }
    }
    stage.place(templates, || outside.orders.count()).await?;
    let notices = Rc::new(outside.orders.notices());
    outside.receivers.expect(&notices);
    drive(gateway, &notices, Load { connections: 1, window: PATIENCE, rate: None }).await?;
    outside.receivers.all(notices.count() as u64, PATIENCE).await;

    eprintln!("storing {} orders …", args.orders);
    let mut restart_ms = Vec::new();
    let (mut orders, mut due) = (0, 0);
    let took = stage
        .restart(async |home| {
            fill::fill(&home.store, args.orders).await?;
            orders = fill::count(&home.store, "orders").await?;
            due = fill::count(&home.store, "deliveries WHERE state = 'due'").await?;
            Ok(())
        })
        .await?;
    restart_ms.push(took.as_secs_f64() * 1_000.0);
    for _ in 1..common.runs {
        let took = stage.restart(async |_| Ok(())).await?;
        restart_ms.push(took.as_secs_f64() * 1_000.0);
    }
    let gateway = stage.gateway_of(Through::Gateway).context("it was not started")?;
    tokio::time::sleep(Duration::from_secs(2)).await; // its workers have looked around
    let memory_mib = mib(usage::memory(gateway.server.pid()));
    let pages = asks::ask(gateway, args.times).await?;
    let peak_memory_mib = mib(stage.peak_memory(Through::Gateway));
    stage.still_run()?;
    let found = Found { about: stage.about(), orders, due, restart_ms, memory_mib, peak_memory_mib, pages };
    drop(stage);
    print(&found);
    let file = common.json.clone().unwrap_or_else(default_file);
    std::fs::create_dir_all(file.parent().context("a file in a folder")?)?;
    std::fs::write(&file, serde_json::to_vec_pretty(&found)?)?;
    eprintln!("written to {}", file.display());
    Ok(())
}

fn default_file() -> PathBuf {
    PathBuf::from("target/bench/stored.json")
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^52")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[expect(clippy::print_stdout, reason = "the table is what the program is for")]
fn print(found: &Found) {
    println!("{} orders stored, {} deliveries due", found.orders, found.due);
    let restarts: Vec<String> = found.restart_ms.iter().map(|ms| format!("{ms:.0}")).collect();
    println!(
        "ready after {} ms; memory then {:.0} MiB, at most {:.0} MiB",
        restarts.join(", "),
        found.memory_mib,
        found.peak_memory_mib
    );
    println!("{}", asks::table(&found.pages));
}
