//! When to try again.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Unix milliseconds of the attempt after `made` ones, or `None` once the schedule is used up. `swing` from -1 to
/// 1 is this time's part of the jitter.
pub fn next_due(schedule: &[Duration], jitter: f64, swing: f64, made: i64, now: i64) -> Option<i64> {
    let place = usize::try_from(made).ok()?.checked_sub(1)?;
    let wait = schedule.get(place)?.mul_f64(1.0 + jitter * swing.clamp(-1.0, 1.0));
    Some(now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2))
}

/// How long a `Retry-After` asks to wait: in seconds, or until a date of HTTP's. `None`: it says neither.
pub fn retry_after(text: &str, now: OffsetDateTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(&text.trim().replace("GMT", "+0000"), &Rfc2822).ok()?;
    Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
}

/// Which of the merchant's valid key versions the attempt after `made` ones is signed with, as an index: the one
/// it last used, and the other in between once, for a merchant that is just changing keys.
pub fn key_place(preferred: usize, versions: usize, made: i64) -> usize {
    if versions > 1 && made == 1 { (preferred + 1) % versions } else { preferred }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(30)];

    #[test]
    fn each_attempt_has_its_wait_and_the_schedule_ends() {
        assert_eq!(next_due(&SCHEDULE, 0.1, 0.0, 1, 1_000), Some(16_000));
        assert_eq!(next_due(&SCHEDULE, 0.1, 0.0, 2, 1_000), Some(31_000));
        assert_eq!(next_due(&SCHEDULE, 0.1, 0.0, 3, 1_000), None);
    }

    #[test]
    fn jitter_swings_within_its_bounds() {
        assert_eq!(next_due(&SCHEDULE, 0.1, 1.0, 1, 0), Some(16_500));
        assert_eq!(next_due(&SCHEDULE, 0.1, -1.0, 1, 0), Some(13_500));
        assert_eq!(next_due(&SCHEDULE, 0.1, 7.0, 1, 0), Some(16_500));
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_date() {
        let now = OffsetDateTime::from_unix_timestamp(1_790_000_000).expect("a time");
        assert_eq!(retry_after("120", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("Mon, 21 Sep 2026 14:14:20 GMT", now), Some(Duration::from_mins(1)));
        assert_eq!(retry_after("Mon, 21 Sep 2020 14:14:20 GMT", now), Some(Duration::ZERO));
        for neither in ["", "soon", "-1", "1.5", "2026-09-21T14:14:20Z"] {
            assert_eq!(retry_after(neither, now), None, "{neither}");
        }
    }

    #[test]
    fn the_other_key_version_is_tried_once() {
        let places: Vec<usize> = (0..4).map(|made| key_place(0, 2, made)).collect();
        assert_eq!(places, [0, 1, 0, 0]);
        assert_eq!(key_place(1, 2, 1), 0);
        assert_eq!(key_place(0, 1, 1), 0);
    }
}
