//! Money wins: what can still be paid, what a payment is worth, and that nothing takes it back.

use sandbox::{Fault, Gate, Operation, Payer, Twist};
use serde_json::json;
use shared::wallet::Wallet;

use super::answers::fields;
use crate::harness::Stage;
use crate::harness::acts::soon;
use crate::on_both;

/// The payer pays an order that was given up. It must be taken as paid, marked late, and told once.
async fn pays_late(stage: &mut Stage, number: &str) {
    let submission = stage.submission_no(number).await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    let order = stage.row(number).await;
    assert_eq!((order.status.as_str(), order.late, order.paid), ("paid", true, 2100));
    let events = stage.paid_events(&order.id).await;
    assert_eq!(events.len(), 1);
    assert!(events[0].content.contains("\"late\":true"), "{}", events[0].content);
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now()[0].partner_order_no, number);
}

on_both!(a_payment_after_a_refusal_is_late_and_told, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::Code { code: 42, took_effect: true });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 42);
    assert_eq!(stage.row("p1").await.status, "refused");
    pays_late(stage, "p1").await;
});

on_both!(a_payment_after_a_failure_is_late_and_told, async |stage: &mut Stage| {
    stage.open("p1").await;
    stage.upstream().fail(&stage.submission_no("p1").await).expect("it may fail");
    assert_eq!(stage.query("p1").await.body["status"], 2);
    assert_eq!(stage.row("p1").await.status, "failed");
    pays_late(stage, "p1").await;
});

on_both!(a_payment_after_closing_is_late_and_told, async |stage: &mut Stage| {
    stage.open("p1").await;
    stage.upstream().close(&stage.submission_no("p1").await).expect("it may be closed");
    assert_eq!(stage.query("p1").await.body["status"], 2);
    assert_eq!(stage.row("p1").await.status, "closed");
    pays_late(stage, "p1").await;
});

on_both!(a_payment_of_an_open_or_unknown_order_is_not_late, async |stage: &mut Stage| {
    stage.pay_one_order("open").await;
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("unknown")).await.code, 21);
    let submission = stage.submission_no("unknown").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    for number in ["open", "unknown"] {
        let order = stage.row(number).await;
        assert_eq!((order.status.as_str(), order.late), ("paid", false), "{number}");
    }
});

on_both!(nothing_moves_a_paid_order_back, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let order = stage.row("p1").await;
    for twist in [Twist::Status(0), Twist::Status(2), Twist::Code(33), Twist::Code(2), Twist::Status(7)] {
        let outcome = stage.notify_twisted(&order.submission_id, twist.clone()).await;
        assert!(outcome.acknowledged, "{twist:?}: {outcome:?}");
        stage.stands("p1", &order, &format!("{twist:?}")).await;
    }
    assert_eq!(stage.paid_events(&order.id).await.len(), 1);
    assert_eq!(stage.query("p1").await.body["status"], 1);
});

on_both!(an_answer_to_create_that_comes_after_the_payment_moves_nothing_back, async |stage: &mut Stage| {
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let order = stage.order("p1");
    let payment = async {
        soon(stage.upstream().seen_creates(1)).await;
        let submission = stage.submission_no("p1").await;
        stage.pay(&submission);
        stage.notify(&submission).await;
        assert_eq!(stage.row("p1").await.status, "paid");
        gate.open();
    };
    let (answer, ()) = soon(async { tokio::join!(stage.create(&order), payment) }).await;
    assert_eq!(answer.code, 1);
    let row = stage.row("p1").await;
    assert_eq!((row.status.as_str(), row.pay_url.as_deref()), ("paid", Some(answer.pay_url())));
});

on_both!(
    a_first_sight_of_status_3_writes_paid_and_then_refunded_and_tells_paid_once,
    async |stage: &mut Stage| {
        for by in ["query", "notice"] {
            stage.open(by).await;
            let submission = stage.submission_no(by).await;
            stage.pay(&submission);
            stage.upstream().refund(&submission).expect("it may be refunded");
            match by {
                "query" => assert_eq!(stage.query(by).await.body["status"], 3),
                _ => stage.notify(&submission).await,
            }
            let order = stage.row(by).await;
            assert_eq!((order.status.as_str(), order.paid, order.refunded), ("refunded", 2100, 2100));
            let events = stage.paid_events(&order.id).await;
            assert_eq!((events.len(), events[0].kind.as_str()), (1, "order.paid"));
            assert_eq!(stage.query(by).await.body["status"], 3, "from our row");
        }
        assert_eq!(stage.queries(), 1);
        assert_eq!(stage.deliver_due().await, 2);
        let told: Vec<_> =
            stage.shop().received_now().iter().map(|notice| (notice.code, notice.status)).collect();
        assert_eq!(told, [(Some(1), Some(1)), (Some(1), Some(1))]);
    }
);

on_both!(a_paid_order_that_is_refunded_later_is_not_told_as_paid_again, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    assert_eq!(stage.deliver_due().await, 1);
    let submission = stage.submission_no("p1").await;
    stage.upstream().refund(&submission).expect("it may be refunded");
    stage.notify(&submission).await;
    assert_eq!(stage.row("p1").await.status, "refunded");
    assert_eq!(stage.deliver_due().await, 0);
});

on_both!(another_wallet_than_the_one_asked_for_is_recorded_and_not_held, async |stage: &mut Stage| {
    stage.open("p1").await;
    let submission = stage.submission_no("p1").await;
    let payer = Payer { wallet: Some(Wallet::AlipayHK), ..Payer::default() };
    stage.upstream().pay(&submission, payer).expect("it may be paid");
    stage.notify(&submission).await;
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.wallet.as_deref()), ("paid", Some("Alipay")));
    assert_eq!(order.paid_wallet.as_deref(), Some("AlipayHK"));
    assert_eq!(stage.held().await, []);
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now()[0].wallet, "AlipayHK");
    assert_eq!(stage.query("p1").await.body["wallet"], "AlipayHK");
});

