//! Paused, disabled, resumed and taken away.

use std::time::Duration;

use gateway::deliveries::dropped;
use gateway::entity::delivery::{self, State};
use gateway::entity::{attention, event};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::harness::receiver::{Heard, Receiver};
use crate::on_both;

fn numbers(receiver: &Receiver) -> Vec<String> {
    receiver.events().iter().map(|heard: &Heard| heard.told().1).collect()
}

/// Matters that wait for a person.
async fn matters(stage: &Stage) -> Vec<String> {
    let waiting = attention::Entity::waiting().all(&stage.app().store.read).await.expect("the store is read");
    waiting.into_iter().map(|row| row.kind).collect()
}

on_both!(what_is_told_while_an_endpoint_is_paused_waits_and_goes_out_in_order, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({ "concurrency": 1 })).await;
    let paused = stage.post(&endpoint.path("/pause"), Value::Null).await;
    assert_eq!(paused.json()["status"], json!("paused"));
    for number in ["p1", "p2", "p3"] {
        stage.pay_one_order(number).await;
        stage.advance(Duration::from_secs(1));
    }
    stage.deliver_due().await;
    assert!(numbers(&receiver).is_empty());
    assert_eq!(stage.post(&endpoint.path("/pause"), Value::Null).await.status, 200, "it is so already");
    stage.post(&endpoint.path("/resume"), Value::Null).await;
    stage.deliver_due().await;
    assert_eq!(numbers(&receiver), ["p1", "p2", "p3"]);
});

on_both!(an_answer_of_410_disables_an_endpoint_until_its_owner_resumes_it, async |stage: &mut Stage| {
    let (gone, other) = (Receiver::open().await, Receiver::open().await);
    let endpoint = stage.endpoint_at(&gone, json!({})).await;
    stage.endpoint_at(&other, json!({ "eventTypes": ["endpoint.disabled"] })).await;
    gone.answer(410, "");
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let shown = stage.shown(&endpoint).await;
    assert_eq!(shown["status"], json!("disabled"));
    assert_eq!(shown["statusReason"], json!("it answered 410 Gone"));
    assert_eq!(matters(stage).await, ["endpoint.disabled"]);
    stage.deliver_due().await;
    assert_eq!(other.events()[0].json()["endpoint"]["id"], json!(endpoint.id));
    assert_eq!(stage.post(&endpoint.path("/pause"), Value::Null).await.status, 409);

    gone.answer(200, "");
    stage.pay_one_order("p2").await;
    stage.advance(Duration::from_hours(1));
    stage.deliver_due().await;
    assert_eq!(numbers(&gone), ["p1"], "nothing is sent, and nothing is lost");
    let resumed = stage.post(&endpoint.path("/resume"), Value::Null).await.json();
    assert!(resumed.get("failingSince").is_none() && resumed.get("statusReason").is_none(), "{resumed}");
    assert_eq!(matters(stage).await, Vec::<String>::new());
    stage.deliver_due().await;
    let mut heard = numbers(&gone);
    heard.sort_unstable();
    assert_eq!(heard, ["p1", "p1", "p2"]);
});

on_both!(
    what_was_said_of_an_endpoint_ends_with_its_url_and_is_said_anew_of_the_next,
    async |stage: &mut Stage| {
        let (gone, next, other) = (Receiver::open().await, Receiver::open().await, Receiver::open().await);
        let endpoint = stage.endpoint_at(&gone, json!({})).await;
        stage.endpoint_at(&other, json!({ "eventTypes": ["endpoint.disabled"] })).await;
        gone.answer(410, "");
        stage.pay_one_order("p1").await;
        stage.deliver_due().await;
        stage.deliver_due().await;
        assert_eq!((matters(stage).await, other.events().len()), (vec!["endpoint.disabled".to_owned()], 1));

        stage.patch(&endpoint.path(""), json!({ "url": next.url("/moved") })).await;
        assert_eq!(matters(stage).await, Vec::<String>::new(), "it was said of the URL before");
        stage.post(&endpoint.path("/verify"), Value::Null).await;
        assert_eq!(stage.shown(&endpoint).await["status"], json!("active"));
        next.answer(410, "");
        stage.advance(Duration::from_hours(1));
        stage.deliver_due().await;
        stage.deliver_due().await;
        assert_eq!(matters(stage).await, ["endpoint.disabled"]);
        let heard = other.events();
        assert_eq!(heard.len(), 2);
        for told in heard {
            let id = told.json()["id"].as_str().expect("an event has an id").to_owned();
            let row = event::Entity::find_by_id(&id).one(&stage.app().store.read).await;
            assert!(row.expect("the store is read").is_some(), "{id} is an event that is kept");
        }
    }
);

