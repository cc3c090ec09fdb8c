//! Faults on demand: what the caller sees, and whether the call took effect.

use std::sync::Arc;

use sandbox::{Fault, Gate, Operation, PaymentState, Style, Times};
use serde_json::{Value, json};
use shared::envelope::{Envelope, Side};

use crate::client::{
    KEY, QRCODE, QUERY, Reply, call, code, exchange, get, header, opened, order, sandbox, signed, soon,
    verifies, with,
};
use crate::notices::shop;

async fn create_with(fault: Fault, number: &str) -> (sandbox::Sandbox, Option<Reply>) {
    let sandbox = sandbox().await;
    sandbox.control().fault(Operation::Create, fault, Times::Next(1)).expect("room");
    let document = signed(&header(), &order(number), KEY);
    let headers = [("content-type", "application/json")];
    let reply = exchange(&sandbox.base_url(), "POST", QRCODE, &headers, &document).await;
    (sandbox, reply)
}

#[tokio::test]
async fn a_call_hung_up_on_gets_not_one_byte_whether_it_took_effect_or_not() {
    for took_effect in [true, false] {
        let (sandbox, reply) = create_with(Fault::HangUp { took_effect }, "p1").await;
        assert!(reply.is_none(), "{reply:?}");
        assert_eq!(sandbox.control().order("p1").is_some(), took_effect);
        assert_eq!(code(&sandbox, QRCODE, &order("p1")).await, 1, "the fault was for one call");
    }
}

#[tokio::test]
async fn a_bad_gateway_and_garbage_are_no_envelopes() {
    for took_effect in [true, false] {
        let (sandbox, reply) = create_with(Fault::HttpStatus { status: 502, took_effect }, "p1").await;
        assert_eq!(reply.map(|reply| reply.status), Some(502));
        assert_eq!(sandbox.control().order("p1").is_some(), took_effect);

        let (sandbox, reply) = create_with(Fault::Garbage { took_effect }, "p1").await;
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 200);
        assert!(Envelope::read(reply.body.as_bytes(), Side::Response).is_err());
        assert_eq!(sandbox.control().order("p1").is_some(), took_effect);
    }
}

#[tokio::test]
async fn a_wrongly_signed_answer_is_otherwise_right() {
    let (sandbox, reply) = create_with(Fault::WrongSignature, "p1").await;
    let reply = reply.expect("an answer");
    assert!(!verifies(&reply.body, KEY));
    assert_eq!(reply.json()["response"]["body"]["code"], 1);
    assert!(sandbox.control().order("p1").is_some());
}

#[tokio::test]
async fn any_code_can_be_had_with_and_without_effect() {
    for took_effect in [true, false] {
        let (sandbox, reply) = create_with(Fault::Code { code: 21, took_effect }, "p1").await;
        let body = reply.expect("an answer").verified();
        assert_eq!((&body["code"], body.get("payUrl")), (&json!(21), None));
        assert_eq!(sandbox.control().order("p1").is_some(), took_effect);
    }
}

#[tokio::test]
async fn fields_of_an_answer_can_be_changed_added_and_left_out() {
    let Value::Object(fields) = json!({"payUrl": null, "orderNo": "x1", "tip": 5}) else {
        unreachable!("the literal is an object")
    };
    let (sandbox, reply) = create_with(Fault::Fields(fields), "p1").await;
    let body = reply.expect("an answer").verified();
    assert_eq!((&body["code"], body.get("payUrl")), (&json!(1), None));
    assert_eq!((&body["orderNo"], &body["tip"]), (&json!("x1"), &json!(5)));
    assert!(sandbox.control().order("p1").is_some());
}

#[tokio::test]
async fn a_held_answer_has_taken_effect_and_leaves_when_the_gate_opens() {
    let sandbox = Arc::new(sandbox().await);
    let control = sandbox.control();
    let gate = Gate::new();
    control.fault(Operation::Create, Fault::DelayAnswer(gate.clone()), Times::Next(1)).expect("room");
    let calling = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { call(&sandbox, QRCODE, &order("p1")).await.verified() }
    });
    soon(control.seen_creates(1)).await;
    assert_eq!(control.order("p1").map(|order| order.state), Some(PaymentState::Awaiting));
    assert!(!calling.is_finished());
    gate.open();
    assert_eq!(soon(calling).await.expect("does not panic")["code"], 1);
}

#[tokio::test]
async fn stopping_cuts_off_what_is_held_and_closes_the_door() {
    let sandbox = Arc::new(sandbox().await);
    let control = sandbox.control();
    control.fault(Operation::Query, Fault::DelayAnswer(Gate::new()), Times::UntilCleared).expect("room");
    let calling = tokio::spawn({
        let base = sandbox.base_url();
        let document = signed(&header(), &json!({"partnerOrderNo": "p1"}), KEY);
        async move { exchange(&base, "POST", QUERY, &[("content-type", "application/json")], &document).await }
    });
    soon(control.seen_queries(1)).await;
    soon(sandbox.stop()).await;
    assert!(soon(calling).await.expect("does not panic").is_none());
    assert!(tokio::net::TcpStream::connect(sandbox.address()).await.is_err());
}

#[tokio::test]
async fn the_payer_can_be_faster_than_the_answer() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let control = sandbox.control();
    control.automatic_notices(false);
    control.fault(Operation::Create, Fault::PayBeforeAnswer, Times::Next(1)).expect("room");
    let gate = shop.hold();
    let calling = tokio::spawn({
        let (base, body) = (sandbox.base_url(), with(order("p1"), json!({"notifyUrl": shop.notify_url()})));
        async move { crate::client::post_json(&base, QRCODE, &signed(&header(), &body, KEY)).await }
    });
    assert!(soon(shop.received(1)).await[0].verified);
    assert!(!calling.is_finished(), "the answer waits for the notice's");
    gate.open();
    let answer = soon(calling).await.expect("does not panic").verified();
    assert_eq!(answer["code"], 1);
    assert_eq!(
        control.order("p1").map(|order| (order.state, order.acknowledged)),
        Some((PaymentState::Paid, true))
    );
}

#[tokio::test]
async fn a_fault_of_one_operation_leaves_the_other_alone() {
    let sandbox = sandbox().await;
    let fault = Fault::Code { code: 9, took_effect: false };
    sandbox.control().fault(Operation::Query, fault, Times::UntilCleared).expect("room");
    opened(&sandbox, &order("p1")).await;
    for _ in 0..3 {
        assert_eq!(code(&sandbox, QUERY, &json!({"partnerOrderNo": "p1"})).await, 9);
    }
    sandbox.control().clear_faults();
    assert_eq!(code(&sandbox, QUERY, &json!({"partnerOrderNo": "p1"})).await, 1);
}

#[tokio::test]
async fn answers_can_be_written_as_the_samples_have_them() {
    let sandbox = sandbox().await;
    let style =
        Style { pay_url_key_with_space: true, pretty: true, escaped_slashes: true, ..Style::default() };
    sandbox.control().set_style(style);
    let reply = call(&sandbox, QRCODE, &order("p1")).await;
    let envelope = Envelope::read(reply.body.as_bytes(), Side::Response).expect("an envelope");
    assert!(envelope.verifies(KEY));
    assert!(reply.body.contains("\"payUrl \": \"http:\\/\\/"), "{}", reply.body);
    assert_eq!(get(&sandbox.base_url(), "/").await.status, 200);
}
