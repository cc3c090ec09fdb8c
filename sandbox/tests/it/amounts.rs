//! Faults that an order asks for by its amount, one by one as the table has them, and by name.

use std::sync::Arc;
use std::time::Duration;

use sandbox::faults::catalogue;
use sandbox::{
    ControlError, Fault, NoticeFault, Operation, Pace, Payer, PaymentState, RefundState, Sandbox, Times,
};
use serde_json::{Value, json};
use shared::code::Code;
use shared::envelope::{Envelope, Side};

use crate::client::{
    Hands, KEY, QRCODE, QUERY, REFUND, TRANSACTION_QR, call, exchange, get, header, opened, order, order_at,
    post_json, sandbox, sandbox_at, signed, soon, verifies, with,
};
use crate::notices::shop;

/// Nothing that is slow or late takes long.
const BRISK: Pace = Pace {
    slow: Duration::from_millis(1),
    late: Duration::from_millis(1),
    moment: Duration::from_millis(1),
    refund: Duration::from_secs(30),
};

/// Nothing that is slow or late comes while a test runs.
const SLUGGISH: Pace = Pace {
    slow: Duration::from_hours(1),
    late: Duration::from_hours(1),
    moment: Duration::from_hours(1),
    refund: Duration::from_hours(1),
};

async fn brisk() -> (Sandbox, Hands) {
    let hands = Hands::default();
    (sandbox_at(hands.clock(), |settings| settings.pace = BRISK).await, hands)
}

/// What the caller gets, in two words.
async fn outcome(sandbox: &Sandbox, path: &str, body: &Value) -> String {
    let document = signed(&header(), body, KEY);
    let headers = [("content-type", "application/json")];
    match exchange(&sandbox.base_url(), "POST", path, &headers, &document).await {
        None => "hang up".to_owned(),
        Some(reply) if reply.status != 200 => format!("HTTP {}", reply.status),
        Some(reply) if Envelope::read(reply.body.as_bytes(), Side::Response).is_err() => "garbage".to_owned(),
        Some(reply) if !verifies(&reply.body, KEY) => "bad signature".to_owned(),
        Some(reply) => format!("code {}", reply.json()["response"]["body"]["code"]),
    }
}

fn of(number: &str, amount: i64) -> Value {
    with(order(number), json!({"orderAmount": amount}))
}

fn state(sandbox: &Sandbox, number: &str) -> Option<PaymentState> {
    sandbox.control().order(number).map(|order| order.state)
}

