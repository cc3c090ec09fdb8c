//! `it_b_pay`: how long a transaction QR code can be paid. `1m` to `15d` in whole minutes, hours or days, or `1c`,
//! until midnight where ScanForPay is.

use std::time::Duration;

use time::{OffsetDateTime, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeToPay {
    For(Duration),
    UntilMidnight,
}

const LONGEST: Duration = Duration::from_hours(15 * 24);

impl TimeToPay {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "1c" {
            return Some(Self::UntilMidnight);
        }
        let unit = match text.bytes().last()? {
            b'm' => Duration::from_mins(1),
            b'h' => Duration::from_hours(1),
            b'd' => Duration::from_hours(24),
            _ => return None,
        };
        let digits = &text[..text.len() - 1];
        if digits.is_empty() || digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let within = unit.checked_mul(digits.parse().ok()?)?;
        (within <= LONGEST).then_some(Self::For(within))
    }

    pub(crate) fn ends_at(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::For(within) => now + within,
            Self::UntilMidnight => now.replace_time(Time::MIDNIGHT) + Duration::from_hours(24),
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn what_the_table_allows_is_read_and_nothing_else() {
        for (text, minutes) in [("1m", 1), ("90m", 90), ("21600m", 21_600), ("360h", 21_600), ("15d", 21_600)]
        {
            assert_eq!(TimeToPay::parse(text), Some(TimeToPay::For(Duration::from_mins(minutes))), "{text}");
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
    fn a_day_ends_at_midnight_where_the_time_is_taken() {
        let now = datetime!(2018-07-25 18:06:05 +8);
        assert_eq!(TimeToPay::UntilMidnight.ends_at(now), datetime!(2018-07-26 00:00 +8));
        assert_eq!(TimeToPay::For(Duration::from_mins(3)).ends_at(now), datetime!(2018-07-25 18:09:05 +8));
    }
}
