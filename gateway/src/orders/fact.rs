//! A fact: anything the upstream said about an order, or that it said nothing in time.

use sha2::{Digest, Sha256};

use super::journal::Kind;
use crate::upstream::Said;

#[derive(Debug, Clone)]
pub struct Fact {
    /// Of the journal entry that keeps it.
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    pub source: Source,
    pub told: Told,
    /// The signed text as it came.
    pub raw: Option<String>,
    /// How long we waited for it, where we asked.
    pub took_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Answer,
    Notice,
    Query,
    /// Our own clock.
    Expiry,
}

impl Source {
    pub fn kind(self) -> Kind {
        match self {
            Self::Answer => Kind::Answer,
            Self::Notice => Kind::Notice,
            Self::Query => Kind::Query,
            Self::Expiry => Kind::Expired,
        }
    }
}

#[derive(Debug, Clone)]
pub enum Told {
    /// To a create: the order is open.
    Opened(Box<Said>),
    /// To a create: no.
    Refused(Box<Said>),
    /// To a create: nothing that can be relied on.
    Nothing { why: String, code: Option<i32> },
    /// How the order stands.
    State(Box<Said>),
    /// The order is closed: no payment is expected any more.
    Closed(Box<Said>),
    /// To a query: no such order.
    NoSuchOrder,
    /// We waited long enough for an answer to create.
    Overdue,
    /// The time to pay is over, and the upstream has just said that nothing was paid.
    Expired,
}

impl Fact {
    /// By which a repeat of a notice is told.
    pub fn digest(&self) -> Option<Vec<u8>> {
        let raw = self.raw.as_ref().filter(|_| self.source == Source::Notice)?;
        Some(Sha256::digest(raw).to_vec())
    }
}
