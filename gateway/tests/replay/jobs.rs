//! A replay from its preview to its end.

use std::time::Duration;

use gateway::deliveries::replay::run::Runner;
use gateway::entity::delivery;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::harness::receiver::{Heard, Receiver};
use crate::kit::{Registered, verifying};
use crate::on_both;

/// A stage with a receiver that has acknowledged these orders' payments.
async fn told(stage: &mut Stage, receiver: &Receiver, settings: Value, numbers: &[&str]) -> Registered {
    let endpoint = stage.endpoint_at(receiver, settings).await;
    for number in numbers {
        stage.pay_one_order(number).await;
        stage.advance(Duration::from_secs(1));
    }
    stage.deliver_due().await;
    endpoint
}

fn numbers(receiver: &Receiver) -> Vec<String> {
    receiver.events().iter().map(|heard: &Heard| heard.told().1).collect()
}

pub async fn preview(stage: &Stage, what: Value) -> Value {
    let mut body = json!({ "reason": "a test" });
    for (name, value) in what.as_object().expect("members") {
        body[name] = value.clone();
    }
    let reply = stage.post("/v1/replays", body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

pub async fn start(stage: &Stage, replay: &Value) -> String {
    let id = replay["id"].as_str().expect("an id").to_owned();
    let reply = stage.post(&format!("/v1/replays/{id}/start"), json!({ "total": replay["total"] })).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    id
}

pub fn runner(stage: &Stage) -> Runner {
    Runner::new(stage.app().clone())
}

pub async fn shown(stage: &Stage, id: &str) -> Value {
    stage.get(&format!("/v1/replays/{id}")).await.json()
}

on_both!(a_preview_counts_and_sends_nothing_and_a_start_names_its_count, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({ "concurrency": 1 }), &["p1", "p2"]).await;
    let replay = preview(stage, json!({ "filter": { "endpointId": endpoint.id } })).await;
    assert_eq!(
        (&replay["state"], &replay["total"], &replay["merchants"], &replay["endpoints"]),
        (&json!("preview"), &json!(2), &json!(1), &json!(1))
    );
    assert!(replay["oldestAt"].as_str() < replay["newestAt"].as_str(), "{replay}");
    let mut runner = runner(stage);
    assert!(!runner.step().await.expect("it looks"), "nothing is running");
    stage.deliver_due().await;
    assert_eq!(receiver.events().len(), 2);

    let path = format!("/v1/replays/{}/start", replay["id"].as_str().expect("an id"));
    let refused = stage.post(&path, json!({ "total": 3 })).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("another_total")));
    let id = start(stage, &replay).await;
    runner.step().await.expect("it goes on");
    stage.deliver_due().await;
    assert_eq!(numbers(&receiver), ["p1", "p2", "p1", "p2"]);
    let (first, again) = (receiver.events().remove(0), receiver.events().remove(2));
    assert_eq!(first.header("webhook-id"), again.header("webhook-id"));
    assert_eq!(first.json(), again.json(), "the original event");
    assert_eq!((first.header("scangate-replay"), again.header("scangate-replay")), ("", id.as_str()));
    assert_eq!(verifying(&again, &endpoint.secret), 1, "signed anew");
    runner.step().await.expect("it goes on");
    let done = shown(stage, &id).await;
    assert_eq!(
        (&done["state"], &done["delivered"], &done["sending"]),
        (&json!("done"), &json!(2), &json!(0))
    );
    assert!(stage.get("/v1/audit").await.text().contains("replay.started"));
    let row = stage.row("p1").await;
    assert!(stage.journal_kinds(&row.id).await.contains(&"replayed".to_owned()));
    assert_eq!(stage.post(&path, json!({ "total": 2 })).await.status, 409, "it is done");
});

