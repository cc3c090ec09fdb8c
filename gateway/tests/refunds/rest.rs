//! Refunds over the REST API.

use gateway::entity::refund::State;
use sandbox::{Fault, Operation};
use serde_json::{Value, json};

use crate::harness::{HKD_STORE, Stage};
use crate::on_both;

async fn path(stage: &Stage, number: &str) -> String {
    format!("/v1/orders/{number}/refunds?merchant={}", stage.merchant_id())
}

fn ask(refund_no: &str, amount: i64) -> Value {
    json!({ "refundNo": refund_no, "amount": amount, "reason": "cold cup" })
}

on_both!(a_platform_refunds_and_finds_what_it_refunded, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let refunds = path(stage, "p1").await;
    let made = stage.post(&refunds, ask("r1", 700)).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let shown = made.json();
    assert_eq!((&shown["state"], &shown["askedBy"]), (&json!("refunded"), &json!("platform")));
    assert_eq!((&shown["leftAmount"], &shown["number"]), (&json!(1400), &json!("p1")));
    let merchant = stage.merchant_id();
    let location = made.header("location").expect("where it is").to_owned();
    assert_eq!(stage.get(&format!("{location}?merchant={merchant}")).await.json(), shown);
    assert_eq!(stage.get(&format!("/v1/refunds/r1?merchant={merchant}")).await.json(), shown);
    let order = stage.get(&format!("/v1/orders/r1?merchant={merchant}")).await.json();
    assert_eq!(
        (&order["number"], &order["refundedAmount"]),
        (&json!("p1"), &json!(700)),
        "found by its refund"
    );
    let (_, key) = stage.api_key(&["orders:read", "refunds:write"], Some(&merchant)).await;
    let own = stage.post_as(&key, "/v1/orders/p1/refunds", ask("r2", 1)).await.json();
    assert_eq!(own["askedBy"], "merchant");
    let listed = stage.get(&refunds).await.json();
    let mut first = shown;
    first["leftAmount"] = json!(1399);
    assert_eq!(listed["data"], json!([own, first]));
});

on_both!(what_is_not_refunded_says_why, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let refunds = path(stage, "p1").await;
    let problem = async |body: Value| {
        let reply = stage.post(&refunds, body).await;
        (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    let conflict = |code: &str| (409, code.to_owned());
    assert_eq!(problem(ask("r1", 2101)).await, conflict("more_than_refundable"));
    stage.fault(Operation::Refund, Fault::Code { code: 34, took_effect: false });
    assert_eq!(problem(ask("r1", 700)).await, conflict("refund_failed"));
    assert_eq!(problem(ask("r1", 701)).await, conflict("refund_no_taken"));
    stage.fault(Operation::Refund, Fault::HangUp { took_effect: true });
    assert_eq!(stage.post(&refunds, ask("r2", 700)).await.status, 202);
    assert_eq!(problem(ask("r3", 700)).await, conflict("refund_open"));
    let mut forced = ask("r3", 700);
    forced["force"] = json!(true);
    assert_eq!(stage.post(&refunds, forced).await.status, 201);
    let mut too_much = ask("r4", 701);
    too_much["force"] = json!(true);
    assert_eq!(
        problem(too_much).await,
        conflict("more_than_refundable"),
        "force gives back no more than there is"
    );
    let open = stage.get(&format!("/v1/refunds?merchant={}&state=unknown", stage.merchant_id())).await.json();
    assert_eq!(open["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(open["data"][0]["refundNo"], "r2");
    stage.open("p2").await;
    let unpaid = stage.post(&path(stage, "p2").await, ask("r1", 1)).await;
    assert_eq!((unpaid.status, &unpaid.json()["code"]), (409, &json!("not_paid")));
});

on_both!(an_idempotency_key_points_to_the_refund, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let refunds = path(stage, "p1").await;
    let first = stage.post_once("k", &refunds, ask("r1", 700)).await;
    let again = stage.post_once("k", &refunds, ask("r1", 700)).await;
    assert_eq!((first.status, first.json()), (201, again.json()));
    assert_eq!(stage.post_once("k", &refunds, ask("r2", 700)).await.status, 422, "another request");
    assert_eq!((stage.refunds("p1").await.len(), stage.refund_calls()), (1, 1));
});

on_both!(pages_of_refunds_lead_to_the_next, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    for number in 0..5 {
        assert_eq!(stage.refund("p1", &format!("r{number}"), 100).await.body["status"], 1);
    }
    let mut next = format!("/v1/refunds?merchant={}&limit=2", stage.merchant_id());
    let mut seen = Vec::new();
    loop {
        let page = stage.get(&next).await;
        seen.extend(page.json()["data"].as_array().expect("rows").iter().map(|row| row["refundNo"].clone()));
        let Some(link) = page.header("link") else { break };
        next = link.trim_start_matches('<').split('>').next().expect("an address").to_owned();
    }
    assert_eq!(seen, ["r4", "r3", "r2", "r1", "r0"]);
});

on_both!(a_statement_has_what_went_back, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    assert_eq!(stage.refund("p1", "r1", 600).await.body["status"], 1);
    stage.upstream().refund(&stage.submission_no("p1").await).expect("it may be refunded");
    stage.notify(&stage.submission_no("p1").await).await;
    let path = format!("/v1/statement?merchant={}&day=2026-09-21&store={HKD_STORE}", stage.merchant_id());
    let text = stage.get(&path).await.text().to_owned();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<Vec<String>> = rows
        .records()
        .map(|row| {
            let row = row.expect("a row");
            [0, 4, 10, 15].map(|place| row[place].to_owned()).to_vec()
        })
        .collect();
    let expected =
        [["payment", "p1", "2100", ""], ["refund", "p1", "600", "r1"], ["external_refund", "p1", "1500", ""]];
    assert_eq!(rows, expected);
});

