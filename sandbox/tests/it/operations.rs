//! The two operations: what is accepted, what is refused with which code, and what is listed.

use sandbox::Payer;
use serde_json::{Value, json};
use shared::signature;

use crate::client::{
    KEY, OTHER_KEY, OTHER_PARTNER, PARTNER, QRCODE, QUERY, STORE, call, code, exchange, get, header, listed,
    opened, order, post_json, sandbox, signed, verifies, with,
};

/// Field values and layout as in the reference's own sample; only the signature is this partner's.
const SAMPLE: &str = r#"{
        "header": {
            "requestTime": "2018-07-25T18:06:05+08:00",
            "partnerNo": "10001",
            "signType": "SHA256",
            "version": "1.0",
            "reqMsgId": "fd03f269-3180-4575-8af0-8f6cf324fb0f"
        },
        "body": {
            "storeNo": "100010000000002",
            "partnerOrderNo": "p20180725180605466813",
            "wallet": "Alipay",
            "currency":"HKD",
            "orderAmount": 2100,
            "orderTitle": "Consume",
            "operatorId": "211918",
            "terminalNo": "123456",
            "notifyUrl": "http://192.168.31.72:8080/ScanForPay/notify",
            "returnUrl": "http://192.168.31.72:8080/ScanForPay/return"
        }
    }"#;

#[tokio::test]
async fn the_references_sample_opens_an_order() {
    let sandbox = sandbox().await;
    let document = format!(
        "{{\n    \"request\": {SAMPLE},\n    \"signature\": \"{}\"\n}}",
        signature::sign(SAMPLE, KEY)
    );
    let reply = post_json(&sandbox.base_url(), QRCODE, &document).await;
    let body = reply.verified();
    assert_eq!((&body["code"], &body["msg"]), (&json!(1), &json!("success")));
    let pay_url = body["payUrl"].as_str().expect("a payUrl");
    assert!(pay_url.starts_with(&format!("{}/pay/", sandbox.base_url())) && pay_url.len() <= 200);

    let header = &reply.json()["response"]["header"];
    assert_eq!(header["partnerNo"], PARTNER);
    assert_eq!(header["respTime"], "2018-07-25T18:06:12+08:00");
    assert_eq!(header["respMsgId"], header["reqMsgId"]);
    assert_eq!(header["respMsgId"].as_str().map(str::len), Some(32));

    let order = sandbox.control().order("p20180725180605466813").expect("is there");
    assert_eq!((order.content.amount, order.content.currency.as_str()), (2100, "HKD"));
    assert_eq!(order.content.title.as_deref(), Some("Consume"));
    assert_eq!(order.content.notify_url.as_deref(), Some("http://192.168.31.72:8080/ScanForPay/notify"));
    assert_eq!(body["orderNo"], json!(order.order_no));
    assert_eq!(sandbox.control().violations(), []);
}

#[tokio::test]
async fn a_create_that_breaks_a_rule_is_refused_with_its_code_and_listed() {
    let sandbox = sandbox().await;
    for (change, field, expected) in [
        (json!({"storeNo": null}), "storeNo", 4),
        (json!({"storeNo": ""}), "storeNo", 4),
        (json!({"storeNo": 100_010_000_000_002_i64}), "storeNo", 5),
        (json!({"storeNo": "1000100000000021"}), "storeNo", 5),
        (json!({"storeNo": "200010000000001"}), "storeNo", 3),
        (json!({"partnerOrderNo": null}), "partnerOrderNo", 4),
        (json!({"partnerOrderNo": "单".repeat(33)}), "partnerOrderNo", 5),
        (json!({"wallet": null}), "wallet", 4),
        (json!({"wallet": "Paypal"}), "wallet", 5),
        (json!({"wallet": "Wechat"}), "wallet", 43),
        (json!({"currency": "JPY"}), "currency", 5),
        (json!({"orderAmount": null}), "orderAmount", 4),
        (json!({"orderAmount": "2100"}), "orderAmount", 5),
        (json!({"orderAmount": 0}), "orderAmount", 5),
        (json!({"goodsAmount": 1.5}), "goodsAmount", 5),
        (json!({"notifyUrl": "shop.example/notify"}), "notifyUrl", 5),
        (json!({"returnUrl": "x".repeat(201)}), "returnUrl", 5),
        (json!({"orderTitle": ["a"]}), "orderTitle", 5),
        (json!({"OrderAmount": 1}), "orderAmount", 5),
    ] {
        let control = sandbox.control();
        control.clear_violations();
        let answer = call(&sandbox, QRCODE, &with(order("refused"), change.clone())).await.verified();
        assert_eq!(answer["code"], expected, "{change}: {answer}");
        assert!(answer["msg"].as_str().expect("a msg").contains(field), "{change}: {answer}");
        assert_eq!(listed(&control), [(field.to_owned(), Some(expected))], "{change}");
    }
    assert!(sandbox.control().orders().is_empty(), "what is refused takes no number");
}

