//! Where events go, and how it goes there.

use serde::{Deserialize, Serialize};

use super::Moment;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointStatus {
    /// Nobody there has echoed the challenge since its URL was set.
    Unproven,
    Active,
    /// By its owner or an operator.
    Paused,
    /// Because nothing was acknowledged for long, or it said 410.
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    Closed,
    /// Left alone for a while, because it fails.
    Open,
    /// One attempt tells whether it has come back.
    HalfOpen,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    pub id: String,
    /// `registered`, or `implicit`: of orders' `notifyUrl`s.
    pub kind: String,
    pub platform: String,
    /// Absent: the platform's own, which hears of all its merchants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_id: Option<String>,
    /// Without what follows a `?`; of an implicit one its scheme, host and port.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `scanforpay` or `standard-webhooks`.
    pub format: String,
    pub status: EndpointStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// As this node sees it; absent: it has had nothing to do with it lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
    /// Nothing is sent to it until then, because it fails or asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_alone_until: Option<Moment>,
    /// Since when nothing was acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Moment>,
    pub service: Service,
    pub created_at: Moment,
}

/// How events reach an endpoint, or all of a merchant's: over the last hour, as this node saw it, and what waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Attempts in that time.
    pub attempts: u64,
    /// Of them, acknowledged.
    pub acknowledged: u64,
    /// From what we were told to the receiver's acknowledgement, in milliseconds; absent: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u64>,
    /// Not ended: due, waiting or parked. Counted up to 10,000.
    pub backlog: u64,
    /// When the oldest of them was promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Moment>,
    /// Exhausted, and not replayed since.
    pub exhausted: u64,
}

/// Why something is done. 1 to 500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    pub reason: String,
}
