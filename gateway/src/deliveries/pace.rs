//! How fast an endpoint is sent to: a token bucket that holds one second's worth, as one number (GCRA).

use std::time::Duration;

const SECOND_NS: u128 = 1_000_000_000;

/// When the bucket will be full again, by [`crate::clock::Clock::passed`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    full_at: Duration,
}

impl Pace {
    /// How many attempts may begin now, at `rate` a second.
    pub fn has(&self, rate: u32, now: Duration) -> usize {
        let used = self.full_at.saturating_sub(now).as_nanos();
        usize::try_from(SECOND_NS.saturating_sub(used) / interval(rate).as_nanos()).unwrap_or(usize::MAX)
    }

    pub fn take(&mut self, rate: u32, now: Duration) {
        self.full_at = self.full_at.max(now) + interval(rate);
    }

    /// What was taken was not used.
    pub fn give_back(&mut self, rate: u32) {
        self.full_at = self.full_at.saturating_sub(interval(rate));
    }

    /// How long until one may begin.
    pub fn wait(&self, rate: u32, now: Duration) -> Duration {
        let full_in = self.full_at.saturating_sub(now);
        (full_in + interval(rate)).saturating_sub(Duration::from_secs(1))
    }

    pub fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

fn interval(rate: u32) -> Duration {
    Duration::from_secs(1) / rate.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_may_go_at_once_and_then_one_for_each_interval() {
        let (mut pace, now) = (Pace::default(), Duration::from_secs(100));
        assert_eq!(pace.has(4, now), 4);
        for _ in 0..4 {
            pace.take(4, now);
        }
        assert_eq!((pace.has(4, now), pace.wait(4, now)), (0, Duration::from_millis(250)));
        let later = now + Duration::from_millis(250);
        assert_eq!((pace.has(4, later), pace.wait(4, later)), (1, Duration::ZERO));
        assert_eq!(pace.has(4, now + Duration::from_secs(9)), 4, "no more is saved up than a second's worth");
    }

    #[test]
    fn what_is_given_back_may_go() {
        let (mut pace, now) = (Pace::default(), Duration::from_secs(100));
        pace.take(1, now);
        assert_eq!(pace.has(1, now), 0);
        pace.give_back(1);
        assert_eq!(pace.has(1, now), 1);
        assert!(pace.is_full(now));
    }
}