on_both!(what_the_url_before_answers_late_says_nothing_of_the_next, async |stage: &mut Stage| {
    let (before, next) = (Receiver::open().await, Receiver::open().await);
    let endpoint = stage.endpoint_at(&before, json!({})).await;
    before.answer(410, "");
    before.hold();
    stage.pay_one_order("p1").await;
    let mut worker = stage.take_worker();
    let sending = tokio::spawn(async move {
        worker.step().await;
        worker
    });
    before.came(1).await;
    stage.patch(&endpoint.path(""), json!({ "url": next.url("/moved") })).await;
    stage.advance(Duration::from_secs(1));
    assert_eq!(stage.post(&endpoint.path("/verify"), Value::Null).await.status, 200);
    before.let_go(1);
    let mut worker = sending.await.expect("it sends");
    let shown = stage.shown(&endpoint).await;
    assert_eq!((&shown["status"], shown.get("failingSince")), (&json!("active"), None), "{shown}");
    assert_eq!(matters(stage).await, Vec::<String>::new());
    stage.advance(Duration::from_hours(1));
    worker.step().await;
    assert_eq!(numbers(&next), ["p1"], "what the URL before did not take goes to the next");
});

on_both!(
    the_next_url_is_not_left_alone_for_what_the_one_before_has_failed,
    [
        ("deliveries.breaker_failures", "2"),
        ("deliveries.breaker_pause", "10m"),
        ("deliveries.schedule", "[\"1s\", \"1s\"]")
    ],
    async |stage: &mut Stage| {
        let (before, next) = (Receiver::open().await, Receiver::open().await);
        let endpoint = stage.endpoint_at(&before, json!({})).await;
        before.answer(500, "");
        for number in ["p1", "p2"] {
            stage.pay_one_order(number).await;
        }
        stage.deliver_due().await;
        stage.advance(Duration::from_secs(5));
        stage.deliver_due().await;
        assert_eq!(before.events().len(), 2, "it is left alone");
        stage.patch(&endpoint.path(""), json!({ "url": next.url("/moved") })).await;
        stage.post(&endpoint.path("/verify"), Value::Null).await;
        stage.deliver_due().await;
        let mut heard = numbers(&next);
        heard.sort_unstable();
        assert_eq!(heard, ["p1", "p2"]);
    }
);

on_both!(what_is_told_until_another_url_is_proven_waits_for_that, async |stage: &mut Stage| {
    let (before, next) = (Receiver::open().await, Receiver::open().await);
    let never = stage
        .post("/v1/endpoints", json!({ "url": next.url("/never"), "merchantId": stage.merchant_id() }))
        .await;
    let never = never.json()["id"].as_str().expect("an id").to_owned();
    let endpoint = stage.endpoint_at(&before, json!({ "concurrency": 1 })).await;
    stage.patch(&endpoint.path(""), json!({ "url": next.url("/moved") })).await;
    for number in ["p1", "p2"] {
        stage.pay_one_order(number).await;
        stage.advance(Duration::from_secs(1));
    }
    stage.deliver_due().await;
    assert_eq!((before.events().len(), next.events().len()), (0, 0));
    assert_eq!(stage.post(&endpoint.path("/verify"), Value::Null).await.status, 200);
    stage.deliver_due().await;
    assert_eq!(numbers(&next), ["p1", "p2"]);
    assert_eq!(stage.post(&format!("/v1/endpoints/{never}/verify"), Value::Null).await.status, 200);
    assert_eq!(stage.deliver_due().await, 0, "before its first proof nothing was promised to it");
});

