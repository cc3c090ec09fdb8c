//! What was wrong with what the sandbox was sent: every breach of `docs/PROTOCOL.md`, newest last. The list
//! names fields and rules; it never holds keys, signatures or whole bodies.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// How many are kept; older ones are only counted.
pub const KEPT: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// 1 for the first since the start.
    pub number: u64,
    /// RFC 3339.
    pub at: String,
    /// The operation's path, or `notice` for a receiver's answer.
    pub place: String,
    /// As claimed; not to be believed where the signature was wrong.
    pub partner_no: String,
    /// The partner's order number, where it could be read.
    pub partner_order_no: String,
    /// The field or part at fault.
    pub about: String,
    pub problem: String,
    /// The code it was answered with; `None` where it was let pass.
    pub code: Option<i32>,
}

#[derive(Default)]
pub(crate) struct Violations {
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    kept: VecDeque<Violation>,
    total: u64,
}

impl Violations {
    /// Keep and log one; its number is given here.
    pub(crate) fn add(&self, mut violation: Violation) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.total += 1;
        violation.number = list.total;
        tracing::warn!(
            place = violation.place,
            partner_no = violation.partner_no,
            order = violation.partner_order_no,
            code = violation.code,
            "protocol violation: {}: {}",
            violation.about,
            violation.problem
        );
        if list.kept.len() == KEPT {
            list.kept.pop_front();
        }
        list.kept.push_back(violation);
    }

    pub(crate) fn list(&self) -> Vec<Violation> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).kept.iter().cloned().collect()
    }

    /// All since the start or the last `clear`, kept or not.
    pub(crate) fn total(&self) -> u64 {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).total
    }

    pub(crate) fn clear(&self) {
        *self.list.lock().unwrap_or_else(PoisonError::into_inner) = List::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation(about: usize) -> Violation {
        Violation {
            number: 0,
            at: String::new(),
            place: "notice".to_owned(),
            partner_no: String::new(),
            partner_order_no: String::new(),
            about: about.to_string(),
            problem: String::new(),
            code: None,
        }
    }

    #[test]
    fn the_newest_thousand_are_kept_and_all_are_counted() {
        let violations = Violations::default();
        (0..KEPT + 3).for_each(|n| violations.add(violation(n)));
        let list = violations.list();
        assert_eq!(list.len(), KEPT);
        assert_eq!((list[0].about.as_str(), list[0].number), ("3", 4));
        assert_eq!(violations.total(), 1_003);
    }
}
