//! What must hold of every JSON text, every envelope and every number, tried on arbitrary ones.

#[path = "properties/reference.rs"]
mod reference;
#[path = "properties/tree.rs"]
mod tree;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use shared::envelope::{Envelope, Side, seal};
use shared::json::{IntegerError, MAX_DEPTH, MAX_INTEGER, Object, integer};
use shared::signature::sign;
use tree::{Hand, Tree, hand, members, object_says, text};

/// `{"request":…,"signature":"…"}` with everything about it free: blanks, escapes, the order of keys, members beside.
#[derive(Debug, Clone)]
struct Document {
    header: Vec<(String, Tree)>,
    body: Vec<(String, Tree)>,
    key: String,
    side: Side,
    /// The text that is signed, without the blanks around it.
    signed: String,
    raw: String,
    /// Where `signed` begins in `raw`.
    from: usize,
}

fn documents() -> impl Strategy<Value = Document> {
    let side = prop::sample::select(vec![Side::Request, Side::Response]);
    let orders = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (members(), members(), text(), side, hand(true), orders).prop_map(
        |(header, body, key, side, mut hand, orders)| {
            let (body_first, signature_first, beside, untrimmed) = orders;
            let mut parts = vec![
                (hand.string("header"), hand.object(&header)),
                (hand.string("body"), hand.object(&body)),
            ];
            if body_first {
                parts.reverse();
            }
            if beside {
                parts.push((hand.string("Header"), hand.object(&body)));
            }
            let signed = hand.object_of(&parts);
            let (before, behind) = (hand.blank(), hand.blank());
            let padded = [before, &signed, behind].concat();
            let signature = hand.string(&sign(if untrimmed { &padded } else { &signed }, &key));

            let value = [&hand.string(side.word()), hand.blank(), ":", &padded].concat();
            let proof =
                [&hand.string("signature"), hand.blank(), ":", hand.blank(), &signature, hand.blank()]
                    .concat();
            let mut members = vec![value, proof];
            if signature_first {
                members.reverse();
            }
            if beside {
                members.push([&hand.string("Signature"), ":", &hand.object(&header)].concat());
            }
            let raw = [
                hand.blank(),
                "{",
                hand.blank(),
                &members.join(&[",", hand.blank()].concat()),
                "}",
                hand.blank(),
            ]
            .concat();
            let from = raw.find(&signed).expect("the document holds it");
            Document { header, body, key, side, signed, raw, from }
        },
    )
}

/// One byte more, less, or another one.
#[derive(Debug, Clone, Copy)]
enum Touch {
    /// The byte becomes another: this is added to it.
    Replace(u8),
    Insert(u8),
    Delete,
}

fn touches() -> impl Strategy<Value = Touch> {
    prop_oneof![
        (1..=u8::MAX).prop_map(Touch::Replace),
        prop_oneof![any::<u8>(), prop::sample::select(b" \n{}[]:,\"\\/u0".to_vec())].prop_map(Touch::Insert),
        Just(Touch::Delete),
    ]
}

fn touched(raw: &[u8], at: usize, touch: Touch) -> Vec<u8> {
    let mut raw = raw.to_vec();
    match touch {
        Touch::Replace(by) => raw[at] = raw[at].wrapping_add(by),
        Touch::Insert(byte) => raw.insert(at, byte),
        Touch::Delete => drop(raw.remove(at)),
    }
    raw
}

fn is_accepted(raw: &[u8], side: Side, key: &str) -> bool {
    Envelope::read(raw, side).is_ok_and(|envelope| envelope.verifies(key))
}

/// Tokens of JSON in any order.
const SOUP: &str = r#"(\{|\}|\[|\]|:|,|"a"|"b"|"\\u00[0-9][0-9]"|"\\ud8[0-9]0"|-?[0-9]{1,2}|\.[0-9]|e[+-]?[0-9]|true|null| ){0,14}"#;

