//! What the demo's shop does when a payer comes back, as every shop should: it asks the gateway, and believes its
//! signed answer instead of what the browser brought.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use sandbox::shop::{Ask, Asked};
use serde_json::json;
use shared::envelope::{Envelope, Side, request_header, seal};
use shared::json::Member;
use url::Url;

use super::file::{Credentials, DemoFile};
use crate::clock::Clock;
use crate::outgoing::{Limits, Outgoing, Overlong};

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(3), max_body: 16 * 1024, overlong: Overlong::Refuse };

/// Asks the demo's gateway as the demo's merchant.
pub fn ask(file: &DemoFile) -> anyhow::Result<Ask> {
    let url = Url::parse(&format!("{}/api/common/payQuery", file.gateway.signed_base_url))?;
    let Credentials { partner_no, sign_key } = &file.merchant;
    let shop = Arc::new(Shop {
        url,
        merchant: Credentials { partner_no: partner_no.clone(), sign_key: sign_key.clone() },
        outgoing: Outgoing::for_upstream(),
        clock: Clock::system(),
    });
    Ok(Arc::new(move |number| {
        let shop = Arc::clone(&shop);
        Box::pin(async move { shop.ask(&number).await })
    }))
}

struct Shop {
    url: Url,
    merchant: Credentials,
    outgoing: Outgoing,
    clock: Clock,
}

impl Shop {
    async fn ask(&self, number: &str) -> Option<Asked> {
        let Credentials { partner_no, sign_key } = &self.merchant;
        let header = request_header(partner_no, "", self.clock.now());
        let body = json!({ "partnerOrderNo": number }).to_string();
        let document = Bytes::from(seal(Side::Request, &header, &body, sign_key));
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let reply = self.outgoing.post(&self.url, &headers, document, LIMITS).await.ok()?;
        state(&reply.body, sign_key)
    }
}

/// How the order stands; `None` where the answer does not say, or is not the gateway's.
fn state(answer: &[u8], sign_key: &str) -> Option<Asked> {
    let envelope =
        Envelope::read(answer, Side::Response).ok().filter(|envelope| envelope.verifies(sign_key))?;
    let number = |name: &str| envelope.body.get(name).map(Member::integer)?.ok();
    match (number("code")?, number("status")?) {
        (1, 0) => Some(Asked::Awaiting),
        (1, 1) => Some(Asked::Paid),
        (1, 2) => Some(Asked::Failed),
        (1, 3) => Some(Asked::Refunded),
        _ => None,
    }
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
}
