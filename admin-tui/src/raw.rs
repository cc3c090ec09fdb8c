//! What came, byte for byte, as people can read it: indented, or exactly as it is with what cannot be seen made visible.

use serde_json::value::RawValue;

/// Spaces for each level.
const STEP: usize = 2;

/// On a line of its own each member of JSON and each field of a form; anything else as [`exact`] has it. Nothing is left
/// out, and no number is written otherwise.
pub fn pretty(text: &str) -> Vec<String> {
    json(text).or_else(|| form(text)).unwrap_or_else(|| exact(text))
}

/// As it is. Where there is a line break, it is shown and a line ends.
pub fn exact(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(visible).collect()
}

/// With what would move a terminal's cursor, or turn around what is read, told by its sign or its number.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + u32::from(character))),
            '\u{7f}' => shown.push('\u{2421}'),
            '\u{80}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => shown.extend(character.escape_unicode()),
            _ => shown.push(character),
        }
    }
    shown
}

fn json(text: &str) -> Option<Vec<String>> {
    serde_json::from_str::<&RawValue>(text).ok()?;
    let mut lines = Lines::default();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '"' => {
                length = length_of_text(rest);
                lines.push(&readable(&rest[..length]));
            }
            '{' | '[' => {
                lines.push(&rest[..1]);
                if !rest[1..].trim_start().starts_with(['}', ']']) {
                    lines.depth += 1;
                    lines.end();
                }
            }
            '}' | ']' => {
                if !lines.is_begun(['{', '[']) {
                    lines.depth = lines.depth.saturating_sub(1);
                    lines.end();
                }
                lines.push(&rest[..1]);
            }
            ',' => {
                lines.push(",");
                lines.end();
            }
            ':' => lines.push(": "),
            ' ' | '\t' | '\n' | '\r' => {}
            _ => lines.push(&rest[..length]),
        }
        rest = &rest[length..];
    }
    Some(lines.done)
}

#[derive(Default)]
struct Lines {
    done: Vec<String>,
    depth: usize,
}

impl Lines {
    fn push(&mut self, text: &str) {
        match self.done.last_mut() {
            Some(line) => line.push_str(text),
            None => self.done.push(text.to_owned()),
        }
    }

    fn end(&mut self) {
        self.done.push(" ".repeat(self.depth * STEP));
    }

    fn is_begun(&self, with: [char; 2]) -> bool {
        self.done.last().is_some_and(|line| line.ends_with(with))
    }
}

/// Of what begins with a quotation mark, up to and with the one that ends it.
fn length_of_text(rest: &str) -> usize {
    let mut is_escaped = false;
    let ends = |(_, byte): &(usize, u8)| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    };
    rest.bytes().enumerate().skip(1).find(ends).map_or(rest.len(), |(at, _)| at + 1)
}

/// A JSON text with its letters instead of their numbers.
fn readable(literal: &str) -> String {
    let text =
        serde_json::from_str::<String>(literal).ok().and_then(|text| serde_json::to_string(&text).ok());
    visible(text.as_deref().unwrap_or(literal))
}

/// A form's fields, decoded; what is JSON in one is indented below its name.
fn form(text: &str) -> Option<Vec<String>> {
    let is_one = !text.contains(char::is_whitespace)
        && text.split('&').all(|field| field.split_once('=').is_some_and(|(name, _)| !name.is_empty()));
    if !is_one {
        return None;
    }
    let mut lines = Vec::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let name = visible(&name);
        match json(&value).filter(|_| value.trim_start().starts_with(['{', '['])) {
            Some(json) => {
                lines.push(format!("{name}:"));
                lines.extend(json.into_iter().map(|line| format!("{}{line}", " ".repeat(STEP))));
            }
            None => lines.push(format!("{name}: {}", visible(&value))),
        }
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_in_its_own_order_with_its_own_numbers_and_readable_letters() {
        let text = r#" {"b":1.50,"a":[{},[ ],12345678901234567890],"t":"\u5496\u5561 \"x\" a,b:{c}\u0007","a":null}"#;
        let expected = [
            "{",
            "  \"b\": 1.50,",
            "  \"a\": [",
            "    {},",
            "    [],",
            "    12345678901234567890",
            "  ],",
            "  \"t\": \"咖啡 \\\"x\\\" a,b:{c}\\u0007\",",
            "  \"a\": null",
            "}",
        ];
        assert_eq!(pretty(text), expected);
        assert_eq!(pretty("\"\\ud800\""), ["\"\\ud800\""], "half a character stays as it was written");
        assert_eq!(pretty("{}"), ["{}"]);
    }

    #[test]
    fn a_form_is_told_field_by_field() {
        let lines = pretty("partnerNo=10001&body=%7B%22a%22%3A1%7D&title=%E5%92%96%0D+x&empty=");
        assert_eq!(
            lines,
            ["partnerNo: 10001", "body:", "  {", "    \"a\": 1", "  }", "title: 咖␍ x", "empty: "]
        );
        assert_eq!(pretty("a=b c"), ["a=b c"], "no form");
        assert_eq!(pretty("{\"cut off\":"), ["{\"cut off\":"]);
    }

    #[test]
    fn what_is_exact_shows_what_cannot_be_seen() {
        let lines = exact("{\"a\":\t\"\u{1b}[2J\u{7f}\u{202e}\"}\r\n\nend");
        assert_eq!(lines, ["{\"a\":␉\"␛[2J␡\\u{202e}\"}␍␊", "␊", "end"]);
    }
}
