//! The signed document both faces speak: `{"request":{"header":…,"body":…},"signature":"…"}`, and the same
//! with `response`. Reading finds the signed slice by position; writing is compact at the joints.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::json::{JsonError, Member, Object};
use crate::signature;

/// Which of the two documents: what a partner sends, or what ScanForPay answers (and notifies).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Request,
    Response,
}

impl Side {
    pub fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is not an object")]
    NotAnObject(&'static str),
    #[error("`signature` is not a string")]
    SignatureNotText,
}

/// A document read but not yet trusted.
#[derive(Debug, Clone)]
pub struct Envelope<'a> {
    pub header: Object<'a>,
    pub body: Object<'a>,
    /// The signed value as sent, without the blanks around it.
    pub signed: &'a str,
    /// The same with the blanks; some writers sign them.
    padded: &'a str,
    pub signature: String,
}

impl<'a> Envelope<'a> {
    pub fn read(raw: &'a [u8], side: Side) -> Result<Self, EnvelopeError> {
        let document = Object::parse(raw)?;
        let value = document.get(side.word()).ok_or(EnvelopeError::Missing(side.word()))?;
        let parts = value.object().ok_or(EnvelopeError::NotAnObject(side.word()))?;
        let signature = document.get("signature").ok_or(EnvelopeError::Missing("signature"))?;
        let signature = signature.string().ok_or(EnvelopeError::SignatureNotText)?;
        Ok(Self {
            header: part(&parts, "header")?,
            body: part(&parts, "body")?,
            signed: value.value,
            padded: value.padded,
            signature: signature.into_owned(),
        })
    }

    /// Whether the signature is right under `sign_key`: over the value trimmed, then untrimmed.
    pub fn verifies(&self, sign_key: &str) -> bool {
        signature::verify(self.signed, sign_key, &self.signature)
            || (self.padded != self.signed && signature::verify(self.padded, sign_key, &self.signature))
    }

    /// A header value under the first of these spellings that is there and not empty.
    pub fn header_text(&self, spellings: &[&str]) -> Option<String> {
        spellings
            .iter()
            .filter_map(|key| self.header.get(key).and_then(Member::string))
            .find(|text| !text.is_empty())
            .map(std::borrow::Cow::into_owned)
    }
}

fn part<'a>(parts: &Object<'a>, name: &'static str) -> Result<Object<'a>, EnvelopeError> {
    parts.get(name).ok_or(EnvelopeError::Missing(name))?.object().ok_or(EnvelopeError::NotAnObject(name))
}

/// The finished signed document over `header` and `body`, both compact JSON texts.
pub fn seal(side: Side, header: &str, body: &str, sign_key: &str) -> String {
    let value = defuse(&["{\"header\":", header, ",\"body\":", body, "}"].concat());
    let signature = signature::sign(&value, sign_key);
    ["{\"", side.word(), "\":", &value, ",\"signature\":\"", &signature, "\"}"].concat()
}

/// Take the words `response` and `signature` out of a JSON text without changing what it says. Existing
/// clients cut a document at the first place they find these words. Letters occur in JSON outside strings
/// in `true`, `false` and `null` only, so any occurrence is inside a string, where the second letter may be
/// written as an escape. (The second and not the first: in `\response` the `r` belongs to an escape.)
fn defuse(text: &str) -> String {
    let mut text = text.to_owned();
    for (word, defused) in [("response", "r\\u0065sponse"), ("signature", "s\\u0069gnature")] {
        if text.contains(word) {
            text = text.replace(word, defused);
        }
    }
    text
}

/// Compact header of a request, with both spellings of the time's key.
pub fn request_header(partner_no: &str, message_id: &str, time: OffsetDateTime) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Header<'a> {
        version: &'a str,
        partner_no: &'a str,
        req_msg_id: &'a str,
        req_time: &'a str,
        request_time: &'a str,
        sign_type: &'a str,
    }
    let time = rfc3339(time);
    let header = Header {
        version: "1.0",
        partner_no,
        req_msg_id: message_id,
        req_time: &time,
        request_time: &time,
        sign_type: "SHA256",
    };
    serde_json::to_string(&header).expect("plain strings serialise")
}

