//! What the upstream's answer to create means.

use gateway::orders::reconcile;
use sandbox::{Fault, Gate, Operation, Style};
use serde_json::{Value, json};

use crate::harness::acts::soon;
use crate::harness::{HKD_STORE, PARTNER_NO, Stage, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO};
use crate::on_both;

/// A fault that puts these fields into an answer, or takes those that are null out of it.
pub fn fields(fields: Value) -> Fault {
    match fields {
        Value::Object(fields) => Fault::Fields(fields),
        other => panic!("fields are an object, not {other}"),
    }
}

on_both!(code_1_opens_the_order, async |stage: &mut Stage| {
    let answer = stage.create(&stage.order("p1")).await;
    let upstream = stage.upstream_order("p1");
    assert_eq!((answer.status, answer.code, answer.genuine), (200, 1, true));
    assert_eq!(answer.pay_url(), upstream.pay_url);
    assert_eq!(answer.body["orderNo"], upstream.order_no);
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.code), ("awaiting", Some(1)));
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer"]);
});

on_both!(codes_3_to_8_and_35_and_40_to_44_refuse_the_order, async |stage: &mut Stage| {
    for code in [3, 4, 5, 6, 7, 8, 35, 40, 41, 42, 43, 44] {
        let number = format!("p{code}");
        stage.fault(Operation::Create, Fault::Code { code, took_effect: false });
        let answer = stage.create(&stage.order(&number)).await;
        assert!(answer.genuine);
        assert_eq!(stage.row(&number).await.status, "refused", "code {code}");
        // A refusal of our own credentials or document is no word on the merchant's.
        let of_the_account = [3, 6, 7, 8].contains(&code);
        let told = if of_the_account { 3 } else { i64::from(code) };
        assert_eq!(answer.code, told, "code {code}");
        assert_eq!(answer.msg().contains("this store's account"), of_the_account, "{}", answer.msg());
        assert!(answer.body.get("payUrl").is_none());
    }
    assert_eq!(stage.queries(), 0);
});

on_both!(every_other_code_leaves_the_order_unknown_and_is_told_as_21, async |stage: &mut Stage| {
    for code in [2, 9, 20, 21, 22, 30, 31, 32, 33, 34, 0, -1, 10, 45, 999] {
        let number = format!("p{code}");
        stage.fault(Operation::Create, Fault::Code { code, took_effect: true });
        let answer = stage.create(&stage.order(&number)).await;
        assert_eq!((answer.code, answer.genuine), (21, true), "code {code}");
        let order = stage.row(&number).await;
        assert_eq!(order.status, "unknown", "code {code}");
        let submissions = stage.submissions(&order.id).await;
        assert_eq!(submissions[0].code, Some(i64::from(code)), "what was said is kept");
    }
});

on_both!(
    an_answer_that_cannot_be_trusted_leaves_the_order_unknown_and_is_told_as_21,
    async |stage: &mut Stage| {
        let faults = [
            ("hung up before", Fault::HangUp { took_effect: false }),
            ("hung up after", Fault::HangUp { took_effect: true }),
            ("502 before", Fault::HttpStatus { status: 502, took_effect: false }),
            ("502 after", Fault::HttpStatus { status: 502, took_effect: true }),
            ("500", Fault::HttpStatus { status: 500, took_effect: true }),
            ("404", Fault::HttpStatus { status: 404, took_effect: false }),
            ("302", Fault::HttpStatus { status: 302, took_effect: true }),
            ("201", Fault::HttpStatus { status: 201, took_effect: true }),
            ("not JSON", Fault::Garbage { took_effect: true }),
            ("another's signature", Fault::WrongSignature),
            ("no code", fields(json!({"code": null}))),
            ("a code that is no number", fields(json!({"code": "1"}))),
        ];
        for (what, fault) in faults {
            stage.fault(Operation::Create, fault);
            let answer = stage.create(&stage.order(what)).await;
            assert_eq!((answer.code, answer.genuine), (21, true), "{what}");
            assert!(answer.body.get("payUrl").is_none(), "{what}");
            assert_eq!(stage.row(what).await.status, "unknown", "{what}");
        }
    }
);

on_both!(
    a_time_out_leaves_the_order_unknown_and_is_told_as_21,
    [("upstream.timeout", "200ms")],
    async |stage: &mut Stage| {
        let gate = Gate::new();
        stage.fault(Operation::Create, Fault::DelayAnswer(gate.clone()));
        let answer = soon(stage.create(&stage.order("p1"))).await;
        assert_eq!((answer.code, answer.genuine), (21, true));
        assert_eq!(stage.row("p1").await.status, "unknown");
        gate.open();
    }
);

