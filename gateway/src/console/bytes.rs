//! The bytes in which an entry of an order's journal came, as text for people: bounded, whatever they are.

use std::fmt::Write;

use shared::ops::EntryBytes;

use super::rows::moment;
use crate::entity::journal;
use crate::orders::buyer;

/// So many of them are shown.
pub const MOST_BYTES: usize = 64 * 1024;

/// What is shown of an entry, to whom may see who paid or to others; `None`: its bytes were not kept, or not to this day.
pub fn shown(entry: journal::Model, shows_payer: bool) -> Option<EntryBytes> {
    let came = entry.raw?;
    let raw = if shows_payer { came.clone() } else { buyer::forgotten(&came) };
    let kept = &raw[..length(&raw, MOST_BYTES)];
    Some(EntryBytes {
        id: entry.id,
        at: moment(entry.at),
        kind: entry.kind,
        text: text(kept),
        size: u64::try_from(came.len()).unwrap_or(u64::MAX),
        cut: kept.len() < raw.len(),
        payer_withheld: raw != came,
    })
}

/// At most so many bytes, without the beginning of a character whose end is not among them.
fn length(raw: &[u8], most: usize) -> usize {
    if raw.len() <= most {
        return raw.len();
    }
    let is_within = |at: &usize| raw[*at] & 0b1100_0000 == 0b1000_0000;
    let start = (most.saturating_sub(3)..=most).rev().find(|at| !is_within(at));
    start.unwrap_or(most)
}

/// What is no text is told byte by byte.
fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("a text takes everything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_bytes_are_shown_as_the_limit_and_the_role_allow_and_no_half_character() {
        let raw = "ab咖".as_bytes();
        assert_eq!([2, 3, 4, 5, 6].map(|most| length(raw, most)), [2, 2, 2, 5, 5]);
        assert_eq!(length(&[0x80; 9], 5), 5, "what is no text is cut anywhere");
        let entry = |length: usize| journal::Model {
            id: "1".to_owned(),
            order_id: "2".to_owned(),
            submission_id: None,
            at: 0,
            kind: "notice".to_owned(),
            note: "{}".to_owned(),
            raw: Some(vec![b'a'; length]),
            digest: None,
        };
        let all = shown(entry(MOST_BYTES), true).expect("they are kept");
        assert_eq!((all.text.len(), all.cut), (MOST_BYTES, false));
        let cut = shown(entry(MOST_BYTES + 1), true).expect("they are kept");
        assert_eq!((cut.text.len(), cut.size, cut.cut), (MOST_BYTES, 65_537, true));
        assert_eq!(shown(journal::Model { raw: None, ..entry(1) }, true), None);

        let raw = Some(br#"{"buyer":"138****0000","amount":1}"#.to_vec());
        let paid = journal::Model { raw, ..entry(1) };
        let told = shown(paid.clone(), true).expect("they are kept");
        assert!(told.text.contains("138****0000") && !told.payer_withheld);
        let told = shown(paid, false).expect("they are kept");
        assert_eq!((told.text.as_str(), told.payer_withheld), (r#"{"buyer":"","amount":1}"#, true));
    }

    #[test]
    fn what_is_no_text_is_told_by_its_bytes() {
        assert_eq!(text(b"a\xff\x00b\xe5\x92"), "a\\xff\0b\\xe5\\x92");
    }
}