on_both!(an_imported_order_is_refunded_under_its_own_number, async |stage: &mut Stage| {
    use crate::harness::merchant::signed;
    use crate::harness::web;
    use crate::harness::{ACCOUNT_KEY, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO};
    // What the shop did with ScanForPay itself: an order, paid, and a refund of a part of it.
    let base = stage.world.sandbox.base_url().trim_end_matches('/').to_owned();
    let direct = async |path: &str, body: Value| {
        let document = signed(UPSTREAM_PARTNER_NO, ACCOUNT_KEY, "", &body, stage.app().clock.now());
        let answer = web::post_json(&format!("{base}{path}"), document).await.json();
        assert_eq!(answer["response"]["body"]["code"], 1, "{answer}");
    };
    let mut body = stage.order("old-1").body;
    body["storeNo"] = json!(UPSTREAM_HKD_STORE);
    direct("/api/offline/qrcode", body).await;
    stage.pay("old-1");
    let before = json!({ "partnerOrderNo": "old-1", "refundNo": "before", "orderAmount": 100 });
    direct("/api/common/refund", before).await;
    let rows = json!({ "rows": [{
        "number": "old-1", "storeNo": HKD_STORE, "amount": 2100, "currency": "HKD", "status": "paid", "refunded": 100,
        "createdAt": "2026-09-20T14:13:21Z",
    }] });
    let brought = stage.post(&format!("/v1/merchants/{}/imports", stage.merchant_id()), rows).await;
    assert_eq!(brought.json()["created"], 1, "{}", brought.text());

    assert_eq!(stage.query("old-1").await.body["status"], 1);
    assert_eq!(stage.refund("old-1", "r1", 2001).await.code, 35);
    assert_eq!(stage.refund("old-1", "r1", 500).await.body["status"], 1);
    assert_eq!(stage.books("old-1").await, ("partially_refunded".to_owned(), 600, 0));
    assert_eq!(stage.refund("old-1", "r2", 1500).await.body["status"], 1);
    assert_eq!(stage.query("old-1").await.body["status"], 3);
    let upstream = stage.upstream().order("old-1").expect("it is there");
    assert_eq!(upstream.refunds.iter().map(|refund| refund.amount).collect::<Vec<_>>(), [100, 500, 1500]);
    assert_eq!(stage.told("old-1").await, ["refund.succeeded", "refund.succeeded"]);
    assert_eq!(stage.refund_state("old-1", "r2").await, State::Refunded);
});