on_both!(an_open_order_without_a_pay_url_is_told_as_21, async |stage: &mut Stage| {
    stage.fault(Operation::Create, fields(json!({"payUrl": null})));
    let answer = stage.create(&stage.order("p1")).await;
    assert_eq!(answer.code, 21);
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.pay_url), ("awaiting", None));
});

on_both!(an_answer_that_differs_from_what_was_asked_is_held_and_asked_about, async |stage: &mut Stage| {
    let differing =
        [("orderAmount", json!(2101)), ("currency", json!("USD")), ("partnerOrderNo", json!("x"))];
    for (asked, (field, value)) in differing.into_iter().enumerate() {
        // The query that follows ends what is held: not before it was looked at here.
        let gate = Gate::new();
        stage.fault(Operation::Create, fields(json!({ field: value })));
        stage.fault(Operation::Query, Fault::DelayAnswer(gate.clone()));
        let answer = stage.create(&stage.order(field)).await;
        assert_eq!(answer.code, 21, "{field}");
        assert!(answer.body.get("payUrl").is_none(), "{field}");
        let held = stage.held().await;
        assert_eq!(held.len(), asked + 1);
        assert_eq!((held[asked].source.as_str(), held[asked].state.as_str()), ("answer", "held"));
        assert!(
            held[asked].differences.contains(&format!("\"field\":\"{field}\"")),
            "{}",
            held[asked].differences
        );
        soon(stage.upstream().seen_queries(asked as u64 + 1)).await;
        gate.open();
        // What the upstream says to that query agrees, and settles the order.
        assert_eq!(stage.query(field).await.body["status"], 0);
        assert_eq!(stage.row(field).await.status, "awaiting");
    }
});

on_both!(an_unknown_order_is_never_submitted_again_by_itself, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: false });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
    for _ in 0..3 {
        stage.advance(std::time::Duration::from_hours(1));
        reconcile::sweep(stage.app()).await.expect("the store is read");
        stage.deliver_due().await;
        stage.query("p1").await;
    }
    assert_eq!(stage.creates(), 1);
    assert_eq!(stage.row("p1").await.submissions, 1);
});

on_both!(the_upstream_may_write_its_answers_as_its_samples_do, async |stage: &mut Stage| {
    let style = Style {
        pay_url_key_with_space: true,
        pretty: true,
        escaped_slashes: true,
        escaped_unicode: true,
        odd_key_order: true,
        extra_field: true,
    };
    stage.upstream().set_style(style);
    let answer = stage.open("p1").await;
    assert_eq!(answer.pay_url(), stage.upstream_order("p1").pay_url);
    assert_eq!(answer.body["tradeSummary"], true, "what we do not know is handed on");
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    stage.notify(&number).await;
    assert_eq!(stage.row("p1").await.status, "paid");
});

on_both!(the_upstream_sees_our_numbers_and_the_merchant_its_own, async |stage: &mut Stage| {
    let mut order = stage.order("the-merchants-number");
    order.body["tradeSummary"] = json!(true);
    stage.fault(
        Operation::Create,
        fields(json!({
            "storeNo": UPSTREAM_HKD_STORE, "partnerNo": UPSTREAM_PARTNER_NO, "about": format!("store {UPSTREAM_HKD_STORE}"),
        })),
    );
    let answer = stage.create(&order).await;
    assert_eq!(answer.code, 1);
    let submission = stage.submission_no("the-merchants-number").await;

    let asked = stage.upstream().requests().pop().expect("the call was seen").body;
    let sent: Value = serde_json::from_str(&asked).expect("JSON");
    let (header, body) = (&sent["request"]["header"], &sent["request"]["body"]);
    assert_eq!(header["partnerNo"], UPSTREAM_PARTNER_NO);
    assert_eq!((&body["storeNo"], &body["partnerOrderNo"]), (&json!(UPSTREAM_HKD_STORE), &json!(submission)));
    assert_eq!(body["tradeSummary"], true);
    for theirs in ["the-merchants-number", HKD_STORE, PARTNER_NO, &stage.shop().base_url()] {
        assert!(!asked.contains(theirs), "{theirs} in {asked}");
    }
    for ours in [UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO, &submission] {
        assert!(!answer.document.contains(ours), "{ours} in {}", answer.document);
    }
    assert_eq!(answer.body["storeNo"], HKD_STORE, "the store's number is the merchant's again");
});
