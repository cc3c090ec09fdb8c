//! The payment products over REST: one `product` field, and the fields and answers that go with it.

use sandbox::{Fault, Operation};
use serde_json::{Value, json};

use super::orders::own_key;
use crate::harness::merchant::{DECLINED, PAYS, PIN};
use crate::harness::{HKD_STORE, Stage};
use crate::on_both;

/// 21.00 HKD, to be told to the demo shop, with all that the product requires.
fn new_order(stage: &Stage, product: &str, number: &str) -> Value {
    let mut order = json!({
        "product": product, "number": number, "storeNo": HKD_STORE, "amount": 2100,
        "notifyUrl": stage.shop().notify_url(),
    });
    if product == "barcode" {
        order["barcode"] = json!(PAYS);
    } else {
        order["wallet"] = json!("Alipay");
    }
    if ["qrcode", "online"].contains(&product) {
        order["currency"] = json!("HKD");
    }
    order
}

fn with(mut order: Value, field: &str, value: Value) -> Value {
    order[field] = value;
    order
}

on_both!(an_order_of_any_product_is_placed_over_rest, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    for (product, way) in [
        ("qrcode", Some("payUrl")),
        ("online", Some("payUrl")),
        ("jspay", Some("payUrl")),
        ("transaction_qr", Some("qrCode")),
        ("barcode", None),
    ] {
        let placed = stage.post_as(&key, "/v1/orders", new_order(stage, product, product)).await;
        assert_eq!(placed.status, 201, "{}", placed.text());
        let placed = placed.json();
        assert_eq!((&placed["product"], &placed["currency"]), (&json!(product), &json!("HKD")));
        let upstream = stage.upstream().orders().pop().expect("it arrived");
        for field in ["payUrl", "qrCode"] {
            let expected = (way == Some(field)).then(|| json!(upstream.pay_url));
            assert_eq!(placed.get(field), expected.as_ref(), "{product} {field}");
        }
        let status = if product == "barcode" { "paid" } else { "awaiting" };
        assert_eq!(placed["status"], status, "{placed}");
        let again = stage.post_as(&key, "/v1/orders", new_order(stage, product, product)).await;
        assert_eq!((again.status, again.json()), (201, placed), "{product}");
    }
    assert_eq!((stage.creates(), stage.queries()), (5, 0));
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now().len(), 1);
    assert_eq!(stage.upstream().violations(), []);
});

on_both!(what_a_barcode_comes_to_is_the_orders_status, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    for (barcode, status, expected) in [(PAYS, 201, "paid"), (DECLINED, 201, "failed"), (PIN, 202, "unknown")]
    {
        let order = with(new_order(stage, "barcode", barcode), "barcode", json!(barcode));
        let placed = stage.post_as(&key, "/v1/orders", order).await;
        assert_eq!(
            (placed.status, &placed.json()["status"]),
            (status, &json!(expected)),
            "{}",
            placed.text()
        );
    }
    let other = with(new_order(stage, "barcode", PIN), "barcode", json!(PAYS));
    let refused = stage.post_as(&key, "/v1/orders", other).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("number_taken")));
    stage.fault(Operation::Create, Fault::Code { code: 41, took_effect: false });
    let refused = stage.post_as(&key, "/v1/orders", new_order(stage, "barcode", "p1")).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("refused")));

    let path = format!("/v1/orders?merchant={}", stage.merchant_id());
    let first = stage.post_once("k1", &path, new_order(stage, "barcode", "p2")).await;
    let again = stage.post_once("k1", &path, new_order(stage, "barcode", "p2")).await;
    assert_eq!((first.status, again.status, again.json()), (201, 201, first.json()));
    assert_eq!(stage.creates(), 5);
});

