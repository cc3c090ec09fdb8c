//! Refunds of which it is not known how they end: kept back, followed, never made twice.

use std::time::Duration;

use gateway::entity::refund::State;
use sandbox::{Fault, Operation, RefundState};
use serde_json::json;

use crate::harness::Stage;
use crate::harness::acts::soon;
use crate::harness::side::Side;
use crate::on_both;

const LOST: Fault = Fault::HangUp { took_effect: true };

on_both!(
    a_lost_answer_and_an_impatient_clerk_give_money_back_once,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        stage.fault(Operation::Refund, LOST);
        let lost = stage.refund("p1", "r1", 700).await;
        assert_eq!((lost.code, &lost.body["status"]), (1, &json!(0)), "{}", lost.body);
        let clerk = stage.refund("p1", "r2", 700).await;
        assert_eq!(clerk.code, 32);
        assert!(clerk.msg().contains("refundNo r1"), "{}", clerk.msg());
        let again = stage.refund("p1", "r1", 700).await;
        assert_eq!(
            (again.code, &again.body["status"], &again.body["refundNo"]),
            (1, &json!(0), &json!("r1"))
        );
        assert_eq!(stage.refund("p1", "r1", 500).await.code, 31);
        let other = stage.refund("p1", "r3", 1401).await;
        assert_eq!(other.code, 35, "what is in doubt stays kept back");
        let id = stage.refund_row("p1", "r1").await.id;
        let upstream = stage.upstream_refunds("p1").await;
        assert_eq!(upstream, [(id, 700, RefundState::Refunded, 1)], "no second refund upstream");
        assert_eq!(stage.books("p1").await, ("paid".to_owned(), 0, 700));
        // The rest of it: now the upstream says that all is refunded, and so the one in doubt is, too.
        assert_eq!(stage.refund("p1", "r4", 1400).await.body["status"], 1);
        assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 1400, 700));
        assert_eq!(stage.refund("p1", "r1", 700).await.body["status"], 1, "it was asked about");
        assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
        let told = ["order.paid", "refund.succeeded", "refund.succeeded"];
        assert_eq!(stage.told("p1").await, told, "nothing was refunded elsewhere");
    }
);

on_both!(a_full_refund_in_doubt_is_followed_by_queries_until_it_is_known, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.fault(Operation::Refund, LOST);
    assert_eq!(stage.refund("p1", "r1", 2100).await.body["status"], 0);
    stage.deafen();
    assert_eq!(stage.follow_after(Duration::from_secs(4)).await, 0, "not due yet");
    assert_eq!(stage.follow_after(Duration::from_secs(1)).await, 1);
    assert_eq!(stage.refund_state("p1", "r1").await, State::Unknown);
    stage.upstream().clear_faults();
    stage.restart().await;
    assert_eq!(stage.follow_after(Duration::from_secs(14)).await, 0);
    assert_eq!(stage.follow_after(Duration::from_secs(1)).await, 1);
    assert_eq!(stage.refund_state("p1", "r1").await, State::Refunded);
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
    assert_eq!(stage.told("p1").await, ["order.paid", "refund.succeeded"]);
    assert_eq!(stage.follow_after(Duration::from_hours(48)).await, 0, "nothing is expected any more");
    assert_eq!(stage.refund_calls(), 1);
});

on_both!(
    a_refund_in_progress_that_ends_while_it_is_waited_for_is_told_at_once,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        stage.next_refund_goes_on();
        let end = async {
            soon(stage.upstream().seen_refunds(1)).await;
            stage.end_upstream("p1", "r1", RefundState::Refunded).await;
        };
        let (answer, ()) = soon(Box::pin(async { tokio::join!(stage.refund("p1", "r1", 2100), end) })).await;
        assert_eq!((answer.code, &answer.body["status"]), (1, &json!(1)), "{}", answer.body);
        assert_eq!(stage.told("p1").await, ["order.paid", "refund.succeeded"]);
    }
);

on_both!(
    a_refund_in_progress_is_done_or_fails_in_the_end_where_repeats_are_configured,
    [("orders.repeat_refunds", "true"), ("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        for (number, end, state, books) in [
            ("done", RefundState::Refunded, State::Refunded, ("partially_refunded", 700, 0)),
            ("failed", RefundState::Failed, State::Failed, ("paid", 0, 0)),
        ] {
            stage.pay_one_order(number).await;
            stage.next_refund_goes_on();
            assert_eq!(stage.refund(number, "r1", 700).await.body["status"], 0);
            assert_eq!(stage.refund_state(number, "r1").await, State::InProgress);
            stage.follow_after(Duration::from_secs(5)).await;
            assert_eq!(
                stage.refund_state(number, "r1").await,
                State::InProgress,
                "it was asked about: nothing new"
            );
            stage.end_upstream(number, "r1", end).await;
            stage.follow_after(Duration::from_secs(15)).await;
            let refund = stage.refund_row(number, "r1").await;
            assert_eq!((refund.state, refund.calls), (state, 3));
            assert_eq!(stage.books(number).await, (books.0.to_owned(), books.1, books.2));
            let event = if end == RefundState::Refunded { "refund.succeeded" } else { "refund.failed" };
            assert_eq!(stage.told(number).await, ["order.paid", event]);
            let upstream = stage.upstream_refunds(number).await;
            assert_eq!(upstream, [(refund.id, 700, end, 3)], "always the same number");
        }
    }
);