async fn until_state(sandbox: &Sandbox, number: &str, expected: PaymentState) {
    soon(async {
        while state(sandbox, number) != Some(expected) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_create_goes_wrong_as_its_amount_says_and_the_next_order_does_not() {
    let (sandbox, _) = brisk().await;
    for (amount, expected, opened) in [
        (4_040_101, "code 1", true),
        (4_040_103, "hang up", true),
        (4_040_104, "hang up", false),
        (4_040_105, "HTTP 500", false),
        (4_040_106, "HTTP 500", true),
        (4_040_107, "garbage", true),
        (4_040_108, "bad signature", true),
        (4_040_109, "code 1", true),
        (4_040_110, "code 1", true),
    ] {
        let number = amount.to_string();
        assert_eq!(outcome(&sandbox, QRCODE, &of(&number, amount)).await, expected, "{amount}");
        assert_eq!(state(&sandbox, &number).is_some(), opened, "{amount}");
        let usual = format!("after {amount}");
        assert_eq!(outcome(&sandbox, QRCODE, &of(&usual, 2_100)).await, "code 1");
        assert_eq!(outcome(&sandbox, QUERY, &json!({"partnerOrderNo": usual})).await, "code 1");
    }
    assert_eq!(state(&sandbox, "4040109"), Some(PaymentState::Paid));
    for path in [QRCODE, TRANSACTION_QR] {
        let body = with(order_at(path, path), json!({"orderAmount": 4_040_110}));
        let answer = call(&sandbox, path, &body).await.verified();
        assert_eq!((answer.get("payUrl"), answer.get("qrCode")), (None, None));
        assert!(answer["orderNo"].is_string());
    }
}

#[tokio::test]
async fn an_answer_that_is_slow_or_never_comes_was_to_a_call_that_took_effect() {
    let sandbox = sandbox_at(Hands::default().clock(), |settings| settings.pace = SLUGGISH).await;
    let sandbox = Arc::new(sandbox);
    let control = sandbox.control();
    let mut calling = Vec::new();
    for (number, amount) in [("slow", 4_040_101), ("never", 4_040_102)] {
        let sandbox = Arc::clone(&sandbox);
        calling.push(tokio::spawn(async move { outcome(&sandbox, QRCODE, &of(number, amount)).await }));
    }
    soon(control.seen_creates(2)).await;
    assert_eq!(state(&sandbox, "slow"), Some(PaymentState::Awaiting));
    assert_eq!(state(&sandbox, "never"), Some(PaymentState::Awaiting));
    assert!(calling.iter().all(|call| !call.is_finished()));
    control.release();
    assert_eq!(soon(calling.remove(1)).await.expect("does not panic"), "code 1", "until it is let go");
    assert!(!calling[0].is_finished());
}

#[tokio::test]
async fn a_query_goes_wrong_as_the_orders_amount_says() {
    let (sandbox, _) = brisk().await;
    let sandbox = Arc::new(sandbox);
    for (amount, expected) in
        [(4_040_202, "HTTP 500"), (4_040_203, "garbage"), (4_040_204, "bad signature"), (4_040_205, "code 1")]
    {
        let number = amount.to_string();
        assert_eq!(outcome(&sandbox, QRCODE, &of(&number, amount)).await, "code 1");
        let query = json!({"partnerOrderNo": number});
        assert_eq!(outcome(&sandbox, QUERY, &query).await, expected, "{amount}");
        assert_eq!(outcome(&sandbox, QUERY, &query).await, expected, "{amount}: every time");
    }
    let lie = call(&sandbox, QUERY, &json!({"partnerOrderNo": "4040205"})).await.verified();
    assert_eq!(lie["orderAmount"], 1);

    opened(&sandbox, &of("silent", 4_040_201)).await;
    let asked = sandbox.control().counts().queries;
    let asking = tokio::spawn({
        let sandbox = Arc::clone(&sandbox);
        async move { outcome(&sandbox, QUERY, &json!({"partnerOrderNo": "silent"})).await }
    });
    soon(sandbox.control().seen_queries(asked + 1)).await;
    assert!(!asking.is_finished());
    sandbox.control().release();
    assert_eq!(soon(asking).await.expect("does not panic"), "code 1");
}

#[tokio::test]
async fn a_refund_goes_wrong_once_as_the_orders_amount_says_and_the_repeat_tells_the_truth() {
    let (sandbox, hands) = brisk().await;
    // The first answer, its status, what is refunded then; the repeat's status; and half a minute later.
    for (amount, first, status, refunded, repeat, later) in [
        (4_040_301, "code 1", Some(0), 0, 0, 1),
        (4_040_302, "code 1", Some(0), 0, 0, 2),
        (4_040_303, "code 1", Some(2), 0, 2, 2),
        (4_040_304, "hang up", None, 700, 1, 1),
        (4_040_307, "garbage", None, 700, 1, 1),
        (4_040_308, "bad signature", None, 700, 1, 1),
    ] {
        let number = amount.to_string();
        opened(&sandbox, &of(&number, amount)).await;
        sandbox.control().pay(&number, Payer::default()).expect("may be paid");
        let refund = json!({"partnerOrderNo": number, "refundNo": "r1", "orderAmount": 700});
        assert_eq!(outcome(&sandbox, REFUND, &refund).await, first, "{amount}");
        let known = sandbox.control().order(&number).expect("is there");
        assert_eq!(known.refunded(), refunded, "{amount}");
        if let Some(status) = status {
            assert_eq!(known.refunds[0].state.wire_status(), status, "{amount}");
        }
        let told = async || call(&sandbox, REFUND, &refund).await.verified()["status"].as_i64();
        assert_eq!(told().await, Some(repeat), "{amount}");
        hands.advance(Duration::from_secs(30));
        assert_eq!(told().await, Some(later), "{amount}");
    }
    let number = "4040306";
    opened(&sandbox, &of(number, 4_040_306)).await;
    sandbox.control().pay(number, Payer::default()).expect("may be paid");
    let refund = json!({"partnerOrderNo": number, "refundNo": "r1", "orderAmount": 700});
    assert_eq!(outcome(&sandbox, REFUND, &refund).await, "HTTP 500");
    assert_eq!(sandbox.control().order(number).map(|order| order.refunds.len()), Some(0), "not made");
}

#[tokio::test]
async fn a_refund_in_progress_that_ends_well_can_be_the_last_of_an_order() {
    let (sandbox, hands) = brisk().await;
    opened(&sandbox, &of("p1", 4_040_301)).await;
    sandbox.control().pay("p1", Payer::default()).expect("may be paid");
    let refund = json!({"partnerOrderNo": "p1", "refundNo": "r1", "orderAmount": 4_040_301});
    assert_eq!(outcome(&sandbox, REFUND, &refund).await, "code 1");
    let status =
        async || call(&sandbox, QUERY, &json!({"partnerOrderNo": "p1"})).await.verified()["status"].clone();
    hands.advance(Duration::from_secs(29));
    assert_eq!(status().await, 1);
    hands.advance(Duration::from_secs(1));
    assert_eq!(status().await, 3);
}

#[tokio::test]
async fn a_payment_is_told_as_the_orders_amount_says() {
    for (amount, expected) in [
        (4_040_401, vec![(true, 0, 1)]),
        (4_040_402, vec![(true, 0, 1), (true, 0, 1)]),
        (4_040_403, vec![(true, 0, 1), (true, 0, 0)]),
        (4_040_405, vec![(true, 1, 1)]),
        (4_040_407, vec![(false, 0, 1); 3]),
    ] {
        let ((sandbox, _), shop) = (brisk().await, shop().await);
        let body = with(of("p1", amount), json!({"notifyUrl": shop.notify_url()}));
        opened(&sandbox, &body).await;
        sandbox.control().pay("p1", Payer::default()).expect("may be paid");
        soon(sandbox.control().seen_notices(expected.len() as u64)).await;
        let seen: Vec<_> = shop.received_now();
        let seen: Vec<_> = seen
            .into_iter()
            .map(|n| (n.verified, n.amount.unwrap_or_default() - amount, n.status.unwrap_or_default()))
            .collect();
        assert_eq!(seen, expected, "{amount}");
    }
}

#[tokio::test]
async fn a_notice_that_names_another_currency_or_order_verifies_all_the_same() {
    let ((sandbox, _), shop) = (brisk().await, shop().await);
    for (number, amount) in [("other", 2_100), ("order", 4_040_408), ("currency", 4_040_406)] {
        opened(&sandbox, &with(of(number, amount), json!({"notifyUrl": shop.notify_url()}))).await;
    }
    sandbox.control().pay("currency", Payer::default()).expect("may be paid");
    soon(sandbox.control().seen_notices(1)).await;
    sandbox.control().pay("order", Payer::default()).expect("may be paid");
    soon(sandbox.control().seen_notices(2)).await;
    let seen: Vec<_> = shop.received_now();
    let seen: Vec<_> =
        seen.iter().map(|n| (n.verified, n.partner_order_no.as_str(), n.currency.as_str())).collect();
    assert_eq!(seen, [(true, "currency", "USD"), (true, "currency", "HKD")]);
    assert_eq!(shop.received_now()[1].amount, Some(4_040_408), "all but the number is the order's own");
}

#[tokio::test]
async fn what_is_never_told_or_late_is_overtaken_by_what_is_told() {
    let sandbox = sandbox_at(Hands::default().clock(), |settings| settings.pace = SLUGGISH).await;
    let shop = shop().await;
    for (number, amount) in [("never", 4_040_404), ("late", 4_040_401), ("usual", 2_100)] {
        opened(&sandbox, &with(of(number, amount), json!({"notifyUrl": shop.notify_url()}))).await;
        sandbox.control().pay(number, Payer::default()).expect("may be paid");
    }
    let paid = soon(shop.paid(1)).await;
    assert_eq!(paid[0].partner_order_no, "usual");
    let notices = |number: &str| sandbox.control().order(number).map(|order| order.notices);
    assert_eq!((notices("never"), notices("late")), (Some(0), Some(0)));
    assert!(sandbox.control().notify_now("never").await.expect("by hand it is sent").acknowledged);
}

#[tokio::test]
async fn payers_act_as_the_amount_says() {
    let (sandbox, hands) = brisk().await;
    for (amount, path, expected) in [
        (4_040_501, QRCODE, PaymentState::Paid),
        (4_040_502, QRCODE, PaymentState::Closed),
        (4_040_503, TRANSACTION_QR, PaymentState::Failed),
        (4_040_504, QRCODE, PaymentState::Paid),
        (4_040_505, QRCODE, PaymentState::Closed),
        (4_040_506, TRANSACTION_QR, PaymentState::Paid),
    ] {
        let number = amount.to_string();
        let body = with(order_at(path, &number), json!({"orderAmount": amount}));
        assert_eq!(outcome(&sandbox, path, &body).await, "code 1", "{amount}");
        hands.advance(Duration::from_secs(1));
        until_state(&sandbox, &number, expected).await;
    }

    let later = sandbox_at(Hands::default().clock(), |settings| settings.pace = SLUGGISH).await;
    for (amount, expected) in [
        (4_040_504, PaymentState::Failed),
        (4_040_505, PaymentState::Awaiting),
        (4_040_506, PaymentState::Closed),
    ] {
        opened(&later, &of(&amount.to_string(), amount)).await;
        assert_eq!(state(&later, &amount.to_string()), Some(expected), "{amount}: until then");
    }
}

#[tokio::test]
async fn the_holder_of_a_scanned_code_goes_by_the_amount_before_the_code() {
    let (sandbox, _) = brisk().await;
    let path = crate::client::BARCODE;
    for (amount, expected) in [(4_040_502, (33, None)), (4_040_503, (1, Some(2))), (4_040_501, (1, Some(1)))]
    {
        let body = with(
            order_at(path, &amount.to_string()),
            json!({"orderAmount": amount, "barcode": "284447106610060501"}),
        );
        let answer = call(&sandbox, path, &body).await.verified();
        assert_eq!((answer["code"].as_i64(), answer["status"].as_i64()), (Some(expected.0), expected.1));
    }
}

#[tokio::test]
async fn every_documented_code_can_be_had_from_every_operation() {
    let (sandbox, _) = brisk().await;
    for (Code(code), _) in Code::TABLE.into_iter().filter(|(code, _)| *code != Code::SUCCESS) {
        let expected = format!("code {code}");
        let code = i64::from(code);
        for (first, opened) in [(4_040_600, false), (4_040_700, true)] {
            let number = (first + code).to_string();
            assert_eq!(outcome(&sandbox, QRCODE, &of(&number, first + code)).await, expected);
            assert_eq!(state(&sandbox, &number).is_some(), opened, "{number}");
        }
        let number = format!("query {code}");
        opened(&sandbox, &of(&number, 4_040_800 + code)).await;
        assert_eq!(outcome(&sandbox, QUERY, &json!({"partnerOrderNo": number})).await, expected);
        for (first, made) in [(4_040_900, 0), (4_041_000, 1)] {
            let number = (first + code).to_string();
            opened(&sandbox, &of(&number, first + code)).await;
            sandbox.control().pay(&number, Payer::default()).expect("may be paid");
            let refund = json!({"partnerOrderNo": number, "refundNo": "r", "orderAmount": 1});
            assert_eq!(outcome(&sandbox, REFUND, &refund).await, expected);
            assert_eq!(sandbox.control().order(&number).map(|order| order.refunded()), Some(made));
        }
    }
}

#[tokio::test]
async fn a_fault_is_ordered_by_name_for_the_next_calls_and_shown_while_it_waits() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let post = async |body: Value| post_json(&base, "/control/faults", &body.to_string()).await;
    assert_eq!(post(json!({"name": "create-code-21", "times": 1})).await.status, 204);
    assert_eq!(post(json!({"name": "notice-never"})).await.status, 204);
    let waiting = get(&base, "/control/faults").await.json();
    assert_eq!(
        waiting,
        json!([
            {"operation": "create", "fault": "code 21, no effect", "times": 1},
            {"operation": "notice", "fault": "notice Never", "times": null}
        ])
    );
    assert!(get(&base, "/faults").await.body.contains("code 21, no effect"));
    assert_eq!(outcome(&sandbox, QRCODE, &of("p1", 2_100)).await, "code 21");
    assert_eq!(outcome(&sandbox, QRCODE, &of("p1", 2_100)).await, "code 1");
    assert_eq!(post(json!({"name": "create-code-99"})).await.status, 404);
    assert_eq!(post(json!({"name": "slow", "operation": "create"})).await.status, 400);
    let misplaced = json!({"operation": "create", "fault": "notice", "notice": "twice"});
    assert_eq!(post(misplaced).await.status, 409);
    let built = json!({"operation": "payer", "fault": "payer", "payer": "cancels", "times": 1});
    assert_eq!(post(built).await.status, 204);
    opened(&sandbox, &of("p2", 2_100)).await;
    assert_eq!(state(&sandbox, "p2"), Some(PaymentState::Closed));

    let control = sandbox.control();
    let misplaced = control.fault(Operation::Query, Fault::Refund(RefundState::Failed), Times::Next(1));
    assert_eq!(misplaced, Err(ControlError::MisplacedFault));
    let placed = control.fault(Operation::Notice, Fault::Notice(NoticeFault::Twice), Times::Next(1));
    assert_eq!(placed, Ok(()));
}

#[tokio::test]
async fn the_page_and_the_guide_have_the_whole_table() {
    let sandbox = sandbox().await;
    let page = get(&sandbox.base_url(), "/faults").await.body;
    let guide = include_str!("../../../docs/guide/sandbox.md");
    assert!(
        guide.contains(&catalogue::markdown()),
        "`scangate sandbox --list-faults` prints the table of today"
    );
    for row in catalogue::markdown().lines().skip(2) {
        let cells: Vec<_> = row.split(" | ").map(|cell| cell.trim_matches(['|', ' ', '`'])).collect();
        assert!(page.contains(&format!("<td>{}</td>", cells[1])), "{row}");
        assert!(page.contains(cells[0]) && page.contains(cells[3]), "{row}");
    }
}
