//! What the upstream's answer to a refund means.

use gateway::entity::refund::State;
use sandbox::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

fn fields(value: &Value) -> Fault {
    Fault::Fields(value.as_object().expect("an object").clone())
}

on_both!(every_answer_to_a_refund_means_what_the_table_says, async |stage: &mut Stage| {
    let code = |code| Fault::Code { code, took_effect: false };
    let mut cases: Vec<(String, Fault, State, i64, Option<i64>)> = Vec::new();
    // What is refused, and what the merchant is told of it.
    let refused = [(3, 3), (4, 4), (5, 5), (6, 3), (7, 3), (8, 3), (30, 30), (32, 32), (33, 33), (34, 34)];
    for (said, told) in refused.into_iter().chain([(35, 35), (40, 40), (43, 43), (44, 44)]) {
        cases.push((format!("code {said}"), code(said), State::Failed, told, Some(2)));
    }
    for said in [0, 2, 9, 20, 21, 22, 31, 36, 99, -1] {
        cases.push((format!("code {said}"), code(said), State::Unknown, 1, Some(0)));
    }
    let hang_up = Fault::HangUp { took_effect: false };
    let garbage = Fault::Garbage { took_effect: true };
    let html = Fault::HttpStatus { status: 500, took_effect: true };
    for (what, fault) in [("no answer", hang_up), ("garbage", garbage), ("HTTP 500", html)] {
        cases.push((what.to_owned(), fault, State::Unknown, 1, Some(0)));
    }
    cases.push(("wrong signature".to_owned(), Fault::WrongSignature, State::Unknown, 1, Some(0)));
    for (status, state, told) in [
        (json!(1), State::Refunded, 1),
        (json!(0), State::InProgress, 0),
        (json!(2), State::Failed, 2),
        (json!(3), State::Unknown, 0),
        (json!("1"), State::Unknown, 0),
        (Value::Null, State::Unknown, 0),
    ] {
        cases.push((format!("status {status}"), fields(&json!({"status": status})), state, 1, Some(told)));
    }
    // What an answer repeats must agree; it need not repeat all.
    cases.push(("no amount".to_owned(), fields(&json!({"orderAmount": null})), State::Refunded, 1, Some(1)));
    for differing in [
        json!({"orderAmount": 701}),
        json!({"orderAmount": "700"}),
        json!({"currency": "JPY"}),
        json!({"refundNo": "another"}),
    ] {
        cases.push((format!("held {differing}"), fields(&differing), State::Unknown, 1, Some(0)));
    }
    for (place, (what, fault, state, told, status)) in cases.into_iter().enumerate() {
        let number = format!("p{place}");
        stage.pay_one_order(&number).await;
        stage.fault(Operation::Refund, fault);
        let answer = stage.refund(&number, "r1", 700).await;
        assert_eq!((answer.code, answer.body["status"].as_i64()), (told, status), "{what}: {}", answer.body);
        assert_eq!(answer.body["refundNo"], "r1", "{what}");
        assert!(answer.genuine && answer.msg().chars().count() <= 100, "{what}");
        assert_eq!(stage.refund_state(&number, "r1").await, state, "{what}");
        let expected = match state {
            State::Refunded => ("partially_refunded".to_owned(), 700, 0),
            State::Failed => ("paid".to_owned(), 0, 0),
            _ => ("paid".to_owned(), 0, 700),
        };
        assert_eq!(stage.books(&number).await, expected, "{what}");
        let ended: &[&str] = match state {
            State::Refunded => &["order.paid", "refund.succeeded"],
            State::Failed => &["order.paid", "refund.failed"],
            _ if what.starts_with("held") => &["order.paid", "fact.quarantined"],
            _ => &["order.paid"],
        };
        assert_eq!(stage.told(&number).await, ended, "{what}");
    }
    assert_eq!(stage.held().await.len(), 4);
});

on_both!(a_refund_that_never_left_has_failed_and_is_kept_back_no_longer, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.world.sandbox.stop().await;
    stage.restart().await; // without a connection that was open before
    let answer = stage.refund("p1", "r1", 700).await;
    assert_eq!((answer.code, &answer.body["status"]), (1, &json!(2)), "{}", answer.body);
    assert_eq!(stage.books("p1").await, ("paid".to_owned(), 0, 0));
});

on_both!(what_is_asked_upstream_is_built_by_us_alone, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let body = json!({
        "partnerOrderNo": "p1", "refundNo": "theirs", "orderAmount": 700, "operatorId": "clerk", "terminalNo": "till",
        "storeNo": "100010000000002", "tradeSummary": "secret",
    });
    assert_eq!(stage.refund_body(&body).await.code, 1);
    let refund = stage.refund_row("p1", "theirs").await;
    assert_eq!((refund.operator_id.as_deref(), refund.terminal_no.as_deref()), (Some("clerk"), Some("till")));
    let sent = stage.upstream().requests().pop().expect("a request");
    let sent: Value = serde_json::from_str(&sent.body).expect("JSON");
    let expected = json!({
        "partnerOrderNo": stage.submission_no("p1").await, "refundNo": refund.id, "orderAmount": 700,
    });
    assert_eq!(sent["request"]["body"], expected);
    assert_eq!(stage.upstream().violations(), [], "the upstream has nothing to complain of");
});

on_both!(what_is_wrong_with_a_request_is_named_and_nothing_is_begun, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let whole = json!({ "partnerOrderNo": "p1", "refundNo": "r1", "orderAmount": 700 });
    for (field, value, code) in [
        ("partnerOrderNo", Value::Null, 4),
        ("refundNo", json!(""), 4),
        ("orderAmount", Value::Null, 4),
        ("orderAmount", json!(0), 5),
        ("orderAmount", json!(-5), 5),
        ("orderAmount", json!(7.5), 5),
        ("orderAmount", json!("700"), 5),
        ("refundNo", json!("r".repeat(33)), 5),
        ("operatorId", json!("o".repeat(21)), 5),
        ("partnerOrderNo", json!("p2"), 30),
    ] {
        let mut body = whole.clone();
        body[field] = value.clone();
        let answer = stage.refund_body(&body).await;
        assert_eq!(answer.code, code, "{field} = {value}: {}", answer.body);
        assert!(code == 30 || answer.msg().contains(field), "{}", answer.msg());
    }
    assert_eq!((stage.refunds("p1").await.len(), stage.refund_calls()), (0, 0));
});

on_both!(
    a_refund_right_after_a_query_that_said_unpaid_asks_again,
    [("orders.query_min_interval", "200ms")],
    async |stage: &mut Stage| {
        assert_eq!(stage.create(&stage.order("p1")).await.code, 1);
        assert_eq!(stage.query("p1").await.body["status"], 0);
        stage.pay(&stage.submission_no("p1").await);
        let refunded = stage.refund("p1", "r1", 700).await;
        assert_eq!((refunded.code, refunded.body["status"].as_i64()), (1, Some(1)), "{}", refunded.body);
        assert_eq!(stage.queries(), 2);

        // Those who come together are answered by few questions, and nobody by one of before.
        assert_eq!(stage.create(&stage.order("p2")).await.code, 1);
        assert_eq!(stage.query("p2").await.body["status"], 0);
        let refund = |n: usize| {
            let (stage, refund_no) = (&*stage, format!("r{n}"));
            async move { stage.refund("p2", &refund_no, 10).await.code }
        };
        let codes = futures_util::future::join_all((0..20).map(refund)).await;
        assert_eq!(codes, [32; 20]);
        let asked = stage.queries() - 3;
        assert!((1..20).contains(&asked), "{asked}");
    }
);
