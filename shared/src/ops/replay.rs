//! Replays: deliveries made again, at a pace, after a preview.

use serde::{Deserialize, Serialize};

use super::{DeliveryState, Moment};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayState {
    /// Nothing is sent until somebody who has seen the count starts it.
    Preview,
    Running,
    Paused,
    Done,
    Cancelled,
}

/// What is to be delivered again. Exactly one of the first three is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayToMake {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delivery_ids: Vec<String>,
    /// All deliveries of one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<ReplayFilter>,
    /// Pass over what has been acknowledged by the time it would be sent.
    #[serde(default)]
    pub skip_acknowledged: bool,
    /// Deliveries a second at most; absent: the gateway's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// 1 to 500 characters.
    pub reason: String,
}

/// Which deliveries; all that is given has to hold, and an absent member lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayFilter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// Such as `order.paid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<DeliveryState>,
    /// How the last attempt went, such as `timed_out`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<String>,
    /// When the event was promised: from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Moment>,
    /// Before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Moment>,
}

/// That somebody has seen the preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayStart {
    /// The preview's `total`.
    pub total: i64,
}

/// Another pace for a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPace {
    /// Deliveries a second at most.
    pub rate: u32,
}

/// Deliveries made again: what they are, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    pub id: String,
    pub state: ReplayState,
    /// Of what was asked for, one is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<ReplayFilter>,
    pub skip_acknowledged: bool,
    pub reason: String,
    /// Such as `operator:anna`.
    pub asked_by: String,
    /// Deliveries a second at most.
    pub rate: u32,
    /// How many deliveries the preview counted.
    pub total: i64,
    /// Of those, what would go nowhere: its endpoint is gone, not proven, or another's.
    #[serde(default)]
    pub unsendable: i64,
    pub merchants: i64,
    pub endpoints: i64,
    /// When the oldest and the newest of the events was promised; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Moment>,
    /// How long what is left takes at this pace, if every endpoint keeps up.
    pub takes_seconds: u64,
    /// On their way: promised anew and not ended.
    pub sending: i64,
    pub delivered: i64,
    /// Exhausted, or their endpoint is no longer the same owner's or no longer proven.
    pub failed: i64,
    pub skipped: i64,
    /// Still on their way when it came to them: sent at once instead of once more.
    #[serde(default)]
    pub brought_forward: i64,
    pub created_at: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
}

impl Replay {
    /// How many of its `total` it has seen the end of.
    pub fn ended(&self) -> i64 {
        self.delivered + self.failed + self.skipped + self.brought_forward
    }
}
