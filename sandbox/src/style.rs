//! How answers and notices are written. The default is compact, as documented; the other styles are all
//! valid, and all were seen in samples or are what common JSON writers do. A reader that copes with them
//! verifies the bytes as sent and reads fields by name.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::envelope::{self, Side};
use shared::signature;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// `"payUrl "`, as one sample of the reference spells it.
    pub pay_url_key_with_space: bool,
    /// Line breaks, indents and blanks inside the signed value and around it.
    pub pretty: bool,
    /// `\/` for `/`, as PHP writes it.
    pub escaped_slashes: bool,
    /// `\uXXXX` for everything that is not ASCII, as PHP and Python write it.
    pub escaped_unicode: bool,
    /// The signature first, the body before the header, and all fields backwards.
    pub odd_key_order: bool,
    /// A field in every body that no documentation knows.
    pub extra_field: bool,
}

/// In whose name an answer is signed. Where the partner is not known there is no key: the signature is then
/// made with an empty one, and cannot verify.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signer {
    pub partner_no: String,
    pub sign_key: String,
}

/// A finished, signed response document.
pub(crate) fn seal(style: Style, signer: &Signer, header: &str, mut body: Map<String, Value>) -> String {
    if style.extra_field {
        body.insert("tradeSummary".to_owned(), Value::Bool(true));
    }
    if style.pay_url_key_with_space && body.contains_key("payUrl") {
        body = body.into_iter().map(|(key, value)| (with_space(key), value)).collect();
    }
    let text_of = |map: &Map<String, Value>| serde_json::to_string(map).expect("JSON values serialise");
    if !(style.pretty || style.escaped_slashes || style.escaped_unicode || style.odd_key_order) {
        return envelope::seal(Side::Response, header, &text_of(&body), &signer.sign_key);
    }
    let header: Map<String, Value> = serde_json::from_str(header).expect("our own header is an object");
    let value = spelled(style, header, body);
    let signature = signature::sign(&value, &signer.sign_key);
    match (style.odd_key_order, style.pretty) {
        (false, false) => format!("{{\"response\":{value},\"signature\":\"{signature}\"}}"),
        (false, true) => format!("{{\n  \"response\": {value},\n  \"signature\": \"{signature}\"\n}}\n"),
        (true, false) => format!("{{\"signature\":\"{signature}\",\"response\":{value}}}"),
        (true, true) => format!("{{\n  \"signature\": \"{signature}\",\n  \"response\": {value}\n}}\n"),
    }
}

fn with_space(key: String) -> String {
    if key == "payUrl" { "payUrl ".to_owned() } else { key }
}

/// The text that is signed.
fn spelled(style: Style, header: Map<String, Value>, body: Map<String, Value>) -> String {
    let mut value = Map::new();
    if style.odd_key_order {
        value.insert("body".to_owned(), body.into_iter().rev().collect::<Map<_, _>>().into());
        value.insert("header".to_owned(), header.into_iter().rev().collect::<Map<_, _>>().into());
    } else {
        value.insert("header".to_owned(), header.into());
        value.insert("body".to_owned(), body.into());
    }
    let write = if style.pretty { serde_json::to_string_pretty } else { serde_json::to_string };
    let mut text = write(&Value::from(value)).expect("JSON values serialise");
    if style.escaped_slashes {
        text = text.replace('/', "\\/");
    }
    if style.escaped_unicode {
        text = ascii(&text);
    }
    text
}

/// The same JSON with every character outside ASCII as escapes; such characters occur in strings only.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::envelope::Envelope;
    use shared::json::Member;

    use super::*;

    #[test]
    fn every_style_verifies_and_says_the_same() {
        let signer = Signer { partner_no: "10001".to_owned(), sign_key: "123456".to_owned() };
        let Value::Object(body) = json!({"code": 1, "msg": "订单 😀 a/b \\", "payUrl": "http://x/pay/1"})
        else {
            unreachable!("the literal is an object")
        };
        for bits in 0..64_u8 {
            let style = Style {
                pay_url_key_with_space: bits & 1 > 0,
                pretty: bits & 2 > 0,
                escaped_slashes: bits & 4 > 0,
                escaped_unicode: bits & 8 > 0,
                odd_key_order: bits & 16 > 0,
                extra_field: bits & 32 > 0,
            };
            let document = seal(style, &signer, r#"{"partnerNo":"10001","version":"1.0"}"#, body.clone());
            let read = Envelope::read(document.as_bytes(), Side::Response).expect("an envelope");
            assert!(read.verifies("123456") && !read.verifies("123457"), "{style:?}");
            let text = |key: &str| read.body.get(key).and_then(Member::string).map(String::from);
            assert_eq!(text("msg").as_deref(), Some("订单 😀 a/b \\"), "{style:?}");
            let key = if style.pay_url_key_with_space { "payUrl " } else { "payUrl" };
            assert_eq!(text(key).as_deref(), Some("http://x/pay/1"), "{style:?}");
            assert_eq!(read.body.get("tradeSummary").is_some(), style.extra_field);
            assert_eq!(document.is_ascii(), style.escaped_unicode, "{style:?}");
        }
    }
}
