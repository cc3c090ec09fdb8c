//! The ScanForPay client: sign with the account's key, send, verify what comes back, say what it means. What
//! cannot be trusted is never guessed at.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, header};
use shared::code::Code;
use shared::envelope::{self, Envelope, Side};
use shared::json::Object;
use url::Url;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::directory::{Account, SignKey};
use crate::metrics::Calls;
use crate::outgoing::{Limits, Outgoing, Overlong};

/// What ScanForPay says of an order, whichever way it was said. Fields that it did not say are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The signed text as it came: for the journal.
    pub raw: String,
    /// From the header.
    pub partner_no: Option<String>,
    pub code: i32,
    pub msg: String,
    pub pay_url: Option<String>,
    pub order_no: Option<String>,
    pub partner_order_no: Option<String>,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    /// Of an answer to a refund.
    pub refund_no: Option<String>,
    pub wallet: Option<String>,
    pub status: Option<i64>,
    pub pay_time: Option<String>,
    pub buyer: Option<String>,
    pub buyer_id: Option<String>,
    /// Fields we do not know: key and value's JSON text.
    pub extra: Vec<(String, String)>,
}

/// Where orders are asked after.
pub const QUERY_PATH: &str = "/api/common/payQuery";
/// Where money is given back.
pub const REFUND_PATH: &str = "/api/common/refund";

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Signed by the account's key.
    Said(Box<Said>),
    /// No answer that can be trusted. The call may have taken effect if `sent`.
    Nothing { why: String, sent: bool, raw: Option<String> },
}

pub struct Upstream {
    outgoing: Outgoing,
    clock: Clock,
    chance: Chance,
    max_response: usize,
    pub calls: Calls,
}

impl Upstream {
    pub fn new(outgoing: Outgoing, clock: Clock, chance: Chance, max_response: usize) -> Self {
        Self { outgoing, clock, chance, max_response, calls: Calls::default() }
    }

    /// Ask something that changes nothing. Signed with the version of the key that the upstream last took; where it
    /// refuses the signature, once more with the other.
    pub async fn ask(&self, account: &Account, path: &str, body: &str, timeout: Duration) -> Heard {
        let now = self.clock.now_ms();
        let key = account.signing_key(now);
        let heard = self.call(account, key, path, body, timeout).await;
        match account.other_key(&key.id, now) {
            Some(other) if is_bad_signature(&heard) => self.call(account, other, path, body, timeout).await,
            _ => heard,
        }
    }

    /// Post `body` to the operation at `path`, signed with `key` of `account`.
    pub async fn call(
        &self,
        account: &Account,
        key: &SignKey,
        path: &str,
        body: &str,
        timeout: Duration,
    ) -> Heard {
        let began = Instant::now();
        let heard = self.exchange(account, key, path, body, timeout).await;
        self.calls.note(path, &heard, began.elapsed());
        heard
    }

    async fn exchange(
        &self,
        account: &Account,
        key: &SignKey,
        path: &str,
        body: &str,
        timeout: Duration,
    ) -> Heard {
        let header = envelope::request_header(&account.partner_no, &self.chance.id(), self.clock.now());
        let document = envelope::seal(Side::Request, &header, body, &key.text);
        let limits = Limits { timeout, max_body: self.max_response, overlong: Overlong::Refuse };
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let reply = match self
            .outgoing
            .post(&below(&account.base_url, path), &[json], Bytes::from(document), limits)
            .await
        {
            Ok(reply) => reply,
            Err(error) => return Heard::Nothing { why: error.to_string(), sent: error.sent(), raw: None },
        };
        if reply.status != 200 {
            return Heard::Nothing { why: format!("HTTP status {}", reply.status), sent: true, raw: None };
        }
        match read(&reply.body, &account.keys_valid_since(self.clock.now_ms())) {
            Ok(said) => {
                if Code(said.code) != Code::BAD_SIGNATURE {
                    key.last_use.note(self.clock.now_ms());
                }
                Heard::Said(Box::new(said))
            }
            Err(why) => Heard::Nothing { why, sent: true, raw: without_signature(&reply.body) },
        }
    }
}

/// Whether the upstream says that a signature of ours is wrong. With a wrong key on our side its answer does not
/// verify either.
pub fn is_bad_signature(heard: &Heard) -> bool {
    let code = match heard {
        Heard::Said(said) => Some(i64::from(said.code)),
        Heard::Nothing { raw, .. } => raw.as_deref().and_then(said_code),
    };
    code == Some(i64::from(Code::BAD_SIGNATURE.0))
}

/// The code in an answer that nobody vouches for.
fn said_code(raw: &str) -> Option<i64> {
    let answer: serde_json::Value = serde_json::from_str(raw).ok()?;
    answer["body"]["code"].as_i64()
}

/// `path` below a base URL that may have a path of its own.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// What can be kept of an answer that is not believed: its text, without the signature where there is one.
fn without_signature(document: &[u8]) -> Option<String> {
    match Envelope::read(document, Side::Response) {
        Ok(envelope) => Some(envelope.signed.to_owned()),
        Err(_) => String::from_utf8(document.to_vec()).ok(),
    }
}

/// A response envelope signed with one of `keys`, read.
pub fn read(document: &[u8], keys: &[SignKey]) -> Result<Said, String> {
    let envelope = Envelope::read(document, Side::Response).map_err(|error| error.to_string())?;
    if !keys.iter().any(|key| envelope.verifies(&key.text)) {
        return Err("the signature is not the account's".to_owned());
    }
    said(&envelope)
}

