//! `GET /metrics`: the numbers move with what happens, name nobody, and are as many as the program has, not its users.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use gateway::ledger::Lane;
use http::Method;
use sandbox::{Operation, Twist};
use serde_json::{Value, json};

use crate::harness::acts::soon;
use crate::harness::web::{exchange, get};
use crate::harness::{
    ACCOUNT_KEY, Backend, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage, UPSTREAM_HKD_STORE,
    UPSTREAM_PARTNER_NO,
};
use crate::on_both;
use crate::operating::Ops;

/// One answer, by series: name and labels as they are written.
struct Scrape {
    text: String,
    values: BTreeMap<String, f64>,
}

impl Scrape {
    async fn of(ops: &Ops) -> Self {
        let reply = ops.call(Method::GET, "/metrics", None, Value::Null).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = reply.text().to_owned();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let values = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.parse().expect("a number"))
        });
        let values = values.collect();
        Self { text, values }
    }

    /// 0 where it has not been counted yet.
    #[expect(clippy::cast_possible_truncation, reason = "what is asked for are counts")]
    fn count(&self, series: &str) -> i64 {
        self.values.get(&format!("scangate_{series}")).copied().unwrap_or(0.0) as i64
    }

    fn has(&self, series: &str) -> bool {
        self.values.contains_key(series)
    }

    fn series(&self) -> BTreeSet<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    /// Every value of every label, but for the endpoints and merchants that have series of their own.
    fn label_values(&self) -> BTreeSet<&str> {
        let unnamed = self.values.keys().filter(|series| !is_of_one(series));
        let labels = unnamed.filter_map(|series| series.split_once('{'));
        labels.flat_map(|(_, labels)| labels.split('"').skip(1).step_by(2)).collect()
    }
}

