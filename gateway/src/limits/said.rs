//! What a caller is told about limits: how much is left, or why not now. As header fields, `RateLimit` and
//! `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-10.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::bucket::Tier;
use super::quota::Quota;
use crate::error::whole_seconds;

static RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A bucket after something was drawn from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    pub tier: Tier,
    pub quota: Quota,
    pub remaining: u32,
    /// Until it is full again.
    pub refill: Duration,
}

impl Level {
    pub fn new(tier: Tier, quota: Quota, remaining: u32) -> Self {
        let used = quota.count().get().saturating_sub(remaining);
        Self { tier, quota, remaining, refill: quota.interval() * used }
    }
}

/// The buckets that a caller may see, after it was let through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing(Vec<Level>);

impl Standing {
    /// Of `levels`, those in `visible` tiers: how much others use of a shared bucket is not a caller's business.
    pub(super) fn of(levels: Vec<Level>, visible: &[Tier]) -> Self {
        Self(levels.into_iter().filter(|level| visible.contains(&level.tier)).collect())
    }

    /// Say it in an answer's header.
    pub fn put(&self, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        let (mut policies, mut limits) = (String::new(), String::new());
        for level in &self.0 {
            policy(&mut policies, level.tier, level.quota);
            limit(&mut limits, level.tier, level.remaining, level.refill);
        }
        set(headers, &policies, &limits);
    }
}

/// Which bucket is empty, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub tier: Tier,
    pub quota: Quota,
    pub wait: Duration,
}

impl Refusal {
    /// In whole seconds, never 0.
    pub fn retry_after(&self) -> u64 {
        whole_seconds(self.wait).max(1)
    }

    /// In words, with the bucket's name; at most 100 characters, as the signed API's messages.
    pub fn text(&self) -> String {
        format!(
            "limit \"{}\" reached ({}); nothing was begun; try again in {} s",
            self.tier.name(),
            self.quota,
            self.retry_after()
        )
    }

    /// Say it in an answer's header, with `Retry-After`.
    pub fn put(&self, headers: &mut HeaderMap) {
        let (mut policies, mut limits) = (String::new(), String::new());
        policy(&mut policies, self.tier, self.quota);
        limit(&mut limits, self.tier, 0, self.wait);
        set(headers, &policies, &limits);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(self.retry_after()));
    }
}

fn policy(text: &mut String, tier: Tier, quota: Quota) {
    separate(text);
    let (name, window) = (tier.name(), whole_seconds(quota.window()).max(1));
    write!(text, "\"{name}\";q={};w={window}", quota.count()).expect("a String takes everything");
}

fn limit(text: &mut String, tier: Tier, remaining: u32, reset: Duration) {
    separate(text);
    let (name, reset) = (tier.name(), whole_seconds(reset));
    write!(text, "\"{name}\";r={remaining};t={reset}").expect("a String takes everything");
}

fn separate(text: &mut String) {
    if !text.is_empty() {
        text.push_str(", ");
    }
}

fn set(headers: &mut HeaderMap, policies: &str, limits: &str) {
    let value = |text: &str| HeaderValue::from_str(text).expect("names and numbers are visible ASCII");
    headers.insert(&RATELIMIT_POLICY, value(policies));
    headers.insert(&RATELIMIT, value(limits));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(text: &str) -> Quota {
        text.parse().expect("a quota")
    }

    fn headers(put: impl FnOnce(&mut HeaderMap)) -> [Option<String>; 3] {
        let mut headers = HeaderMap::new();
        put(&mut headers);
        [&RATELIMIT_POLICY, &RATELIMIT, &header::RETRY_AFTER]
            .map(|name| headers.get(name).map(|value| value.to_str().expect("text").to_owned()))
    }

    #[test]
    fn what_is_left_is_said_for_the_visible_buckets_in_their_order() {
        let levels = vec![
            Level::new(Tier::Platform, quota("1000/1s"), 1),
            Level::new(Tier::Merchant, quota("50/10s"), 49),
            Level::new(Tier::Store, quota("20/500ms"), 0),
        ];
        let standing = Standing::of(levels, &[Tier::Merchant, Tier::Store]);
        let [policy, limit, retry] = headers(|headers| standing.put(headers));
        assert_eq!(policy.as_deref(), Some(r#""merchant";q=50;w=10, "store";q=20;w=1"#));
        assert_eq!(limit.as_deref(), Some(r#""merchant";r=49;t=1, "store";r=0;t=1"#));
        assert_eq!(retry, None);
        assert_eq!(headers(|headers| Standing::default().put(headers)), [None, None, None]);
    }

    #[test]
    fn a_refusal_names_its_bucket_and_never_asks_for_less_than_the_wait() {
        let refusal =
            |wait| Refusal { tier: Tier::Account, quota: quota("100/1s"), wait: Duration::from_millis(wait) };
        let [policy, limit, retry] = headers(|headers| refusal(1001).put(headers));
        assert_eq!(policy.as_deref(), Some(r#""account";q=100;w=1"#));
        assert_eq!(limit.as_deref(), Some(r#""account";r=0;t=2"#));
        assert_eq!(retry.as_deref(), Some("2"));
        assert_eq!([0, 1, 1000, 1001].map(|wait| refusal(wait).retry_after()), [1, 1, 1, 2]);
        assert!(refusal(1).text().contains("\"account\""), "{}", refusal(1).text());
    }

    #[test]
    fn the_longest_text_fits_the_signed_api() {
        let longest = Refusal {
            tier: Tier::Callbacks,
            quota: quota("1000000/23h 59m 59s 999ms"),
            wait: Duration::from_hours(24),
        };
        assert!(longest.text().chars().count() <= 100, "{}", longest.text());
    }
}
