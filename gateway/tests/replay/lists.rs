//! What became of each promise.

use std::time::Duration;

use gateway::deliveries::select::{Filter, Scope, filtered};
use gateway::entity::delivery;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect, QueryTrait};
use serde_json::{Value, json};

use crate::harness::receiver::Receiver;
use crate::harness::{Backend, Stage};
use crate::on_both;

async fn states(stage: &Stage, query: &str) -> Vec<(String, String)> {
    let page = stage.get(&format!("/v1/deliveries{query}")).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let page = page.json();
    let rows = page["data"].as_array().expect("a list");
    rows.iter().map(|row| (text(&row["number"]), text(&row["state"]))).collect()
}

on_both!(deliveries_are_listed_by_what_they_are_and_shown_with_their_attempts, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({ "schedule": ["10s"] })).await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    stage.advance(Duration::from_mins(1));
    let between = shared::envelope::rfc3339(stage.app().clock.now()).replace('+', "%2B");
    stage.advance(Duration::from_secs(1));
    receiver.answer(500, "out of order 出错");
    stage.pay_one_order("p2").await;
    stage.deliver_due().await;
    stage.advance(Duration::from_secs(15));
    stage.deliver_due().await;
    let to = format!("endpointId={}", endpoint.id);
    let pair = |number: &str, state: &str| (number.to_owned(), state.to_owned());
    for (query, expected) in [
        (format!("?{to}"), vec![pair("p2", "exhausted"), pair("p1", "delivered")]),
        (format!("?{to}&state=exhausted"), vec![pair("p2", "exhausted")]),
        (format!("?{to}&state=delivered&state=exhausted&limit=1"), vec![pair("p2", "exhausted")]),
        (format!("?{to}&outcome=refused"), vec![pair("p2", "exhausted")]),
        (format!("?{to}&type=order.closed"), vec![]),
        (format!("?{to}&before={between}"), vec![pair("p1", "delivered")]),
        (format!("?{to}&from={between}"), vec![pair("p2", "exhausted")]),
        (
            format!("?merchantId={}&state=delivered", stage.merchant_id()),
            vec![pair("p2", "delivered"), pair("p1", "delivered"), pair("p1", "delivered")],
        ),
    ] {
        assert_eq!(states(stage, &query).await, expected, "{query}");
    }
    let page = stage.get(&format!("/v1/deliveries?{to}&state=exhausted")).await.json();
    let id = page["data"][0]["id"].as_str().expect("an id");
    let one = stage.get(&format!("/v1/deliveries/{id}")).await.json();
    let attempts = one["attempts"].as_array().expect("attempts");
    assert_eq!((attempts.len(), &one["attemptCount"]), (2, &json!(2)));
    assert_eq!((&attempts[1]["status"], &attempts[1]["excerpt"]), (&json!(500), &json!("out of order 出错")));
    for wrong in ["from=yesterday", "state=lost", "type=order.payed", "limit=0"] {
        assert_eq!(stage.get(&format!("/v1/deliveries?{wrong}")).await.status / 100, 4, "{wrong}");
    }
    assert_eq!(stage.get_as(&stage.world.keys.live, &format!("/v1/deliveries/{id}")).await.status, 404);
});

on_both!(a_merchants_deliveries_are_found_by_an_index, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let scope = Scope { platform_id: None, merchant_id: Some(stage.merchant_id()), mode: None };
    let read = &stage.app().store.read;
    let list = filtered(&scope, &Filter::default()).order_by_desc(delivery::Column::Id).limit(20);
    let mut statement = list.build(read.get_database_backend());
    if stage.world.backend == Backend::Postgres {
        return; // the planner scans a table of one row whatever indexes there are
    }
    statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
    let rows = read.query_all_raw(statement).await.expect("it explains");
    let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").expect("text")).collect();
    let plan = plan.join("\n");
    assert!(plan.contains("deliveries_of_merchant") && !plan.contains("TEMP B-TREE"), "{plan}");
});
