//! The buckets of one request drawn from in Redis: one script, one round trip, all or nothing, by Redis's clock.

use std::time::Duration;

use super::bucket::{Draw, Tier};
use super::said::{Level, Refusal};
use crate::redis::{Redis, Script};

const GCRA: &str = include_str!("gcra.lua");

pub struct Together {
    redis: Redis,
    gcra: Script,
}

impl Together {
    pub fn new(redis: Redis) -> Self {
        Self { redis, gcra: Script::new(GCRA) }
    }

    pub fn key(&self, tier: Tier, platform: &str, id: &str) -> String {
        self.redis.key(platform, &format!("{}:{id}", tier.name()))
    }

    pub fn is_answering(&self) -> bool {
        self.redis.is_answering()
    }

    /// Draw from all of `draws` or from none. Nothing where Redis does not answer.
    pub async fn take(&self, draws: &[Draw<'_>]) -> Option<Result<Vec<Level>, Refusal>> {
        let keys: Vec<&str> = draws.iter().map(|draw| draw.bucket.key.as_str()).collect();
        let mut arguments = Vec::with_capacity(3 * draws.len());
        for Draw { bucket, priority } in draws {
            let part = u64::from(bucket.part(*priority).get());
            arguments.extend([interval_us(bucket.quota.interval()), part, bucket.quota.count().get().into()]);
        }
        let answer: Vec<u64> = self
            .redis
            .ask(|mut connection| async move { self.gcra.run(&mut connection, &keys, &arguments).await })
            .await?;
        read(&answer, draws)
    }
}

/// Redis counts in microseconds; a quota's interval is at least one.
fn interval_us(interval: Duration) -> u64 {
    u64::try_from(interval.as_micros()).unwrap_or(u64::MAX)
}

/// `[n, wait]` for a refusal by the n-th, else `[0, …]` with what each needs to be full again. Anything else would
/// not be our script's.
fn read(answer: &[u64], draws: &[Draw<'_>]) -> Option<Result<Vec<Level>, Refusal>> {
    let (place, times) = answer.split_first()?;
    if let Some(place) = usize::try_from(*place).ok()?.checked_sub(1) {
        let bucket = draws.get(place)?.bucket;
        let wait = Duration::from_micros(*times.first()?);
        return Some(Err(Refusal { tier: bucket.tier, quota: bucket.quota, wait }));
    }
    if times.len() != draws.len() {
        return None;
    }
    let level = |(draw, refill): (&Draw<'_>, &u64)| {
        let quota = draw.bucket.quota;
        let used = refill.div_ceil(interval_us(quota.interval()));
        let remaining = quota.count().get().saturating_sub(u32::try_from(used).unwrap_or(u32::MAX));
        Level { tier: draw.bucket.tier, quota, remaining, refill: Duration::from_micros(*refill) }
    };
    Some(Ok(draws.iter().zip(times).map(level).collect()))
}
