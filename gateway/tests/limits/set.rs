//! Limits and freshness that a platform gives its merchants and stores over REST.

use std::time::Duration;

use serde_json::{Value, json};

use super::kit::{CREATE, Told, post};
use crate::harness::merchant::signed;
use crate::harness::{MERCHANT_KEY, PARTNER_NO, Stage};
use crate::on_both;

const HOUR_MS: i64 = 3_600_000;

/// What the newest entries of the audit log say of `member`, as before and after.
async fn audited(stage: &Stage, member: &str) -> Vec<(Value, Value)> {
    let log = stage.get("/v1/audit").await.json();
    let entries = log["data"].as_array().expect("a list").clone();
    let states = |entry: &Value| (entry["before"][member].clone(), entry["after"][member].clone());
    entries.iter().filter(|entry| entry["before"].is_object()).map(states).collect()
}

/// Change what is at `path`, and return it as it is then.
async fn set(stage: &Stage, path: &str, change: Value) -> Value {
    let reply = stage.patch(path, change).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(stage.get(path).await.json(), reply.json());
    reply.json()
}

on_both!(
    a_merchants_limit_is_in_force_at_once_and_null_takes_it_back,
    [("limits.merchant", "3/1h")],
    async |stage: &mut Stage| {
        let path = format!("/v1/merchants/{}", stage.merchant_id());
        let own = json!({ "count": 1, "window": "1h" });
        assert_eq!(set(stage, &path, json!({ "limit": own })).await["limit"], own);
        stage.look_up("none").await.assert_within();
        stage.look_up("none").await.assert_over("merchant");
        assert_eq!(
            set(stage, &path, json!({ "name": "Shop 2" })).await["limit"],
            own,
            "what is absent stays"
        );
        stage.look_up("none").await.assert_over("merchant");
        assert_eq!(set(stage, &path, json!({ "limit": null })).await.get("limit"), None);
        assert_eq!(stage.look_up("none").await.left("merchant"), Some(2));
        let expected =
            [(json!("1/1h"), Value::Null), (json!("1/1h"), json!("1/1h")), (Value::Null, json!("1/1h"))];
        assert_eq!(audited(stage, "limit").await, expected);
    }
);

on_both!(a_limit_beyond_the_platforms_own_is_no_more_than_that, async |stage: &mut Stage| {
    let much = json!({ "limit": { "count": 1000, "window": "1h" } });
    for path in [format!("/v1/merchants/{}", stage.merchant_id()), format!("/v1/stores/{}", stage.store_id())]
    {
        assert_eq!(set(stage, &path, much.clone()).await["limit"], much["limit"]);
    }
    stage.limit_platform(2, HOUR_MS).await;
    let told = stage.place(&stage.order("p1")).await;
    assert_eq!(told.policy.as_deref(), Some(r#""merchant";q=2;w=3600, "store";q=2;w=3600"#));
    stage.look_up("none").await.assert_within();
    stage.look_up("none").await.assert_over("platform");
});

on_both!(a_stores_limit_is_in_force_at_once_and_null_takes_it_back, async |stage: &mut Stage| {
    let path = format!("/v1/stores/{}", stage.store_id());
    let own = json!({ "count": 1, "window": "1h" });
    assert_eq!(set(stage, &path, json!({ "limit": own })).await["limit"], own);
    assert_eq!(stage.place(&stage.order("p1")).await.code, 1);
    stage.place(&stage.order("p2")).await.assert_over("store");
    assert_eq!(stage.place(&stage.yen_order("p2")).await.code, 1, "the other store has its own");
    assert_eq!(set(stage, &path, json!({ "limit": null })).await.get("limit"), None);
    assert_eq!(stage.place(&stage.order("p3")).await.code, 1);
    assert_eq!(audited(stage, "limit").await, [(json!("1/1h"), Value::Null), (Value::Null, json!("1/1h"))]);
});

on_both!(a_merchants_freshness_is_in_force_at_once_and_null_takes_it_back, async |stage: &mut Stage| {
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    let minute_old = async |stage: &Stage, number: &str| -> Told {
        let then = stage.app().clock.now() - Duration::from_mins(1);
        let document = signed(PARTNER_NO, MERCHANT_KEY, "", &stage.order(number).body, then);
        post(stage.node(), CREATE, document, MERCHANT_KEY).await
    };
    assert_eq!(minute_old(stage, "p1").await.code, 1);
    let own = json!({ "window": "30s" });
    assert_eq!(set(stage, &path, json!({ "freshness": own })).await["freshness"], own);
    assert_eq!(minute_old(stage, "p2").await.code, 5);
    let own = json!({ "window": "30s", "mode": "warn" });
    assert_eq!(set(stage, &path, json!({ "freshness": own })).await["freshness"], own);
    assert_eq!(minute_old(stage, "p2").await.code, 1, "only a warning in the log");
    set(stage, &path, json!({ "freshness": { "window": "1s" } })).await;
    assert_eq!(minute_old(stage, "p3").await.code, 5);
    assert_eq!(set(stage, &path, json!({ "freshness": null })).await.get("freshness"), None);
    assert_eq!(minute_old(stage, "p3").await.code, 1);
    let states = audited(stage, "freshness").await;
    let gateways = json!({ "windowMs": null, "mode": null });
    assert_eq!(states[0], (json!({ "windowMs": 1000, "mode": null }), gateways.clone()));
    assert_eq!(
        states[2],
        (json!({ "windowMs": 30_000, "mode": null }), json!({ "windowMs": 30_000, "mode": "warn" }))
    );
    assert_eq!(states[3].0, gateways);
});

on_both!(what_is_no_limit_is_told_with_its_place_and_changes_nothing, async |stage: &mut Stage| {
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    let before = stage.get(&path).await.json();
    for (change, pointer) in [
        (json!({ "limit": 5 }), "/limit"),
        (json!({ "limit": { "count": 0, "window": "1s" } }), "/limit/count"),
        (json!({ "limit": { "count": 1_000_001, "window": "1s" } }), "/limit/count"),
        (json!({ "limit": { "count": 1 } }), "/limit/window"),
        (json!({ "limit": { "count": 1, "window": "often" } }), "/limit/window"),
        (json!({ "limit": { "count": 1, "window": "25h" } }), "/limit/window"),
        (json!({ "limit": { "count": 1_000_000, "window": "1ms" } }), "/limit"),
        (json!({ "limit": { "count": 1, "window": "1s", "burst": 2 } }), "/limit/burst"),
        (json!({ "freshness": { "window": "999ms" } }), "/freshness/window"),
        (json!({ "freshness": { "window": "7days 1ms" } }), "/freshness/window"),
        (json!({ "freshness": { "mode": "never" } }), "/freshness/mode"),
    ] {
        let reply = stage.patch(&path, change.clone()).await;
        assert_eq!((reply.status, &reply.json()["errors"][0]["pointer"]), (422, &json!(pointer)), "{change}");
    }
    assert_eq!(stage.get(&path).await.json(), before);
    assert_eq!(audited(stage, "limit").await, []);
});
