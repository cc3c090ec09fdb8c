//! Orders looked after when nobody asks: how often the upstream is asked, by whom, and what is told of what it says.

use std::time::Duration;

use gateway::entity::{attention, order, submission};
use gateway::ledger::insert_rows;
use gateway::orders::reconcile;
use sandbox::{Fault, Gate, Operation};
use sea_orm::EntityTrait;
use time::OffsetDateTime;

use crate::harness::acts::soon;
use crate::harness::{Backend, Stage};
use crate::on_both;

const HOUR: u64 = 3_600;
const SECOND: Duration = Duration::from_secs(1);

pub async fn look(stage: &Stage) -> usize {
    let looked = reconcile::sweep(stage.app()).await.expect("the store is read");
    stage.idle().await;
    looked
}

/// Move on to so many seconds after `start`, and look.
async fn look_at(stage: &Stage, start: OffsetDateTime, seconds: u64) {
    stage.world.clock.set(start + Duration::from_secs(seconds));
    look(stage).await;
}

/// Everything that waits or waited for a person, oldest first.
pub async fn matters(stage: &Stage) -> Vec<attention::Model> {
    let mut matters =
        attention::Entity::find().all(&stage.app().store.read).await.expect("the store is read");
    matters.sort_by(|one, other| one.id.cmp(&other.id));
    matters
}

on_both!(
    an_abandoned_order_is_asked_about_five_times_and_closed_when_its_time_is_over,
    [("orders.pay_window_qrcode", "12h")],
    async |stage: &mut Stage| {
        let start = stage.app().clock.now();
        stage.open("p1").await;
        let day = 24 * HOUR;
        for (seconds, queries, status) in [
            (119, 0, "awaiting"),
            (121, 1, "awaiting"),
            (599, 1, "awaiting"),
            (603, 2, "awaiting"),
            (12 * HOUR - 1, 2, "awaiting"),
            (12 * HOUR + 1, 3, "closed"),
            (13 * HOUR - 1, 3, "closed"),
            (13 * HOUR + 3, 4, "closed"),
            (12 * HOUR + day - 1, 4, "closed"),
            (12 * HOUR + day + 6, 5, "closed"),
            (40 * day, 5, "closed"),
        ] {
            look_at(stage, start, seconds).await;
            assert_eq!(stage.queries(), queries, "after {seconds} s");
            assert_eq!(stage.row("p1").await.status, status, "after {seconds} s");
        }
        let order = stage.row("p1").await;
        assert_eq!(order.look_at, None, "nothing more is expected");
        // The last: what the upstream said when it had closed it, too.
        assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer", "expired", "query"]);
        let events = stage.events(&order.id).await;
        assert_eq!((events.len(), events[0].kind.as_str()), (1, "order.closed"));
        assert!(events[0].content.contains("\"confirmed_by\":\"expired\""), "{}", events[0].content);
        assert_eq!(stage.deliver_due().await, 0, "its notifyUrl hears of payments only");
        assert_eq!(matters(stage).await, []);
    }
);

on_both!(a_payment_whose_notice_never_comes_is_told_once, async |stage: &mut Stage| {
    stage.open("p1").await;
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.advance(Duration::from_secs(121));
    assert_eq!(look(stage).await, 1);
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.late), ("paid", false));
    let told = stage.paid_events(&order.id).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].content.contains("\"confirmed_by\":\"query\""), "{}", told[0].content);
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now().len(), 1);

    // What comes after all tells nothing new, and nothing more is asked.
    stage.notify(&submission).await;
    stage.advance(Duration::from_hours(60));
    assert_eq!(look(stage).await, 0);
    assert_eq!((stage.queries(), stage.deliver_due().await), (1, 0));
    assert_eq!(stage.paid_events(&order.id).await.len(), 1);
});

on_both!(
    a_payment_after_its_time_was_over_is_found_and_told_as_late,
    [("orders.pay_window_qrcode", "1h")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        stage.advance(Duration::from_hours(1) + SECOND);
        look(stage).await;
        assert_eq!(stage.row("p1").await.status, "closed");
        stage.pay(&stage.submission_no("p1").await);
        stage.advance(Duration::from_hours(1) + SECOND);
        look(stage).await;
        let order = stage.row("p1").await;
        assert_eq!((order.status.as_str(), order.late, order.paid), ("paid", true, 2100));
        let kinds: Vec<String> = stage.events(&order.id).await.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["order.closed", "order.paid"]);
        assert_eq!(stage.deliver_due().await, 1);
    }
);

