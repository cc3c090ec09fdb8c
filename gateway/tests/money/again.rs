//! The same order number again.

use sandbox::{Fault, Gate, Operation, Style};
use serde_json::{Value, json};

use super::answers::fields;
use crate::harness::acts::soon;
use crate::harness::{Answer, JPY_STORE, Order, Stage};
use crate::on_both;

/// The usual order with another amount.
fn other_content(stage: &Stage, number: &str) -> Order {
    let mut order = stage.order(number);
    order.body["orderAmount"] = json!(4200);
    order
}

/// Create `order` again while its first call is held upstream. The gate opens after the repeat has had as long
/// as another order takes from beginning to end.
async fn repeated_in_flight(stage: &Stage, order: &Order, gate: &Gate) -> Answer {
    let meanwhile = async {
        stage.open("another").await;
        gate.open();
    };
    tokio::join!(stage.create(order), meanwhile).0
}

on_both!(a_repeat_in_flight_joins_the_first_call, async |stage: &mut Stage| {
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let order = stage.order("p1");
    let repeat = async {
        soon(stage.upstream().seen_creates(1)).await;
        repeated_in_flight(stage, &order, &gate).await
    };
    let (first, repeat) = soon(Box::pin(async { tokio::join!(stage.create(&order), repeat) })).await;
    assert_eq!(first.code, 1);
    assert_eq!(repeat.body, first.body);
    assert_eq!((stage.creates(), stage.queries()), (2, 0), "one call for each number");
    assert_eq!(stage.row("p1").await.submissions, 1);
});

on_both!(
    a_repeat_joins_the_first_call_though_a_query_was_quicker_than_its_answer,
    async |stage: &mut Stage| {
        let gate = Gate::new();
        stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
        let order = stage.order("p1");
        let repeat = async {
            soon(stage.upstream().seen_creates(1)).await;
            assert_eq!(stage.query("p1").await.body["status"], 0);
            assert_eq!(stage.row("p1").await.status, "awaiting");
            repeated_in_flight(stage, &order, &gate).await
        };
        let (first, repeat) = soon(Box::pin(async { tokio::join!(stage.create(&order), repeat) })).await;
        assert_eq!(first.code, 1);
        assert_eq!(repeat.body, first.body);
        assert_eq!(stage.row("p1").await.submissions, 1);
    }
);

on_both!(
    a_repeat_in_flight_is_told_21_at_the_deadline,
    [("upstream.timeout", "2s")],
    async |stage: &mut Stage| {
        let gate = Gate::new();
        stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
        let order = stage.order("p1");
        let repeat = async {
            soon(stage.upstream().seen_creates(1)).await;
            stage.create(&order).await
        };
        let (first, repeat) = soon(Box::pin(async { tokio::join!(stage.create(&order), repeat) })).await;
        assert_eq!((first.code, repeat.code), (21, 21));
        assert_eq!((stage.creates(), stage.queries()), (1, 0), "it waited and did nothing of its own");
        gate.open();
    }
);

on_both!(many_creates_of_one_number_make_one_submission, async |stage: &mut Stage| {
    let order = stage.order("p1");
    let create = || stage.create(&order);
    let (a, b, c, d) = tokio::join!(create(), create(), create(), create());
    for answer in [&a, &b, &c, &d] {
        assert_eq!((answer.code, &answer.body), (1, &a.body));
    }
    assert_eq!(stage.creates(), 1);
    assert_eq!(stage.submissions(&stage.row("p1").await.id).await.len(), 1);
});

on_both!(an_opened_order_gets_the_first_answer_again, async |stage: &mut Stage| {
    stage.upstream().set_style(Style { extra_field: true, ..Style::default() });
    let first = stage.open("p1").await;
    assert_eq!(first.body["tradeSummary"], true);
    assert!(!first.pay_url().is_empty());
    let before = stage.row("p1").await;
    assert_eq!(stage.open("p1").await.body, first.body);
    stage.restart().await;
    assert_eq!(stage.open("p1").await.body, first.body);
    assert_eq!(stage.row("p1").await, before);
    assert_eq!((stage.creates(), stage.queries()), (1, 0));
});

on_both!(a_refused_number_makes_a_new_submission_whose_content_may_differ, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::Code { code: 42, took_effect: false });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 42);
    let mut mended = other_content(stage, "p1");
    mended.body["wallet"] = json!("Wechat");
    let answer = stage.create(&mended).await;
    assert_eq!(answer.code, 1, "{}", answer.document);

    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.amount, order.submissions), ("awaiting", 4200, 2));
    let upstream = stage.upstream().order(&order.submission_id).expect("it arrived");
    assert_eq!((upstream.content.amount, upstream.content.wallet.as_str()), (4200, "Wechat"));
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer", "resubmitted", "answer"]);
    assert_eq!((stage.creates(), stage.queries()), (2, 0));
    assert_eq!(stage.create(&mended).await.body, answer.body, "opened now: the same answer again");
});

on_both!(an_unknown_order_that_was_paid_gets_no_new_submission, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
    stage.pay(&stage.submission_no("p1").await);
    let again = stage.create(&stage.order("p1")).await;
    assert_eq!(again.code, 32, "{}", again.document);
    assert!(again.msg().contains("paid"), "{}", again.msg());
    assert_eq!((stage.creates(), stage.queries()), (1, 1));
    assert_eq!(stage.row("p1").await.status, "paid");
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now().len(), 1);
});

