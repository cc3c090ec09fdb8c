//! Deliveries and their attempts.

use serde::{Deserialize, Serialize};

use super::Moment;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Or at it.
    Due,
    /// Until what was promised earlier about the same subject to the same endpoint has ended.
    Waiting,
    /// With the replay that it belongs to, or while its endpoint is disabled.
    Parked,
    Delivered,
    /// The schedule is used up without an acknowledgement.
    Exhausted,
    /// What came after it says more.
    Superseded,
    Cancelled,
}

/// The promise to bring one event to one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub id: String,
    pub event_id: String,
    /// Such as `order.paid`.
    pub kind: String,
    pub endpoint_id: String,
    /// Where it goes, without what follows a `?`.
    pub url: String,
    pub merchant_id: String,
    /// The merchant's number of the order.
    pub number: String,
    pub state: DeliveryState,
    /// Made so far.
    pub attempt_count: i64,
    /// How the last one went, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// When it is tried next; absent: it has ended, or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_id: Option<String>,
    pub created_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// Oldest first; empty in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// One HTTP request of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    pub at: Moment,
    pub took_ms: i64,
    /// The HTTP status; absent: there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How it went, in words.
    pub outcome: String,
    /// The beginning of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}