on_both!(it_goes_at_its_pace_and_the_pace_can_be_changed, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let orders = ["a", "b", "c", "d", "e", "f", "g"];
    told(stage, &receiver, json!({ "concurrency": 1 }), &orders).await;
    let filter =
        json!({ "filter": { "kinds": ["order.paid"], "merchantId": stage.merchant_id() }, "rate": 2 });
    let replay = preview(stage, filter).await;
    assert_eq!((&replay["total"], &replay["takesSeconds"]), (&json!(14), &json!(7)), "and the notifyUrl's");
    let id = start(stage, &replay).await;
    let mut runner = runner(stage);
    let mut sent = Vec::new();
    for seconds in [0, 1, 1] {
        stage.advance(Duration::from_secs(seconds));
        runner.step().await.expect("it goes on");
        runner.step().await.expect("it goes on");
        sent.push(stage.deliver_due().await);
    }
    assert_eq!(sent, [2, 2, 2]);
    let paced = stage.patch(&format!("/v1/replays/{id}"), json!({ "rate": 100 })).await;
    assert_eq!(paced.json()["rate"], json!(100), "{}", paced.text());
    stage.advance(Duration::from_secs(1));
    runner.step().await.expect("it goes on");
    assert_eq!(stage.deliver_due().await, 8);
});

on_both!(it_is_paused_resumed_and_cancelled, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({ "concurrency": 1 }), &["p1", "p2", "p3", "p4"]).await;
    let what = json!({ "filter": { "endpointId": endpoint.id }, "rate": 2 });
    let id = start(stage, &preview(stage, what.clone()).await).await;
    let mut runner = runner(stage);
    runner.step().await.expect("it goes on");
    let paused = stage.post(&format!("/v1/replays/{id}/pause"), Value::Null).await.json();
    assert_eq!((&paused["state"], &paused["sending"]), (&json!("paused"), &json!(2)));
    stage.advance(Duration::from_mins(1));
    runner.step().await.expect("it looks");
    assert_eq!(stage.deliver_due().await, 0, "what was promised lies still");
    stage.post(&format!("/v1/replays/{id}/resume"), Value::Null).await;
    assert_eq!(stage.deliver_due().await, 2);
    runner.step().await.expect("it goes on");
    let cancelled = stage.post(&format!("/v1/replays/{id}/cancel"), Value::Null).await.json();
    assert_eq!((&cancelled["state"], &cancelled["sending"]), (&json!("cancelled"), &json!(0)));
    assert_eq!(stage.deliver_due().await, 0);
    assert_eq!(numbers(&receiver), ["p1", "p2", "p3", "p4", "p1", "p2"]);
    assert_eq!(stage.post(&format!("/v1/replays/{id}/resume"), Value::Null).await.status, 409);

    // What fails after the cancelling is not tried again.
    let id = start(stage, &preview(stage, what).await).await;
    stage.advance(Duration::from_secs(1));
    runner.step().await.expect("it goes on");
    receiver.answer(500, "");
    stage.deliver_due().await;
    stage.post(&format!("/v1/replays/{id}/cancel"), Value::Null).await;
    runner.step().await.expect("it looks");
    let before = receiver.events().len();
    stage.advance(Duration::from_hours(1));
    stage.deliver_due().await;
    assert_eq!(receiver.events().len(), before);
});

on_both!(
    a_node_that_dies_in_the_middle_is_followed_by_another_and_nothing_comes_twice,
    async |stage: &mut Stage| {
        let receiver = Receiver::open().await;
        let orders: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
        let names: Vec<&str> = orders.iter().map(String::as_str).collect();
        let endpoint = told(stage, &receiver, json!({}), &names).await;
        let what = json!({ "filter": { "endpointId": endpoint.id }, "rate": 4 });
        let id = start(stage, &preview(stage, what).await).await;
        let mut first = runner(stage);
        first.step().await.expect("it goes on");
        stage.deliver_due().await;
        drop(first);
        stage.restart().await;
        let mut second = runner(stage);
        second.step().await.expect("it looks");
        assert_eq!(stage.deliver_due().await, 0, "the lease of the one before runs");
        for _ in 0..4 {
            stage.advance(Duration::from_secs(16));
            second.step().await.expect("it goes on");
            stage.deliver_due().await;
        }
        let mut heard = numbers(&receiver).split_off(10);
        heard.sort_unstable();
        assert_eq!(heard, orders, "each once");
        assert_eq!(shown(stage, &id).await["state"], json!("done"));
    }
);

