//! Reading a filter.

use super::{Comparison, Filter, FilterError, Span, Term};
use crate::money::{Currency, MAX_AMOUNT};
use crate::order::OrderStatus;
use crate::wallet::Wallet;

/// Bytes of a filter at most.
pub const MAX_LENGTH: usize = 500;

pub(super) const NAMES: [&str; 9] =
    ["status:", "merchant:", "wallet:", "amount>=", "since:", "before:", "currency:", "store:", "platform:"];

pub(super) fn filter(text: &str) -> Result<Filter, FilterError> {
    if text.len() > MAX_LENGTH {
        let expected = format!("no more than {MAX_LENGTH} bytes");
        return Err(FilterError { start: floor(text, MAX_LENGTH), end: text.len(), expected });
    }
    let mut terms = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|skipped| at + skipped) {
        let (term, end) =
            if text[start..].starts_with('"') { quoted(text, start)? } else { word(text, start)? };
        terms.push(term);
        at = end;
    }
    Ok(Filter { terms })
}

/// The start of the character that this byte is in.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn quoted(text: &str, start: usize) -> Result<(Term, usize), FilterError> {
    let wrong = |start, end, expected: &str| FilterError { start, end, expected: expected.to_owned() };
    let mut said = String::new();
    let mut characters = text[start + 1..].char_indices();
    while let Some((offset, character)) = characters.next() {
        let end = start + 1 + offset + character.len_utf8();
        match character {
            '"' if said.trim().is_empty() => return Err(wrong(start, end, "a text between the quotes")),
            '"' if text[end..].chars().next().is_some_and(|next| !next.is_whitespace()) => {
                return Err(wrong(end, text.len(), "a space behind the text"));
            }
            '"' => return Ok((Term::Text(said), end)),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => said.push(escaped),
                _ => return Err(wrong(end - 1, end, r#"`\"` or `\\`"#)),
            },
            _ => said.push(character),
        }
    }
    Err(wrong(start, text.len(), "a closing quote"))
}

fn word(text: &str, start: usize) -> Result<(Term, usize), FilterError> {
    let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
    let word = &text[start..end];
    let split = word.find([':', '<', '>', '=']);
    let Some(split) = split else {
        // A number that was pasted needs no quotes.
        return if NAMES.iter().any(|name| name.trim_end_matches([':', '>', '=']) == word) {
            let expected =
                format!("{} behind it", if word == "amount" { "`>=`, `<=` or such" } else { "`:`" });
            Err(FilterError { start: end, end, expected })
        } else if word.contains(['"', '\\']) {
            Err(FilterError { start, end, expected: "a text wholly in quotes".to_owned() })
        } else {
            Ok((Term::Text(word.to_owned()), end))
        };
    };
    let (name, rest) = word.split_at(split);
    let value_at = start + split + 1;
    let value = &rest[1..];
    let wrong = |start, expected: String| Err(FilterError { start, end, expected });
    let term = match (name, rest.starts_with(':')) {
        ("status", true) => OrderStatus::parse(value).map(Term::Status).ok_or_else(statuses),
        ("wallet", true) => Wallet::ALL
            .into_iter()
            .find(|wallet| wallet.as_str().eq_ignore_ascii_case(value))
            .map(Term::Wallet)
            .ok_or_else(wallets),
        ("currency", true) => Currency::parse(&value.to_ascii_uppercase())
            .map(Term::Currency)
            .ok_or_else(|| "a currency such as HKD".to_owned()),
        ("platform", true) => {
            plain(value).map(Term::Platform).ok_or_else(|| "a platform's short name".to_owned())
        }
        ("merchant", true) => {
            plain(value).map(Term::Merchant).ok_or_else(|| "a merchant's partner number".to_owned())
        }
        ("store", true) => plain(value).map(Term::Store).ok_or_else(|| "a store's number".to_owned()),
        ("since", true) => span(value).map(Term::Since).ok_or_else(spans),
        ("before", true) => span(value).map(Term::Before).ok_or_else(spans),
        ("amount", false) => return amount(rest, start + split, end).map(|term| (term, end)),
        ("amount", true) => return wrong(value_at - 1, "`>=`, `<=`, `>`, `<` or `=`".to_owned()),
        (known, false) if NAMES.contains(&format!("{known}:").as_str()) => {
            return wrong(start + split, "`:`".to_owned());
        }
        _ => {
            let names: Vec<&str> = NAMES.iter().map(|name| name.trim_end_matches([':', '>', '='])).collect();
            return wrong(start, format!("one of {}, or a text in quotes", names.join(", ")));
        }
    };
    match term {
        Ok(term) => Ok((term, end)),
        Err(expected) => wrong(value_at, expected),
    }
}

fn amount(rest: &str, start: usize, end: usize) -> Result<Term, FilterError> {
    let (sign, comparison) = Comparison::ALL
        .into_iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .expect("it begins with one of their first characters");
    let digits = &rest[sign.len()..];
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse() {
        Ok(minor) if is_number && minor <= MAX_AMOUNT => Ok(Term::Amount(comparison, minor)),
        _ => Err(FilterError {
            start: start + sign.len(),
            end,
            expected: "a whole number of the currency's smallest unit".to_owned(),
        }),
    }
}

fn plain(value: &str) -> Option<String> {
    let is_plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    is_plain.then(|| value.to_owned())
}

fn span(value: &str) -> Option<Span> {
    let unit = value.chars().last().filter(|unit| "smhd".contains(*unit))?;
    let digits = value.strip_suffix(unit)?;
    let is_number =
        !digits.is_empty() && digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Span { count: digits.parse().expect("six digits fit"), unit })
}

pub(super) fn spans() -> String {
    "a time such as 90s, 30m, 2h or 7d".to_owned()
}

fn statuses() -> String {
    let names: Vec<&str> = OrderStatus::ALL.iter().map(|status| status.as_str()).collect();
    format!("one of {}", names.join(", "))
}

fn wallets() -> String {
    let names: Vec<String> = Wallet::ALL.iter().map(|wallet| wallet.as_str().to_lowercase()).collect();
    format!("one of {}", names.join(", "))
}
