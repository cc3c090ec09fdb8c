//! The result: a table for people, JSON for everything else.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use shared::envelope::rfc3339;

use crate::compare::stage::Burden;
use crate::compare::{Settings, Through};
use crate::now;
use crate::tally::Tally;

/// Whose processor time counts for what is measured; the rest is for information.
const MEASURED: [&str; 3] = ["nginx", "gateway", "postgres"];

/// Where and with what the comparison ran.
#[derive(Debug, Serialize)]
pub struct About {
    time: String,
    cores: usize,
    processor: Option<String>,
    kernel: Option<String>,
    gateway: Option<PathBuf>,
    nginx: Option<String>,
    /// The databases were in memory, so that their durability cost nothing.
    store_in_memory: bool,
    /// Settings of the gateway that the environment changed; names only, a value may be a secret.
    environment: Vec<String>,
}

impl About {
    #[expect(clippy::disallowed_methods, reason = "it is not read as settings: the gateway inherits it")]
    pub fn this_machine(gateway: Option<PathBuf>, nginx: Option<String>, store_in_memory: bool) -> Self {
        let line = |file: &str, name: &str| {
            let text = fs::read_to_string(file).ok()?;
            text.lines()
                .find_map(|line| Some(line.strip_prefix(name)?.trim_matches([' ', '\t', ':']).to_owned()))
        };
        Self {
            time: rfc3339(now()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: line("/proc/cpuinfo", "model name"),
            kernel: line("/proc/sys/kernel/osrelease", ""),
            gateway,
            nginx,
            store_in_memory,
            environment: std::env::vars_os()
                .filter_map(|(name, _)| name.into_string().ok())
                .filter(|name| name.starts_with("SCANGATE_"))
                .collect(),
        }
    }
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    pub run: u32,
    pub through: Through,
    pub orders: u64,
    pub orders_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
    /// From the time an order was due to its sending, in open loop; part of the latency.
    pub sent_late_p99_ms: f64,
    pub failed: u64,
    /// The failed ones by kind.
    pub errors: BTreeMap<String, u64>,
    pub cpu_seconds: BTreeMap<&'static str, f64>,
    pub cpu_seconds_per_1000: f64,
    pub peak_memory_mib: f64,
    /// Orders that the driver had to sign while it measured.
    pub signed_late: u64,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts and bytes stay far below 2^52")]
    pub fn new(
        run: u32,
        through: Through,
        tally: &Tally,
        cpu_seconds: BTreeMap<&'static str, f64>,
        peak_memory: u64,
        signed_late: u64,
    ) -> Self {
        let cpu: f64 = MEASURED.iter().filter_map(|name| cpu_seconds.get(name)).sum();
        let cpu = if through == Through::Nothing { cpu_seconds["stub"] } else { cpu };
        Self {
            run,
            through,
            orders: tally.accepted(),
            orders_per_second: tally.per_second(),
            p50_ms: tally.latency_ms(0.5),
            p99_ms: tally.latency_ms(0.99),
            max_ms: tally.latency_ms(1.0),
            sent_late_p99_ms: tally.delay_ms(0.99),
            failed: tally.failed(),
            errors: tally.errors.clone(),
            cpu_seconds_per_1000: cpu * 1000.0 / (tally.accepted().max(1) as f64),
            cpu_seconds,
            peak_memory_mib: mib(peak_memory),
            signed_late,
        }
    }

    fn errors_text(&self) -> String {
        let kinds: Vec<String> = self.errors.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
        if kinds.is_empty() { "0".to_owned() } else { kinds.join("\n") }
    }
}

/// Middle and extremes of one figure over the runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, least, most })
    }
}

/// All runs through one server together.
#[derive(Debug, Serialize)]
struct Summary {
    through: Through,
    orders_per_second: Option<Spread>,
    p50_ms: Option<Spread>,
    p99_ms: Option<Spread>,
    cpu_seconds_per_1000: Option<Spread>,
    failed: u64,
}

#[derive(Debug, Serialize)]
pub struct Report {
    settings: Settings,
    about: About,
    runs: Vec<Measured>,
    summary: Vec<Summary>,
    /// Orders per second through the gateway over those through nginx, run by run.
    gateway_to_nginx: Option<Spread>,
    /// The same through the second gateway over the first.
    burdened_to_gateway: Option<Spread>,
    /// Latency through the gateway less that of the stub alone, run by run.
    added_p50_ms: Option<Spread>,
    added_p99_ms: Option<Spread>,
}

impl Report {
    pub fn new(settings: Settings, about: About) -> Self {
        Self {
            settings,
            about,
            runs: Vec::new(),
            summary: Vec::new(),
            gateway_to_nginx: None,
            burdened_to_gateway: None,
            added_p50_ms: None,
            added_p99_ms: None,
        }
    }

    pub fn add(&mut self, measured: Measured) {
        self.runs.push(measured);
        self.summary = [Through::Nothing, Through::Nginx, Through::Gateway, Through::Burdened]
            .into_iter()
            .filter(|through| self.runs.iter().any(|run| run.through == *through))
            .map(|through| self.summarise(through))
            .collect();
        self.gateway_to_nginx =
            self.paired(Through::Nginx, |gateway, nginx| gateway.orders_per_second / nginx.orders_per_second);
        self.burdened_to_gateway = self.paired(Through::Burdened, |gateway, burdened| {
            burdened.orders_per_second / gateway.orders_per_second
        });
        self.added_p50_ms = self.paired(Through::Nothing, |gateway, stub| gateway.p50_ms - stub.p50_ms);
        self.added_p99_ms = self.paired(Through::Nothing, |gateway, stub| gateway.p99_ms - stub.p99_ms);
    }