on_both!(what_is_about_one_order_comes_in_its_sequence, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({}), &["p1"]).await;
    let path = format!("/v1/orders/p1/refunds?merchant={}", stage.merchant_id());
    stage.post(&path, json!({ "refundNo": "r1", "amount": 100 })).await;
    stage.deliver_due().await;
    let id = start(stage, &preview(stage, json!({ "filter": { "endpointId": endpoint.id } })).await).await;
    let mut runner = runner(stage);
    runner.step().await.expect("it goes on");
    receiver.answer(500, "");
    assert_eq!(stage.deliver_due().await, 1, "the second waits for the first");
    receiver.answer(200, "");
    stage.advance(Duration::from_mins(5));
    stage.deliver_due().await;
    let kinds: Vec<String> = receiver.events().iter().map(|heard| heard.told().0).collect();
    let (paid, refunded) = ("order.paid", "refund.succeeded");
    assert_eq!(kinds, [paid, refunded, paid, paid, refunded]);
    runner.step().await.expect("it goes on");
    assert_eq!(shown(stage, &id).await["delivered"], json!(2));
});

on_both!(what_was_acknowledged_meanwhile_is_passed_over_if_asked, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    receiver.answer(500, "");
    let settings = json!({ "schedule": ["10s"] });
    let endpoint = told(stage, &receiver, settings, &["p1", "p2"]).await;
    stage.advance(Duration::from_secs(15));
    stage.deliver_due().await;
    let given_up = json!({ "filter": { "endpointId": endpoint.id, "states": ["exhausted"], "outcomes": ["refused"] },
        "skipAcknowledged": true });
    let (first, second) = (preview(stage, given_up.clone()).await, preview(stage, given_up.clone()).await);
    assert_eq!((&first["total"], &second["total"]), (&json!(2), &json!(2)));
    receiver.answer(200, "");
    let (first, mut runner) = (start(stage, &first).await, runner(stage));
    runner.step().await.expect("it goes on");
    stage.deliver_due().await;
    let second = start(stage, &second).await;
    runner.step().await.expect("it goes on");
    assert_eq!(stage.deliver_due().await, 0);
    runner.step().await.expect("it goes on");
    let (first, second) = (shown(stage, &first).await, shown(stage, &second).await);
    assert_eq!((&first["delivered"], &first["skipped"]), (&json!(2), &json!(0)));
    assert_eq!(
        (&second["delivered"], &second["skipped"], &second["state"]),
        (&json!(0), &json!(2), &json!("done"))
    );
    assert_eq!(preview(stage, given_up).await["total"], json!(0));
    let all =
        preview(stage, json!({ "filter": { "endpointId": endpoint.id }, "skipAcknowledged": true })).await;
    let id = start(stage, &all).await;
    runner.step().await.expect("it goes on");
    let done = shown(stage, &id).await;
    assert_eq!(
        (&done["total"], &done["skipped"], &done["takesSeconds"]),
        (&json!(0), &json!(0), &json!(0)),
        "what the preview did not count is not skipped"
    );
});

