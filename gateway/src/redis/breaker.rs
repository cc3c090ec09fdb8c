//! Whether a server that may be down is asked. A call that was given up is done all the same when a frozen server
//! wakes, and every call in vain costs its caller the deadline: so after a few of them nobody asks.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls in vain, one after the other, until nobody asks any more.
const IN_VAIN: u32 = 3;
/// Between two looks at a server that is not asked.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Ask,
    Refrain,
    /// It is time to look whether it works again. Said to one caller.
    RefrainAndLook,
}

#[derive(Default)]
pub struct Breaker(Mutex<State>);

#[derive(Default)]
struct State {
    in_vain: u32,
    /// When it was looked at last, while it is not asked.
    looked_at: Option<Instant>,
}

impl Breaker {
    pub fn permission(&self, now: Instant) -> Permission {
        let mut state = self.state();
        match state.looked_at {
            None => Permission::Ask,
            Some(looked_at) if now.saturating_duration_since(looked_at) < BETWEEN_LOOKS => {
                Permission::Refrain
            }
            Some(_) => {
                state.looked_at = Some(now);
                Permission::RefrainAndLook
            }
        }
    }

    pub fn answered(&self) {
        self.state().in_vain = 0;
    }

    pub fn failed(&self, now: Instant, error: &dyn Display) {
        let mut state = self.state();
        state.in_vain += 1;
        // Calls that were under way when it was given up come back late: they change nothing.
        if state.in_vain >= IN_VAIN && state.looked_at.is_none() {
            state.looked_at = Some(now);
            drop(state);
            tracing::warn!(%error, "Redis does not answer; this node counts by itself until it does");
        }
    }

    /// A look has found it working.
    pub fn recovered(&self) {
        *self.state() = State::default();
        tracing::info!("Redis answers again; the nodes count together");
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_three_calls_in_vain_nobody_asks_but_for_one_look_a_second() {
        let breaker = Breaker::default();
        let start = Instant::now();
        let fails = |count: u32| (0..count).for_each(|_| breaker.failed(start, &"no"));
        let permission = |ms: u64| breaker.permission(start + Duration::from_millis(ms));
        fails(IN_VAIN - 1);
        breaker.answered();
        fails(IN_VAIN - 1);
        assert_eq!(permission(0), Permission::Ask, "never so many in a row");
        fails(1);
        assert_eq!(permission(0), Permission::Refrain);
        assert_eq!(permission(999), Permission::Refrain);
        assert_eq!(permission(1000), Permission::RefrainAndLook);
        assert_eq!(permission(1000), Permission::Refrain, "one look is enough");
        assert_eq!(permission(2000), Permission::RefrainAndLook);
        fails(1);
        breaker.recovered();
        assert_eq!(permission(2001), Permission::Ask);
        fails(IN_VAIN - 1);
        assert_eq!(permission(2001), Permission::Ask, "it counts anew");
    }
}
