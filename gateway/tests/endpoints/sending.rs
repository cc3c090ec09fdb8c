//! What is sent, to whom, and what its answers mean.

use std::time::Duration;

use gateway::entity::delivery::State;
use serde_json::{Value, json};

use super::kit::verifying;
use crate::harness::Stage;
use crate::harness::receiver::{Heard, Receiver};
use crate::on_both;

fn told(receiver: &Receiver) -> Vec<(String, String)> {
    receiver.events().iter().map(Heard::told).collect()
}

fn pair(kind: &str, number: &str) -> (String, String) {
    (kind.to_owned(), number.to_owned())
}

on_both!(an_event_comes_as_it_is_fetched_signed_and_with_the_owners_headers, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let headers = json!({ "Authorization": "Bearer theirs" });
    let endpoint = stage.endpoint_at(&receiver, json!({ "headers": headers })).await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let heard = receiver.events().remove(0);
    let list = format!("/v1/orders/p1/events?merchant={}", stage.merchant_id());
    let fetched = stage.get(&list).await.json()["data"][0].clone();
    assert_eq!(heard.json(), fetched);
    assert_eq!(heard.header("webhook-id"), fetched["id"].as_str().expect("an id"));
    let now = stage.app().clock.now_ms() / 1_000;
    assert_eq!(heard.header("webhook-timestamp"), now.to_string());
    assert_eq!(heard.header("content-type"), "application/json");
    assert_eq!(heard.header("authorization"), "Bearer theirs");
    assert_eq!(verifying(&heard, &endpoint.secret), 1);
    assert_eq!(stage.shop().received(1).await.len(), 1, "and the order's own notifyUrl in ScanForPay's form");

    // A repeat bears the same id, and a time of its own.
    receiver.answer(500, "");
    stage.pay_one_order("p2").await;
    stage.deliver_due().await;
    stage.advance(Duration::from_mins(10));
    receiver.answer(204, "");
    stage.deliver_due().await;
    let (first, second) = (receiver.events().remove(1), receiver.events().remove(2));
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    assert_eq!(verifying(&second, &endpoint.secret), 1);
});

on_both!(filters_let_through_what_they_say, async |stage: &mut Stage| {
    let names = ["all", "refunds", "yen", "wechat", "alipay"];
    let mut receivers = Vec::new();
    let yen_store = stage.get(&format!("/v1/stores?merchantId={}", stage.merchant_id())).await.json();
    let yen_store = yen_store["data"].as_array().expect("a list").iter().find(|row| row["currency"] == "JPY");
    let yen_store = yen_store.expect("it is there")["id"].clone();
    for settings in [
        json!({}),
        json!({ "eventTypes": ["refund.succeeded"] }),
        json!({ "storeIds": [yen_store] }),
        json!({ "wallets": ["Wechat"] }),
        json!({ "wallets": ["Alipay"] }),
    ] {
        let receiver = Receiver::open().await;
        stage.endpoint_at(&receiver, settings).await;
        receivers.push(receiver);
    }
    stage.pay_one_order("p1").await;
    let path = format!("/v1/orders/p1/refunds?merchant={}", stage.merchant_id());
    assert_eq!(stage.post(&path, json!({ "refundNo": "r1", "amount": 100 })).await.status, 201);
    stage.deliver_due().await;
    let both = vec![pair("order.paid", "p1"), pair("refund.succeeded", "p1")];
    let expected = [both.clone(), vec![pair("refund.succeeded", "p1")], vec![], vec![], both];
    for ((name, receiver), expected) in names.iter().zip(&receivers).zip(expected) {
        assert_eq!(told(receiver), expected, "{name}");
    }
});

