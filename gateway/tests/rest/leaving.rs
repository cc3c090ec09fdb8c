//! A merchant that leaves opens nothing any more and takes its data along.

use serde_json::{Value, json};

use crate::harness::{HKD_STORE, MERCHANT_KEY, PARTNER_NO, Stage};
use crate::on_both;

on_both!(an_offboarded_merchant_opens_nothing_and_keeps_what_it_had, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let id = stage.merchant_id();
    let path = format!("/v1/merchants/{id}");
    let (_, key) = stage.api_key(&["merchants:read"], Some(&id)).await;
    assert_eq!(stage.get_as(&key, &path).await.status, 200);
    let left = stage.post(&format!("{path}/offboard"), Value::Null).await;
    assert_eq!((left.status, &left.json()["status"]), (200, &json!("offboarded")));
    assert_eq!(stage.get_as(&key, &path).await.status, 401, "its keys open nothing, at once");
    assert_eq!(stage.create(&stage.order("p2")).await.code, 3);
    assert_eq!(stage.query("p1").await.body["status"], 1);
    assert_eq!(stage.deliver_due().await, 1, "what was paid is told");
    let store = stage.get(&format!("/v1/stores/{}", stage.store_id())).await.json();
    assert_eq!(store["status"], "disabled");
    assert_eq!(stage.post(&format!("{path}/offboard"), Value::Null).await.status, 200, "it has left already");
    for (action, body) in [("resume", Value::Null), ("suspend", Value::Null)] {
        let refused = stage.post(&format!("{path}/{action}"), body).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("offboarded")));
    }
    stage.restart().await;
    assert_eq!(stage.get(&path).await.json()["status"], "offboarded");
});

on_both!(an_export_has_everything_and_no_key, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.open("p2").await;
    let reply = stage.get(&format!("/v1/merchants/{}/export", stage.merchant_id())).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/x-ndjson")));
    let lines: Vec<Value> =
        reply.text().lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    let kinds: Vec<&Value> = lines.iter().map(|line| &line["kind"]).collect();
    assert_eq!(kinds, ["merchant", "store", "store", "order", "order"]);
    assert_eq!((&lines[0]["partnerNo"], &lines[1]["storeNo"]), (&json!(PARTNER_NO), &json!(HKD_STORE)));
    assert_eq!((&lines[3]["number"], &lines[3]["paid"]), (&json!("p1"), &json!(2100)));
    assert!(!reply.text().contains(MERCHANT_KEY));
});
