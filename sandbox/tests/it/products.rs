//! The payment products: what each takes and answers, who pays it and how, and until when.

use std::time::Duration;

use sandbox::{Payer, PaymentState, Product, Sandbox};
use serde_json::{Value, json};

use crate::client::{
    BARCODE, Hands, JSPAY, ONLINE, QRCODE, QUERY, STORE, TRANSACTION_QR, call, code, exchange, get, listed,
    order_at, post_form, post_json, sandbox, sandbox_at, soon, with,
};
use crate::notices::shop;

const ALL: [&str; 5] = [QRCODE, ONLINE, TRANSACTION_QR, BARCODE, JSPAY];

async fn answered(sandbox: &Sandbox, path: &str, body: &Value) -> Value {
    call(sandbox, path, body).await.verified()
}

fn state(sandbox: &Sandbox, number: &str) -> Option<PaymentState> {
    sandbox.control().order(number).map(|order| order.state)
}

#[tokio::test]
async fn every_product_takes_its_column_of_the_create_table() {
    let sandbox = sandbox().await;
    let values = json!({
        "storeNo": STORE, "partnerOrderNo": "p", "wallet": "Alipay", "barcode": "284447106610060508",
        "currency": "HKD", "orderAmount": 2100, "goodsAmount": 2000, "goodsExtraAmount": 100,
        "orderTitle": "Tea", "operatorId": "7", "terminalNo": "T1", "notifyUrl": "http://127.0.0.1:1/n",
        "returnUrl": "http://127.0.0.1:1/r", "it_b_pay": "5m"
    });
    // From the page, not from the code: required, optional, not a field; in the order of ALL.
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
    let control = sandbox.control();
    control.automatic_notices(false);
    for (column, path) in ALL.into_iter().enumerate() {
        for (field, needs) in table {
            control.clear_violations();
            let number = format!("{column}-{field}");
            let without =
                answered(&sandbox, path, &with(order_at(path, &number), json!({field: null}))).await;
            let expected = if needs.as_bytes()[column] == b'Y' { 4 } else { 1 };
            assert_eq!(without["code"], expected, "{path} without {field}: {without}");

            control.clear_violations();
            let number = format!("{column}+{field}");
            let given = with(order_at(path, &number), json!({field: values[field]}));
            let answer = answered(&sandbox, path, &with(given, json!({"partnerOrderNo": number}))).await;
            assert_eq!(answer["code"], 1, "{path} with {field}: {answer}");
            let noted: Vec<_> = listed(&control);
            let strange = needs.as_bytes()[column] == b'-';
            assert_eq!(noted.len(), usize::from(strange), "{path} with {field}: {noted:?}");
        }
    }
}

#[tokio::test]
async fn each_product_answers_with_what_it_is_paid_by() {
    let sandbox = sandbox().await;
    let base = format!("{}/pay/", sandbox.base_url());
    for (path, product, field) in [
        (QRCODE, Product::Qrcode, "payUrl"),
        (ONLINE, Product::Online, "payUrl"),
        (JSPAY, Product::Jspay, "payUrl"),
        (TRANSACTION_QR, Product::TransactionQr, "qrCode"),
    ] {
        let answer = answered(&sandbox, path, &order_at(path, path)).await;
        let order = sandbox.control().order(path).expect("is there");
        assert_eq!(order.content.product, product);
        assert_eq!(
            answer,
            json!({"code": 1, "msg": "success", field: order.pay_url, "orderNo": order.order_no}),
            "{path}"
        );
        assert!(order.pay_url.starts_with(&base));
    }
    let answer = answered(&sandbox, BARCODE, &order_at(BARCODE, "b")).await;
    let mut asked = answered(&sandbox, QUERY, &json!({"partnerOrderNo": "b"})).await;
    assert_eq!((&answer["status"], &answer["wallet"]), (&json!(1), &json!("Alipay")));
    asked["msg"] = answer["msg"].clone();
    assert_eq!(answer, asked, "the answer is what a query says");
}

#[tokio::test]
async fn a_scanned_code_is_paid_declined_or_waits_for_the_pin_as_its_last_digits_say() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let pay = async |barcode: &str| {
        let order =
            with(order_at(BARCODE, barcode), json!({"barcode": barcode, "notifyUrl": shop.notify_url()}));
        let answer = answered(&sandbox, BARCODE, &order).await;
        (answer["code"].as_i64(), answer["status"].as_i64(), state(&sandbox, barcode))
    };
    assert_eq!(pay("284447106610060508").await, (Some(1), Some(1), Some(PaymentState::Paid)));
    assert_eq!(pay("284447106610060501").await, (Some(21), None, Some(PaymentState::Awaiting)));
    assert_eq!(pay("284447106610060502").await, (Some(1), Some(0), Some(PaymentState::Awaiting)));
    assert_eq!(pay("284447106610060503").await, (Some(1), Some(2), Some(PaymentState::Failed)));
    assert_eq!(pay("904447106610060508").await, (Some(5), None, None), "no wallet's code");
    assert_eq!(pay("134447106610060508").await, (Some(43), None, None), "WeChat's, which the store lacks");

    let pin = sandbox.control().order("284447106610060501").expect("is there");
    let page = get(&sandbox.base_url(), &pin.pay_url[sandbox.base_url().len()..]).await;
    assert!(page.body.contains("Type the PIN and pay") && !page.body.contains("<svg "), "{}", page.body);
    post_form(&sandbox.base_url(), &pin.pay_url[sandbox.base_url().len()..], "choice=pay").await;
    sandbox.control().pay("284447106610060502", Payer::default()).expect("may be paid");
    let told: Vec<_> = soon(shop.paid(3)).await.into_iter().map(|payment| payment.partner_order_no).collect();
    assert_eq!(told, ["284447106610060508", "284447106610060501", "284447106610060502"]);
    assert_eq!(code(&sandbox, BARCODE, &order_at(BARCODE, "284447106610060501")).await, 31);
}

