//! `GET /health` on the operators' listener. Older than the rest, and read by other programs: its members are in
//! `snake_case`, its times in milliseconds since 1970.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub version: String,
    /// The SQLite file, or PostgreSQL's address without its password.
    pub store: String,
    pub disk_is_low: bool,
    /// Whether limits are counted in this process alone or with the other nodes'.
    pub limits_count: String,
    /// Accounts whose credentials ScanForPay refuses.
    pub accounts_barred: u64,
    /// Not acknowledged yet.
    pub deliveries_due: u64,
    /// When the oldest of them was promised, in milliseconds since 1970.
    pub oldest_due_since: Option<i64>,
    /// Without an answer of ScanForPay's after it was due.
    pub orders_overdue: u64,
    pub master_keys_previous: u64,
    /// Secrets still sealed under a previous master key.
    pub sealed_under_previous: u64,
    /// Matters that wait for a person.
    pub attention: u64,
    pub facts_held: u64,
}
