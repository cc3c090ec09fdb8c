//! Every setting. `config/default.toml` is the manual: it names each one, says what it is for and holds its
//! default; the structs here are its sections, and say only what the types need. How the layers are put together
//! is in `load`, which values go together is in `check`.

mod check;
mod hops;
mod load;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::directory::access::Mode;
use crate::limits::Quota;

pub use self::hops::{ForwardedHeader, MAX_HOPS, TrustedHops};
pub use self::load::{DEFAULTS, Given, Sources};
pub use self::values::{Amount, Secret, StoreUrl, network};

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub store: Store,
    pub secrets: Secrets,
    pub upstream: Upstream,
    pub signed: Signed,
    pub orders: Orders,
    pub reconcile: Reconcile,
    pub limits: Limits,
    pub redis: Redis,
    pub outgoing: Outgoing,
    pub deliveries: Deliveries,
    pub retention: Retention,
    pub log: Log,
    /// Where each setting came from that is not a default, by path (`server.listen`).
    #[serde(skip)]
    origins: BTreeMap<String, Origin>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub ops_listen: SocketAddr,
    /// Always there in a configuration loaded with [`Config::load_to_serve`].
    #[serde(with = "values::optional_url")]
    pub public_url: Option<Url>,
    /// A platform's slug, or empty.
    pub bare_platform: String,
    pub trusted_hops: TrustedHops,
    pub forwarded_header: ForwardedHeader,
    pub max_connections: usize,
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub body_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    #[serde(with = "values::size")]
    pub max_body: usize,
    #[serde(with = "humantime_serde")]
    pub shutdown_grace: Duration,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Read from `url_file` where that is set.
    pub url: StoreUrl,
    #[serde(with = "values::optional_path")]
    pub url_file: Option<PathBuf>,
    pub readers: u32,
    pub writers: u32,
    /// In rows.
    pub max_batch: usize,
    /// In writes, per lane.
    pub queue: usize,
    #[serde(with = "values::size")]
    pub min_free_disk: u64,
    #[serde(with = "values::size")]
    pub stop_free_disk: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Beats the file where it is not empty.
    pub master_key: Secret,
    #[serde(with = "values::optional_path")]
    pub master_key_file: Option<PathBuf>,
    pub previous_master_keys: Vec<Secret>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    #[serde(with = "values::urls")]
    pub allowed_base_urls: Vec<Url>,
    #[serde(with = "values::urls")]
    pub sandbox_base_urls: Vec<Url>,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub query_timeout: Duration,
    #[serde(with = "values::size")]
    pub max_response: usize,
    #[serde(with = "humantime_serde")]
    pub answer_grace: Duration,
}

/// How long requests may be taken for fresh, whoever says so.
pub const SHORTEST_FRESHNESS: Duration = Duration::from_secs(1);
pub const LONGEST_FRESHNESS: Duration = Duration::from_hours(7 * 24);

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    #[serde(with = "humantime_serde")]
    pub freshness: Duration,
    pub freshness_mode: FreshnessMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FreshnessMode {
    Enforce,
    Warn,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    #[serde(with = "humantime_serde")]
    pub pay_window_qrcode: Duration,
    #[serde(with = "humantime_serde")]
    pub pay_window_online: Duration,
    #[serde(with = "humantime_serde")]
    pub pay_window_jspay: Duration,
    #[serde(with = "humantime_serde")]
    pub pay_window_barcode: Duration,
    #[serde(with = "humantime_serde")]
    pub query_min_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub return_query_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub return_query_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub refund_wait: Duration,
    pub repeat_refunds: bool,
    #[serde(with = "values::amounts")]
    pub refund_second_operator_above: Vec<Amount>,
}

/// How orders are looked after when nobody asks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reconcile {
    /// Orders asked about at one time.
    pub concurrency: usize,
    #[serde(with = "humantime_serde")]
    pub unknown_for: Duration,
    #[serde(with = "humantime_serde")]
    pub watch_for: Duration,
    #[serde(with = "humantime_serde")]
    pub notice_grace: Duration,
    #[serde(with = "humantime_serde")]
    pub probe_interval: Duration,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub platform: Quota,
    pub merchant: Quota,
    pub store: Quota,
    pub account: Quota,
    pub failed_authentications: Quota,
    pub callbacks: Quota,
    pub diagnoses: Quota,
    pub selfchecks: Quota,
    pub endpoint_trials: Quota,
    pub nodes: NonZeroU32,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Empty: none.
    pub url: Secret,
    /// Whose word is taken for a server's certificate; without it the public authorities'.
    #[serde(with = "values::optional_path")]
    pub ca_file: Option<PathBuf>,
    pub prefix: String,
    #[serde(with = "humantime_serde")]
    pub deadline: Duration,
}

