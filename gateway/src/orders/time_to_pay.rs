//! `it_b_pay`: how long the payer has.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

const DAY: Duration = Duration::from_hours(24);
const LONGEST: Duration = Duration::from_hours(15 * 24);

/// As the protocol writes it: `1m` to `15d`, or `1c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeToPay {
    text: String,
    until: Until,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    After(Duration),
    Midnight,
}

impl TimeToPay {
    /// `None` for what the protocol does not know: other units, decimals, leading zeros, more than 15 days.
    pub fn parse(text: &str) -> Option<Self> {
        let until = if text == "1c" { Until::Midnight } else { Until::After(span(text)?) };
        Some(Self { text: text.to_owned(), until })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// When it is over, counted from `now`; midnight is that of `zone`. Unix milliseconds.
    pub fn ends_at(&self, now: i64, zone: &TimeZone) -> i64 {
        let after = |wait: Duration| now + i64::try_from(wait.as_millis()).unwrap_or(i64::MAX - now);
        match self.until {
            Until::After(wait) => after(wait),
            Until::Midnight => midnight(now, zone).unwrap_or_else(|| after(DAY)),
        }
    }
}

fn span(text: &str) -> Option<Duration> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if count.starts_with('0') || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let minutes: u64 = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return None,
    };
    let count: u64 = count.parse().ok()?;
    let span = Duration::from_secs(count.checked_mul(minutes)?.checked_mul(60)?);
    (span <= LONGEST).then_some(span)
}

/// When the day of `now` is over. Some days are not as long as others. `None` at the end of time.
fn midnight(now: i64, zone: &TimeZone) -> Option<i64> {
    let day = Timestamp::from_millisecond(now).ok()?.to_zoned(zone.clone()).date();
    Some(day.tomorrow().ok()?.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_allows_is_read_and_nothing_else() {
        let minutes =
            |text: &str| TimeToPay::parse(text).map(|time| time.ends_at(0, &TimeZone::UTC) / 60_000);
        for (text, expected) in
            [("1m", 1), ("90m", 90), ("21600m", 21_600), ("360h", 21_600), ("15d", 21_600)]
        {
            assert_eq!(minutes(text), Some(expected), "{text}");
        }
        let wrong = [
            "",
            "m",
            "0m",
            "01m",
            "1.5h",
            "-1m",
            "+1m",
            "16d",
            "361h",
            "21601m",
            "2c",
            "1s",
            "1M",
            " 1m",
            "1分",
            "99999999999999999999d",
        ];
        for text in wrong {
            assert_eq!(TimeToPay::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_ends_at_the_midnight_of_its_time_zone_however_long_it_is() {
        let end = |now: &str, zone: &str| {
            let now: Timestamp = now.parse().expect("a time");
            let zone = TimeZone::get(zone).expect("a time zone");
            let end = TimeToPay::parse("1c").expect("is read").ends_at(now.as_millisecond(), &zone);
            Timestamp::from_millisecond(end).expect("a time").to_string()
        };
        assert_eq!(end("2018-07-25T10:06:05Z", "Asia/Hong_Kong"), "2018-07-25T16:00:00Z");
        assert_eq!(end("2018-07-25T15:59:59Z", "Asia/Hong_Kong"), "2018-07-25T16:00:00Z");
        assert_eq!(end("2018-07-25T16:00:00Z", "Asia/Hong_Kong"), "2018-07-26T16:00:00Z");
        assert_eq!(end("2018-07-25T10:06:05Z", "America/New_York"), "2018-07-26T04:00:00Z");
        // The day on which clocks go forward has 23 hours.
        assert_eq!(end("2026-03-28T23:00:00Z", "Europe/Berlin"), "2026-03-29T22:00:00Z");
    }
}