/// A few hundred cases of each; a failure prints the smallest case, so none is kept in a file.
fn settings() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn any_envelope_is_read_and_verifies_whatever_its_blanks_escapes_and_order(document in documents()) {
        let envelope = Envelope::read(document.raw.as_bytes(), document.side).expect("is an envelope");
        prop_assert_eq!(envelope.signed, &document.signed);
        prop_assert!(envelope.verifies(&document.key));
        prop_assert!(object_says(&envelope.header, &document.header));
        prop_assert!(object_says(&envelope.body, &document.body));
    }

    #[test]
    fn any_one_byte_change_of_the_signed_text_fails(document in documents(), place: Index, touch in touches()) {
        // A blank before the first or behind the last byte is outside of the text.
        let at = match touch {
            Touch::Insert(_) => 1 + place.index(document.signed.len() - 1),
            _ => place.index(document.signed.len()),
        };
        let raw = touched(document.raw.as_bytes(), document.from + at, touch);
        prop_assert!(!is_accepted(&raw, document.side, &document.key));

        // The other way round: what was signed differs from what was sent.
        if let Ok(signed) = String::from_utf8(touched(document.signed.as_bytes(), at, touch)) {
            let signature = sign(&signed, &document.key);
            let raw = format!("{{\"{}\": {} ,\"signature\":\"{signature}\"}}", document.side.word(), document.signed);
            prop_assert!(!is_accepted(raw.as_bytes(), document.side, &document.key));
        }
    }

    #[test]
    fn any_one_byte_change_of_the_signature_fails(document in documents(), place: Index, touch in touches()) {
        let signature = sign(&document.signed, &document.key);
        let raw = format!("{{\"{}\":{},\"signature\":\"{signature}\"}}", document.side.word(), document.signed);
        prop_assert!(is_accepted(raw.as_bytes(), document.side, &document.key));
        let from = raw.len() - "\"}".len() - signature.len();
        // Inserted behind the last digit, too.
        let places = signature.len() + usize::from(matches!(touch, Touch::Insert(_)));
        let raw = touched(raw.as_bytes(), from + place.index(places), touch);
        prop_assert!(!is_accepted(&raw, document.side, &document.key));
    }

    #[test]
    fn any_one_byte_change_of_the_key_fails(
        document in documents(),
        key in "[ -~]{1,64}",
        place: Index,
        touch in touches(),
    ) {
        let raw = seal(document.side, "{}", &Hand::plain().object(&document.body), &key);
        prop_assert!(is_accepted(raw.as_bytes(), document.side, &key));
        let other = touched(key.as_bytes(), place.index(key.len()), touch);
        if let Ok(other) = String::from_utf8(other) {
            prop_assert!(!is_accepted(raw.as_bytes(), document.side, &other));
        }
    }

    #[test]
    fn what_is_sealed_is_as_documented_and_keeps_every_value(
        header in members(),
        body in members(),
        key in text(),
        side in prop::sample::select(vec![Side::Request, Side::Response]),
        mut hand in hand(false),
    ) {
        let document = seal(side, &hand.object(&header), &hand.object(&body), &key);
        let is_compact = document.starts_with(&format!("{{\"{}\":{{", side.word()))
            && document.contains("},\"signature\":\"")
            && document.ends_with("\"}");
        prop_assert!(is_compact, "{}", document);
        prop_assert_eq!(document.matches("response").count(), usize::from(side == Side::Response));
        prop_assert_eq!(document.matches("signature").count(), 1);

        let envelope = Envelope::read(document.as_bytes(), side).expect("is an envelope");
        prop_assert!(envelope.verifies(&key));
        prop_assert!(object_says(&envelope.header, &header));
        prop_assert!(object_says(&envelope.body, &body));
        if side == Side::Response {
            prop_assert_eq!(cut_at_the_words(&document), (envelope.signed, envelope.signature.as_str()));
        }
    }

    #[test]
    fn reading_never_panics(bytes in vec(any::<u8>(), 0..400), soup in "[\\{\\}\\[\\]:,\"\\\\u0-9a-fEtrn\\.+\\- é🍜]{0,80}") {
        for raw in [bytes.as_slice(), soup.as_bytes(), format!("{{\"a\":{soup}}}").as_bytes()] {
            for side in [Side::Request, Side::Response] {
                if let Ok(envelope) = Envelope::read(raw, side) {
                    envelope.verifies("123456");
                }
            }
            if let Ok(object) = Object::parse(raw) {
                for member in object.members() {
                    let _ = (member.string(), member.integer(), member.object());
                }
            }
        }
        let _ = integer(&soup);
    }

    #[test]
    fn exactly_what_serde_json_takes_is_taken(
        document in documents(),
        touches in vec((any::<Index>(), touches()), 0..4),
        soup in SOUP,
        number in "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?",
    ) {
        prop_assert!(reference::accepts(document.raw.as_bytes()));
        prop_assert!(Object::parse(document.raw.as_bytes()).is_ok());
        let mut raw = document.raw.into_bytes();
        for (place, touch) in touches {
            let at = place.index(raw.len());
            raw = touched(&raw, at, touch);
        }
        let soups = [soup.clone(), format!("{{{soup}}}"), format!("{{\"a\":{soup}}}"), format!("{{\"a\":{number}}}")];
        for raw in [raw.as_slice()].into_iter().chain(soups.iter().map(String::as_bytes)) {
            let taken = Object::parse(raw);
            prop_assert_eq!(taken.is_ok(), reference::accepts(raw), "{:?}: {}", taken, String::from_utf8_lossy(raw));
        }
    }

    #[test]
    fn nesting_is_taken_up_to_the_limit_and_not_beyond(
        levels in vec(any::<bool>(), MAX_DEPTH - 3..MAX_DEPTH + 3),
        beside in any::<bool>(),
    ) {
        let (mut raw, mut ends) = (String::from("{\"a\":"), String::from("}"));
        for list in &levels {
            raw.push_str(if *list { "[" } else { "{\"a\":" });
            ends.insert(0, if *list { ']' } else { '}' });
        }
        raw = [raw.as_str(), "1", &ends].concat();
        if beside {
            raw.insert_str(1, "\"b\":[[[]]],");
        }
        prop_assert_eq!(Object::parse(raw.as_bytes()).is_ok(), levels.len() < MAX_DEPTH);
        prop_assert_eq!(reference::accepts(raw.as_bytes()), levels.len() < MAX_DEPTH);
    }

    #[test]
    fn integers_are_read_as_exact_arithmetic_has_them(number in numbers()) {
        let document = format!("{{\"n\":{}}}", number.text);
        let object = Object::parse(document.as_bytes()).expect("is JSON");
        let read = object.get("n").expect("is there").integer();
        prop_assert_eq!(read, exact(number.mantissa, number.exponent), "{}", number.text);
        prop_assert_eq!(integer(&number.text), read);
    }
}

