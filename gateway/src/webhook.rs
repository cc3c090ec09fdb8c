//! Signatures of Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks): over the message's id, its time
//! and its body's bytes, with a secret that both sides have (`v1`) or with a key pair (`v1a`).

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::Sha256;

/// Before a secret's base64, as owners write it.
const SECRET_PREFIX: &str = "whsec_";
/// Before a public key's base64.
const PUBLIC_PREFIX: &str = "whpk_";

/// What is signed: the message's id, Unix seconds, and the body as it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub id: &'a str,
    pub timestamp: i64,
    pub body: &'a [u8],
}

impl Message<'_> {
    fn bytes(&self) -> Vec<u8> {
        [self.id.as_bytes(), b".", self.timestamp.to_string().as_bytes(), b".", self.body].concat()
    }

    /// `v1,` and the HMAC-SHA256 under `secret`.
    pub fn v1(&self, secret: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        mac.update(&self.bytes());
        format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
    }

    /// `v1a,` and the Ed25519 signature.
    pub fn v1a(&self, pair: &Ed25519KeyPair) -> String {
        format!("v1a,{}", BASE64.encode(pair.sign(&self.bytes()).as_ref()))
    }
}

/// As it is shown to the endpoint's owner.
pub fn secret_text(secret: &[u8]) -> String {
    format!("{SECRET_PREFIX}{}", BASE64.encode(secret))
}

/// From what its owner was shown.
pub fn secret_of(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text.strip_prefix(SECRET_PREFIX)?.as_bytes()).ok()
}

/// As receivers are shown it.
pub fn public_text(pair: &Ed25519KeyPair) -> String {
    format!("{PUBLIC_PREFIX}{}", BASE64.encode(pair.public_key().as_ref()))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// The example of the specification's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const MESSAGE: Message<'_> = Message {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: 1_614_265_330,
        body: br#"{"test": 2432232314}"#,
    };

    #[test]
    fn the_reference_libraries_example_is_signed_as_they_sign_it() {
        let secret = secret_of(SECRET).expect("base64");
        assert_eq!(MESSAGE.v1(&secret), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret_text(&secret), SECRET);
        assert_eq!(secret_of("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
    }

    #[test]
    fn a_key_pairs_signature_verifies_with_what_receivers_are_shown() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
        let signature = MESSAGE.v1a(&pair);
        let signature = BASE64.decode(signature.strip_prefix("v1a,").expect("its version").as_bytes());
        let shown = public_text(&pair);
        let key = BASE64.decode(shown.strip_prefix("whpk_").expect("its kind").as_bytes()).expect("base64");
        let signed = [b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.".as_slice(), MESSAGE.body].concat();
        let signature = signature.expect("base64");
        assert!(UnparsedPublicKey::new(&ED25519, key).verify(&signed, &signature).is_ok());
    }
}
