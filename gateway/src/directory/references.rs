//! What a merchant's order numbers say of the purchase they are for: a regular expression whose first group, found in a
//! number, is the order's reference. The public client's numbers are a time of 12 digits and its own order id:
//! `^\d{12}(.+)$`.

use regex::{Regex, RegexBuilder};

/// Characters of a pattern at most.
pub const LONGEST: usize = 200;
/// Bytes of a compiled pattern at most. Matching takes time linear in a number's length, whatever the pattern.
const LARGEST: usize = 1024 * 1024;

/// A pattern ready to be used, or what is wrong with it.
pub fn pattern(text: &str) -> Result<Regex, String> {
    if text.chars().count() > LONGEST {
        return Err(format!("is longer than {LONGEST} characters"));
    }
    let built = RegexBuilder::new(text).size_limit(LARGEST).dfa_size_limit(LARGEST).build();
    let regex = built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "is too large a pattern".to_owned(),
        other => {
            format!("is not a regular expression: {}", other.to_string().lines().last().unwrap_or_default())
        }
    })?;
    if regex.captures_len() < 2 {
        return Err("has no group, such as (.+), for the part that tells the purchase".to_owned());
    }
    Ok(regex)
}

/// What `pattern` finds in an order's number.
pub fn found(pattern: &Regex, number: &str) -> Option<String> {
    let group = pattern.captures(number)?.get(1)?.as_str();
    (!group.is_empty()).then(|| group.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_clients_numbers_are_told_apart_by_its_own_order_id() {
        let pattern = pattern(r"^\d{12}(.+)$").expect("is good");
        assert_eq!(found(&pattern, "1807251806054711"), Some("4711".to_owned()));
        assert_eq!(found(&pattern, "260921141320wc-99"), Some("wc-99".to_owned()));
        for other in ["p1", "180725180605", ""] {
            assert_eq!(found(&pattern, other), None, "{other}");
        }
    }

    #[test]
    fn a_pattern_without_a_group_or_without_measure_is_refused() {
        for wrong in ["^\\d+$", "(", "(a{1000}){1000}", &format!("({})", "a".repeat(LONGEST))] {
            assert!(pattern(wrong).is_err(), "{wrong}");
        }
        assert!(pattern(&format!("({})", "a".repeat(LONGEST - 2))).is_ok());
        assert_eq!(found(&pattern("(x*)").expect("is good"), "abc"), None, "nothing is no reference");
    }
}
