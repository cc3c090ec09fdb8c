//! Calls to ScanForPay: how many, to what, what came of them, and how long they took.

use std::time::Duration;

use prometheus_client::registry::Registry;

use super::{Counts, Recent, Timings, Word, code, timings};
use crate::product;
use crate::upstream::{Heard, QUERY_PATH};

pub struct Calls {
    made: Counts<2>,
    seconds: Timings,
    /// How long ScanForPay took lately.
    pub recent: Recent,
}

impl Default for Calls {
    fn default() -> Self {
        Self { made: Counts::default(), seconds: timings(), recent: Recent::default() }
    }
}

impl Calls {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "upstream_calls",
            "Calls to ScanForPay, by operation and the code of the answer, or why none can be relied on",
            self.made.clone(),
        );
        registry.register("upstream_call_seconds", "How long ScanForPay took", self.seconds.clone());
    }

    /// A call to the operation at `path` came to `heard` after so long.
    pub fn note(&self, path: &str, heard: &Heard, took: Duration) {
        let operation: Word = operation(path).into();
        let outcome: Word = match heard {
            Heard::Said(said) => code(said.code),
            Heard::Nothing { sent: false, .. } => "not_sent".into(),
            Heard::Nothing { raw: Some(_), .. } => "not_believed".into(),
            Heard::Nothing { .. } => "no_answer".into(),
        };
        self.seconds.get_or_create(&[("operation", operation.clone())]).observe(took.as_secs_f64());
        self.recent.note(took);
        self.made.get_or_create(&[("operation", operation), ("outcome", outcome)]).inc();
    }
}

/// The product's name for a create; else the last part of the path, where that is one of ours.
fn operation(path: &str) -> &'static str {
    match path {
        QUERY_PATH => "query",
        "/api/common/refund" => "refund",
        _ => product::ALL.iter().find(|product| product.path == path).map_or("other", |product| product.name),
    }
}