on_both!(a_pause_outlasts_another_url, async |stage: &mut Stage| {
    let (before, next) = (Receiver::open().await, Receiver::open().await);
    let endpoint = stage.endpoint_at(&before, json!({})).await;
    stage.post(&endpoint.path("/pause"), Value::Null).await;
    let moved = stage.patch(&endpoint.path(""), json!({ "url": next.url("/moved") })).await;
    assert_eq!(moved.json()["status"], json!("paused"), "{}", moved.text());
    stage.pay_one_order("p1").await;
    assert_eq!(stage.post(&endpoint.path("/resume"), Value::Null).await.status, 409, "it is not proven");
    assert_eq!(stage.post(&endpoint.path("/verify"), Value::Null).await.json()["status"], json!("paused"));
    stage.deliver_due().await;
    assert_eq!(next.events().len(), 0);
    stage.post(&endpoint.path("/resume"), Value::Null).await;
    stage.deliver_due().await;
    assert_eq!(numbers(&next), ["p1"]);
});

/// How an endpoint is told to be back, and what it is asked with that.
const BACK: [&str; 4] = ["/resume", "/verify", "/test", "recover"];

on_both!(
    an_endpoint_that_is_said_to_be_back_is_tried_at_once,
    [
        ("deliveries.breaker_failures", "2"),
        ("deliveries.breaker_pause", "10m"),
        ("deliveries.schedule", "[\"1s\", \"1s\"]")
    ],
    async |stage: &mut Stage| {
        for how in BACK {
            let receiver = Receiver::open().await;
            let endpoint = stage.endpoint_at(&receiver, json!({})).await;
            let since = shared::envelope::rfc3339(stage.app().clock.now());
            receiver.answer(500, "");
            for number in ["p1", "p2"] {
                stage.pay_one_order(&format!("{how} {number}")).await;
            }
            stage.deliver_due().await;
            stage.advance(Duration::from_secs(5));
            receiver.answer(200, "");
            let shown = stage.shown(&endpoint).await;
            let now = shared::envelope::rfc3339(stage.app().clock.now());
            assert_eq!(shown["breaker"], json!("open"));
            assert!(shown["leftAloneUntil"].as_str().is_some_and(|until| until > now.as_str()), "{shown}");
            assert_eq!(stage.deliver_due().await, 0, "{how}: it is left alone");
            let said = match how {
                "recover" => {
                    let what = json!({ "since": since, "endpointId": endpoint.id });
                    stage.post("/v1/recover", what).await
                }
                _ => stage.post(&endpoint.path(how), Value::Null).await,
            };
            assert!(said.status < 300, "{how}: {}", said.text());
            let heard = receiver.events().len();
            assert!(stage.deliver_due().await > 0, "{how}: it is tried at once");
            let told: Vec<_> = numbers(&receiver).split_off(heard);
            assert!(told.contains(&format!("{how} p1")) && told.contains(&format!("{how} p2")), "{told:?}");
            assert!(stage.shown(&endpoint).await.get("leftAloneUntil").is_none());
            stage.delete(&endpoint.path("")).await;
        }
    }
);

on_both!(
    what_an_endpoint_asked_for_stands_after_a_restart_and_ends_when_it_is_resumed,
    async |stage: &mut Stage| {
        let receiver = Receiver::open().await;
        let endpoint = stage.endpoint_at(&receiver, json!({})).await;
        receiver.answer_with(429, "", &[("retry-after", "1800")]);
        stage.pay_one_order("p1").await;
        stage.deliver_due().await;
        receiver.answer(200, "");
        stage.pay_one_order("p2").await;
        stage.restart().await;
        stage.advance(Duration::from_mins(29));
        assert_eq!(receiver.events().len(), 1);
        stage.deliver_due().await;
        assert_eq!(receiver.events().len(), 1, "for as long as it asked");
        let shown = stage.shown(&endpoint).await;
        assert!(shown["leftAloneUntil"].is_string() && shown["breaker"] == json!("open"), "{shown}");
        stage.post(&endpoint.path("/resume"), Value::Null).await;
        stage.deliver_due().await;
        assert_eq!(numbers(&receiver).split_off(1), ["p2"], "p1 has a time of its own");
        stage.advance(Duration::from_mins(2));
        stage.deliver_due().await;
        assert_eq!(numbers(&receiver).split_off(2), ["p1"]);
    }
);

