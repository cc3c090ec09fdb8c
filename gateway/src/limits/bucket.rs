//! One bucket: a quota and how much of it is used. In this process it is governor's GCRA, one atomic number; where
//! several nodes count together, Redis holds that number under the bucket's key.
//!
//! An account's budget is a bucket that keeps a reserve: who comes with a lower priority is refused while there is
//! still something left for those with a higher one.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::{Clock as _, ReasonablyRealtime};
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};

use super::quota::Quota;
use super::said::{Level, Refusal};
use crate::clock::Clock;

/// What a bucket is of. Its name is what a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    Platform,
    Merchant,
    Store,
    /// The budget of calls to ScanForPay.
    Account,
    /// Failed authentications from one network address.
    Address,
    /// Notices and payers' returns, all together.
    Callbacks,
    /// One API key's diagnoses of signatures.
    Diagnose,
    /// One merchant's self-checks.
    SelfCheck,
    /// Challenges and test events to one endpoint.
    Endpoint,
}

impl Tier {
    pub const ALL: [Self; 9] = [
        Self::Platform,
        Self::Merchant,
        Self::Store,
        Self::Account,
        Self::Address,
        Self::Callbacks,
        Self::Diagnose,
        Self::SelfCheck,
        Self::Endpoint,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Merchant => "merchant",
            Self::Store => "store",
            Self::Account => "account",
            Self::Address => "address",
            Self::Callbacks => "callbacks",
            Self::Diagnose => "diagnose",
            Self::SelfCheck => "selfcheck",
            Self::Endpoint => "endpoint",
        }
    }
}

/// What a call to ScanForPay is for; the more urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Create,
    Refund,
    Query,
    Reconcile,
}

impl Priority {
    const ALL: [Self; 4] = [Self::Create, Self::Refund, Self::Query, Self::Reconcile];

    /// The share of the budget, in per cent, that is not for this priority.
    const fn reserve(self) -> u32 {
        match self {
            Self::Create => 0,
            Self::Refund => 10,
            Self::Query => 25,
            Self::Reconcile => 50,
        }
    }

    /// How much of `budget` may be used at once with this priority; never nothing.
    pub fn part_of(self, budget: Quota) -> NonZeroU32 {
        let whole = u64::from(budget.count().get());
        let part = whole * u64::from(100 - self.reserve()) / 100;
        u32::try_from(part).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }
}

/// Our clock as governor wants it.
#[derive(Clone)]
pub struct Pulse(pub Clock);

impl governor::clock::Clock for Pulse {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.passed()
    }
}

impl ReasonablyRealtime for Pulse {}

/// How much is used, for several limiters with the same rate.
#[derive(Clone, Default)]
struct Used(Arc<InMemoryState>);

impl StateStore for Used {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, key: &NotKeyed, step: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, step)
    }
}

type Limiter = RateLimiter<NotKeyed, Used, Pulse, StateInformationMiddleware>;

/// What one call draws from a bucket.
#[derive(Clone, Copy)]
pub struct Draw<'a> {
    pub bucket: &'a Bucket,
    pub priority: Priority,
}

pub struct Bucket {
    pub tier: Tier,
    /// Where Redis counts it.
    pub key: String,
    /// Of all nodes together.
    pub quota: Quota,
    /// What this node gives out where it counts alone.
    local: Quota,
    /// One for each priority that has a part of its own; a bucket without reserve has one for all.
    limiters: Vec<Limiter>,
    used: Usage,
}

/// What this node has heard of a bucket, whoever counts it: for who asks how it stands without drawing from it.
#[derive(Debug, Default)]
struct Usage {
    /// By our clock, in microseconds: when it is full again.
    full_at_us: AtomicU64,
    refused: AtomicU64,
}

impl Bucket {
    /// All of it is for whoever comes.
    pub fn new(tier: Tier, key: String, quota: Quota, nodes: NonZeroU32, pulse: &Pulse) -> Self {
        let local = quota.share(nodes);
        let limiter = limiter(local, Used::default(), pulse);
        Self { tier, key, quota, local, limiters: vec![limiter], used: Usage::default() }
    }

