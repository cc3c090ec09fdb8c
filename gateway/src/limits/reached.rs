//! How often limits were reached, by tier, and how often somebody could not be proven.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::bucket::Tier;
use super::said::Refusal;
use crate::metrics::Counts;

#[derive(Clone, Default)]
pub struct Reached {
    refusals: Counts<1>,
    unproven: Counter,
}

impl Reached {
    pub fn register(&self, registry: &mut Registry) {
        let refusals = "Requests and calls that a limit refused, by its tier";
        registry.register("limits_reached", refusals, self.refusals.clone());
        let unproven = "Authentications that failed";
        registry.register("authentications_failed", unproven, self.unproven.clone());
    }

    /// Count what was refused, and hand it on.
    pub(super) fn note<T>(&self, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        if let Err(refusal) = &answer {
            self.tier(refusal.tier);
        }
        answer
    }

    /// Refusals since the start, by all tiers.
    pub(super) fn sum(&self) -> u64 {
        Tier::ALL
            .iter()
            .filter_map(|tier| self.refusals.get(&[("tier", tier.name().into())]).map(|count| count.get()))
            .sum()
    }

    pub(super) fn unproven(&self) {
        self.unproven.inc();
    }

    fn tier(&self, tier: Tier) {
        self.refusals.get_or_create(&[("tier", tier.name().into())]).inc();
    }
}
