//! The audit log: every change, with who and from where, seen by its own tenant alone.

use gateway::entity::audit_entry;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::harness::side::Side;
use crate::on_both;

async fn entries(stage: &Stage, key: &str) -> Vec<Value> {
    let reply = stage.get_as(key, "/v1/audit").await.json();
    reply["data"].as_array().expect("a list").clone()
}

on_both!(a_change_leaves_an_entry_with_who_and_from_where_and_no_secret, async |stage: &mut Stage| {
    let made = stage.post("/v1/merchants", json!({ "name": "A" })).await.json();
    let id = made["id"].as_str().expect("an id");
    stage.patch(&format!("/v1/merchants/{id}"), json!({ "name": "B" })).await;
    let log = entries(stage, &stage.world.keys.test).await;
    let actions: Vec<&Value> = log.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["merchant.changed", "merchant.created"]);
    for entry in &log {
        assert_eq!(
            (&entry["subject"], &entry["merchantId"]),
            (&json!({ "kind": "merchant", "id": id }), &json!(id))
        );
        assert_eq!((&entry["actor"]["kind"], &entry["address"]), (&json!("api_key"), &json!("127.0.0.1")));
    }
    assert_eq!((&log[0]["before"]["name"], &log[0]["after"]["name"]), (&json!("A"), &json!("B")));
    assert_eq!(log[1].get("before"), None);
    let secret = made["signKey"]["secret"].as_str().expect("shown once");
    assert_eq!(log[1]["after"]["signKey"]["fingerprint"].as_str().map(str::len), Some(16));
    assert!(!json!(log).to_string().contains(secret));

    stage.patch(&format!("/v1/merchants/{id}"), json!({ "name": "B" })).await;
    assert_eq!(entries(stage, &stage.world.keys.test).await.len(), 2, "nothing changed, nothing logged");
    let one = stage.get("/v1/audit?action=merchant.created").await.json();
    assert_eq!(one["data"].as_array().map(Vec::len), Some(1));
    let one = stage.get(&format!("/v1/audit?subjectId={id}&limit=1")).await;
    assert!(one.header("link").is_some());
});

on_both!(a_tenant_sees_its_own_entries, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let (own, neighbour) = (stage.merchant_id(), stage.neighbour_id());
    let (_, key) = stage.api_key(&["audit:read"], Some(&own)).await;
    stage.patch(&format!("/v1/merchants/{neighbour}"), json!({ "name": "N" })).await;
    stage.patch(&format!("/v1/merchants/{own}"), json!({ "name": "O" })).await;
    let seen = entries(stage, &key).await;
    let actions: Vec<&Value> = seen.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["merchant.changed", "api_key.created"]);
    assert!(seen.iter().all(|entry| entry["merchantId"] == own.as_str()));
    assert_eq!(entries(stage, &stage.world.keys.other).await, [json!(null); 0]);
    assert_eq!(entries(stage, &stage.world.keys.live).await, [json!(null); 0]);
});

on_both!(the_store_lets_nobody_change_an_entry, async |stage: &mut Stage| {
    stage.post("/v1/merchants", json!({ "name": "A" })).await;
    let mut side = Side::open(stage).await;
    assert!(side.try_run("UPDATE audit_log SET actor_id = 'somebody else'").await.is_err());
    drop(side);
    let entry = audit_entry::Entity::find().one(&stage.app().store.read).await.expect("the store is read");
    assert_ne!(entry.expect("it stands").actor_id, "somebody else");
});
