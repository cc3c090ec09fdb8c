//! One endpoint's lane, and what its endpoint allows.

use std::time::Duration;

use crate::app::App;
use crate::deliveries::breaker::{self, Breaker};
use crate::deliveries::pace::Pace;
use crate::entity::endpoint::Status;

/// What an endpoint allows: its own settings, or the gateway's.
#[derive(Debug, Clone, Copy)]
pub(in crate::deliveries) struct Terms {
    /// It is sent anything at all.
    pub is_open: bool,
    /// Attempts at one time.
    pub concurrency: usize,
    /// Attempts a second.
    pub rate: u32,
    /// What is heard of it counts since then: Unix milliseconds. `None`: implicit.
    pub since: Option<i64>,
    /// It asked to be left alone until then: Unix milliseconds.
    pub quiet_until: Option<i64>,
}

impl Terms {
    /// An implicit endpoint, which is not in the directory, has the gateway's own.
    pub fn of(app: &App, endpoint_id: &str) -> Self {
        let config = &app.config.deliveries;
        let endpoint = app.directory.endpoint(endpoint_id);
        let endpoint = endpoint.as_deref();
        Self {
            is_open: endpoint.is_none_or(|endpoint| endpoint.status == Status::Active),
            concurrency: endpoint
                .and_then(|endpoint| endpoint.concurrency)
                .unwrap_or(config.max_in_flight_per_endpoint),
            rate: endpoint.and_then(|endpoint| endpoint.rate).unwrap_or(config.rate_per_endpoint),
            since: endpoint.map(|endpoint| endpoint.heard_since),
            quiet_until: endpoint.and_then(|endpoint| endpoint.quiet_until),
        }
    }
}

/// The time of day, and that which is never set back.
#[derive(Debug, Clone, Copy)]
pub(in crate::deliveries) struct Now {
    pub ms: i64,
    pub passed: Duration,
}

impl Now {
    pub fn of(app: &App) -> Self {
        Self { ms: app.clock.now_ms(), passed: app.clock.passed() }
    }

    pub fn after(self, wait: Duration) -> i64 {
        self.ms + i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX / 4)
    }
}

/// When a lane is looked at next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing is known to be due to it, or it takes nothing.
    #[default]
    Idle,
    /// As soon as one of its attempts has ended.
    Full,
    /// Then: Unix milliseconds.
    At(i64),
    /// Now: it stands in its owner's queue.
    Ready,
}

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub owner_id: String,
    /// Attempts that are being made.
    pub under_way: usize,
    /// Attempts that are over, and are being written.
    pub ending: usize,
    /// What is under our lease besides: about to be committed, or waiting for an attempt to end.
    pub promised: usize,
    pub pace: Pace,
    pub breaker: Breaker,
    /// Since when the breaker tells of it: [`Terms::since`].
    pub since: Option<i64>,
    pub turn: Turn,
    /// It is in its owner's queue, where it may have lost its turn since.
    pub is_queued: bool,
    /// Something may be due later that only the store knows of.
    pub has_later: bool,
    /// Something was said to be due since it was last planned for.
    pub is_told: bool,
}

impl Lane {
    /// Of one that has begun anew, nothing is known.
    pub fn follow(&mut self, terms: Terms) {
        if self.since != terms.since {
            (self.since, self.breaker) = (terms.since, Breaker::default());
        }
    }

    /// Unix milliseconds, if nothing is sent to it now: it fails, or asked for it.
    pub fn left_alone_until(&self, terms: Terms, now: Now) -> Option<i64> {
        let pause = self.breaker.wait(now.passed);
        let paused = (!pause.is_zero()).then(|| now.after(pause));
        paused.max(terms.quiet_until.filter(|until| *until > now.ms))
    }

    /// Whether it may have one more of its owner's places, of which so many are left: one, or as many as leave some for the
    /// owner's others. What it has answered takes none of its time.
    pub fn leaves_some_of(&self, left: usize) -> bool {
        let has = self.under_way + self.promised;
        if has == 0 { left > 0 } else { has + 1 < left }
    }

    /// Whether something may go to it now, and if not, when to look again.
    pub fn turn_now(&self, terms: Terms, now: Now) -> Turn {
        if !terms.is_open {
            return Turn::Idle;
        }
        if let Some(until) = self.left_alone_until(terms, now) {
            return Turn::At(until);
        }
        let is_probed = self.breaker.state(now.passed) == breaker::State::HalfOpen;
        let most = if is_probed { 1 } else { terms.concurrency };
        if self.under_way + self.promised >= most {
            return Turn::Full;
        }
        if self.pace.has(terms.rate, now.passed) == 0 {
            return Turn::At(now.after(self.pace.wait(terms.rate, now.passed)));
        }
        Turn::Ready
    }
}
