//! The signature doctor over REST: for the owner alone, with the owner's keys alone, and not too often.

use std::time::Duration;

use data_encoding::BASE64;
use serde_json::{Value, json};
use shared::signature::sign;

use super::orders::own_key;
use crate::harness::merchant::{post, signed};
use crate::harness::{ACCOUNT_KEY, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};
use crate::on_both;

const NEW_KEY: &str = "77b2a3c0d1e94f7788aa0b1c2d3e4f505fb2a3c0d1e94f7788aa0b1c2d3e4f77";

fn request(stage: &Stage, key: &str) -> String {
    signed(PARTNER_NO, key, "", &json!({ "partnerOrderNo": "a/b" }), stage.app().clock.now())
}

async fn diagnose(stage: &Stage, key: &str, body: Value) -> Value {
    let reply = stage.post_as(key, "/v1/signature/diagnose", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    for secret in [MERCHANT_KEY, ACCOUNT_KEY, NEW_KEY] {
        assert!(!reply.text().contains(secret), "{}", reply.text());
    }
    reply.json()
}

fn codes(diagnosis: &Value) -> Vec<&str> {
    let mistakes = diagnosis["mistakes"].as_array().expect("a list");
    mistakes.iter().map(|mistake| mistake["code"].as_str().expect("text")).collect()
}

on_both!(a_failed_request_is_listed_and_explained_to_its_merchant, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let key = own_key(stage).await;
    let sent = request(stage, MERCHANT_KEY).replace("a/b", "a\\/b");
    let url = stage.node().url(&format!("/{PLATFORM}/api/common/payQuery"));
    assert_eq!(post(&url, sent.clone(), MERCHANT_KEY).await.code, 8);

    let failures = stage.get_as(&key, "/v1/signature/failures").await;
    let right = sign(&sent[11..sent.len() - 80].replace("\\/", "/"), MERCHANT_KEY);
    assert!(sent.contains(&right), "what was sent holds a right signature, a mistake put right");
    assert!(!failures.text().contains(&right), "{}", failures.text());
    let failures = failures.json();
    let failure = &failures["data"][0];
    assert_eq!((&failure["complete"], &failure["length"]), (&json!(true), &json!(sent.len())));
    assert!(failure["document"].as_str().expect("text").contains("a\\/b"), "{failure}");

    for body in [
        json!({ "failureId": failure["id"] }),
        json!({ "document": sent }),
        json!({ "documentBase64": BASE64.encode(sent.as_bytes()) }),
    ] {
        let diagnosis = diagnose(stage, &key, body).await;
        assert_eq!((&diagnosis["verdict"], &diagnosis["key"]), (&json!("mistaken"), &json!("current")));
        assert_eq!(codes(&diagnosis), ["slashes_unescaped_when_signed"]);
        assert_eq!(diagnosis["hashed"]["from"], 11);
        assert!(diagnosis["hashedInstead"]["hashed"].as_str().expect("text").contains("a/b"), "{diagnosis}");
    }
    let (_, neighbour) = stage.api_key(&["orders:read"], Some(&stage.neighbour_id())).await;
    assert_eq!(stage.get_as(&neighbour, "/v1/signature/failures").await.json()["data"], json!([]));
    let theirs =
        stage.post_as(&neighbour, "/v1/signature/diagnose", json!({ "failureId": failure["id"] })).await;
    assert_eq!(theirs.status, 404);
});

on_both!(only_keys_of_the_callers_own_tier_are_tried, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let key = own_key(stage).await;
    let verdict =
        async |key: &str, document: String| diagnose(stage, key, json!({ "document": document })).await;
    assert_eq!(verdict(&key, request(stage, MERCHANT_KEY)).await["verdict"], "verified");
    for others in [ACCOUNT_KEY, crate::harness::people::NEIGHBOUR_KEY] {
        assert_eq!(verdict(&key, request(stage, others)).await["verdict"], "unexplained");
    }
    stage.rotate_merchant_key(NEW_KEY, 60_000).await;
    let before = verdict(&key, request(stage, MERCHANT_KEY)).await;
    assert_eq!((&before["verdict"], &before["key"]), (&json!("verified"), &json!("previous")));
    stage.advance(Duration::from_mins(2));
    let expired = verdict(&key, request(stage, MERCHANT_KEY)).await;
    assert_eq!((codes(&expired), &expired["key"]), (vec!["expired_key"], &json!("expired")));

    // A platform has both kinds: the key of the other one is recognised.
    let live = stage.post_as(&stage.world.keys.live, "/v1/merchants", json!({ "name": "Live" })).await.json();
    let live_key = live["signKey"]["secret"].as_str().expect("shown").to_owned();
    let path = format!("/v1/signature/diagnose?merchant={}", stage.merchant_id());
    let reply = stage.post(&path, json!({ "document": request(stage, &live_key) })).await;
    assert_eq!(codes(&reply.json()), ["key_of_other_mode"], "{}", reply.text());
    assert!(!reply.text().contains(&live_key));
    assert_eq!(verdict(&key, request(stage, &live_key)).await["verdict"], "unexplained", "not its own");
});

on_both!(ten_diagnoses_and_one_more_every_six_seconds_for_each_credential, async |stage: &mut Stage| {
    let (key, other) = (own_key(stage).await, own_key(stage).await);
    let body = json!({ "document": "no envelope" });
    for _ in 0..10 {
        assert_eq!(diagnose(stage, &key, body.clone()).await["verdict"], "unreadable");
    }
    let refused = stage.post_as(&key, "/v1/signature/diagnose", body.clone()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("limited")));
    assert_eq!(refused.header("retry-after"), Some("6"));
    assert_eq!(refused.header("ratelimit"), Some(r#""diagnose";r=0;t=6"#));
    diagnose(stage, &other, body.clone()).await;
    // Loaded anew, it is the same limit.
    let app = stage.app();
    app.directory.reload(&app.store.read, &app.vault).await.expect("everybody is loaded");
    assert_eq!(stage.post_as(&key, "/v1/signature/diagnose", body.clone()).await.status, 429);
    stage.advance(Duration::from_secs(6));
    diagnose(stage, &key, body.clone()).await;
    assert_eq!(stage.post_as(&key, "/v1/signature/diagnose", body).await.status, 429);
    for wrong in [json!({}), json!({ "document": "a", "failureId": "01KXVZ5B8M3Q0V6T9YJ2C4E7GH" })] {
        assert_eq!(stage.post_as(&other, "/v1/signature/diagnose", wrong).await.status, 422);
    }
});
