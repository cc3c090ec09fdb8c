//! An endpoint that fails again and again is left alone for a while, longer each time; then one attempt finds out
//! whether it is back. Meanwhile its deliveries lie where they are and use up none of their attempts.

use std::time::Duration;

/// When it opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// So many failures in a row open it.
    pub failures: u32,
    /// The first pause; each further one is twice as long…
    pub pause: Duration,
    /// …up to this.
    pub longest_pause: Duration,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Attempts go out.
    Closed,
    /// None do.
    Open,
    /// One does, to find out.
    HalfOpen,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// Times are those of [`crate::clock::Clock::passed`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Breaker {
    /// In a row, while it is closed.
    failures: u32,
    /// How often it has opened since the last acknowledgement.
    pauses: u32,
    /// It was opened, and this is when the pause ends.
    until: Option<Duration>,
    /// When the endpoint last asked to be left alone.
    asked: Option<Duration>,
}

impl Breaker {
    pub fn state(&self, now: Duration) -> State {
        match self.until {
            None => State::Closed,
            Some(until) if now < until => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    /// How long nothing goes out; zero also where one may.
    pub fn wait(&self, now: Duration) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_sub(now))
    }

    /// Nothing has failed since the last acknowledgement.
    pub fn is_untouched(&self) -> bool {
        self.failures == 0 && self.until.is_none()
    }

    /// An attempt that began at `began` was acknowledged. One that began before the endpoint asked to be left alone does not
    /// take that back.
    pub fn acknowledged(&mut self, began: Duration) {
        if self.asked.is_none_or(|asked| began >= asked) {
            *self = Self::default();
        }
    }

    /// An attempt that began at `began` has failed. One that began before the pause says nothing new. Whether it
    /// opened with that.
    pub fn failed(&mut self, settings: &Settings, began: Duration, now: Duration) -> bool {
        match self.until {
            None => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < settings.failures {
                    return false;
                }
            }
            Some(until) if began < until => return false,
            Some(_) => {}
        }
        self.until = Some(now + pause(settings, self.pauses));
        self.pauses = self.pauses.saturating_add(1);
        true
    }
}

impl Breaker {
    /// The endpoint wants to hear nothing for so long.
    pub fn leave_alone(&mut self, wait: Duration, now: Duration) {
        self.until = self.until.max(Some(now + wait));
        self.asked = Some(now);
    }
}

/// How long the pause after `before` ones is.
fn pause(settings: &Settings, before: u32) -> Duration {
    let doubled = 2_u32.checked_pow(before).and_then(|times| settings.pause.checked_mul(times));
    doubled.unwrap_or(settings.longest_pause).min(settings.longest_pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_asks_for_it_is_left_alone_for_as_long() {
        let mut breaker = Breaker::default();
        breaker.leave_alone(at(60), at(100));
        assert_eq!((breaker.state(at(159)), breaker.wait(at(100))), (State::Open, at(60)));
        assert_eq!(breaker.state(at(160)), State::HalfOpen);
        breaker.leave_alone(at(1), at(101));
        assert_eq!(breaker.wait(at(101)), at(59), "never shorter than it was");
        breaker.acknowledged(at(99));
        assert_eq!(breaker.wait(at(101)), at(59), "it was under way when that was asked");
        breaker.acknowledged(at(160));
        assert_eq!(breaker.state(at(161)), State::Closed);
    }

    const SETTINGS: Settings =
        Settings { failures: 3, pause: Duration::from_secs(10), longest_pause: Duration::from_secs(35) };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn it_opens_after_so_many_failures_in_a_row_and_closes_with_an_acknowledgement() {
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            assert!(!breaker.failed(&SETTINGS, at(0), at(0)));
        }
        breaker.acknowledged(at(0));
        for _ in 0..2 {
            assert!(!breaker.failed(&SETTINGS, at(1), at(1)));
        }
        assert_eq!(breaker.state(at(1)), State::Closed);
        assert!(breaker.failed(&SETTINGS, at(1), at(1)));
        assert_eq!((breaker.state(at(10)), breaker.wait(at(10))), (State::Open, at(1)));
        assert_eq!((breaker.state(at(11)), breaker.wait(at(11))), (State::HalfOpen, at(0)));
        breaker.acknowledged(at(11));
        assert!(breaker.is_untouched());
    }

    #[test]
    fn what_began_before_the_pause_does_not_make_it_longer_and_a_failed_probe_does() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.failed(&SETTINGS, at(0), at(0));
        }
        assert!(!breaker.failed(&SETTINGS, at(0), at(9)));
        assert_eq!(breaker.state(at(10)), State::HalfOpen);
        assert!(breaker.failed(&SETTINGS, at(10), at(12)));
        assert_eq!(breaker.wait(at(12)), at(20));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u64> = [0, 1, 2, 3, 40].map(|before| pause(&SETTINGS, before).as_secs()).into();
        assert_eq!(pauses, [10, 20, 35, 35, 35]);
    }
}
