//! Accounts: what ScanForPay issued, reached only where the operator allows it.

use std::time::Duration;

use serde_json::json;

use crate::harness::people::upstream_partner;
use crate::harness::{ACCOUNT_KEY, Stage};
use crate::on_both;

const NEW_KEY: &str = "8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a398c7b6a5f4e3d2c1b0a9f8e7d6c5b4a39";

on_both!(a_test_account_reaches_a_sandbox_and_a_live_one_scanforpay, async |stage: &mut Stage| {
    let live = stage.world.keys.live.clone();
    let sandbox = stage.world.sandbox.base_url().clone();
    let account =
        |base_url: &str| json!({ "baseUrl": base_url, "partnerNo": "91919", "signKey": "0123456789abcdef" });
    for elsewhere in ["https://pay.scanforpay.com", "https://evil.example", "not a URL", "file:///etc/passwd"]
    {
        let refused = stage.post("/v1/accounts", account(elsewhere)).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/baseUrl")));
    }
    assert_eq!(stage.post_as(&live, "/v1/accounts", account(&sandbox)).await.status, 422);
    let made = stage.post("/v1/accounts", account(&format!("{sandbox}/"))).await;
    assert_eq!(
        (made.status, &made.json()["mode"], &made.json()["name"]),
        (201, &json!("test"), &json!("91919"))
    );
    let elsewhere = json!({ "name": "live", "partnerNo": "91919", "signKey": "0123456789abcdef" });
    let made = stage.post_as(&live, "/v1/accounts", elsewhere).await;
    assert_eq!((made.status, &made.json()["baseUrl"]), (201, &json!("https://pay.scanforpay.com")));
    assert!(!stage.get("/v1/audit").await.text().contains("0123456789abcdef"));
});

on_both!(an_accounts_name_is_its_platforms_alone, async |stage: &mut Stage| {
    let taken = stage.post("/v1/accounts", json!({ "name": "main", "partnerNo": "9", "signKey": "k" })).await;
    assert_eq!((taken.status, &taken.json()["code"]), (409, &json!("account_name_taken")));
    let found = stage.get("/v1/accounts?name=main").await.json();
    assert_eq!(found["data"][0]["id"], stage.account_id().as_str());
});

on_both!(an_accounts_key_is_rotated_and_orders_under_way_go_on, async |stage: &mut Stage| {
    stage.open("p1").await;
    let path = format!("/v1/accounts/{}/sign-keys", stage.account_id());
    let same = stage.post(&path, json!({ "signKey": ACCOUNT_KEY })).await;
    assert_eq!((same.status, &same.json()["errors"][0]["pointer"]), (422, &json!("/signKey")));
    let rotated = stage.post(&path, json!({ "signKey": NEW_KEY, "previousForHours": 1 })).await;
    assert_eq!((rotated.status, &rotated.json()["version"]), (201, &json!(2)));
    assert!(!rotated.text().contains(NEW_KEY));
    // A notice that was signed with the old key is believed still.
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    stage.notify(&number).await;
    stage.open("p2").await;
    // ScanForPay changes over. A query is asked again with the other key, and from then on that one is used.
    stage.upstream().set_partner(upstream_partner(NEW_KEY)).expect("the upstream knows it");
    stage.advance(Duration::from_secs(2));
    assert_eq!(stage.query("p2").await.code, 1);
    stage.open("p3").await;
    let versions = stage.get(&path).await.json();
    assert_eq!(
        (&versions["data"][0]["status"], &versions["data"][1]["status"]),
        (&json!("current"), &json!("previous"))
    );
    stage.advance(Duration::from_hours(1));
    assert_eq!(stage.get(&path).await.json()["data"][1]["status"], "ended");
});