on_both!(only_a_proven_endpoint_of_the_same_owner_is_sent_anything, async |stage: &mut Stage| {
    let (gone, moved) = (Receiver::open().await, Receiver::open().await);
    let deleted = stage.endpoint_at(&gone, json!({})).await;
    let unproven = told(stage, &moved, json!({}), &["p1"]).await;
    stage.delete(&deleted.path("")).await;
    stage.patch(&unproven.path(""), json!({ "url": moved.url("/elsewhere") })).await;
    let what = json!({ "order": "p1", "merchantId": stage.merchant_id() });
    let replay = preview(stage, what).await;
    assert_eq!(replay["total"], json!(3), "the notifyUrl's, too");
    let id = start(stage, &replay).await;
    let mut runner = runner(stage);
    runner.step().await.expect("it goes on");
    stage.deliver_due().await;
    runner.step().await.expect("it goes on");
    let done = shown(stage, &id).await;
    assert_eq!((&done["delivered"], &done["failed"], &done["state"]), (&json!(1), &json!(2), &json!("done")));
    assert_eq!((gone.events().len(), moved.events().len()), (1, 1));
});

on_both!(what_is_not_there_to_be_made_again_is_said, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({}), &["p1"]).await;
    let own = endpoint.id.as_str();
    for (what, pointer) in [
        (json!({ "deliveryIds": ["x"] }), "/deliveryIds/0"),
        (json!({ "filter": { "endpointId": "x" } }), "/filter/endpointId"),
        (json!({ "filter": { "merchantId": "x" } }), "/filter/merchantId"),
        (json!({ "filter": { "from": "yesterday" } }), "/filter/from"),
        (
            json!({ "filter": { "endpointId": own, "from": "2026-01-02T00:00:00Z", "before": "2026-01-01T00:00:00Z" } }),
            "/filter/before",
        ),
        (json!({ "order": "p1" }), "/merchantId"),
    ] {
        let mut body = what.clone();
        body["reason"] = json!("a test");
        let refused = stage.post("/v1/replays", body).await;
        assert_eq!(refused.status, 422, "{what}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], json!(pointer), "{what}");
    }
    let recovery = json!({ "since": "2026-01-01T00:00:00Z", "endpointId": "x" });
    let refused = stage.post("/v1/recover", recovery).await;
    assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/endpointId")));
});

on_both!(a_delivery_that_a_replay_made_stands_for_its_original, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({}), &["p1"]).await;
    start(stage, &preview(stage, json!({ "filter": { "endpointId": endpoint.id } })).await).await;
    let mut runner = runner(stage);
    runner.step().await.expect("it goes on");
    stage.deliver_due().await;
    let row = stage.row("p1").await;
    let mut made = stage.deliveries(&row.id).await;
    made.retain(|one| one.endpoint_id == endpoint.id);
    let ids: Vec<&str> = made.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), 2);
    for named in [&ids[..], &ids[..1], &ids[1..]] {
        assert_eq!(preview(stage, json!({ "deliveryIds": named })).await["total"], json!(1), "{named:?}");
    }
});

on_both!(a_preview_says_what_would_go_nowhere, async |stage: &mut Stage| {
    let (gone, open) = (Receiver::open().await, Receiver::open().await);
    let deleted = stage.endpoint_at(&gone, json!({})).await;
    told(stage, &open, json!({}), &["p1", "p2"]).await;
    stage.delete(&deleted.path("")).await;
    let all = preview(stage, json!({ "filter": { "merchantId": stage.merchant_id() } })).await;
    assert_eq!((&all["total"], &all["unsendable"]), (&json!(6), &json!(2)), "the notifyUrl's are sendable");
});

on_both!(what_was_superseded_is_made_again_only_if_asked_for, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({}), &["p1"]).await;
    let row = stage.row("p1").await;
    let original = stage.deliveries(&row.id).await.into_iter().find(|one| one.endpoint_id == endpoint.id);
    let superseded = delivery::Model {
        id: stage.app().chance.id(),
        event_id: stage.app().chance.id(),
        kind: "order.closed".to_owned(),
        state: delivery::State::Superseded,
        ..original.expect("it is there")
    };
    stage.write(vec![gateway::ledger::insert_rows::<delivery::Entity>(&[superseded])]).await;
    let total = async |what: Value| preview(stage, what).await["total"].clone();
    assert_eq!(total(json!({ "order": "p1", "merchantId": stage.merchant_id() })).await, json!(2));
    assert_eq!(total(json!({ "filter": { "endpointId": endpoint.id } })).await, json!(1));
    let asked = json!({ "filter": { "endpointId": endpoint.id, "states": ["superseded"] } });
    assert_eq!(total(asked).await, json!(1));
});

