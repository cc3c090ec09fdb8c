//! The payment products: one route, and one row of a table each. What an answer means, what is asked and kept, and how
//! long an order can be paid.

use std::time::Duration;

use data_encoding::HEXLOWER;
use sandbox::{Fault, Operation, Payer};
use serde_json::{Value, json};

use super::answers::fields;
use crate::harness::merchant::{DECLINED, PAYS, PIN, PIN_TOLD};
use crate::harness::side::Side;
use crate::harness::{HKD_STORE, Order, Stage, UPSTREAM_HKD_STORE};
use crate::on_both;

const QRCODE: &str = "/api/offline/qrcode";
const ONLINE: &str = "/api/online/create";
const TRANSACTION_QR: &str = "/api/offline/create";
const BARCODE: &str = "/api/offline/pay";
const JSPAY: &str = "/api/jspay/create";

/// In the order of the create table's columns; path, and the name of what the answer carries.
const PRODUCTS: [(&str, &str); 5] = [
    (QRCODE, "payUrl"),
    (ONLINE, "payUrl"),
    (TRANSACTION_QR, "qrCode"),
    (BARCODE, "status"),
    (JSPAY, "payUrl"),
];

fn with(mut order: Order, field: &str, value: Value) -> Order {
    order.body[field] = value;
    order
}

/// What the upstream was sent last.
fn sent(stage: &Stage) -> Value {
    let document = stage.upstream().requests().pop().expect("the call was seen").body;
    let document: Value = serde_json::from_str(&document).expect("JSON");
    document["request"]["body"].clone()
}

/// What may come of a create.
struct Outcome {
    what: &'static str,
    /// Of the product whose call itself moves the money: the payer's code.
    barcode: &'static str,
    fault: Option<Fault>,
    /// What the merchant is told: the code, and of a barcode the status.
    code: i64,
    told: Option<i64>,
    status: &'static str,
    events: &'static [&'static str],
    /// How often its `notifyUrl` hears of it.
    notified: usize,
}

impl Outcome {
    fn doubt(what: &'static str, fault: Fault) -> Self {
        let (barcode, fault) = (PAYS, Some(fault));
        Self { what, barcode, fault, code: 21, told: None, status: "unknown", events: &[], notified: 0 }
    }

    fn refused(what: &'static str, code: i32) -> Self {
        let fault = Fault::Code { code, took_effect: false };
        let events = &["order.refused"];
        Self { code: code.into(), status: "refused", events, ..Self::doubt(what, fault) }
    }
}

/// Of every product.
fn outcomes() -> Vec<Outcome> {
    let said = |code| Fault::Code { code, took_effect: false };
    vec![
        Outcome::refused("the wallet is not the store's", 43),
        Outcome::refused("the product is not opened", 44),
        Outcome::refused("a parameter is wrong", 5),
        Outcome::doubt("not in time", said(21)),
        Outcome::doubt("the wallet was not reached", said(22)),
        Outcome::doubt("system error", said(9)),
        Outcome::doubt("failure", said(2)),
        Outcome::doubt("lost before it arrived", Fault::HangUp { took_effect: false }),
        Outcome::doubt("no JSON", Fault::Garbage { took_effect: true }),
        Outcome::doubt("another's signature", Fault::WrongSignature),
    ]
}

/// Only of a barcode.
fn barcode_outcomes() -> Vec<Outcome> {
    let opened = |what, barcode, told, status, events: &'static [&'static str]| Outcome {
        what,
        barcode,
        fault: None,
        code: 1,
        told: Some(told),
        status,
        events,
        notified: usize::from(status == "paid"),
    };
    vec![
        opened("the payer pays", PAYS, 1, "paid", &["order.paid"]),
        opened("the payer is declined", DECLINED, 2, "failed", &["order.failed"]),
        opened("the payer types the PIN", PIN_TOLD, 0, "awaiting", &[]),
        Outcome { barcode: PIN, fault: None, ..Outcome::doubt("the PIN, not told", Fault::WrongSignature) },
    ]
}

