//! How well events arrive, as owners are told.

use std::collections::BTreeSet;
use std::time::Duration;

use gateway::metrics::Metrics;
use serde_json::{Value, json};

use super::kit::numbers;
use crate::harness::Stage;
use crate::on_both;

async fn service(stage: &Stage, query: &str) -> Value {
    let reply = stage.get(&format!("/v1/service{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

on_both!(a_merchant_sees_how_its_events_arrive_and_what_waits, async |stage: &mut Stage| {
    let merchant = stage.merchant_id();
    let own = stage.endpoint("own", |_| {}).await;
    let query = format!("?merchant={merchant}");
    assert_eq!(
        service(stage, &query).await["all"],
        json!({ "attempts": 0, "acknowledged": 0, "backlog": 0, "exhausted": 0 })
    );
    stage.due("own", &merchant, &numbers("a", 3)).await;
    stage.advance(Duration::from_millis(200));
    stage.deliver_due().await;
    stage.shop().answer(500, "no");
    stage.due("own", &merchant, &numbers("b", 1)).await;
    stage.deliver_due().await;
    // What waits for it is counted with what it waits for.
    let due_at = stage.app().clock.now_ms() + 60_000;
    let mut waiting = stage.told("own", &merchant, "b0", "b0", (2, due_at));
    waiting.1.state = gateway::entity::delivery::State::Waiting;
    stage.write_told(&[waiting]).await;

    let told = service(stage, &query).await;
    let all = &told["all"];
    assert_eq!((&all["attempts"], &all["acknowledged"], &all["backlog"]), (&json!(4), &json!(3), &json!(2)));
    assert!(all["oldestAt"].is_string(), "{all}");
    let p50 = all["p50Ms"].as_u64().expect("a number");
    assert!((200..=221).contains(&p50), "{p50}");
    let [endpoint] = told["endpoints"].as_array().expect("a list").as_slice() else { panic!("{told}") };
    assert_eq!(endpoint["id"], json!("own"));
    assert_eq!(endpoint["url"], json!(own.url));
    assert_eq!(endpoint["service"], *all);
    assert_eq!(endpoint["breaker"], json!("closed"));

    stage.advance(Duration::from_hours(1));
    let later = service(stage, &query).await;
    assert_eq!((&later["all"]["attempts"], &later["all"]["backlog"]), (&json!(0), &json!(2)));
});

on_both!(a_platforms_own_endpoints_are_seen_by_it_alone, async |stage: &mut Stage| {
    let platform = stage.merchant().platform_id.clone();
    stage.endpoint("platforms", |row| row.merchant_id = None).await;
    stage.due("platforms", &platform, &numbers("a", 1)).await;
    stage.deliver_due().await;
    let told = service(stage, "").await;
    assert!(told.get("all").is_none());
    assert_eq!(told["endpoints"][0]["service"]["acknowledged"], json!(1));
    let merchants = service(stage, &format!("?merchant={}", stage.merchant_id())).await;
    assert_eq!(merchants["endpoints"], json!([]));
    assert_eq!(merchants["all"]["attempts"], json!(0), "what its platform is told is not what it is told");
    stage.others_move_in().await;
    for key in [&stage.world.keys.live, &stage.world.keys.other] {
        let reply = stage.get_as(key, "/v1/service").await;
        assert_eq!(reply.json()["endpoints"], json!([]));
    }
});

/// What `/metrics` says under a series' name and labels.
fn value(text: &str, series: &str) -> Option<i64> {
    let line = text.lines().find(|line| line.starts_with(&format!("scangate_{series} ")))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

on_both!(
    only_so_many_endpoints_and_merchants_are_named_and_the_others_are_one,
    [("deliveries.named_in_metrics", "2")],
    async |stage: &mut Stage| {
        let merchant = stage.merchant_id();
        for (endpoint, number) in
            [("busy", "a"), ("busy", "b"), ("busy", "c"), ("seldom", "d"), ("once", "e"), ("once", "f")]
        {
            stage.due(endpoint, &merchant, &[number.to_owned()]).await;
        }
        stage.advance(Duration::from_millis(500));
        stage.deliver_due().await;
        stage.due("parked", &merchant, &numbers("p", 2)).await;
        stage.advance(Duration::from_secs(90));
        let text = Metrics::text(stage.app()).await;
        let named: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.split_once(r#"attempts_last_hour{endpoint=""#)?.1.split('"').next())
            .collect();
        assert_eq!(named, BTreeSet::from(["busy", "other", "parked"]));
        let of_merchant =
            format!(r#"merchant_attempts_last_hour{{merchant="{merchant}",outcome="acknowledged"}}"#);
        for (series, count) in [
            (r#"endpoint_attempts_last_hour{endpoint="busy",outcome="acknowledged"}"#, Some(3)),
            (r#"endpoint_attempts_last_hour{endpoint="busy",outcome="failed"}"#, Some(0)),
            (r#"endpoint_attempts_last_hour{endpoint="other",outcome="acknowledged"}"#, Some(3)),
            (r#"endpoint_backlog{endpoint="parked"}"#, Some(2)),
            (r#"endpoint_backlog{endpoint="busy"}"#, Some(0)),
            (r#"endpoint_backlog{endpoint="other"}"#, None),
            (r#"endpoint_oldest_open_seconds{endpoint="parked"}"#, Some(90)),
            (&of_merchant, Some(6)),
        ] {
            assert_eq!(value(&text, series), count, "{series}\n{text}");
        }
        // Within a tenth.
        let told = r#"endpoint_acknowledgement_milliseconds{endpoint="busy",quantile="0.99"}"#;
        let told = value(&text, told).expect("it is told");
        assert!((500..=550).contains(&told), "{told}");
    }
);
