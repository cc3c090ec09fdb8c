//! The self-check of a test merchant's endpoint: drills that a shop has to stand before it goes live, such as a notice
//! that comes twice, of another amount, or signed with another key, and what its answers say about it.
//!
//! A live key never signs a fiction: only test merchants are checked, with their own test keys, about an order of
//! their own. Nothing is written: the order, its journal and its events stay as they are.

mod drill;
mod judge;
mod subject;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use self::drill::Drill;
use self::drill::Sender;
use self::judge::judged;
pub use self::judge::{Answer, Came, Finding, Verdict};
use self::subject::Subject;
pub use self::subject::Wanted;
use crate::app::App;
use crate::directory::Merchant;
use crate::error::Error;

/// Self-checks that one node runs at a time.
const AT_ONCE: usize = 16;

/// What came of a self-check.
#[derive(Debug)]
pub struct Report {
    pub url: String,
    /// The merchant's number of the order that the drills were about, and how that order stands.
    pub number: String,
    pub order_status: &'static str,
    /// In the order in which they were sent.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Of 100: what the passed drills are worth together.
    pub fn score(&self) -> u32 {
        self.findings.iter().map(Finding::points).sum()
    }
}

/// Run every drill against the endpoint that is wanted.
pub async fn run(app: &App, merchant: &Merchant, wanted: &Wanted) -> Result<Report, Error> {
    let subject = Subject::find(app, merchant, wanted).await?;
    let _turn = app.selfchecks.begin(&merchant.id)?;
    let ends_at = Instant::now() + budget(app);
    let sender = Sender::new(app, merchant, &subject, ends_at);
    let mut runs = Vec::with_capacity(Drill::ALL.len());
    let mut unreachable = false;
    for drill in Drill::ALL {
        // Nobody is there: the other drills would say the same, each after a wait of its own. The true notice is tried
        // all the same, so that the report says why.
        let answers = if unreachable && drill != Drill::Paid { Vec::new() } else { sender.send(drill).await };
        unreachable |= answers.iter().any(Answer::is_unreachable);
        runs.push((drill, answers));
    }
    let findings = judged(runs, &subject);
    Ok(Report {
        url: subject.url.to_string(),
        number: subject.order.number.clone(),
        order_status: subject.order.status().as_str(),
        findings,
    })
}

/// For all drills together; the rest of what a request may take is for everything around them.
fn budget(app: &App) -> Duration {
    app.config.server.request_timeout.mul_f32(0.75)
}

/// Merchants whose endpoint this node is checking.
#[derive(Default)]
pub struct Running(Mutex<HashSet<String>>);

struct Turn<'a> {
    running: &'a Running,
    merchant_id: String,
}

impl Running {
    fn merchants(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One self-check of a merchant at a time: two would see each other's notices.
    fn begin(&self, merchant_id: &str) -> Result<Turn<'_>, Error> {
        let mut merchants = self.merchants();
        if merchants.contains(merchant_id) {
            return Err(Error::Conflict {
                code: "selfcheck_running",
                detail: "another self-check of this merchant is running".to_owned(),
                pointer: None,
            });
        }
        if merchants.len() >= AT_ONCE {
            return Err(Error::Busy);
        }
        merchants.insert(merchant_id.to_owned());
        Ok(Turn { running: self, merchant_id: merchant_id.to_owned() })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.running.merchants().remove(&self.merchant_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merchant_is_checked_once_at_a_time_and_a_node_checks_so_many() {
        let running = Running::default();
        let turn = running.begin("a").expect("nobody is checked");
        assert_eq!(running.begin("a").err().map(|error| error.code()), Some("selfcheck_running"));
        let others: Vec<_> =
            (1..AT_ONCE).map(|n| running.begin(&n.to_string()).expect("there is room")).collect();
        assert_eq!(running.begin("b").err().map(|error| error.code()), Some("busy"));
        drop(turn);
        let again = running.begin("a");
        assert!(again.is_ok());
        drop(others);
    }
}
