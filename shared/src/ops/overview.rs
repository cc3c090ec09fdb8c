//! How the gateway is doing, as series over an hour or a day.

use serde::{Deserialize, Serialize};

use super::Moment;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// When it was counted.
    pub at: Moment,
    /// The gateway that answers has counted since then; what was before is not in the series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Width of each point in seconds.
    pub step_seconds: u32,
    pub currencies: Vec<CurrencySeries>,
    pub wallets: Vec<WalletShare>,
    /// How long ScanForPay took to answer.
    pub upstream: Vec<Point>,
    /// From a notice to the shop's acknowledgement.
    pub notice_to_acknowledgement: Vec<Point>,
    pub deliveries_due: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_due_at: Option<Moment>,
    /// Tried within the hour, and acknowledged nothing.
    pub endpoints_failing: u64,
    pub limit_hits: u64,
    /// What waits for a person; absent: the gateway is older than this member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matters_waiting: Option<u64>,
}

/// Orders of one currency, a number per step, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrencySeries {
    pub currency: String,
    pub placed: Vec<u64>,
    pub paid: Vec<u64>,
    /// In the currency's smallest unit.
    pub paid_amount: Vec<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletShare {
    pub wallet: String,
    pub paid: u64,
}

/// Percentiles of one step, in milliseconds; absent: nothing happened in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<u32>,
}
