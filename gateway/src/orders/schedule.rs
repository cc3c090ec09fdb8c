//! When an order is looked after next: a pure function of how it stands and how often it was looked after since its last
//! move. Waits are counted from one look to the next, so that a gateway that was down catches up with one look and not
//! with all that it missed. To be checked against `docs/MONEY.md`, Expiry and reconciling.

use std::time::Duration;

use shared::order::OrderStatus;

use crate::config;
use crate::entity::order;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// After an order became unknown; behind the last one every hour.
const UNKNOWN: [i64; 8] =
    [5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE];
/// After it was opened, until it expires.
const AWAITING: [i64; 2] = [2 * MINUTE, 10 * MINUTE];
/// The same where the store's notices are missing; behind the last one every hour.
const UNNOTICED: [i64; 6] = [30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE];
/// After it expired, or ended without money; once more when the watch ends.
const AFTERWARDS: i64 = HOUR;
/// An order is asked about at least so often before it is given up, however old it was when we began.
const AT_LEAST: i64 = 3;
/// For an answer to create that was due, where it could not be called overdue at once.
const OVERDUE_AGAIN: i64 = 30 * SECOND;
/// Behind a look that is the last one planned and whose outcome was lost with the process that made it.
const AGAIN: i64 = HOUR;

/// How long orders are looked after. Milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub unknown_for: i64,
    pub watch_for: i64,
    pub notice_grace: i64,
    /// The store's notices are found missing.
    pub unnoticed: bool,
}

/// When to look next, and whether anything is planned behind the look that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    At(i64),
    /// No other look is planned. What is in doubt still is looked at again then, unless it was given up before.
    Last(Option<i64>),
}

impl Next {
    pub fn at(self) -> Option<i64> {
        match self {
            Self::At(at) => Some(at),
            Self::Last(at) => at,
        }
    }
}

impl Pace {
    pub fn new(config: &config::Reconcile, unnoticed: bool) -> Self {
        Self {
            unknown_for: millis(config.unknown_for),
            watch_for: millis(config.watch_for),
            notice_grace: millis(config.notice_grace),
            unnoticed,
        }
    }

    /// The first look at an order that has just come to stand like this. `None`: nothing is expected of it.
    pub fn first(&self, order: &order::Model, now: i64) -> Option<i64> {
        self.look(order, 0, now)
    }

    /// The look behind the one that is due now.
    pub fn next(&self, order: &order::Model, now: i64) -> Next {
        let in_doubt = matches!(order.status(), OrderStatus::Unknown | OrderStatus::Awaiting);
        match self.look(order, order.looks + 1, now) {
            Some(at) => Next::At(at),
            None => Next::Last(in_doubt.then_some(now + AGAIN)),
        }
    }

    /// The look before which `looks` were made.
    fn look(&self, order: &order::Model, looks: i64, now: i64) -> Option<i64> {
        match order.status() {
            OrderStatus::Submitting if now < order.answer_due_at => Some(order.answer_due_at),
            OrderStatus::Submitting => Some(now + OVERDUE_AGAIN),
            OrderStatus::Unknown if looks < self.unknown_looks() => Some(now + every_hour(&UNKNOWN, looks)),
            OrderStatus::Unknown => None,
            OrderStatus::Awaiting => self.until_expired(order, looks, now).or_else(|| match looks {
                0 => Some(now),
                _ => self.after_expiry(order, now).or((looks < AT_LEAST).then_some(now + HOUR)),
            }),
            OrderStatus::Failed | OrderStatus::Closed => match looks {
                0 => Some(now + AFTERWARDS),
                1 if self.watch_for > AFTERWARDS => Some(now + self.watch_for - AFTERWARDS),
                _ => None,
            },
            // Money may still come through another submission.
            _ if order.submissions > 1 => {
                self.until_expired(order, looks, now).or_else(|| self.after_expiry(order, now))
            }
            _ => None,
        }
    }

    fn unknown_looks(&self) -> i64 {
        i64::try_from(UNKNOWN.len()).expect("a handful") + self.unknown_for / HOUR
    }

    fn until_expired(&self, order: &order::Model, looks: i64, now: i64) -> Option<i64> {
        let wait = if self.unnoticed { Some(every_hour(&UNNOTICED, looks)) } else { wait(&AWAITING, looks) };
        let next = wait.map_or(order.expires_at, |wait| order.expires_at.min(now + wait));
        (now < order.expires_at).then_some(next)
    }

    fn after_expiry(&self, order: &order::Model, now: i64) -> Option<i64> {
        [order.expires_at, order.expires_at + AFTERWARDS, order.expires_at + self.watch_for]
            .into_iter()
            .find(|at| now < *at)
    }
}

/// From the look before to the one of this place in a list of times after the move.
fn wait(times: &[i64], place: i64) -> Option<i64> {
    let place = usize::try_from(place).ok()?;
    let before = place.checked_sub(1).map_or(0, |before| times.get(before).copied().unwrap_or_default());
    times.get(place).map(|at| at - before)
}

/// The same of a list that goes on by the hour: at the first one after its end, and at each that follows.
fn every_hour(times: &[i64], place: i64) -> i64 {
    let len = i64::try_from(times.len()).expect("a handful");
    wait(times, place)
        .unwrap_or_else(|| if place == len { HOUR - times.last().copied().unwrap_or_default() } else { HOUR })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