async fn comes_to(stage: &mut Stage, path: &'static str, carries: &str, number: &str, outcome: &Outcome) {
    let mut order = stage.order_of(path, number);
    if path == BARCODE {
        order.body["barcode"] = json!(outcome.barcode);
    }
    if let Some(fault) = &outcome.fault {
        stage.fault(Operation::Create, fault.clone());
    }
    let before = stage.shop().paid_now().len();
    let answer = stage.create(&order).await;
    let about = format!("{path}, {}: {}", outcome.what, answer.document);
    assert_eq!((answer.status, answer.code, answer.genuine), (200, outcome.code, true), "{about}");
    assert_eq!(answer.body.get("status").and_then(Value::as_i64), outcome.told, "{about}");
    if outcome.code != 1 {
        assert!(answer.body.get(carries).is_none() && answer.body.get("orderNo").is_none(), "{about}");
    }
    stage.idle().await;
    let row = stage.row(number).await;
    assert_eq!(row.status, outcome.status, "{about}");
    let kinds: Vec<String> = stage.events(&row.id).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, outcome.events, "{about}");
    assert_eq!(stage.journal_kinds(&row.id).await, ["placed", "answer"], "{about}");
    assert_eq!(stage.submissions(&row.id).await.len(), 1, "{about}");
    stage.deliver_due().await;
    let told = stage.shop().paid_now();
    assert_eq!(told.len() - before, outcome.notified, "{about}");
    assert!(outcome.notified == 0 || told[before].partner_order_no == number, "{about}");
}

on_both!(an_answer_comes_to_the_same_by_every_product, async |stage: &mut Stage| {
    for (column, (path, carries)) in PRODUCTS.into_iter().enumerate() {
        for (row, outcome) in outcomes().iter().enumerate() {
            comes_to(stage, path, carries, &format!("p{column}-{row}"), outcome).await;
        }
        let number = format!("opened-{column}");
        if path == BARCODE {
            continue;
        }
        // A status beside what opens it is no word on a payment.
        stage.fault(Operation::Create, fields(json!({"status": 1})));
        let answer = stage.create(&stage.order_of(path, &number)).await;
        let upstream = stage.upstream().orders().pop().expect("it arrived");
        assert_eq!(answer.code, 1, "{}", answer.document);
        assert_eq!(answer.body[carries], upstream.pay_url, "{}", answer.document);
        assert_eq!(answer.body["orderNo"], upstream.order_no);
        let row = stage.row(&number).await;
        assert_eq!((row.status.as_str(), row.pay_url.as_ref()), ("awaiting", Some(&upstream.pay_url)));
    }
    assert_eq!(stage.held().await, []);
    assert_eq!(stage.queries(), 0);
});

on_both!(a_barcodes_answer_can_be_final, async |stage: &mut Stage| {
    for (row, outcome) in barcode_outcomes().iter().enumerate() {
        comes_to(stage, BARCODE, "status", &format!("p{row}"), outcome).await;
    }
    let paid = stage.row("p0").await;
    assert_eq!(
        (paid.paid, paid.paid_wallet.as_deref(), paid.currency.as_str()),
        (2100, Some("Alipay"), "HKD")
    );
    assert_eq!(stage.upstream().violations(), [], "the upstream has nothing to complain of");
    assert_eq!(stage.held().await, []);
});

on_both!(a_payment_that_an_answer_tells_of_passes_the_gate, async |stage: &mut Stage| {
    let differing =
        [("orderAmount", json!(2101)), ("currency", json!("USD")), ("partnerOrderNo", json!("x"))];
    for (asked, (field, value)) in differing.into_iter().enumerate() {
        stage.fault(Operation::Create, fields(json!({ field: value })));
        let answer = stage.create(&stage.order_of(BARCODE, field)).await;
        assert_eq!(answer.code, 21, "{field}: {}", answer.document);
        let held = stage.held().await;
        assert_eq!(held.len(), asked + 1);
        assert!(held[asked].differences.contains(&format!("\"field\":\"{field}\"")), "{field}");
        // It is asked about at once, and what the upstream says to that agrees.
        stage.idle().await;
        assert_eq!(stage.row(field).await.status, "paid", "{field}");
    }
    stage.deliver_due().await;
    assert_eq!(stage.shop().paid_now().len(), 3);
});

