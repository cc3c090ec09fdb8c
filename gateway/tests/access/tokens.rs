//! Tokens across restarts, nodes, changes of key and revocations. What a forged one meets is in the unit tests.

use std::time::Duration;

use gateway::directory::tokens::keys::{KEY_AGE, SETTLING};
use gateway::directory::tokens::{self, Audience, Claims, Grant, LIFETIME, TokenError};
use gateway::entity::{token_key, token_revocation};
use sea_orm::{EntityTrait, PaginatorTrait};

use crate::harness::{Backend, Node, Stage};
use crate::on_both;

fn make(node: &Node) -> (String, Claims) {
    let grant = Grant {
        audience: Audience::Api,
        credential: "key-1".to_owned(),
        scope: "orders:read".to_owned(),
        role: None,
        auth_time: None,
    };
    node.app.tokens.make(grant, &node.app.chance, node.app.clock.now_ms()).expect("it is made")
}

fn check(node: &Node, token: &str) -> Result<(), TokenError> {
    node.app.tokens.check(token, Audience::Api, node.app.clock.now_ms()).map(drop)
}

/// Which key a token was made with.
fn kid(token: &str) -> String {
    let header = data_encoding::BASE64URL_NOPAD.decode(token.split('.').next().expect("a part").as_bytes());
    let header: serde_json::Value = serde_json::from_slice(&header.expect("base64url")).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

async fn sweep(node: &Node) {
    tokens::sweep(&node.app).await.expect("swept");
}

on_both!(a_token_outlives_a_restart_of_the_gateway, async |stage: &mut Stage| {
    let (token, _) = make(stage.node());
    stage.restart().await;
    assert_eq!(check(stage.node(), &token), Ok(()));
    stage.advance(LIFETIME);
    assert_eq!(check(stage.node(), &token), Err(TokenError::Expired));
});

on_both!(
    a_token_of_an_old_key_is_good_until_it_ends_and_the_key_goes_after_that,
    async |stage: &mut Stage| {
        let keys = async |stage: &Stage| {
            token_key::Entity::find().count(&stage.app().store.read).await.expect("read")
        };
        stage.advance(Duration::from_mins(1));
        let (first, _) = make(stage.node());
        let id = tokens::rotate(stage.app(), None).await.expect("rotated");
        let (still_first, _) = make(stage.node());
        assert_eq!(kid(&still_first), kid(&first), "other nodes need a moment to learn of the new key");
        stage.advance(SETTLING.saturating_sub(Duration::from_secs(1)));
        let (last, _) = make(stage.node());
        assert_eq!(kid(&last), kid(&first));
        stage.advance(Duration::from_secs(1));
        assert_eq!(kid(&make(stage.node()).0), id);
        sweep(stage.node()).await;
        assert_eq!(check(stage.node(), &first), Ok(()));

        stage.advance(LIFETIME.saturating_sub(Duration::from_secs(2)));
        sweep(stage.node()).await;
        assert_eq!(check(stage.node(), &last), Ok(()));
        assert_eq!(keys(stage).await, 2);
        stage.advance(Duration::from_secs(2));
        assert!(check(stage.node(), &last).is_err());
        sweep(stage.node()).await;
        assert_eq!(keys(stage).await, 1);
        stage.restart().await;
        assert_eq!(kid(&make(stage.node()).0), id);
    }
);

on_both!(keys_change_by_age, async |stage: &mut Stage| {
    let before = kid(&make(stage.node()).0);
    stage.advance(KEY_AGE.saturating_sub(Duration::from_secs(1)));
    sweep(stage.node()).await;
    stage.advance(SETTLING);
    assert_eq!(kid(&make(stage.node()).0), before);
    sweep(stage.node()).await;
    stage.advance(SETTLING);
    assert_ne!(kid(&make(stage.node()).0), before);
});

on_both!(
    a_revoked_token_stays_revoked_after_a_restart_and_is_forgotten_once_it_has_ended,
    async |stage: &mut Stage| {
        let count = async |stage: &Stage| {
            token_revocation::Entity::find().count(&stage.app().store.read).await.expect("read")
        };
        let ((one, claims), (other, _)) = (make(stage.node()), make(stage.node()));
        tokens::revoke(stage.app(), &claims).await.expect("revoked");
        tokens::revoke(stage.app(), &claims).await.expect("twice does no harm");
        assert_eq!(check(stage.node(), &one), Err(TokenError::Revoked));
        assert_eq!(check(stage.node(), &other), Ok(()));
        stage.restart().await;
        assert_eq!(check(stage.node(), &one), Err(TokenError::Revoked));
        stage.advance(LIFETIME.saturating_sub(Duration::from_millis(1)));
        sweep(stage.node()).await;
        assert_eq!(count(stage).await, 1);
        stage.advance(Duration::from_millis(1));
        sweep(stage.node()).await;
        assert_eq!(count(stage).await, 0);
        assert_eq!(check(stage.node(), &one), Err(TokenError::Expired));
    }
);

on_both!(the_keys_lie_sealed_in_the_store, async |stage: &mut Stage| {
    let rows = token_key::Entity::find().all(&stage.app().store.read).await.expect("read");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.master_key_id, stage.app().vault.key_id());
    let seed = stage.app().vault.open(&row.master_key_id, &row.id, &row.sealed).expect("it opens");
    assert_eq!(seed.len(), 32);
    assert!(!row.sealed.windows(32).any(|window| window == seed.as_slice()));
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_side_by_side_take_each_others_tokens_and_learn_of_revocations() {
    let stage = Stage::set(Backend::Postgres).await;
    let mut world_settings = stage.world.settings.clone();
    world_settings.push(("server.public_url", format!("http://{}", stage.node().address)));
    let config = gateway::config::Config::load_from(&gateway::config::Sources {
        serving: true,
        given: world_settings
            .into_iter()
            .chain([
                ("store.url", stage.world.store_url.clone()),
                ("secrets.master_key_file", stage.world.path("master.key").display().to_string()),
            ])
            .map(|(path, value)| gateway::config::Given { path, value, by: "the test" })
            .collect(),
        ..gateway::config::Sources::default()
    })
    .expect("valid");
    let second = gateway::app::App::open(config, stage.world.clock(), Vec::new()).await.expect("it opens");
    let ours =
        |token: &str| second.app.tokens.check(token, Audience::Api, second.app.clock.now_ms()).map(drop);
    let (token, claims) = make(stage.node());
    assert_eq!(ours(&token), Ok(()));
    tokens::revoke(stage.app(), &claims).await.expect("revoked");
    let id = tokens::rotate(stage.app(), None).await.expect("rotated");
    second.app.reload().await.expect("it looks into the store");
    assert_eq!(ours(&token), Err(TokenError::Revoked));
    stage.advance(SETTLING);
    let (token, _) = make(stage.node());
    assert_eq!((kid(&token), ours(&token)), (id, Ok(())));
    second.writers.finish().await;
    stage.strike().await;
}