on_both!(what_is_due_later_to_an_endpoint_that_is_deleted_ends_now, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({ "schedule": ["24h"] })).await;
    receiver.answer(500, "");
    for number in ["p1", "p2", "p3"] {
        stage.pay_one_order(number).await;
    }
    stage.deliver_due().await;
    stage.delete(&endpoint.path("")).await;
    dropped::end(stage.app(), &endpoint.id).await;
    stage.deliver_due().await;
    let rows = delivery::Entity::find().filter(delivery::Column::EndpointId.eq(endpoint.id.as_str()));
    let rows = rows.all(&stage.app().store.read).await.expect("the store is read");
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [State::Cancelled; 3]);
    assert_eq!(receiver.events().len(), 3);
});

on_both!(
    what_was_told_of_a_platforms_own_endpoint_is_fetched_after_it_was_deleted,
    async |stage: &mut Stage| {
        let gone = Receiver::open().await;
        let own = stage.post("/v1/endpoints", json!({ "url": gone.url("/") })).await.json();
        let path = format!("/v1/endpoints/{}", own["id"].as_str().expect("an id"));
        assert_eq!(stage.post(&format!("{path}/verify"), Value::Null).await.status, 200);
        gone.answer(410, "");
        stage.pay_one_order("p1").await;
        stage.deliver_due().await;
        let told = async |stage: &Stage| {
            let feed = stage.get("/v1/events?type=endpoint.disabled&wait=20").await.json();
            let events = feed["data"].as_array().expect("events").clone();
            events.iter().map(|event| event["endpoint"]["id"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(told(stage).await, std::slice::from_ref(&own["id"]));
        assert_eq!(stage.delete(&path).await.status, 200);
        assert_eq!(told(stage).await, std::slice::from_ref(&own["id"]));
    }
);

on_both!(an_endpoint_that_says_twice_at_once_that_it_is_gone_is_told_of_once, async |stage: &mut Stage| {
    let (gone, other) = (Receiver::open().await, Receiver::open().await);
    stage.endpoint_at(&gone, json!({ "concurrency": 4 })).await;
    stage.endpoint_at(&other, json!({ "eventTypes": ["endpoint.disabled"] })).await;
    gone.answer(410, "");
    for number in ["p1", "p2", "p3", "p4"] {
        stage.pay_one_order(number).await;
    }
    stage.deliver_due().await;
    stage.deliver_due().await;
    assert_eq!(matters(stage).await, ["endpoint.disabled"]);
    assert_eq!(other.events().len(), 1);
});

on_both!(an_answer_of_410_from_a_notify_url_ends_the_one_delivery, async |stage: &mut Stage| {
    stage.shop().answer(410, "gone");
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let row = stage.row("p1").await;
    let delivery = stage.deliveries(&row.id).await.remove(0);
    assert_eq!((delivery.state, delivery.outcome.as_deref()), (State::Exhausted, Some("gone")));
    stage.shop().answer(200, "success");
    stage.pay_one_order("p2").await;
    stage.deliver_due().await;
    let row = stage.row("p2").await;
    assert_eq!(
        stage.deliveries(&row.id).await[0].state,
        State::Delivered,
        "the next one is sent all the same"
    );
});

on_both!(what_is_due_to_a_deleted_endpoint_ends_unsent, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({})).await;
    stage.post(&endpoint.path("/pause"), Value::Null).await;
    stage.pay_one_order("p1").await;
    let deleted = stage.delete(&endpoint.path("")).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    stage.deliver_due().await;
    let row = stage.row("p1").await;
    let deliveries = stage.deliveries(&row.id).await;
    let ours = deliveries.iter().find(|one| one.endpoint_id == endpoint.id).expect("it is kept");
    assert_eq!((ours.state, ours.attempts), (State::Cancelled, 0));
    assert!(receiver.events().is_empty());
    assert_eq!(stage.get(&endpoint.path("")).await.status, 404);
    assert_eq!(stage.post(&endpoint.path("/resume"), Value::Null).await.status, 404);
    stage.pay_one_order("p2").await;
    let row = stage.row("p2").await;
    assert_eq!(stage.deliveries(&row.id).await.len(), 1, "only the notifyUrl is promised it");
});