on_both!(
    a_payment_without_all_that_facts_are_checked_by_is_asked_about_at_once,
    async |stage: &mut Stage| {
        for field in ["status", "orderAmount", "currency", "partnerOrderNo"] {
            stage.fault(Operation::Create, fields(json!({ field: null })));
            let before = stage.queries();
            let answer = stage.create(&stage.order_of(BARCODE, field)).await;
            assert_eq!(answer.code, 21, "{field}: {}", answer.document);
            stage.idle().await;
            assert_eq!(stage.queries(), before + 1, "{field}");
            let row = stage.row(field).await;
            assert_eq!(row.status, "paid", "{field}");
            assert_eq!(stage.journal_kinds(&row.id).await, ["placed", "answer", "query"], "{field}");
            assert_eq!(stage.paid_events(&row.id).await.len(), 1, "{field}");
        }
        assert_eq!(stage.held().await, []);
    }
);

on_both!(a_notice_that_was_quicker_is_what_a_barcode_is_told, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::PayBeforeAnswer);
    let answer = stage.create(&with(stage.order_of(BARCODE, "p1"), "barcode", json!(PIN_TOLD))).await;
    assert_eq!((answer.code, &answer.body["status"]), (1, &json!(1)), "{}", answer.document);
    let row = stage.row("p1").await;
    assert_eq!(stage.paid_events(&row.id).await.len(), 1);
    assert!(!row.paid_twice);
});

on_both!(
    a_barcode_is_never_submitted_twice,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let pin = with(stage.order_of(BARCODE, "pin"), "barcode", json!(PIN));
        assert_eq!(stage.create(&pin).await.code, 21);
        assert_eq!(stage.row("pin").await.status, "unknown");
        let again = stage.create(&pin).await;
        assert_eq!((again.code, &again.body["status"]), (1, &json!(0)), "{}", again.document);
        assert_eq!(stage.row("pin").await.status, "awaiting");
        let other = stage.create(&with(stage.order_of(BARCODE, "pin"), "barcode", json!(PAYS))).await;
        assert_eq!(other.code, 31, "{}", other.document);
        stage.pay(&stage.submission_no("pin").await);
        let again = stage.create(&pin).await;
        assert_eq!((again.code, &again.body["status"]), (1, &json!(1)), "{}", again.document);

        stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
        let lost = stage.order_of(BARCODE, "lost");
        assert_eq!(stage.create(&lost).await.code, 21);
        let again = stage.create(&lost).await;
        assert_eq!((again.code, &again.body["status"]), (1, &json!(1)), "it was paid: {}", again.document);
        assert_eq!(stage.creates(), 2, "each was sent once");
        assert_eq!(stage.deliver_due().await, 2);
    }
);

on_both!(
    a_lost_barcode_counts_as_never_arrived_only_after_five_minutes_and_others_after_two,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        for (path, minutes) in [(BARCODE, 5), (QRCODE, 2)] {
            stage.fault(Operation::Create, Fault::HangUp { took_effect: false });
            let order = stage.order_of(path, path);
            assert_eq!(stage.create(&order).await.code, 21);
            assert_eq!(stage.query(path).await.code, 21);
            stage.advance(Duration::from_secs(minutes * 60 - 1));
            assert_eq!(stage.query(path).await.code, 21, "a second is missing");
            assert_eq!(stage.row(path).await.status, "unknown");
            stage.advance(Duration::from_secs(1));
            assert_eq!(stage.query(path).await.code, 30);
            assert_eq!(stage.row(path).await.status, "refused");
        }
        // Proven lost, it may be tried once more, as after any refusal: nobody was charged.
        let again = stage.create(&stage.order_of(BARCODE, BARCODE)).await;
        assert_eq!((again.code, &again.body["status"]), (1, &json!(1)), "{}", again.document);
        assert_eq!(stage.row(BARCODE).await.submissions, 2);
    }
);

on_both!(a_refused_barcode_may_be_tried_again_with_another_code, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::Code { code: 41, took_effect: false });
    assert_eq!(stage.create(&stage.order_of(BARCODE, "p2")).await.code, 41);
    let again =
        stage.create(&with(stage.order_of(BARCODE, "p2"), "barcode", json!("284447106610060509"))).await;
    assert_eq!((again.code, &again.body["status"]), (1, &json!(1)), "{}", again.document);
    assert_eq!(stage.row("p2").await.submissions, 2);
});

