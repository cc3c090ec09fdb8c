//! Times, ages and values as people read them, and texts cut by the columns they take.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use shared::money::Currency;
use shared::ops::Moment;
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{Duration, Time, UtcOffset};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const DATED: &[FormatItem] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const UTC_CLOCK: &[FormatItem] = format_description!("[hour]:[minute]:[second]Z");
const CLOCK: &[FormatItem] = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");

/// Where the clock on the wall hangs: so far from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub UtcOffset);

impl Default for Zone {
    fn default() -> Self {
        Self(UtcOffset::UTC)
    }
}

impl Zone {
    /// The hour of Hong Kong, where stores are unless they say otherwise.
    pub const STORES: Self = Self(time::macros::offset!(+8));
}

impl FromStr for Zone {
    type Err = &'static str;

    /// `UTC`, `+8` or `-03:30`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a zone is UTC, or hours from it such as +8 or -03:30";
        if text.eq_ignore_ascii_case("utc") {
            return Ok(Self::default());
        }
        let sign = match text.chars().next() {
            Some('+') => 1,
            Some('-') => -1,
            _ => return Err(WRONG),
        };
        let (hours, minutes) = text[1..].split_once(':').unwrap_or((&text[1..], "0"));
        let number = |text: &str| text.parse::<i8>().ok().filter(|number| *number >= 0).ok_or(WRONG);
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        if hours > 14 {
            return Err(WRONG);
        }
        UtcOffset::from_hms(sign * hours, sign * minutes, 0).map(Self).map_err(|_| WRONG)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, _) = self.0.as_hms();
        match (hours, minutes) {
            (0, 0) => f.write_str("UTC"),
            (_, 0) => write!(f, "UTC{hours:+}"),
            _ => write!(f, "UTC{hours:+}:{:02}", minutes.abs()),
        }
    }
}

/// `2026-11-26 10:04:25`.
pub fn time(moment: Moment, zone: Zone) -> String {
    moment.0.to_offset(zone.0).format(DATED).expect("a date has all of these parts")
}

/// `10:04:25.671`, for what lies close together.
pub fn clock(moment: Moment, zone: Zone) -> String {
    moment.0.to_offset(zone.0).format(CLOCK).expect("a time has all of these parts")
}

/// A sentence of the gateway's, its clocks in UTC (`14:02:11Z`) as this zone's.
pub fn told(sentence: &str, zone: Zone) -> String {
    let told = sentence.split_inclusive([' ', ';', ',']).map(|word| {
        let clock = word.trim_end_matches([' ', ';', ',']);
        let rest = &word[clock.len()..];
        let Ok(utc) = Time::parse(clock, UTC_CLOCK) else { return word.to_owned() };
        let (hour, minute, second) = (utc + Duration::seconds(zone.0.whole_seconds().into())).as_hms();
        format!("{hour:02}:{minute:02}:{second:02}{rest}")
    });
    told.collect()
}

/// `21.00 HKD`, from the smallest unit.
pub fn money(minor: i64, currency: &str) -> String {
    match Currency::parse(currency) {
        Some(known) => format!("{} {known}", known.format(minor)),
        None => format!("{minor} {}", clean(currency)),
    }
}

