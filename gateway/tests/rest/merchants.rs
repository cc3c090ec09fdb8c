//! Merchants: made, found, changed, suspended.

use http::Method;
use serde_json::{Value, json};

use crate::harness::merchant::signed;
use crate::harness::{HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage, merchant, web};
use crate::on_both;

fn id(value: &Value) -> String {
    value["id"].as_str().expect("it has an id").to_owned()
}

on_both!(a_made_merchant_is_there_at_once_and_signs_with_the_key_it_was_shown, async |stage: &mut Stage| {
    let made = stage.post("/v1/merchants", json!({ "name": "茶房", "reference": "shop-17" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let location = made.header("location").expect("it says where").to_owned();
    let made = made.json();
    assert_eq!((&made["mode"], &made["status"]), (&json!("test"), &json!("active")));
    assert_eq!(location, format!("/v1/merchants/{}", id(&made)));
    let found = stage.get(&location).await;
    assert_eq!(found.status, 200);
    let mut shown = made.clone();
    shown.as_object_mut().expect("an object").shift_remove("signKey");
    assert_eq!(found.json(), shown);

    let (number, key) =
        (made["partnerNo"].as_str().expect("text"), made["signKey"]["secret"].as_str().expect("text"));
    assert_eq!((number.len(), key.len()), (12, 64));
    let body = json!({ "partnerOrderNo": "p1" });
    let document = signed(number, key, "", &body, stage.app().clock.now());
    let url = stage.node().url(&format!("/{PLATFORM}/api/common/payQuery"));
    let answer = merchant::post(&url, document, key).await;
    assert_eq!((answer.code, answer.genuine), (30, true), "known and without orders: {}", answer.document);
    assert_eq!(stage.query("p1").await.code, 30, "the others are as they were");
});

on_both!(a_reference_belongs_to_one_merchant_of_the_platform, async |stage: &mut Stage| {
    let body = json!({ "name": "A", "reference": "shop-17" });
    let first = id(&stage.post("/v1/merchants", body.clone()).await.json());
    for key in [stage.world.keys.test.clone(), stage.world.keys.live.clone()] {
        let again = stage.post_as(&key, "/v1/merchants", body.clone()).await;
        assert_eq!(again.status, 409);
        let problem = again.json();
        assert_eq!(
            (&problem["code"], &problem["errors"][0]["pointer"]),
            (&json!("reference_taken"), &json!("/reference"))
        );
        assert!(!problem.to_string().contains(&first), "whose it is is not said");
    }
    stage.others_move_in().await;
    let elsewhere = stage.post_as(&stage.world.keys.other, "/v1/merchants", body.clone()).await;
    assert_eq!(elsewhere.status, 201, "another platform has references of its own");

    let second = id(&stage.post("/v1/merchants", json!({ "name": "B" })).await.json());
    let path = format!("/v1/merchants/{second}");
    assert_eq!(stage.patch(&path, json!({ "reference": "shop-17" })).await.status, 409);
    let freed = stage.patch(&format!("/v1/merchants/{first}"), json!({ "reference": null })).await.json();
    assert_eq!(freed.get("reference"), None);
    assert_eq!(stage.patch(&path, json!({ "reference": "shop-17" })).await.json()["reference"], "shop-17");
});

on_both!(merchants_made_at_the_same_time_get_a_reference_once, async |stage: &mut Stage| {
    let body = json!({ "name": "A", "reference": "shop-17" });
    let calls = (0..8).map(|_| stage.post("/v1/merchants", body.clone()));
    let replies = futures_util::future::join_all(calls).await;
    let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    let found = stage.get("/v1/merchants?reference=shop-17").await.json();
    assert_eq!(found["data"].as_array().map(Vec::len), Some(1));
});

on_both!(a_patch_changes_what_it_names_and_nothing_else, async |stage: &mut Stage| {
    let made = stage.post("/v1/merchants", json!({ "name": "A", "reference": "r" })).await.json();
    let path = format!("/v1/merchants/{}", id(&made));
    let patched = stage.patch(&path, json!({ "name": "B" })).await.json();
    assert_eq!((&patched["name"], &patched["reference"]), (&json!("B"), &json!("r")));
    assert_eq!(stage.patch(&path, json!({})).await.json(), patched, "nothing named, nothing changed");
    assert_eq!(stage.get(&path).await.json(), patched);
    stage.restart().await;
    assert_eq!(stage.get(&path).await.json(), patched);
});

on_both!(a_suspended_merchant_opens_no_orders_until_it_is_resumed, async |stage: &mut Stage| {
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    stage.open("p1").await;
    let suspended = stage.post(&format!("{path}/suspend"), Value::Null).await;
    assert_eq!((suspended.status, &suspended.json()["status"]), (200, &json!("suspended")));
    assert_eq!(stage.create(&stage.order("p2")).await.code, 3, "at once");
    assert_eq!(stage.query("p1").await.code, 1);
    assert_eq!(stage.post(&format!("{path}/suspend"), Value::Null).await.status, 200, "so it is already");
    assert_eq!(stage.post(&format!("{path}/resume"), Value::Null).await.json()["status"], "active");
    stage.open("p2").await;
});

on_both!(merchants_are_found_by_what_is_known_of_them, async |stage: &mut Stage| {
    for (name, reference) in [("Tea House", "a_1"), ("Noodle 100% House", "b-2"), ("茶房", "c-3")] {
        stage.post("/v1/merchants", json!({ "name": name, "reference": reference })).await;
    }
    let names = async |query: &str| {
        let reply = stage.get(&format!("/v1/merchants?{query}")).await.json();
        let rows = reply["data"].as_array().expect("a list").clone();
        rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("q=house").await, ["Noodle 100% House", "Tea House"]);
    assert_eq!(names("q=%E8%8C%B6").await, ["茶房"]);
    assert_eq!(names("q=0%25").await, ["Noodle 100% House"], "a percent sign is itself");
    assert_eq!(names("q=_").await, ["Tea House"], "and so is an underscore");
    assert_eq!(names("q=C-3").await, ["茶房"]);
    assert_eq!(names(&format!("q={PARTNER_NO}")).await, ["Shop"]);
    assert_eq!(names("reference=b-2").await, ["Noodle 100% House"]);
    assert_eq!(names("status=suspended").await, [""; 0]);
});

on_both!(live_and_test_do_not_see_each_other, async |stage: &mut Stage| {
    let live = stage.world.keys.live.clone();
    let made = stage.post_as(&live, "/v1/merchants", json!({ "name": "Real" })).await.json();
    assert_eq!(made["mode"], "live");
    let path = format!("/v1/merchants/{}", id(&made));
    assert_eq!(stage.get_as(&live, &path).await.status, 200);
    assert_eq!(stage.get(&path).await.status, 404);
    assert_eq!(stage.get_as(&live, &format!("/v1/merchants/{}", stage.merchant_id())).await.status, 404);
    assert_eq!(stage.get_as(&live, "/v1/merchants").await.json()["data"].as_array().map(Vec::len), Some(1));
    assert!(!stage.get("/v1/merchants").await.text().contains("Real"));
});

#[tokio::test]
async fn a_change_looks_at_one_merchant_and_leaves_the_keys_of_others_alone() {
    let stage = Stage::set(crate::harness::Backend::Sqlite).await;
    stage.open("p1").await;
    let before = stage.app().directory.merchant(PLATFORM, PARTNER_NO).expect("it is there");
    stage.post("/v1/merchants", json!({ "name": "A" })).await;
    let after = stage.app().directory.merchant(PLATFORM, PARTNER_NO).expect("it is there");
    assert!(std::sync::Arc::ptr_eq(&before, &after), "nobody else was loaded anew");
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    stage.patch(&path, json!({ "name": "B" })).await;
    let changed = stage.app().directory.merchant(PLATFORM, PARTNER_NO).expect("it is there");
    assert!(!std::sync::Arc::ptr_eq(&before, &changed));
    assert_eq!(
        &*changed.last_used_key().expect("it has signed").text,
        MERCHANT_KEY,
        "what it signed with is kept"
    );
    assert!(changed.stores.contains_key(HKD_STORE));
    let reply = web::exchange(Method::DELETE, &stage.node().url(&path), &[], bytes::Bytes::new()).await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, PATCH")));
    stage.strike().await;
}
