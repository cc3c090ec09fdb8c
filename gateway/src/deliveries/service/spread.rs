//! How long things took, each told within a tenth, in as few numbers as there are lengths.

/// Each step is longer than the one before by a tenth: 200 of them from a millisecond to beyond a day.
const GROWTH: f64 = 1.1;

/// How often each length was seen, the shortest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread(Vec<(u8, u32)>);

impl Spread {
    pub fn note(&mut self, ms: i64) {
        self.add(step_of(ms), 1);
    }

    pub fn add_all(&mut self, other: &Self) {
        for (step, count) in &other.0 {
            self.add(*step, *count);
        }
    }

    fn add(&mut self, step: u8, count: u32) {
        match self.0.binary_search_by_key(&step, |(step, _)| *step) {
            Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(count),
            Err(place) => self.0.insert(place, (step, count)),
        }
    }

    /// Milliseconds within which so many of a hundred were done; `None`: nothing was.
    pub fn percentile(&self, of_100: u64) -> Option<u64> {
        let all: u64 = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let wanted = (all * of_100).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += u64::from(*count);
            seen >= wanted
        });
        found.map(|(step, _)| longest_of(*step))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded up, and kept within a u8"
)]
fn step_of(ms: i64) -> u8 {
    let ms = u32::try_from(ms.max(1)).unwrap_or(u32::MAX);
    (f64::from(ms).ln() / GROWTH.ln()).ceil().min(255.0) as u8
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "1.1 to the power of 255 is far below"
)]
fn longest_of(step: u8) -> u64 {
    GROWTH.powi(step.into()).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_no_percentile_and_one_has_itself() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), None);
        spread.note(0);
        assert_eq!((spread.percentile(50), spread.percentile(99)), (Some(1), Some(1)));
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_a_tenth_of_the_true_one(
            mut all in prop::collection::vec(1_i64..90_000_000, 1..200),
            of_100 in 1_u64..=100,
        ) {
            let (mut whole, mut half) = (Spread::default(), Spread::default());
            let (first, second) = all.split_at(all.len() / 2);
            for ms in first {
                whole.note(*ms);
            }
            for ms in second {
                half.note(*ms);
            }
            whole.add_all(&half);
            all.sort_unstable();
            let place = (all.len() * usize::try_from(of_100).expect("small")).div_ceil(100) - 1;
            let (truth, told) = (all[place], whole.percentile(of_100).expect("there are some"));
            let told = i64::try_from(told).expect("small");
            // A short one is told by the whole millisecond.
            prop_assert!((told - truth).abs() <= truth / 10 + 1, "{told} for {truth}");
        }
    }
}