on_both!(a_finished_barcode_answers_with_its_final_state, async |stage: &mut Stage| {
    stage.fault(Operation::Create, fields(json!({"tradeSummary": true})));
    let mut first = Vec::new();
    for (number, barcode) in [("paid", PAYS), ("failed", DECLINED)] {
        let order = with(stage.order_of(BARCODE, number), "barcode", json!(barcode));
        let answer = stage.create(&order).await;
        assert_eq!(answer.body["partnerOrderNo"], number);
        assert_eq!(answer.body.get("tradeSummary").is_some(), number == "paid", "{}", answer.document);
        first.push((order, answer));
    }
    stage.restart().await;
    for (order, answer) in &first {
        let again = stage.create(order).await;
        assert_eq!(again.body, answer.body, "{}", order.number);
    }
    assert_eq!((stage.creates(), stage.queries()), (2, 0));
    stage.upstream().refund(&stage.submission_no("paid").await).expect("it may be refunded");
    stage.notify(&stage.submission_no("paid").await).await;
    assert_eq!(stage.create(&first[0].0).await.body["status"], 3, "what became of it since is told as well");
});

on_both!(every_other_product_gets_its_first_answer_again, async |stage: &mut Stage| {
    for (path, carries) in PRODUCTS.into_iter().filter(|(path, _)| *path != BARCODE) {
        let order = stage.order_of(path, path);
        let first = stage.create(&order).await;
        assert!(first.body[carries].is_string(), "{}", first.document);
        assert_eq!(stage.create(&order).await.body, first.body, "{path}");
        let other = stage.create(&with(stage.order_of(path, path), "orderAmount", json!(1))).await;
        assert_eq!(other.code, 31, "{path}");
    }
    let elsewhere = Order { path: JSPAY, ..stage.order_of(JSPAY, QRCODE) };
    assert_eq!(stage.create(&elsewhere).await.code, 31, "the same number by another product");
    assert_eq!((stage.creates(), stage.queries()), (4, 0));
});

on_both!(
    a_transaction_code_is_found_under_any_of_its_names_and_handed_on_under_its_own,
    async |stage: &mut Stage| {
        let cases = [
            (json!({"qrCode": "c"}), json!({"qrCode": "c"})),
            (json!({"qrCode": null, "codeUrl": "u"}), json!({"qrCode": "u", "codeUrl": "u"})),
            (json!({"qrCode": null, "payUrl": "p"}), json!({"qrCode": "p", "payUrl": "p"})),
            (json!({"codeUrl": "u", "qrCode": "c"}), json!({"qrCode": "c", "codeUrl": "u"})),
        ];
        for (case, (upstream, expected)) in cases.into_iter().enumerate() {
            let number = format!("p{case}");
            stage.fault(Operation::Create, fields(upstream));
            let order = stage.order_of(TRANSACTION_QR, &number);
            for _ in 0..2 {
                let mut answer = stage.create(&order).await.body;
                let answer = answer.as_object_mut().expect("an object");
                answer.retain(|field, _| !["code", "msg", "orderNo"].contains(&&**field));
                assert_eq!(json!(answer), expected);
            }
            assert_eq!(stage.row(&number).await.pay_url.as_deref(), expected["qrCode"].as_str());
        }
        // Without any it is open, and cannot be paid.
        stage.fault(Operation::Create, fields(json!({"qrCode": null})));
        assert_eq!(stage.create(&stage.order_of(TRANSACTION_QR, "none")).await.code, 21);
        let row = stage.row("none").await;
        assert_eq!((row.status.as_str(), row.pay_url), ("awaiting", None));
    }
);

on_both!(a_transaction_code_is_paid_by_whoever_scans_it, async |stage: &mut Stage| {
    let answer = stage.create(&stage.order_of(TRANSACTION_QR, "p1")).await;
    let text = answer.body["qrCode"].as_str().expect("a code");
    stage.upstream().scan(text, Payer::default()).expect("it may be paid");
    stage.notify(&stage.submission_no("p1").await).await;
    assert_eq!(stage.row("p1").await.status, "paid");
    assert_eq!(stage.deliver_due().await, 1);
});

