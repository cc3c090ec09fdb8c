//! Times, ages and values as people read them, and texts cut by the columns they take.

use serde_json::Value;
use shared::ops::Moment;
use time::format_description::FormatItem;
use time::macros::format_description;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

const DATED: &[FormatItem] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// `2026-11-26 10:04:25`, in UTC.
pub fn time(moment: Moment) -> String {
    moment.0.to_offset(time::UtcOffset::UTC).format(DATED).expect("a date has all of these parts")
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
    fn ages_change_their_unit_at_its_bound() {
        let age = |seconds: i64| age(0, seconds * 1000);
        assert_eq!([59, 60, 3599, 3600, 86_399, 86_400].map(age), ["59s", "1m", "59m", "1h", "23h", "1d"]);
        assert_eq!(super::age(5_000, 0), "0s", "a gateway whose clock is ahead");
    }

    #[test]
    fn what_would_move_the_cursor_is_not_shown() {
        assert_eq!(value(&Value::from("a\u{1b}[2Jb\n")), "a [2Jb ");
    }
}
