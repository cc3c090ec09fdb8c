//! A fact: anything the upstream said about an order, or that it said nothing in time.

use serde_json::json;
use sha2::{Digest, Sha256};

use super::journal::Kind;
use crate::entity::{audit_entry, operator_act};
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
    /// A person asked for it, to let a held fact in where this one bears it out.
    pub release: Option<Release>,
}

/// A person's word that a held fact is to be let in.
#[derive(Debug, Clone)]
pub struct Release {
    pub fact_id: String,
    pub by: String,
    pub reason: String,
    pub record: Record,
}

/// How it goes on record that a person decided.
#[derive(Debug, Clone)]
pub enum Record {
    Audit(Box<audit_entry::Model>),
    Act(Box<operator_act::Model>),
}

/// What a fact would make of the order. The words are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    Opened,
    Refused,
    Unpaid,
    Paid,
    Failed,
    Refunded,
    Closed,
    Missing,
}

impl Claim {
    const ALL: [Self; 8] = [
        Self::Opened,
        Self::Refused,
        Self::Unpaid,
        Self::Paid,
        Self::Failed,
        Self::Refunded,
        Self::Closed,
        Self::Missing,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Refused => "refused",
            Self::Unpaid => "unpaid",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::Closed => "closed",
            Self::Missing => "missing",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|claim| claim.as_str() == text)
    }

    /// Whether what was said before is borne out by this, said later.
    pub fn bears_out(self, before: Self) -> bool {
        match before {
            // It is there; that it has moved on since says nothing against that.
            Self::Opened | Self::Unpaid => !matches!(self, Self::Refused | Self::Missing),
            Self::Paid => matches!(self, Self::Paid | Self::Refunded),
            Self::Refunded => self == Self::Refunded,
            Self::Failed | Self::Closed => matches!(self, Self::Failed | Self::Closed),
            Self::Refused | Self::Missing => matches!(self, Self::Refused | Self::Missing),
        }
    }
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
    /// What it would make of the order; `None`: it says nothing that can be told apart.
    pub fn claim(&self) -> Option<Claim> {
        match &self.told {
            Told::Opened(_) => Some(Claim::Opened),
            Told::Refused(_) => Some(Claim::Refused),
            Told::Closed(_) => Some(Claim::Closed),
            Told::NoSuchOrder => Some(Claim::Missing),
            Told::State(said) => match said.status {
                Some(0) => Some(Claim::Unpaid),
                Some(1) => Some(Claim::Paid),
                Some(2) => Some(Claim::Failed),
                Some(3) => Some(Claim::Refunded),
                _ => None,
            },
            Told::Nothing { .. } | Told::Overdue | Told::Expired => None,
        }
    }

    /// By which a repeat of a notice is told.
    pub fn digest(&self) -> Option<Vec<u8>> {
        let raw = self.raw.as_ref().filter(|_| self.source == Source::Notice)?;
        Some(Sha256::digest(raw).to_vec())
    }

    /// By which an answer to a query that differs is told from one that was held before: questions are asked again and
    /// again, and the answer to each has an id and a time of its own.
    pub fn digest_of_held(&self) -> Option<Vec<u8>> {
        let (Source::Query, Told::State(said) | Told::Closed(said)) = (self.source, &self.told) else {
            return None;
        };
        let said = json!([
            Source::Query.kind().as_str(),
            said.partner_no,
            said.code,
            said.status,
            said.partner_order_no,
            said.order_no,
            said.amount,
            said.currency,
        ]);
        Some(Sha256::digest(said.to_string()).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_read_as_it_is_written_and_bears_itself_out() {
        for claim in Claim::ALL {
            assert_eq!(Claim::parse(claim.as_str()), Some(claim));
            assert!(claim.bears_out(claim), "{claim:?}");
        }
        assert_eq!(Claim::parse("settled"), None);
    }

    #[test]
    fn only_money_bears_out_that_there_is_money() {
        for claim in Claim::ALL {
            assert_eq!(
                claim.bears_out(Claim::Paid),
                matches!(claim, Claim::Paid | Claim::Refunded),
                "{claim:?}"
            );
        }
    }
}
