//! The payer's code, scanned by the merchant. Who holds it can charge the payer for as long as it lives, so it goes to
//! the upstream and nowhere else: no log, no journal, no row. That two creates have the same one, their hash tells.

use std::fmt;

use super::blot::blotted;
use crate::entity::submission;
use crate::product::BARCODE;

const FIELD: &str = "barcode";
/// What is kept in its place.
const MASK: &str = "***";
/// A shorter code may stand in a text by chance.
const TELLING: usize = 8;

#[derive(Clone, PartialEq, Eq)]
pub struct Barcode(String);

impl Barcode {
    pub fn new(code: String) -> Self {
        Self(code)
    }

    /// For the upstream, and for the hash.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether a text names it.
    pub fn stands_in(&self, text: &str) -> bool {
        self.0.len() >= TELLING && text.contains(&self.0)
    }
}

impl fmt::Debug for Barcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A request or an answer as it is kept, where it may hold `code`: masked as a field, and wherever else it stands.
pub fn kept(raw: &str, code: Option<&Barcode>) -> String {
    let blotted = blotted(raw.as_bytes(), &[FIELD], &format!("\"{MASK}\""));
    let kept = String::from_utf8_lossy(&blotted).into_owned();
    match code {
        Some(code) if code.stands_in(&kept) => kept.replace(code.reveal(), MASK),
        _ => kept,
    }
}

/// What the upstream says of a submission later is kept without it, should it name it again.
pub fn keep_out(submission: &submission::Model, raw: String) -> String {
    if submission.product == BARCODE.name { kept(&raw, None) } else { raw }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_masked_wherever_it_stands_and_every_other_byte_stays() {
        let code = Barcode::new("284447106610060508".to_owned());
        let raw =
            r#"{ "b\u0061rcode" : "284447106610060508","note":"code 284447106610060508","orderAmount":2100}"#;
        let expected = r#"{ "b\u0061rcode" : "***","note":"code ***","orderAmount":2100}"#;
        assert_eq!(kept(raw, Some(&code)), expected);
        assert_eq!(kept(r#"{"barcode":284447106610060508,"a":1}"#, None), r#"{"barcode":"***","a":1}"#);
        let short = Barcode::new("21".to_owned());
        assert_eq!(
            kept(r#"{"barcode":"21","orderAmount":2100}"#, Some(&short)),
            r#"{"barcode":"***","orderAmount":2100}"#
        );
        assert_eq!(format!("{code:?}"), "***");
    }
}