on_both!(
    nothing_is_closed_without_a_last_answer,
    [("orders.pay_window_qrcode", "1h")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        stage.deafen();
        stage.advance(Duration::from_hours(1) + SECOND);
        look(stage).await;
        assert_eq!((stage.row("p1").await.status.as_str(), stage.queries()), ("awaiting", 1));
        stage.upstream().clear_faults();
        stage.advance(Duration::from_hours(1));
        look(stage).await;
        assert_eq!((stage.row("p1").await.status.as_str(), stage.queries()), ("closed", 2));
    }
);

on_both!(
    an_order_that_nobody_knows_of_is_asked_about_for_a_day_and_then_waits_for_a_person,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
        assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
        stage.deafen();
        let start = stage.app().clock.now_ms();
        let mut looks = Vec::new();
        while let Some(at) = stage.row("p1").await.look_at {
            let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at + 1) * 1_000_000);
            stage.world.clock.set(at.expect("a time"));
            assert_eq!(look(stage).await, 1);
            looks.push((stage.app().clock.now_ms() - start) / 1_000);
        }
        let mut expected = vec![5, 15, 30, 60, 120, 300, 600, 1_800];
        expected.extend((1..=24).map(|hour| hour * 3_600));
        assert_eq!(looks, expected);
        assert_eq!(stage.queries(), 32);
        let order = stage.row("p1").await;
        let waiting = matters(stage).await;
        assert_eq!(waiting.len(), 1);
        assert_eq!((waiting[0].kind.as_str(), &waiting[0].subject_id), ("order.unknown", &order.id));
        assert_eq!(waiting[0].ended_at, None);

        // Whoever finds it out ends that.
        stage.upstream().clear_faults();
        assert_eq!(stage.query("p1").await.body["status"], 2, "closed by now");
        let ended = matters(stage).await.remove(0);
        assert_eq!(ended.ended_by.as_deref(), Some("query"));
        assert!(stage.row("p1").await.look_at.is_some(), "it is looked after again");
    }
);

on_both!(
    what_the_budget_refuses_is_put_off_and_not_lost,
    [("limits.account", "8/8h")],
    async |stage: &mut Stage| {
        for number in ["p1", "p2", "p3"] {
            stage.open(number).await;
        }
        stage.advance(Duration::from_secs(121));
        assert_eq!(look(stage).await, 1, "half of the budget is not for this");
        assert_eq!(stage.queries(), 1);
        let looks: i64 = stage.rows().await.iter().map(|order| order.looks).sum();
        assert_eq!(looks, 1, "what was not asked is still to be made");
        stage.advance(Duration::from_hours(8));
        assert_eq!(look(stage).await, 3);
        assert_eq!(stage.queries(), 4);
    }
);

