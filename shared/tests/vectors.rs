//! The golden vectors: envelopes that Python's and PHP's standard libraries made, read and verified here. Their
//! README says what holds for each.

use serde::Deserialize;
use shared::envelope::{Envelope, Side};
use shared::signature;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    side: String,
    sign_key: String,
    document: String,
    text: String,
    signature: String,
    valid: bool,
    why: String,
}

impl Vector {
    fn side(&self) -> Side {
        match self.side.as_str() {
            "request" => Side::Request,
            "response" => Side::Response,
            other => panic!("{}: a side {other}", self.name),
        }
    }

    /// What is wrong with how this vector is read.
    fn complaint(&self) -> Option<String> {
        let envelope = match Envelope::read(self.document.as_bytes(), self.side()) {
            Ok(envelope) => envelope,
            Err(error) => return self.valid.then(|| format!("is not read: {error}")),
        };
        let verifies = envelope.verifies(&self.sign_key);
        match (self.valid, verifies) {
            (false, false) => None,
            (false, true) => Some("verifies".to_owned()),
            (true, false) => Some("does not verify".to_owned()),
            (true, true) => {
                let text = self.text.trim_matches([' ', '\t', '\n', '\r']);
                let found = envelope.signed == text && envelope.signature == self.signature;
                (!found).then(|| format!("another slice is signed: {}", envelope.signed))
            }
        }
    }
}

/// Every vector of a file is as it says, and the file is not a shadow of itself: it holds at least so many of either
/// kind.
fn assert_all_hold(file: &str, least_valid: usize, least_invalid: usize) {
    let vectors: Vec<Vector> = serde_json::from_str(file).expect("the file is a list of vectors");
    let valid = vectors.iter().filter(|vector| vector.valid).count();
    assert!(valid >= least_valid && vectors.len() - valid >= least_invalid, "{valid} of {}", vectors.len());
    let complaints: Vec<String> = vectors
        .iter()
        .filter_map(|vector| Some(format!("{} ({}) {}", vector.name, vector.why, vector.complaint()?)))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_vector_made_by_python_is_read_as_it_says() {
    assert_all_hold(include_str!("../vectors/python.json"), 40, 50);
}

#[test]
fn every_vector_made_by_php_is_read_as_it_says() {
    assert_all_hold(include_str!("../vectors/php.json"), 25, 20);
}

/// What the vectors' README promises of the valid ones, without the reader: a wrong reader and a wrong vector must not
/// agree by accident.
#[test]
fn the_signatures_of_valid_vectors_are_over_their_texts() {
    for file in [include_str!("../vectors/python.json"), include_str!("../vectors/php.json")] {
        let vectors: Vec<Vector> = serde_json::from_str(file).expect("the file is a list of vectors");
        for vector in vectors.iter().filter(|vector| vector.valid) {
            assert_eq!(signature::sign(&vector.text, &vector.sign_key), vector.signature, "{}", vector.name);
            assert!(vector.document.contains(&vector.text), "{}", vector.name);
        }
    }
}