#[tokio::test]
async fn all_that_is_wrong_is_listed_and_what_can_be_forgiven_is() {
    let sandbox = sandbox().await;
    let control = sandbox.control();
    let long = "题".repeat(101);
    let forgiven = json!({"orderTitle": long, "it_b_pay": "3m", "tradeSummary": true, "operatorId": "", "goodsAmount": 0});
    opened(&sandbox, &with(order("p1"), forgiven)).await;
    assert_eq!(listed(&control), [("orderTitle".to_owned(), None), ("it_b_pay".to_owned(), None)]);
    assert_eq!(control.order("p1").and_then(|order| order.content.title), Some("题".repeat(100)));
    assert_eq!(control.order("p1").and_then(|order| order.content.operator_id), None);

    control.clear_violations();
    let wrong = json!({"wallet": "x", "orderAmount": -1, "notifyUrl": "y"});
    assert_eq!(code(&sandbox, QRCODE, &with(order("p2"), wrong)).await, 5);
    assert_eq!(listed(&control).len(), 3);
}

#[tokio::test]
async fn only_a_known_partner_with_its_own_signature_is_heard() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let unknown = with(header(), json!({"partnerNo": "99999"}));
    let reply = post_json(&base, QRCODE, &signed(&unknown, &order("p1"), KEY)).await;
    assert_eq!((reply.status, &reply.json()["response"]["body"]["code"]), (200, &json!(3)));
    assert!(!verifies(&reply.body, KEY), "nobody's key can have signed for an unknown partner");

    let reply = post_json(&base, QRCODE, &signed(&header(), &order("p1"), OTHER_KEY)).await;
    assert_eq!(reply.verified()["code"], 8);

    let good = signed(&header(), &order("p1"), KEY);
    let reply = post_json(&base, QRCODE, &good.replace("2100", "2101")).await;
    assert_eq!(reply.verified()["code"], 8);

    assert_eq!(
        listed(&sandbox.control()),
        [
            ("partnerNo".to_owned(), Some(3)),
            ("signature".to_owned(), Some(8)),
            ("signature".to_owned(), Some(8))
        ]
    );
    assert!(sandbox.control().orders().is_empty());
}

#[tokio::test]
async fn the_header_is_held_to_its_table() {
    let sandbox = sandbox().await;
    for (change, expected) in [
        (json!({"reqMsgId": null}), 1),
        (json!({"reqMsgId": ""}), 1),
        (json!({"signType": null}), 1),
        (json!({"requestTime": null, "reqTime": "2018-07-25T10:06:05Z"}), 1),
        (json!({"reqTime": "2018-07-25T18:06:05+08:00"}), 1),
        (json!({"reqTime": "2018-07-25T18:06:06+08:00"}), 5),
        (json!({"requestTime": null}), 4),
        (json!({"requestTime": ""}), 4),
        (json!({"requestTime": "2018-07-25 18:06:05"}), 5),
        (json!({"requestTime": 1_532_513_165}), 5),
        (json!({"version": null}), 4),
        (json!({"version": "2.0"}), 5),
        (json!({"signType": "MD5"}), 5),
        (json!({"reqMsgId": "m".repeat(65)}), 5),
    ] {
        let document = signed(&with(header(), change.clone()), &order("p1"), KEY);
        let answer = post_json(&sandbox.base_url(), QRCODE, &document).await.verified();
        assert_eq!(answer["code"], expected, "{change}: {answer}");
    }
}

