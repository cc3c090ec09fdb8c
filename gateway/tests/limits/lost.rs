//! Redis slow, frozen, gone or emptied: requests go on, with a local share, and it comes back by itself.

use std::time::{Duration, Instant};

use gateway::limits::Counting;

use super::kit::{create_on, query_on};
use super::server::{Server, stage_on, until_counting, url};
use crate::harness::web::get;
use crate::harness::{Node, Order, Stage};

const TWO_NODES: [(&str, &str); 3] =
    [("limits.merchant", "12/1h"), ("limits.nodes", "2"), ("redis.deadline", "500ms")];

/// How many requests come through before one is refused.
async fn drain(node: &Node) -> usize {
    for count in 0..100 {
        let told = query_on(node, "none").await;
        if told.code == 9 {
            told.assert_over("merchant");
            return count;
        }
        assert_eq!(told.code, 30, "{told:?}");
    }
    panic!("no limit holds");
}

async fn health(stage: &Stage) -> serde_json::Value {
    // The operators' listener is not part of a test's node: it is opened for this look.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = tokio_util::sync::CancellationToken::new();
    let settings = gateway::lifecycle::Settings::from(&stage.app().config.server);
    let routes = gateway::api::operators(stage.app());
    let serving = tokio::spawn(gateway::lifecycle::serve(listener, routes, settings, stop.clone()));
    let reply = get(&format!("http://{address}/health")).await;
    stop.cancel();
    serving.await.expect("it ends");
    reply.json()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_frozen_requests_go_on_with_a_share_and_it_comes_back() {
    let server = Server::start().await;
    let stage = stage_on(&server.url(), &TWO_NODES).await;
    let other = stage.world.node().await;
    assert_eq!(query_on(stage.node(), "none").await.left("merchant"), Some(11));
    assert_eq!(health(&stage).await["limits_count"], "together");

    server.freeze();
    assert_eq!(drain(stage.node()).await, 6, "half of it on each of two nodes");
    assert_eq!(drain(&other).await, 6);
    assert_eq!(stage.app().limits.counting(), Counting::Share);
    assert_eq!(health(&stage).await["limits_count"], "share");

    server.thaw();
    for node in [stage.node(), &other] {
        until_counting(node, Counting::Together).await;
    }
    // It has kept its count; what was asked of it in vain may have come on top, three calls of each node at most.
    let left = drain(stage.node()).await;
    assert!((11 - 6..=11).contains(&left), "{left}");
    assert_eq!(drain(&other).await, 0, "they count together again");
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_killed_requests_go_on_and_it_comes_back_empty() {
    let mut server = Server::start().await;
    let stage = stage_on(&server.url(), &TWO_NODES).await;
    assert_eq!(drain(stage.node()).await, 12);
    server.kill();
    assert_eq!(drain(stage.node()).await, 6);
    assert_eq!(stage.app().limits.counting(), Counting::Share);
    server.restart().await;
    until_counting(stage.node(), Counting::Together).await;
    assert_eq!(drain(stage.node()).await, 12, "its script was loaded again, its counts are gone");
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_emptied_requests_go_on_without_a_fault() {
    let server = Server::start().await;
    let stage = stage_on(&server.url(), &TWO_NODES).await;
    for command in [&["FLUSHALL"][..], &["SCRIPT", "FLUSH"]] {
        server.run(&["FLUSHALL"]);
        assert_eq!(drain(stage.node()).await, 12);
        server.run(command);
    }
    assert_eq!(drain(stage.node()).await, 0, "a script that is gone takes no count with it");
    assert_eq!(stage.app().limits.counting(), Counting::Together);
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_starts_without_redis_and_takes_it_up_when_it_is_there() {
    let port = Server::reserved_port();
    let stage = stage_on(&url(port), &TWO_NODES).await;
    assert_eq!(drain(stage.node()).await, 6);
    assert_eq!(stage.app().limits.counting(), Counting::Share);
    let _server = Server::start_on(port).await;
    until_counting(stage.node(), Counting::Together).await;
    assert_eq!(drain(stage.node()).await, 12);
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_takes_no_writes_is_not_asked() {
    let server = Server::start().await;
    let stage = stage_on(&server.url(), &TWO_NODES).await;
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(drain(stage.node()).await, 6);
    assert_eq!(stage.app().limits.counting(), Counting::Share);
    server.run(&["CONFIG", "SET", "maxmemory", "0"]);
    until_counting(stage.node(), Counting::Together).await;
    assert_eq!(drain(stage.node()).await, 12);
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_gone_each_node_still_knows_the_message_ids_it_has_seen() {
    let mut server = Server::start().await;
    let stage = stage_on(&server.url(), &[("redis.deadline", "500ms")]).await;
    let other = stage.world.node().await;
    let with_id = |number: &str| Order { message_id: "m1".to_owned(), ..stage.order(number) };
    assert_eq!(create_on(stage.node(), &with_id("p1")).await.code, 1);
    server.kill();
    assert_eq!(create_on(stage.node(), &with_id("p2")).await.code, 5);
    assert_eq!(create_on(&other, &with_id("p2")).await.code, 1, "nobody could tell it");
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_costs_a_few_requests_the_deadline_and_the_others_nothing() {
    let server = Server::start().await;
    let deadline = Duration::from_millis(500);
    let stage = stage_on(&server.url(), &[("redis.deadline", "500ms")]).await;
    query_on(stage.node(), "none").await.assert_within();
    server.freeze();
    for _ in 0..3 {
        let began = Instant::now();
        query_on(stage.node(), "none").await.assert_within();
        assert!(began.elapsed() >= deadline, "it was asked");
    }
    let began = Instant::now();
    for _ in 0..20 {
        query_on(stage.node(), "none").await.assert_within();
    }
    assert!(began.elapsed() < 20 * deadline, "nobody asks any more");
    stage.strike().await;
}
