//! When an open refund is looked at again: closely at first, then hourly for a day, then a person has to look.

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

const CLOSELY: [i64; 8] =
    [5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE];
const HOURLY: usize = 24;

/// When to look after `looks` looks, or `None` once the schedule is used up.
pub fn next(looks: usize, now: i64) -> Option<i64> {
    match CLOSELY.get(looks) {
        Some(wait) => Some(now + wait),
        None if looks < CLOSELY.len() + HOURLY => Some(now + HOUR),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_closely_then_hourly_for_a_day_then_never() {
        let waits: Vec<i64> = (0..100).map_while(|looks| next(looks, 0)).collect();
        assert_eq!(waits[..3], [5_000, 15_000, 30_000]);
        assert_eq!(waits[7..9], [30 * MINUTE, HOUR]);
        assert_eq!(waits.len(), 8 + 24);
        assert_eq!(next(32, 7), None);
    }
}
