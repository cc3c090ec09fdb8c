//! `scangate sandbox`: the sandbox alone, a ScanForPay of one's own to develop against.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sandbox::{Partner, Sandbox, Settings, Times, accounts, kept};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::lifecycle;

/// Who reaches a sandbox can steer it, so it listens on this machine only unless told otherwise.
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Address to listen on. Whoever reaches it can steer the sandbox
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// What payers' browsers and phones reach it by, the base of every payUrl; http:// and the listening address unless
    /// given
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// TOML file of partners with their sign keys and stores: `[[partner]]` with `partner_no` and `sign_key`,
    /// `[[partner.store]]` with `store_no`, `currency` and `wallets`. Without it a partner is made, and its key printed
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// File (mode 0600) that keeps the state across a restart: partners with their keys, and orders with their payments,
    /// refunds and times to pay. Written half a second after a change and at the end. Not kept: faults that wait,
    /// violations, requests seen, and acts of payers that were still to come. Without it every start is a fresh one
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Forget what --state has kept, and begin anew
    #[arg(long, requires = "state")]
    fresh: bool,
    /// Let something go wrong from the start: a name of --list-faults, until it is cleared through the control or, with
    /// :TIMES, so often. Can be given several times
    #[arg(long = "fault", value_name = "NAME[:TIMES]", value_parser = fault)]
    faults: Vec<Fault>,
    /// Print the faults, with the amounts by which a single order asks for one, and exit
    #[arg(long)]
    list_faults: bool,
}

#[derive(Debug, Clone)]
struct Fault {
    name: String,
    times: Times,
}

fn fault(text: &str) -> Result<Fault, String> {
    let (name, times) = match text.split_once(':') {
        None => (text, Times::UntilCleared),
        Some((name, times)) => {
            let times = times.parse().map_err(|_| format!("`{times}` is not a number of times"))?;
            (name, Times::Next(times))
        }
    };
    if !sandbox::faults::catalogue::is_known(name) {
        return Err(format!("no fault is called `{name}`; --list-faults prints their names"));
    }
    Ok(Fault { name: name.to_owned(), times })
}

/// Run the sandbox until `stop`.
pub async fn run(args: &SandboxArgs, stop: CancellationToken) -> anyhow::Result<()> {
    let listener = lifecycle::bind(args.listen, "--listen").await?;
    let address = listener.local_addr()?;
    let state = args.state.as_deref();
    let (partners, are_new) = partners(args)?;
    let public_url = args.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let settings = Settings { state_file: args.state.clone(), ..Settings::new(public_url, partners.clone()) };
    let clock = Clock::system();
    let sandbox = sandbox::start(listener, settings, std::sync::Arc::new(move || clock.now()))?;
    for fault in &args.faults {
        sandbox.control().fault_named(&fault.name, fault.times)?;
    }
    tell(&sandbox, &partners, are_new, state);
    stop.cancelled().await;
    sandbox.stop().await;
    Ok(())
}

impl SandboxArgs {
    /// The faults as a table, if that is all that is asked for.
    pub fn listing(&self) -> Option<String> {
        self.list_faults.then(sandbox::faults::catalogue::markdown)
    }
}

/// Those of the file, else those that were kept, else one that is made; and whether it was.
fn partners(args: &SandboxArgs) -> anyhow::Result<(Vec<Partner>, bool)> {
    if let (Some(state), true) = (&args.state, args.fresh) {
        forget(state)?;
    }
    if let Some(file) = &args.accounts {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let partners =
            accounts::read(&text).map_err(|error| anyhow::anyhow!("{} {error}", file.display()))?;
        return Ok((partners, false));
    }
    let kept = args.state.as_deref().map(kept::partners).transpose()?.flatten();
    Ok(kept.map_or_else(|| (vec![accounts::make()], true), |partners| (partners, false)))
}

fn forget(state: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(state) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", state.display()))
        }
        _ => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "the sandbox speaks to the person who started it")]
fn tell(sandbox: &Sandbox, partners: &[Partner], are_new: bool, state: Option<&Path>) {
    let base = sandbox.base_url();
    let kept = state.map_or_else(
        || "nothing is kept".to_owned(),
        |state| format!("partners and orders are kept in {}", state.display()),
    );
    println!("A ScanForPay of your own is running; no money moves. Ctrl-C stops it; {kept}.\n");
    println!("  base URL    {base}   (instead of https://pay.scanforpay.com)");
    for partner in partners {
        println!("  partnerNo   {}", partner.partner_no);
        if are_new {
            println!("  sign key    {}   (shown this once)", partner.sign_key);
        }
        for store in &partner.stores {
            let wallets: Vec<_> = store.wallets.iter().map(|wallet| wallet.as_str()).collect();
            println!("  storeNo     {}   ({}; {})", store.store_no, store.currency, wallets.join(", "));
        }
    }
    println!("  orders      {base}/");
    println!("  mistakes    {base}/violations");
    println!("  faults      {base}/faults");
    if !sandbox.address().ip().is_loopback() {
        println!("\nWhoever reaches {} can steer this sandbox and read its orders.", sandbox.address());
    }
}
