//! A replay of everything that was ever told, while fresh events go by: started, paused, its gateway killed, resumed,
//! killed again in the middle of it, and cancelled. What is measured is how much longer fresh deliveries take
//! meanwhile; what is shown is how many were sent again that were recorded as sent.

use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::call;
use crate::compare::stage::Stage;
use crate::compare::{Common, Through};
use crate::fanout::{self, Fresh, Outside};
use crate::report::{self, Measured};
use crate::stored::{self, fill};

/// Between two looks at the replay.
const POLL: Duration = Duration::from_millis(200);
/// So long a paused replay is watched.
const WATCH: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub struct ReplayArgs {
    #[command(flatten)]
    common: Common,
    /// Deliveries to be made again
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1000..=10_000_000))]
    deliveries: u64,
    /// Of them, so many a second at most
    #[arg(long, value_name = "R", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pace: u32,
    /// Fresh notices per second meanwhile
    #[arg(long, value_name = "R", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Fresh notices in each measurement
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    notices: u32,
}

/// What the operators' API says of the replay at one moment.
#[derive(Debug, Serialize)]
struct Seen {
    when: &'static str,
    state: String,
    delivered: i64,
    sending: i64,
    /// Requests that the shops have had.
    received: u64,
}

#[derive(Debug, Serialize)]
struct Found {
    total: i64,
    without: Measured,
    with: Measured,
    steps: Vec<Seen>,
    /// Requests beyond the first of an event to the same shop.
    received_again: u64,
}

pub async fn replay(args: ReplayArgs) -> anyhow::Result<()> {
    let common = &args.common;
    let (mut stage, outside) = stored::paid(common, false).await?;
    eprintln!("storing {} orders …", args.deliveries);
    stage.restart(async |home| fill::fill(&home.store, args.deliveries).await).await?;
    let fresh = Fresh { notices: args.notices, connections: 16, rate: Some(args.rate), share: (1, 1) };
    eprintln!("{} fresh notices, nothing else …", args.notices);
    let without = fanout::measure(&mut stage, &outside, fresh, 1).await?;

    let mut replay = Running::preview(&stage, args.pace).await?;
    let total = replay.start(&stage).await?;
    eprintln!("{total} deliveries are made again, and {} fresh notices …", args.notices);
    let with = fanout::measure(&mut stage, &outside, fresh, 2).await?;
    replay.see("started", &stage, &outside).await?;
    replay.step(&stage, "pause").await?;
    tokio::time::sleep(WATCH).await;
    replay.see("paused", &stage, &outside).await?;
    stage.crash().await?;
    tokio::time::sleep(WATCH).await;
    replay.see("paused, killed and started", &stage, &outside).await?;
    replay.step(&stage, "resume").await?;
    tokio::time::sleep(WATCH).await;
    replay.see("resumed", &stage, &outside).await?;
    stage.crash().await?;
    replay.reaches(&stage, total / 2).await?;
    replay.see("killed while it ran, and gone on", &stage, &outside).await?;
    replay.step(&stage, "cancel").await?;
    tokio::time::sleep(WATCH).await;
    replay.see("cancelled", &stage, &outside).await?;
    stage.still_run()?;
    drop(stage);
    let (_, received_again) = outside.receivers.replayed();
    let found = Found { total, without, with, steps: replay.steps, received_again };
    print(&found);
    report::write(common.json.as_deref(), "replay", &found)
}

/// The replay, as its operator has it.
struct Running {
    id: String,
    total: i64,
    steps: Vec<Seen>,
}

impl Running {
    async fn preview(stage: &Stage, pace: u32) -> anyhow::Result<Self> {
        let wanted = json!({ "filter": { "kinds": ["order.paid"] }, "rate": pace, "reason": "measured" });
        let replay = post(stage, "/ops/v1/replays", &wanted).await?;
        let id = replay["id"].as_str().context("a replay without an id")?.to_owned();
        let total = replay["total"].as_i64().context("a replay without a count")?;
        Ok(Self { id, total, steps: Vec::new() })
    }

    async fn start(&self, stage: &Stage) -> anyhow::Result<i64> {
        let path = format!("/ops/v1/replays/{}/start", self.id);
        post(stage, &path, &json!({ "total": self.total })).await?;
        Ok(self.total)
    }

    async fn step(&self, stage: &Stage, step: &str) -> anyhow::Result<()> {
        post(stage, &format!("/ops/v1/replays/{}/{step}", self.id), &Value::Null).await.map(drop)
    }

    async fn now(&self, stage: &Stage) -> anyhow::Result<Value> {
        let gateway = stage.gateway_of(Through::Gateway).context("it was not started")?;
        let token = gateway.log_in().await?;
        call::get(gateway.home.ops, &format!("/ops/v1/replays/{}", self.id), &token).await
    }

    async fn see(&mut self, when: &'static str, stage: &Stage, outside: &Outside) -> anyhow::Result<()> {
        let now = self.now(stage).await?;
        let number = |name: &str| now[name].as_i64().unwrap_or_default();
        let state = now["state"].as_str().unwrap_or_default().to_owned();
        let (received, _) = outside.receivers.replayed();
        let (delivered, sending) = (number("delivered"), number("sending"));
        eprintln!("{when}: {state}, {delivered} delivered");
        self.steps.push(Seen { when, state, delivered, sending, received });
        Ok(())
    }

    /// Wait until so many were delivered.
    async fn reaches(&self, stage: &Stage, delivered: i64) -> anyhow::Result<()> {
        loop {
            let now = self.now(stage).await?;
            ensure!(now["state"] == "running", "the replay is {}", now["state"]);
            if now["delivered"].as_i64() >= Some(delivered) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

async fn post(stage: &Stage, path: &str, body: &Value) -> anyhow::Result<Value> {
    let gateway = stage.gateway_of(Through::Gateway).context("it was not started")?;
    let token = gateway.log_in().await?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    call::post(gateway.home.ops, path, &token, &body).await
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn print(found: &Found) {
    println!("{} deliveries to be made again", found.total);
    for Seen { when, state, delivered, sending, received } in &found.steps {
        println!("{when}: {state}, {delivered} delivered, {sending} on their way, {received} received");
    }
    println!("received a second time: {}", found.received_again);
    let Found { without, with, .. } = found;
    let ms = |measured: &Measured| format!("p50 {:.2} ms, p99 {:.2} ms", measured.p50_ms, measured.p99_ms);
    println!("fresh deliveries without it: {}; beside it: {}", ms(without), ms(with));
}
