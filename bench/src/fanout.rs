//! Notices in at the callback, events out to shops: how many deliveries a second, and how long from a notice to its
//! acknowledgement by the shop; with all shops well, or one of them not. Beside it, in the same run, what nginx
//! passes on of orders.

pub mod endpoints;
mod notices;
mod receivers;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use tokio::net::TcpListener;

use crate::cast::{self, Merchant};
use crate::compare::stage::{Burden, Cast, Stage};
use crate::compare::{Common, Settings, Through};
use crate::load::{Load, drive};
use crate::report::{Measured, Report};
use crate::stub;

use notices::Orders;
pub use receivers::Fault;
use receivers::Receivers;

/// After so long without a delivery the rest is given up.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub struct FanoutArgs {
    #[command(flatten)]
    common: Common,
    /// Receivers, each an endpoint of its own; every order is for one of them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    endpoints: u32,
    /// Endpoints registered besides, each of which hears every event, as Standard Webhooks
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=20))]
    each: u32,
    /// What is the matter with the first of the receivers
    #[arg(long, value_enum)]
    fault: Option<Fault>,
    /// Notices in each measurement; their orders are placed before the clock starts
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    notices: u32,
    /// Open connections to the callback
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4000))]
    connections: u16,
    /// Notices per second, sent at fixed times (open loop); as fast as answers come unless given
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
}

/// The upstream and the shops, in this program.
pub struct Outside {
    pub shops: SocketAddr,
    pub orders: Rc<Orders>,
    pub receivers: Rc<Receivers>,
    pub upstream: SocketAddr,
}

impl Outside {
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the upstream")?;
        let upstream = listener.local_addr()?;
        let orders = Rc::new(Orders::default());
        let opening = Rc::clone(&orders);
        let opened: stub::Opened = Box::new(move |_, id, create| opening.opened(id, create));
        tokio::task::spawn_local(stub::accept_and_tell(listener, Some(opened)));
        let (receivers, shops) = Receivers::listen().await?;
        Ok(Self { shops, orders, receivers, upstream })
    }

    /// Merchants that hear of payments at the shops, each at a path of its own.
    pub fn merchants(&self, count: u32) -> Vec<Merchant> {
        let mut merchants = cast::merchants(count);
        for (merchant, number) in merchants.iter_mut().zip(1..) {
            merchant.notify_url = format!("http://{}/notify/{number}", self.shops);
        }
        merchants
    }
}

pub async fn fanout(args: FanoutArgs) -> anyhow::Result<()> {
    ensure!(
        args.fault.is_none() || args.endpoints > 1,
        "with --fault there must be others: give --endpoints 2 or more"
    );
    let common = &args.common;
    let outside = Outside::open().await?;
    let mut merchants = outside.merchants(args.endpoints);
    if let Some(fault) = args.fault {
        merchants[0].notify_url = format!("http://{}/notify/1", receivers::faulty(fault).await?);
    }
    let cast = Cast { merchants, upstream: Some(outside.upstream), burden: Burden::default() };
    let mut stage = Stage::set_with(common, &[Through::Nginx, Through::Gateway], cast).await?;
    if args.each > 0 {
        let gateway = stage.address(Through::Gateway).context("it was not started")?;
        endpoints::register(gateway, outside.shops, args.each).await?;
    }
    let settings = Settings {
        what: "fanout",
        unit: "deliveries",
        store: Some(common.store),
        connections: args.connections,
        rate: args.rate,
        seconds: common.seconds,
        warm_up_seconds: common.warm_up,
        runs: common.runs,
        merchants: args.endpoints,
        each: args.each,
        burden: Burden::default(),
        fault: args.fault,
    };
    let load = Load {
        connections: args.connections.into(),
        window: Duration::from_secs(common.seconds),
        rate: None,
    };
    // Orders go round the merchants; what is for the one that is not well is not waited for.
    let well = args.endpoints - u32::from(args.fault.is_some());
    let fresh = Fresh {
        notices: args.notices,
        connections: args.connections,
        rate: args.rate,
        share: (well + args.endpoints * args.each, args.endpoints),
    };
    let mut report = Report::new(settings, stage.about());
    for run in 1..=common.runs {
        if stage.has(Through::Nginx) {
            eprintln!("run {run} of {}: nginx …", common.runs);
            let warm_up = Duration::from_secs(common.warm_up);
            report.add(stage.measure(run, Through::Nginx, load, warm_up).await?);
        }
        eprintln!("run {run} of {}: {} notices …", common.runs, args.notices);
        report.add(measure(&mut stage, &outside, fresh, run).await?);
    }
    drop(stage);
    report.print();
    report.write(common.json.as_deref())
}

/// Notices, and what they are to lead to.
#[derive(Debug, Clone, Copy)]
pub struct Fresh {
    pub notices: u32,
    /// Open connections to the callback.
    pub connections: u16,
    /// Notices per second; none is closed loop.
    pub rate: Option<u32>,
    /// Deliveries that are waited for, for so many notices.
    pub share: (u32, u32),
}

/// Place orders, send their notices, and wait for what is told of them.
pub async fn measure(
    stage: &mut Stage,
    outside: &Outside,
    fresh: Fresh,
    run: u32,
) -> anyhow::Result<Measured> {
    stage.place(fresh.notices.try_into()?, || outside.orders.count()).await?;
    let notices = Rc::new(outside.orders.notices());
    outside.receivers.expect(&notices);
    let callback = stage.address(Through::Gateway).context("it was not started")?;
    let window = fresh.rate.map_or(Duration::from_mins(10), |rate| {
        Duration::from_secs_f64(f64::from(fresh.notices) / f64::from(rate))
    });
    let load = Load { connections: fresh.connections.into(), window, rate: fresh.rate };
    let before = stage.cpu_seconds(Through::Gateway);
    let began = Instant::now();
    let taken = drive(callback, &notices, load).await?;
    ensure!(taken.failed() == 0, "notices were not taken: {:?}", taken.errors);
    let (deliveries, of) = fresh.share;
    let awaited = notices.count() as u64 * u64::from(deliveries) / u64::from(of);
    let (mut tally, last, twice) = outside.receivers.all(awaited, PATIENCE).await;
    let used = stage.cpu_seconds(Through::Gateway);
    tally.elapsed = last.duration_since(began);
    tally.count("delivered twice", twice);
    tally.count("not delivered", awaited.saturating_sub(tally.accepted()));
    stage.still_run()?;
    let cpu =
        used.into_iter().map(|(name, used)| (name, used - before.get(name).copied().unwrap_or_default()));
    let memory = stage.peak_memory(Through::Gateway);
    Ok(Measured::new(run, Through::Gateway, &tally, cpu.collect(), memory, 0))
}
