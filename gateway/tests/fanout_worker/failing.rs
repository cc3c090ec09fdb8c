//! Endpoints that acknowledge nothing for days.

use std::time::Duration;

use gateway::deliveries::failing::REASON;
use gateway::entity::endpoint::{Format, Status};
use gateway::entity::{attention, delivery, event};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;

use super::kit::numbers;
use crate::harness::{Backend, Stage};
use crate::on_both;

const HOUR: Duration = Duration::from_hours(1);

/// Kinds of what was told of endpoints, in their order, with the share of the time that was used up.
async fn told(stage: &Stage) -> Vec<(String, Value)> {
    let events = event::Entity::find()
        .filter(event::Column::Kind.starts_with("endpoint."))
        .order_by_asc(event::Column::Id)
        .all(&stage.app().store.read)
        .await
        .expect("the store is read");
    let content = |event: &event::Model| serde_json::from_str::<Value>(&event.content).expect("JSON");
    events.iter().map(|event| (event.kind.clone(), content(event)["detail"]["percent"].clone())).collect()
}

async fn open_matters(stage: &Stage) -> Vec<(String, String, i64)> {
    let open = attention::Entity::waiting().all(&stage.app().store.read).await.expect("the store is read");
    open.into_iter().map(|row| (row.kind, row.subject_id, row.count)).collect()
}

/// Something more is due, and sent.
async fn once_more(stage: &mut Stage, number: &str) {
    let owner = stage.merchant_id();
    stage.due("e", &owner, &[number.to_owned()]).await;
    assert!(stage.deliver_due().await > 0);
}