    fn summarise(&self, through: Through) -> Summary {
        let runs = || self.runs.iter().filter(|run| run.through == through);
        let spread = |figure: fn(&Measured) -> f64| Spread::of(runs().map(figure).collect());
        Summary {
            through,
            orders_per_second: spread(|run| run.orders_per_second),
            p50_ms: spread(|run| run.p50_ms),
            p99_ms: spread(|run| run.p99_ms),
            cpu_seconds_per_1000: spread(|run| run.cpu_seconds_per_1000),
            failed: runs().map(|run| run.failed).sum(),
        }
    }

    /// A figure of each run's gateway and its neighbour in the same run.
    fn paired(&self, neighbour: Through, figure: fn(&Measured, &Measured) -> f64) -> Option<Spread> {
        let of = |run: u32, through| self.runs.iter().find(move |it| it.run == run && it.through == through);
        let pairs = (1..=self.settings.runs)
            .filter_map(|run| Some(figure(of(run, Through::Gateway)?, of(run, neighbour)?)));
        Spread::of(pairs.collect())
    }

    #[expect(clippy::print_stdout, reason = "the table is what the program is for")]
    pub fn print(&self) {
        println!("{}\n{}", self.title(), self.table());
        let spread = |spread: Spread, digits: usize| {
            format!("{:.digits$} ({:.digits$} to {:.digits$})", spread.median, spread.least, spread.most)
        };
        if let Some(ratio) = self.gateway_to_nginx {
            let unit = self.settings.unit;
            println!("{unit}/s through the gateway to orders/s through nginx: {}", spread(ratio, 3));
        }
        if let Some(ratio) = self.burdened_to_gateway {
            let Burden { stored, consoles } = self.settings.burden;
            let burden = format!("with {stored} orders stored and {consoles} consoles attached");
            println!("orders/s {burden} to without: {}", spread(ratio, 3));
        }
        if let (Some(p50), Some(p99)) = (self.added_p50_ms, self.added_p99_ms) {
            println!("latency added by the gateway, ms: p50 {}, p99 {}", spread(p50, 3), spread(p99, 3));
        }
        let late: u64 = self.runs.iter().map(|run| run.signed_late).sum();
        let orders: u64 = self.runs.iter().map(|run| run.orders).sum();
        if late * 100 > orders {
            println!(
                "{late} orders were signed while the clock ran; the driver's share is larger than it should be"
            );
        }
    }

    fn title(&self) -> String {
        let settings = &self.settings;
        let shape = settings.rate.map_or("closed loop".to_owned(), |rate| format!("open loop at {rate}/s"));
        let store = settings.store.map_or(String::new(), |store| format!(", {store:?}").to_lowercase());
        let fault = settings.fault.map_or(String::new(), |fault| format!(", one {fault:?}").to_lowercase());
        let each = match settings.each {
            0 => String::new(),
            each => format!(", {each} endpoints each"),
        };
        format!(
            "{}{store}: {shape}, {} connections, {} runs of {} s, {} merchants{each}{fault}, {} cores",
            settings.what,
            settings.connections,
            settings.runs,
            settings.seconds,
            settings.merchants,
            self.about.cores
        )
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header([
            "run",
            "through",
            &format!("{}/s", self.settings.unit),
            "p50 ms",
            "p99 ms",
            "errors",
            "CPU s/1,000",
            "peak MiB",
        ]);
        for run in &self.runs {
            table.add_row([
                run.run.to_string(),
                run.through.as_str().to_owned(),
                format!("{:.0}", run.orders_per_second),
                format!("{:.3}", run.p50_ms),
                format!("{:.3}", run.p99_ms),
                run.errors_text(),
                format!("{:.4}", run.cpu_seconds_per_1000),
                format!("{:.1}", run.peak_memory_mib),
            ]);
        }
        for summary in &self.summary {
            let median = |spread: Option<Spread>, digits: usize| {
                spread.map_or(String::new(), |spread| format!("{:.digits$}", spread.median))
            };
            table.add_row([
                "median".to_owned(),
                summary.through.as_str().to_owned(),
                median(summary.orders_per_second, 0),
                median(summary.p50_ms, 3),
                median(summary.p99_ms, 3),
                summary.failed.to_string(),
                median(summary.cpu_seconds_per_1000, 4),
                String::new(),
            ]);
        }
        for index in 2..8 {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    /// Write it to `file`, or to one named after what was measured.
    pub fn write(&self, file: Option<&Path>) -> anyhow::Result<()> {
        let store = self.settings.store.map_or(String::new(), |store| format!("-{store:?}").to_lowercase());
        write(file, &format!("{}{store}", self.settings.what), self)
    }
}

/// Write a result as JSON to `file`, or to `target/bench/<name>.json`.
pub fn write(file: Option<&Path>, name: &str, result: &impl Serialize) -> anyhow::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let default = || here.parent().unwrap_or(here).join("target/bench").join(format!("{name}.json"));
    let file = file.map_or_else(default, Path::to_owned);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let text = serde_json::to_string_pretty(result)? + "\n";
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    eprintln!("written to {}", file.display());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "bytes stay far below 2^52")]
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests;