on_both!(every_product_takes_its_column_of_the_create_table, async |stage: &mut Stage| {
    // Read off docs/PROTOCOL.md: required, optional, not a field; in the order of PRODUCTS.
    let table = [
        ("storeNo", "YYYYY"),
        ("partnerOrderNo", "YYYYY"),
        ("wallet", "YYY-Y"),
        ("barcode", "---Y-"),
        ("currency", "YY---"),
        ("orderAmount", "YYYYY"),
        ("goodsAmount", "NN---"),
        ("goodsExtraAmount", "NN---"),
        ("orderTitle", "NNNNN"),
        ("operatorId", "NNNNN"),
        ("terminalNo", "NNNNN"),
        ("notifyUrl", "NNNNN"),
        ("returnUrl", "NN--N"),
        ("it_b_pay", "--N--"),
    ];
    let values = json!({
        "storeNo": HKD_STORE, "wallet": "Alipay", "barcode": PAYS, "currency": "HKD", "orderAmount": 2100,
        "goodsAmount": 2000, "goodsExtraAmount": 100, "orderTitle": "Tea", "operatorId": "7", "terminalNo": "T1",
        "notifyUrl": "http://127.0.0.1:1/n", "returnUrl": "http://127.0.0.1:1/r", "it_b_pay": "5m"
    });
    for (column, (path, _)) in PRODUCTS.into_iter().enumerate() {
        for (field, needs) in table {
            let need = needs.as_bytes()[column];
            let mut without = stage.order_of(path, &format!("{column}-{field}"));
            without.body.as_object_mut().expect("an object").shift_remove(field);
            let answer = stage.create(&without).await;
            let expected = if need == b'Y' { 4 } else { 1 };
            assert_eq!(answer.code, expected, "{path} without {field}: {}", answer.document);
            assert!(need != b'Y' || answer.msg().starts_with(field), "{path}: {}", answer.msg());

            let number = format!("{column}+{field}");
            let mut given = stage.order_of(path, &number);
            if field != "partnerOrderNo" {
                given.body[field] = values[field].clone();
            }
            let answer = stage.create(&given).await;
            assert_eq!(answer.code, 1, "{path} with {field}: {}", answer.document);
            let sent = sent(stage);
            assert_eq!(sent.get(field).is_some(), need != b'-', "{path} {field}: {sent}");
            let ours = ["storeNo", "partnerOrderNo", "notifyUrl", "returnUrl"].contains(&field);
            assert!(ours || need == b'-' || sent[field] == values[field], "{path} {field}: {sent}");
            assert_eq!(sent["storeNo"], UPSTREAM_HKD_STORE);
        }
    }
    assert_eq!(stage.upstream().violations(), [], "nothing goes out that the product does not take");
});

on_both!(what_a_product_does_not_allow_is_named_and_takes_no_number, async |stage: &mut Stage| {
    let wrong = [
        (ONLINE, "wallet", json!("Wechat")),
        (TRANSACTION_QR, "it_b_pay", json!("16d")),
        (TRANSACTION_QR, "it_b_pay", json!("1.5h")),
        (TRANSACTION_QR, "it_b_pay", json!(5)),
        (BARCODE, "barcode", json!("2".repeat(21))),
        (BARCODE, "barcode", json!(284_447_106_610_060_508_i64)),
        // Not sent on, but not the store's: the amount was meant otherwise.
        (BARCODE, "currency", json!("JPY")),
        (TRANSACTION_QR, "currency", json!("hkd")),
        (JSPAY, "currency", json!("USD")),
        (JSPAY, "BARCODE", json!(PAYS)),
    ];
    for (path, field, value) in wrong {
        let answer = stage.create(&with(stage.order_of(path, "p1"), field, value.clone())).await;
        assert_eq!(answer.code, 5, "{path} {field} {value}: {}", answer.document);
        assert!(answer.msg().to_lowercase().starts_with(&field.to_lowercase()), "{}", answer.msg());
        assert!(!answer.document.contains(PAYS), "{}", answer.document);
    }
    assert_eq!(stage.rows().await, []);
    assert_eq!(stage.creates(), 0);
});

