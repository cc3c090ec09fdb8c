//! How much is allowed in how much time: `200/1s` is 200 at once, and one more each time a two-hundredth of a second
//! has passed.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use humantime_serde::re::humantime::{format_duration, parse_duration};
use serde::{Deserialize, Serialize, Serializer};

/// The most that can be allowed at once, and in a second: Redis counts in whole microseconds.
pub const MOST: u32 = 1_000_000;
pub const SHORTEST: Duration = Duration::from_millis(1);
pub const LONGEST: Duration = Duration::from_hours(24);

/// So many at once, all of them new again after `window`, evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Quota {
    count: NonZeroU32,
    window: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    #[error("is not a quota such as \"200/1s\" or \"60/1m\"")]
    Form,
    #[error("allows less than 1 or more than 1000000")]
    Count,
    #[error("has a window shorter than 1ms or longer than 1day")]
    Window,
    #[error("allows more than 1000000 in a second")]
    Rate,
}

impl Quota {
    pub fn new(count: u32, window: Duration) -> Result<Self, QuotaError> {
        let count = NonZeroU32::new(count).filter(|count| count.get() <= MOST).ok_or(QuotaError::Count)?;
        if window < SHORTEST || window > LONGEST {
            return Err(QuotaError::Window);
        }
        let quota = Self { count, window };
        if quota.interval() < Duration::from_micros(1) { Err(QuotaError::Rate) } else { Ok(quota) }
    }

    /// Of a row's two columns; both are null where the row has no quota of its own.
    pub fn of_columns(count: Option<i64>, window_ms: Option<i64>) -> Result<Option<Self>, QuotaError> {
        let (Some(count), Some(window_ms)) = (count, window_ms) else { return Ok(None) };
        let count = u32::try_from(count).map_err(|_| QuotaError::Count)?;
        let window_ms = u64::try_from(window_ms).map_err(|_| QuotaError::Window)?;
        Self::new(count, Duration::from_millis(window_ms)).map(Some)
    }

    /// What a row's two columns hold of it.
    pub fn columns(quota: Option<Self>) -> (Option<i64>, Option<i64>) {
        let window_ms = |quota: Self| i64::try_from(quota.window.as_millis()).expect("a day at most");
        (quota.map(|quota| quota.count.get().into()), quota.map(window_ms))
    }

    /// In words, of a row's two columns.
    pub fn said(count: Option<i64>, window_ms: Option<i64>) -> Option<String> {
        Self::of_columns(count, window_ms).ok().flatten().map(|quota| quota.to_string())
    }

    /// At once.
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// Until all are new again.
    pub fn window(self) -> Duration {
        self.window
    }

    /// Until one is new again.
    pub fn interval(self) -> Duration {
        self.window / self.count.get()
    }

    /// Whether it allows no more than `other`, neither at once nor in the long run.
    pub fn is_within(self, other: Self) -> bool {
        self.count <= other.count && self.interval() >= other.interval()
    }

    /// As much of it as is within `other`.
    #[must_use]
    pub fn capped_by(self, other: Self) -> Self {
        if self.is_within(other) {
            return self;
        }
        let count = self.count.min(other.count);
        Self { count, window: self.interval().max(other.interval()) * count.get() }
    }

    /// One node's part where `nodes` share it. All parts together allow as much in the long run as the whole, and no
    /// node is left without any.
    #[must_use]
    pub fn share(self, nodes: NonZeroU32) -> Self {
        let count = NonZeroU32::new(self.count.get() / nodes).unwrap_or(NonZeroU32::MIN);
        Self { count, window: self.interval() * nodes.get() * count.get() }
    }

    /// So much of it at once, and as much in the long run.
    #[must_use]
    pub fn with_count(self, count: NonZeroU32) -> Self {
        Self { count, window: self.interval() * count.get() }
    }
}

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let (count, window) = text.split_once('/').ok_or(QuotaError::Form)?;
        let count: u64 = count.trim().parse().map_err(|_| QuotaError::Form)?;
        let window = parse_duration(window.trim()).map_err(|_| QuotaError::Form)?;
        Self::new(u32::try_from(count).map_err(|_| QuotaError::Count)?, window)
    }
}

impl TryFrom<String> for Quota {
    type Error = QuotaError;

    fn try_from(text: String) -> Result<Self, QuotaError> {
        text.parse()
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, format_duration(self.window))
    }
}

impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(text: &str) -> Quota {
        text.parse().expect("a quota")
    }

    #[test]
    fn a_quota_is_written_as_it_is_read() {
        for text in ["200/1s", "1/1day", "60/1m", "1000000/1s", "1/1ms", "1000/1ms"] {
            assert_eq!(quota(text).to_string(), text);
        }
        assert_eq!(quota(" 5 / 10s "), quota("5/10s"));
    }

    #[test]
    fn quotas_beyond_the_edges_are_refused() {
        let refused = [
            ("", QuotaError::Form),
            ("200", QuotaError::Form),
            ("200/s", QuotaError::Form),
            ("-1/1s", QuotaError::Form),
            ("1.5/1s", QuotaError::Form),
            ("0/1s", QuotaError::Count),
            ("1000001/2s", QuotaError::Count),
            ("99999999999/1s", QuotaError::Count),
            ("1/999us", QuotaError::Window),
            ("1/86401s", QuotaError::Window),
            ("1000000/999ms", QuotaError::Rate),
            ("1001/1ms", QuotaError::Rate),
        ];
        for (text, error) in refused {
            assert_eq!(text.parse::<Quota>(), Err(error), "{text}");
        }
    }

    #[test]
    fn columns_that_are_null_are_no_quota() {
        assert_eq!(Quota::of_columns(None, None), Ok(None));
        assert_eq!(Quota::of_columns(Some(5), Some(1000)), Ok(Some(quota("5/1s"))));
        assert_eq!(Quota::of_columns(Some(-5), Some(1000)), Err(QuotaError::Count));
        assert_eq!(Quota::of_columns(Some(5), Some(0)), Err(QuotaError::Window));
    }

    #[test]
    fn within_means_no_more_at_once_and_no_more_in_the_long_run() {
        let whole = quota("100/1s");
        for inside in ["100/1s", "99/1s", "100/2s", "1/10ms"] {
            assert!(quota(inside).is_within(whole), "{inside}");
        }
        for outside in ["101/1s", "101/2s", "100/999ms", "1/9ms"] {
            assert!(!quota(outside).is_within(whole), "{outside}");
        }
    }

    #[test]
    fn what_is_capped_is_within_and_loses_nothing_that_was_within() {
        let whole = quota("100/1s");
        assert_eq!(quota("50/1s").capped_by(whole), quota("50/1s"));
        assert_eq!(quota("500/1s").capped_by(whole), whole);
        assert_eq!(quota("500/10s").capped_by(whole), quota("100/2s"), "fewer at once, at its own rate");
        assert_eq!(
            quota("10/10ms").capped_by(whole),
            quota("10/100ms"),
            "as many at once, at the other's rate"
        );
    }

    #[test]
    fn shares_allow_as_much_in_the_long_run_as_the_whole_and_at_least_one() {
        let nodes = |count| NonZeroU32::new(count).expect("not zero");
        assert_eq!(quota("100/1s").share(nodes(1)), quota("100/1s"));
        assert_eq!(quota("100/1s").share(nodes(2)), quota("50/1s"));
        assert_eq!(quota("100/1s").share(nodes(3)).interval(), quota("100/1s").interval() * 3);
        assert_eq!(quota("100/1s").share(nodes(3)).count().get(), 33);
        assert_eq!(quota("1/1s").share(nodes(4)), quota("1/4s"));
    }
}
