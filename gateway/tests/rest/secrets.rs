//! After a run through everything that makes or takes a secret, none is in any table or in the log.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::harness::side::Side;
use crate::harness::{ACCOUNT_KEY, MERCHANT_KEY, Stage};
use crate::on_both;

/// What this process has logged since a test first asked.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let writer = log.clone();
    let filter = EnvFilter::new("info,gateway=trace");
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).expect("nobody else listens in this program");
    log
});

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn secret(value: &Value, pointer: &str) -> String {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

on_both!(no_secret_is_in_any_table_or_in_the_log, async |stage: &mut Stage| {
    let log = LOG.clone();
    let (brought, rotated) = ("brought-along-by-hand-7f3a", "rotated-by-hand-91c4d2");
    let made = stage.post_once("m", "/v1/merchants", json!({ "name": "A" })).await.json();
    let merchant = secret(&made, "/id");
    let second = stage.post(&format!("/v1/merchants/{merchant}/sign-keys"), json!({})).await.json();
    let (_, api_key) = stage.api_key(&["orders:read"], Some(&merchant)).await;
    let account =
        stage.post_once("a", "/v1/accounts", json!({ "partnerNo": "91919", "signKey": brought })).await;
    let path = format!("/v1/accounts/{}/sign-keys", secret(&account.json(), "/id"));
    stage.post_once("r", &path, json!({ "signKey": rotated })).await;
    let rows = json!({ "rows": [{ "name": "B", "store": {
        "account": { "partnerNo": "91920", "signKey": brought }, "upstreamStoreNo": "1", "currency": "HKD", "wallets": ["Alipay"],
    } }] });
    let onboarded = stage.post_once("o", "/v1/onboarding", rows).await.json();
    // What is refused is not kept or logged either.
    stage.post("/v1/accounts", json!({ "partnerNo": brought, "signKey": brought })).await;
    stage.get_as(&format!("{api_key}a"), "/v1/merchants").await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;

    let secrets = [
        brought.to_owned(),
        rotated.to_owned(),
        MERCHANT_KEY.to_owned(),
        ACCOUNT_KEY.to_owned(),
        api_key,
        stage.world.keys.test.clone(),
        stage.world.keys.live.clone(),
        secret(&made, "/signKey/secret"),
        secret(&second, "/signKey/secret"),
        secret(&onboarded, "/results/0/signKey/secret"),
    ];
    let stored = Side::open(stage).await.everything().await;
    assert!(stored.contains("merchant.created"), "the tables were read");
    let logged = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let logged = String::from_utf8_lossy(&logged);
    assert!(logged.contains("/v1/merchants"), "the log was read");
    assert!(logged.contains("a mistyped key"), "a refusal's reason is for the log");
    for secret in &secrets {
        // The first half gives one away as well.
        for text in [&secret[..secret.len() / 2], &HEXLOWER.encode(&secret.as_bytes()[..secret.len() / 2])] {
            assert!(!stored.contains(text), "stored: {secret}");
            assert!(!logged.contains(text), "logged: {secret}");
        }
    }
});
