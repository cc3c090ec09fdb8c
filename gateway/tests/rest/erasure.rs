//! Forgetting who paid: it goes out of everything that is kept, and the books stay as they are.

use std::time::Duration;

use gateway::entity::order;
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

/// All that is kept of what was said of an order.
async fn kept(stage: &Stage, order: &order::Model) -> String {
    let journal = stage.journal(&order.id).await;
    let raw = journal.iter().filter_map(|entry| entry.raw.as_deref()).map(String::from_utf8_lossy);
    let events = stage.events(&order.id).await;
    raw.map(std::borrow::Cow::into_owned)
        .chain(journal.iter().map(|entry| entry.note.clone()))
        .chain(events.into_iter().map(|event| event.content))
        .collect()
}

async fn entries_about_journal(stage: &Stage, order: &order::Model) -> Vec<(String, String, bool)> {
    let journal = stage.journal(&order.id).await.into_iter();
    journal.map(|entry| (entry.kind, entry.note, entry.raw.is_some())).collect()
}

on_both!(who_paid_is_forgotten_for_good_and_the_books_stay, async |stage: &mut Stage| {
    let upstream = stage.pay_one_order("p1").await;
    let before = stage.row("p1").await;
    let (buyer, buyer_id) = (before.buyer.clone().expect("told"), before.buyer_id.clone().expect("told"));
    let told = kept(stage, &before).await;
    assert!(told.contains(&buyer) && told.contains(&buyer_id), "{told}");
    let journal = entries_about_journal(stage, &before).await;

    let path = format!("/v1/orders/p1/erase?merchant={}", stage.merchant_id());
    let erased = stage.post_once("k", &path, Value::Null).await;
    assert_eq!((erased.status, erased.json().get("buyer")), (200, None), "{}", erased.text());
    let after = stage.row("p1").await;
    assert_eq!(after, order::Model { buyer: None, buyer_id: None, ..before.clone() });
    assert_eq!(entries_about_journal(stage, &before).await, journal);
    let left = kept(stage, &before).await;
    assert!(!left.contains(&buyer) && !left.contains(&buyer_id), "{left}");
    assert!(left.contains("2100") && left.contains("partnerOrderNo"), "all else is there: {left}");

    for _ in 0..2 {
        assert_eq!(stage.post(&path, Value::Null).await.status, 200);
    }
    assert_eq!(stage.post_once("k", &path, Value::Null).await.json(), erased.json());
    let log = stage.get("/v1/audit?action=order.buyer_erased").await.json();
    assert_eq!(log["data"].as_array().map(Vec::len), Some(1), "{log}");
    assert_eq!(log["data"][0]["subject"], json!({ "kind": "order", "id": before.id }));

    // A later notice is other bytes with the same buyer.
    stage.advance(Duration::from_mins(1));
    stage.upstream().notify_now(&upstream.content.partner_order_no).await.expect("a notice is sent");
    let left = kept(stage, &before).await;
    assert!(!left.contains(&buyer) && !left.contains(&buyer_id), "{left}");
    assert_eq!(stage.row("p1").await.buyer, None);
});

on_both!(an_order_that_nobody_has_paid_has_nothing_to_erase, async |stage: &mut Stage| {
    stage.open("p1").await;
    let path = format!("/v1/orders/p1/erase?merchant={}", stage.merchant_id());
    assert_eq!(stage.post(&path, Value::Null).await.status, 200);
    let log = stage.get("/v1/audit?action=order.buyer_erased").await.json();
    assert_eq!(log["data"], json!([]));
});