on_both!(a_payers_code_is_kept_nowhere, async |stage: &mut Stage| {
    // The upstream is careless with it, too.
    stage.upstream().automatic_notices(false);
    stage.fault(Operation::Create, fields(json!({"barcode": PAYS, "note": format!("code {PAYS}")})));
    let answer = stage.create(&stage.order_of(BARCODE, "p1")).await;
    assert_eq!(answer.body["status"], 1, "{}", answer.document);
    stage.fault(Operation::Create, Fault::Code { code: 43, took_effect: false });
    assert_eq!(stage.create(&stage.order_of(BARCODE, "p2")).await.code, 43);
    assert_eq!(stage.create(&stage.order_of(BARCODE, "p2")).await.code, 1, "resubmitted");
    // Given to a product that has no use for it.
    assert_eq!(stage.create(&with(stage.order("p3"), "barcode", json!(PAYS))).await.code, 1);
    stage.notify(&stage.submission_no("p1").await).await;
    stage.idle().await;

    let kept = Side::open(stage).await.everything().await;
    let hex = HEXLOWER.encode(PAYS.as_bytes());
    assert!(!kept.contains(PAYS) && !kept.contains(&hex));
    for number in ["p1", "p2", "p3"] {
        let journal = stage.journal(&stage.row(number).await.id).await;
        let raw = String::from_utf8(journal[0].raw.clone().expect("the request is kept")).expect("text");
        assert!(raw.contains(r#""barcode":"***""#), "{raw}");
        assert!(serde_json::from_str::<Value>(&raw).is_ok(), "{raw}");
    }
});

on_both!(
    an_order_can_be_paid_for_as_long_as_its_product_says,
    [("orders.pay_window_barcode", "1h"), ("orders.pay_window_jspay", "2h")],
    async |stage: &mut Stage| {
        const MINUTE: i64 = 60_000;
        // 22:13:20 on the clock of the store's zone.
        assert_eq!(stage.app().clock.now_ms(), 1_790_000_000_000);
        let to_midnight = 1_790_006_400_000 - 1_790_000_000_000;
        let cases = [
            (QRCODE, None, 24 * 60 * MINUTE),
            (ONLINE, None, 24 * 60 * MINUTE),
            (JSPAY, None, 2 * 60 * MINUTE),
            (BARCODE, None, 60 * MINUTE),
            (TRANSACTION_QR, None, 3 * MINUTE),
            (TRANSACTION_QR, Some("90m"), 90 * MINUTE),
            (TRANSACTION_QR, Some("15d"), 15 * 24 * 60 * MINUTE),
            (TRANSACTION_QR, Some("1c"), to_midnight),
            // Not a field of it.
            (QRCODE, Some("5m"), 24 * 60 * MINUTE),
        ];
        for (case, (path, asked, expected)) in cases.into_iter().enumerate() {
            let number = format!("p{case}");
            let mut order = stage.order_of(path, &number);
            order.body["it_b_pay"] = json!(asked);
            assert_eq!(stage.create(&order).await.code, 1, "{path} {asked:?}");
            let row = stage.row(&number).await;
            assert_eq!(row.expires_at - row.created_at, expected, "{path} {asked:?}");
        }
        // A new submission has its time anew.
        stage.fault(Operation::Create, Fault::Code { code: 43, took_effect: false });
        assert_eq!(stage.create(&stage.order_of(TRANSACTION_QR, "again")).await.code, 43);
        stage.advance(Duration::from_mins(10));
        assert_eq!(stage.create(&stage.order_of(TRANSACTION_QR, "again")).await.code, 1);
        let row = stage.row("again").await;
        assert_eq!(row.expires_at - row.created_at, 13 * MINUTE);
    }
);

on_both!(orders_of_all_products_count_alike, [("limits.store", "3/1h")], async |stage: &mut Stage| {
    for path in [QRCODE, BARCODE, TRANSACTION_QR] {
        assert_eq!(stage.create(&stage.order_of(path, path)).await.code, 1, "{path}");
    }
    for path in [ONLINE, JSPAY, BARCODE] {
        let answer = stage.create(&stage.order_of(path, &format!("more{path}"))).await;
        assert_eq!(answer.code, 9, "{path}: {}", answer.document);
    }
    assert_eq!(stage.creates(), 3);
});