#[tokio::test]
async fn what_is_no_call_at_all_is_still_answered_with_200_and_a_code() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let json_type = [("content-type", "application/json")];
    let good = signed(&header(), &order("p1"), KEY);
    let large = format!("{{\"request\":\"{}\"}}", "x".repeat(70_000));
    for (method, headers, body, expected) in [
        ("GET", json_type.as_slice(), good.as_str(), 5),
        ("PUT", &json_type, &good, 5),
        ("POST", &[("content-type", "text/plain")], &good, 6),
        ("POST", &[("content-type", "application/json; charset=gbk")], &good, 6),
        ("POST", &[], &good, 6),
        ("POST", &json_type, "", 6),
        ("POST", &json_type, "{", 6),
        ("POST", &json_type, r#"{"request":{"header":{},"header":{}}}"#, 6),
        ("POST", &json_type, "{}", 4),
        ("POST", &json_type, r#"{"request":{"header":{},"body":{}}}"#, 4),
        ("POST", &json_type, r#"{"request":{"header":{},"body":{}},"signature":"x"}"#, 4),
        ("POST", &json_type, r#"{"request":[],"signature":"x"}"#, 5),
        ("POST", &json_type, &large, 5),
    ] {
        let reply = exchange(&base, method, QRCODE, headers, body).await.expect("an answer");
        let start: String = body.chars().take(40).collect();
        assert_eq!(reply.status, 200, "{method} {start}");
        assert_eq!(reply.json()["response"]["body"]["code"], expected, "{method} {start}");
    }
    assert_eq!(sandbox.control().violations().len(), 13);
    let utf8 = [("content-type", "application/json; charset=UTF-8")];
    let reply = exchange(&base, "POST", QRCODE, &utf8, &good).await.expect("an answer");
    assert_eq!(reply.verified()["code"], 1);
}

#[tokio::test]
async fn what_is_no_operation_does_not_exist() {
    let sandbox = sandbox().await;
    assert_eq!(call(&sandbox, "/api/offline/qrcodes", &order("p1")).await.status, 404);
    assert_eq!(get(&sandbox.base_url(), "/nothing").await.status, 404);
}

#[tokio::test]
async fn a_number_used_again_is_the_same_order_or_none() {
    let sandbox = sandbox().await;
    let control = sandbox.control();
    let first = opened(&sandbox, &order("p1")).await;
    assert_eq!(opened(&sandbox, &order("p1")).await, first);
    assert_eq!(control.order("p1").map(|order| order.creates), Some(2));
    assert_eq!(control.violations(), []);

    let dearer = with(order("p1"), json!({"orderAmount": 2101}));
    assert_eq!(code(&sandbox, QRCODE, &dearer).await, 31);
    control.pay("p1", Payer::default()).expect("may be paid");
    assert_eq!(code(&sandbox, QRCODE, &order("p1")).await, 31);
    opened(&sandbox, &order("p2")).await;
    control.close("p2").expect("may be closed");
    assert_eq!(code(&sandbox, QRCODE, &order("p2")).await, 33);
    assert_eq!(listed(&control).len(), 3);

    let theirs = with(header(), json!({"partnerNo": OTHER_PARTNER}));
    let theirs = signed(&theirs, &with(order("p1"), json!({"storeNo": "200010000000001"})), OTHER_KEY);
    let reply = post_json(&sandbox.base_url(), QRCODE, &theirs).await;
    assert_eq!(reply.verified_with(OTHER_KEY)["code"], 1, "numbers are unique per partner");
}

#[tokio::test]
async fn a_query_tells_what_became_of_the_order() {
    let sandbox = sandbox().await;
    let control = sandbox.control();
    for number in ["open", "paid", "failed", "closed", "refunded"] {
        opened(&sandbox, &order(number)).await;
    }
    let payer = Payer {
        wallet: Some(shared::wallet::Wallet::AlipayHK),
        buyer: Some("a***@b.hk".to_owned()),
        buyer_id: Some("2088000".to_owned()),
    };
    control.pay("paid", payer).expect("may be paid");
    control.pay("refunded", Payer::default()).expect("may be paid");
    control.refund("refunded").expect("may be refunded");
    control.fail("failed").expect("may fail");
    control.close("closed").expect("may be closed");
    let ask = async |number: &str| {
        call(&sandbox, QUERY, &json!({"storeNo": STORE, "partnerOrderNo": number})).await.verified()
    };
    assert_eq!(
        ask("paid").await,
        json!({
            "code": 1,
            "msg": "success",
            "orderNo": control.order("paid").expect("is there").order_no,
            "partnerOrderNo": "paid",
            "orderAmount": 2100,
            "currency": "HKD",
            "wallet": "AlipayHK",
            "status": 1,
            "payTime": "2018-07-25T18:06:12+08:00",
            "buyer": "a***@b.hk",
            "buyerId": "2088000"
        })
    );
    let open = ask("open").await;
    assert_eq!((&open["status"], open.get("payTime"), open.get("buyer")), (&json!(0), None, None));
    assert_eq!(ask("failed").await["status"], 2);
    assert_eq!(ask("refunded").await["status"], 3);
    assert_eq!(ask("closed").await["code"], 33);
    assert_eq!(ask("nobody's").await["code"], 30);
    assert_eq!(control.order("open").map(|order| order.queries), Some(1));
    assert_eq!(control.violations(), [], "asking for an order that is not there breaks no rule");
}

#[tokio::test]
async fn a_query_finds_by_either_number_what_is_the_partners_own() {
    let sandbox = sandbox().await;
    opened(&sandbox, &order("p1")).await;
    opened(&sandbox, &order("p2")).await;
    let order_no = sandbox.control().order("p1").expect("is there").order_no;
    let found = async |body: Value| {
        let answer = call(&sandbox, QUERY, &body).await.verified();
        (answer["code"].as_i64(), answer["partnerOrderNo"].as_str().map(str::to_owned))
    };
    let p1 = (Some(1), Some("p1".to_owned()));
    assert_eq!(found(json!({"partnerOrderNo": "p1"})).await, p1, "storeNo may be left out");
    assert_eq!(found(json!({"orderNo": order_no})).await, p1);
    assert_eq!(found(json!({"orderNo": order_no, "partnerOrderNo": "p2"})).await, p1, "orderNo wins");
    assert_eq!(found(json!({"orderNo": "", "partnerOrderNo": "p1"})).await, p1);
    assert_eq!(found(json!({"storeNo": STORE})).await.0, Some(7));
    assert_eq!(found(json!({"partnerOrderNo": "", "orderNo": ""})).await.0, Some(7));
    assert_eq!(found(json!({"storeNo": "100010000000003", "partnerOrderNo": "p1"})).await.0, Some(30));
    assert_eq!(found(json!({"storeNo": "200010000000001", "partnerOrderNo": "p1"})).await.0, Some(3));
    assert_eq!(found(json!({"partnerOrderNo": 1})).await.0, Some(5));

    let theirs = with(header(), json!({"partnerNo": OTHER_PARTNER}));
    let theirs = signed(&theirs, &json!({"orderNo": order_no}), OTHER_KEY);
    let reply = post_json(&sandbox.base_url(), QUERY, &theirs).await;
    assert_eq!(reply.verified_with(OTHER_KEY)["code"], 30);
}
