//! Payments that come after their order was given up, where the store's policy is to refund them.

use gateway::entity::refund::State;
use sandbox::{Fault, Operation};
use serde_json::json;
use std::time::Duration;

use crate::harness::Stage;
use crate::on_both;

/// An order that has failed and is paid all the same.
async fn pay_late(stage: &Stage, number: &str) {
    stage.open(number).await;
    let submission = stage.submission_no(number).await;
    stage.upstream().fail(&submission).expect("it may fail");
    stage.notify(&submission).await;
    assert_eq!(stage.row(number).await.status, "failed");
    stage.pay(&submission);
    stage.notify(&submission).await;
    stage.idle().await;
}

async fn refund_late(stage: &Stage) {
    let store = format!("/v1/stores/{}", stage.store_id());
    assert_eq!(stage.patch(&store, json!({ "latePayment": "refund" })).await.status, 200);
}

on_both!(a_late_payment_is_told_and_refunded_at_once_where_the_store_wants_it, async |stage: &mut Stage| {
    pay_late(stage, "told").await;
    assert_eq!(stage.books("told").await, ("paid".to_owned(), 0, 0));
    refund_late(stage).await;
    pay_late(stage, "p1").await;
    let order = stage.row("p1").await;
    assert!(order.late);
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
    let refund = stage.refund_row("p1", "late-payment").await;
    assert_eq!((refund.asked_by.as_str(), refund.state), ("late_payment", State::Refunded));
    stage.notify(&order.submission_id).await;
    assert_eq!((stage.refunds("p1").await.len(), stage.refund_calls()), (1, 1), "once only");
    assert_eq!(stage.told("p1").await, ["order.failed", "order.paid", "refund.succeeded"]);
    stage.pay_one_order("in time").await;
    stage.idle().await;
    assert_eq!(stage.refunds("in time").await, []);
});

on_both!(
    a_late_payments_refund_that_was_not_begun_is_begun_later,
    [("limits.account", "10/1h")],
    async |stage: &mut Stage| {
        refund_late(stage).await;
        // Use up what of the account's budget is for refunds: one create is the first of ten.
        for number in 0..8 {
            stage.open(&format!("b{number}")).await;
        }
        pay_late(stage, "p1").await;
        let refund = stage.refund_row("p1", "late-payment").await;
        assert_eq!((refund.state, refund.calls), (State::Submitting, 0), "kept back with the payment itself");
        assert_eq!(stage.books("p1").await, ("paid".to_owned(), 0, 2100));
        stage.restart().await;
        assert_eq!(stage.follow_after(Duration::from_hours(1)).await, 1);
        assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
        assert_eq!(stage.refund_calls(), 1);
    }
);

on_both!(a_late_payments_refund_in_doubt_is_followed_like_any_other, async |stage: &mut Stage| {
    refund_late(stage).await;
    stage.fault(Operation::Refund, Fault::HangUp { took_effect: true });
    pay_late(stage, "p1").await;
    assert_eq!(stage.refund_state("p1", "late-payment").await, State::Unknown);
    stage.follow_after(Duration::from_secs(5)).await;
    assert_eq!(stage.refund_state("p1", "late-payment").await, State::Refunded);
});

on_both!(
    a_refund_that_was_never_sent_does_not_explain_what_others_gave_back,
    [("limits.account", "10/1h")],
    async |stage: &mut Stage| {
        refund_late(stage).await;
        for number in 0..8 {
            stage.open(&format!("b{number}")).await;
        }
        pay_late(stage, "p1").await;
        let submission = stage.submission_no("p1").await;
        stage.upstream().refund(&submission).expect("it may be refunded");
        stage.notify(&submission).await;
        assert_eq!(stage.refund_state("p1", "late-payment").await, State::Failed);
        assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
        assert_eq!(stage.row("p1").await.refunded_elsewhere, 2100);
        let told = ["order.failed", "order.paid", "refund.failed", "order.refunded_externally"];
        assert_eq!(stage.told("p1").await, told);
        assert_eq!((stage.follow_after(Duration::from_hours(1)).await, stage.refund_calls()), (0, 0));
    }
);
