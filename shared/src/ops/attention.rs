//! What waits for a person, and the facts held among it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Moment;
use crate::order::OrderStatus;

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matter {
    pub id: String,
    /// Such as `order.unknown` or `store.credentials_failing`.
    pub kind: String,
    pub subject: Subject,
    pub merchant_id: String,
    pub store_id: String,
    /// How often it was seen since it was raised.
    pub count: i64,
    pub raised_at: Moment,
    /// When it was last seen.
    pub seen_at: Moment,
    /// What is known of it; which members there are depends on its kind.
    pub detail: Value,
    /// The likely cause, for people.
    pub cause: String,
    /// What to do next, for people.
    pub next_step: String,
}

/// What it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// `order`, `refund`, `store`, or `fact`: what ScanForPay said of an order.
    pub kind: String,
    pub id: String,
    /// The order's, refund's or store's number; a fact's is its order's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
}

/// What a person can do about a matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Release the fact, or reject it.
    DecideFact,
    /// Approve the refund, or decline it.
    DecideRefund,
    /// Say how the refund ended.
    ResolveRefund,
    /// Say that somebody has seen to it.
    End,
}

impl Matter {
    /// What can be done about it, the mending one first.
    pub fn mends(&self) -> &'static [Mend] {
        match self.kind.as_str() {
            "fact.quarantined" => &[Mend::DecideFact],
            "refund.proposed" => &[Mend::DecideRefund],
            "refund.unknown" => &[Mend::ResolveRefund, Mend::End],
            _ => &[Mend::End],
        }
    }
}

/// Why a matter is ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatterToEnd {
    /// 1 to 500 characters.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactState {
    /// It changes nothing, and waits for a person or for a later fact that agrees.
    Held,
    /// ScanForPay bore it out when it was asked.
    Released,
    /// It was turned away.
    Rejected,
}

/// Something that ScanForPay said about an order, and that differs from what it was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fact {
    pub id: String,
    pub merchant_id: String,
    /// The merchant's number of the order that the fact is about.
    pub number: String,
    /// How it was said: `answer`, `notice` or `query`.
    pub source: String,
    /// What it would have made of the order, such as `paid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    pub state: FactState,
    pub held_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// Who decided, such as `operator:anna`; `notice` or `query`: a later one agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fields that differ.
    pub differences: Vec<FactField>,
}

/// A field as it was asked for and as it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactField {
    /// The protocol's name of it.
    pub field: String,
    /// Absent: nothing was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Value>,
    /// Absent: nothing was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Value>,
    pub differs: bool,
}

/// A held fact with everything that was asked beside everything that came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactInFull {
    #[serde(flatten)]
    pub fact: Fact,
    /// The number that ScanForPay was given.
    pub sent_number: String,
    /// Where the order stands now.
    pub order_status: OrderStatus,
    pub fields: Vec<FactField>,
}

/// A decision about a held fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// 1 to 500 characters.
    pub reason: String,
}
