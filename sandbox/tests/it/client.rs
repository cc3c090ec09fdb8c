//! A partner's client written for these tests: a sandbox with known partners, signed calls, and plain HTTP
//! over a socket, so that a connection that is closed without an answer can be told from any answer.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sandbox::{Clock, Control, Partner, Sandbox, Settings, Store};
use serde_json::{Value, json};
use shared::money::Currency;
use shared::signature;
use shared::wallet::Wallet;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const PARTNER: &str = "10001";
pub const KEY: &str = "123456";
pub const OTHER_PARTNER: &str = "10002";
pub const OTHER_KEY: &str = "another key";
pub const STORE: &str = "100010000000002";
pub const QRCODE: &str = "/api/offline/qrcode";
pub const ONLINE: &str = "/api/online/create";
pub const TRANSACTION_QR: &str = "/api/offline/create";
pub const BARCODE: &str = "/api/offline/pay";
pub const JSPAY: &str = "/api/jspay/create";
pub const REFUND: &str = "/api/common/refund";
pub const QUERY: &str = "/api/common/payQuery";

/// A sandbox whose notices leave by themselves and are tried three times without a pause.
pub async fn sandbox() -> Sandbox {
    sandbox_with(|_| ()).await
}

pub async fn sandbox_with(adjust: impl FnOnce(&mut Settings)) -> Sandbox {
    sandbox_at(Arc::new(|| NOON), adjust).await
}

/// When the sandbox thinks it is.
pub const NOON: OffsetDateTime = datetime!(2018-07-25 10:06:12 UTC);

/// A clock that stands until it is moved.
#[derive(Clone, Default)]
pub struct Hands(Arc<AtomicU64>);

impl Hands {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    pub fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Arc::new(move || NOON + Duration::from_secs(seconds.load(Ordering::Relaxed)))
    }
}

pub async fn sandbox_at(clock: Clock, adjust: impl FnOnce(&mut Settings)) -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let public_url = format!("http://{}", listener.local_addr().expect("is bound"));
    let store = |store_no: &str, currency: &str, wallets: &[Wallet]| Store {
        store_no: store_no.to_owned(),
        currency: Currency::parse(currency).expect("a code"),
        wallets: wallets.to_vec(),
    };
    let partners = vec![
        Partner {
            partner_no: PARTNER.to_owned(),
            sign_key: KEY.to_owned(),
            stores: vec![
                store(STORE, "HKD", &[Wallet::Alipay, Wallet::AlipayHK]),
                store("100010000000003", "JPY", &Wallet::ALL),
            ],
        },
        Partner {
            partner_no: OTHER_PARTNER.to_owned(),
            sign_key: OTHER_KEY.to_owned(),
            stores: vec![store("200010000000001", "HKD", &Wallet::ALL)],
        },
    ];
    let mut settings = Settings::new(public_url, partners);
    settings.notice_schedule = vec![Duration::ZERO; 2];
    adjust(&mut settings);
    sandbox::start(listener, settings, clock).expect("starts")
}

/// Wait for something that other tasks bring about; a test must fail rather than hang.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("happens within half a minute")
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("is JSON")
    }

    /// The answer's body, after its status and signature were checked.
    pub fn verified(&self) -> Value {
        self.verified_with(KEY)
    }

    pub fn verified_with(&self, key: &str) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(verifies(&self.body, key), "the signature of {} is wrong", self.body);
        self.json()["response"]["body"].clone()
    }
}

/// Whether a response document verifies, by the cut that existing clients make in its text.
pub fn verifies(document: &str, key: &str) -> bool {
    let Some(rest) = document.strip_prefix("{\"response\":") else { return false };
    let Some((text, signature)) = rest.split_once(",\"signature\":\"") else { return false };
    signature.strip_suffix("\"}").is_some_and(|hex| signature::sign(text, key) == hex)
}

/// One HTTP exchange; `None` where the connection was closed without one byte of an answer.
pub async fn exchange(
    base: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Reply> {
    let authority = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).await.expect("somebody listens");
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    let _ = write!(request, "content-length: {}\r\n\r\n{body}", body.len());
    // A server may answer, or hang up, before it has read everything.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut raw = Vec::new();
    let _ = soon(stream.read_to_end(&mut raw)).await;
    let text = String::from_utf8(raw).expect("is UTF-8");
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Some(Reply { status, headers, body: body.to_owned() })
}

pub async fn get(base: &str, path: &str) -> Reply {
    exchange(base, "GET", path, &[], "").await.expect("an answer")
}

pub async fn post_json(base: &str, path: &str, body: &str) -> Reply {
    exchange(base, "POST", path, &[("content-type", "application/json")], body).await.expect("an answer")
}

pub async fn post_form(base: &str, path: &str, body: &str) -> Reply {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    exchange(base, "POST", path, &headers, body).await.expect("an answer")
}

pub fn header() -> Value {
    json!({
        "requestTime": "2018-07-25T18:06:05+08:00",
        "partnerNo": PARTNER,
        "signType": "SHA256",
        "version": "1.0",
        "reqMsgId": "fd03f269-3180-4575-8af0-8f6cf324fb0f"
    })
}

/// The least that opens an order.
pub fn order(number: &str) -> Value {
    json!({
        "storeNo": STORE,
        "partnerOrderNo": number,
        "wallet": "Alipay",
        "currency": "HKD",
        "orderAmount": 2100
    })
}

/// The least that opens an order of the product at this path.
pub fn order_at(path: &str, number: &str) -> Value {
    let changes = match path {
        QRCODE | ONLINE => json!({}),
        BARCODE => json!({"wallet": null, "currency": null, "barcode": "284447106610060508"}),
        _ => json!({"currency": null}),
    };
    with(order(number), changes)
}

/// `value` with these fields set, or taken out where null is given.
pub fn with(mut value: Value, changes: Value) -> Value {
    let (Value::Object(fields), Value::Object(changes)) = (&mut value, changes) else {
        panic!("both must be objects")
    };
    for (key, change) in changes {
        if change.is_null() {
            fields.remove(&key);
        } else {
            fields.insert(key, change);
        }
    }
    value
}

/// A signed request document.
pub fn signed(header: &Value, body: &Value, key: &str) -> String {
    let text = json!({ "header": header, "body": body }).to_string();
    format!("{{\"request\":{text},\"signature\":\"{}\"}}", signature::sign(&text, key))
}

/// A call of the first partner, properly signed; the raw answer.
pub async fn call(sandbox: &Sandbox, path: &str, body: &Value) -> Reply {
    post_json(&sandbox.base_url(), path, &signed(&header(), body, KEY)).await
}

/// The code of the answer to such a call.
pub async fn code(sandbox: &Sandbox, path: &str, body: &Value) -> i64 {
    call(sandbox, path, body).await.verified()["code"].as_i64().expect("a code")
}

/// Open an order; its payUrl's path.
pub async fn opened(sandbox: &Sandbox, body: &Value) -> String {
    let answer = call(sandbox, QRCODE, body).await.verified();
    assert_eq!(answer["code"], 1, "{answer}");
    let pay_url = answer["payUrl"].as_str().expect("a payUrl");
    pay_url.strip_prefix(&sandbox.base_url()).expect("is the sandbox's").to_owned()
}

/// Codes of the violations so far; `None` for those that were only listed.
pub fn listed(control: &Control) -> Vec<(String, Option<i32>)> {
    control.violations().into_iter().map(|violation| (violation.about, violation.code)).collect()
}
