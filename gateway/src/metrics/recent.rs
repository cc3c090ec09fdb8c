//! How long things took, minute by minute over the last day, for those who look at a curve.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::spread::Spread;

const MINUTES: usize = 24 * 60;

pub struct Recent {
    origin: Instant,
    /// Oldest first; minutes in which nothing happened are left out.
    minutes: Mutex<VecDeque<(u64, Spread)>>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { origin: Instant::now(), minutes: Mutex::new(VecDeque::new()) }
    }
}

impl Recent {
    fn minute(&self) -> u64 {
        self.origin.elapsed().as_secs() / 60
    }

    pub fn note(&self, took: Duration) {
        self.note_at(self.minute(), i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
    }

    fn note_at(&self, minute: u64, ms: i64) {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.back().is_none_or(|(last, _)| *last < minute) {
            minutes.push_back((minute, Spread::default()));
            while minutes.front().is_some_and(|(first, _)| first + (MINUTES as u64) < minute) {
                minutes.pop_front();
            }
        }
        if let Some((_, spread)) = minutes.back_mut() {
            spread.note(ms);
        }
    }

    /// `steps` of so many minutes each up to now, oldest first.
    pub fn steps(&self, steps: usize, minutes: u64) -> Vec<Spread> {
        self.steps_at(self.minute(), steps, minutes)
    }

    fn steps_at(&self, now: u64, steps: usize, each: u64) -> Vec<Spread> {
        let mut sums = vec![Spread::default(); steps];
        for (minute, spread) in self.minutes.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let back = usize::try_from(now.saturating_sub(*minute) / each).unwrap_or(usize::MAX);
            if let Some(place) = steps.checked_sub(back + 1) {
                sums[place].add_all(spread);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_minutes_and_a_day_is_kept() {
        let recent = Recent::default();
        recent.note_at(0, 10);
        recent.note_at(58, 20);
        recent.note_at(59, 40);
        let percentiles = |now, steps, each| {
            let steps = recent.steps_at(now, steps, each);
            steps.iter().map(|spread| spread.percentile(100)).collect::<Vec<_>>()
        };
        assert_eq!(percentiles(59, 3, 1), [None, Some(21), Some(41)]);
        assert_eq!(percentiles(59, 2, 30), [Some(11), Some(41)]);
        recent.note_at(3_000, 80);
        assert_eq!(recent.minutes.lock().expect("nobody panicked").len(), 1);
    }
}
