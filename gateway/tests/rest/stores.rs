//! Stores: one per account and number, changed and disabled at once, checked with a question.

use serde_json::{Value, json};

use crate::harness::people::{UPSTREAM_NEIGHBOUR_STORE, upstream_partner};
use crate::harness::{ACCOUNT_KEY, HKD_STORE, Stage, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO};
use crate::on_both;

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

fn wanted(merchant_id: &str, account: (&str, Value), upstream_store_no: &str) -> Value {
    let mut body = json!({
        "merchantId": merchant_id, "upstreamStoreNo": upstream_store_no, "currency": "HKD", "wallets": ["Alipay"],
    });
    body[account.0] = account.1;
    body
}

on_both!(a_made_store_takes_orders_at_once, async |stage: &mut Stage| {
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
    let body =
        wanted(&stage.merchant_id(), ("accountId", json!(stage.account_id())), UPSTREAM_NEIGHBOUR_STORE);
    let made = stage.post("/v1/stores", body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let location = made.header("location").expect("it says where").to_owned();
    let made = made.json();
    assert_eq!(
        (&made["storeNo"], &made["timeZone"], &made["latePayment"]),
        (&json!(UPSTREAM_NEIGHBOUR_STORE), &json!("Asia/Hong_Kong"), &json!("tell"))
    );
    assert_eq!(stage.get(&location).await.json(), made);
    let mut order = stage.order("p1");
    order.body["storeNo"] = made["storeNo"].clone();
    assert_eq!(stage.create(&order).await.code, 1);

    stage.post(&format!("{location}/disable"), Value::Null).await;
    order.body["partnerOrderNo"] = json!("p2");
    assert_ne!(stage.create(&order).await.code, 1, "at once");
    assert_eq!(stage.query("p1").await.code, 1, "queries go on");
    assert_eq!(stage.post(&format!("{location}/enable"), Value::Null).await.json()["status"], "active");
    assert_eq!(stage.create(&order).await.code, 1);
    let patched =
        stage.patch(&location, json!({ "wallets": ["Wechat"], "latePayment": "refund" })).await.json();
    assert_eq!((&patched["wallets"], &patched["latePayment"]), (&json!(["Wechat"]), &json!("refund")));
    order.body["partnerOrderNo"] = json!("p3");
    assert_ne!(stage.create(&order).await.code, 1, "it takes no Alipay any more");
});

on_both!(a_second_claim_is_refused_without_saying_whose_the_store_is, async |stage: &mut Stage| {
    let other = id(&stage.post("/v1/merchants", json!({ "name": "A" })).await.json());
    let account = ("accountId", json!(stage.account_id()));
    let claimed = stage.post("/v1/stores", wanted(&other, account.clone(), UPSTREAM_HKD_STORE)).await;
    let problem = claimed.json();
    assert_eq!((claimed.status, &problem["code"]), (409, &json!("store_claimed")));
    assert_eq!(problem["errors"][0]["pointer"], "/upstreamStoreNo");
    assert!(!claimed.text().contains(&stage.merchant_id()) && !claimed.text().contains("Shop"));
    let mut body = wanted(&stage.merchant_id(), account, "900010000000777");
    body["storeNo"] = json!(HKD_STORE);
    assert_eq!(stage.post("/v1/stores", body).await.json()["code"], "store_no_taken");
});

on_both!(claims_at_the_same_time_are_won_once, async |stage: &mut Stage| {
    let body = wanted(&stage.merchant_id(), ("accountId", json!(stage.account_id())), "900010000000777");
    let replies =
        futures_util::future::join_all((0..6).map(|_| stage.post("/v1/stores", body.clone()))).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!((made, replies.iter().filter(|reply| reply.status == 409).count()), (1, 5));
});

on_both!(credentials_that_come_with_a_store_find_their_account_or_make_it, async |stage: &mut Stage| {
    let merchant = stage.merchant_id();
    let issued =
        |partner_no: &str, key: &str| ("account", json!({ "partnerNo": partner_no, "signKey": key }));
    let known = wanted(&merchant, issued(UPSTREAM_PARTNER_NO, ACCOUNT_KEY), "900010000000777");
    assert_eq!(stage.post("/v1/stores", known).await.json()["accountId"], stage.account_id().as_str());
    let differs = wanted(&merchant, issued(UPSTREAM_PARTNER_NO, "another key of it"), "900010000000778");
    let differs = stage.post("/v1/stores", differs).await.json();
    assert_eq!(
        (&differs["code"], &differs["errors"][0]["pointer"]),
        (&json!("account_key_differs"), &json!("/account/signKey"))
    );
    let new =
        stage.post("/v1/stores", wanted(&merchant, issued("91919", "0123456789abcdef"), "1")).await.json();
    let account =
        stage.get(&format!("/v1/accounts/{}", new["accountId"].as_str().expect("an id"))).await.json();
    assert_eq!(account["partnerNo"], "91919");
    let actions = stage.get("/v1/audit?limit=2").await.json();
    let mut actions = [&actions["data"][0]["action"], &actions["data"][1]["action"]];
    actions.sort_by_key(ToString::to_string);
    assert_eq!(actions, ["account.created", "store.created"]);

    let (_, weak) = stage.api_key(&["stores:write"], None).await;
    let body = wanted(&merchant, issued("91920", "0123456789abcdef"), "2");
    assert_eq!(
        stage.post_as(&weak, "/v1/stores", body).await.status,
        403,
        "an account is made with its own scope"
    );
});

on_both!(what_a_store_cannot_be_is_told_by_field, async |stage: &mut Stage| {
    let good = wanted(&stage.merchant_id(), ("accountId", json!(stage.account_id())), "900010000000777");
    for (field, value, pointer) in [
        ("currency", json!("hkd"), "/currency"),
        ("timeZone", json!("Asia/Atlantis"), "/timeZone"),
        ("wallets", json!(["Alipay", "Alipay"]), "/wallets"),
        ("wallets", json!([]), "/wallets"),
        ("wallets", json!(["Cash"]), "/wallets/0"),
        ("accountId", json!("01KXVZ5B8M3Q0V6T9YJ2C4E7GH"), "/accountId"),
        ("accountId", Value::Null, "/accountId"),
        ("merchantId", json!("01KXVZ5B8M3Q0V6T9YJ2C4E7GH"), "/merchantId"),
        ("storeNo", json!("1234567890123456"), "/storeNo"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = stage.post("/v1/stores", body).await;
        assert_eq!(refused.status, 422, "{field}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
    }
    let live = stage.world.keys.live.clone();
    let theirs = id(&stage.post_as(&live, "/v1/merchants", json!({ "name": "L" })).await.json());
    let body = wanted(&theirs, ("accountId", json!(stage.account_id())), "900010000000777");
    let refused = stage.post_as(&live, "/v1/stores", body).await.json();
    assert_eq!(refused["errors"][0]["pointer"], "/accountId", "a live store has no test account");
});

on_both!(a_merchant_is_not_told_what_scanforpay_issued, async |stage: &mut Stage| {
    let (_, key) = stage.api_key(&["stores:read"], Some(&stage.merchant_id())).await;
    for path in ["/v1/stores".to_owned(), format!("/v1/stores/{}", stage.store_id())] {
        let shown = stage.get_as(&key, &path).await;
        assert_eq!(shown.status, 200);
        assert!(shown.text().contains(HKD_STORE));
        assert!(!shown.text().contains(UPSTREAM_HKD_STORE) && !shown.text().contains(&stage.account_id()));
    }
});

on_both!(a_check_proves_the_key_and_says_what_it_does_not_prove, async |stage: &mut Stage| {
    let path = format!("/v1/stores/{}/check", stage.store_id());
    let good = stage.post(&path, Value::Null).await.json();
    assert_eq!((&good["result"], &good["code"]), (&json!("key_proven"), &json!(30)));
    assert!(
        good["detail"]
            .as_str()
            .is_some_and(|text| text.contains("store number unproven until the first order"))
    );
    stage
        .upstream()
        .set_partner(upstream_partner("a key that we do not have"))
        .expect("the upstream knows it");
    let bad = stage.post(&path, Value::Null).await.json();
    assert_eq!(bad["result"], "key_wrong", "{bad}");
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
    stage.fault(sandbox::Operation::Query, sandbox::Fault::Code { code: 3, took_effect: false });
    assert_eq!(stage.post(&path, Value::Null).await.json()["result"], "not_authorised");
    stage.deafen();
    let silent = stage.post(&path, Value::Null).await.json();
    assert_eq!((&silent["result"], silent.get("code")), (&json!("unknown"), None));
});