/// An amount as people write it, in the smallest unit. Absent: it is none of this currency.
pub fn minor(text: &str, currency: Currency) -> Option<i64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = currency.minor_digits();
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > digits {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

/// `1 order`, `2 orders`.
pub fn counted(count: i64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A length of time, in its largest two units: `4s`, `2m 5s`, `3h 20m`.
pub fn lasting(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    let small = if small == 0 { String::new() } else { format!(" {small}{small_unit}") };
    format!("{large}{large_unit}{small}")
}

/// How long ago, in one unit: `12s`, `3m`, `2h`, `5d`.
pub fn age(then_ms: i64, now_ms: i64) -> String {
    let seconds = (now_ms - then_ms).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A JSON value on one line, a text without its quotes.
pub fn value(value: &Value) -> String {
    match value {
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

/// Without what would move a terminal's cursor.
pub fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// At most so many columns; what was cut is told by `…`.
pub fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let width = character.width().unwrap_or(0);
        if taken + width + 1 > columns {
            break;
        }
        taken += width;
        kept.push(character);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Lines of at most so many columns, broken wherever they are full; nothing is left out.
pub fn broken(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for character in text.chars() {
        let width = character.width().unwrap_or(0);
        if taken > 0 && taken + width > columns {
            lines.push(String::new());
            taken = 0;
        }
        taken += width;
        lines.last_mut().expect("there is always one").push(character);
    }
    lines
}

/// Lines of at most so many columns, broken between words where there are any.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        while lines.last().is_some_and(|line| line.width() > columns) {
            let long = lines.pop().expect("it was just there");
            let mut taken = 0;
            // At least one character, or it would never end.
            let first = long.chars().next().map_or(0, char::len_utf8);
            let fitting = long.chars().take_while(|character| {
                taken += character.width().unwrap_or(0);
                taken <= columns
            });
            let end = fitting.map(char::len_utf8).sum::<usize>().max(first);
            lines.push(long[..end].to_owned());
            lines.push(long[end..].to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_tells_the_time_of_the_zone_that_everything_else_is_told_in() {
        let said = "paid 18:02:11Z, late; the shop was told 18:02:12Z";
        assert_eq!(told(said, Zone::STORES), "paid 02:02:11, late; the shop was told 02:02:12");
        assert_eq!(told(said, Zone::default()), "paid 18:02:11, late; the shop was told 18:02:12");
        assert_eq!(told("next try in 3m; Z", Zone::STORES), "next try in 3m; Z");
    }

    #[test]
    fn texts_are_cut_by_columns_not_by_characters() {
        assert_eq!(cut("咖啡店", 6), "咖啡店");
        assert_eq!(cut("咖啡店", 5), "咖啡…");
        assert_eq!(cut("咖啡店", 4), "咖…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn lines_break_between_words_and_within_what_is_too_long() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("a 咖啡咖啡咖啡", 5), ["a", "咖啡", "咖啡", "咖啡"]);
        assert_eq!(wrapped("咖", 1), ["咖", ""], "what never fits is shown all the same");
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn a_line_that_is_full_is_broken_and_nothing_is_left_out() {
        assert_eq!(broken("  ab  咖啡 c", 5), ["  ab ", " 咖啡", " c"]);
        assert_eq!(broken("咖", 1), ["咖"], "what never fits is shown all the same");
        assert_eq!(broken("", 5), [""]);
    }

    #[test]
    fn ages_change_their_unit_at_its_bound() {
        let age = |seconds: i64| age(0, seconds * 1000);
        assert_eq!([59, 60, 3599, 3600, 86_399, 86_400].map(age), ["59s", "1m", "59m", "1h", "23h", "1d"]);
        assert_eq!(super::age(5_000, 0), "0s", "a gateway whose clock is ahead");
    }

    #[test]
    fn an_amount_is_read_as_it_is_written_and_nothing_is_rounded() {
        let read = |text, code| minor(text, Currency::parse(code).expect("a code"));
        assert_eq!(
            [read("21", "HKD"), read("21.5", "HKD"), read("0.05", "HKD")],
            [Some(2100), Some(2150), Some(5)]
        );
        assert_eq!([read("21", "JPY"), read("2.125", "KWD")], [Some(21), Some(2125)]);
        for wrong in ["", ".5", "1.005", "-1", "1,000", "1e3", "99999999999999999999"] {
            assert_eq!(read(wrong, "HKD"), None, "{wrong}");
        }
        assert_eq!(read("21.0", "JPY"), None);
    }

    #[test]
    fn a_length_of_time_is_told_in_two_units() {
        assert_eq!([59, 60, 125, 3600, 90_000].map(lasting), ["59s", "1m", "2m 5s", "1h", "1d 1h"]);
    }

    #[test]
    fn a_zone_is_read_as_it_is_written() {
        let told = |text: &str| text.parse::<Zone>().map(|zone| zone.to_string());
        assert_eq!(told("+8").as_deref(), Ok("UTC+8"));
        assert_eq!(told("-03:30").as_deref(), Ok("UTC-3:30"));
        assert_eq!(told("utc").as_deref(), Ok("UTC"));
        for wrong in ["8", "+15", "+8:99", "+-8", "", "Asia/Hong_Kong"] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_would_move_the_cursor_is_not_shown() {
        assert_eq!(value(&Value::from("a\u{1b}[2Jb\n")), "a [2Jb ");
    }
}
