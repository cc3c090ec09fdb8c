//! API keys: made for no more than their maker may, shown once, good until they end.

use std::time::Duration;

use gateway::directory::api_keys::manage;
use gateway::entity::api_key;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

on_both!(a_key_is_shown_once_and_kept_as_a_hash, async |stage: &mut Stage| {
    let body = json!({ "name": "desk", "scopes": ["merchants:read", "audit:read"] });
    let made = stage.post_once("k", "/v1/api-keys", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let location = made.header("location").expect("it says where").to_owned();
    let made = made.json();
    let secret = made["key"]["secret"].as_str().expect("shown").to_owned();
    assert!(secret.starts_with(made["prefix"].as_str().expect("text")) && secret.starts_with("sg_test_"));
    assert_eq!(stage.get_as(&secret, "/v1/merchants").await.status, 200, "at once");
    assert_eq!(stage.post_once("k", "/v1/api-keys", body).await.json()["key"].get("secret"), None);
    for path in [location.as_str(), "/v1/api-keys", "/v1/audit"] {
        assert!(!stage.get(path).await.text().contains(&secret[12..]), "{path}");
    }
    for row in api_key::Entity::find().all(&stage.app().store.read).await.expect("the store is read") {
        assert!(!format!("{row:?}").contains(&secret[12..]));
    }
    stage.restart().await;
    assert_eq!(stage.get_as(&secret, "/v1/merchants").await.status, 200, "and after a restart");
});

on_both!(a_key_makes_none_that_is_good_for_more, async |stage: &mut Stage| {
    let (_, weak) = stage.api_key(&["keys:write", "merchants:read"], None).await;
    let wants = |scopes: Value| json!({ "name": "n", "scopes": scopes });
    let refused = stage.post_as(&weak, "/v1/api-keys", wants(json!(["merchants:read", "audit:read"]))).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("scope_missing")));
    let made = stage.post_as(&weak, "/v1/api-keys", wants(json!(["merchants:read"]))).await;
    assert_eq!((made.status, &made.json()["mode"]), (201, &json!("test")));

    let own = stage.merchant_id();
    let for_merchant =
        json!({ "name": "n", "merchantId": own, "scopes": ["orders:read", "merchants:write"] });
    let refused = stage.post("/v1/api-keys", for_merchant).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/scopes/1")));
    let (_, merchants) = stage.api_key(&["keys:write", "orders:read"], Some(&own)).await;
    let made = stage.post_as(&merchants, "/v1/api-keys", wants(json!(["orders:read"]))).await.json();
    assert_eq!(made["merchantId"], own.as_str(), "a merchant's key makes keys for its merchant");
});

on_both!(a_key_is_made_for_merchants_of_the_callers_own_only, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let elsewhere = stage.other_id();
    let mut answers = Vec::new();
    for id in [elsewhere.as_str(), "01KXVZ5B8M3Q0V6T9YJ2C4E7GH"] {
        let reply = stage
            .post("/v1/api-keys", json!({ "name": "n", "merchantId": id, "scopes": ["orders:read"] }))
            .await;
        assert_eq!((reply.status, &reply.json()["errors"][0]["pointer"]), (422, &json!("/merchantId")));
        answers.push(reply.json());
    }
    assert_eq!(answers[0], answers[1]);
});

on_both!(a_key_is_good_until_it_is_revoked_or_ends, async |stage: &mut Stage| {
    let (id, key) = stage.api_key(&["merchants:read"], None).await;
    let revoked = stage.post(&format!("/v1/api-keys/{id}/revoke"), Value::Null).await;
    assert_eq!((revoked.status, &revoked.json()["status"]), (200, &json!("revoked")));
    assert_eq!(stage.get_as(&key, "/v1/merchants").await.status, 401, "at once");
    let again = stage.post(&format!("/v1/api-keys/{id}/revoke"), Value::Null).await;
    assert_eq!((again.status, again.json()), (200, revoked.json()));

    let past = json!({ "name": "n", "scopes": ["merchants:read"], "expiresAt": "2020-01-01T00:00:00Z" });
    assert_eq!(stage.post("/v1/api-keys", past).await.json()["errors"][0]["pointer"], "/expiresAt");
    let soon = json!({ "name": "n", "scopes": ["merchants:read"], "expiresAt": "2026-09-21T22:14:20+08:00" });
    let made = stage.post("/v1/api-keys", soon).await.json();
    let key = made["key"]["secret"].as_str().expect("shown");
    stage.advance(Duration::from_millis(59_999));
    assert_eq!(stage.get_as(key, "/v1/merchants").await.status, 200);
    stage.advance(Duration::from_millis(1));
    assert_eq!(stage.get_as(key, "/v1/merchants").await.status, 401);
    let path = format!("/v1/api-keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(stage.get(&path).await.json()["status"], "expired");
});

on_both!(a_key_for_some_addresses_opens_nothing_from_elsewhere, async |stage: &mut Stage| {
    let wants =
        |networks: Value| json!({ "name": "n", "scopes": ["merchants:read"], "allowAddresses": networks });
    for (networks, status) in [(json!(["192.0.2.0/24", "10.1.1.1"]), 401), (json!(["127.0.0.1"]), 200)] {
        let made = stage.post("/v1/api-keys", wants(networks)).await.json();
        let key = made["key"]["secret"].as_str().expect("shown");
        assert_eq!(stage.get_as(key, "/v1/merchants").await.status, status);
    }
    let wrong = stage.post("/v1/api-keys", wants(json!(["192.0.2.0/24", "nowhere"]))).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["pointer"]), (422, &json!("/allowAddresses/1")));
});

on_both!(when_a_key_was_last_used_is_written_by_and_by, async |stage: &mut Stage| {
    let (id, key) = stage.api_key(&["merchants:read"], None).await;
    let path = format!("/v1/api-keys/{id}");
    assert_eq!(stage.get(&path).await.json().get("lastUsedAt"), None);
    stage.get_as(&key, "/v1/merchants").await;
    manage::write_uses(stage.app()).await.expect("written");
    assert_eq!(stage.get(&path).await.json()["lastUsedAt"], "2026-09-21T14:13:20.000Z");
    stage.restart().await;
    assert_eq!(stage.get(&path).await.json()["lastUsedAt"], "2026-09-21T14:13:20.000Z");
});
