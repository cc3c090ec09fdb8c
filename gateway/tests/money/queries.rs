//! Queries: what is answered from where, and what the upstream is asked.

use std::time::Duration;

use sandbox::{Fault, Gate, Operation, PaymentState};
use serde_json::{Value, json};

use crate::harness::acts::soon;
use crate::harness::merchant::{create, post, query, signed};
use crate::harness::people::{NEIGHBOUR_KEY, NEIGHBOUR_NO, OTHER_KEY, OTHER_PLATFORM};
use crate::harness::{Answer, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage, UPSTREAM_HKD_STORE};
use crate::on_both;

/// Ask as a merchant other than the usual one.
async fn query_as(stage: &Stage, platform: &str, partner_no: &str, key: &str, body: &Value) -> Answer {
    let document = signed(partner_no, key, "", body, stage.app().clock.now());
    post(&stage.node().url(&format!("/{platform}/api/common/payQuery")), document, key).await
}

on_both!(a_number_of_another_merchant_is_30_and_goes_nowhere, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let opened = stage.open("p1").await;
    let order_no = &opened.body["orderNo"];
    for body in [json!({"partnerOrderNo": "p1"}), json!({"orderNo": order_no})] {
        let neighbour = query_as(stage, PLATFORM, NEIGHBOUR_NO, NEIGHBOUR_KEY, &body).await;
        let namesake = query_as(stage, OTHER_PLATFORM, PARTNER_NO, OTHER_KEY, &body).await;
        for answer in [neighbour, namesake] {
            assert_eq!((answer.code, answer.genuine), (30, true), "{body}: {}", answer.document);
            assert!(answer.body.get("partnerOrderNo").is_none() && answer.body.get("orderNo").is_none());
        }
    }
    assert_eq!(stage.queries(), 0);
    assert_eq!(stage.query_body(&json!({"orderNo": order_no})).await.body["partnerOrderNo"], "p1");
});

on_both!(two_merchants_may_use_the_same_number, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ours = stage.open("p1").await;
    let mut theirs = stage.neighbours_order("p1");
    theirs.body["orderAmount"] = json!(7000);
    let answer = create(stage.node(), &theirs, stage.app().clock.now()).await;
    assert_eq!((answer.code, answer.genuine), (1, true), "{}", answer.document);
    assert_ne!(answer.pay_url(), ours.pay_url());
    let submission = stage.upstream().orders().pop().expect("it arrived").content.partner_order_no;
    stage.pay(&submission);
    stage.notify(&submission).await;
    let body = json!({"partnerOrderNo": "p1"});
    let answer = query_as(stage, PLATFORM, NEIGHBOUR_NO, NEIGHBOUR_KEY, &body).await;
    assert_eq!((&answer.body["orderAmount"], &answer.body["status"]), (&json!(7000), &json!(1)));
    let answer = stage.query("p1").await;
    assert_eq!((&answer.body["orderAmount"], &answer.body["status"]), (&json!(2100), &json!(0)));
});

on_both!(a_number_that_nobody_holds_is_30_and_goes_nowhere, async |stage: &mut Stage| {
    for body in [json!({"partnerOrderNo": "p1"}), json!({"orderNo": "1"})] {
        let answer = stage.query_body(&body).await;
        assert_eq!((answer.code, answer.genuine), (30, true));
    }
    assert_eq!(stage.query_body(&json!({"storeNo": "s"})).await.code, 7);
    assert_eq!(stage.queries(), 0);
});

on_both!(the_upstreams_number_finds_the_merchants_order_and_wins_over_its_own, async |stage: &mut Stage| {
    let first = stage.open("p1").await;
    stage.open("p2").await;
    let both = json!({"orderNo": first.body["orderNo"], "partnerOrderNo": "p2"});
    let answer = stage.query_body(&both).await;
    assert_eq!((answer.code, &answer.body["partnerOrderNo"]), (1, &json!("p1")));
    let unknown = json!({"orderNo": "1", "partnerOrderNo": "p2"});
    assert_eq!(stage.query_body(&unknown).await.code, 30);
});