on_both!(
    a_platforms_own_endpoint_hears_of_its_merchants_and_of_their_endpoints,
    async |stage: &mut Stage| {
        let (platforms, merchants) = (Receiver::open().await, Receiver::open().await);
        let own = stage.post("/v1/endpoints", json!({ "url": platforms.url("/") })).await.json();
        let path = format!("/v1/endpoints/{}/verify", own["id"].as_str().expect("an id"));
        assert_eq!(stage.post(&path, Value::Null).await.status, 200);
        stage.endpoint_at(&merchants, json!({})).await;
        stage.pay_one_order("p1").await;
        stage.deliver_due().await;
        assert_eq!(told(&platforms), [pair("order.paid", "p1")]);
        merchants.answer(410, "");
        stage.pay_one_order("p2").await;
        stage.deliver_due().await;
        stage.deliver_due().await;
        let kinds: Vec<String> = told(&platforms).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["order.paid", "order.paid", "endpoint.disabled"]);
        let last = platforms.events().remove(2);
        let secret = own["secret"]["secret"].as_str().expect("a secret");
        assert_eq!(verifying(&last, secret), 1);
        assert_eq!(last.json()["merchantId"], json!(stage.merchant_id()));
    }
);

on_both!(scanforpays_form_goes_to_a_registered_endpoint_too, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    stage.endpoint_at(&receiver, json!({ "format": "scanforpay" })).await;
    receiver.answer(200, "success");
    let order = stage.order("p1");
    stage.create(&order).await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    stage.notify(&number).await;
    stage.deliver_due().await;
    let heard = receiver.events().remove(0);
    let notice = shared::envelope::Envelope::read(&heard.body, shared::envelope::Side::Response);
    let notice = notice.expect("an envelope");
    assert!(notice.verifies(crate::harness::MERCHANT_KEY), "it is signed with the merchant's key");
    assert!(String::from_utf8_lossy(&heard.body).contains("\"partnerOrderNo\":\"p1\""));
});

on_both!(an_answer_counts_by_the_endpoints_own_profile, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let profile = json!({ "kind": "field", "at": "/result", "equals": "ok" });
    stage.endpoint_at(&receiver, json!({ "acknowledgement": profile })).await;
    let order = stage.pay_one_order("p1").await;
    receiver.answer(200, r#"{"result": "later"}"#);
    stage.deliver_due().await;
    let state = async |stage: &Stage| {
        let row = stage.row("p1").await;
        let deliveries = stage.deliveries(&row.id).await;
        let ours = deliveries.into_iter().find(|one| one.url.starts_with(&receiver.url("")));
        let ours = ours.expect("it was promised");
        (ours.state, ours.outcome)
    };
    assert_eq!(state(stage).await, (State::Due, Some("not_acknowledged".to_owned())));
    receiver.answer(201, r#"{"result": "ok"}"#);
    stage.advance(Duration::from_mins(10));
    stage.deliver_due().await;
    assert_eq!(state(stage).await.0, State::Delivered);
    drop(order);
});

on_both!(
    an_endpoints_own_schedule_and_the_wait_it_asks_for_are_kept,
    [("deliveries.longest_retry_after", "30m")],
    async |stage: &mut Stage| {
        let receiver = Receiver::open().await;
        let settings = json!({ "schedule": ["10s", "20s"] });
        let endpoint = stage.endpoint_at(&receiver, settings).await;
        receiver.answer(500, "");
        stage.pay_one_order("p1").await;
        stage.deliver_due().await;
        // Longer than any jitter; the gateway's own first wait is longer still.
        stage.advance(Duration::from_secs(12));
        stage.deliver_due().await;
        assert_eq!(receiver.events().len(), 2);
        receiver.answer_with(503, "", &[("retry-after", "600")]);
        stage.advance(Duration::from_secs(25));
        stage.deliver_due().await;
        assert_eq!(receiver.events().len(), 3, "and that was the last of its schedule");

        stage.pay_one_order("p2").await;
        assert_eq!(stage.shown(&endpoint).await["breaker"], json!("open"), "it asked to be left alone");
        stage.advance(Duration::from_secs(500));
        stage.deliver_due().await;
        assert_eq!(receiver.events().len(), 3);
        receiver.answer_with(429, "", &[("retry-after", "86400")]);
        stage.advance(Duration::from_secs(101));
        stage.deliver_due().await;
        assert_eq!(receiver.events().len(), 4);
        receiver.answer(200, "");
        stage.advance(Duration::from_mins(29));
        stage.deliver_due().await;
        assert_eq!(receiver.events().len(), 4);
        stage.advance(Duration::from_mins(2));
        stage.deliver_due().await;
        assert_eq!(told(&receiver).last(), Some(&pair("order.paid", "p2")), "no longer than so");
    }
);
