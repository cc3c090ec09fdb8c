use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;

use super::keys::Keys;
use super::*;
use crate::clock::Clock;

/// Unix milliseconds.
const NOW: i64 = 1_790_000_000_000;

fn chance() -> Chance {
    let (clock, _hand) = Clock::manual(OffsetDateTime::from_unix_timestamp(NOW / 1000).expect("a time"));
    Chance::new(clock)
}

fn tokens() -> Tokens {
    provider::install();
    let held = Held { keys: Keys::fixed(&[("first", NOW - 1_000_000)]), ..Held::default() };
    Tokens {
        issuer: "https://pay.example.com".to_owned(),
        held: RwLock::new(Arc::new(held)),
        looking: tokio::sync::Mutex::default(),
    }
}

fn grant() -> Grant {
    Grant {
        audience: Audience::Api,
        credential: "key-1".to_owned(),
        scope: "orders:read orders:write".to_owned(),
        role: None,
        auth_time: None,
    }
}

fn made() -> (Tokens, String, Claims) {
    let tokens = tokens();
    let (text, claims) = tokens.make(grant(), &chance(), NOW).expect("it is made");
    (tokens, text, claims)
}

fn encoded(part: &Value) -> String {
    BASE64URL_NOPAD.encode(part.to_string().as_bytes())
}

fn part(text: &str, place: usize) -> Value {
    let part = text.split('.').nth(place).expect("three parts");
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).expect("base64url")).expect("JSON")
}

#[test]
fn a_token_says_what_it_was_granted_to_its_audience_until_its_end() {
    let (tokens, text, claims) = made();
    assert_eq!(part(&text, 0), json!({ "typ": "JWT", "alg": "EdDSA", "kid": "first" }));
    assert_eq!(
        (claims.iss.as_str(), claims.aud.as_str(), claims.sub.as_str(), claims.scope.as_str()),
        ("https://pay.example.com", "scangate-api", "key-1", "orders:read orders:write")
    );
    assert_eq!((claims.iat, claims.exp), (1_790_000_000, 1_790_000_900));
    assert_eq!(tokens.check(&text, Audience::Api, NOW), Ok(claims.clone()));
    let end = claims.exp * 1000;
    assert_eq!(tokens.check(&text, Audience::Api, end - 1), Ok(claims));
    assert_eq!(tokens.check(&text, Audience::Api, end), Err(TokenError::Expired));
    assert_eq!(tokens.check(&text, Audience::Operators, NOW), Err(TokenError::Refused));
}

#[test]
fn a_token_of_another_algorithm_is_refused_whatever_it_is_signed_with() {
    let (tokens, text, _) = made();
    let payload = text.split('.').nth(1).expect("three parts");
    let none = encoded(&json!({ "typ": "JWT", "alg": "none", "kid": "first" }));
    for forged in [format!("{none}.{payload}."), format!("{none}.{payload}"), format!("{none}.{payload}.x")] {
        assert_eq!(tokens.check(&forged, Audience::Api, NOW), Err(TokenError::Malformed), "{forged}");
    }
    // The oldest trick: the public key, which everybody may know, as the secret of an HMAC.
    let hs256 = encoded(&json!({ "typ": "JWT", "alg": "HS256", "kid": "first" }));
    let held = tokens.held();
    let key = held.keys.verifying("first", NOW).expect("it is there");
    let public = key.verifies.try_get_as_bytes().expect("bytes");
    let mut mac = Hmac::<Sha256>::new_from_slice(public).expect("any length will do");
    mac.update(format!("{hs256}.{payload}").as_bytes());
    let signature = BASE64URL_NOPAD.encode(&mac.finalize().into_bytes());
    assert_eq!(
        tokens.check(&format!("{hs256}.{payload}.{signature}"), Audience::Api, NOW),
        Err(TokenError::Refused)
    );
}

#[test]
fn a_token_with_any_character_changed_is_refused() {
    let (tokens, text, _) = made();
    for place in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert!(tokens.check(&changed, Audience::Api, NOW).is_err(), "{place}: {changed}");
        assert!(tokens.check(&text[..place], Audience::Api, NOW).is_err(), "cut at {place}");
    }
}

#[test]
fn a_token_of_an_unknown_key_or_of_another_issuer_is_refused() {
    let (tokens, text, claims) = made();
    let header = Header { kid: Some("second".to_owned()), ..Header::new(Algorithm::EdDSA) };
    let sign = |header: &Header, claims: &Claims| {
        let held = tokens.held();
        encode(header, claims, &held.keys.signing(NOW).expect("a key").signs).expect("signed")
    };
    assert_eq!(tokens.check(&sign(&header, &claims), Audience::Api, NOW), Err(TokenError::UnknownKey));
    let no_kid = Header::new(Algorithm::EdDSA);
    assert_eq!(tokens.check(&sign(&no_kid, &claims), Audience::Api, NOW), Err(TokenError::Malformed));
    let header = Header { kid: Some("first".to_owned()), ..Header::new(Algorithm::EdDSA) };
    let theirs = Claims { iss: "https://pay.example.org".to_owned(), ..claims.clone() };
    assert_eq!(tokens.check(&sign(&header, &theirs), Audience::Api, NOW), Err(TokenError::Refused));
    let strange = encode(&header, &claims, &EncodingKey::from_ed_der(&[9; 32])).expect("signed");
    assert_eq!(tokens.check(&strange, Audience::Api, NOW), Err(TokenError::Refused));
    assert_eq!(tokens.check(&sign(&header, &claims), Audience::Api, NOW), Ok(claims));
    assert!(tokens.check(&"a".repeat(LONGEST + 1), Audience::Api, NOW).is_err());
    assert!(text.len() < LONGEST / 2);
}
