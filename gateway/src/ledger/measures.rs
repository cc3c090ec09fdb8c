//! What the ledger counts: batches and how long they take, and what a batch did, once it is committed.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use shared::order::OrderStatus;

use super::Lane;
use crate::metrics::{Counts, Word, seconds};

/// Up to the most that may go into one transaction.
const WRITES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 400.0, 900.0];

#[derive(Clone)]
pub struct Measures {
    writes: Histogram,
    seconds: Histogram,
    commit_seconds: Histogram,
    refused: Counts<1>,
    doubted: Counter,
    moves: Counts<2>,
    held: Counts<1>,
}

/// What one batch has done.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Nothing before: the order is new.
    pub moves: Vec<(Option<OrderStatus>, OrderStatus)>,
    /// Where the facts came from that were put aside.
    pub held: Vec<String>,
    pub commit: Duration,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            writes: Histogram::new(WRITES),
            seconds: seconds(),
            commit_seconds: seconds(),
            refused: Counts::default(),
            doubted: Counter::default(),
            moves: Counts::default(),
            held: Counts::default(),
        }
    }
}

impl Measures {
    pub fn register(&self, registry: &mut Registry) {
        let writes = "Writes that were committed together";
        registry.register("ledger_batch_writes", writes, self.writes.clone());
        let whole = "How long a batch took, its COMMIT included";
        registry.register("ledger_batch_seconds", whole, self.seconds.clone());
        registry.register("ledger_commit_seconds", "How long its COMMIT took", self.commit_seconds.clone());
        let refused = "Writes that were refused at once because their lane was full";
        registry.register("ledger_refused", refused, self.refused.clone());
        let doubted = "COMMITs that were not answered, so that their batch was written again to find out";
        registry.register("ledger_commits_in_doubt", doubted, self.doubted.clone());
        let moves = "Orders that went from one state to another; from new: that were placed or imported";
        registry.register("order_moves", moves, self.moves.clone());
        let held = "Facts that differ from what was asked and were put aside, by where they came from";
        registry.register("facts_held", held, self.held.clone());
    }

    pub(super) fn refused(&self, lane: Lane) {
        self.refused.get_or_create(&[("lane", lane.as_str().into())]).inc();
    }

    pub(super) fn doubted(&self) {
        self.doubted.inc();
    }

    /// A batch of so many writes stands.
    pub(super) fn committed(&self, writes: usize, took: Duration, tally: Tally) {
        self.writes.observe(u32::try_from(writes).map_or(f64::INFINITY, f64::from));
        self.seconds.observe(took.as_secs_f64());
        self.commit_seconds.observe(tally.commit.as_secs_f64());
        for (from, to) in tally.moves {
            let from: Word = from.map_or("new", OrderStatus::as_str).into();
            self.moves.get_or_create(&[("from", from), ("to", to.as_str().into())]).inc();
        }
        for source in tally.held {
            self.held.get_or_create(&[("source", source.into())]).inc();
        }
    }
}