on_both!(what_is_fresh_goes_before_what_is_made_again, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({ "concurrency": 1 }), &["p1", "p2", "p3"]).await;
    start(stage, &preview(stage, json!({ "filter": { "endpointId": endpoint.id } })).await).await;
    let mut runner = runner(stage);
    runner.step().await.expect("it goes on");
    stage.pay_one_order("fresh").await;
    stage.deliver_due().await;
    assert_eq!(numbers(&receiver), ["p1", "p2", "p3", "fresh", "p1", "p2", "p3"]);
});

on_both!(recovering_makes_again_what_was_not_acknowledged_since, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({ "schedule": ["10s"] }), &["before"]).await;
    let since = shared::envelope::rfc3339(stage.app().clock.now());
    stage.advance(Duration::from_secs(1));
    receiver.answer(503, "");
    for number in ["p1", "p2"] {
        stage.pay_one_order(number).await;
    }
    stage.deliver_due().await;
    stage.advance(Duration::from_secs(15));
    stage.deliver_due().await;
    receiver.answer(200, "");
    let heard = receiver.events().len();
    let reply = stage.post("/v1/recover", json!({ "since": since, "endpointId": endpoint.id })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let replay = reply.json();
    assert_eq!((&replay["state"], &replay["total"]), (&json!("running"), &json!(2)));
    runner(stage).step().await.expect("it goes on");
    stage.deliver_due().await;
    let mut again = numbers(&receiver).split_off(heard);
    again.sort_unstable();
    assert_eq!(again, ["p1", "p2"]);
});

on_both!(what_still_waits_for_its_next_attempt_is_recovered_at_once_and_once, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = told(stage, &receiver, json!({ "schedule": ["1h"] }), &[]).await;
    let since = shared::envelope::rfc3339(stage.app().clock.now());
    receiver.answer(500, "");
    for number in ["p1", "p2"] {
        stage.pay_one_order(number).await;
    }
    stage.deliver_due().await;
    receiver.answer(200, "");
    let heard = receiver.events().len();
    let reply = stage.post("/v1/recover", json!({ "since": since, "endpointId": endpoint.id })).await;
    assert_eq!((reply.status, &reply.json()["total"]), (201, &json!(2)), "{}", reply.text());
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    let mut runner = runner(stage);
    runner.step().await.expect("it goes on");
    stage.deliver_due().await;
    stage.advance(Duration::from_hours(2));
    stage.deliver_due().await;
    let mut again = numbers(&receiver).split_off(heard);
    again.sort_unstable();
    assert_eq!(again, ["p1", "p2"], "neither waits an hour nor comes twice");
    runner.step().await.expect("it goes on");
    let done = shown(stage, &id).await;
    assert_eq!(
        (&done["state"], &done["broughtForward"], &done["delivered"]),
        (&json!("done"), &json!(2), &json!(0))
    );
});