on_both!(paid_and_refunded_orders_are_answered_from_our_row, async |stage: &mut Stage| {
    let paid = stage.pay_one_order("paid").await;
    let refunded = stage.pay_one_order("refunded").await;
    stage.upstream().refund(&refunded.content.partner_order_no).expect("it may be refunded");
    stage.notify(&refunded.content.partner_order_no).await;
    stage.deafen();
    for (number, status) in [("paid", 1), ("refunded", 3)] {
        let answer = stage.query(number).await;
        assert_eq!((answer.code, &answer.body["status"]), (1, &json!(status)), "{number}");
    }
    assert_eq!(stage.queries(), 0);
    let answer = stage.query("paid").await;
    let with = paid.paid_with.expect("it was paid");
    assert_eq!(answer.body["buyer"], with.buyer);
    assert_eq!(answer.body["orderNo"], paid.order_no);
    assert_eq!(answer.body["currency"], "HKD");
});

on_both!(
    all_who_ask_at_once_share_one_question_and_its_answer_holds_for_a_while,
    [("orders.query_min_interval", "1h")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        let gate = Gate::new();
        stage.fault(Operation::Query, Fault::DelayAnswer(gate.clone()));
        let ask = || stage.query("p1");
        let opening = async {
            soon(stage.upstream().seen_queries(1)).await;
            stage.open("p2").await;
            gate.open();
        };
        let (a, b, c, d, ()) =
            soon(Box::pin(async { tokio::join!(ask(), ask(), ask(), ask(), opening) })).await;
        for answer in [a, b, c, d] {
            assert_eq!((answer.code, &answer.body["status"]), (1, &json!(0)));
        }
        assert_eq!(stage.queries(), 1);
        assert_eq!(stage.query("p1").await.body["status"], 0);
        assert_eq!(stage.queries(), 1, "asked a moment ago: answered from the row");
        assert_eq!(stage.query("p2").await.body["status"], 0);
        assert_eq!(stage.queries(), 2, "other orders have questions of their own");
    }
);

on_both!(
    after_the_interval_the_upstream_is_asked_again,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        for asked in 1..=3 {
            assert_eq!(stage.query("p1").await.body["status"], 0);
            assert_eq!(stage.queries(), asked);
        }
    }
);

on_both!(what_the_upstream_is_asked_is_ours_alone, async |stage: &mut Stage| {
    stage.open("p1").await;
    let answer = stage
        .query_body(&json!({"partnerOrderNo": "p1", "storeNo": "theirs", "tip": "handed through"}))
        .await;
    assert_eq!(answer.code, 1);
    let asked = stage.upstream().requests().pop().expect("the query was seen");
    assert_eq!(asked.path, "/api/common/payQuery");
    let sent: Value = serde_json::from_str(&asked.body).expect("JSON");
    let submission = stage.submission_no("p1").await;
    assert_eq!(sent["request"]["body"], json!({"storeNo": UPSTREAM_HKD_STORE, "partnerOrderNo": submission}));
    for ours in [UPSTREAM_HKD_STORE, &submission] {
        assert!(!answer.document.contains(ours), "{ours} in {}", answer.document);
    }
});

on_both!(
    a_query_that_goes_unanswered_is_21_and_changes_nothing,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        let order = stage.row("p1").await;
        let faults = [
            Fault::HangUp { took_effect: true },
            Fault::HttpStatus { status: 502, took_effect: true },
            Fault::Garbage { took_effect: true },
            Fault::WrongSignature,
            Fault::Code { code: 2, took_effect: true },
            Fault::Code { code: 9, took_effect: true },
            Fault::Code { code: 21, took_effect: true },
        ];
        for fault in faults {
            stage.fault(Operation::Query, fault.clone());
            let answer = stage.query("p1").await;
            assert_eq!((answer.code, answer.genuine), (21, true), "{fault:?}");
            assert_eq!(stage.row("p1").await, order, "{fault:?}");
        }
    }
);

on_both!(
    no_such_order_twice_and_late_enough_proves_that_it_never_arrived,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.fault(Operation::Create, Fault::HangUp { took_effect: false });
        assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
        let unknown = async |stage: &Stage| {
            assert_eq!(stage.query("p1").await.code, 21);
            assert_eq!(stage.row("p1").await.status, "unknown");
        };
        // Twice, but early.
        unknown(stage).await;
        unknown(stage).await;
        stage.advance(Duration::from_millis(119_999));
        unknown(stage).await;
        stage.advance(Duration::from_millis(1));
        assert_eq!(stage.query("p1").await.code, 30);
        assert_eq!(stage.row("p1").await.status, "refused");

        // Late enough, but once.
        stage.fault(Operation::Create, Fault::HangUp { took_effect: false });
        assert_eq!(stage.create(&stage.order("p2")).await.code, 21);
        stage.advance(Duration::from_mins(10));
        assert_eq!(stage.query("p2").await.code, 21);
        assert_eq!(stage.row("p2").await.status, "unknown");
        assert_eq!(stage.query("p2").await.code, 30);

        // What never arrived makes room for other content, and if it is paid in spite of all it is paid.
        let mut other = stage.order("p1");
        other.body["orderAmount"] = json!(4200);
        assert_eq!(stage.create(&other).await.code, 1);
    }
);

