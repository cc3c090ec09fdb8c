//! Orders placed over REST are the very orders of the signed API.

use sandbox::{Fault, Gate, Operation};
use serde_json::{Value, json};

use crate::harness::acts::soon;
use crate::harness::{HKD_STORE, JPY_STORE, Stage};
use crate::on_both;

/// 21.00 HKD with Alipay, to be told to the demo shop.
pub fn new_order(stage: &Stage, number: &str) -> Value {
    json!({
        "product": "qrcode", "number": number, "storeNo": HKD_STORE, "wallet": "Alipay", "currency": "HKD",
        "amount": 2100, "title": "Consume", "notifyUrl": stage.shop().notify_url(),
        "returnUrl": stage.shop().return_url(),
    })
}

/// A key of the merchant's own.
pub async fn own_key(stage: &Stage) -> String {
    stage.api_key(&["orders:read", "orders:write"], Some(&stage.merchant_id())).await.1
}

on_both!(an_order_placed_over_rest_is_paid_and_told_like_any_other, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    let placed = stage.post_as(&key, "/v1/orders", new_order(stage, "p/1")).await;
    assert_eq!(placed.status, 201, "{}", placed.text());
    let location = placed.header("location").expect("it says where").to_owned();
    assert_eq!(location, "/v1/orders/p%2F1");
    let placed = placed.json();
    assert_eq!((&placed["status"], &placed["amount"]), (&json!("awaiting"), &json!(2100)));
    assert!(placed["payUrl"].as_str().is_some_and(|url| url.starts_with("http")), "{placed}");
    assert_eq!(stage.get_as(&key, &location).await.json(), placed);
    assert_eq!(stage.query("p/1").await.body["status"], 0, "the signed API knows it");

    let sent = stage.submission_no("p/1").await;
    assert_eq!(placed["sentNumber"], sent);
    stage.pay(&sent);
    stage.notify(&sent).await;
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now().len(), 1);
    let paid = stage.get_as(&key, &location).await.json();
    assert_eq!((&paid["status"], &paid["paidAmount"]), (&json!("paid"), &json!(2100)));
    assert_eq!(paid.get("payUrl"), None, "nobody pays twice");
    assert_eq!(stage.upstream().violations(), []);
});

on_both!(the_same_number_is_the_same_order_and_other_content_is_refused, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    let first = stage.post_as(&key, "/v1/orders", new_order(stage, "p1")).await;
    let again = stage.post_as(&key, "/v1/orders", new_order(stage, "p1")).await;
    assert_eq!((again.status, again.json()), (201, first.json()));
    assert_eq!(stage.create(&stage.order("p1")).await.code, 1, "the signed API's too");
    let mut other = new_order(stage, "p1");
    other["amount"] = json!(4200);
    let refused = stage.post_as(&key, "/v1/orders", other).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("number_taken")));
    assert_eq!(stage.creates(), 1);
});

on_both!(an_idempotency_key_points_to_its_order, async |stage: &mut Stage| {
    let path = format!("/v1/orders?merchant={}", stage.merchant_id());
    let first = stage.post_once("k1", &path, new_order(stage, "p1")).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = stage.post_once("k1", &path, new_order(stage, "p1")).await;
    assert_eq!((again.status, again.json()), (201, first.json()));
    let other = stage.post_once("k1", &path, new_order(stage, "p2")).await;
    assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    assert_eq!(stage.rows().await.len(), 1);
    stage.others_move_in().await;
    let path_of_neighbour = format!("/v1/orders?merchant={}", stage.neighbour_id());
    let other = stage.post_once("k1", &path_of_neighbour, new_order(stage, "p1")).await;
    assert_eq!(other.status, 422, "nor does it stand for the same order of another merchant");

    stage.fault(Operation::Create, Fault::Code { code: 44, took_effect: false });
    let refused = stage.post_once("k2", &path, new_order(stage, "p3")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("refused")));
    let again = stage.post_once("k2", &path, new_order(stage, "p3")).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("refused")), "the same answer");
    assert_eq!(stage.creates(), 2, "and nothing was sent again");
});

