//! A time as the operators' API writes it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// RFC 3339, such as `2026-11-26T10:04:25.671Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

impl Moment {
    /// Milliseconds since 1970. Absent: there is no such date.
    pub fn of_ms(ms: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok().map(Self)
    }

    /// Milliseconds since 1970.
    pub fn ms(self) -> i64 {
        let ms = self.0.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(ms).expect("four digits of a year are few milliseconds")
    }
}
