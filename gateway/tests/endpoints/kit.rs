//! Registering and verifying over REST, and an independent look at signatures.

use data_encoding::BASE64;
use http::Method;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::harness::receiver::{Heard, Receiver};
use crate::harness::web::Reply;

/// An endpoint as its owner knows it.
pub struct Registered {
    pub id: String,
    pub secret: String,
    pub shown: Value,
}

impl Registered {
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/endpoints/{}{rest}", self.id)
    }
}

impl Stage {
    /// The merchant's own, with these settings besides the URL; not verified yet.
    pub async fn register(&self, receiver: &Receiver, settings: Value) -> Registered {
        let mut body = json!({ "url": receiver.url("/events"), "merchantId": self.merchant_id() });
        for (name, value) in settings.as_object().expect("settings") {
            body[name] = value.clone();
        }
        let reply = self.post("/v1/endpoints", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let shown = reply.json();
        Registered {
            id: shown["id"].as_str().expect("an id").to_owned(),
            secret: shown["secret"]["secret"].as_str().unwrap_or_default().to_owned(),
            shown,
        }
    }

    /// Registered, verified and with nothing in its ears.
    pub async fn endpoint_at(&self, receiver: &Receiver, settings: Value) -> Registered {
        let registered = self.register(receiver, settings).await;
        let reply = self.post(&registered.path("/verify"), Value::Null).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        registered
    }

    pub async fn shown(&self, endpoint: &Registered) -> Value {
        self.get(&endpoint.path("")).await.json()
    }

    pub async fn delete(&self, path: &str) -> Reply {
        let bearer = format!("Bearer {}", self.world.keys.test);
        self.rest(Method::DELETE, path, &[("authorization", &bearer)], None).await
    }
}

/// The signatures of one scheme that verify with the secret or public key, by a library that the gateway does not use
/// for it.
pub fn verifying(heard: &Heard, key: &str) -> usize {
    let signed = [
        heard.header("webhook-id").as_bytes(),
        b".",
        heard.header("webhook-timestamp").as_bytes(),
        b".",
        &heard.body,
    ]
    .concat();
    let (kind, key) = key.split_once('_').expect("a prefix");
    let key = BASE64.decode(key.as_bytes()).expect("base64");
    let signatures = heard.header("webhook-signature").split(' ').filter_map(|one| one.split_once(','));
    let verifies = |(scheme, signature): &(&str, &str)| {
        let signature = BASE64.decode(signature.as_bytes()).expect("base64");
        match (*scheme, kind) {
            ("v1", "whsec") => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
                ring::hmac::verify(&key, &signed, &signature).is_ok()
            }
            ("v1a", "whpk") => UnparsedPublicKey::new(&ED25519, &key).verify(&signed, &signature).is_ok(),
            _ => false,
        }
    };
    signatures.filter(verifies).count()
}
