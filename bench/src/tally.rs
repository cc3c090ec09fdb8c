//! What came back from one leg: how many orders, how fast, and what went wrong, by kind.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies from a microsecond to ten minutes, to three digits.
const LONGEST_MICROS: u64 = 600_000_000;

/// What became of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Accepted,
    /// Another code than 1.
    Code(i64),
    /// Another status than 200.
    Status(u16),
    /// Neither a code nor an error status: not the protocol.
    Unreadable,
    /// Code 1, but the sampled signature was wrong or there was no payUrl.
    Untrue,
    /// The connection failed or closed before the answer.
    Lost(std::io::ErrorKind),
    /// No answer when the leg was over.
    Unanswered,
}

impl Outcome {
    fn name(&self) -> String {
        match self {
            Self::Accepted => "accepted".to_owned(),
            Self::Code(code) => format!("code {code}"),
            Self::Status(status) => format!("http {status}"),
            Self::Unreadable => "no code in the answer".to_owned(),
            Self::Untrue => "bad signature or no payUrl".to_owned(),
            Self::Lost(kind) => format!("connection: {kind}"),
            Self::Unanswered => "unanswered".to_owned(),
        }
    }
}

pub struct Tally {
    /// Of accepted orders.
    latency: Histogram<u64>,
    /// From the intended sending to the real one; open loop only.
    delay: Histogram<u64>,
    pub errors: BTreeMap<String, u64>,
    pub elapsed: Duration,
}

impl Tally {
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("the bounds are in order");
        Self { latency: histogram(), delay: histogram(), errors: BTreeMap::new(), elapsed: Duration::ZERO }
    }

    pub fn record(&mut self, outcome: &Outcome, latency: Duration) {
        if *outcome == Outcome::Accepted {
            self.latency.saturating_record(micros(latency));
        } else {
            self.count_errors(outcome, 1);
        }
    }

    pub fn count_errors(&mut self, outcome: &Outcome, count: u64) {
        self.count(&outcome.name(), count);
    }

    pub fn count(&mut self, kind: &str, count: u64) {
        if count > 0 {
            *self.errors.entry(kind.to_owned()).or_default() += count;
        }
    }

    pub fn record_delay(&mut self, delay: Duration) {
        self.delay.saturating_record(micros(delay));
    }

    pub fn accepted(&self) -> u64 {
        self.latency.len()
    }

    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn per_second(&self) -> f64 {
        self.accepted() as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    /// In milliseconds; `quantile` from 0 to 1.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        millis(&self.latency, quantile)
    }

    pub fn delay_ms(&self, quantile: f64) -> f64 {
        millis(&self.delay, quantile)
    }
}

#[expect(clippy::cast_precision_loss, reason = "ten minutes in microseconds are below 2^52")]
fn millis(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1000.0
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_accepted_orders_count_and_errors_are_counted_by_kind() {
        let mut tally = Tally::new();
        for millis in 1..=100 {
            tally.record(&Outcome::Accepted, Duration::from_millis(millis));
        }
        tally.record(&Outcome::Code(9), Duration::from_secs(1));
        tally.record(&Outcome::Code(9), Duration::from_secs(1));
        tally.record(&Outcome::Status(503), Duration::from_secs(1));
        tally.count_errors(&Outcome::Unanswered, 0);
        tally.elapsed = Duration::from_secs(2);
        assert_eq!((tally.accepted(), tally.failed()), (100, 3));
        assert_eq!(tally.errors["code 9"], 2);
        assert_eq!(tally.errors.len(), 2);
        assert!((tally.per_second() - 50.0).abs() < 0.01);
        assert!((tally.latency_ms(0.5) - 50.0).abs() < 0.1);
        assert!((tally.latency_ms(0.99) - 99.0).abs() < 0.1);
    }
}