/// What the public client does: everything between the first `response` and the first `signature`, joints aside.
fn cut_at_the_words(document: &str) -> (&str, &str) {
    let from = document.find("response").expect("is there") + "response\":".len();
    let to = document.find("signature").expect("is there");
    (&document[from..to - ",\"".len()], &document[to + "signature\":\"".len()..document.len() - "\"}".len()])
}

/// A decimal number, and one of its spellings.
#[derive(Debug, Clone)]
struct Number {
    mantissa: i128,
    exponent: i32,
    text: String,
}

fn numbers() -> impl Strategy<Value = Number> {
    let limit = i128::from(MAX_INTEGER);
    let mantissa = prop_oneof![
        -1_000_000_i128..1_000_000,
        limit - 3..limit + 3,
        -limit - 3..-limit + 3,
        any::<i64>().prop_map(i128::from),
        any::<i128>().prop_map(|mantissa| mantissa / 10),
    ];
    // Zeros behind the mantissa that the exponent takes away again, or nearly: most numbers are near the integers.
    let zeros = 0..18_i32;
    let exponent = prop_oneof![4 => -2..=2_i32, 1 => -20..=20_i32];
    let number = (mantissa, zeros, exponent).prop_map(|(mantissa, zeros, more)| {
        let factor = 10_i128.pow(zeros.unsigned_abs());
        mantissa.checked_mul(factor).map_or((mantissa, more), |mantissa| (mantissa, more - zeros))
    });
    let small = (-99..=99_i128, 0..=18_i32);
    let spelling = (any::<Index>(), 0..3_usize, 0..6_usize);
    (prop_oneof![3 => number, 1 => small], spelling).prop_map(
        |((mantissa, exponent), (point, more, style))| {
            let text = spelled(mantissa, exponent, point, more, style);
            Number { mantissa, exponent, text }
        },
    )
}

