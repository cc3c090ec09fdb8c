//! Entries of an order's journal: what happened, what a reader needs to know of it, and the bytes it came in,
//! less signatures and keys.

use serde_json::Value;

use crate::entity::journal;

/// What an entry tells of. The words are stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A merchant's create that made the order.
    Placed,
    /// The order was placed elsewhere, and brought in.
    Imported,
    /// A create that led to another submission.
    Resubmitted,
    /// The upstream's answer to create, or that there was none to trust.
    Answer,
    Notice,
    /// What the upstream said to a query.
    Query,
    /// The answer was due and never came.
    Overdue,
    /// Its time to pay was over, and a last query knew of no payment.
    Expired,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Imported => "imported",
            Self::Resubmitted => "resubmitted",
            Self::Answer => "answer",
            Self::Notice => "notice",
            Self::Query => "query",
            Self::Overdue => "overdue",
            Self::Expired => "expired",
        }
    }
}

/// An entry about `order_id`; `id` also orders it among the others.
pub fn entry(
    id: String,
    order_id: &str,
    submission_id: &str,
    at: i64,
    kind: Kind,
    note: &Value,
) -> journal::Model {
    journal::Model {
        id,
        order_id: order_id.to_owned(),
        submission_id: Some(submission_id.to_owned()),
        at,
        kind: kind.as_str().to_owned(),
        note: note.to_string(),
        raw: None,
        digest: None,
    }
}
