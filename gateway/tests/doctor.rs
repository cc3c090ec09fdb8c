//! The signature doctor: every usual mistake, made by other languages' standard libraries (`doctor/make.py`,
//! `doctor/make.mjs`), is recognised; what is no mistake is not called one; the work is bounded; nothing secret is
//! told.

mod harness;

mod doctor {
    mod kept;
}

use std::collections::HashSet;

use gateway::doctor::{
    Case, Diagnosis, Key, KeyRole, Look, MAX_BYTES, MAX_DOCUMENT, MAX_TRIALS, Mistake, Remark, Unreadable,
    Verdict, diagnose,
};
use serde::Deserialize;
use shared::signature;

const KEY: &str = "9f3c1e5a7b2d4f60819a0b3c5d7e9f11223344556677889900aabbccddeeff01";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    document: String,
    keys: Vec<VectorKey>,
    /// Codes; none: the signature is right.
    mistakes: Vec<String>,
    key: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorKey {
    role: String,
    text: String,
}

impl VectorKey {
    fn key(&self) -> Key<'_> {
        let roles = [KeyRole::Current, KeyRole::Previous, KeyRole::Expired, KeyRole::OtherMode];
        let role = roles.into_iter().find(|role| role.as_str() == self.role).expect("a role");
        Key { role, text: &self.text }
    }
}

impl Vector {
    fn diagnosis(&self) -> Diagnosis {
        diagnose(&Case {
            document: self.document.as_bytes(),
            partner_no: Some("10001"),
            keys: self.keys.iter().map(VectorKey::key).collect(),
        })
    }
}

fn vectors() -> Vec<Vector> {
    [include_str!("doctor/python.json"), include_str!("doctor/node.json")]
        .into_iter()
        .flat_map(|file| serde_json::from_str::<Vec<Vector>>(file).expect("a list of vectors"))
        .collect()
}

fn diagnosed(document: &str) -> Diagnosis {
    diagnosed_bytes(document.as_bytes())
}

fn diagnosed_bytes(document: &[u8]) -> Diagnosis {
    let keys = vec![Key { role: KeyRole::Current, text: KEY }];
    diagnose(&Case { document, partner_no: Some("10001"), keys })
}

