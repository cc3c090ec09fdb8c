//! When to try again.

use std::time::Duration;

/// Unix milliseconds of the attempt after `made` ones, or `None` once the schedule is used up. `swing` from -1 to
/// 1 is this time's part of the jitter.
pub fn next_due(schedule: &[Duration], jitter: f64, swing: f64, made: i64, now: i64) -> Option<i64> {
    let place = usize::try_from(made).ok()?.checked_sub(1)?;
    let wait = schedule.get(place)?.mul_f64(1.0 + jitter * swing.clamp(-1.0, 1.0));
    Some(now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX / 2))
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
    fn the_other_key_version_is_tried_once() {
        let places: Vec<usize> = (0..4).map(|made| key_place(0, 2, made)).collect();
        assert_eq!(places, [0, 1, 0, 0]);
        assert_eq!(key_place(1, 2, 1), 0);
        assert_eq!(key_place(0, 1, 1), 0);
    }
}