#[tokio::test]
async fn a_transaction_code_is_shown_and_paid_by_whoever_scans_it() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let answer = answered(&sandbox, TRANSACTION_QR, &order_at(TRANSACTION_QR, "t1")).await;
    let text = answer["qrCode"].as_str().expect("a code").to_owned();
    assert!(get(&base, &text[base.len()..]).await.body.contains("<svg "));
    let scan = json!({"qrCode": text, "payer": {"wallet": "AlipayHK", "buyer": "me"}}).to_string();
    let paid = post_json(&base, "/control/scan", &scan).await;
    assert_eq!((paid.status, &paid.json()["state"]), (200, &json!("paid")));
    assert_eq!(answered(&sandbox, QUERY, &json!({"partnerOrderNo": "t1"})).await["wallet"], "AlipayHK");
    assert_eq!(post_json(&base, "/control/scan", &scan).await.status, 409);
    assert_eq!(post_json(&base, "/control/scan", r#"{"qrCode":"https://elsewhere/x"}"#).await.status, 404);
}

#[tokio::test]
async fn only_the_web_qr_code_and_the_transaction_code_have_a_code_on_their_page() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    for (path, has_code) in [(QRCODE, true), (TRANSACTION_QR, true), (ONLINE, false), (JSPAY, false)] {
        answered(&sandbox, path, &order_at(path, path)).await;
        let order = sandbox.control().order(path).expect("is there");
        let page = get(&base, &order.pay_url[base.len()..]).await;
        assert_eq!((page.status, page.body.contains("<svg ")), (200, has_code), "{path}");
        assert!(page.body.contains("value=\"pay\""), "{path}");
    }
}

#[tokio::test]
async fn the_web_page_is_for_alipay_only() {
    let sandbox = sandbox().await;
    let store = json!({"storeNo": "100010000000003", "currency": "JPY", "wallet": "Wechat"});
    assert_eq!(code(&sandbox, ONLINE, &with(order_at(ONLINE, "w"), store.clone())).await, 5);
    assert_eq!(code(&sandbox, QRCODE, &with(order_at(QRCODE, "w"), store)).await, 1);
}

#[tokio::test]
async fn an_order_nobody_paid_in_time_is_closed_and_a_late_payment_is_money_all_the_same() {
    let hands = Hands::default();
    let sandbox = sandbox_at(hands.clock(), |_| ()).await;
    for (path, number) in [(TRANSACTION_QR, "three minutes"), (QRCODE, "a day")] {
        answered(&sandbox, path, &order_at(path, number)).await;
    }
    let pin = with(order_at(BARCODE, "five minutes"), json!({"barcode": "284447106610060501"}));
    answered(&sandbox, BARCODE, &pin).await;
    let asked = with(order_at(TRANSACTION_QR, "two hours"), json!({"it_b_pay": "2h"}));
    answered(&sandbox, TRANSACTION_QR, &asked).await;
    let wrong = with(order_at(TRANSACTION_QR, "x"), json!({"it_b_pay": "1.5h"}));
    assert_eq!(code(&sandbox, TRANSACTION_QR, &wrong).await, 5);

    for (minutes, closed) in [(3, "three minutes"), (2, "five minutes"), (115, "two hours"), (1_320, "a day")]
    {
        let query = json!({"partnerOrderNo": closed});
        hands.advance(Duration::from_secs(minutes * 60 - 1));
        assert_eq!(code(&sandbox, QUERY, &query).await, 1, "{closed}: a second is left");
        hands.advance(Duration::from_secs(1));
        assert_eq!(code(&sandbox, QUERY, &query).await, 33, "{closed}");
        let order = sandbox.control().order(closed).expect("is there");
        let page = &order.pay_url[sandbox.base_url().len()..];
        post_form(&sandbox.base_url(), page, "choice=pay").await;
        assert_eq!(state(&sandbox, closed), Some(PaymentState::Closed), "the payer comes too late");
    }
    sandbox.control().pay("a day", Payer::default()).expect("the wallet can be later than ScanForPay");
    assert_eq!(answered(&sandbox, QUERY, &json!({"partnerOrderNo": "a day"})).await["status"], 1);
}

#[tokio::test]
async fn a_script_reads_the_product_and_the_time_to_pay() {
    let sandbox = sandbox().await;
    answered(&sandbox, TRANSACTION_QR, &order_at(TRANSACTION_QR, "t1")).await;
    let shown = exchange(&sandbox.base_url(), "GET", "/control/orders/t1", &[], "").await.expect("an answer");
    let shown = shown.json();
    assert_eq!(
        (&shown["product"], &shown["expiresAt"]),
        (&json!("transaction_qr"), &json!("2018-07-25T18:09:12+08:00"))
    );
}
