//! What happened in the last hour, by whom it concerns: slices of ten minutes, of which the oldest falls away.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::without_repeats;
use crate::metrics::Spread;

const SLICE: Duration = Duration::from_mins(10);
const SLICES: usize = 6;
/// Of so many that had an attempt within the hour something is known; of more, only of the first.
const MOST: usize = 20_000;

/// How each of many fares.
#[derive(Debug, Default)]
pub struct Fares(Mutex<HashMap<String, Hour>>);

#[derive(Debug, Clone, Default)]
struct Hour {
    /// By the number of the slice since the start of the program, modulo [`SLICES`].
    slices: [Slice; SLICES],
}

#[derive(Debug, Clone, Default)]
struct Slice {
    number: u64,
    figures: Figures,
}

#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub attempts: u64,
    pub acknowledged: u64,
    /// From the promise to the acknowledgement.
    pub told: Spread,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.attempts += other.attempts;
        self.acknowledged += other.acknowledged;
        self.told.add_all(&other.told);
    }
}

/// `passed`: since the start of the program.
fn number_of(passed: Duration) -> u64 {
    passed.as_secs() / SLICE.as_secs()
}

impl Hour {
    fn now(&mut self, number: u64) -> &mut Figures {
        let place = usize::try_from(number % SLICES as u64).expect("one of few");
        let slice = &mut self.slices[place];
        if slice.number != number {
            *slice = Slice { number, figures: Figures::default() };
        }
        &mut slice.figures
    }

    /// Of the last hour.
    fn lately(&self, number: u64) -> impl Iterator<Item = &Figures> {
        let lately = self.slices.iter().filter(move |slice| slice.number + SLICES as u64 > number);
        lately.map(|slice| &slice.figures)
    }

    fn sum(&self, number: u64) -> Figures {
        let mut sum = Figures::default();
        self.lately(number).for_each(|figures| sum.add(figures));
        sum
    }

    fn has_only_failed(&self, number: u64) -> bool {
        self.lately(number).any(|figures| figures.attempts > 0)
            && self.lately(number).all(|figures| figures.acknowledged == 0)
    }
}

impl Fares {
    pub fn note(&self, id: &str, acknowledged: bool, told_after: Option<i64>, passed: Duration) {
        let number = number_of(passed);
        let mut fares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !fares.contains_key(id) {
            if fares.len() >= MOST {
                fares.retain(|_, hour| hour.sum(number).attempts > 0);
            }
            if fares.len() >= MOST {
                return;
            }
            fares.insert(id.to_owned(), Hour::default());
        }
        let figures = fares.get_mut(id).expect("it is there by now").now(number);
        figures.attempts += 1;
        figures.acknowledged += u64::from(acknowledged);
        if let Some(ms) = told_after {
            figures.told.note(ms);
        }
    }

    pub fn of(&self, id: &str, passed: Duration) -> Figures {
        let fares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fares.get(id).map(|hour| hour.sum(number_of(passed))).unwrap_or_default()
    }

    /// How many were tried, and acknowledged nothing.
    pub fn failing(&self, passed: Duration) -> usize {
        let number = number_of(passed);
        let fares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fares.values().filter(|hour| hour.has_only_failed(number)).count()
    }

    /// `names`, and those with the most attempts up to `most` in all; and what all others come to together, if there
    /// are any.
    pub fn busiest(
        &self,
        names: Vec<String>,
        most: usize,
        passed: Duration,
    ) -> (Vec<String>, Option<Figures>) {
        let number = number_of(passed);
        let fares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<(&String, Figures)> = fares
            .iter()
            .map(|(id, hour)| (id, hour.sum(number)))
            .filter(|(_, figures)| figures.attempts > 0)
            .collect();
        all.sort_unstable_by_key(|(id, figures)| (Reverse(figures.attempts), *id));
        let names = without_repeats(names, all.iter().map(|(id, _)| (*id).clone()), most);
        let mut others = Figures::default();
        all.iter().filter(|(id, _)| !names.contains(id)).for_each(|(_, figures)| others.add(figures));
        (names, Some(others).filter(|others| others.attempts > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_later_it_is_forgotten() {
        let fares = Fares::default();
        let at = |minutes| Duration::from_mins(minutes);
        fares.note("a", true, Some(20), at(0));
        fares.note("a", false, None, at(9));
        fares.note("a", true, Some(40), at(10));
        let told = |minutes| {
            let figures = fares.of("a", at(minutes));
            (figures.attempts, figures.acknowledged, figures.told.percentile(100))
        };
        assert_eq!(told(10), (3, 2, Some(41)));
        assert_eq!(told(59), (3, 2, Some(41)));
        assert_eq!(told(60), (1, 1, Some(41)), "the first slice has gone");
        assert_eq!(told(70), (0, 0, None));
        fares.note("a", true, Some(1), at(600));
        assert_eq!(told(600), (1, 1, Some(1)), "nothing of an earlier round is left in its place");
        assert_eq!(fares.of("b", at(0)).attempts, 0);
    }

    #[test]
    fn who_acknowledged_nothing_for_an_hour_is_failing() {
        let fares = Fares::default();
        let at = |minutes| Duration::from_mins(minutes);
        fares.note("a", true, Some(20), at(0));
        fares.note("a", false, None, at(30));
        fares.note("b", false, None, at(30));
        assert_eq!([at(30), at(59), at(60), at(90)].map(|now| fares.failing(now)), [1, 1, 2, 0]);
    }

    #[test]
    fn the_busiest_are_named_and_the_others_are_one() {
        let fares = Fares::default();
        for (id, attempts) in [("a", 1), ("b", 5), ("c", 3), ("d", 2)] {
            (0..attempts).for_each(|_| fares.note(id, true, Some(10), Duration::ZERO));
        }
        let (names, others) = fares.busiest(vec!["parked".into(), "c".into()], 3, Duration::ZERO);
        assert_eq!(names, ["parked", "c", "b"]);
        assert_eq!(others.expect("a and d").attempts, 3);
        let (names, others) = fares.busiest(Vec::new(), 10, Duration::ZERO);
        assert_eq!(names, ["b", "c", "d", "a"]);
        assert!(others.is_none());
    }

    #[test]
    fn there_are_never_more_than_so_many() {
        let fares = Fares::default();
        for n in 0..=MOST {
            fares.note(&n.to_string(), true, None, Duration::ZERO);
        }
        assert_eq!(fares.of(&MOST.to_string(), Duration::ZERO).attempts, 0);
        let later = Duration::from_hours(2);
        fares.note("new", true, None, later);
        assert_eq!(fares.of("new", later).attempts, 1, "those that are quiet make room");
        assert_eq!(fares.0.lock().expect("nobody panicked").len(), 1);
    }
}
