//! Onboarding in bulk: a result per row, no half-made row, and nothing twice.

use bytes::Bytes;
use gateway::entity::{merchant, sign_key, store};
use http::Method;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::harness::web::{self, Reply};
use crate::harness::{ACCOUNT_KEY, PLATFORM, Stage, UPSTREAM_PARTNER_NO};
use crate::on_both;

async fn counts(stage: &Stage) -> (u64, u64, u64) {
    let read = &stage.app().store.read;
    (
        merchant::Entity::find().count(read).await.expect("the store is read"),
        store::Entity::find().count(read).await.expect("the store is read"),
        sign_key::Entity::find().count(read).await.expect("the store is read"),
    )
}

fn row(number: usize) -> Value {
    json!({
        "name": format!("House {number}"), "reference": format!("r{number}"),
        "store": {
            "account": { "partnerNo": "91919", "signKey": "0123456789abcdef" },
            "upstreamStoreNo": format!("{number}"), "currency": "HKD", "wallets": ["Alipay"],
        },
    })
}

on_both!(a_thousand_rows_are_made_and_one_more_is_refused, async |stage: &mut Stage| {
    let before = counts(stage).await;
    let rows = |count: usize| json!({ "rows": (0..count).map(row).collect::<Vec<_>>() });
    assert_eq!(stage.post("/v1/onboarding", rows(1001)).await.status, 422);
    assert_eq!(stage.post("/v1/onboarding", rows(0)).await.status, 422);
    assert_eq!(counts(stage).await, before);
    let made = stage.post("/v1/onboarding", rows(1000)).await.json();
    assert_eq!((&made["created"], &made["refused"]), (&json!(1000), &json!(0)));
    let after = counts(stage).await;
    assert_eq!(
        (after.0 - before.0, after.1 - before.1, after.2 - before.2),
        (1000, 1000, 1001),
        "one account for all"
    );
    let last = &made["results"][999];
    assert_eq!((&last["row"], &last["store"]["upstreamStoreNo"]), (&json!(1000), &json!("999")));
    let path = format!("/v1/merchants/{}", last["merchant"]["id"].as_str().expect("an id"));
    assert_eq!(stage.get(&path).await.json(), last["merchant"], "it is there at once");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (number, key) = (text(&last["merchant"]["partnerNo"]), text(&last["signKey"]["secret"]));
    let known = stage.app().directory.merchant(PLATFORM, &number).expect("and known to the signed API");
    assert!(known.stores.contains_key("999") && *known.current_key().text == key);
});

on_both!(each_row_is_made_whole_or_says_why_not, async |stage: &mut Stage| {
    stage.post("/v1/merchants", json!({ "name": "Earlier", "reference": "taken" })).await;
    let before = counts(stage).await;
    let with = |number: usize, pointer: &str, value: Value| {
        let mut row = row(number);
        *row.pointer_mut(pointer).expect("it is there") = value;
        row
    };
    let mut unknown = row(8);
    unknown["naem"] = json!("secret");
    let rows = json!({ "rows": [
        row(1),
        with(2, "/reference", json!("taken")),
        with(3, "/reference", json!("r1")),
        with(4, "/store/upstreamStoreNo", json!("1")),
        with(5, "/store/currency", json!("hkd")),
        with(6, "/store/account/signKey", json!("another key")),
        with(7, "/name", json!("")),
        unknown,
        row(9),
    ] });
    let answer = stage.post("/v1/onboarding", rows).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains("secret\"") || !answer.text().contains("naem\":\"secret"));
    let answer = answer.json();
    assert_eq!((&answer["created"], &answer["refused"]), (&json!(2), &json!(7)));
    let told: Vec<(&Value, &Value)> = answer["results"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|result| result["status"] == "refused")
        .map(|result| (&result["problem"]["code"], &result["problem"]["errors"][0]["pointer"]))
        .collect();
    let expected = [
        ("reference_taken", "/reference"),
        ("reference_taken", "/reference"),
        ("store_claimed", "/store/upstreamStoreNo"),
        ("invalid", "/store/currency"),
        ("account_key_differs", "/store/account/signKey"),
        ("invalid", "/name"),
        ("invalid", "/naem"),
    ];
    assert_eq!(
        told,
        expected.map(|(code, pointer)| (json!(code), json!(pointer))).each_ref().map(|(a, b)| (a, b))
    );
    let after = counts(stage).await;
    assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (2, 2, 3));
});

on_both!(the_same_rows_again_under_their_key_are_the_same_merchants, async |stage: &mut Stage| {
    let rows = json!({ "rows": (0..120).map(row).collect::<Vec<_>>() });
    let first = stage.post_once("k", "/v1/onboarding", rows.clone()).await.json();
    let after = counts(stage).await;
    let again = stage.post_once("k", "/v1/onboarding", rows).await.json();
    assert_eq!(counts(stage).await, after);
    for (first, again) in
        first["results"].as_array().expect("a list").iter().zip(again["results"].as_array().expect("a list"))
    {
        assert_eq!(first["merchant"], again["merchant"]);
        assert!(first["signKey"]["secret"].is_string() && again["signKey"].get("secret").is_none());
    }
    let other = stage.post_once("k", "/v1/onboarding", json!({ "rows": [row(1)] })).await;
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
});

async fn post_csv(stage: &Stage, text: &str) -> Reply {
    let bearer = format!("Bearer {}", stage.world.keys.test);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv; charset=utf-8")];
    let url = stage.node().url("/v1/onboarding");
    web::exchange(Method::POST, &url, &headers, Bytes::from(text.to_owned())).await
}

on_both!(a_spreadsheet_is_read_by_its_header, async |stage: &mut Stage| {
    let text = format!(
        "\u{feff}reference,name,wallets,currency,upstreamStoreNo,accountPartnerNo,accountSignKey\r\n\
         r1,\"House, of Tea\",Alipay Wechat,HKD,77,{UPSTREAM_PARTNER_NO},{ACCOUNT_KEY}\r\n\
         ,茶房,,,,,\r\n\
         r3,No wallets,,HKD,78,{UPSTREAM_PARTNER_NO},{ACCOUNT_KEY}\r\n"
    );
    let answer = post_csv(stage, &text).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let results = &answer["results"];
    assert_eq!(
        (&results[0]["merchant"]["name"], &results[0]["store"]["wallets"]),
        (&json!("House, of Tea"), &json!(["Alipay", "Wechat"]))
    );
    assert_eq!(results[0]["store"]["accountId"], stage.account_id().as_str());
    assert_eq!(
        (&results[1]["merchant"]["name"], results[1].get("store")),
        (&json!("茶房"), None),
        "{results}"
    );
    assert_eq!(results[2]["problem"]["errors"][0]["pointer"], "/store/wallets");
    for wrong in ["name,nmae\na,b\n", "name,name\na,b\n", "name,reference\na\n"] {
        let refused = post_csv(stage, wrong).await;
        assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("not_csv")), "{wrong}");
    }
});
