//! What the demo's shop does when a payer comes back, as every shop should: it asks the gateway, and believes its
//! signed answer instead of what the browser brought. And what it holds notices against.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use sandbox::shop::{Ask, Asked, Belief, Claim, Compare};
use serde_json::json;
use shared::code::Code;
use shared::envelope::{Envelope, Side, request_header, seal};
use shared::json::Member;
use url::Url;

use super::file::{Credentials, DemoFile};
use crate::clock::Clock;
use crate::outgoing::{Limits, Outgoing, Overlong};

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(3), max_body: 16 * 1024, overlong: Overlong::Refuse };

/// Asks the demo's gateway as the demo's merchant.
pub struct Asking(Arc<Shop>);

impl Asking {
    pub fn of(file: &DemoFile) -> anyhow::Result<Self> {
        let url = Url::parse(&format!("{}/api/common/payQuery", file.gateway.signed_base_url))?;
        let Credentials { partner_no, sign_key } = &file.merchant;
        Ok(Self(Arc::new(Shop {
            url,
            merchant: Credentials { partner_no: partner_no.clone(), sign_key: sign_key.clone() },
            outgoing: Outgoing::for_upstream(),
            clock: Clock::system(),
        })))
    }

    /// How an order stands.
    pub fn ask(&self) -> Ask {
        let shop = Arc::clone(&self.0);
        Arc::new(move |number| {
            let shop = Arc::clone(&shop);
            Box::pin(async move { state(&shop.answer(&number).await?, &shop.merchant.sign_key) })
        })
    }

    /// Whether a notice is of an order that was placed, and of its amount. Orders are placed from the command line, so
    /// the gateway's books are the shop's.
    pub fn compare(&self) -> Compare {
        let shop = Arc::clone(&self.0);
        Arc::new(move |claim| {
            let shop = Arc::clone(&shop);
            Box::pin(async move {
                match shop.answer(&claim.partner_order_no).await {
                    Some(answer) => compared(&answer, &shop.merchant.sign_key, &claim),
                    None => Belief::Unknown,
                }
            })
        })
    }
}

struct Shop {
    url: Url,
    merchant: Credentials,
    outgoing: Outgoing,
    clock: Clock,
}

impl Shop {
    /// What the gateway says of an order; `None` where no answer could be had.
    async fn answer(&self, number: &str) -> Option<Bytes> {
        let Credentials { partner_no, sign_key } = &self.merchant;
        let header = request_header(partner_no, "", self.clock.now());
        let body = json!({ "partnerOrderNo": number }).to_string();
        let document = Bytes::from(seal(Side::Request, &header, &body, sign_key));
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        self.outgoing.post(&self.url, &headers, document, LIMITS).await.ok().map(|reply| reply.body)
    }
}

/// How the order stands; `None` where the answer does not say, or is not the gateway's.
fn state(answer: &[u8], sign_key: &str) -> Option<Asked> {
    let envelope = verified(answer, sign_key)?;
    match (number(&envelope, "code")?, number(&envelope, "status")?) {
        (1, 0) => Some(Asked::Awaiting),
        (1, 1) => Some(Asked::Paid),
        (1, 2) => Some(Asked::Failed),
        (1, 3) => Some(Asked::Refunded),
        _ => None,
    }
}

fn compared(answer: &[u8], sign_key: &str, claim: &Claim) -> Belief {
    let Some(envelope) = verified(answer, sign_key) else { return Belief::Unknown };
    match number(&envelope, "code").map(i32::try_from) {
        Some(Ok(1)) => {}
        Some(Ok(code)) if Code(code) == Code::NO_SUCH_ORDER => return Belief::Differs,
        _ => return Belief::Unknown,
    }
    let currency = envelope.body.get("currency").and_then(Member::string);
    let agrees = number(&envelope, "orderAmount") == Some(claim.amount)
        && currency.is_some_and(|currency| currency == claim.currency);
    if agrees { Belief::Agrees } else { Belief::Differs }
}

fn verified<'a>(answer: &'a [u8], sign_key: &str) -> Option<Envelope<'a>> {
    Envelope::read(answer, Side::Response).ok().filter(|envelope| envelope.verifies(sign_key))
}

fn number(envelope: &Envelope<'_>, name: &str) -> Option<i64> {
    envelope.body.get(name).map(Member::integer)?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str, sign_key: &str) -> Option<Asked> {
        state(seal(Side::Response, r#"{"version":"1.0"}"#, body, sign_key).as_bytes(), "key")
    }

    #[test]
    fn only_a_signed_answer_of_code_1_tells_a_state() {
        assert_eq!(told(r#"{"code":1,"status":1}"#, "key"), Some(Asked::Paid));
        assert_eq!(told(r#"{"code":1,"status":2}"#, "key"), Some(Asked::Failed));
        assert_eq!(told(r#"{"code":1,"status":1}"#, "another key"), None);
        assert_eq!(told(r#"{"code":21,"msg":"not known"}"#, "key"), None);
        assert_eq!(told(r#"{"code":1,"status":7}"#, "key"), None);
        assert_eq!(state(b"not an envelope", "key"), None);
    }

    #[test]
    fn a_notice_is_held_against_number_amount_and_currency() {
        let claim = Claim { partner_order_no: "p".to_owned(), amount: 2100, currency: "HKD".to_owned() };
        let held = |body: &str, sign_key: &str| {
            compared(seal(Side::Response, r#"{"version":"1.0"}"#, body, sign_key).as_bytes(), "key", &claim)
        };
        assert_eq!(held(r#"{"code":1,"orderAmount":2100,"currency":"HKD"}"#, "key"), Belief::Agrees);
        assert_eq!(held(r#"{"code":1,"orderAmount":2101,"currency":"HKD"}"#, "key"), Belief::Differs);
        assert_eq!(held(r#"{"code":1,"orderAmount":2100,"currency":"JPY"}"#, "key"), Belief::Differs);
        assert_eq!(held(r#"{"code":30,"msg":"no such order"}"#, "key"), Belief::Differs);
        assert_eq!(held(r#"{"code":9,"msg":"later"}"#, "key"), Belief::Unknown);
        assert_eq!(held(r#"{"code":1,"orderAmount":2100,"currency":"HKD"}"#, "another"), Belief::Unknown);
    }
}
