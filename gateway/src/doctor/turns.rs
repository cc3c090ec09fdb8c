//! How often one credential may have the doctor look: each look costs up to a tenth of a second of a processor.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Looks within [`WINDOW_MS`] for one credential.
pub const TURNS: usize = 10;
pub const WINDOW_MS: i64 = 60_000;

/// When each credential had its last looks.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<String, VecDeque<i64>>>);

impl Turns {
    /// Take a turn, or hear how long to wait for one.
    pub fn take(&self, credential: &str, now: i64) -> Result<(), Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever had none within the window is forgotten: there are never more than had one.
        all.retain(|_, taken| taken.back().is_some_and(|last| now - last < WINDOW_MS));
        let taken = all.entry(credential.to_owned()).or_default();
        while taken.front().is_some_and(|first| now - first >= WINDOW_MS) {
            taken.pop_front();
        }
        if let (TURNS, Some(first)) = (taken.len(), taken.front()) {
            let wait = u64::try_from(first + WINDOW_MS - now).unwrap_or_default();
            return Err(Duration::from_millis(wait));
        }
        taken.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_within_a_minute_each_for_itself_and_then_one_as_soon_as_the_first_is_a_minute_old() {
        let turns = Turns::default();
        for at in 0..10 {
            assert_eq!(turns.take("a", at), Ok(()));
        }
        assert_eq!(turns.take("a", 10_000), Err(Duration::from_secs(50)));
        assert_eq!(turns.take("b", 10_000), Ok(()));
        assert_eq!(turns.take("a", WINDOW_MS - 1), Err(Duration::from_millis(1)));
        assert_eq!(turns.take("a", WINDOW_MS), Ok(()));
        assert_eq!(turns.take("a", WINDOW_MS), Err(Duration::from_millis(1)), "the second is of 1 ms later");
    }
}
