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
    /// A person let a held fact in.
    Released,
    /// A person turned a held fact away.
    Rejected,
    /// The purchase was paid with another order, too.
    PaidTwice,
    /// A refund was asked for and its amount kept back.
    RefundAsked,
    /// A refund that a second operator has to agree to.
    RefundProposed,
    RefundDeclined,
    /// The same refund was sent once more.
    RefundRepeated,
    /// The upstream's answer to a refund, or that there was none to trust.
    RefundAnswer,
    /// The answer to a refund was due and never came.
    RefundOverdue,
    /// An operator's word on how a refund ended.
    RefundWord,
    /// Nobody could say for a day how a refund ended: a person has to look.
    RefundGivenUp,
    /// Its time to pay was over, and a last query knew of no payment.
    Expired,
    /// What was told of it is told again.
    Replayed,
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
            Self::Released => "released",
            Self::Rejected => "rejected",
            Self::PaidTwice => "paid_twice",
            Self::RefundAsked => "refund_asked",
            Self::RefundProposed => "refund_proposed",
            Self::RefundDeclined => "refund_declined",
            Self::RefundRepeated => "refund_repeated",
            Self::RefundAnswer => "refund_answer",
            Self::RefundOverdue => "refund_overdue",
            Self::RefundWord => "refund_word",
            Self::RefundGivenUp => "refund_given_up",
            Self::Expired => "expired",
            Self::Replayed => "replayed",
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