    /// With reserves for the higher priorities.
    pub fn with_reserves(tier: Tier, key: String, quota: Quota, nodes: NonZeroU32, pulse: &Pulse) -> Self {
        let local = quota.share(nodes);
        let used = Used::default();
        let of = |priority: Priority| limiter(local.with_count(priority.part_of(local)), used.clone(), pulse);
        Self { tier, key, quota, local, limiters: Priority::ALL.map(of).into(), used: Usage::default() }
    }

    /// How much of the whole a call of this priority may use at once.
    pub fn part(&self, priority: Priority) -> NonZeroU32 {
        if self.limiters.len() == 1 { self.quota.count() } else { priority.part_of(self.quota) }
    }

    /// Something was drawn from it, wherever it is counted; it is full again after `refill`.
    pub fn was_drawn(&self, refill: Duration) {
        let full_at = self.now().saturating_add(refill).as_micros();
        self.used.full_at_us.store(u64::try_from(full_at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub fn refused_one(&self) {
        self.used.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How much of it is used now, as far as this node has heard.
    pub fn used(&self) -> u32 {
        let full_at = Duration::from_micros(self.used.full_at_us.load(Ordering::Relaxed));
        let left = full_at.saturating_sub(self.now()).as_micros();
        let used = left.div_ceil(self.quota.interval().as_micros().max(1));
        u32::try_from(used).unwrap_or(u32::MAX).min(self.quota.count().get())
    }

    /// How often this node has refused somebody by it.
    pub fn refused(&self) -> u64 {
        self.used.refused.load(Ordering::Relaxed)
    }

    fn now(&self) -> Duration {
        self.limiters[0].clock().now()
    }

    /// Draw one from this node's count.
    pub fn take(&self, priority: Priority) -> Result<Level, Refusal> {
        let place = (priority as usize).min(self.limiters.len() - 1);
        let limiter = &self.limiters[place];
        match limiter.check() {
            Ok(state) => Ok(Level::new(self.tier, self.local, state.remaining_burst_capacity())),
            Err(not_until) => {
                let wait = not_until.wait_time_from(limiter.clock().now());
                Err(Refusal { tier: self.tier, quota: self.local, wait })
            }
        }
    }
}

fn limiter(quota: Quota, used: Used, pulse: &Pulse) -> Limiter {
    let rate = governor::Quota::with_period(quota.interval()).expect("a quota's interval is not zero");
    RateLimiter::new(rate.allow_burst(quota.count()), used, pulse.clone())
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::clock::ManualClock;

    fn pulse() -> (Pulse, ManualClock) {
        let (clock, hand) = Clock::manual(OffsetDateTime::UNIX_EPOCH + Duration::from_hours(1));
        (Pulse(clock), hand)
    }

    fn quota(text: &str) -> Quota {
        text.parse().expect("a quota")
    }

    fn bucket(text: &str, nodes: u32) -> (Bucket, ManualClock) {
        let (pulse, hand) = pulse();
        let nodes = NonZeroU32::new(nodes).expect("not zero");
        (Bucket::new(Tier::Merchant, "m".into(), quota(text), nodes, &pulse), hand)
    }

    fn budget(text: &str) -> (Bucket, ManualClock) {
        let (pulse, hand) = pulse();
        (Bucket::with_reserves(Tier::Account, "a".into(), quota(text), NonZeroU32::MIN, &pulse), hand)
    }

    /// How many come through with this priority, one after the other.
    fn drain(bucket: &Bucket, priority: Priority) -> u32 {
        let mut count = 0;
        while bucket.take(priority).is_ok() {
            count += 1;
        }
        count
    }

    #[test]
    fn a_bucket_gives_its_count_at_once_and_then_one_per_interval() {
        let (bucket, hand) = bucket("5/10s", 1);
        for left in [4, 3, 2, 1, 0] {
            assert_eq!(bucket.take(Priority::Query).map(|level| level.remaining), Ok(left));
        }
        let refusal = bucket.take(Priority::Query).expect_err("it is empty");
        assert_eq!((refusal.tier, refusal.wait), (Tier::Merchant, Duration::from_secs(2)));
        hand.advance(Duration::from_millis(1999));
        assert_eq!(bucket.take(Priority::Query).expect_err("not yet").wait, Duration::from_millis(1));
        hand.advance(Duration::from_millis(1));
        assert_eq!(bucket.take(Priority::Query).map(|level| level.remaining), Ok(0));
        hand.advance(Duration::from_hours(1));
        assert_eq!(drain(&bucket, Priority::Query), 5, "it never holds more than its count");
    }

    #[test]
    fn what_is_used_is_told_without_drawing_and_is_less_as_time_passes() {
        let (bucket, hand) = bucket("5/10s", 1);
        assert_eq!((bucket.used(), bucket.refused()), (0, 0));
        for used in [1, 2, 3] {
            let level = bucket.take(Priority::Create).expect("there is some left");
            bucket.was_drawn(level.refill);
            assert_eq!((bucket.used(), bucket.used()), (used, used));
        }
        hand.advance(Duration::from_secs(2));
        assert_eq!(bucket.used(), 2);
        hand.advance(Duration::from_millis(3_999));
        assert_eq!(bucket.used(), 1);
        hand.advance(Duration::from_millis(1));
        assert_eq!(bucket.used(), 0);
        bucket.was_drawn(Duration::from_hours(1));
        assert_eq!(bucket.used(), 5, "never more than there is");
    }

    #[test]
    fn one_node_of_several_gives_out_its_share() {
        let (bucket, hand) = bucket("10/10s", 2);
        assert_eq!(drain(&bucket, Priority::Create), 5);
        hand.advance(Duration::from_secs(2));
        assert_eq!(drain(&bucket, Priority::Create), 1);
    }

    #[test]
    fn each_priority_stops_where_the_reserve_for_the_higher_ones_begins() {
        let (budget, _) = budget("100/1s");
        assert_eq!(drain(&budget, Priority::Reconcile), 50);
        assert_eq!(drain(&budget, Priority::Query), 25);
        assert_eq!(drain(&budget, Priority::Refund), 15);
        assert_eq!(drain(&budget, Priority::Create), 10);
        assert_eq!(drain(&budget, Priority::Create), 0);
    }

    #[test]
    fn what_comes_in_goes_to_the_highest_priority_that_asks() {
        let (budget, hand) = budget("100/1s");
        assert_eq!(drain(&budget, Priority::Query), 75, "a poller takes all it may");
        // While creates use what is replenished, the poller gets nothing.
        for _ in 0..50 {
            hand.advance(Duration::from_millis(10));
            assert!(budget.take(Priority::Create).is_ok());
            assert!(budget.take(Priority::Query).is_err());
        }
        // When they stop, the poller gets it all.
        let served = (0..50).filter(|_| {
            hand.advance(Duration::from_millis(10));
            budget.take(Priority::Query).is_ok()
        });
        assert_eq!(served.count(), 50);
    }

    #[test]
    fn the_smallest_budget_still_serves_every_priority() {
        let (budget, hand) = budget("1/1s");
        for priority in Priority::ALL {
            assert_eq!(drain(&budget, priority), 1, "{priority:?}");
            hand.advance(Duration::from_secs(1));
        }
        assert_eq!(Priority::Query.part_of(quota("2/1s")).get(), 1);
        assert_eq!(Priority::Refund.part_of(quota("10/1s")).get(), 9);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_away() {
        let (bucket, hand) = bucket("2/2s", 1);
        assert_eq!(drain(&bucket, Priority::Create), 2);
        hand.set(OffsetDateTime::UNIX_EPOCH);
        assert!(bucket.take(Priority::Create).is_err());
    }
}
