//! The words that deliveries are narrowed by: `state:exhausted event:order.paid since:2h`.

use shared::filter::{Completions, Filter, FilterError, Term};
use shared::ops::{Delivery, DeliveryState, Moment, ReplayFilter};

const NAMES: [&str; 7] = ["state:", "event:", "outcome:", "merchant:", "endpoint:", "since:", "before:"];
const STATES: [DeliveryState; 7] = [
    DeliveryState::Due,
    DeliveryState::Waiting,
    DeliveryState::Parked,
    DeliveryState::Delivered,
    DeliveryState::Exhausted,
    DeliveryState::Superseded,
    DeliveryState::Cancelled,
];

/// Each word is given once at most, and all have to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// As it was typed.
    pub text: String,
    state: Option<DeliveryState>,
    event: Option<String>,
    outcome: Option<String>,
    merchant_id: Option<String>,
    endpoint_id: Option<String>,
    /// Seconds before now.
    since: Option<u64>,
    before: Option<u64>,
}

impl DeliveryFilter {
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut filter = Self { text: text.trim().to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            filter.take(word, start)?;
        }
        Ok(filter)
    }

    fn take(&mut self, word: &str, start: usize) -> Result<(), FilterError> {
        let end = start + word.len();
        let names = || format!("one of {}", NAMES.join(" "));
        let Some((name, value)) = word.split_once(':') else {
            return Err(FilterError { start, end, expected: names() });
        };
        let wrong = |expected: &str| FilterError {
            start: start + name.len() + 1,
            end,
            expected: expected.to_owned(),
        };
        let is_plain = !value.is_empty()
            && value.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
        if !is_plain {
            return Err(wrong("letters, digits, points, - and _"));
        }
        let is_twice = match name {
            "state" => {
                // The list calls those so that were tried before.
                let value = if value == "retrying" { "due" } else { value };
                let known = STATES.into_iter().find(|state| crate::tables::delivery_state(*state) == value);
                let known = known.ok_or_else(|| wrong(&format!("one of {}", states().join(", "))))?;
                self.state.replace(known).is_some()
            }
            "event" => self.event.replace(value.to_owned()).is_some(),
            "outcome" => self.outcome.replace(value.to_owned()).is_some(),
            "merchant" => self.merchant_id.replace(value.to_owned()).is_some(),
            "endpoint" => self.endpoint_id.replace(value.to_owned()).is_some(),
            "since" => self.since.replace(seconds(word).ok_or_else(|| wrong(SPAN))?).is_some(),
            "before" => self.before.replace(seconds(word).ok_or_else(|| wrong(SPAN))?).is_some(),
            _ => return Err(FilterError { start, end, expected: names() }),
        };
        if is_twice {
            return Err(FilterError { start, end, expected: format!("{name}: once only") });
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// As the gateway's list takes it.
    pub fn query(&self, now_ms: i64) -> Vec<(&'static str, String)> {
        let time = |seconds: Option<u64>| moment(seconds?, now_ms).map(rfc3339);
        [
            ("state", self.state.map(|state| crate::tables::delivery_state(state).to_owned())),
            ("kind", self.event.clone()),
            ("outcome", self.outcome.clone()),
            ("merchantId", self.merchant_id.clone()),
            ("endpointId", self.endpoint_id.clone()),
            ("from", time(self.since)),
            ("before", time(self.before)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// As a replay takes it.
    pub fn to_replay(&self, now_ms: i64) -> ReplayFilter {
        ReplayFilter {
            merchant_id: self.merchant_id.clone(),
            endpoint_id: self.endpoint_id.clone(),
            kinds: self.event.iter().cloned().collect(),
            states: self.state.into_iter().collect(),
            outcomes: self.outcome.iter().cloned().collect(),
            from: self.since.and_then(|seconds| moment(seconds, now_ms)),
            before: self.before.and_then(|seconds| moment(seconds, now_ms)),
        }
    }

    /// Whether a delivery that the stream brings belongs. Which outcome it had it says in words only: that is not held
    /// against it.
    pub fn has(&self, row: &Delivery, now_ms: i64) -> bool {
        let age_ms = now_ms - row.created_at.ms();
        let ms = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
        self.state.is_none_or(|state| row.state == state)
            && self.event.as_ref().is_none_or(|event| row.kind == *event)
            && self.merchant_id.as_ref().is_none_or(|id| row.merchant_id == *id)
            && self.endpoint_id.as_ref().is_none_or(|id| row.endpoint_id == *id)
            && self.since.is_none_or(|seconds| age_ms <= ms(seconds))
            && self.before.is_none_or(|seconds| age_ms >= ms(seconds))
    }
}

const SPAN: &str = "a time such as 90s, 30m, 2h or 7d";

/// Of `since:2h` or `before:2h`, as it is read for orders.
fn seconds(word: &str) -> Option<u64> {
    match Filter::parse(word).ok()?.terms.as_slice() {
        [Term::Since(span) | Term::Before(span)] => Some(span.seconds()),
        _ => None,
    }
}

fn moment(seconds: u64, now_ms: i64) -> Option<Moment> {
    Moment::of_ms(now_ms.checked_sub(i64::try_from(seconds).ok()?.checked_mul(1000)?)?)
}

fn rfc3339(moment: Moment) -> String {
    moment.0.format(&time::format_description::well_known::Rfc3339).expect("a date of four digits")
}

fn states() -> Vec<&'static str> {
    STATES.into_iter().map(crate::tables::delivery_state).collect()
}

/// For the word at the text's end.
pub fn complete(text: &str) -> Completions {
    let start = text.rfind(' ').map_or(0, |at| at + 1);
    let word = &text[start..];
    let with = |name: &str, values: &[&str]| -> Vec<String> {
        let all = values.iter().map(|value| format!("{name}:{value}"));
        all.filter(|whole| whole.starts_with(word)).collect()
    };
    let words = match word.split_once(':') {
        Some(("state", _)) => with("state", &states()),
        Some(("event", _)) => {
            with("event", &["order.paid", "order.failed", "order.closed", "refund.succeeded"])
        }
        Some((name @ ("since" | "before"), _)) => with(name, &["15m", "1h", "2h", "24h", "7d"]),
        Some(_) => Vec::new(),
        None => NAMES.iter().filter(|name| name.starts_with(word)).map(|name| (*name).to_owned()).collect(),
    };
    Completions { start, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_the_gateways_parameters() {
        let filter = DeliveryFilter::parse("state:exhausted  event:order.paid since:2h").expect("it is read");
        let now_ms = 1_795_687_465_000;
        let asked = filter.query(now_ms);
        let from = ("from", "2026-11-26T08:04:25Z".to_owned());
        assert_eq!(asked, [("state", "exhausted".to_owned()), ("kind", "order.paid".to_owned()), from]);
        let replay = filter.to_replay(now_ms);
        assert_eq!(
            (replay.states, replay.kinds),
            (vec![DeliveryState::Exhausted], vec!["order.paid".to_owned()])
        );
    }

    #[test]
    fn what_cannot_be_read_is_pointed_at() {
        let at = |text: &str| DeliveryFilter::parse(text).map_err(|error| (error.start, error.end)).err();
        assert_eq!(at("event:order.paid state:dead"), Some((23, 27)));
        assert_eq!(at("exhausted"), Some((0, 9)));
        assert_eq!(at("since:soon"), Some((6, 10)));
        assert_eq!(at("state:due state:parked"), Some((10, 22)));
        assert_eq!(at("state:due"), None);
        assert_eq!(at("state:retrying"), None, "as the list calls it");
    }

    #[test]
    fn the_word_being_typed_is_completed() {
        assert_eq!(complete("event:order.paid sta").words, ["state:"]);
        assert_eq!(complete("state:e").words, ["state:exhausted"]);
    }
}