/// How calls leave: deliveries, and those to ScanForPay.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Outgoing {
    /// Empty: none.
    pub proxy: Secret,
    #[serde(with = "values::optional_address")]
    pub local_address: Option<IpAddr>,
    /// Whose word is taken for a server's certificate besides the public authorities'.
    #[serde(with = "values::optional_path")]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deliveries {
    #[serde(with = "values::durations")]
    pub schedule: Vec<Duration>,
    /// A share of each wait, 0 to 0.5.
    pub jitter: f64,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "values::size")]
    pub max_body: usize,
    pub max_in_flight: usize,
    pub max_in_flight_per_endpoint: usize,
    /// Attempts a second.
    pub rate_per_endpoint: u32,
    /// In a row.
    pub breaker_failures: u32,
    #[serde(with = "humantime_serde")]
    pub breaker_pause: Duration,
    #[serde(with = "humantime_serde")]
    pub breaker_longest_pause: Duration,
    #[serde(with = "humantime_serde")]
    pub longest_retry_after: Duration,
    #[serde(with = "humantime_serde")]
    pub disable_after: Duration,
    /// Of a replay that says nothing else: deliveries a second.
    pub replay_rate: u32,
    /// Of one replay, to one endpoint.
    pub replay_ahead: u32,
    /// Endpoints, and merchants, that `/metrics` names.
    pub named_in_metrics: usize,
    pub claim_batch: usize,
    #[serde(with = "humantime_serde")]
    pub idle_poll: Duration,
    #[serde(with = "values::networks")]
    pub allow_addresses: Vec<IpNet>,
}

/// How long things are kept; zero: for good.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    #[serde(with = "humantime_serde")]
    pub journal_bytes: Duration,
    #[serde(with = "humantime_serde")]
    pub attempt_excerpts: Duration,
    #[serde(with = "humantime_serde")]
    pub audit_log: Duration,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// A level, or directives as `tracing_subscriber::EnvFilter` reads them.
    pub level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Defaults, then the file, then the environment. For commands that do not serve: `public_url` may be absent.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_from(&Sources::of_this_process(file))
    }

    /// The same for a server, which also needs `server.public_url`.
    pub fn load_to_serve(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_from(&Sources { serving: true, ..Sources::of_this_process(file) })
    }

    /// From exactly these sources.
    pub fn load_from(sources: &Sources) -> Result<Self, ConfigError> {
        load::load(sources)
    }

    /// The settings in force as a TOML document with secrets hidden; a comment says where each came from that is
    /// not a default.
    pub fn effective_toml(&self) -> String {
        let plain = toml::to_string(self).expect("every section is a table of plain values");
        let mut document = String::with_capacity(plain.len() * 2);
        let mut section = "";
        for line in plain.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            }
            document.push_str(line);
            let key = line.split_once(" = ").map(|(key, _)| key);
            if let Some(origin) = key.and_then(|key| self.origins.get(&format!("{section}.{key}"))) {
                document.push_str("  # from ");
                document.push_str(&origin.to_string().replace(char::is_control, " "));
            }
            document.push('\n');
        }
        document
    }
}

impl Default for Config {
    /// The compiled-in defaults alone.
    fn default() -> Self {
        Self::load_from(&Sources::default()).expect("the compiled-in defaults are valid; a test loads them")
    }
}

impl Server {
    /// The public URL without a slash at its end, ready to have a path put behind it. Empty if there is none.
    pub fn public_base(&self) -> &str {
        self.public_url.as_ref().map_or("", |url| url.as_str().trim_end_matches('/'))
    }
}

impl Upstream {
    /// The base URLs that accounts of a mode may name.
    pub fn base_urls(&self, mode: Mode) -> &[Url] {
        match mode {
            Mode::Live => &self.allowed_base_urls,
            Mode::Test => &self.sandbox_base_urls,
        }
    }

    /// The mode of an account with this base URL, if one may name it; a slash at the end makes no difference.
    pub fn mode_of(&self, base_url: &Url) -> Option<Mode> {
        let bare = |url: &Url| url.as_str().trim_end_matches('/').to_owned();
        let is_among = |mode: &Mode| self.base_urls(*mode).iter().any(|url| bare(url) == bare(base_url));
        [Mode::Live, Mode::Test].into_iter().find(is_among)
    }
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File {
        name: PathBuf,
        line: Option<usize>,
    },
    Environment(String),
    /// Something of the command line, such as `--listen`.
    Given(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line: Some(line) } => write!(f, "{} line {line}", name.display()),
            Self::File { name, line: None } => write!(f, "{}", name.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Given(name) => f.write_str(name),
        }
    }
}

/// Everything that is wrong with the configuration, not only the first thing.
#[derive(Debug, thiserror::Error)]
#[error("{}", listed(.problems))]
pub struct ConfigError {
    pub problems: Vec<Problem>,
}

/// One thing that is wrong. Never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, or what of it is known.
    pub path: String,
    pub origin: Origin,
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{} ", self.path)?;
        }
        write!(f, "({}): {}. {}", self.origin, self.what, self.remedy)
    }
}

fn listed(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "the configuration has a problem:".to_owned(),
        count => format!("the configuration has {count} problems:"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}
