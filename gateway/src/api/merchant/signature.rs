//! `/v1/signature`: why a merchant's signature does not verify, and the requests that did not.

use std::sync::Arc;

use data_encoding::BASE64;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use shared::json::Object as Json;

use super::merchant_of;
use crate::api::rest::{Body, ChangeError, Found, Group, Timestamp};
use crate::app::App;
use crate::directory::Merchant;
use crate::directory::access::{Caller, Scope, Unproven};
use crate::doctor::kept::Failure;
use crate::doctor::{self, Case, Excerpt, Key, KeyRole, Remark, Unreadable, Verdict};
use crate::error::Error;

/// Keys of the other mode that are tried for a platform, which has both.
const OTHER_MODES: usize = 8;
/// A text without blanks of this length in a document that is not whole may be a signature.
const SIGNATURE_LIKE: usize = 24;

/// Which request to look into: one of the three.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Diagnose {
    /// The request's body, exactly as it was sent, as a JSON string.
    #[oai(validator(min_length = 1, max_length = 65536))]
    pub document: Option<String>,
    /// The same in base64, for bytes that are not UTF-8 or should not be retyped.
    #[oai(validator(min_length = 1, max_length = 65536, pattern = "^[A-Za-z0-9+/]*=*$"))]
    pub document_base64: Option<String>,
    /// The id of one of the requests listed at `/v1/signature/failures`.
    #[oai(validator(min_length = 26, max_length = 26))]
    pub failure_id: Option<String>,
}

impl Example for Diagnose {
    fn example() -> Self {
        let document =
            r#"{"request":{"header":{"version":"1.0","partnerNo":"20001"},"body":{}},"signature":"EBD4"}"#;
        Self { document: Some(document.into()), document_base64: None, failure_id: None }
    }
}

/// What came of it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "SignatureVerdict", rename_all = "snake_case")]
pub enum Outcome {
    /// The signature is right.
    Verified,
    /// It would be right but for `mistakes`.
    Mistaken,
    /// No usual mistake explains it.
    Unexplained,
    /// The signature is no hash.
    NoHash,
    /// The document is no signed request.
    Unreadable,
}

/// Why a signature does not verify. It never holds a key or a right signature.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Diagnosis {
    pub verdict: Outcome,
    /// In words.
    pub detail: String,
    /// The key by which it verifies, mistakes put right: `current`, `previous`, `expired`, `other_mode`.
    pub key: Option<String>,
    /// The fewest mistakes that explain the signature.
    pub mistakes: Vec<Mistake>,
    /// What we hash, with the key behind it.
    pub hashed: Option<Hashed>,
    /// What the sender hashed in its place.
    pub hashed_instead: Option<HashedInstead>,
    /// What the signature looks like.
    pub signature: Option<String>,
    /// What else to mind: `other_partner_no`, `no_partner_no`, `key_in_document`.
    pub remarks: Vec<String>,
    /// `false`: the document is so large that not everything was tried.
    pub complete: bool,
}

/// One usual mistake.
#[derive(Object, Debug)]
pub struct Mistake {
    /// For programs. Stable.
    pub code: String,
    /// What was done.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
}

/// A part of the document, its ends spelled byte by byte: `\xe5` is a byte, `\\` a backslash.
#[derive(Object, Debug)]
pub struct Hashed {
    /// Offset of its first byte in the document.
    pub from: u64,
    /// Offset of the byte behind its last.
    pub to: u64,
    /// In bytes.
    pub length: u64,
    pub first: String,
    pub last: String,
}

/// A text that was hashed in the place of the one that was sent.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct HashedInstead {
    /// In bytes.
    pub length: u64,
    pub first: String,
    pub last: String,
    /// The first byte in which the two differ, counted from the start of the signed value.
    pub differs_at: Option<u64>,
    /// What was sent around there.
    pub sent: Option<String>,
    /// What was hashed around there.
    pub hashed: Option<String>,
}

/// Requests that did not verify, the newest first.
#[derive(Object, Debug)]
pub struct Failures {
    pub data: Vec<FailedRequest>,
}

/// A request that named this merchant and did not verify. Anybody may have sent it.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase")]
pub struct FailedRequest {
    pub id: String,
    pub at: Timestamp,
    /// Of what was sent, in bytes.
    pub length: u64,
    /// `false`: it was longer than what is kept, or a sign key in it was made unreadable. It cannot be looked into.
    pub complete: bool,
    /// A sign key stood in it: whoever saw the request can sign with it.
    pub held_key: bool,
    /// Its text; the signature is asterisks.
    pub document: String,
}

