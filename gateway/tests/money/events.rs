//! Events: each move is told once, numbered per order, to whom it is for; and an order's own notifyUrl hears of
//! payments alone.

use std::time::Duration;

use gateway::ledger::{Changes, Lane, Target};
use gateway::orders::tell::{self, Kind, News};
use gateway::orders::{journal, twice};
use sandbox::{Fault, Operation, Twist};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

/// Hear again, on every way, what is known already.
async fn repeat(stage: &Stage, number: &str) {
    let submission = stage.submission_no(number).await;
    for _ in 0..2 {
        stage.advance(Duration::from_secs(3));
        stage.notify(&submission).await;
        stage.query(number).await;
        stage.idle().await;
    }
    twice::sweep(stage.app()).await.expect("swept");
}

async fn told(stage: &Stage, number: &str) -> Vec<String> {
    let events = stage.events(&stage.row(number).await.id).await;
    for (event, place) in events.iter().zip(1_i64..) {
        assert_eq!(event.sequence, place, "{number}: {}", event.kind);
        let content: Value = serde_json::from_str(&event.content).expect("JSON");
        assert_eq!(content["version"], 1);
        assert_eq!(content["number"], number);
        assert!(content["confirmed_by"].as_str().is_some_and(|by| !by.is_empty()), "{content}");
    }
    events.into_iter().map(|event| event.kind).collect()
}

on_both!(
    each_move_is_told_once_however_often_it_is_heard_of,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.open("paid").await;
        let number = stage.submission_no("paid").await;
        stage.pay(&number);
        repeat(stage, "paid").await;
        assert_eq!(told(stage, "paid").await, ["order.paid"]);

        stage.open("failed").await;
        let number = stage.submission_no("failed").await;
        stage.upstream().fail(&number).expect("it fails");
        repeat(stage, "failed").await;
        assert_eq!(told(stage, "failed").await, ["order.failed"]);
        stage.pay(&number);
        repeat(stage, "failed").await;
        assert_eq!(told(stage, "failed").await, ["order.failed", "order.paid"], "late money is told of, too");

        stage.open("closed").await;
        let number = stage.submission_no("closed").await;
        stage.upstream().close(&number).expect("it is closed");
        repeat(stage, "closed").await;
        assert_eq!(told(stage, "closed").await.len(), 1);

        stage.fault(Operation::Create, Fault::Code { code: 3, took_effect: false });
        stage.create(&stage.order("refused")).await;
        assert_eq!(told(stage, "refused").await, ["order.refused"]);
        stage.fault(Operation::Create, Fault::Code { code: 3, took_effect: false });
        stage.create(&stage.order("refused")).await;
        assert_eq!(told(stage, "refused").await, ["order.refused", "order.refused"], "once for each call");

        stage.open("held").await;
        let number = stage.submission_no("held").await;
        stage.pay(&number);
        let notice = stage.upstream().notice(&number, Some(&Twist::WrongAmount)).expect("a notice");
        for _ in 0..2 {
            stage.post_notice(&number, &notice).await;
        }
        repeat(stage, "held").await;
        assert_eq!(told(stage, "held").await, ["fact.quarantined", "order.paid"]);
    }
);

on_both!(an_orders_events_are_listed_to_whom_they_are_for, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    stage.notify_twisted(&number, Twist::WrongAmount).await;
    stage.idle().await;
    let merchant = stage.merchant_id();
    let (_, own) = stage.api_key(&["events:read"], Some(&merchant)).await;
    let to_merchant = stage.get_as(&own, "/v1/orders/p1/events").await.json();
    let to_platform = stage.get(&format!("/v1/orders/p1/events?merchant={merchant}")).await.json();
    let types = |list: &Value| -> Vec<(String, i64)> {
        let rows = list["data"].as_array().expect("a list");
        let row = |row: &Value| {
            (row["type"].as_str().expect("text").to_owned(), row["sequence"].as_i64().expect("a number"))
        };
        rows.iter().map(row).collect()
    };
    let (paid, held) = (("order.paid".to_owned(), 2), ("fact.quarantined".to_owned(), 1));
    assert_eq!(types(&to_platform), [paid.clone(), held]);
    assert_eq!(types(&to_merchant), vec![paid]);
    let event = &to_merchant["data"][0];
    assert_eq!((&event["version"], &event["confirmedBy"]), (&json!(1), &json!("query")));
    let order = &event["order"];
    assert_eq!(
        (&order["number"], &order["status"], &order["paidAmount"]),
        (&json!("p1"), &json!("paid"), &json!(2100))
    );
    assert!(order.get("buyerId").is_none() && order["buyer"].is_string(), "{order}");
    let detail = &to_platform["data"][1]["detail"];
    assert_eq!(detail["differences"], json!([{ "field": "orderAmount", "asked": 2100, "told": 2101 }]));
    let first = stage
        .get_as(&stage.world.keys.test, &format!("/v1/orders/p1/events?merchant={merchant}&limit=1"))
        .await;
    let next = first.json()["next"].as_str().expect("there is more").to_owned();
    let second =
        stage.get(&format!("/v1/orders/p1/events?merchant={merchant}&limit=1&cursor={next}")).await.json();
    assert_eq!(second["data"][0], to_platform["data"][1]);
});

on_both!(
    every_type_of_event_is_posted_and_notify_url_hears_of_the_payment_alone,
    async |stage: &mut Stage| {
        stage.open("p1").await;
        let order = stage.row("p1").await;
        let app = stage.app().clone();
        for kind in Kind::ALL {
            let now = app.clock.now_ms();
            let entry = journal::entry(
                app.chance.id(),
                &order.id,
                &order.submission_id,
                now,
                journal::Kind::Query,
                &json!({ "told": kind.as_str() }),
            );
            let target = Target::of_order(&order.id, &entry.id);
            let chance = app.chance.clone();
            let room = app.ledger.room(Lane::Money, &order.id).expect("room");
            let told = gateway::orders::change(&app, room, target, move |current| {
                let mut after = current.order.clone();
                if kind == Kind::OrderPaid {
                    "paid".clone_into(&mut after.status);
                    after.paid = after.amount;
                }
                let news = News::new(kind, format!("posted:{}", kind.as_str()), now, "query");
                let told = tell::told(&mut after, news, &chance);
                let journal = vec![entry.clone()];
                (Changes { order: Some(after), told: vec![told], journal, ..Changes::default() }, ())
            });
            told.await.expect("it is written");
        }
        let kinds: Vec<String> = stage.events(&order.id).await.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, Kind::ALL.map(Kind::as_str));
        assert_eq!(stage.deliver_due().await, 1);
        stage.advance(Duration::from_hours(48));
        assert_eq!(stage.deliver_due().await, 0);
        let received = stage.shop().received_now();
        assert_eq!((received.len(), stage.shop().paid_now().len()), (1, 1), "paid and nothing else");
    }
);
