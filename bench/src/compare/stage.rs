//! The servers of one comparison, and one measurement through one of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::cast::{self, Merchant};
use crate::load::{Load, drive};
use crate::now;
use crate::order::{Batch, OnlyReady, Serials};
use crate::process::{Server, usage};
use crate::report::{About, Measured};
use crate::servers::{gateway, nginx, postgres, stub};

use super::{Common, Store, Through};

/// `f_type` of a file system in memory, from statfs(2).
const TMPFS: u64 = 0x0102_1994;
/// The longest that orders are placed in one go.
const PLACING: Duration = Duration::from_mins(10);
/// Orders made ready for each one that the warm-up's rate lets expect.
const READY_MARGIN: f64 = 1.5;

/// Dropped in this order: who calls goes before who is called, the folder last.
pub struct Stage {
    gateway: Option<(Server, SocketAddr)>,
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
}

impl Stage {
    /// Start what `turns` need.
    pub async fn set(common: &Common, turns: &[Through]) -> anyhow::Result<Self> {
        Self::set_with(common, turns, Cast { merchants: cast::merchants(common.merchants), upstream: None })
            .await
    }

    pub async fn set_with(common: &Common, turns: &[Through], cast: Cast) -> anyhow::Result<Self> {
        let program = match (&common.scangate, turns.contains(&Through::Gateway)) {
            (_, false) => None,
            (Some(program), true) => {
                Some(program.canonicalize().with_context(|| format!("no {}", program.display()))?)
            }
            (None, true) => Some(gateway::build()?),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix("scangate-bench-");
        let folder = match &common.folder {
            Some(parent) => builder.tempdir_in(parent.canonicalize()?)?,
            None => builder.tempdir()?,
        };
        let Cast { merchants, upstream } = cast;
        let stub = stub(folder.path()).await?;
        let nginx_version = if turns.contains(&Through::Nginx) { nginx::version()? } else { None };
        let nginx = match &nginx_version {
            Some(_) => Some(nginx::start(folder.path(), stub.1).await?),
            None => None,
        };
        if turns.contains(&Through::Nginx) && nginx.is_none() {
            eprintln!("nginx is not installed here; measuring without it");
        }
        let (postgres, store) = match (common.store, &program) {
            (Store::Postgres, Some(_)) => {
                let (server, url) = postgres::start(folder.path(), common.postgres.as_deref()).await?;
                (Some(server), url)
            }
            _ => (None, format!("sqlite:{}", folder.path().join("gateway/scangate.db").display())),
        };
        let gateway = match &program {
            Some(program) => Some(
                gateway::start(program, folder.path(), upstream.unwrap_or(stub.1), &store, &merchants)
                    .await?,
            ),
            None => None,
        };
        let in_memory = is_in_memory(folder.path())?;
        if in_memory && gateway.is_some() {
            eprintln!(
                "{} is in memory, where durable writes cost nothing: use --folder",
                folder.path().display()
            );
        }
        let serials = Rc::new(Serials::starting(now()));
        Ok(Self {
            gateway,
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
            Through::Gateway => self.gateway.as_ref().map(|(_, address)| *address),
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
        match (through, &self.nginx, &self.gateway) {
            (Through::Nginx, Some((nginx, _)), _) => drop(seconds.insert("nginx", used(nginx))),
            (Through::Gateway, _, Some((gateway, _))) => {
                seconds.insert("gateway", used(gateway));
                if let Some(postgres) = &self.postgres {
                    seconds.insert("postgres", used(postgres));
                }
            }
            _ => {}
        }
        seconds
    }

    /// Of nginx's or the gateway's own processes. PostgreSQL's share most of their memory, so that neither sum
    /// nor largest would mean anything.
    pub fn peak_memory(&self, through: Through) -> u64 {
        let server = match through {
            Through::Nothing => Some(&self.stub),
            Through::Nginx => self.nginx.as_ref(),
            Through::Gateway => self.gateway.as_ref(),
        };
        server.map_or(0, |(server, _)| usage::peak_memory(server.pid()))
    }

    pub fn still_run(&mut self) -> anyhow::Result<()> {
        let optional = [&mut self.gateway, &mut self.nginx].into_iter().flatten().map(|(server, _)| server);
        for server in optional.chain(&mut self.postgres).chain([&mut self.stub.0]) {
            server.still_runs()?;
        }
        Ok(())
    }
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