on_both!(
    an_endpoint_that_fails_for_days_is_told_of_step_by_step_and_disabled_and_keeps_what_is_due,
    [("deliveries.schedule", "[\"1s\"]"), ("deliveries.breaker_failures", "1000")],
    async |stage: &mut Stage| {
        let platform = stage.merchant().platform_id.clone();
        stage.endpoint("e", |_| {}).await;
        // They hear of it; nothing is sent to them here.
        stage
            .endpoint("own", |row| (row.format, row.status) = (Format::StandardWebhooks, Status::Paused))
            .await;
        stage
            .endpoint("platform", |row| {
                (row.format, row.status, row.merchant_id) = (Format::StandardWebhooks, Status::Paused, None);
            })
            .await;
        stage.shop().answer(500, "no");
        let since = stage.app().clock.now_ms();
        once_more(stage, "at once").await;
        assert_eq!(stage.endpoint_row("e").await.failing_since, Some(since));
        stage.advance(59 * HOUR);
        once_more(stage, "before").await;
        assert_eq!(
            (stage.endpoint_row("e").await.failing_since, told(stage).await),
            (Some(since), Vec::new())
        );

        let mut expected = Vec::new();
        for (hours, percent) in [(1, 50), (24, 70), (24, 90)] {
            stage.advance(hours * HOUR);
            for again in 0..2 {
                once_more(stage, &format!("{percent} {again}")).await;
            }
            expected.push(("endpoint.failing".to_owned(), Value::from(percent)));
            assert_eq!(told(stage).await, expected, "once");
            let steps = i64::try_from(expected.len()).expect("few");
            assert_eq!(open_matters(stage).await, [("endpoint.failing".to_owned(), "e".to_owned(), steps)]);
        }

        stage.advance(12 * HOUR);
        once_more(stage, "the last").await;
        expected.push(("endpoint.disabled".to_owned(), Value::Null));
        assert_eq!(told(stage).await, expected);
        assert_eq!(open_matters(stage).await, [("endpoint.disabled".to_owned(), "e".to_owned(), 1)]);
        let row = stage.endpoint_row("e").await;
        assert_eq!((row.status, row.status_reason.as_deref()), (Status::Disabled, Some(REASON)));
        let promised = delivery::Entity::find()
            .filter(delivery::Column::Kind.starts_with("endpoint."))
            .all(&stage.app().store.read)
            .await
            .expect("the store is read");
        for (endpoint, owner) in [("own", stage.merchant_id()), ("platform", platform)] {
            let of: Vec<_> = promised.iter().filter(|delivery| delivery.endpoint_id == endpoint).collect();
            assert_eq!(of.len(), 4, "{endpoint}");
            assert!(of.iter().all(|delivery| delivery.owner_id == owner));
        }
        assert_eq!(promised.len(), 8, "and nobody else, least of all itself");

        let owner = stage.merchant_id();
        stage.due("e", &owner, &numbers("kept", 2)).await;
        assert_eq!(stage.deliver_due().await, 0);
        stage.shop().answer(200, "success");
        stage.set_status("e", Status::Active).await;
        assert!(stage.deliver_due().await >= 2, "what was kept goes out");
        assert_eq!(stage.endpoint_row("e").await.failing_since, None);
    }
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_nodes_see_of_an_endpoint_is_told_once() {
    let settings = [("deliveries.schedule", "[\"1s\"]"), ("deliveries.breaker_failures", "1000")];
    let mut stage = Stage::set_with(Backend::Postgres, &settings).await;
    let owner = stage.merchant_id();
    stage.endpoint("e", |_| {}).await;
    stage.endpoint("own", |row| (row.format, row.status) = (Format::StandardWebhooks, Status::Paused)).await;
    let mut other = stage.world.node().await;
    stage.shop().answer(500, "no");
    once_more(&mut stage, "at once").await;
    let mut expected = Vec::new();
    for (hours, percent) in [(60, 50), (24, 70), (24, 90), (12, 100)] {
        stage.advance(hours * HOUR);
        let of_step = |name: &str| numbers(&format!("{percent} {name}"), 6);
        stage.due("e", &owner, &of_step("together")).await;
        other.app.directory.reload(&other.app.store.read, &other.app.vault).await.expect("it is loaded");
        let (here, there) = tokio::join!(stage.deliver_due(), other.worker.step());
        assert!(here + there > 0);
        // However they were shared out, each node has seen it once more.
        stage.due("e", &owner, &of_step("here")).await;
        stage.deliver_due().await;
        stage.due("e", &owner, &of_step("there")).await;
        other.app.directory.reload(&other.app.store.read, &other.app.vault).await.expect("it is loaded");
        other.worker.step().await;
        expected.push(match percent {
            100 => ("endpoint.disabled".to_owned(), Value::Null),
            _ => ("endpoint.failing".to_owned(), Value::from(percent)),
        });
        assert_eq!(told(&stage).await, expected, "once");
    }
    assert_eq!(open_matters(&stage).await, [("endpoint.disabled".to_owned(), "e".to_owned(), 1)]);
    other.stop().await;
    stage.strike().await;
}

on_both!(an_acknowledgement_takes_back_that_an_endpoint_fails, async |stage: &mut Stage| {
    stage.endpoint("e", |_| {}).await;
    stage.shop().answer(500, "no");
    once_more(stage, "first").await;
    stage.advance(70 * HOUR);
    once_more(stage, "second").await;
    assert_eq!(open_matters(stage).await.len(), 1);
    stage.shop().answer(200, "success");
    once_more(stage, "third").await;
    assert_eq!((stage.endpoint_row("e").await.failing_since, open_matters(stage).await), (None, Vec::new()));
    stage.advance(70 * HOUR);
    stage.shop().answer(500, "no");
    once_more(stage, "fourth").await;
    assert_eq!(stage.endpoint_row("e").await.failing_since, Some(stage.app().clock.now_ms()));
    assert_eq!(told(stage).await.len(), 1);
});

on_both!(an_implicit_endpoint_is_never_disabled, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.shop().answer(500, "no");
    for _ in 0..16 {
        stage.advance(48 * HOUR);
        stage.deliver_due().await;
    }
    assert_eq!((told(stage).await, open_matters(stage).await), (Vec::new(), Vec::new()));
});
