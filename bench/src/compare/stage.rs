//! The servers of one comparison, and one measurement through one of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use tempfile::TempDir;

use crate::cast::{self, Merchant};
use crate::load::{Load, drive};
use crate::now;
use crate::order::{Batch, OnlyReady, Serials};
use crate::process::{Server, usage};
use crate::report::{About, Measured};
use crate::servers::gateway::{self, Gateway, Home};
use crate::servers::{nginx, postgres, stub};
use crate::stored::fill;

use super::{Common, Store, Through};

/// `f_type` of a file system in memory, from statfs(2).
const TMPFS: u64 = 0x0102_1994;
/// The longest that orders are placed in one go.
const PLACING: Duration = Duration::from_mins(10);
/// Orders made ready for each one that the warm-up's rate lets expect.
const READY_MARGIN: f64 = 1.5;

/// Dropped in this order: who calls goes before who is called, the folder last.
pub struct Stage {
    gateway: Option<Gateway>,
    burdened: Option<Gateway>,
    postgres: Option<Server>,
    nginx: Option<(Server, SocketAddr)>,
    stub: (Server, SocketAddr),
    program: Option<PathBuf>,
    nginx_version: Option<String>,
    in_memory: bool,
    merchants: Vec<Merchant>,
    serials: Rc<Serials>,
    _folder: TempDir,
}

/// Who takes part besides the servers.
pub struct Cast {
    pub merchants: Vec<Merchant>,
    /// Where the gateway's upstream is; `None`: it is the stub that is beside nginx, too.
    pub upstream: Option<SocketAddr>,
    /// What a second gateway bears beside the first.
    pub burden: Burden,
}

/// What a gateway bears besides the load.
#[derive(Debug, Clone, Copy, Default, Args, Serialize)]
pub struct Burden {
    /// Measure, in turn, a second gateway that has so many orders stored
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub stored: u64,
    /// Measure, in turn, a second gateway with so many consoles attached
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub consoles: u32,
}

impl Burden {
    pub fn is_none(self) -> bool {
        self.stored == 0 && self.consoles == 0
    }
}

impl Stage {
    /// Start what `turns` need.
    pub async fn set(common: &Common, turns: &[Through], burden: Burden) -> anyhow::Result<Self> {
        let merchants = cast::merchants(common.merchants);
        Self::set_with(common, turns, Cast { merchants, upstream: None, burden }).await
    }

    pub async fn set_with(common: &Common, turns: &[Through], cast: Cast) -> anyhow::Result<Self> {
        let program = match (&common.scangate, turns.contains(&Through::Gateway)) {
            (_, false) => None,
            (Some(program), true) => {
                Some(program.canonicalize().with_context(|| format!("no {}", program.display()))?)
            }
            (None, true) => Some(gateway::build("gateway", "scangate")?),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix("scangate-bench-");
        let folder = match &common.folder {
            Some(parent) => builder.tempdir_in(parent.canonicalize()?)?,
            None => builder.tempdir()?,
        };
        let Cast { merchants, upstream, burden } = cast;
        let stub = stub(folder.path()).await?;
        let nginx_version = if turns.contains(&Through::Nginx) { nginx::version()? } else { None };
        let nginx = match &nginx_version {
            Some(_) => Some(nginx::start(folder.path(), stub.1).await?),
            None => None,
        };
        if turns.contains(&Through::Nginx) && nginx.is_none() {
            eprintln!("nginx is not installed here; measuring without it");
        }
        let (postgres, url) = match (common.store, &program) {
            (Store::Postgres, Some(_)) => {
                let (server, url) = postgres::start(folder.path(), common.postgres.as_deref()).await?;
                (Some(server), Some(url))
            }
            _ => (None, None),
        };
        let home = |program, name, url: Option<&str>| {
            Home::make(program, (folder.path(), name), upstream.unwrap_or(stub.1), url, &merchants)
        };
        let gateway = match &program {
            Some(program) => Some(home(program, "gateway", url.as_deref())?.serve().await?),
            None => None,
        };
        let serials = Rc::new(Serials::starting(now()));
        let burdened = match &program {
            Some(program) if !burden.is_none() => {
                let url = match &url {
                    Some(url) => Some(postgres::another(url, "burdened").await?),
                    None => None,
                };
                let gateway = home(program, "burdened", url.as_deref())?.serve().await?;
                Some(bear(gateway, burden, &serials, &merchants).await?)
            }
            _ => None,
        };
        let in_memory = is_in_memory(folder.path())?;
        if in_memory && gateway.is_some() {
            eprintln!(
                "{} is in memory, where durable writes cost nothing: use --folder",
                folder.path().display()
            );
        }
        Ok(Self {
            gateway,
            burdened,
            postgres,
            nginx,
            stub,
            program,
            nginx_version,
            in_memory,
            merchants,
            serials,
            _folder: folder,
        })
    }

    pub fn has(&self, through: Through) -> bool {
        self.address(through).is_some()
    }

    pub fn about(&self) -> About {
        About::this_machine(self.program.clone(), self.nginx_version.clone(), self.in_memory)
    }

    pub fn address(&self, through: Through) -> Option<SocketAddr> {
        match through {
            Through::Nothing => Some(self.stub.1),
            Through::Nginx => self.nginx.as_ref().map(|(_, address)| *address),
            Through::Gateway => self.gateway.as_ref().map(|gateway| gateway.home.address),
            Through::Burdened => self.burdened.as_ref().map(|gateway| gateway.home.address),
        }
    }

    /// Warm up, make orders ready, measure.
    pub async fn measure(
        &mut self,
        run: u32,
        through: Through,
        load: Load,
        warm_up: Duration,
    ) -> anyhow::Result<Measured> {
        let address = self.address(through).context("it was not started")?;
        let cold = Rc::new(Batch::sign(&self.serials, &self.merchants, 0, now()));
        let warm = drive(address, &cold, Load { window: warm_up, ..load }).await?;
        ensure!(
            warm.accepted() > 0,
            "no order was accepted in the warm-up through {}: {:?}",
            through.as_str(),
            warm.errors
        );
        let batch = Batch::sign(&self.serials, &self.merchants, expected(warm.per_second(), load), now());
        let batch = Rc::new(batch);

        let before = self.cpu_seconds(through);
        let tally = drive(address, &batch, load).await?;
        let cpu_seconds: BTreeMap<&'static str, f64> = self
            .cpu_seconds(through)
            .into_iter()
            .map(|(name, after)| (name, after - before.get(name).copied().unwrap_or_default()))
            .collect();
        self.still_run()?;
        Ok(Measured::new(run, through, &tally, cpu_seconds, self.peak_memory(through), batch.late()))
    }

    /// Place orders through the gateway until `placed` says there are so many.
    pub async fn place(&mut self, count: usize, placed: impl Fn() -> usize) -> anyhow::Result<()> {
        let address = self.address(Through::Gateway).context("it was not started")?;
        let load = Load { connections: 64, window: PLACING, rate: None };
        while placed() < count {
            let missing = count - placed();
            let batch = Batch::sign(&self.serials, &self.merchants, missing, now());
            let tally = drive(address, &Rc::new(OnlyReady(batch)), load).await?;
            ensure!(tally.accepted() > 0, "no order was accepted: {:?}", tally.errors);
        }
        Ok(())
    }

    /// Seconds used so far: by what is measured, and for information by driver and stub.
    pub fn cpu_seconds(&self, through: Through) -> BTreeMap<&'static str, f64> {
        let used = |server: &Server| usage::cpu_seconds(server.pid());
        let mut seconds = BTreeMap::new();
        seconds.insert("stub", used(&self.stub.0));
        seconds.insert("driver", usage::own_cpu_seconds());
        if let (Through::Nginx, Some((nginx, _))) = (through, &self.nginx) {
            seconds.insert("nginx", used(nginx));
        }
        if let Some(gateway) = self.gateway_of(through) {
            seconds.insert("gateway", used(&gateway.server));
            seconds.extend(self.postgres.as_ref().map(|postgres| ("postgres", used(postgres))));
        }
        seconds
    }

