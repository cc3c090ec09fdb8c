//! A merchant's system, as small as can be: signs orders and queries, reads answers.

use std::time::Duration;

use bytes::Bytes;
use gateway::outgoing::{Limits, Outgoing, Overlong, SendError};
use serde_json::{Value, json};
use shared::envelope::{Envelope, Side, request_header, seal};
use url::Url;

use super::{HKD_STORE, MERCHANT_KEY, Node, PARTNER_NO, PLATFORM, Stage};

/// The payer's codes, by what the sandbox makes of them: pays, has the PIN asked for (and answers code 21, or status 0),
/// is declined.
pub const PAYS: &str = "284447106610060508";
pub const PIN: &str = "284447106610060501";
pub const PIN_TOLD: &str = "284447106610060502";
pub const DECLINED: &str = "284447106610060503";

/// What a merchant orders; every field can be changed before it is sent.
#[derive(Debug, Clone)]
pub struct Order {
    pub number: String,
    /// Of the operation that places it.
    pub path: &'static str,
    pub body: Value,
    pub partner_no: String,
    pub key: String,
    pub message_id: String,
}

/// An answer of the signed API.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub code: i64,
    pub body: Value,
    /// Whether it was signed with the merchant's key.
    pub genuine: bool,
    pub document: String,
}

impl Answer {
    pub fn pay_url(&self) -> &str {
        self.body["payUrl"].as_str().unwrap_or_else(|| panic!("no payUrl in {}", self.body))
    }

    pub fn msg(&self) -> &str {
        self.body["msg"].as_str().expect("every answer has a msg")
    }
}

impl Stage {
    /// 21.00 HKD with Alipay, to be told to the demo shop.
    pub fn order(&self, number: &str) -> Order {
        Order {
            number: number.to_owned(),
            path: "/api/offline/qrcode",
            body: json!({
                "storeNo": HKD_STORE, "partnerOrderNo": number, "wallet": "Alipay", "currency": "HKD",
                "orderAmount": 2100, "orderTitle": "Consume",
                "notifyUrl": self.shop().notify_url(), "returnUrl": self.shop().return_url(),
            }),
            partner_no: PARTNER_NO.to_owned(),
            key: MERCHANT_KEY.to_owned(),
            message_id: String::new(),
        }
    }

    /// The same by another product: 21.00 HKD with Alipay, every field that `docs/PROTOCOL.md` asks for.
    pub fn order_of(&self, path: &'static str, number: &str) -> Order {
        let mut order = Order { path, ..self.order(number) };
        let dropped: &[&str] = match path {
            "/api/offline/create" => &["currency", "returnUrl"],
            "/api/offline/pay" => &["currency", "returnUrl", "wallet"],
            "/api/jspay/create" => &["currency"],
            _ => &[],
        };
        order.body.as_object_mut().expect("an object").retain(|field, _| !dropped.contains(&&**field));
        if path == "/api/offline/pay" {
            order.body["barcode"] = json!(PAYS);
        }
        order
    }

    pub async fn create(&self, order: &Order) -> Answer {
        create(self.node(), order, self.app().clock.now()).await
    }

    pub async fn query(&self, number: &str) -> Answer {
        query(self.node(), &json!({ "partnerOrderNo": number }), self.app().clock.now()).await
    }

    pub async fn query_body(&self, body: &Value) -> Answer {
        query(self.node(), body, self.app().clock.now()).await
    }

    /// The order as the upstream has it; it has one submission.
    pub fn upstream_order(&self, number: &str) -> sandbox::Order {
        let mut orders = self.upstream_orders(number);
        assert_eq!(orders.len(), 1, "one submission of {number}");
        orders.remove(0)
    }

    /// Every submission that arrived upstream, oldest first; for tests that place one order only.
    pub fn upstream_orders(&self, _number: &str) -> Vec<sandbox::Order> {
        self.upstream().orders()
    }

    /// Place an order and have it paid and notified.
    pub async fn pay_one_order(&self, number: &str) -> sandbox::Order {
        let answer = self.create(&self.order(number)).await;
        assert_eq!(answer.code, 1, "{}", answer.body);
        let placed = self.upstream().orders().pop().expect("it arrived upstream");
        self.upstream().pay(&placed.content.partner_order_no, sandbox::Payer::default()).expect("it is paid");
        let outcome =
            self.upstream().notify_now(&placed.content.partner_order_no).await.expect("a notice is sent");
        assert!(outcome.acknowledged, "{outcome:?}");
        self.upstream().order(&placed.content.partner_order_no).expect("it is there")
    }
}

pub async fn create(node: &Node, order: &Order, now: time::OffsetDateTime) -> Answer {
    let document = signed(&order.partner_no, &order.key, &order.message_id, &order.body, now);
    post(&node.url(&format!("/{PLATFORM}{}", order.path)), document, &order.key).await
}

pub async fn query(node: &Node, body: &Value, now: time::OffsetDateTime) -> Answer {
    let document = signed(PARTNER_NO, MERCHANT_KEY, "", body, now);
    post(&node.url(&format!("/{PLATFORM}/api/common/payQuery")), document, MERCHANT_KEY).await
}

/// A request signed as the protocol says.
pub fn signed(
    partner_no: &str,
    key: &str,
    message_id: &str,
    body: &Value,
    now: time::OffsetDateTime,
) -> String {
    seal(Side::Request, &request_header(partner_no, message_id, now), &body.to_string(), key)
}

/// Post a document and read the answer, which must be an envelope.
pub async fn post(url: &str, document: impl Into<Bytes>, key: &str) -> Answer {
    try_post(&Outgoing::for_upstream(), url, document, key).await.expect("the gateway answers")
}

/// The same of a gateway that may vanish meanwhile.
pub async fn try_post(
    outgoing: &Outgoing,
    url: &str,
    document: impl Into<Bytes>,
    key: &str,
) -> Result<Answer, SendError> {
    let limits = Limits { timeout: Duration::from_mins(1), max_body: 1 << 20, overlong: Overlong::Refuse };
    let url = Url::parse(url).expect("a URL");
    let reply = outgoing.post(&url, &[], document.into(), limits).await?;
    let document = String::from_utf8(reply.body.to_vec()).expect("text");
    let envelope = Envelope::read(document.as_bytes(), Side::Response)
        .unwrap_or_else(|error| panic!("not an envelope ({error}): {document}"));
    let whole: Value = serde_json::from_str(&document).expect("JSON");
    let body = whole["response"]["body"].clone();
    Ok(Answer {
        status: reply.status,
        code: body["code"].as_i64().expect("a code"),
        body,
        genuine: envelope.verifies(key),
        document,
    })
}
