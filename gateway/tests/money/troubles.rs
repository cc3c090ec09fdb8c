//! What goes wrong with stores: credentials that are refused, notices that do not come.

use std::time::Duration;

use serde_json::{Value, json};

use super::reconcile::{look, matters};
use crate::harness::people::upstream_partner;
use crate::harness::{ACCOUNT_KEY, Stage};
use crate::on_both;

/// Longer than `reconcile.probe_interval`.
const PROBE: Duration = Duration::from_secs(301);

/// Sequence, state and what showed it, of what the platform was told of a matter.
async fn told(stage: &Stage, matter: &str) -> Vec<(i64, String, Value)> {
    let events = stage.events(matter).await;
    let told = events.iter().map(|event| {
        assert_eq!(event.kind, "store.credentials_failing");
        let content: Value = serde_json::from_str(&event.content).expect("JSON");
        (event.sequence, event.r#move.clone(), content["detail"].clone())
    });
    told.collect()
}

async fn failing_since(stage: &Stage) -> Value {
    stage.get(&format!("/v1/stores/{}", stage.store_id())).await.json()["credentialsFailingSince"].clone()
}

/// Three orders, and then another key at the upstream: their looks are refused.
async fn refused(stage: &Stage) {
    for number in ["p1", "p2", "p3"] {
        stage.open(number).await;
    }
    stage.upstream().set_partner(upstream_partner("a key of another time")).expect("the upstream knows it");
    stage.advance(Duration::from_secs(121));
    assert_eq!(look(stage).await, 3);
}

on_both!(
    a_store_whose_credentials_are_refused_is_left_alone_until_a_probe_is_taken,
    async |stage: &mut Stage| {
        assert_eq!(failing_since(stage).await, Value::Null);
        refused(stage).await;
        let waiting = matters(stage).await;
        assert_eq!(waiting.len(), 1);
        assert_eq!(
            (waiting[0].kind.as_str(), &waiting[0].subject_id),
            ("store.credentials_failing", &stage.store_id())
        );
        assert!(failing_since(stage).await.is_string());
        let detail = json!({ "code": 8, "in_a_row": 3 });
        assert_eq!(told(stage, &waiting[0].id).await, [(1, "raised".to_owned(), detail.clone())]);

        // Its orders are due, and only one question is asked now and then.
        let before = stage.queries();
        for probes in 1..=3 {
            stage.advance(PROBE);
            assert_eq!(look(stage).await, 0);
            assert_eq!(look(stage).await, 0);
            assert_eq!(stage.queries(), before + probes);
        }
        assert_eq!(matters(stage).await[0].count, 4);

        stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
        stage.advance(PROBE);
        look(stage).await;
        assert_eq!(matters(stage).await[0].ended_by.as_deref(), Some("check"));
        assert_eq!(failing_since(stage).await, Value::Null);
        let taken = (2, "ended".to_owned(), json!({ "confirmed_by": "check" }));
        assert_eq!(told(stage, &waiting[0].id).await, [(1, "raised".to_owned(), detail), taken]);
        look(stage).await;
        for number in ["p1", "p2", "p3"] {
            assert_eq!(stage.row(number).await.looks, 2, "its orders are asked about again");
        }
    }
);

on_both!(the_first_call_that_is_taken_ends_it_and_so_does_a_check, async |stage: &mut Stage| {
    refused(stage).await;
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
    stage.open("p4").await;
    stage.idle().await;
    assert_eq!(matters(stage).await[0].ended_by.as_deref(), Some("call"));

    stage.upstream().set_partner(upstream_partner("a key of another time")).expect("the upstream knows it");
    for number in ["p5", "p6", "p7"] {
        assert_ne!(stage.create(&stage.order(number)).await.code, 1);
    }
    stage.idle().await;
    let waiting = matters(stage).await;
    assert_eq!((waiting.len(), waiting[1].ended_at), (2, None));
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
    let checked = stage.post(&format!("/v1/stores/{}/check", stage.store_id()), Value::Null).await;
    assert_eq!(checked.json()["result"], "key_proven");
    assert_eq!(matters(stage).await[1].ended_by.as_deref(), Some("check"));
});

on_both!(two_refusals_are_an_accident, async |stage: &mut Stage| {
    for _ in 0..2 {
        stage.upstream().set_partner(upstream_partner("a key of another time")).expect("it is known");
        for number in ["p1", "p2"] {
            assert_ne!(stage.create(&stage.order(number)).await.code, 1);
        }
        stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows it");
        stage.open("good").await;
        stage.query("good").await;
    }
    stage.idle().await;
    assert_eq!(matters(stage).await, []);
});

/// Three payments of which no notice comes, found by looking, and the time in which it might have come.
async fn unnoticed(stage: &Stage) {
    for number in ["p1", "p2", "p3"] {
        stage.open(number).await;
        stage.pay(&stage.submission_no(number).await);
    }
    stage.advance(Duration::from_secs(121));
    look(stage).await;
    look(stage).await;
    assert_eq!(matters(stage).await, [], "they may still come");
    stage.advance(Duration::from_secs(121));
    look(stage).await;
}

on_both!(missing_notices_are_counted_and_their_store_is_looked_at_more_closely, async |stage: &mut Stage| {
    stage.open("waiting").await;
    unnoticed(stage).await;
    let waiting = matters(stage).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].kind.as_str(), waiting[0].count, &waiting[0].subject_id),
        ("store.notices_missing", 3, &stage.store_id())
    );
    let now = stage.app().clock.now_ms();
    stage.open("closely").await;
    assert_eq!(stage.row("closely").await.look_at, Some(now + 30_000));

    // One that comes after all does not count.
    stage.notify(&stage.submission_no("p1").await).await;
    look(stage).await;
    let ended = matters(stage).await.remove(0);
    assert_eq!(ended.ended_by.as_deref(), Some("notices"));
    let now = stage.app().clock.now_ms();
    stage.open("at leisure").await;
    assert_eq!(stage.row("at leisure").await.look_at, Some(now + 120_000));
});

on_both!(
    a_notice_in_time_ends_it_and_what_was_missing_before_does_not_count_again,
    async |stage: &mut Stage| {
        stage.open("far").await;
        stage.advance(Duration::from_mins(30));
        look(stage).await;
        stage.advance(Duration::from_mins(30));
        look(stage).await;
        let far = stage.row("far").await.look_at.expect("it is looked after");
        unnoticed(stage).await;
        assert!(stage.row("far").await.look_at.expect("it is looked after") < far, "it is looked at sooner");
        stage.open("p4").await;
        stage.pay(&stage.submission_no("p4").await);
        stage.notify(&stage.submission_no("p4").await).await;
        assert_eq!(matters(stage).await[0].ended_by.as_deref(), Some("notice"));
        for _ in 0..3 {
            stage.advance(Duration::from_mins(1));
            look(stage).await;
        }
        assert_eq!(matters(stage).await.len(), 1);
    }
);

on_both!(a_notice_that_comes_in_its_time_is_not_missing, async |stage: &mut Stage| {
    for number in ["p1", "p2", "p3"] {
        stage.open(number).await;
        stage.pay(&stage.submission_no(number).await);
        assert_eq!(stage.query(number).await.body["status"], 1);
        stage.notify(&stage.submission_no(number).await).await;
    }
    stage.advance(Duration::from_mins(5));
    look(stage).await;
    assert_eq!(matters(stage).await, []);
});