/// An order that was refused with 21.00 and opened with 42.00, both of which the upstream has. The two submissions.
async fn submitted_twice(stage: &Stage, number: &str) -> [String; 2] {
    stage.fault(Operation::Create, Fault::Code { code: 42, took_effect: true });
    assert_eq!(stage.create(&stage.order(number)).await.code, 42);
    let first = stage.submission_no(number).await;
    let mut dearer = stage.order(number);
    dearer.body["orderAmount"] = json!(4200);
    dearer.body["wallet"] = json!("Wechat");
    assert_eq!(stage.create(&dearer).await.code, 1);
    [first, stage.submission_no(number).await]
}

on_both!(
    a_payment_through_an_earlier_submission_is_worth_what_that_one_asked_for,
    async |stage: &mut Stage| {
        let [first, second] = submitted_twice(stage, "p1").await;
        assert_eq!(stage.row("p1").await.amount, 4200);
        stage.pay(&first);
        stage.notify(&first).await;
        let order = stage.row("p1").await;
        assert_eq!((order.status.as_str(), order.amount, order.paid), ("paid", 2100, 2100));
        assert_eq!((order.submission_id.as_str(), order.wallet.as_deref()), (first.as_str(), Some("Alipay")));
        assert_eq!(stage.deliver_due().await, 1);
        let told = stage.shop().paid_now();
        assert_eq!((told.len(), told[0].amount), (1, 2100));
        let answer = stage.query("p1").await;
        assert_eq!((&answer.body["orderAmount"], &answer.body["status"]), (&json!(2100), &json!(1)));

        // The way to pay that is still open upstream is not given out any more.
        let open = stage.upstream().order(&second).expect("it is there").pay_url;
        let mut dearer = stage.order("p1");
        dearer.body["orderAmount"] = json!(4200);
        dearer.body["wallet"] = json!("Wechat");
        let again = stage.create(&dearer).await;
        assert!(!again.document.contains(&open), "{}", again.document);
        assert_eq!(again.code, 32);
    }
);

on_both!(a_second_payment_of_one_order_is_flagged_and_told_once, async |stage: &mut Stage| {
    for (number, first_paid) in [("p1", 0), ("p2", 1)] {
        let submissions = submitted_twice(stage, number).await;
        let [paid, paid_again] = [&submissions[first_paid], &submissions[1 - first_paid]];
        stage.pay(paid);
        stage.notify(paid).await;
        let order = stage.row(number).await;
        stage.pay(paid_again);
        stage.notify(paid_again).await;
        stage.stands(number, &order, "it stays paid by the first").await;
        assert!(stage.row(number).await.paid_twice);
        let notes = stage.notes(number, "notice").await;
        let flags: Vec<_> = notes.iter().map(|note| note["paid_again"] == json!(true)).collect();
        assert_eq!(flags, [false, true]);
        stage.notify(paid_again).await;
        let notes = stage.notes(number, "notice").await;
        assert_ne!(notes[2]["paid_again"], json!(true), "a repeat is no third payment");
        assert_eq!(stage.paid_events(&order.id).await.len(), 1);
        assert_eq!(stage.deliver_due().await, 1);
    }
});

on_both!(
    a_create_that_is_overtaken_by_a_payment_gives_out_no_second_way_to_pay,
    async |stage: &mut Stage| {
        stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
        assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
        let first = stage.submission_no("p1").await;
        let gate = Gate::new();
        stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
        let order = stage.order("p1");
        let payment = async {
            soon(stage.upstream().seen_creates(2)).await;
            stage.pay(&first);
            stage.notify(&first).await;
            gate.open();
        };
        let (answer, ()) = soon(async { tokio::join!(stage.create(&order), payment) }).await;
        assert_eq!(answer.code, 32, "{}", answer.document);
        assert_eq!(stage.row("p1").await.submission_id, first);
        assert_eq!(stage.deliver_due().await, 1);
    }
);

on_both!(a_payment_learned_by_query_and_by_notice_is_told_once, async |stage: &mut Stage| {
    stage.open("p1").await;
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    let answer = stage.query("p1").await;
    assert_eq!((&answer.body["status"], &answer.body["partnerOrderNo"]), (&json!(1), &json!("p1")));
    stage.notify(&submission).await;
    assert_eq!(stage.paid_events(&stage.row("p1").await.id).await.len(), 1);
    assert_eq!(stage.deliver_due().await, 1);
});

on_both!(
    what_a_query_says_is_held_too_where_it_differs,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        let submission = stage.submission_no("p1").await;
        let order = stage.row("p1").await;
        for (field, value) in
            [("orderAmount", json!(1)), ("orderAmount", json!("2100")), ("currency", json!("USD"))]
        {
            stage.fault(Operation::Query, fields(json!({"status": 1, field: value})));
            let answer = stage.query("p1").await;
            assert_eq!((answer.code, answer.genuine), (21, true), "{field} {value}");
            stage.stands("p1", &order, &format!("{field} {value}")).await;
        }
        stage.fault(Operation::Query, fields(json!({"status": 1, "partnerOrderNo": null})));
        assert_eq!(stage.query("p1").await.code, 21);
        let held: Vec<String> = stage.held().await.into_iter().map(|held| held.source).collect();
        assert_eq!(held, ["query", "query", "query", "query"]);
        assert_eq!(stage.deliver_due().await, 0);

        stage.pay(&submission);
        assert_eq!(stage.query("p1").await.body["status"], 1);
        assert_eq!(stage.deliver_due().await, 1);
    }
);
