//! What happened to an order, told to its owner; reading the bytes is on record.

use serde_json::{Value, json};

use super::orders::own_key;
use crate::harness::{ACCOUNT_KEY, MERCHANT_KEY, Stage, UPSTREAM_HKD_STORE, UPSTREAM_PARTNER_NO};
use crate::on_both;

fn kinds(page: &Value) -> Vec<&str> {
    let rows = page["data"].as_array().expect("a list");
    rows.iter().map(|row| row["what"].as_str().expect("text")).collect()
}

on_both!(a_timeline_tells_journal_and_attempts_newest_first, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let whole = stage.get_as(&key, "/v1/orders/p1/timeline").await.json();
    assert_eq!(kinds(&whole), ["attempt", "notice", "answer", "placed"]);
    assert_eq!(whole["data"][0]["outcome"], "delivered");
    assert_eq!(whole["data"][0]["httpStatus"], 200);
    assert_eq!(whole["data"][1]["note"]["to"], "paid");
    assert_eq!(whole.get("next"), None);

    let (mut found, mut path) = (Vec::new(), "/v1/orders/p1/timeline?limit=1".to_owned());
    loop {
        let page = stage.get_as(&key, &path).await.json();
        found.extend(kinds(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/orders/p1/timeline?limit=1&cursor={next}");
    }
    assert_eq!(found, kinds(&whole));
});

on_both!(reading_raw_bytes_is_on_record_and_the_platforms_numbers_are_its_own, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    stage.pay_one_order("p1").await;
    let merchant = stage.merchant_id();
    let entries = stage.get_as(&key, "/v1/orders/p1/timeline").await;
    for secret in [UPSTREAM_PARTNER_NO, UPSTREAM_HKD_STORE, ACCOUNT_KEY, MERCHANT_KEY] {
        assert!(!entries.text().contains(secret), "{secret} in {}", entries.text());
    }
    let entries = entries.json();
    let id = |place: usize| entries["data"][place]["id"].as_str().expect("text").to_owned();
    assert_eq!(
        [0, 1, 2].map(|place| entries["data"][place]["hasRaw"].clone()),
        [false, false, true].map(Value::from)
    );

    let placed = format!("/v1/orders/p1/timeline/{}/raw", id(2));
    let raw = stage.get_as(&key, &placed).await.json();
    assert!(raw["text"].as_str().expect("text").contains("\"partnerOrderNo\":\"p1\""), "{raw}");
    let notice = format!("/v1/orders/p1/timeline/{}/raw", id(0));
    let refused = stage.get_as(&key, &notice).await;
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("platforms_only")));
    let raw = stage.get(&format!("{notice}?merchant={merchant}")).await.json();
    assert!(raw["text"].as_str().expect("text").contains(UPSTREAM_PARTNER_NO), "{raw}");
    assert!(!raw["text"].as_str().expect("text").contains("signature"), "{raw}");

    let audit = stage.get("/v1/audit?action=journal.raw_read").await.json();
    let read: Vec<&str> = audit["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["subject"]["id"].as_str().expect("text"))
        .collect();
    assert_eq!(read, [id(0), id(2)], "what was shown, and nothing else");
    assert_eq!(audit["data"][0]["merchantId"], json!(merchant));
    assert_eq!(stage.get_as(&key, "/v1/orders/p1/timeline/01KXVZ5B8M3Q0V6T9YJ2C4E7GH/raw").await.status, 404);
});
