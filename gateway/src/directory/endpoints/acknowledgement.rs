//! What an answer must be to count as an acknowledgement.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entity::endpoint::Format;
use crate::outgoing::Reply;

/// Kept as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledgement {
    /// Status 200 and the text `success`, blanks and capitals forgiven: ScanForPay's own way.
    Success,
    /// Any status from 200 to 299.
    AnySuccess,
    /// Such a status, and in the JSON body a field with this value.
    Field {
        /// JSON pointer.
        at: String,
        /// The field's text; of a number, `true` or `false` as JSON writes it.
        equals: String,
    },
}

impl Acknowledgement {
    /// Where its owner has said nothing.
    pub fn usual(format: Format) -> Self {
        match format {
            Format::ScanForPay => Self::Success,
            Format::StandardWebhooks => Self::AnySuccess,
        }
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("plain fields serialise")
    }

    pub fn is_given_by(&self, reply: &Reply) -> bool {
        let is_success = (200..300).contains(&reply.status);
        match self {
            Self::Success => {
                reply.status == 200
                    && String::from_utf8_lossy(&reply.body).trim().eq_ignore_ascii_case("success")
            }
            Self::AnySuccess => is_success,
            Self::Field { at, equals } => {
                let body: Option<Value> = serde_json::from_slice(&reply.body).ok();
                let field = body.as_ref().and_then(|body| body.pointer(at));
                let text = field.map(|field| match field {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                is_success && text.as_ref() == Some(equals)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn judge(profile: &Acknowledgement, status: u16, body: &str) -> bool {
        let body = Bytes::from(body.to_owned());
        profile.is_given_by(&Reply { status, retry_after: None, body, truncated: false })
    }

    #[test]
    fn success_is_forgiven_its_blanks_and_capitals_and_nothing_else() {
        for body in ["success", "SUCCESS", " Success\r\n"] {
            assert!(judge(&Acknowledgement::Success, 200, body), "{body}");
        }
        for (status, body) in [
            (200, ""),
            (200, "success!"),
            (200, "\"success\""),
            (201, "success"),
            (500, "success"),
            (302, "success"),
        ] {
            assert!(!judge(&Acknowledgement::Success, status, body), "{status} {body}");
        }
    }

    #[test]
    fn any_success_is_by_its_status_alone() {
        for (status, counts) in
            [(200, true), (204, true), (299, true), (199, false), (300, false), (500, false)]
        {
            assert_eq!(judge(&Acknowledgement::AnySuccess, status, "no"), counts, "{status}");
        }
    }

    #[test]
    fn a_field_counts_by_its_value_within_a_success() {
        let profile =
            |at: &str, equals: &str| Acknowledgement::Field { at: at.into(), equals: equals.into() };
        let body = r#"{"code": 0, "result": {"state": "OK", "done": true}}"#;
        for (at, equals, counts) in [
            ("/code", "0", true),
            ("/result/state", "OK", true),
            ("/result/done", "true", true),
            ("/result/state", "ok", false),
            ("/missing", "OK", false),
            ("", body, false),
        ] {
            assert_eq!(judge(&profile(at, equals), 200, body), counts, "{at} {equals}");
        }
        assert!(!judge(&profile("/code", "0"), 500, body));
        assert!(!judge(&profile("/code", "0"), 200, "<html>"));
    }

    #[test]
    fn it_is_kept_as_it_is_read() {
        assert_eq!(serde_json::to_string(&Acknowledgement::Success).expect("JSON"), "\"success\"");
        for profile in
            [Acknowledgement::AnySuccess, Acknowledgement::Field { at: "/code".into(), equals: "0".into() }]
        {
            let text = serde_json::to_string(&profile).expect("JSON");
            assert_eq!(serde_json::from_str::<Acknowledgement>(&text).expect("it is read"), profile);
        }
    }
}