on_both!(
    an_endpoint_that_takes_nothing_holds_up_no_other_of_its_replay,
    [("deliveries.replay_ahead", "2")],
    async |stage: &mut Stage| {
        let (closed, open) = (Receiver::open().await, Receiver::open().await);
        let shut = stage.endpoint_at(&closed, json!({ "concurrency": 1 })).await;
        let orders: Vec<String> = (0..9).map(|n| format!("p{n}")).collect();
        let names: Vec<&str> = orders.iter().map(String::as_str).collect();
        told(stage, &open, json!({ "concurrency": 1 }), &names).await;
        stage.post(&shut.path("/pause"), json!({})).await;
        let what = json!({ "filter": { "kinds": ["order.paid"] }, "rate": 1000 });
        let replay = preview(stage, what).await;
        assert_eq!(replay["total"], json!(27), "the notifyUrl's, too");
        let id = start(stage, &replay).await;
        let mut first = runner(stage);
        for _ in 0..9 {
            stage.advance(Duration::from_secs(1));
            first.step().await.expect("it goes on");
            stage.deliver_due().await;
        }
        assert_eq!(numbers(&open).split_off(9), orders);
        let half = shown(stage, &id).await;
        assert_eq!(
            (&half["state"], &half["delivered"], closed.events().len()),
            (&json!("running"), &json!(18), 9)
        );
        let lies = half["sending"].as_i64().expect("a number");
        assert!((2..9).contains(&lies), "a page at most, and no more of it until there is room: {lies}");

        // Another node has it from the store where it was.
        drop(first);
        stage.restart().await;
        let mut second = runner(stage);
        stage.advance(Duration::from_secs(16));
        second.step().await.expect("it goes on");
        assert_eq!(shown(stage, &id).await["sending"], json!(lies));
        stage.post(&shut.path("/resume"), json!({})).await;
        for _ in 0..9 {
            stage.advance(Duration::from_secs(1));
            second.step().await.expect("it goes on");
            stage.deliver_due().await;
        }
        second.step().await.expect("it goes on");
        assert_eq!(numbers(&closed).split_off(9), orders, "each once, in order");
        let done = shown(stage, &id).await;
        assert_eq!((&done["state"], &done["delivered"]), (&json!("done"), &json!(27)));
    }
);

on_both!(
    many_are_made_again_page_by_page,
    [("deliveries.max_in_flight", "64"), ("deliveries.replay_ahead", "2000")],
    async |stage: &mut Stage| {
        let receiver = Receiver::open().await;
        let endpoint = told(stage, &receiver, json!({}), &["p1"]).await;
        let row = stage.row("p1").await;
        let original = stage.deliveries(&row.id).await.into_iter().find(|one| one.endpoint_id == endpoint.id);
        let original = original.expect("it is there");
        let event = stage.events(&row.id).await.remove(0);
        let (mut events, mut deliveries) = (Vec::new(), Vec::new());
        for n in 0..1_500_i64 {
            let id = stage.app().chance.id();
            events.push(gateway::entity::event::Model {
                id: id.clone(),
                subject_id: format!("subject {n}"),
                ..event.clone()
            });
            deliveries.push(delivery::Model {
                id: stage.app().chance.id(),
                event_id: id,
                subject_id: format!("subject {n}"),
                ..original.clone()
            });
        }
        for (events, deliveries) in events.chunks(500).zip(deliveries.chunks(500)) {
            stage.write(vec![gateway::ledger::insert_rows::<gateway::entity::event::Entity>(events)]).await;
            stage.write(vec![gateway::ledger::insert_rows::<delivery::Entity>(deliveries)]).await;
        }
        let what = json!({ "filter": { "endpointId": endpoint.id }, "rate": 1000 });
        let replay = preview(stage, what).await;
        assert_eq!(replay["total"], json!(1_501));
        let id = start(stage, &replay).await;
        let mut runner = runner(stage);
        runner.step().await.expect("it goes on");
        let of_replay = || delivery::Entity::find().filter(delivery::Column::ReplayId.eq(id.as_str()));
        assert_eq!(of_replay().count(&stage.app().store.read).await.expect("it is counted"), 1_000);
        stage.advance(Duration::from_secs(1));
        runner.step().await.expect("it goes on");
        assert_eq!(of_replay().count(&stage.app().store.read).await.expect("it is counted"), 1_501);
        assert_eq!(shown(stage, &id).await["sending"], json!(1_501));
    }
);
