//! Refunds: partial, several, repeated, in progress, and what a query says of them.

use sandbox::{Fault, Operation, Payer, RefundState, Sandbox, Times};
use serde_json::{Value, json};

use crate::client::{
    QUERY, REFUND, STORE, call, code, exchange, listed, opened, order, post_json, sandbox, with,
};

fn refund(number: &str, refund_no: &str, amount: i64) -> Value {
    json!({"partnerOrderNo": number, "refundNo": refund_no, "orderAmount": amount})
}

async fn asked(sandbox: &Sandbox, body: &Value) -> (i64, Option<i64>) {
    let answer = call(sandbox, REFUND, body).await.verified();
    (answer["code"].as_i64().expect("a code"), answer["status"].as_i64())
}

async fn paid(number: &str) -> Sandbox {
    let sandbox = sandbox().await;
    opened(&sandbox, &order(number)).await;
    sandbox.control().pay(number, Payer::default()).expect("may be paid");
    sandbox
}

async fn status(sandbox: &Sandbox, number: &str) -> Value {
    call(sandbox, QUERY, &json!({"partnerOrderNo": number})).await.verified()["status"].clone()
}

#[tokio::test]
async fn an_order_is_refunded_in_parts_until_nothing_is_left() {
    let sandbox = paid("p1").await;
    let answer = call(&sandbox, REFUND, &refund("p1", "r1", 600)).await.verified();
    assert_eq!(
        answer,
        json!({"code": 1, "msg": "success", "orderAmount": 600, "status": 1, "currency": "HKD", "refundNo": "r1"})
    );
    assert_eq!(status(&sandbox, "p1").await, 1, "refunded in part, it is still paid");
    assert_eq!(asked(&sandbox, &refund("p1", "r2", 1_501)).await, (35, None));
    assert_eq!(asked(&sandbox, &refund("p1", "r2", 1_500)).await, (1, Some(1)));
    assert_eq!(status(&sandbox, "p1").await, 3);
    assert_eq!(asked(&sandbox, &refund("p1", "r3", 1)).await, (35, None));
    let refunds = sandbox.control().order("p1").expect("is there").refunds;
    assert_eq!(refunds.iter().map(|refund| refund.amount).collect::<Vec<_>>(), [600, 1_500]);
}

#[tokio::test]
async fn a_refund_number_used_again_is_the_same_refund_or_none() {
    let sandbox = paid("p1").await;
    for _ in 0..3 {
        assert_eq!(asked(&sandbox, &refund("p1", "r1", 2_100)).await, (1, Some(1)));
    }
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 2_099)).await, (31, None));
    let order = sandbox.control().order("p1").expect("is there");
    assert_eq!((order.refunds.len(), order.refunded(), order.refunds[0].asked), (1, 2_100, 3));
}

#[tokio::test]
async fn only_what_was_paid_can_be_refunded_and_the_rules_are_held_to() {
    let sandbox = sandbox().await;
    let control = sandbox.control();
    opened(&sandbox, &order("open")).await;
    opened(&sandbox, &order("closed")).await;
    control.close("closed").expect("may be closed");
    assert_eq!(asked(&sandbox, &refund("open", "r1", 1)).await, (32, None));
    assert_eq!(asked(&sandbox, &refund("closed", "r1", 1)).await, (32, None));
    assert_eq!(asked(&sandbox, &refund("nobody's", "r1", 1)).await, (30, None));
    control.clear_violations();
    for (change, field, expected) in [
        (json!({"partnerOrderNo": null}), "partnerOrderNo", 4),
        (json!({"refundNo": ""}), "refundNo", 4),
        (json!({"refundNo": "r".repeat(33)}), "refundNo", 5),
        (json!({"orderAmount": null}), "orderAmount", 4),
        (json!({"orderAmount": 0}), "orderAmount", 5),
        (json!({"storeNo": "200010000000001"}), "storeNo", 3),
        (json!({"terminalNo": 5}), "terminalNo", 5),
    ] {
        control.clear_violations();
        assert_eq!(code(&sandbox, REFUND, &with(refund("open", "r1", 1), change)).await, i64::from(expected));
        assert_eq!(listed(&control), [(field.to_owned(), Some(expected))]);
    }
    let store = json!({"storeNo": STORE});
    assert_eq!(code(&sandbox, REFUND, &with(refund("open", "r1", 1), store)).await, 32);
    let other = json!({"storeNo": "100010000000003"});
    assert_eq!(code(&sandbox, REFUND, &with(refund("open", "r1", 1), other)).await, 30);
}

#[tokio::test]
async fn a_refund_in_progress_keeps_its_amount_and_ends_as_it_is_told() {
    let sandbox = paid("p1").await;
    let control = sandbox.control();
    let in_progress = Fault::Refund(RefundState::InProgress);
    control.fault(Operation::Refund, in_progress, Times::Next(2)).expect("room");
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 2_000)).await, (1, Some(0)));
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 2_000)).await, (1, Some(0)), "the repeat says the same");
    assert_eq!(asked(&sandbox, &refund("p1", "r2", 101)).await, (35, None));

    let base = sandbox.base_url();
    let end = async |state: &str| {
        let body = json!({"state": state}).to_string();
        exchange(&base, "POST", "/control/orders/p1/refunds/r1", &[], &body).await.expect("an answer")
    };
    assert_eq!(end("failed").await.json()["state"], "failed");
    assert_eq!(end("refunded").await.status, 409);
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 2_000)).await, (1, Some(2)));
    assert_eq!(asked(&sandbox, &refund("p1", "r2", 2_100)).await, (1, Some(1)));
    assert_eq!(status(&sandbox, "p1").await, 3);
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_was_made_once() {
    let sandbox = paid("p1").await;
    let control = sandbox.control();
    let lost = Fault::Code { code: 21, took_effect: true };
    control.fault(Operation::Refund, lost, Times::Next(1)).expect("room");
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 100)).await, (21, None));
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 100)).await, (1, Some(1)));
    assert_eq!(control.order("p1").map(|order| order.refunded()), Some(100));

    let never = Fault::Code { code: 22, took_effect: false };
    control.fault(Operation::Refund, never, Times::Next(1)).expect("room");
    assert_eq!(asked(&sandbox, &refund("p1", "r2", 100)).await, (22, None));
    assert_eq!(control.order("p1").map(|order| order.refunded()), Some(100));
    assert_eq!(control.counts().refunds, 3);
}

#[tokio::test]
async fn a_refund_made_elsewhere_is_seen_in_the_query_only() {
    let sandbox = paid("p1").await;
    let base = sandbox.base_url();
    let part = post_json(&base, "/control/orders/p1/refund", r#"{"amount":100}"#).await;
    assert_eq!((part.status, &part.json()["state"]), (200, &json!("paid")));
    assert_eq!(post_json(&base, "/control/orders/p1/refund", r#"{"amount":2001}"#).await.status, 409);
    assert_eq!(asked(&sandbox, &refund("p1", "r1", 2_001)).await, (35, None));
    assert_eq!(post_json(&base, "/control/orders/p1/refund", "").await.json()["state"], "refunded");
    assert_eq!(status(&sandbox, "p1").await, 3);
    assert_eq!(post_json(&base, "/control/orders/p1/refund", "").await.status, 409);
}