/// Compact header of a response, with both spellings of the id's key.
pub fn response_header(partner_no: &str, message_id: &str, time: OffsetDateTime) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Header<'a> {
        version: &'a str,
        partner_no: &'a str,
        resp_msg_id: &'a str,
        req_msg_id: &'a str,
        resp_time: &'a str,
        sign_type: &'a str,
    }
    let time = rfc3339(time);
    let header = Header {
        version: "1.0",
        partner_no,
        resp_msg_id: message_id,
        req_msg_id: message_id,
        resp_time: &time,
        sign_type: "SHA256",
    };
    serde_json::to_string(&header).expect("plain strings serialise")
}

/// `2018-07-25T18:06:05+08:00`: whole seconds, so that 25 characters always do.
pub fn rfc3339(time: OffsetDateTime) -> String {
    time.replace_nanosecond(0).expect("0 is a nanosecond").format(&Rfc3339).expect("years have four digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "123456";

    fn read(document: &str) -> Result<Envelope<'_>, EnvelopeError> {
        Envelope::read(document.as_bytes(), Side::Response)
    }

    #[test]
    fn what_we_emit_is_compact_at_the_joints_and_verifies() {
        let document = seal(Side::Response, r#"{"version":"1.0"}"#, r#"{"code":1}"#, KEY);
        assert!(document.starts_with("{\"response\":{"));
        assert!(document.contains("},\"signature\":\""));
        assert!(document.ends_with("\"}"));
        assert!(read(&document).expect("an envelope").verifies(KEY));
    }

    #[test]
    fn the_two_words_are_nowhere_else_in_what_we_emit_and_values_stay() {
        let body = r#"{"msg":"a response with a signature","signatures":"\response","x":"\u0072esponse"}"#;
        let document = seal(Side::Response, "{}", body, KEY);
        assert_eq!(document.matches("response").count(), 1);
        assert_eq!(document.matches("signature").count(), 1);
        let envelope = read(&document).expect("an envelope");
        assert!(envelope.verifies(KEY));
        let text =
            |key: &str| envelope.body.get(key).expect("is there").string().expect("is text").into_owned();
        assert_eq!(text("msg"), "a response with a signature");
        assert_eq!(text("signatures"), "\response");
        assert_eq!(text("x"), "response");
    }

    #[test]
    fn the_value_is_found_where_its_words_occur_elsewhere() {
        let value = r#"{"body":{"response":"{\"signature\":\"no\"}","msg":"\"response\":{"},"header":{"signature":"x"}}"#;
        let signature = signature::sign(value, KEY);
        let document = format!(r#"{{ "signat\u0075re" : "{signature}" , "resp\u006fnse" :  {value}  }}"#);
        let envelope = read(&document).expect("an envelope");
        assert_eq!(envelope.signed, value);
        assert!(envelope.verifies(KEY));
    }

    #[test]
    fn a_value_signed_with_its_blanks_verifies_too() {
        let padded = " {\"header\":{},\"body\":{}}\n";
        let document =
            format!("{{\"response\":{padded},\"signature\":\"{}\"}}", signature::sign(padded, KEY));
        assert!(read(&document).expect("an envelope").verifies(KEY));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read("{}").map(drop), Err(EnvelopeError::Missing("response")));
        assert_eq!(read(r#"{"response":1}"#).map(drop), Err(EnvelopeError::NotAnObject("response")));
        assert_eq!(read(r#"{"response":{}}"#).map(drop), Err(EnvelopeError::Missing("signature")));
        assert_eq!(read(r#"{"response":{},"signature":1}"#).map(drop), Err(EnvelopeError::SignatureNotText));
        assert_eq!(
            read(r#"{"response":{"body":{}},"signature":""}"#).map(drop),
            Err(EnvelopeError::Missing("header"))
        );
    }
}
