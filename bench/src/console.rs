//! A console in a terminal, at the list of orders, while everything changes: how long its drawings take, how soon a
//! key is answered, and what memory it needs.

mod terminal;

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::cast;
use crate::compare::stage::{Burden, Cast, Stage};
use crate::compare::{Common, Through};
use crate::fanout::{self, Fresh, Outside};
use crate::process::usage;
use crate::report::{self, About, mib};
use crate::servers::gateway;
use crate::{call, cast::OPERATOR};

use terminal::Terminal;

/// Orders are placed for so long at a time, and then their notices come one by one.
const SLICE: Duration = Duration::from_secs(5);
/// Between two words that are typed.
const PAUSE: Duration = Duration::from_secs(1);
/// Letter by letter, as a fast typist does it.
const BETWEEN_KEYS: Duration = Duration::from_millis(60);
const WORD: &str = "overdue refund";
/// By then a console has all it will ever hold.
const SETTLED: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
pub struct ConsoleArgs {
    #[command(flatten)]
    common: Common,
    /// Orders paid per second: each makes three changes or more, its own and its delivery's
    #[arg(long, value_name = "R", default_value_t = 350, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// The console's binary; built with cargo unless given
    #[arg(long, value_name = "PATH")]
    console: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Found {
    about: About,
    seconds: f64,
    changes: u64,
    changes_per_second: f64,
    drawings: Drawings,
    /// From a key to the screen that shows it, in milliseconds.
    keys: u64,
    key_p50_ms: f64,
    key_p99_ms: f64,
    key_max_ms: f64,
    /// Of one core.
    cpu_share: f64,
    /// After a minute, or after the first few seconds of a shorter run.
    memory_settled_mib: f64,
    memory_end_mib: f64,
    memory_peak_mib: f64,
}

/// As the console has recorded them.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Drawings {
    count: u64,
    mean_us: u64,
    longest_us: u64,
    /// That took longer than a frame may.
    slow: u64,
}

