//! Money that was given back without us.

use sandbox::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

on_both!(
    what_our_refunds_do_not_explain_is_told_and_blocks_more,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        assert_eq!(stage.refund("p1", "r1", 600).await.body["status"], 1);
        let submission = stage.submission_no("p1").await;
        stage.upstream().refund(&submission).expect("it may be refunded");
        for _ in 0..2 {
            stage.notify(&submission).await;
        }
        assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
        let order = stage.row("p1").await;
        assert_eq!(order.refunded_elsewhere, 1500);
        let kinds = ["order.paid", "refund.succeeded", "order.refunded_externally"];
        assert_eq!(stage.told("p1").await, kinds, "once");
        let event = stage.events_of_kind("p1", "order.refunded_externally").await.remove(0);
        let content: Value = serde_json::from_str(&event.content).expect("JSON");
        assert_eq!((&content["detail"]["amount"], &content["refunded"]), (&json!(1500), &json!(2100)));
        assert_eq!(stage.waiting().await, [("order.refunded_externally".to_owned(), order.id)]);
        assert_eq!(stage.query("p1").await.body["status"], 3);
        let more = stage.refund("p1", "r2", 1).await;
        assert_eq!(more.code, 32);
        assert!(more.msg().contains("outside"), "{}", more.msg());
        assert_eq!(stage.deliver_due().await, 1, "the notifyUrl hears nothing of it");
    }
);

on_both!(
    a_refund_that_was_refused_because_all_is_refunded_elsewhere_finds_that,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        stage.upstream().refund(&stage.submission_no("p1").await).expect("it may be refunded");
        let refused = stage.refund("p1", "r1", 700).await;
        assert_eq!((refused.code, &refused.body["status"]), (35, &json!(2)), "{}", refused.body);
        stage.idle().await;
        assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
        assert_eq!(stage.told("p1").await, ["order.paid", "refund.failed", "order.refunded_externally"]);
    }
);

on_both!(all_is_refunded_while_our_own_answer_is_on_its_way, async |stage: &mut Stage| {
    use crate::harness::acts::soon;
    stage.pay_one_order("p1").await;
    let gate = sandbox::Gate::new();
    stage.fault(Operation::Refund, Fault::DelayAnswer(gate.clone()));
    let meanwhile = async {
        soon(stage.upstream().seen_refunds(1)).await;
        stage.notify(&stage.submission_no("p1").await).await;
        assert_eq!(stage.books("p1").await, ("paid".to_owned(), 0, 2100), "its own answer says it better");
        gate.open();
    };
    let (answer, ()) =
        soon(Box::pin(async { tokio::join!(stage.refund("p1", "r1", 2100), meanwhile) })).await;
    assert_eq!(answer.body["status"], 1);
    assert_eq!(stage.told("p1").await, ["order.paid", "refund.succeeded"]);
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
});