on_both!(a_field_that_is_not_the_products_is_refused, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    let strange = [
        ("qrcode", "barcode", json!(PAYS)),
        ("qrcode", "timeToPay", json!("5m")),
        ("transaction_qr", "currency", json!("HKD")),
        ("transaction_qr", "returnUrl", json!("https://shop.example/r")),
        ("barcode", "wallet", json!("Alipay")),
        ("barcode", "goodsAmount", json!(1)),
        ("jspay", "goodsExtraAmount", json!(1)),
        ("online", "wallet", json!("Wechat")),
        ("transaction_qr", "timeToPay", json!("16d")),
        ("transaction_qr", "timeToPay", json!("1.5h")),
        ("barcode", "barcode", json!("2".repeat(21))),
        ("cash", "product", json!("cash")),
    ];
    for (product, field, value) in strange {
        let reply =
            stage.post_as(&key, "/v1/orders", with(new_order(stage, product, "p1"), field, value)).await;
        let problem = reply.json();
        let pointer = json!(format!("/{field}"));
        assert_eq!((reply.status, &problem["errors"][0]["pointer"]), (422, &pointer), "{product}: {problem}");
        assert!(!reply.text().contains(PAYS), "{}", reply.text());
    }
    for (product, field) in
        [("qrcode", "currency"), ("online", "wallet"), ("transaction_qr", "wallet"), ("barcode", "barcode")]
    {
        let mut order = new_order(stage, product, "p1");
        order.as_object_mut().expect("an object").shift_remove(field);
        let reply = stage.post_as(&key, "/v1/orders", order).await;
        let problem = reply.json();
        let pointer = json!(format!("/{field}"));
        assert_eq!((reply.status, &problem["errors"][0]["pointer"]), (422, &pointer), "{product}: {problem}");
    }
    assert_eq!((stage.rows().await.len(), stage.creates()), (0, 0));
    let asked = with(new_order(stage, "transaction_qr", "p1"), "timeToPay", json!("1c"));
    assert_eq!(stage.post_as(&key, "/v1/orders", asked).await.status, 201);
    let upstream = stage.upstream().orders().pop().expect("it arrived");
    assert_eq!(upstream.content.time_to_pay.as_deref(), Some("1c"));
});

on_both!(lists_statements_and_timelines_know_the_product, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    for (product, number) in [("barcode", "p1"), ("jspay", "p2"), ("barcode", "p3")] {
        assert_eq!(stage.post_as(&key, "/v1/orders", new_order(stage, product, number)).await.status, 201);
    }
    let list = stage.get_as(&key, "/v1/orders?product=barcode").await.json();
    let numbers: Vec<&Value> = (0..3).map(|row| &list["data"][row]["number"]).collect();
    assert_eq!(numbers, [&json!("p3"), &json!("p1"), &Value::Null], "{list}");
    assert_eq!(stage.get_as(&key, "/v1/orders?product=cash").await.status, 422);

    let statement = stage.get_as(&key, &format!("/v1/statement?day=2026-09-21&store={HKD_STORE}")).await;
    let lines: Vec<&str> = statement.text().lines().collect();
    let column = lines[0].split(',').position(|name| name == "product").expect("there is such a column");
    let products = lines[1..].iter().map(|line| line.split(',').nth(column).expect("it is filled"));
    assert_eq!(products.collect::<Vec<_>>(), ["barcode", "barcode"]);

    let timeline = stage.get_as(&key, "/v1/orders/p1/timeline").await;
    assert!(!timeline.text().contains(PAYS), "{}", timeline.text());
    let timeline = timeline.json();
    let (answer, placed) = (&timeline["data"][0], &timeline["data"][1]);
    assert_eq!((&answer["what"], &answer["note"]["to"]), (&json!("answer"), &json!("paid")));
    let id = placed["id"].as_str().expect("text");
    let raw = stage.get_as(&key, &format!("/v1/orders/p1/timeline/{id}/raw")).await.json();
    let raw = raw["text"].as_str().expect("text");
    assert!(raw.contains(r#""barcode":"***""#) && !raw.contains(PAYS), "{raw}");
});
