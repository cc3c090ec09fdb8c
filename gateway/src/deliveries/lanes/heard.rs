//! How an endpoint fares, by what it has said, and whether it is left alone for that.

use std::time::Duration;

use super::lane::{Lane, Turn};
use super::{Lanes, Now, Terms};
use crate::deliveries::breaker;

/// What an endpoint has shown of itself in an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Of which URL it is said: [`Terms::since`].
    pub since: Option<i64>,
    pub acknowledged: bool,
    /// It has too much to do, and wants to hear nothing for so long.
    pub leave_alone: Option<Duration>,
}

/// How an endpoint is being sent to, as this node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub breaker: breaker::State,
    /// Attempts that are being made.
    pub under_way: usize,
    /// Unix milliseconds; `None`: nothing is known to be due, or it takes nothing.
    pub next_look: Option<i64>,
    /// Unix milliseconds: nothing is sent to it until then, because it fails or asked for it.
    pub left_alone_until: Option<i64>,
}

impl Lanes {
    /// The endpoint has said something to an attempt that began at `began`.
    pub fn heard(&mut self, endpoint_id: &str, said: Said, began: Duration, now: Now) {
        let settings = self.settings;
        let Some(lane) = self.by_endpoint.get_mut(endpoint_id).filter(|lane| lane.since == said.since) else {
            return;
        };
        if !said.acknowledged {
            if lane.breaker.failed(&settings, began, now.passed) {
                let pause_s = lane.breaker.wait(now.passed).as_secs();
                tracing::warn!(
                    endpoint = endpoint_id,
                    pause_s,
                    "an endpoint fails and is left alone for a while"
                );
            }
            if let Some(wait) = said.leave_alone {
                lane.breaker.leave_alone(wait, now.passed);
            }
            return;
        }
        let was = lane.breaker.state(now.passed);
        lane.breaker.acknowledged(began);
        if was != breaker::State::Closed && lane.breaker.is_untouched() {
            tracing::info!(endpoint = endpoint_id, "an endpoint is back");
            // What lies there does not wait for the end of the pause.
            if matches!(lane.turn, Turn::At(_)) {
                self.make_ready(endpoint_id);
            }
        }
    }

    pub fn standing(&self, endpoint_id: &str, terms: Terms, now: Now) -> Option<Standing> {
        let nothing_yet = Lane::default();
        let is_quiet = terms.quiet_until.is_some_and(|until| until > now.ms);
        let lane = self.by_endpoint.get(endpoint_id).or(is_quiet.then_some(&nothing_yet))?;
        Some(Standing {
            breaker: if is_quiet { breaker::State::Open } else { lane.breaker.state(now.passed) },
            under_way: lane.under_way,
            next_look: match lane.turn {
                Turn::Idle => None,
                Turn::At(at) => Some(at),
                Turn::Full | Turn::Ready => Some(now.ms),
            },
            left_alone_until: lane.left_alone_until(terms, now),
        })
    }

    /// Endpoints that are left alone for a while.
    pub fn left_alone(&self, passed: Duration) -> Vec<String> {
        let open =
            self.by_endpoint.iter().filter(|(_, lane)| lane.breaker.state(passed) == breaker::State::Open);
        open.map(|(id, _)| id.clone()).collect()
    }

    /// Whether what is promised goes out, as far as failures tell.
    pub fn is_closed(&self, endpoint_id: &str, passed: Duration) -> bool {
        let lane = self.by_endpoint.get(endpoint_id);
        lane.is_none_or(|lane| lane.breaker.state(passed) == breaker::State::Closed)
    }
}
