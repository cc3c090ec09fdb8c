//! The time. Whoever needs it is given a [`Clock`], so that tests can move it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// Tells the time. Clones tell the same time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    /// When this clock was made.
    System(Instant),
    Manual(Arc<Mutex<OffsetDateTime>>),
}

/// The hand on a clock that stands still.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<OffsetDateTime>>);

impl Clock {
    /// The machine's clock, in UTC.
    pub fn system() -> Self {
        Self(Source::System(Instant::now()))
    }

    /// A clock that stands at `start` until it is moved.
    pub fn manual(start: OffsetDateTime) -> (Self, ManualClock) {
        let time = Arc::new(Mutex::new(start));
        (Self(Source::Manual(Arc::clone(&time))), ManualClock(time))
    }

    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
            Source::System(_) => OffsetDateTime::now_utc(),
            Source::Manual(time) => *time.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// How much time has passed since some moment before now. Unlike the time of day it is never set back or
    /// forward, so it is what limits are measured by.
    pub fn passed(&self) -> Duration {
        match &self.0 {
            Source::System(made) => made.elapsed(),
            Source::Manual(_) => (self.now() - OffsetDateTime::UNIX_EPOCH).unsigned_abs(),
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z, as times are stored.
    pub fn now_ms(&self) -> i64 {
        let nanoseconds = self.now().unix_timestamp_nanos();
        i64::try_from(nanoseconds.div_euclid(1_000_000)).expect("the years 0 to 9999 fit into 64 bits")
    }
}

impl ManualClock {
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Also backwards.
    pub fn set(&self, to: OffsetDateTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved_and_every_clone_sees_it() {
        let start = datetime!(2018-07-25 10:06:05.250 UTC);
        let (clock, hand) = Clock::manual(start);
        let other = clock.clone();
        assert_eq!((clock.now(), clock.now()), (start, start));
        hand.advance(Duration::from_secs(15));
        assert_eq!(other.now(), start + Duration::from_secs(15));
        let passed = other.passed();
        hand.advance(Duration::from_secs(1));
        assert_eq!(other.passed(), passed + Duration::from_secs(1));
        hand.set(start);
        assert_eq!(other.now(), start);
    }

    #[test]
    fn milliseconds_are_cut_and_not_rounded_on_both_sides_of_1970() {
        let at = |time| Clock::manual(time).0.now_ms();
        assert_eq!(at(datetime!(2018-07-25 10:06:05.250_999 UTC)), 1_532_513_165_250);
        assert_eq!(at(datetime!(2018-07-25 18:06:05.250_999 +8)), 1_532_513_165_250);
        assert_eq!(at(datetime!(1969-12-31 23:59:59.999_5 UTC)), -1);
    }

    #[test]
    fn the_system_clock_is_in_utc_and_past_the_day_this_was_written() {
        let now = Clock::system().now();
        assert!(now.offset().is_utc());
        assert!(now > datetime!(2025-01-01 0:00 UTC));
    }
}
