//! What a store as full as one of years costs: how long a restart takes, what memory it needs, and how long an
//! operator waits for a page. With `--parked` every payment also waits for an endpoint that is paused.

mod asks;
pub mod fill;

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use crate::compare::stage::{Burden, Cast, Stage};
use crate::compare::{Common, Through};
use crate::fanout::{self, Fresh, Outside, endpoints};
use crate::process::usage;
use crate::report::{self, About, mib};
use crate::{call, cast};

use asks::Asked;

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
    let (mut stage, _outside) = paid(common, args.parked).await?;
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
    let pages = asks::ask(gateway, args.orders / 2, args.times).await?;
    let peak_memory_mib = mib(stage.peak_memory(Through::Gateway));
    stage.still_run()?;
    let found = Found { about: stage.about(), orders, due, restart_ms, memory_mib, peak_memory_mib, pages };
    drop(stage);
    print(&found);
    report::write(common.json.as_deref(), "stored", &found)
}

/// A gateway with an order of each merchant that was paid and told of, and the upstream and shops. `parked`: each also
/// waits for an endpoint that is paused.
pub async fn paid(common: &Common, parked: bool) -> anyhow::Result<(Stage, Outside)> {
    let outside = Outside::open().await?;
    let merchants = outside.merchants(common.merchants);
    let cast = Cast { merchants, upstream: Some(outside.upstream), burden: Burden::default() };
    let mut stage = Stage::set_with(common, &[Through::Gateway], cast).await?;
    let gateway = stage.address(Through::Gateway).context("it was not started")?;
    for id in endpoints::register(gateway, outside.shops, u32::from(parked)).await? {
        call::post(gateway, &format!("/v1/endpoints/{id}/pause"), cast::API_KEY, "").await?;
    }
    let fresh = Fresh { notices: common.merchants, connections: 1, rate: None, share: (1, 1) };
    fanout::measure(&mut stage, &outside, fresh, 0).await?;
    Ok((stage, outside))
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