/// `mantissa` × 10^`exponent` with the point anywhere, zeros behind it, and the exponent in any form.
fn spelled(mantissa: i128, exponent: i32, point: Index, more: usize, style: usize) -> String {
    let digits = mantissa.unsigned_abs().to_string();
    // The point stands behind so many digits; not in front of all, and none may be led by a zero.
    let whole = if digits == "0" { 1 } else { 1 + point.index(digits.len()) };
    let fraction = [&digits[whole..], &"0".repeat(more)].concat();
    let power = exponent + i32::try_from(digits.len() - whole).expect("at most 39 digits");
    let sign = if mantissa < 0 { "-" } else { "" };
    let (number, power) = match (style, power) {
        // Written out, where that is not too long: 0.0021, 2100000.
        (0, ..=-1) => {
            let places = usize::try_from(-power).expect("is negative");
            let all = format!("{:0>width$}", &digits[..whole], width = places + 1);
            (format!("{}.{}{fraction}", &all[..all.len() - places], &all[all.len() - places..]), 0)
        }
        (0, 1..) if fraction.is_empty() && digits != "0" => {
            (format!("{digits}{}", "0".repeat(usize::try_from(power).expect("is positive"))), 0)
        }
        _ if fraction.is_empty() => (digits[..whole].to_owned(), power),
        _ => (format!("{}.{fraction}", &digits[..whole]), power),
    };
    let exponent = match (style, power) {
        (0..=2, 0) => String::new(),
        (3, 0..) => format!("e+{power}"),
        (4, _) => format!("E{power}"),
        (5, ..0) => format!("e-0{}", -power),
        (5, _) => format!("E+00{power}"),
        _ => format!("e{power}"),
    };
    format!("{sign}{number}{exponent}")
}

/// What the number is, by integer arithmetic alone.
fn exact(mantissa: i128, exponent: i32) -> Result<i64, IntegerError> {
    if mantissa == 0 {
        return Ok(0);
    }
    let factor = 10_i128.checked_pow(exponent.unsigned_abs());
    let value = if exponent < 0 {
        // More than the digits of any 128-bit number: nothing whole is left.
        let factor = factor.filter(|factor| mantissa % factor == 0).ok_or(IntegerError::NotWhole)?;
        Some(mantissa / factor)
    } else {
        factor.and_then(|factor| mantissa.checked_mul(factor))
    };
    value
        .filter(|value| value.unsigned_abs() <= u128::from(MAX_INTEGER.unsigned_abs()))
        .map(|value| i64::try_from(value).expect("is within 2^53"))
        .ok_or(IntegerError::OutOfRange)
}

/// Every place and every byte of one envelope: replaced by each of the 255 others, each of the 256 inserted, deleted.
#[test]
fn no_one_byte_change_of_a_whole_envelope_is_missed() {
    const KEY: &str = "123456";
    let signed = r#"{"header":{"partnerNo":"1"},"body":{"a\/\u00e9":[1.0,"咖",true]}}"#;
    let signature = sign(signed, KEY);
    let raw = format!("{{\"request\":{signed},\"signature\":\"{signature}\"}}");
    assert!(is_accepted(raw.as_bytes(), Side::Request, KEY));
    let text = raw.find(signed).expect("is there");
    let proof = raw.find(&signature).expect("is there");
    for part in [text..text + signed.len(), proof..proof + signature.len()] {
        for at in part.clone() {
            let others = (1..=u8::MAX).map(Touch::Replace);
            // In front of the first byte is outside of the part.
            let inserted = (0..=u8::MAX).filter(|_| at > part.start).map(Touch::Insert);
            for touch in others.chain(inserted).chain([Touch::Delete]) {
                let raw = touched(raw.as_bytes(), at, touch);
                assert!(
                    !is_accepted(&raw, Side::Request, KEY),
                    "{touch:?} at {at}: {}",
                    String::from_utf8_lossy(&raw)
                );
            }
        }
    }
}