/// A series of one endpoint's or one merchant's.
fn is_of_one(series: &str) -> bool {
    series.contains(r#"{endpoint=""#) || series.contains(r#"{merchant=""#)
}

on_both!(the_numbers_move_with_an_order_its_notice_and_its_delivery, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    let moved = [
        r#"requests_total{operation="placeQrcode",status="200",code="1"}"#,
        r#"request_seconds_count{operation="placeQrcode"}"#,
        r#"upstream_calls_total{operation="qrcode",outcome="1"}"#,
        r#"upstream_call_seconds_count{operation="qrcode"}"#,
        r#"order_moves_total{from="new",to="submitting"}"#,
        r#"order_moves_total{from="submitting",to="awaiting"}"#,
        r#"order_moves_total{from="awaiting",to="paid"}"#,
        r#"requests_total{operation="notice",status="200",code=""}"#,
        r#"notices_total{outcome="kept"}"#,
        r#"delivery_attempts_total{outcome="delivered"}"#,
        "delivery_attempt_seconds_count",
        r#"deliveries_ended_total{state="delivered"}"#,
        "acknowledgement_seconds_count",
    ];
    let before = Scrape::of(&ops).await;
    for series in moved {
        assert_eq!(before.count(series), 0, "{series}");
    }
    stage.pay_one_order("p1").await;
    stage.advance(Duration::from_secs(7));
    let promised = Scrape::of(&ops).await;
    assert_eq!(promised.count("deliveries_due"), 1);
    assert_eq!(promised.count("delivery_oldest_due_seconds"), 7);
    stage.deliver_due().await;
    let after = Scrape::of(&ops).await;
    for series in moved {
        assert_eq!(after.count(series), 1, "{series}\n{}", after.text);
    }
    assert_eq!(after.count("deliveries_due"), 0);
    // By the clock of the test: promised at one time and acknowledged 7 s later.
    assert_eq!(after.count(r#"acknowledgement_seconds_bucket{le="5"}"#), 0);
    assert_eq!(after.count(r#"acknowledgement_seconds_bucket{le="30"}"#), 1);
    assert!(after.count("ledger_batch_writes_sum") >= before.count("ledger_batch_writes_sum") + 4);
    assert_eq!(after.count("ledger_batch_seconds_count"), after.count("ledger_commit_seconds_count"));
    assert_eq!(after.count("requests_under_way"), 1, "the one that asks");
    assert_eq!(after.count("store_readable"), 1);
    assert_eq!(after.count("merchants"), 1);
    assert!(after.count("directory_version") > 0);
    assert!(after.values["process_resident_memory_bytes"] > 1e6 && after.has("process_cpu_seconds_total"));
    let store = if stage.world.backend == Backend::Sqlite { "sqlite" } else { "postgresql" };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(after.count(&format!(r#"build_info{{version="{version}",store="{store}"}}"#)), 1);
    assert_eq!(after.has("scangate_disk_free_bytes"), stage.world.backend == Backend::Sqlite);
    assert!(!after.has("scangate_redis_answering"), "none is configured");
});

on_both!(
    what_goes_wrong_is_counted_by_what_it_was,
    [
        ("orders.query_min_interval", "0s"),
        ("limits.store", "3/1day"),
        ("store.queue", "64"),
        ("store.max_batch", "64")
    ],
    async |stage: &mut Stage| {
        let ops = Ops::of(stage).await;
        stage.open("p1").await;
        let number = stage.submission_no("p1").await;
        stage.pay(&number);
        stage.deafen();
        stage.notify_twisted(&number, Twist::WrongAmount).await;
        stage.notify_twisted(&number, Twist::WrongKey).await;
        stage.post_to(&stage.node().url("/callback/notify/none-of-ours"), "{}").await;
        let mut unsigned = stage.order("p2");
        "another key than the merchant's".clone_into(&mut unsigned.key);
        assert_eq!(stage.create(&unsigned).await.code, 8);
        stage.fault(Operation::Create, sandbox::Fault::HttpStatus { status: 502, took_effect: false });
        assert_eq!(stage.create(&stage.order("p3")).await.code, 21);
        stage.open("p4").await;
        assert_eq!(stage.create(&stage.order("p5")).await.code, 9, "the fourth of the store");
        stage.idle().await;
        let held: Vec<_> = {
            let mut held = Vec::new();
            while let Ok(room) = stage.app().ledger.room(Lane::Bulk, "somebody") {
                held.push(room);
            }
            held
        };
        let now = Scrape::of(&ops).await;
        for (series, count) in [
            (r#"facts_held_total{source="notice"}"#, 1),
            ("facts_held_now", 1),
            (r#"attention{matter="fact.quarantined"}"#, 1),
            (r#"attention{matter="order.paid_twice"}"#, 0),
            (r#"attention{matter="order.paid_again"}"#, 0),
            (r#"notices_total{outcome="kept"}"#, 1),
            (r#"notices_total{outcome="not_genuine"}"#, 1),
            (r#"notices_total{outcome="unknown_token"}"#, 1),
            ("authentications_failed_total", 2),
            (r#"requests_total{operation="placeQrcode",status="200",code="8"}"#, 1),
            (r#"requests_total{operation="placeQrcode",status="200",code="9"}"#, 1),
            (r#"requests_total{operation="placeQrcode",status="200",code="21"}"#, 1),
            (r#"upstream_calls_total{operation="qrcode",outcome="no_answer"}"#, 1),
            (r#"order_moves_total{from="submitting",to="unknown"}"#, 1),
            (r#"limits_reached_total{tier="store"}"#, 1),
            (r#"ledger_refused_total{lane="bulk"}"#, 1),
            (r#"ledger_waiting{lane="bulk"}"#, i64::try_from(held.len()).expect("few")),
            (r#"ledger_waiting{lane="money"}"#, 0),
        ] {
            assert_eq!(now.count(series), count, "{series}\n{}", now.text);
        }
        assert!(now.count(r#"upstream_calls_total{operation="query",outcome="no_answer"}"#) >= 1);
        // Nobody is refused in the lane of money for what the other is full of.
        assert!(now.count(r#"ledger_room{lane="money"}"#) > 0);
    }
);

on_both!(they_are_as_many_however_many_come_and_name_none_of_them, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    let round = async |stage: &mut Stage, name: &str| {
        stage.pay_one_order(&format!("{name}-1")).await;
        stage.create(&stage.neighbours_order(&format!("{name}-2"))).await;
        stage.deliver_due().await;
        let order = stage.get(&format!("/v1/orders/{name}-1")).await;
        for path in [format!("/{name}"), format!("/v1/{name}"), format!("/{name}/api/offline/{name}")] {
            get(&stage.node().url(&path)).await;
            exchange(Method::DELETE, &stage.node().url(&path), &[], Bytes::new()).await;
        }
        let made_up = Method::from_bytes(name.to_uppercase().as_bytes()).expect("a method");
        exchange(made_up, &stage.node().url("/docs"), &[], Bytes::new()).await;
        order
    };
    round(stage, "first").await;
    Scrape::of(&ops).await;
    let before = Scrape::of(&ops).await;
    for name in ["second", "third", "fourth"] {
        round(stage, name).await;
        let body = json!({ "name": name, "mode": "test" });
        stage.post("/v1/merchants", body).await;
    }
    let after = Scrape::of(&ops).await;
    let (known, now) = (before.series(), after.series());
    let new: Vec<_> = now.difference(&known).collect();
    assert!(
        new.iter().all(|series| series.contains(r#"operation="createMerchant""#)),
        "only a new operation is counted anew: {new:?}"
    );
    assert!(now.len() < 1_000, "{}", now.len());

    let order = stage.row("second-1").await;
    let said = [
        PLATFORM,
        PARTNER_NO,
        UPSTREAM_PARTNER_NO,
        HKD_STORE,
        UPSTREAM_HKD_STORE,
        "second",
        "SECOND",
        &order.id,
        &order.merchant_id,
        &order.store_id,
        "127.0.0.1",
    ];
    for value in after.label_values() {
        for name in said {
            assert!(!value.contains(name), "{name} is in a label: {value}");
        }
    }
    for secret in [MERCHANT_KEY, ACCOUNT_KEY, &stage.world.keys.test, &stage.world.store_url] {
        assert!(!after.text.contains(secret));
    }
});

on_both!(
    health_and_numbers_tell_of_accounts_whose_base_url_is_not_allowed_any_more,
    async |stage: &mut Stage| {
        let told = async |stage: &Stage| {
            let ops = Ops::of(stage).await;
            let health = ops.call(Method::GET, "/health", None, Value::Null).await.json();
            (health["accounts_barred"].as_i64(), Scrape::of(&ops).await.count("accounts_barred"))
        };
        assert_eq!(told(stage).await, (Some(0), 0));
        stage.world.settings.push(("upstream.sandbox_base_urls", "[\"http://127.0.0.1:9\"]".to_owned()));
        stage.restart().await;
        assert_eq!(told(stage).await, (Some(1), 1));
    }
);

on_both!(a_store_that_cannot_be_read_is_told_beside_all_the_rest, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    stage.app().store.read.close_by_ref().await.expect("the readers are closed");
    let now = soon(Scrape::of(&ops)).await;
    assert_eq!(now.count("store_readable"), 0);
    assert!(now.has("scangate_store_readable") && !now.has("scangate_deliveries_due"));
    assert!(now.has(r#"scangate_ledger_room{lane="money"}"#) && now.has("process_start_time_seconds"));
});
