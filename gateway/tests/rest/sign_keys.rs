//! Rotation of merchants' sign keys: both versions are good until the old one has ended.

use std::time::Duration;

use gateway::directory::sign_keys;
use serde_json::{Value, json};

use crate::harness::{MERCHANT_KEY, Stage};
use crate::on_both;

async fn versions(stage: &Stage) -> Vec<Value> {
    let path = format!("/v1/merchants/{}/sign-keys", stage.merchant_id());
    stage.get(&path).await.json()["data"].as_array().expect("a list").clone()
}

on_both!(a_shop_changes_over_without_a_refused_request, async |stage: &mut Stage| {
    stage.open("p1").await;
    let path = format!("/v1/merchants/{}/sign-keys", stage.merchant_id());
    let body = json!({ "previousForHours": 2 });
    let made = stage.post_once("k", &path, body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let key = made["signKey"]["secret"].as_str().expect("shown once").to_owned();
    assert_eq!((key.len(), &made["version"], &made["status"]), (64, &json!(2), &json!("current")));
    let again = stage.post_once("k", &path, body).await.json();
    assert_eq!((&again["id"], again["signKey"].get("secret")), (&made["id"], None));
    assert_eq!(versions(stage).await.len(), 2, "rotated once");

    let mut new = stage.order("p2");
    new.key.clone_from(&key);
    assert_eq!(stage.create(&new).await.code, 1, "the new key, at once");
    assert_eq!(stage.create(&stage.order("p3")).await.code, 1, "and the old one still");
    stage.advance(Duration::from_hours(2));
    assert_eq!(stage.create(&stage.order("p4")).await.code, 8, "not after its end");
    new.body["partnerOrderNo"] = json!("p5");
    assert_eq!(stage.create(&new).await.code, 1);
    assert_eq!(versions(stage).await[1]["status"], "ended");
});

on_both!(a_second_rotation_ends_the_version_before_the_previous_one, async |stage: &mut Stage| {
    let path = format!("/v1/merchants/{}/sign-keys", stage.merchant_id());
    let second = stage.post(&path, json!({})).await.json();
    let third = stage.post(&path, json!({ "previousForHours": 0 })).await.json();
    let statuses: Vec<Value> =
        versions(stage).await.iter().map(|version| version["status"].clone()).collect();
    assert_eq!(statuses, ["current", "ended", "ended"]);
    for (key, code) in [
        (MERCHANT_KEY, 8),
        (second["signKey"]["secret"].as_str().expect("shown"), 8),
        (third["signKey"]["secret"].as_str().expect("shown"), 1),
    ] {
        let mut order = stage.order("p1");
        key.clone_into(&mut order.key);
        assert_eq!(stage.create(&order).await.code, code);
    }
    for (hours, status) in [(2160, 201), (2161, 422), (-1, 422)] {
        assert_eq!(stage.post(&path, json!({ "previousForHours": hours })).await.status, status, "{hours}");
    }
});

on_both!(one_sees_when_the_old_version_was_last_used, async |stage: &mut Stage| {
    stage.post(&format!("/v1/merchants/{}/sign-keys", stage.merchant_id()), json!({})).await;
    stage.open("p1").await;
    sign_keys::write_uses(stage.app()).await.expect("written");
    let versions = versions(stage).await;
    assert_eq!(
        (versions[0].get("lastUsedAt"), &versions[1]["lastUsedAt"]),
        (None, &json!("2026-09-21T14:13:20.000Z"))
    );
    let account = stage.get(&format!("/v1/accounts/{}/sign-keys", stage.account_id())).await.json();
    assert_eq!(account["data"][0]["lastUsedAt"], "2026-09-21T14:13:20.000Z", "ScanForPay has taken it");
});