#[test]
fn every_usual_mistake_is_recognised_and_no_other_is_alleged() {
    let mut complaints = Vec::new();
    for vector in vectors() {
        let (codes, key) = match vector.diagnosis().verdict {
            Verdict::Verifies(role) => (Vec::new(), Some(role)),
            Verdict::Mistaken(found) => {
                (found.mistakes.iter().map(|mistake| mistake.code()).collect(), found.key)
            }
            other => {
                complaints.push(format!("{}: {other:?}", vector.name));
                continue;
            }
        };
        if codes != vector.mistakes || key.map(KeyRole::as_str) != vector.key.as_deref() {
            complaints.push(format!("{}: {codes:?} under {key:?}, not {:?}", vector.name, vector.mistakes));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_vectors_leave_no_mistake_out() {
    let made: HashSet<String> = vectors().into_iter().flat_map(|vector| vector.mistakes).collect();
    let missing: Vec<&str> =
        Mistake::ALL.iter().map(|mistake| mistake.code()).filter(|code| !made.contains(*code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(vectors().len() > 70, "{}", vectors().len());
}

#[test]
fn no_diagnosis_holds_a_key_or_a_right_signature() {
    for vector in vectors() {
        let told = format!("{:?}", vector.diagnosis());
        for key in &vector.keys {
            assert!(!told.contains(&key.text), "{}: {told}", vector.name);
        }
        let value = shared::json::Object::parse(vector.document.trim_start_matches('\u{feff}').as_bytes())
            .expect("JSON");
        let value = value.members().iter().find(|member| member.key != "signature").expect("a value").value;
        let right = signature::sign(value, &vector.keys[0].text);
        assert!(!told.to_lowercase().contains(&right), "{}: {told}", vector.name);
    }
}

#[test]
fn what_was_hashed_is_told_by_offset_length_and_ends() {
    let value = r#"{"header":{"partnerNo":"10001"},"body":{"orderTitle":"Consume","orderAmount":2100}}"#;
    let pretty = value.replace("\":", "\": ");
    let document =
        format!(r#" {{ "request" :  {value} , "signature" : "{}" }}"#, signature::sign(&pretty, "x"));
    let diagnosis = diagnosed(&document);
    let hashed = diagnosis.hashed.expect("it can be read");
    assert_eq!(&document[hashed.from..hashed.to], value);
    assert_eq!(hashed.text.length, value.len());
    assert_eq!(hashed.text.first, &value[..24]);
    assert_eq!(hashed.text.last, &value[value.len() - 24..]);
    assert_eq!(diagnosis.verdict, Verdict::Unexplained);
    assert_eq!(diagnosis.signature.expect("there is one").form, "64 hex digits in lower case: SHA-256");
}

#[test]
fn where_another_text_was_signed_it_says_where_the_two_part() {
    let value = r#"{"header":{"partnerNo":"10001"},"body":{"url":"http://x"}}"#;
    let signed = value.replace('/', "\\/");
    let document = format!(r#"{{"request":{value},"signature":"{}"}}"#, signature::sign(&signed, KEY));
    let Verdict::Mistaken(found) = diagnosed(&document).verdict else { panic!("not found") };
    let instead = found.instead.expect("another text");
    assert_eq!(instead.text.length, value.len() + 2);
    let difference = instead.difference.expect("of the same value");
    assert_eq!(difference.at, value.find('/').expect("a slash"));
    assert!(
        difference.sent.contains("http://x") && difference.hashed.contains(r"http:\\/"),
        "{difference:?}"
    );
}

#[test]
fn what_is_no_envelope_is_told_by_its_look() {
    let verdict = |document: &[u8]| match diagnosed_bytes(document).verdict {
        Verdict::Unreadable(Unreadable::Looks(look)) => Ok(look),
        Verdict::Unreadable(Unreadable::Envelope(error)) => Err(error.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(verdict(b""), Ok(Look::Empty));
    assert_eq!(verdict(b" \n"), Ok(Look::Empty));
    assert_eq!(verdict(b"{\0\"\0r\0"), Ok(Look::Utf16));
    assert_eq!(verdict(b"request=%7B%22header%22"), Ok(Look::Form));
    assert_eq!(verdict(b"POST /demo/api/offline/qrcode HTTP/1.1\r\n"), Ok(Look::HttpMessage));
    assert_eq!(verdict(b"<html>"), Ok(Look::Html));
    assert_eq!(verdict(b"{\"request\":{\"header\":{},"), Err("ends too early, at byte 24".to_owned()));
    assert_eq!(
        verdict(b"{\"request\":{\"header\":{}},\"signature\":\"\"}"),
        Err("`body` is missing".to_owned())
    );
    assert_eq!(verdict(b"{\"a\":\"\xe9\"}"), Err("not UTF-8 at byte 6".to_owned()));
    assert_eq!(verdict(b"{\"a\":1,\"a\":1}"), Err("the same key twice in one object, at byte 7".to_owned()));
}

#[test]
fn a_signature_that_is_none_and_a_key_in_the_document_are_told() {
    let document = format!(
        r#"{{"request":{{"header":{{"partnerNo":"10002"}},"body":{{"key":"{KEY}"}}}},"signature":"SHA256"}}"#
    );
    let diagnosis = diagnosed(&document);
    assert_eq!(diagnosis.verdict, Verdict::NoHash);
    assert_eq!(diagnosis.remarks, [Remark::OtherPartnerNo, Remark::KeyInDocument]);
    assert!(!format!("{diagnosis:?}").contains(&KEY[40..]), "{diagnosis:?}");
    let nobody = diagnosed(r#"{"request":{"header":{},"body":{}},"signature":""}"#);
    assert_eq!(nobody.remarks, [Remark::NoPartnerNo]);
}

/// A document that gives every axis of the search something to do, with a signature that nothing explains.
fn hard(length: usize) -> String {
    let unit = r#"{"a":"/é<","b":[1,{"c":"\/\u00e9\u003c"}]}"#;
    let list = vec![unit; length / (unit.len() + 2)].join(",\n");
    let pad = "x".repeat(length.saturating_sub(list.len() + 130));
    format!(
        r#"{{"request":{{"header":{{"partnerNo":"10001"}},"body":{{"x":[{list}],"p":"{pad}"}}}},"signature":"{}"}}"#,
        "ab".repeat(32)
    )
}

#[test]
fn the_search_ends_at_its_limits_and_says_so() {
    for length in [600, 8 * 1024, 60 * 1024] {
        let diagnosis = diagnosed(&hard(length));
        assert_eq!(diagnosis.verdict, Verdict::Unexplained);
        let work = diagnosis.work;
        assert!(work.trials <= MAX_TRIALS && work.bytes <= MAX_BYTES, "{work:?}");
        assert!(work.trials > 100, "{work:?}");
        assert_eq!(work.cut_short, length >= 8 * 1024, "{length}: {work:?}");
    }
}

#[test]
fn the_longest_document_is_looked_at_and_no_longer_one() {
    let mut document = hard(MAX_DOCUMENT - 1000);
    document.push_str(&" ".repeat(MAX_DOCUMENT - document.len()));
    assert_eq!(diagnosed(&document).verdict, Verdict::Unexplained);
    document.push(' ');
    assert_eq!(diagnosed(&document).verdict, Verdict::Unreadable(Unreadable::TooLong));
}
