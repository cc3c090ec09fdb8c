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

on_both!(
    whose_own_numbers_an_account_sends_is_a_merchant_of_the_same_platform_and_mode,
    async |stage: &mut Stage| {
        stage.others_move_in().await;
        let path = format!("/v1/accounts/{}", stage.account_id());
        let live = stage.world.keys.live.clone();
        let live =
            stage.post_as(&live, "/v1/merchants", json!({ "name": "Live" })).await.json()["id"].clone();
        for other in [json!(stage.other_id()), live, json!("nobody")] {
            let refused = stage.patch(&path, json!({ "numbersOf": other })).await;
            assert_eq!(
                (refused.status, &refused.json()["errors"][0]["pointer"]),
                (422, &json!("/numbersOf"))
            );
        }
        let (own, neighbour) = (json!(stage.merchant_id()), json!(stage.neighbour_id()));
        for numbers_of in [&own, &neighbour] {
            let changed = stage.patch(&path, json!({ "numbersOf": numbers_of })).await;
            assert_eq!((changed.status, &changed.json()["numbersOf"]), (200, numbers_of));
            assert_eq!(stage.patch(&path, json!({})).await.json(), changed.json(), "what is absent stays");
            assert_eq!(stage.get(&path).await.json(), changed.json());
        }
        let nobodys = stage.patch(&path, json!({ "numbersOf": null })).await;
        assert_eq!((nobodys.status, nobodys.json().get("numbersOf")), (200, None));
        let log = stage.get("/v1/audit?action=account.changed").await.json();
        let states: Vec<_> = log["data"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| (&entry["before"]["numbersOf"], &entry["after"]["numbersOf"]))
            .collect();
        assert_eq!(states, [(&neighbour, &json!(null)), (&own, &neighbour), (&json!(null), &own)]);
    }
);

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