fn said(envelope: &Envelope<'_>) -> Result<Said, String> {
    let mut said = Said {
        raw: envelope.signed.to_owned(),
        partner_no: envelope.header_text(&["partnerNo"]),
        ..Said::default()
    };
    let mut code = None;
    for (key, member) in trimmed(&envelope.body)? {
        // U+0000 cannot be stored; what is said of money must not fail for it.
        let text =
            || member.string().filter(|text| !text.is_empty()).map(|text| text.replace('\0', "\u{fffd}"));
        match key {
            "code" => code = member.integer().ok().and_then(|code| i32::try_from(code).ok()),
            "msg" => said.msg = text().unwrap_or_default(),
            "payUrl" => said.pay_url = text(),
            "orderNo" => said.order_no = text(),
            "partnerOrderNo" => said.partner_order_no = text(),
            // Said but not readable is not the same as not said: it must not agree with anything.
            "orderAmount" => said.amount = Some(member.integer().unwrap_or(-1)),
            "currency" => said.currency = text(),
            "refundNo" => said.refund_no = text(),
            "wallet" => said.wallet = text(),
            "status" => said.status = member.integer().ok(),
            "payTime" => said.pay_time = text(),
            "buyer" => said.buyer = text(),
            "buyerId" => said.buyer_id = text(),
            _ => said.extra.push((key.to_owned(), member.value.to_owned())),
        }
    }
    said.code = code.ok_or("`code` is missing or not an integer")?;
    Ok(said)
}

/// One of the upstream's samples spells a key with a trailing blank: trim keys, here only. Two keys that become
/// one by it make the document worthless.
fn trimmed<'a>(body: &'a Object<'a>) -> Result<Vec<(&'a str, &'a shared::json::Member<'a>)>, String> {
    let mut fields: Vec<(&str, &shared::json::Member<'_>)> = Vec::new();
    for member in body.members() {
        let key = member.key.trim();
        if fields.iter().any(|(other, _)| *other == key) {
            return Err(format!("`{key}` is there twice"));
        }
        fields.push((key, member));
    }
    Ok(fields)
}

/// What a verified answer to create means (`docs/MONEY.md`): opened, refused, or nothing that could be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateMeaning {
    Opened,
    Refused,
    Unknown,
}

pub fn meaning_of_create(code: i32) -> CreateMeaning {
    match code {
        1 => CreateMeaning::Opened,
        3..=8 | 35 | 40..=44 => CreateMeaning::Refused,
        _ => CreateMeaning::Unknown,
    }
}

/// Whether an answer to a query, or a notice, says that the order is closed.
pub fn is_closed(code: i32) -> bool {
    Code(code) == Code::ORDER_CLOSED
}

/// Whether an answer to a query says that there is no such order.
pub fn is_no_such_order(code: i32) -> bool {
    Code(code) == Code::NO_SUCH_ORDER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_codes_are_an_opening_or_a_refusal() {
        let refused = [3, 4, 5, 6, 7, 8, 35, 40, 41, 42, 43, 44];
        for code in -1..=100 {
            let expected = match code {
                1 => CreateMeaning::Opened,
                _ if refused.contains(&code) => CreateMeaning::Refused,
                _ => CreateMeaning::Unknown,
            };
            assert_eq!(meaning_of_create(code), expected, "{code}");
        }
    }

    #[test]
    fn keys_are_trimmed_and_what_becomes_ambiguous_is_refused() {
        let read = |body: &str| {
            let document = format!(r#"{{"response":{{"header":{{}},"body":{body}}},"signature":""}}"#);
            let envelope = Envelope::read(document.as_bytes(), Side::Response).expect("an envelope");
            said(&envelope)
        };
        assert_eq!(read(r#"{"code":1,"payUrl ":"u"}"#).expect("is read").pay_url.as_deref(), Some("u"));
        assert!(read(r#"{"code":1,"payUrl ":"u","payUrl":"v"}"#).is_err());
        assert!(read(r#"{"code":"1"}"#).is_err());
        assert_eq!(read(r#"{"code":1,"orderAmount":"2100"}"#).expect("is read").amount, Some(-1));
    }

    #[test]
    fn a_character_that_no_database_keeps_is_replaced_and_never_makes_two_numbers_equal() {
        let document = r#"{"response":{"header":{},"body":{"code":1,"buyer":"a\u0000b","partnerOrderNo":"p\u0000"}},"signature":""}"#;
        let envelope = Envelope::read(document.as_bytes(), Side::Response).expect("an envelope");
        let said = said(&envelope).expect("is read");
        assert_eq!(said.buyer.as_deref(), Some("a\u{fffd}b"));
        assert_eq!(said.partner_order_no.as_deref(), Some("p\u{fffd}"));
    }

    #[test]
    fn what_is_not_believed_is_kept_without_its_signature() {
        let kept = |document: &str| without_signature(document.as_bytes());
        let signed = r#"{"header":{},"body":{}}"#;
        assert_eq!(kept(&format!(r#"{{"response": {signed},"signature":"ab"}}"#)).as_deref(), Some(signed));
        assert_eq!(kept("<html>502</html>").as_deref(), Some("<html>502</html>"));
        assert_eq!(without_signature(b"\xff"), None);
    }
}
