//! What a gateway counts of itself, for operators' monitoring: `GET /metrics` on their listener. Each part counts where
//! it acts, and here the numbers get their names. No label names a platform, an order or an address, and of merchants and
//! endpoints only as many are named as the configuration says: how many series there are is up to the operator, and never
//! to who uses the gateway. What they mean for an operator: `docs/OPERATIONS.md`.

mod attempts;
mod calls;
mod now;
mod process;
mod recent;
mod requests;
mod service;
mod spread;

use std::borrow::Cow;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use shared::code::Code;

use self::attempts::Attempts;
pub use self::calls::Calls;
pub use self::recent::Recent;
pub use self::requests::{Operations, Requests};
pub use self::spread::Spread;
use crate::app::App;
use crate::ledger::Measures;

/// The `Content-Type` of [`Metrics::text`].
pub use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// Before the names of all that is ours.
const PREFIX: &str = "scangate";

/// A label's value: one of few that the program knows, or a number of a protocol's.
pub type Word = Cow<'static, str>;

/// Counters told apart by `N` labels.
pub type Counts<const N: usize> = Family<[(&'static str, Word); N], Counter>;

/// Histograms of seconds, told apart by one label.
pub type Timings = Family<[(&'static str, Word); 1], Histogram, fn() -> Histogram>;

/// From half a millisecond, of which most of an order's way in the gateway is made, to a minute.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

pub fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

pub fn timings() -> Timings {
    Family::new_with_constructor(seconds)
}

/// A code of the signed protocol. Any number may come from the upstream: those that nobody documented are one.
pub fn code(code: i32) -> Word {
    if Code(code).meaning().is_some() { code.to_string().into() } else { "other".into() }
}

pub struct Metrics {
    registry: Registry,
    pub requests: Requests,
    notices: Counts<1>,
    pub attempts: Attempts,
}

/// What is counted by parts that know nothing of the app.
pub struct Parts<'a> {
    pub ledger: &'a Measures,
    pub upstream: &'a Calls,
    pub limits: &'a crate::limits::Reached,
}

impl Metrics {
    pub fn of(parts: &Parts<'_>) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let (requests, attempts, notices) = (Requests::default(), Attempts::default(), Counts::default());
        requests.register(&mut registry);
        parts.upstream.register(&mut registry);
        registry.register("notices", "Notices that came in, by what became of them", notices.clone());
        attempts.register(&mut registry);
        parts.ledger.register(&mut registry);
        parts.limits.register(&mut registry);
        Self { registry, requests, notices, attempts }
    }

    /// A notice came to this.
    pub fn notice(&self, outcome: &'static str) {
        self.notices.get_or_create(&[("outcome", outcome.into())]).inc();
    }

    /// All that was counted and how things stand now, in Prometheus' text format.
    pub async fn text(app: &App) -> String {
        let mut text = String::new();
        let (now, service, process) = (now::look(app).await, service::look(app).await, process::look(app));
        for registry in [&app.metrics.registry, &now, &service, &process] {
            prometheus_text::encode(&mut text, registry).expect("a String takes everything");
        }
        text
    }
}