pub struct SignatureApi;

#[OpenApi(tag = "Group::Signature")]
impl SignatureApi {
    /// Say why a signature does not verify
    ///
    /// Looks for the fewest usual mistakes that make the signature right: another form of the JSON, other escapes, a
    /// line end, the wrong part of the document, HMAC, capitals, an old key and more. Each credential has a limit of its
    /// own for this, of 10 in a minute unless the gateway's operator has set another.
    #[oai(path = "/v1/signature/diagnose", method = "post", operation_id = "diagnoseSignature")]
    async fn diagnose(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        /// With a platform's key: the id of the merchant that signed.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        body: Body<Diagnose>,
    ) -> Result<Found<Diagnosis>, ChangeError> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let now = app.clock.now_ms();
        let gone = || Error::Unauthorized(Unproven::Unknown);
        let key = app.directory.api_key_by_id(caller.credential.id()).ok_or_else(gone)?;
        app.limits.diagnosis(&key).await.map_err(Error::Limited)?;
        let document = document(app.0, &merchant, body.value, now)?;
        let others = match caller.tenant.merchant_id() {
            Some(_) => Vec::new(),
            None => app.directory.merchants_of_other_mode(&merchant, OTHER_MODES),
        };
        // Hashing for as long as a tenth of a second is not for a thread that serves requests.
        let told = tokio::task::spawn_blocking(move || told(&document, &merchant, &others, now));
        Ok(Found(told.await.map_err(anyhow::Error::from)?))
    }

    /// List requests that did not verify
    ///
    /// The last 20 that named this merchant, for 24 hours, the first 8 KiB of each. They are in this node's memory
    /// only: a restart forgets them, and each node has its own.
    #[oai(path = "/v1/signature/failures", method = "get", operation_id = "listSignatureFailures")]
    async fn failures(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersRead")] caller: Caller,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
    ) -> Result<Found<Failures>, Error> {
        caller.may(Scope::OrdersRead)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        let failures = app.failures.of(&merchant.id, app.clock.now_ms());
        Ok(Found(Failures { data: failures.into_iter().map(FailedRequest::from).collect() }))
    }
}

/// The bytes that the request names.
fn document(app: &App, merchant: &Merchant, asked: Diagnose, now: i64) -> Result<Vec<u8>, Error> {
    match (asked.document, asked.document_base64, asked.failure_id) {
        (Some(text), None, None) => Ok(text.into_bytes()),
        (None, Some(text), None) => BASE64
            .decode(text.as_bytes())
            .map_err(|_| Error::invalid("/documentBase64", "is not base64 with its padding")),
        (None, None, Some(id)) => {
            let failures = app.failures.of(&merchant.id, now);
            let failure = failures.into_iter().find(|failure| failure.id == id).ok_or(Error::NotFound)?;
            if !failure.is_whole() {
                return Err(Error::Conflict {
                    code: "not_complete",
                    detail: "only a part of this request was kept".to_owned(),
                    pointer: Some("/failureId".to_owned()),
                });
            }
            Ok(failure.document.to_vec())
        }
        _ => Err(Error::invalid("", "give one of document, documentBase64 and failureId")),
    }
}

fn told(document: &[u8], merchant: &Merchant, others: &[Arc<Merchant>], now: i64) -> Diagnosis {
    let own = merchant.keys.iter().map(|key| {
        let role = match key.expires_at {
            None => KeyRole::Current,
            Some(_) if key.is_valid(now) => KeyRole::Previous,
            Some(_) => KeyRole::Expired,
        };
        Key { role, text: &key.text }
    });
    let others = others.iter().map(|other| Key { role: KeyRole::OtherMode, text: &other.current_key().text });
    let keys = own.chain(others).collect();
    Diagnosis::from(doctor::diagnose(&Case { document, partner_no: Some(&merchant.partner_no), keys }))
}

