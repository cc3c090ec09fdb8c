//! The REST API draws from the same buckets as the signed API, and says so.

use http::Method;
use serde_json::json;

use crate::harness::web::{Reply, exchange};
use crate::harness::{HKD_STORE, Stage};
use crate::on_both;

fn assert_limited(reply: &Reply, bucket: &str, retry_after: &str) {
    assert_eq!(reply.status, 429, "{}", reply.text());
    let problem = reply.json();
    assert_eq!(problem["code"], "limited");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(bucket)), "{problem}");
    assert_eq!(reply.header("retry-after"), Some(retry_after));
    assert!(reply.header("ratelimit").is_some_and(|said| said.starts_with(&format!("\"{bucket}\";r=0"))));
}

on_both!(
    a_platform_beyond_its_limit_is_told_429_the_buckets_name_and_when_to_come_again,
    [("limits.platform", "2/1h")],
    async |stage: &mut Stage| {
        stage.others_move_in().await;
        for left in ["1", "0"] {
            let reply = stage.get("/v1/merchants").await;
            assert_eq!(reply.status, 200);
            let said = reply.header("ratelimit").expect("it is said");
            assert!(said.starts_with(&format!("\"platform\";r={left};")), "{said}");
            assert_eq!(reply.header("ratelimit-policy"), Some("\"platform\";q=2;w=3600"));
        }
        assert_limited(&stage.get("/v1/merchants").await, "platform", "1800");
        let other = stage.get_as(&stage.world.keys.other, "/v1/merchants").await;
        assert_eq!(other.status, 200, "another platform has its own");
    }
);

on_both!(
    what_is_left_is_said_with_problems_too_and_to_nobody_who_is_unproven,
    [("limits.platform", "9/1h")],
    async |stage: &mut Stage| {
        let key = stage.world.keys.test.clone();
        let json = [("content-type", "application/json")];
        let bearer = format!("Bearer {key}");
        let plain = [("authorization", &*bearer), ("content-type", "text/plain")];
        let url = |path: &str| stage.node().url(path);
        let replies = [
            (404, stage.get("/v1/merchants/nobody").await),
            (422, stage.post("/v1/merchants", json!({ "nmae": "x" })).await),
            (400, stage.post("/v1/merchants", json!([])).await),
            (422, stage.get("/v1/merchants?limit=many").await),
            (415, exchange(Method::POST, &url("/v1/merchants"), &plain, "x".into()).await),
        ];
        for (left, (status, reply)) in (4..9).rev().zip(replies) {
            assert_eq!(reply.status, status, "{}", reply.text());
            let said = reply.header("ratelimit").unwrap_or_default();
            assert!(said.starts_with(&format!("\"platform\";r={left};")), "{status}: {said}");
            assert_eq!(reply.header("ratelimit-policy"), Some("\"platform\";q=9;w=3600"));
        }
        for unproven in [
            exchange(Method::GET, &url("/v1/merchants"), &json, "".into()).await,
            stage.get_as("sg_test_nonsense", "/v1/merchants").await,
        ] {
            assert_eq!((unproven.status, unproven.header("ratelimit")), (401, None));
        }
    }
);

on_both!(
    a_merchants_requests_count_the_same_on_both_apis,
    [("limits.merchant", "2/1h")],
    async |stage: &mut Stage| {
        let merchants = stage.get("/v1/merchants").await.json();
        let merchant_id = merchants["data"][0]["id"].as_str().expect("there is one").to_owned();
        let (_, key) = stage.api_key(&["orders:read"], Some(&merchant_id)).await;
        stage.look_up("none").await.assert_within();
        assert_eq!(
            stage.get_as(&key, "/v1/orders").await.header("ratelimit"),
            Some("\"merchant\";r=0;t=3600")
        );
        assert_limited(&stage.get_as(&key, "/v1/orders").await, "merchant", "1800");
        stage.look_up("none").await.assert_over("merchant");
    }
);

on_both!(
    too_many_bad_credentials_from_an_address_are_told_to_wait_and_good_ones_are_served,
    [("limits.failed_authentications", "2/1h")],
    async |stage: &mut Stage| {
        for _ in 0..2 {
            assert_eq!(stage.get_as("sg_test_nonsense", "/v1/merchants").await.status, 401);
        }
        assert_limited(&stage.get_as("sg_test_nonsense", "/v1/merchants").await, "address", "1800");
        assert_eq!(stage.get("/v1/merchants").await.status, 200);
    }
);

on_both!(
    an_order_over_rest_draws_from_its_store_and_its_account_and_nothing_is_begun_beyond_them,
    [("limits.store", "1/1h")],
    async |stage: &mut Stage| {
        let merchants = stage.get("/v1/merchants").await.json();
        let merchant_id = merchants["data"][0]["id"].as_str().expect("there is one").to_owned();
        let (_, key) = stage.api_key(&["orders:read", "orders:write"], Some(&merchant_id)).await;
        let order = |number: &str| {
            json!({ "product": "qrcode", "storeNo": HKD_STORE, "number": number, "wallet": "Alipay",
                "currency": "HKD", "amount": 2100 })
        };
        let placed = stage.post_as(&key, "/v1/orders", order("r1")).await;
        assert_eq!(placed.status, 201, "{}", placed.text());
        assert_limited(&stage.post_as(&key, "/v1/orders", order("r2")).await, "store", "3600");
        stage.place(&stage.order("s1")).await.assert_over("store");
        assert_eq!((stage.rows().await.len(), stage.creates()), (1, 1), "nothing was begun");
    }
);
