//! Moving a running shop in: its numbers and its key.

use serde_json::{Value, json};

use crate::harness::people::{UPSTREAM_NEIGHBOUR_STORE, upstream_partner};
use crate::harness::{ACCOUNT_KEY, PLATFORM, Stage, UPSTREAM_PARTNER_NO};
use crate::on_both;

/// The shortest that is taken.
const BROUGHT_KEY: &str = "16 characters ok";

on_both!(a_shop_keeps_its_numbers_and_its_key, async |stage: &mut Stage| {
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
    let body = json!({ "name": "A", "partnerNo": UPSTREAM_PARTNER_NO, "signKey": BROUGHT_KEY });
    let made = stage.post_once("k", "/v1/merchants", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert!(!made.text().contains(BROUGHT_KEY));
    let made = made.json();
    assert_eq!((&made["partnerNo"], made.get("signKey")), (&json!(UPSTREAM_PARTNER_NO), None));
    assert_eq!(stage.post_once("k", "/v1/merchants", body.clone()).await.json(), made);
    let store = json!({
        "merchantId": made["id"], "accountId": stage.account_id(), "upstreamStoreNo": UPSTREAM_NEIGHBOUR_STORE,
        "currency": "HKD", "wallets": ["Alipay"],
    });
    assert_eq!(stage.post("/v1/stores", store).await.status, 201);
    let mut order = stage.order("p1");
    order.partner_no = UPSTREAM_PARTNER_NO.to_owned();
    order.key = BROUGHT_KEY.to_owned();
    order.body["storeNo"] = json!(UPSTREAM_NEIGHBOUR_STORE);
    let answer = stage.create(&order).await;
    assert!(answer.code == 1 && answer.genuine, "{}", answer.body);

    let again = stage.post("/v1/merchants", body).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("partner_no_taken")));
});

on_both!(a_number_is_claimed_by_the_key_of_its_account_only, async |stage: &mut Stage| {
    let claim = |number: &str| json!({ "name": "A", "partnerNo": number });
    let refused = stage.post("/v1/merchants", claim("77777")).await;
    let problem = refused.json();
    assert_eq!((refused.status, &problem["code"]), (409, &json!("partner_no_unproven")));
    assert_eq!(problem["errors"][0]["pointer"], "/partnerNo");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("POST /v1/accounts")), "{problem}");

    let wrong = json!({ "partnerNo": "91919", "signKey": "0123456789abcdef" });
    assert_eq!(stage.post("/v1/accounts", wrong).await.status, 201);
    let refused = stage.post("/v1/merchants", claim("91919")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("partner_no_unproven")));
    let short = json!({ "name": "A", "signKey": &BROUGHT_KEY[1..] });
    let refused = stage.post("/v1/merchants", short).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/signKey")));

    let mut partner = upstream_partner("a key of its own, issued");
    partner.partner_no = "91920".to_owned();
    stage.upstream().set_partner(partner).expect("the upstream knows it");
    let row = |number: &str, key: &str| {
        json!({ "name": "B", "partnerNo": number, "signKey": BROUGHT_KEY, "store": {
            "account": { "partnerNo": "91920", "signKey": key },
            "upstreamStoreNo": "1", "currency": "HKD", "wallets": ["Alipay"],
        } })
    };
    let rows = json!({ "rows": [
        row("91920", "not the one issued"),
        row("91921", "a key of its own, issued"),
        row("91920", "a key of its own, issued"),
        { "name": "C", "partnerNo": "91920" },
    ] });
    let answer = stage.post("/v1/onboarding", rows).await;
    assert!(!answer.text().contains(BROUGHT_KEY) && !answer.text().contains("issued\""));
    let answer = answer.json();
    let codes: Vec<&Value> = (0..4).map(|row| &answer["results"][row]["problem"]["code"]).collect();
    let expected =
        [json!("partner_no_unproven"), json!("partner_no_unproven"), Value::Null, json!("partner_no_taken")];
    assert_eq!(codes, expected.iter().collect::<Vec<_>>(), "{answer}");
    assert_eq!(answer["results"][2].get("signKey"), None, "it was brought");
    let known = stage.app().directory.merchant(PLATFORM, "91920").expect("it is there at once");
    assert_eq!(*known.current_key().text, BROUGHT_KEY);
});
