//! The directory in several nodes: a change is in force at once where it is made, and within two seconds elsewhere.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::directory::change::Refresh;
use gateway::directory::tokens::keys::SETTLING;
use gateway::directory::tokens::{self, Audience, Grant, TokenError};
use gateway::directory::versions;
use gateway::entity::{merchant, sign_key};
use gateway::ledger::{Lane, RowStatement};

use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::kit::create_on;
use super::server::{Server, stage_on, stage_with_redis, until};
use crate::harness::acts::soon;
use crate::harness::people::NEIGHBOUR_NO;
use crate::harness::{Backend, Node, PARTNER_NO, PLATFORM, Stage};
use crate::on_both;

/// As long as a change may take to reach another node.
const IN_FORCE: Duration = Duration::from_secs(2);

fn is_suspended(node: &Node) -> bool {
    node.app.directory.merchant(PLATFORM, PARTNER_NO).expect("it is there").suspended
}

async fn suspend(stage: &Stage) {
    let path = format!("/v1/merchants/{}/suspend", stage.merchant_id());
    let reply = stage.post(&path, Value::Null).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn catch_up(node: &Node) -> usize {
    node.app.directory.catch_up(&node.app.store.read, &node.app.vault).await.expect("the store is read")
}

/// Change a merchant's name as a change of the directory, without looking at it again.
async fn rename(node: &Node, id: &str, changed: &[Refresh]) {
    let update = Query::update()
        .table(merchant::Entity)
        .value(merchant::Column::Name, "Renamed")
        .and_where(Expr::col(merchant::Column::Id).eq(id))
        .to_owned();
    let statements = versions::counted(vec![RowStatement::Update(update)], changed);
    let room = node.app.ledger.room(Lane::Bulk, id).expect("there is room");
    room.rows(statements).await.expect("it is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_on_one_node_is_in_force_on_the_other_within_two_seconds() {
    let stage = Stage::set(Backend::Postgres).await;
    let other = stage.world.node().await;
    let stop = CancellationToken::new();
    let following = tokio::spawn(versions::follow(other.app.clone(), stop.clone()));
    assert_eq!(create_on(&other, &stage.order("p1")).await.code, 1);

    suspend(&stage).await;
    let began = Instant::now();
    assert_eq!(create_on(stage.node(), &stage.order("p2")).await.code, 3, "at once where it was made");
    until(|| is_suspended(&other)).await;
    assert!(began.elapsed() <= IN_FORCE, "{:?}", began.elapsed());
    assert_eq!(create_on(&other, &stage.order("p2")).await.code, 3);

    stop.cancel();
    following.await.expect("it ends");
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_revoked_on_one_node_is_refused_on_the_other_within_two_seconds() {
    // Nodes of one installation have one public URL, and with it one name in their tokens.
    let stage = Stage::set_with(Backend::Postgres, &[("server.public_url", "http://127.0.0.1:9")]).await;
    let other = stage.world.node().await;
    let stop = CancellationToken::new();
    let following = tokio::spawn(versions::follow(other.app.clone(), stop.clone()));
    let make = |credential: &str| {
        let (credential, scope) = (credential.to_owned(), "orders:read".to_owned());
        let grant = Grant { audience: Audience::Api, credential, scope, role: None, auth_time: None };
        let app = stage.app();
        app.tokens.make(grant, &app.chance, app.clock.now_ms()).expect("it is made")
    };
    let on = |node: &Node, token: &str| {
        node.app.tokens.check(token, Audience::Api, node.app.clock.now_ms()).map(drop)
    };
    let ((token, claims), (bystander, _)) = (make("key-1"), make("key-2"));
    assert_eq!(on(&other, &token), Ok(()));

    tokens::revoke(stage.app(), &claims).await.expect("revoked");
    let began = Instant::now();
    assert_eq!(on(stage.node(), &token), Err(TokenError::Revoked), "at once where it was made");
    until(|| on(&other, &token) == Err(TokenError::Revoked)).await;
    assert!(began.elapsed() <= IN_FORCE, "{:?}", began.elapsed());
    assert_eq!(on(&other, &bystander), Ok(()));

    tokens::rotate(stage.app(), None).await.expect("rotated");
    stage.advance(SETTLING);
    let (with_new_key, _) = make("key-1");
    let began = Instant::now();
    until(|| on(&other, &with_new_key) == Ok(())).await;
    assert!(began.elapsed() <= IN_FORCE, "{:?}", began.elapsed());

    stop.cancel();
    following.await.expect("it ends");
    other.stop().await;
    stage.strike().await;
}

/// Until both nodes listen for changes.
async fn until_subscribed(url: &str, prefix: &str) {
    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_connection().expect("Redis answers");
    let channel = format!("{prefix}:directory");
    until(|| {
        let listening: Vec<(String, u64)> =
            redis::cmd("PUBSUB").arg("NUMSUB").arg(&channel).query(&mut connection).expect("a count");
        listening.first().is_some_and(|(_, count)| *count == 2)
    })
    .await;
}

/// The other node looks when it is told, and only then.
async fn told_until_suspended(node: &Node) {
    let redis = node.app.redis.as_ref().expect("it is configured");
    soon(async {
        while !is_suspended(node) {
            redis.directory_news().await;
            catch_up(node).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_redis_the_other_node_is_told_at_once() {
    let stage = stage_with_redis(&[]).await;
    let other = stage.world.node().await;
    let config = &stage.app().config.redis;
    until_subscribed(config.url.expose(), &config.prefix).await;
    suspend(&stage).await;
    told_until_suspended(&other).await;
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_announced_while_redis_was_gone_is_looked_for_when_it_is_back() {
    let mut server = Server::start().await;
    let stage = stage_on(&server.url(), &[("redis.deadline", "500ms")]).await;
    let other = stage.world.node().await;
    until_subscribed(&server.url(), &stage.app().config.redis.prefix).await;
    server.kill();
    suspend(&stage).await;
    server.restart().await;
    told_until_suspended(&other).await;
    other.stop().await;
    stage.strike().await;
}

on_both!(only_what_has_changed_is_loaded_anew, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let find = |number| stage.app().directory.merchant(PLATFORM, number).expect("it is there");
    let (mine, neighbour) = (find(PARTNER_NO), find(NEIGHBOUR_NO));
    catch_up(stage.node()).await;
    assert_eq!(catch_up(stage.node()).await, 0);

    rename(stage.node(), &mine.id, &[Refresh::Merchant(mine.id.clone())]).await;
    assert_eq!(catch_up(stage.node()).await, 1);
    assert!(!Arc::ptr_eq(&mine, &find(PARTNER_NO)), "it was read");
    assert!(Arc::ptr_eq(&mine.bucket, &find(PARTNER_NO).bucket), "with what is left to it");
    assert!(Arc::ptr_eq(&neighbour, &find(NEIGHBOUR_NO)), "and nobody else was");
    assert_eq!(catch_up(stage.node()).await, 0);

    // The same twice, also twice in one change, is one.
    let twice = [Refresh::Merchant(mine.id.clone()), Refresh::Merchant(mine.id.clone())];
    for _ in 0..2 {
        rename(stage.node(), &mine.id, &twice).await;
    }
    assert_eq!(catch_up(stage.node()).await, 1);

    rename(stage.node(), &mine.id, &[Refresh::Everybody]).await;
    assert_eq!(catch_up(stage.node()).await, 1);
    assert!(!Arc::ptr_eq(&neighbour, &find(NEIGHBOUR_NO)), "everybody was read");
});

on_both!(one_who_cannot_be_loaded_does_not_hide_the_others_changes, async |stage: &mut Stage| {
    stage.others_move_in().await;
    catch_up(stage.node()).await;
    let find = |number| stage.app().directory.merchant(PLATFORM, number).expect("it is there");
    let (mine, neighbour) = (find(PARTNER_NO), find(NEIGHBOUR_NO));
    let lost = Query::update()
        .table(sign_key::Entity)
        .value(sign_key::Column::Sealed, vec![0_u8; 40])
        .and_where(Expr::col(sign_key::Column::OwnerId).eq(&*mine.id))
        .to_owned();
    let room = stage.app().ledger.room(Lane::Bulk, "directory").expect("there is room");
    room.rows(vec![RowStatement::Update(lost)]).await.expect("it is written");
    let both = [&mine, &neighbour].map(|merchant| Refresh::Merchant(merchant.id.clone()));
    rename(stage.node(), &mine.id, &both).await;
    assert_eq!(catch_up(stage.node()).await, 2);
    assert!(Arc::ptr_eq(&mine, &find(PARTNER_NO)), "it is served as it was");
    assert!(!Arc::ptr_eq(&neighbour, &find(NEIGHBOUR_NO)));
    assert_eq!(catch_up(stage.node()).await, 0, "it is not tried again and again");
});

on_both!(of_very_many_changes_everybody_is_read_once, async |stage: &mut Stage| {
    catch_up(stage.node()).await;
    let id = stage.merchant_id();
    let before = stage.app().directory.merchant_by_id(&id).expect("it is there");
    let many: Vec<Refresh> = (0..250).map(|n| Refresh::Merchant(format!("nobody-{n}"))).collect();
    rename(stage.node(), &id, &many).await;
    assert_eq!(catch_up(stage.node()).await, 101, "what is beyond a hundred is not counted");
    let after = stage.app().directory.merchant_by_id(&id).expect("it is there");
    assert!(!Arc::ptr_eq(&before, &after));
    assert_eq!(catch_up(stage.node()).await, 0);
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_made_on_two_nodes_at_once_are_all_seen_by_both() {
    let stage = Stage::set(Backend::Postgres).await;
    let other = stage.world.node().await;
    let merchant_id = stage.merchant_id();
    for node in [stage.node(), &other] {
        catch_up(node).await;
    }
    let (one, two) = (stage.node(), &other);
    let changes = (0..40).map(|n| {
        let (node, id) = (if n % 2 == 0 { one } else { two }, &merchant_id);
        async move { rename(node, id, &[Refresh::Merchant(format!("nobody-{n}"))]).await }
    });
    let writing = async { futures_util::future::join_all(changes).await.len() };
    let mut seen = [0, 0];
    let watching = async {
        soon(async {
            while seen != [40, 40] {
                for (seen, node) in seen.iter_mut().zip([one, two]) {
                    *seen += catch_up(node).await;
                }
            }
        })
        .await;
    };
    tokio::join!(writing, watching);
    for node in [stage.node(), &other] {
        assert_eq!(catch_up(node).await, 0);
    }
    other.stop().await;
    stage.strike().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_changed_elsewhere_holds_here_and_what_did_not_change_is_not_filled() {
    let settings = [("limits.merchant", "3/1h"), ("limits.store", "3/1h")];
    let stage = Stage::set_with(Backend::Postgres, &settings).await;
    let other = stage.world.node().await;
    assert_eq!(create_on(&other, &stage.order("p1")).await.left("merchant"), Some(2));
    rename(stage.node(), &stage.merchant_id(), &[Refresh::Merchant(stage.merchant_id())]).await;
    catch_up(&other).await;
    assert_eq!(create_on(&other, &stage.order("p1")).await.left("merchant"), Some(1));
    let update = Query::update()
        .table(merchant::Entity)
        .value(merchant::Column::LimitCount, 2)
        .value(merchant::Column::LimitWindowMs, 3_600_000)
        .and_where(Expr::col(merchant::Column::Id).eq(stage.merchant_id()))
        .to_owned();
    let changed = [Refresh::Merchant(stage.merchant_id())];
    let room = stage.app().ledger.room(Lane::Bulk, "directory").expect("there is room");
    room.rows(versions::counted(vec![RowStatement::Update(update)], &changed)).await.expect("it is written");
    catch_up(&other).await;
    assert_eq!(create_on(&other, &stage.order("p1")).await.left("merchant"), Some(1), "a new bucket of two");
    other.stop().await;
    stage.strike().await;
}