impl From<doctor::Diagnosis> for Diagnosis {
    fn from(diagnosis: doctor::Diagnosis) -> Self {
        let (verdict, detail) = words(&diagnosis.verdict);
        let (key, mistakes, instead) = match diagnosis.verdict {
            Verdict::Verifies(role) => (Some(role), Vec::new(), None),
            Verdict::Mistaken(found) => (found.key, found.mistakes, found.instead),
            _ => (None, Vec::new(), None),
        };
        Self {
            verdict,
            detail,
            key: key.map(|role| role.as_str().to_owned()),
            mistakes: mistakes.into_iter().map(Mistake::from).collect(),
            hashed: diagnosis.hashed.map(|hashed| Hashed {
                from: hashed.from as u64,
                to: hashed.to as u64,
                length: hashed.text.length as u64,
                first: hashed.text.first,
                last: hashed.text.last,
            }),
            hashed_instead: instead.map(HashedInstead::from),
            signature: diagnosis.signature.map(|signature| signature.form),
            remarks: diagnosis.remarks.into_iter().map(remark).collect(),
            complete: !diagnosis.work.cut_short,
        }
    }
}

fn words(verdict: &Verdict) -> (Outcome, String) {
    match verdict {
        Verdict::Verifies(_) => (Outcome::Verified, "The signature is right.".to_owned()),
        Verdict::Mistaken(found) => {
            let what: Vec<&str> = found.mistakes.iter().map(|mistake| mistake.what()).collect();
            (Outcome::Mistaken, format!("The signature would be right, but {}.", what.join("; and ")))
        }
        Verdict::Unexplained => (
            Outcome::Unexplained,
            "No usual mistake explains the signature: most likely another key was used, or the document was \
             changed after it was signed."
                .to_owned(),
        ),
        Verdict::NoHash => {
            (Outcome::NoHash, "The signature is no hash; send 64 hex digits in lower case.".to_owned())
        }
        Verdict::Unreadable(reason) => (Outcome::Unreadable, unreadable(reason)),
    }
}

fn unreadable(reason: &Unreadable) -> String {
    match reason {
        Unreadable::TooLong => "The document is too long.".to_owned(),
        Unreadable::Looks(look) => format!("This is no signed request: {}.", look.words()),
        Unreadable::Envelope(error) => format!("This is no signed request: {error}."),
    }
}

fn remark(remark: Remark) -> String {
    match remark {
        Remark::OtherPartnerNo => "other_partner_no",
        Remark::NoPartnerNo => "no_partner_no",
        Remark::KeyInDocument => "key_in_document",
    }
    .to_owned()
}

impl From<doctor::Mistake> for Mistake {
    fn from(mistake: doctor::Mistake) -> Self {
        Self {
            code: mistake.code().to_owned(),
            detail: mistake.what().to_owned(),
            advice: mistake.advice().to_owned(),
        }
    }
}

impl From<doctor::Instead> for HashedInstead {
    fn from(doctor::Instead { text, difference }: doctor::Instead) -> Self {
        let Excerpt { length, first, last } = text;
        let (differs_at, sent, hashed) = match difference {
            Some(difference) => (Some(difference.at as u64), Some(difference.sent), Some(difference.hashed)),
            None => (None, None, None),
        };
        Self { length: length as u64, first, last, differs_at, sent, hashed }
    }
}

impl From<Failure> for FailedRequest {
    fn from(failure: Failure) -> Self {
        Self {
            complete: failure.is_whole(),
            document: unsigned(&failure.document),
            id: failure.id,
            at: Timestamp::of(failure.at),
            length: failure.length as u64,
            held_key: failure.held_key,
        }
    }
}

/// The text without its signature, which a mistake put right may make a good one.
fn unsigned(document: &[u8]) -> String {
    let text = String::from_utf8_lossy(document);
    let signature =
        Json::parse(document).ok().and_then(|object| Some(object.get("signature")?.value.to_owned()));
    if let Some(signature) = signature.filter(|signature| signature.len() > 2) {
        return text.replace(&signature, "\"***\"");
    }
    // Cut off, or not JSON: whatever may be one.
    let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && !"+/=_-".contains(c));
    let blotted = parts.map(|part| if part.len() > SIGNATURE_LIKE { "***" } else { part });
    blotted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_request_is_shown_without_its_signature_whole_or_cut_off() {
        let signature = "ab".repeat(32);
        let document =
            format!(r#"{{"request":{{"header":{{}},"body":{{"a":"b"}}}},"signature":"{signature}"}}"#);
        let shown = unsigned(document.as_bytes());
        assert_eq!(shown, r#"{"request":{"header":{},"body":{"a":"b"}},"signature":"***"}"#);
        let cut = unsigned(&document.as_bytes()[..document.len() - 2]);
        assert!(!cut.contains("abab") && cut.starts_with(r#"{"request":{"header":{},"body""#), "{cut}");
    }
}
