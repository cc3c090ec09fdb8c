//! One endpoint's lane: its sequence, its pace, its breaker, and what lies there while it takes nothing.

use std::time::Duration;

use gateway::deliveries::Breaker;
use gateway::entity::delivery::{self, State};
use gateway::entity::endpoint::Status;
use gateway::waiting;

use super::kit::numbers;
use crate::harness::{Backend, Stage};
use crate::on_both;

fn breaker(stage: &Stage, endpoint: &str) -> Breaker {
    stage.app().deliveries.state_of(stage.app(), endpoint).expect("it has a lane").breaker
}

on_both!(what_is_told_of_one_order_comes_in_its_sequence_through_failures, async |stage: &mut Stage| {
    let owner = stage.merchant_id();
    stage.endpoint("e", |_| {}).await;
    let now = stage.app().clock.now_ms();
    let told = |number: &str, sequence| stage.told("e", &owner, "order", number, (sequence, now));
    let (first, mut second, mut third) = (told("s1", 1), told("s2", 2), told("s3", 3));
    second.1.state = State::Waiting;
    third.1.state = State::Waiting;
    stage.write_told(&[first, second, third]).await;

    stage.shop().answer_next(500, "no");
    assert_eq!(stage.deliver_due().await, 1, "the others wait for the first");
    assert_eq!(stage.deliver_due().await, 0);
    stage.advance(Duration::from_secs(15));
    stage.shop().answer_next(200, "success");
    stage.shop().answer_next(500, "no");
    assert_eq!(stage.deliver_due().await, 2);
    stage.advance(Duration::from_secs(15));
    assert_eq!(stage.deliver_due().await, 2);
    assert_eq!(stage.heard(), ["s1", "s1", "s2", "s2", "s3"]);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_the_sequence_and_send_nothing_twice() {
    let mut stage = Stage::set(Backend::Postgres).await;
    let mut other = stage.world.node().await;
    let owner = stage.merchant_id();
    let now = stage.app().clock.now_ms();
    let told: Vec<_> = (0..40_i64)
        .map(|n| {
            let (subject, sequence) = (format!("order{}", n / 4), n % 4 + 1);
            let (event, delivery) =
                stage.told("e", &owner, &subject, &format!("{subject} {sequence}"), (sequence, now));
            let state = if sequence == 1 { State::Due } else { State::Waiting };
            (event, delivery::Model { state, ..delivery })
        })
        .collect();
    stage.write_told(&told).await;
    // Each frees work for the other until neither finds any.
    while {
        let (here, there) = tokio::join!(stage.deliver_due(), other.worker.step());
        here + there > 0
    } {}
    let heard = stage.heard();
    assert_eq!(heard.len(), 40, "each once");
    for order in 0..10 {
        let of_order: Vec<_> =
            heard.iter().filter(|told| told.starts_with(&format!("order{order} "))).collect();
        let expected: Vec<String> = (1..=4).map(|sequence| format!("order{order} {sequence}")).collect();
        assert_eq!(of_order, expected.iter().collect::<Vec<_>>());
    }
    other.stop().await;
    stage.strike().await;
}

on_both!(
    a_breaker_opens_after_failures_in_a_row_lets_one_through_after_a_while_and_closes,
    [("deliveries.breaker_failures", "3"), ("deliveries.breaker_pause", "10s")],
    async |stage: &mut Stage| {
        let owner = stage.merchant_id();
        stage.endpoint("e", |row| row.concurrency = Some(1)).await;
        stage.due("e", &owner, &numbers("n", 6)).await;
        stage.shop().answer(500, "no");
        assert_eq!(stage.deliver_due().await, 3);
        assert_eq!(breaker(stage, "e"), Breaker::Open);

        stage.advance(Duration::from_millis(9_999));
        assert_eq!(stage.deliver_due().await, 0, "it is left alone");
        let waiting = waiting::look(stage.app()).await.expect("the store is read");
        assert_eq!((waiting.deliveries_due, waiting.deliveries_parked), (0, 6));
        stage.advance(Duration::from_millis(1));
        assert_eq!(breaker(stage, "e"), Breaker::HalfOpen);
        assert_eq!(stage.deliver_due().await, 1, "one finds out");
        assert_eq!(breaker(stage, "e"), Breaker::Open);

        stage.advance(Duration::from_millis(19_999));
        assert_eq!(stage.deliver_due().await, 0, "and it is left alone for longer");
        stage.advance(Duration::from_millis(1));
        stage.shop().answer(200, "success");
        assert_eq!(stage.deliver_due().await, 6, "what lay there goes out");
        assert_eq!(breaker(stage, "e"), Breaker::Closed);
        let waiting = waiting::look(stage.app()).await.expect("the store is read");
        assert_eq!((waiting.deliveries_due, waiting.deliveries_parked), (0, 0));
    }
);

on_both!(
    what_is_due_to_a_paused_endpoint_lies_there_and_then_goes_out_in_order_at_its_rate,
    async |stage: &mut Stage| {
        let owner = stage.merchant_id();
        stage
            .endpoint("e", |row| {
                (row.rate, row.concurrency, row.status) = (Some(2), Some(1), Status::Paused);
            })
            .await;
        let told = numbers("n", 5);
        stage.due("e", &owner, &told).await;
        assert_eq!(stage.deliver_due().await, 0);
        let waiting = waiting::look(stage.app()).await.expect("the store is read");
        assert_eq!((waiting.deliveries_due, waiting.deliveries_parked), (0, 5));

        stage.set_status("e", Status::Active).await;
        for sent in [2, 2, 1, 0] {
            assert_eq!(stage.deliver_due().await, sent);
            assert_eq!(stage.deliver_due().await, 0, "no more in the same second");
            stage.advance(Duration::from_secs(1));
        }
        assert_eq!(stage.heard(), told);
    }
);