on_both!(
    a_refusal_of_a_repeat_proves_nothing_of_the_first_call,
    [("orders.repeat_refunds", "true"), ("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        stage.fault(Operation::Refund, LOST);
        assert_eq!(stage.refund("p1", "r1", 700).await.body["status"], 0);
        stage.fault(Operation::Refund, Fault::Code { code: 35, took_effect: false });
        stage.follow_after(Duration::from_secs(5)).await;
        assert_eq!(stage.refund_state("p1", "r1").await, State::Unknown);
        stage.follow_after(Duration::from_secs(15)).await;
        assert_eq!(stage.refund_state("p1", "r1").await, State::Refunded);
    }
);

on_both!(a_partial_refund_in_doubt_is_never_repeated_unless_configured, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.fault(Operation::Refund, LOST);
    assert_eq!(stage.refund("p1", "r1", 700).await.body["status"], 0);
    let mut looks = 0;
    // Eight waits that grow, and a day of hours.
    for _ in 0..40 {
        looks += stage.follow_after(Duration::from_hours(1)).await;
    }
    assert_eq!(looks, 32);
    let refund = stage.refund_row("p1", "r1").await;
    assert_eq!((refund.state, refund.look_at, refund.calls), (State::Unknown, None, 1));
    assert_eq!(stage.waiting().await, [("refund.unknown".to_owned(), refund.id)], "a person has to look");
    assert_eq!((stage.refund_calls(), stage.notes("p1", "refund_given_up").await.len()), (1, 1));
    assert_eq!(stage.books("p1").await, ("paid".to_owned(), 0, 700), "kept back all the same");
});

on_both!(a_gateway_that_dies_while_it_asks_finds_the_refund_again, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.fault(Operation::Refund, LOST);
    assert_eq!(stage.refund("p1", "r1", 2100).await.body["status"], 0);
    // As it was on record when the call was made.
    let as_it_was = "UPDATE refunds SET state = 'submitting', look_at = answer_due_at";
    Side::open(stage).await.run(as_it_was, as_it_was).await;
    stage.restart().await;
    assert_eq!(stage.refund("p1", "r2", 2100).await.code, 32, "it is kept back still");
    assert_eq!(stage.follow_after(Duration::from_secs(1)).await, 0, "its answer may come yet");
    assert_eq!(stage.follow_after(Duration::from_mins(2)).await, 1);
    assert_eq!(stage.refund_state("p1", "r1").await, State::Unknown);
    assert_eq!(stage.notes("p1", "refund_overdue").await.len(), 1);
    assert_eq!(stage.follow_after(Duration::from_secs(5)).await, 1);
    assert_eq!(stage.refund_state("p1", "r1").await, State::Refunded);
    assert_eq!((stage.refund_calls(), stage.told("p1").await.len()), (1, 2));
});

on_both!(a_client_that_hangs_up_discards_no_refund, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let gate = sandbox::Gate::new();
    stage.fault(Operation::Refund, Fault::DelayAnswer(gate.clone()));
    {
        let asking = stage.refund("p1", "r1", 700);
        tokio::select! {
            answer = asking => panic!("the answer is held back: {answer:?}"),
            () = soon(stage.upstream().seen_refunds(1)) => {}
        }
    }
    gate.open();
    stage.idle().await;
    assert_eq!(stage.refund_state("p1", "r1").await, State::Refunded);
});

on_both!(
    while_nothing_is_known_the_answer_is_in_progress,
    [("orders.refund_wait", "1s")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        let gate = sandbox::Gate::new();
        stage.fault(Operation::Refund, Fault::DelayAnswer(gate.clone()));
        let answer = stage.refund("p1", "r1", 700).await;
        assert_eq!((answer.code, &answer.body["status"]), (1, &json!(0)), "{}", answer.body);
        assert_eq!(stage.refund_state("p1", "r1").await, State::Submitting);
        gate.open();
        stage.idle().await;
        assert_eq!(stage.refund("p1", "r1", 700).await.body["status"], 1);
        assert_eq!(stage.told("p1").await, ["order.paid", "refund.succeeded"]);
    }
);
