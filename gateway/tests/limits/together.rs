//! Two nodes on one PostgreSQL and one Redis: what one has counted or seen, the other knows.

use gateway::limits::{Counting, Priority};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::Commands;
use serde_json::json;

use super::kit::{create_on, query_on};
use super::server::{Identity, TlsServer, stage_on, stage_with_redis};
use crate::harness::{Backend, Order, Stage, seed, setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_one_count() {
    let stage = stage_with_redis(&[("limits.merchant", "6/1h"), ("limits.nodes", "2")]).await;
    let other = stage.world.node().await;
    assert_eq!(stage.app().limits.counting(), Counting::Together);
    let mut left = Vec::new();
    for number in ["p1", "p2", "p3"] {
        for node in [stage.node(), &other] {
            // A repeat of the other node's order: the same order, and a request like any other.
            let told = create_on(node, &stage.order(number)).await;
            assert_eq!(told.code, 1, "{told:?}");
            left.push(told.left("merchant").expect("it is told"));
        }
    }
    assert_eq!(left, [5, 4, 3, 2, 1, 0]);
    for node in [stage.node(), &other] {
        create_on(node, &stage.order("p4")).await.assert_over("merchant");
    }
    assert_eq!(stage.rows().await.len(), 3);
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_one_count_over_tls_with_a_server_that_proves_who_it_is_and_with_no_other() {
    let (identity, stranger) = (Identity::make(), Identity::make());
    let server = TlsServer::start(&identity).await;
    let certificate = identity.certificate();
    let mut stage =
        stage_on(&server.url(), &[("limits.merchant", "6/1h"), ("redis.ca_file", &certificate)]).await;
    let other = stage.world.node().await;
    let left = [
        create_on(stage.node(), &stage.order("p1")).await.left("merchant"),
        create_on(&other, &stage.order("p1")).await.left("merchant"),
    ];
    assert_eq!(left, [Some(5), Some(4)]);
    other.stop().await;

    stage.world.settings.push(("redis.ca_file", stranger.certificate()));
    stage.world.settings.push(("redis.deadline", "200ms".to_owned()));
    stage.restart().await;
    for number in ["p2", "p3", "p4"] {
        assert_eq!(stage.place(&stage.order(number)).await.code, 1, "it goes on by itself");
    }
    assert_eq!(stage.app().limits.counting(), Counting::Share, "nothing was asked of it");
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn together_a_refused_request_draws_from_nothing() {
    let settings = [("limits.platform", "9/1h"), ("limits.merchant", "5/1h"), ("limits.store", "1/1h")];
    let stage = stage_with_redis(&settings).await;
    assert_eq!(stage.place(&stage.order("p1")).await.left("merchant"), Some(4));
    for _ in 0..20 {
        stage.place(&stage.order("p2")).await.assert_over("store");
    }
    assert_eq!(stage.look_up("p1").await.left("merchant"), Some(3));
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_on_two_nodes_get_exactly_what_there_is() {
    let stage = stage_with_redis(&[("limits.merchant", "40/1h")]).await;
    let other = stage.world.node().await;
    let asking = (0..60).map(|n| query_on(if n % 2 == 0 { stage.node() } else { &other }, "none"));
    let told = futures_util::future::join_all(asking).await;
    assert_eq!(told.iter().filter(|told| told.code == 30).count(), 40);
    assert_eq!(told.iter().filter(|told| told.code == 9).count(), 20);
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_one_reserve_for_orders() {
    let settings = [("limits.account", "8/8h"), ("orders.query_min_interval", "0s")];
    let stage = stage_with_redis(&settings).await;
    let other = stage.world.node().await;
    assert_eq!(stage.place(&stage.order("p1")).await.code, 1);
    for node in [&other, stage.node(), &other, stage.node(), &other] {
        query_on(node, "p1").await.assert_within();
    }
    for node in [stage.node(), &other] {
        query_on(node, "p1").await.assert_over("account");
    }
    for (node, number) in [(&other, "p2"), (stage.node(), "p3")] {
        assert_eq!(create_on(node, &stage.order(number)).await.code, 1);
    }
    for node in [stage.node(), &other] {
        create_on(node, &stage.order("p4")).await.assert_over("account");
    }
    other.stop().await;
    stage.strike().await;
}

/// The node's own count and Redis's are the same algorithm: they say the same to the same calls.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn together_and_alone_the_same_calls_get_the_same_answers() {
    // So slow that nothing is replenished by either clock during the test.
    let settings = [("limits.account", "40/24h"), ("limits.merchant", "7/24h"), ("limits.store", "7/24h")];
    let together = stage_with_redis(&settings).await;
    let alone = Stage::set_with(Backend::Postgres, &settings).await;
    let mut chance = StdRng::seed_from_u64(seed());
    let priorities = [Priority::Create, Priority::Refund, Priority::Query, Priority::Reconcile];
    let mut refused = 0;
    for call in 0..120 {
        let priority = priorities[chance.random_range(0..4)];
        let mut answers = Vec::new();
        for stage in [&together, &alone] {
            let account = stage.app().directory.account(&stage.account_id()).expect("it is there");
            answers.push(stage.app().limits.call(&account, priority).await.map_err(|refusal| refusal.tier));
        }
        assert_eq!(answers[0], answers[1], "call {call}, {priority:?}");
        refused += usize::from(answers[0].is_err());
    }
    assert!((80..=95).contains(&refused), "{refused} of 120 for a budget of 40");
    for _ in 0..8 {
        let [one, other] = [together.look_up("none").await, alone.look_up("none").await];
        assert_eq!(
            (one.code, one.left("merchant"), &one.policy),
            (other.code, other.left("merchant"), &other.policy)
        );
    }
    alone.strike().await;
    together.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_id_seen_by_one_node_is_known_to_the_other() {
    let stage = stage_with_redis(&[]).await;
    let other = stage.world.node().await;
    let with_id = |number: &str| Order { message_id: "m1".to_owned(), ..stage.order(number) };
    assert_eq!(create_on(stage.node(), &with_id("p1")).await.code, 1);
    assert_eq!(create_on(&other, &with_id("p1")).await.code, 1, "the same bytes are a client's retry");
    for node in [&other, stage.node()] {
        let told = create_on(node, &with_id("p2")).await;
        assert_eq!((told.code, told.genuine), (5, true));
        assert!(told.msg.contains("reqMsgId"), "{told:?}");
    }
    assert_eq!(stage.rows().await.len(), 1);
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_in_redis_for_longer_than_it_is_needed() {
    let stage = stage_with_redis(&[("limits.merchant", "10/10s"), ("signed.freshness", "15m")]).await;
    let order = Order { message_id: "m1".to_owned(), ..stage.order("p1") };
    assert_eq!(stage.place(&order).await.code, 1);
    let prefix = &stage.app().config.redis.prefix;
    let client = redis::Client::open(setting("SCANGATE_TEST_REDIS")).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    let keys: Vec<String> = connection.keys(format!("{prefix}:*")).expect("keys");
    // The buckets are full again at once but for the merchant's and its store's.
    assert!((2..=5).contains(&keys.len()), "{keys:?}");
    for key in keys {
        let left: i64 = connection.pttl(&key).expect("a time");
        let most = if key.contains(":message:") { 30 * 60_000 } else { 10_000 };
        assert!(left == -2 || (1..=most).contains(&left), "{key}: {left} ms");
        assert!(!key.contains("m1"), "a message id is not told in clear: {key}");
    }
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_wrote_into_a_bucket_does_no_harm() {
    let stage = stage_with_redis(&[("limits.merchant", "2/1h")]).await;
    let merchant = stage.app().directory.merchant_by_id(&stage.merchant_id()).expect("it is there");
    let client = redis::Client::open(setting("SCANGATE_TEST_REDIS")).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    for left_there in ["nonsense", "-1", "9007199254740991"] {
        connection.set::<_, _, ()>(&merchant.bucket.key, left_there).expect("it is written");
        let told = stage.look_up("none").await;
        let is_far_ahead = left_there.starts_with('9');
        // A time far ahead, by a clock that was wrong, empties the bucket for its window and no longer.
        assert_eq!(told.code, if is_far_ahead { 9 } else { 30 }, "{left_there}: {told:?}");
        assert!(!is_far_ahead || told.retry_after == Some(1800), "{told:?}");
    }
    assert_eq!(json!(stage.app().limits.counting().as_str()), "together");
    stage.strike().await;
}
