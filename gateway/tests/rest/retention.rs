//! What is not kept for good goes at its time, and the books and their journal stay.

use std::time::Duration;

use gateway::retention;
use serde_json::json;

use crate::harness::Stage;
use crate::on_both;

async fn prune(stage: &Stage) {
    while retention::step(stage.app()).await.expect("the store takes it") {}
}

on_both!(
    bytes_excerpts_and_the_audit_log_go_at_their_time_and_every_entry_stays,
    [("retention.journal_bytes", "1d"), ("retention.attempt_excerpts", "1d"), ("retention.audit_log", "1d")],
    async |stage: &mut Stage| {
        stage.api_key(&["orders:read"], None).await;
        for number in ["p1", "p2"] {
            stage.pay_one_order(number).await;
        }
        stage.deliver_due().await;
        let orders = stage.rows().await;
        let delivery = stage.deliveries(&orders[0].id).await.remove(0);
        let attempts = stage.attempts(&delivery.id).await;
        assert!(attempts[0].excerpt.is_some());
        let mut journals = Vec::new();
        for order in &orders {
            journals.push(stage.journal(&order.id).await);
        }
        assert!(journals[0].iter().any(|entry| entry.raw.is_some()));

        stage.advance(Duration::from_hours(24));
        prune(stage).await;
        assert_eq!(stage.journal(&orders[0].id).await, journals[0], "not older than a day");
        assert_eq!(stage.get("/v1/audit").await.json()["data"].as_array().map(Vec::len), Some(1));

        stage.advance(Duration::from_hours(2));
        prune(stage).await;
        assert_eq!(stage.rows().await, orders);
        for (order, before) in orders.iter().zip(&mut journals) {
            for entry in before.iter_mut() {
                entry.raw = None;
            }
            assert_eq!(stage.journal(&order.id).await, *before, "kinds, notes and all else stay");
        }
        let after = stage.attempts(&delivery.id).await;
        assert_eq!((after.len(), after[0].excerpt.as_deref()), (attempts.len(), None));
        assert_eq!(after[0].outcome, attempts[0].outcome);
        assert_eq!(stage.get("/v1/audit").await.json()["data"], json!([]));
    }
);

on_both!(
    what_is_held_for_a_person_keeps_its_bytes,
    [("retention.journal_bytes", "1d")],
    async |stage: &mut Stage| {
        use gateway::entity::quarantine;
        use gateway::ledger::{Lane, insert_rows};
        stage.pay_one_order("p1").await;
        let order = stage.row("p1").await;
        let entry =
            stage.journal(&order.id).await.into_iter().find(|entry| entry.raw.is_some()).expect("bytes");
        let held = quarantine::Model {
            id: entry.id.clone(),
            order_id: order.id.clone(),
            submission_id: order.submission_id.clone(),
            platform_id: order.platform_id.clone(),
            merchant_id: order.merchant_id.clone(),
            source: "notice".to_owned(),
            differences: "[]".to_owned(),
            state: "held".to_owned(),
            held_at: entry.at,
            ended_at: None,
            ended_by: None,
            reason: None,
            claim: None,
        };
        let room = stage.app().ledger.room(Lane::Bulk, "test").expect("there is room");
        room.rows(vec![insert_rows::<quarantine::Entity>(&[held])]).await.expect("it is written");
        stage.advance(Duration::from_hours(25));
        prune(stage).await;
        let left = stage.journal(&order.id).await.into_iter().filter(|entry| entry.raw.is_some());
        assert_eq!(left.map(|entry| entry.id).collect::<Vec<_>>(), [entry.id]);
    }
);

on_both!(by_default_the_books_keep_all_they_were_told, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let order = stage.row("p1").await;
    let journal = stage.journal(&order.id).await;
    stage.advance(Duration::from_hours(24 * 365));
    prune(stage).await;
    assert_eq!(stage.journal(&order.id).await, journal);
});