on_both!(
    no_such_order_says_nothing_of_an_order_that_was_opened,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.open("p1").await;
        stage.advance(Duration::from_mins(10));
        for _ in 0..3 {
            stage.fault(Operation::Query, Fault::Code { code: 30, took_effect: true });
            assert_eq!(stage.query("p1").await.body["status"], 0);
            assert_eq!(stage.row("p1").await.status, "awaiting");
        }
    }
);

on_both!(an_unknown_order_that_a_query_finds_open_is_awaiting, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
    let answer = stage.query("p1").await;
    assert_eq!((answer.code, &answer.body["status"]), (1, &json!(0)));
    assert_eq!(stage.row("p1").await.status, "awaiting");
});

on_both!(a_refused_order_is_no_order_to_its_merchant, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::Code { code: 42, took_effect: false });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 42);
    assert_eq!(stage.query("p1").await.code, 30);
});

on_both!(
    code_33_to_a_query_closes_an_open_or_unknown_order,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        for number in ["awaiting", "unknown"] {
            if number == "unknown" {
                stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
            }
            stage.create(&stage.order(number)).await;
            assert_eq!(stage.row(number).await.status, number);
            let submission = stage.submission_no(number).await;
            stage.upstream().close(&submission).expect("it may be closed");
            for _ in 0..2 {
                let answer = stage.query(number).await;
                assert_eq!((answer.code, &answer.body["status"]), (1, &json!(2)), "{}", answer.document);
                assert_eq!(answer.body["partnerOrderNo"], number);
            }
            let order = stage.row(number).await;
            assert_eq!(order.status, "closed");
            assert_eq!(stage.notes(number, "query").await.len(), 1, "said once more it is no news");
            assert_eq!(stage.notes(number, "query").await[0]["code"], 33);
            assert_eq!(
                stage.upstream().order(&submission).map(|order| order.state),
                Some(PaymentState::Closed)
            );
        }
        assert_eq!(stage.deliver_due().await, 0);
    }
);

on_both!(
    code_33_ends_no_order_that_was_paid_failed_or_refused,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.open("failed").await;
        stage.upstream().fail(&stage.submission_no("failed").await).expect("it may fail");
        assert_eq!(stage.query("failed").await.body["status"], 2);
        stage.fault(Operation::Create, Fault::Code { code: 42, took_effect: true });
        assert_eq!(stage.create(&stage.order("refused")).await.code, 42);
        for number in ["failed", "refused"] {
            stage.upstream().close(&stage.submission_no(number).await).expect("it may be closed");
            stage.query(number).await;
            assert_eq!(stage.row(number).await.status, number);
        }
    }
);

on_both!(code_33_does_not_overtake_the_answer_to_create, async |stage: &mut Stage| {
    let gate = Gate::new();
    stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
    let order = stage.order("p1");
    let closing = async {
        soon(stage.upstream().seen_creates(1)).await;
        stage.upstream().close(&stage.submission_no("p1").await).expect("it may be closed");
        assert_eq!(stage.query("p1").await.code, 21, "not known yet");
        assert_eq!(stage.row("p1").await.status, "submitting");
        gate.open();
    };
    let (answer, ()) = soon(async { tokio::join!(stage.create(&order), closing) }).await;
    assert_eq!(answer.code, 1);
    assert_eq!(stage.row("p1").await.status, "awaiting");
});

on_both!(a_query_of_the_usual_merchant_is_signed_with_its_key, async |stage: &mut Stage| {
    stage.open("p1").await;
    let answer = query(stage.node(), &json!({"partnerOrderNo": "p1"}), stage.app().clock.now()).await;
    assert!(answer.genuine);
    assert!(!answer.document.contains(MERCHANT_KEY));
});
