//! The Idempotency-Key: what was done once is not done again.

use std::time::Duration;

use gateway::api::rest;
use gateway::entity::{kept_answer, merchant};
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

const DAY: Duration = Duration::from_hours(24);

async fn merchants(stage: &Stage) -> u64 {
    merchant::Entity::find().count(&stage.app().store.read).await.expect("the store is read")
}

on_both!(the_same_request_again_gets_the_same_answer_without_its_secret, async |stage: &mut Stage| {
    let body = json!({ "name": "A", "reference": "r" });
    let first = stage.post_once("key-1", "/v1/merchants", body.clone()).await;
    let count = merchants(stage).await;
    for restarted in [false, true] {
        if restarted {
            stage.restart().await;
        }
        let again = stage.post_once("key-1", "/v1/merchants", body.clone()).await;
        assert_eq!((again.status, again.header("location")), (201, first.header("location")));
        let (first, again) = (first.json(), again.json());
        assert_eq!((&first["id"], &first["partnerNo"]), (&again["id"], &again["partnerNo"]));
        let (shown, repeated) = (&first["signKey"], &again["signKey"]);
        assert_eq!((&shown["id"], repeated.get("secret")), (&repeated["id"], None));
        let notice = repeated["notice"].as_str().expect("it says so");
        assert!(notice.contains("2026-09-21T") && notice.contains("sign-keys"), "{notice}");
    }
    assert_eq!(merchants(stage).await, count);
    let secret = first.json()["signKey"]["secret"].as_str().expect("shown once").to_owned();
    let kept = kept_answer::Entity::find().all(&stage.app().store.read).await.expect("the store is read");
    assert!(kept.iter().all(|kept| !kept.answer.contains(&secret)));
});

on_both!(another_request_under_the_same_key_is_refused, async |stage: &mut Stage| {
    stage.post_once("key-1", "/v1/merchants", json!({ "name": "A" })).await;
    let path = format!("/v1/merchants/{}/suspend", stage.merchant_id());
    for (path, body) in [("/v1/merchants", json!({ "name": "B" })), (path.as_str(), Value::Null)] {
        let other = stage.post_once("key-1", path, body).await;
        assert_eq!((other.status, &other.json()["code"]), (422, &json!("idempotency_key_reused")));
    }
    let quoted = stage.post_once("\"key-1\"", "/v1/merchants", json!({ "name": "A" })).await;
    assert_eq!(quoted.status, 201, "quoted, it is the same key");
});

on_both!(
    of_requests_at_the_same_time_one_is_done_and_the_others_wait_or_repeat_it,
    async |stage: &mut Stage| {
        let before = merchants(stage).await;
        let calls = (0..8).map(|_| stage.post_once("key-1", "/v1/merchants", json!({ "name": "A" })));
        let replies = futures_util::future::join_all(calls).await;
        assert!(replies.iter().all(|reply| [201, 409].contains(&reply.status)));
        for running in replies.iter().filter(|reply| reply.status == 409) {
            assert_eq!(running.json()["code"], "idempotency_key_running");
            assert!(running.header("retry-after").is_some());
        }
        let secrets = replies.iter().filter(|reply| reply.text().contains("\"secret\"")).count();
        assert_eq!((secrets, merchants(stage).await), (1, before + 1));
    }
);

on_both!(keys_of_other_tenants_are_other_keys, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let before = merchants(stage).await;
    for key in [&stage.world.keys.test, &stage.world.keys.live, &stage.world.keys.other] {
        let headers = [("authorization", format!("Bearer {key}")), ("idempotency-key", "k".to_owned())];
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let made =
            stage.rest(http::Method::POST, "/v1/merchants", &headers, Some(json!({ "name": "A" }))).await;
        assert_eq!(made.status, 201);
    }
    assert_eq!(merchants(stage).await, before + 3);
});

on_both!(what_failed_is_tried_anew_under_its_key, async |stage: &mut Stage| {
    stage.post("/v1/merchants", json!({ "name": "A", "reference": "r" })).await;
    let body = json!({ "name": "B", "reference": "r" });
    assert_eq!(stage.post_once("key-1", "/v1/merchants", body.clone()).await.status, 409);
    let taken = stage.get("/v1/merchants?reference=r").await.json()["data"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    stage.patch(&format!("/v1/merchants/{taken}"), json!({ "reference": null })).await;
    assert_eq!(stage.post_once("key-1", "/v1/merchants", body).await.status, 201);
});

on_both!(an_answer_is_kept_for_a_day, async |stage: &mut Stage| {
    stage.post_once("key-1", "/v1/merchants", json!({ "name": "A" })).await;
    let kept = async || kept_answer::Entity::find().count(&stage.app().store.read).await.expect("it is read");
    stage.advance(DAY);
    rest::prune(stage.app()).await.expect("pruned");
    assert_eq!(kept().await, 1);
    stage.advance(Duration::from_millis(1));
    rest::prune(stage.app()).await.expect("pruned");
    assert_eq!(kept().await, 0);
    assert_eq!(stage.post_once("key-1", "/v1/merchants", json!({ "name": "B" })).await.status, 201);
});