pub async fn console(args: ConsoleArgs) -> anyhow::Result<()> {
    let common = &args.common;
    let program = match &args.console {
        Some(program) => program.canonicalize().with_context(|| format!("no {}", program.display()))?,
        None => gateway::build("admin-tui", "scangate-admin")?,
    };
    let outside = Outside::open().await?;
    let merchants = outside.merchants(common.merchants);
    let cast = Cast { merchants, upstream: Some(outside.upstream), burden: Burden::default() };
    let mut stage = Stage::set_with(common, &[Through::Gateway], cast).await?;
    let gateway = stage.gateway_of(Through::Gateway).context("it was not started")?;
    let changes = count_changes(gateway.home.ops, &gateway.log_in().await?).await?;

    let folder = tempfile::tempdir()?;
    let record = folder.path().join("record");
    let terminal = open(&program, gateway.home.ops, folder.path(), &record)?;
    let pid = terminal.pid()?;
    let is_over = Arc::new(AtomicBool::new(false));
    let typist = type_until(terminal, Arc::clone(&is_over));

    let slice = u32::try_from(SLICE.as_secs())?;
    let fresh = Fresh { notices: args.rate * slice, connections: 16, rate: Some(args.rate), share: (1, 1) };
    let (began, cpu_before) = (Instant::now(), usage::cpu_seconds(pid));
    let mut settled = None;
    let mut run = 0;
    while began.elapsed() < Duration::from_secs(common.seconds) && !typist.is_finished() {
        run += 1;
        fanout::measure(&mut stage, &outside, fresh, run).await?;
        if settled.is_none() && (began.elapsed() >= SETTLED || common.seconds < SETTLED.as_secs()) {
            settled = Some(usage::memory(pid));
        }
        eprintln!(
            "{:.0} s, {} changes, {:.1} MiB",
            began.elapsed().as_secs_f64(),
            changes.get(),
            mib(usage::memory(pid))
        );
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu_share = (usage::cpu_seconds(pid) - cpu_before) / seconds;
    let (end, peak) = (usage::memory(pid), usage::peak_memory(pid));
    is_over.store(true, Ordering::Relaxed);
    let (terminal, keys) = typist.join().map_err(|_| anyhow!("the typist has panicked"))??;
    terminal.quit()?;
    stage.still_run()?;
    let text = std::fs::read_to_string(&record).context("the console has left no record")?;
    let drawings = text.lines().find_map(Drawings::parse).context("the record says nothing of drawings")?;
    let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1_000.0;
    let found = Found {
        about: stage.about(),
        seconds,
        changes: changes.get(),
        changes_per_second: per_second(changes.get(), seconds),
        drawings,
        keys: keys.len(),
        key_p50_ms: ms(keys.value_at_quantile(0.5)),
        key_p99_ms: ms(keys.value_at_quantile(0.99)),
        key_max_ms: ms(keys.max()),
        cpu_share,
        memory_settled_mib: mib(settled.unwrap_or(end)),
        memory_end_mib: mib(end),
        memory_peak_mib: mib(peak),
    };
    drop(stage);
    print(&found);
    report::write(common.json.as_deref(), "console", &found)
}

/// The console at the list of orders.
fn open(program: &Path, ops: SocketAddr, folder: &Path, record: &Path) -> anyhow::Result<Terminal> {
    let password = folder.join("password");
    std::fs::write(&password, cast::PASSWORD)?;
    let path =
        |path: &Path| path.to_str().map(str::to_owned).context("the temporary folder's name is no text");
    let (password, state, record) = (path(&password)?, path(&folder.join("state"))?, path(record)?);
    let url = format!("http://{ops}");
    let arguments = [
        "--url",
        &url,
        "--name",
        OPERATOR,
        "--password-file",
        &password,
        "--state",
        &state,
        "--record",
        &record,
    ];
    let mut terminal = Terminal::with(program, &arguments)?;
    terminal.until("", "connected")?;
    terminal.until("2", "live")?;
    Ok(terminal)
}

/// Somebody who writes filters and takes none of them, until it is over. Each key's time until it is seen, in
/// microseconds.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, which types as slowly as a person")]
fn type_until(
    mut terminal: Terminal,
    is_over: Arc<AtomicBool>,
) -> JoinHandle<anyhow::Result<(Terminal, Histogram<u64>)>> {
    std::thread::spawn(move || {
        let mut keys = Histogram::new(3)?;
        while !is_over.load(Ordering::Relaxed) {
            keys.record(micros(terminal.until("/", "Filter")?))?;
            for end in 1..=WORD.len() {
                std::thread::sleep(BETWEEN_KEYS);
                // What comes before it is already there: the whole beginning is looked for.
                let seen = format!("/ {}", WORD[..end].trim_end());
                keys.record(micros(terminal.until(&WORD[end - 1..end], &seen)?))?;
            }
            terminal.until("\u{1b}", "live")?;
            std::thread::sleep(PAUSE);
        }
        Ok((terminal, keys))
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn per_second(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// What another console would hear of.
async fn count_changes(ops: SocketAddr, token: &str) -> anyhow::Result<Rc<Cell<u64>>> {
    let mut stream = TcpStream::connect(ops).await?;
    stream.write_all(call::request("GET", "/ops/v1/live", token, "").as_bytes()).await?;
    let changes = Rc::new(Cell::new(0));
    let heard = Rc::clone(&changes);
    tokio::task::spawn_local(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            heard.set(heard.get() + u64::from(line.starts_with("id: ")));
        }
    });
    Ok(changes)
}

impl Drawings {
    /// The line of a console's record that tells of them.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("drawn ")?;
        let words = rest.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty());
        let numbers: Option<Vec<u64>> = words.map(|word| word.parse().ok()).collect();
        match numbers?.as_slice() {
            [count, mean_us, longest_us, slow, _] => {
                Some(Self { count: *count, mean_us: *mean_us, longest_us: *longest_us, slow: *slow })
            }
            _ => None,
        }
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
fn print(found: &Found) {
    let Drawings { count, mean_us, longest_us, slow } = &found.drawings;
    println!(
        "{} changes in {:.0} s: {:.0}/s; the console took {:.0} % of a core",
        found.changes,
        found.seconds,
        found.changes_per_second,
        found.cpu_share * 100.0
    );
    println!("drawn {count} times in {mean_us} µs each; longest {longest_us} µs, {slow} longer than 16 ms");
    println!(
        "a key was seen after {:.1} ms (p50), {:.1} ms (p99), {:.1} ms at most, of {}",
        found.key_p50_ms, found.key_p99_ms, found.key_max_ms, found.keys
    );
    println!(
        "memory {:.1} MiB once settled, {:.1} MiB at the end, {:.1} MiB at most",
        found.memory_settled_mib, found.memory_end_mib, found.memory_peak_mib
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_console_records_of_its_drawings_is_understood() {
        let line = "drawn 1500 times, 900 µs each, the longest 17000 µs, 2 longer than 16 ms";
        let drawings = Drawings { count: 1500, mean_us: 900, longest_us: 17_000, slow: 2 };
        assert_eq!(Drawings::parse(line), Some(drawings));
        assert_eq!(Drawings::parse("1760000000000 tick 1760000000000"), None);
    }
}
