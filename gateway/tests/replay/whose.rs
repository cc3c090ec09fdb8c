//! Nobody makes again what is another's.

use serde_json::json;

use super::jobs::preview;
use crate::harness::Stage;
use crate::harness::receiver::Receiver;
use crate::on_both;

on_both!(a_replay_is_of_the_askers_own_deliveries_only, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let receiver = Receiver::open().await;
    stage.endpoint_at(&receiver, json!({})).await;
    let own = stage.post("/v1/endpoints", json!({ "url": receiver.url("/platform") })).await.json();
    let verify = format!("/v1/endpoints/{}/verify", own["id"].as_str().expect("an id"));
    stage.post(&verify, serde_json::Value::Null).await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let row = stage.row("p1").await;
    let ids: Vec<String> = stage.deliveries(&row.id).await.into_iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 3);
    let named = json!({ "deliveryIds": ids, "reason": "a test" });
    let total = async |key: &str| {
        let reply = stage.post_as(key, "/v1/replays", named.clone()).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["total"].clone()
    };
    let merchant = stage.merchant_id();
    let (_, merchants) = stage.api_key(&["replays:write", "events:read"], Some(&merchant)).await;
    let neighbour = stage.neighbour_id();
    let (_, neighbours) = stage.api_key(&["replays:write", "events:read"], Some(&neighbour)).await;
    assert_eq!(total(&stage.world.keys.test).await, json!(3));
    for stranger in [&merchants, &neighbours, &stage.world.keys.other, &stage.world.keys.live] {
        let reply = stage.post_as(stranger, "/v1/replays", named.clone()).await;
        assert_eq!(reply.status, 422, "{}", reply.text());
        assert!(reply.text().contains("there is no such delivery"), "{}", reply.text());
    }
    let order = json!({ "order": "p1", "reason": "a test" });
    let of_order = stage.post_as(&merchants, "/v1/replays", order).await.json();
    assert_eq!(of_order["total"], json!(2), "not what its platform is told of it");
    let replay = preview(stage, json!({ "deliveryIds": named["deliveryIds"] })).await;
    let path = format!("/v1/replays/{}", replay["id"].as_str().expect("an id"));
    for stranger in [&merchants, &neighbours, &stage.world.keys.other, &stage.world.keys.live] {
        assert_eq!(stage.get_as(stranger, &path).await.status, 404);
    }
    let foreign = json!({ "order": "p1", "reason": "a test" });
    let refused = stage.post_as(&neighbours, "/v1/replays", foreign).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], json!("/order"), "{}", refused.text());
    let both = json!({ "order": "p1", "deliveryIds": ids, "merchantId": merchant, "reason": "a test" });
    assert_eq!(stage.post("/v1/replays", both).await.status, 422);
});