on_both!(a_look_that_was_begun_is_not_made_again, async |stage: &mut Stage| {
    stage.open("p1").await;
    stage.advance(Duration::from_secs(121));
    let gate = Gate::new();
    stage.fault(Operation::Query, Fault::DelayAnswer(gate.clone()));
    let app = stage.app().clone();
    let cut_off = tokio::spawn(async move { reconcile::sweep(&app).await });
    soon(stage.upstream().seen_queries(1)).await;
    cut_off.abort();
    assert_eq!(reconcile::sweep(stage.app()).await.expect("the store is read"), 0);
    gate.open();
    stage.idle().await;
    Box::pin(stage.restart()).await;
    assert_eq!((look(stage).await, stage.queries()), (0, 1));
    stage.advance(Duration::from_secs(481));
    assert_eq!((look(stage).await, stage.queries()), (1, 2), "the next one comes when it was planned");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_on_one_postgres_ask_once() {
    let stage = Stage::set(Backend::Postgres).await;
    for number in 0..60 {
        stage.open(&format!("p{number}")).await;
    }
    let second = stage.world.node().await;
    for (advance, queries) in [(121, 60), (482, 120)] {
        stage.advance(Duration::from_secs(advance));
        let (one, other) = tokio::join!(reconcile::sweep(stage.app()), reconcile::sweep(&second.app));
        let looked = one.expect("the store is read") + other.expect("the store is read");
        assert_eq!((looked, stage.queries()), (60, queries));
    }
    assert!(stage.upstream().orders().iter().all(|order| order.queries == 2), "each as often as the others");
    second.stop().await;
    stage.strike().await;
}

on_both!(another_submission_is_watched_although_the_order_is_paid, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
    let first = stage.submission_no("p1").await;
    stage.open("p1").await;
    let second = stage.submission_no("p1").await;
    assert_ne!(first, second);
    stage.pay(&second);
    stage.notify(&second).await;
    stage.pay(&first);
    stage.advance(Duration::from_secs(121));
    look(stage).await;
    let order = stage.row("p1").await;
    assert!(order.paid_twice, "found without a notice");
    assert_eq!(stage.paid_events(&order.id).await.len(), 1);
    let queries = stage.queries();
    stage.advance(Duration::from_hours(100));
    look(stage).await;
    assert_eq!(stage.queries(), queries, "no money can come any more");
});

/// Copies of an order, each with a submission of its own, as if they had been opened with it.
async fn copies(stage: &Stage, sample: &order::Model, count: usize) {
    let found =
        submission::Entity::find_by_id(sample.submission_id.as_str()).one(&stage.app().store.read).await;
    let call = found.expect("the store is read").expect("it is there");
    for part in (0..count).collect::<Vec<_>>().chunks(500) {
        let (mut orders, mut calls) = (Vec::new(), Vec::new());
        for n in part {
            let (id, call_id) = (stage.app().chance.id(), stage.app().chance.id());
            orders.push(order::Model {
                id: id.clone(),
                number: format!("n{n}"),
                submission_id: call_id.clone(),
                ..sample.clone()
            });
            calls.push(submission::Model { id: call_id, order_id: id, ..call.clone() });
        }
        stage
            .write(vec![insert_rows::<order::Entity>(&orders), insert_rows::<submission::Entity>(&calls)])
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_abandoned_orders_are_asked_about_five_times_each() {
    const COUNT: usize = 10_000;
    let stage = Stage::set_with(Backend::Sqlite, &[("orders.pay_window_qrcode", "12h")]).await;
    stage.open("sample").await;
    copies(&stage, &stage.row("sample").await, COUNT - 1).await;
    let start = stage.app().clock.now();
    let day = 24 * HOUR;
    let mut asked = 0;
    for (seconds, looks, closed) in [
        (121, 1, 0),
        (603, 2, 0),
        (12 * HOUR + 1, 0, COUNT),
        (13 * HOUR + 3, 1, COUNT),
        (12 * HOUR + day + 6, 2, COUNT),
    ] {
        look_at(&stage, start, seconds).await;
        asked += COUNT as u64;
        assert_eq!(stage.queries(), asked, "after {seconds} s");
        let rows = stage.rows().await;
        assert!(rows.iter().all(|order| order.looks == looks), "each once, after {seconds} s");
        assert_eq!(rows.iter().filter(|order| order.status == "closed").count(), closed);
    }
    look_at(&stage, start, 100 * day).await;
    assert_eq!(stage.queries(), asked, "and no more");
    stage.strike().await;
}

on_both!(
    one_that_hangs_does_not_keep_the_others_waiting,
    [("reconcile.concurrency", "4")],
    async |stage: &mut Stage| {
        for number in 0..12 {
            stage.open(&format!("p{number}")).await;
        }
        stage.advance(Duration::from_secs(121));
        let gate = Gate::new();
        stage.fault(Operation::Query, Fault::DelayAnswer(gate.clone()));
        let app = stage.app().clone();
        let mut worker = tokio::spawn(async move {
            let stop = tokio_util::sync::CancellationToken::new();
            reconcile::Worker::new(app).run(stop).await;
        });
        soon(stage.upstream().seen_queries(12)).await;
        gate.open();
        worker.abort();
        assert!((&mut worker).await.is_err_and(|ended| ended.is_cancelled()));
        stage.idle().await;
        assert!(stage.upstream().orders().iter().all(|order| order.queries == 1));
    }
);