on_both!(an_unknown_order_is_asked_about_and_then_submitted_anew, async |stage: &mut Stage| {
    for took_effect in [true, false] {
        let number = if took_effect { "arrived" } else { "lost" };
        stage.fault(Operation::Create, Fault::HangUp { took_effect });
        assert_eq!(stage.create(&stage.order(number)).await.code, 21);
        let (creates, queries) = (stage.creates(), stage.queries());
        let answer = stage.open(number).await;
        assert_eq!((stage.creates(), stage.queries()), (creates + 1, queries + 1), "{number}");
        let order = stage.row(number).await;
        assert_eq!((order.status.as_str(), order.submissions), ("awaiting", 2));
        let upstream = stage.upstream().order(&order.submission_id).expect("it arrived");
        assert_eq!(answer.pay_url(), upstream.pay_url);
    }
});

on_both!(an_unknown_order_whose_query_goes_unanswered_stays_21, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
    stage.deafen();
    let again = stage.create(&stage.order("p1")).await;
    assert_eq!(again.code, 21);
    assert_eq!((stage.creates(), stage.queries()), (1, 1));
    assert_eq!(stage.row("p1").await.status, "unknown");
});

on_both!(an_unknown_order_that_failed_or_was_closed_is_told_so, async |stage: &mut Stage| {
    for (number, code) in [("failed", 32), ("closed", 33)] {
        stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
        assert_eq!(stage.create(&stage.order(number)).await.code, 21);
        let submission = stage.submission_no(number).await;
        match number {
            "failed" => stage.upstream().fail(&submission),
            _ => stage.upstream().close(&submission),
        }
        .expect("it may end so");
        for _ in 0..2 {
            let again = stage.create(&stage.order(number)).await;
            assert_eq!(again.code, code, "{number}: {}", again.document);
        }
        assert_eq!(stage.row(number).await.status, number);
    }
    assert_eq!(stage.creates(), 2);
});

on_both!(
    an_open_order_without_a_pay_url_is_asked_about_and_then_submitted_anew,
    async |stage: &mut Stage| {
        stage.fault(Operation::Create, fields(json!({"payUrl": null})));
        assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
        let answer = stage.open("p1").await;
        assert_eq!((stage.creates(), stage.queries()), (2, 1));
        let order = stage.row("p1").await;
        assert_eq!((order.status.as_str(), order.submissions), ("awaiting", 2));
        assert_eq!(order.pay_url.as_deref(), Some(answer.pay_url()));

        stage.fault(Operation::Create, fields(json!({"payUrl": null})));
        assert_eq!(stage.create(&stage.order("p2")).await.code, 21);
        stage.pay(&stage.submission_no("p2").await);
        assert_eq!(stage.create(&stage.order("p2")).await.code, 32, "it was paid: no new submission");
        assert_eq!(stage.row("p2").await.submissions, 1);
    }
);

on_both!(other_content_for_a_live_order_is_31, async |stage: &mut Stage| {
    stage.open("awaiting").await;
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("unknown")).await.code, 21);
    stage.pay_one_order("paid").await;
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let submitting = stage.order("submitting");
    let others = async {
        soon(stage.upstream().seen_creates(4)).await;
        for number in ["awaiting", "unknown", "paid", "submitting"] {
            let before = stage.row(number).await;
            let answer = stage.create(&other_content(stage, number)).await;
            assert_eq!(answer.code, 31, "{number}: {}", answer.document);
            assert_eq!(before.status, number);
            assert_eq!(stage.row(number).await, before, "nothing changed");
        }
        gate.open();
    };
    let (submitted, ()) = soon(Box::pin(async { tokio::join!(stage.create(&submitting), others) })).await;
    assert_eq!(submitted.code, 1);
    assert_eq!((stage.creates(), stage.queries()), (4, 0));
});

on_both!(an_order_that_failed_or_was_closed_takes_no_new_submission, async |stage: &mut Stage| {
    for (number, code) in [("failed", 32), ("closed", 33)] {
        stage.open(number).await;
        let submission = stage.submission_no(number).await;
        match number {
            "failed" => stage.upstream().fail(&submission),
            _ => stage.upstream().close(&submission),
        }
        .expect("it may end so");
        assert_eq!(stage.query(number).await.body["status"], 2);
        assert_eq!(stage.create(&stage.order(number)).await.code, code, "{number}");
        assert_eq!(stage.create(&other_content(stage, number)).await.code, 31, "{number}");
        assert_eq!(stage.row(number).await.submissions, 1);
    }
});

on_both!(a_request_that_fails_validation_takes_no_number, async |stage: &mut Stage| {
    let wrong: [(&str, Value, i64); 12] = [
        ("orderAmount", json!(0), 5),
        ("orderAmount", json!(-2100), 5),
        ("orderAmount", json!("2100"), 5),
        ("orderAmount", json!(21.5), 5),
        ("orderAmount", json!(null), 4),
        ("storeNo", json!("100010000000999"), 5),
        ("storeNo", json!(JPY_STORE), 43),
        ("currency", json!("JPY"), 5),
        ("wallet", json!("Paypal"), 5),
        ("notifyUrl", json!("http://10.0.0.1/notify"), 5),
        ("notifyUrl", json!("ftp://127.0.0.1/notify"), 5),
        ("OrderAmount", json!(2100), 5),
    ];
    for (field, value, code) in wrong {
        let mut order = stage.order("p1");
        order.body[field] = value.clone();
        let answer = stage.create(&order).await;
        assert_eq!((answer.code, answer.genuine), (code, true), "{field} {value}: {}", answer.document);
    }
    assert_eq!(stage.rows().await, []);
    assert_eq!(stage.creates(), 0);
    stage.open("p1").await;
});