    /// Of nginx's or the gateway's own processes. PostgreSQL's share most of their memory, so that neither sum
    /// nor largest would mean anything.
    pub fn peak_memory(&self, through: Through) -> u64 {
        let nginx = || self.nginx.as_ref().map(|(server, _)| server);
        let server = match through {
            Through::Nothing => Some(&self.stub.0),
            Through::Nginx => nginx(),
            Through::Gateway | Through::Burdened => self.gateway_of(through).map(|gateway| &gateway.server),
        };
        server.map_or(0, |server| usage::peak_memory(server.pid()))
    }

    pub fn gateway_of(&self, through: Through) -> Option<&Gateway> {
        match through {
            Through::Gateway => self.gateway.as_ref(),
            Through::Burdened => self.burdened.as_ref(),
            Through::Nothing | Through::Nginx => None,
        }
    }

    /// Stop the gateway, do something, and start it again; how long it took until it was ready.
    pub async fn restart(
        &mut self,
        meanwhile: impl AsyncFnOnce(&Home) -> anyhow::Result<()>,
    ) -> anyhow::Result<Duration> {
        let home = self.gateway.take().context("it was not started")?.stop();
        meanwhile(&home).await?;
        let began = Instant::now();
        self.gateway = Some(home.serve().await?);
        Ok(began.elapsed())
    }

    /// Kill the gateway with no time to do anything, and start it again.
    pub async fn crash(&mut self) -> anyhow::Result<()> {
        let gateway = self.gateway.take().context("it was not started")?;
        self.gateway = Some(gateway.kill()?.serve().await?);
        Ok(())
    }

    pub fn still_run(&mut self) -> anyhow::Result<()> {
        let gateways = [&mut self.gateway, &mut self.burdened].into_iter().flatten();
        let nginx = self.nginx.iter_mut().map(|(server, _)| server);
        let optional = gateways.map(|gateway| &mut gateway.server).chain(nginx);
        for server in optional.chain(&mut self.postgres).chain([&mut self.stub.0]) {
            server.still_runs()?;
        }
        Ok(())
    }
}

/// Put on `gateway` what it is to bear.
async fn bear(
    mut gateway: Gateway,
    burden: Burden,
    serials: &Rc<Serials>,
    merchants: &[Merchant],
) -> anyhow::Result<Gateway> {
    if burden.stored > 0 {
        let batch = Batch::sign(serials, merchants, merchants.len(), now());
        let load = Load { connections: 1, window: PLACING, rate: None };
        drive(gateway.home.address, &Rc::new(OnlyReady(batch)), load).await?;
        let home = gateway.stop();
        eprintln!("storing {} orders …", burden.stored);
        fill::fill(&home.store, burden.stored).await?;
        gateway = home.serve().await?;
    }
    gateway.watch(burden.consoles).await?;
    Ok(gateway)
}

/// How many orders to have ready.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are positive and small")]
fn expected(per_second: f64, load: Load) -> usize {
    let per_second = load.rate.map_or(per_second * READY_MARGIN, f64::from);
    (per_second * load.window.as_secs_f64()).ceil() as usize
}

fn is_in_memory(folder: &Path) -> anyhow::Result<bool> {
    match rustix::fs::statfs(folder) {
        Ok(found) => Ok(u64::try_from(found.f_type).is_ok_and(|kind| kind == TMPFS)),
        Err(error) => bail!("cannot look at {}: {error}", folder.display()),
    }
}