on_both!(a_running_key_ends_with_its_orders_answer_due_time, async |stage: &mut Stage| {
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let path = format!("/v1/orders?merchant={}", stage.merchant_id());
    let body = new_order(stage, "p1");
    let meanwhile = async {
        soon(stage.upstream().seen_creates(1)).await;
        let running = stage.post_once("k1", &path, body.clone()).await;
        gate.open();
        running
    };
    let first = stage.post_once("k1", &path, body.clone());
    let (first, running) = soon(Box::pin(async { tokio::join!(first, meanwhile) })).await;
    assert_eq!((running.status, &running.json()["code"]), (409, &json!("idempotency_key_running")));
    assert!(running.header("retry-after").is_some());
    assert_eq!(first.status, 201);

    // An answer that never came: the key runs until it was due.
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    stage.deafen();
    let doubt = stage.post_once("k2", &path, new_order(stage, "p2")).await;
    assert_eq!((doubt.status, &doubt.json()["status"]), (202, &json!("unknown")), "{}", doubt.text());
    let again = stage.post_once("k2", &path, new_order(stage, "p2")).await;
    assert_eq!((again.status, again.json()), (202, doubt.json()));
});

on_both!(what_is_wrong_is_named_by_its_pointer_and_takes_no_number, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    let wrong = [
        ("storeNo", json!("1"), "/storeNo"),
        ("currency", json!("JPY"), "/currency"),
        ("amount", json!(0), "/amount"),
        ("notifyUrl", json!("http://10.0.0.1/"), "/notifyUrl"),
        ("returnUrl", json!("ftp://a/b"), "/returnUrl"),
        ("product", json!("cash"), "/product"),
        ("colour", json!("red"), "/colour"),
    ];
    for (field, value, pointer) in wrong {
        let mut order = new_order(stage, "p1");
        order[field] = value;
        let reply = stage.post_as(&key, "/v1/orders", order).await;
        assert_eq!((reply.status, &reply.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{field}");
    }
    let mut order = new_order(stage, "p1");
    order["storeNo"] = json!(JPY_STORE);
    order["currency"] = json!("JPY");
    let reply = stage.post_as(&key, "/v1/orders", order).await;
    assert_eq!((reply.status, &reply.json()["errors"][0]["pointer"]), (422, &json!("/wallet")));
    assert_eq!(stage.rows().await, []);
    stage.suspend_merchant().await;
    let suspended = stage.post_as(&key, "/v1/orders", new_order(stage, "p1")).await;
    assert_eq!((suspended.status, &suspended.json()["code"]), (409, &json!("merchant_suspended")));
});

on_both!(an_order_is_found_by_any_of_its_numbers_and_by_its_owner_only, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let key = own_key(stage).await;
    let (_, neighbour) = stage.api_key(&["orders:read"], Some(&stage.neighbour_id())).await;
    stage.open("p1").await;
    let order = stage.row("p1").await;
    let upstream = order.upstream_order_no.clone().expect("the upstream gave one");
    for number in ["p1", &upstream, &order.submission_id] {
        let path = format!("/v1/orders/{number}");
        let found = stage.get_as(&key, &path).await;
        assert_eq!((found.status, &found.json()["number"]), (200, &json!("p1")), "{number}");
        assert_eq!(stage.get_as(&neighbour, &path).await.status, 404, "{number}");
        let own = format!("{path}?merchant={}", stage.merchant_id());
        assert_eq!(stage.get(&own).await.status, 200, "its platform");
        assert_eq!(stage.get_as(&neighbour, &own).await.status, 404);
        assert_eq!(stage.get_as(&stage.world.keys.other, &own).await.status, 404);
        assert_eq!(stage.get_as(&stage.world.keys.live, &own).await.status, 404);
        let neighbours = format!("{path}?merchant={}", stage.neighbour_id());
        assert_eq!(stage.get(&neighbours).await.status, 404);
    }
    let unnamed = stage.get("/v1/orders/p1").await;
    assert_eq!((unnamed.status, &unnamed.json()["errors"][0]["parameter"]), (422, &json!("merchant")));
});
