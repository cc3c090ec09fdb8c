//! What became of deliveries' attempts, and how long it took from the promise until a shop had acknowledged.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{Counts, Recent, seconds};
use crate::entity::delivery::{self, State};
use crate::ledger::DeliveryMove;

/// From the promise to the acknowledgement: milliseconds where all is well, days where a shop was down.
const TOLD: [f64; 17] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0,
    86_400.0,
];

pub struct Attempts {
    made: Counts<1>,
    seconds: Histogram,
    ended: Counts<1>,
    told: Histogram,
    /// From the promise to the acknowledgement, lately.
    pub recent: Recent,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            made: Counts::default(),
            seconds: seconds(),
            ended: Counts::default(),
            told: Histogram::new(TOLD),
            recent: Recent::default(),
        }
    }
}

impl Attempts {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "delivery_attempts",
            "Requests that were to bring an event to an endpoint, by what came of them",
            self.made.clone(),
        );
        registry.register("delivery_attempt_seconds", "How long those requests took", self.seconds.clone());
        registry.register("deliveries_ended", "Deliveries that ended, by how", self.ended.clone());
        registry.register(
            "acknowledgement_seconds",
            "From the promise of a delivery, which is when its notice was kept, to its acknowledgement",
            self.told.clone(),
        );
    }

    /// An attempt of `delivery` was made, and led to `step`. `is_ours`: and with it the delivery moved on.
    pub fn note(&self, delivery: &delivery::Model, step: &DeliveryMove, is_ours: bool) {
        let Some(attempt) = &step.attempt else { return };
        // One of the words of `deliveries::send`.
        self.made.get_or_create(&[("outcome", attempt.outcome.clone().into())]).inc();
        self.seconds.observe(of_ms(attempt.duration_ms));
        let ended = match step.state {
            State::Delivered => "delivered",
            State::Exhausted => "exhausted",
            _ => return,
        };
        if !is_ours {
            return;
        }
        self.ended.get_or_create(&[("state", ended.into())]).inc();
        if let (State::Delivered, Some(ended_at)) = (step.state, step.ended_at) {
            let after = Duration::from_millis(u64::try_from(ended_at - delivery.created_at).unwrap_or(0));
            self.told.observe(after.as_secs_f64());
            if delivery.replay_id.is_none() {
                self.recent.note(after);
            }
        }
    }
}

fn of_ms(ms: i64) -> f64 {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64()
}
