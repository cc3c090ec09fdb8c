//! What may be shown of a text: its length, its first and last bytes, and where it parts from another. A sign key
//! that stands in it is blotted out.

use super::Key;

/// Bytes shown of either end.
const ENDS: usize = 24;
/// Bytes shown before and behind the place where two texts part.
const AROUND: usize = 12;

/// A text's length and ends. Bytes other than printable ASCII are spelled `\xe5`, a backslash `\\`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// In bytes.
    pub length: usize,
    pub first: String,
    pub last: String,
}

/// Where the text that was sent and the one that was hashed by its sender part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The first byte that differs, counted from the start of the signed value.
    pub at: usize,
    /// What stands around there, spelled as in an [`Excerpt`].
    pub sent: String,
    pub hashed: String,
}

/// Knows the keys that must not be shown.
pub(super) struct Blotter<'a> {
    keys: Vec<(&'a str, String)>,
}

impl<'a> Blotter<'a> {
    pub(super) fn new(keys: &[Key<'a>]) -> Self {
        let texts = keys.iter().map(|key| key.text.trim()).filter(|text| !text.is_empty());
        Self { keys: texts.map(|text| (text, text.replace('/', "\\/"))).collect() }
    }

    pub(super) fn finds_a_key(&self, text: &str) -> bool {
        self.keys.iter().any(|(key, escaped)| text.contains(key) || text.contains(escaped.as_str()))
    }

    /// `text` with asterisks in the place of keys, at the same length.
    pub(super) fn blot(&self, text: &str) -> String {
        self.keys.iter().fold(text.to_owned(), |text, (key, escaped)| {
            text.replace(key, &"*".repeat(key.len())).replace(escaped.as_str(), &"*".repeat(escaped.len()))
        })
    }

    pub(super) fn excerpt(&self, text: &str) -> Excerpt {
        let blotted = self.blot(text);
        let bytes = blotted.as_bytes();
        Excerpt {
            length: bytes.len(),
            first: spelled(&bytes[..bytes.len().min(ENDS)]),
            last: spelled(&bytes[bytes.len().saturating_sub(ENDS)..]),
        }
    }
}

/// Of two texts that differ and are fit to be shown.
pub(super) fn difference(sent: &str, hashed: &str) -> Difference {
    let same = sent.bytes().zip(hashed.bytes()).take_while(|(a, b)| a == b).count();
    let around = |text: &str| {
        let bytes = text.as_bytes();
        let to = bytes.len().min(same + AROUND);
        spelled(&bytes[same.saturating_sub(AROUND).min(to)..to])
    };
    Difference { at: same, sent: around(sent), hashed: around(hashed) }
}

fn spelled(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a string takes all"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::KeyRole;
    use super::*;

    #[test]
    fn both_ends_are_shown_byte_by_byte_and_no_more_than_the_limit() {
        let none = Blotter::new(&[]);
        let excerpt = none.excerpt("{\"a\":\"咖\\/\"}\r\n");
        assert_eq!(excerpt.length, 15);
        assert_eq!(excerpt.first, "{\"a\":\"\\xe5\\x92\\x96\\\\/\"}\\r\\n");
        let long = none.excerpt(&"x".repeat(1000));
        assert_eq!((long.first.len(), long.last.len(), long.length), (ENDS, ENDS, 1000));
    }

    #[test]
    fn a_key_in_the_text_is_blotted_out_however_its_slashes_are_spelled() {
        let keys = [Key { role: KeyRole::Current, text: "ab/cd+ef" }];
        let blotter = Blotter::new(&keys);
        for text in [r#"{"key":"ab/cd+ef"}"#, r#"{"key":"ab\/cd+ef"}"#] {
            let excerpt = blotter.excerpt(text);
            assert!(!excerpt.first.contains("cd+ef") && !excerpt.last.contains("cd+ef"), "{excerpt:?}");
            assert_eq!(excerpt.length, text.len());
            assert!(blotter.finds_a_key(text));
        }
    }

    #[test]
    fn two_texts_part_at_their_first_different_byte() {
        let parted = difference(r#"{"a": 1}"#, r#"{"a":1}"#);
        assert_eq!(
            (parted.at, parted.sent.as_str(), parted.hashed.as_str()),
            (5, r#"{"a": 1}"#, r#"{"a":1}"#)
        );
        let longer = difference("abc", "abc\n");
        assert_eq!((longer.at, longer.hashed.as_str()), (3, "abc\\n"));
    }
}
