//! The master key changes while orders are placed, and a gateway that stops in the middle goes on afterwards.

use gateway::directory::master::{self, Place, Resealed};
use gateway::entity::{operator_act, sign_key, token_key};
use sea_orm::EntityTrait;

use crate::harness::Stage;
use crate::on_both;

/// The master key of every secret.
async fn sealed_under(stage: &Stage) -> Vec<String> {
    let read = &stage.app().store.read;
    let sign_keys = sign_key::Entity::find().all(read).await.expect("the store is read");
    let token_keys = token_key::Entity::find().all(read).await.expect("the store is read");
    let ids = sign_keys.into_iter().map(|key| key.master_key_id);
    ids.chain(token_keys.into_iter().map(|key| key.master_key_id)).collect()
}

on_both!(
    a_rotation_that_is_cut_off_goes_on_and_leaves_nothing_under_the_old_key,
    async |stage: &mut Stage| {
        let old = stage.app().vault.key_id();
        stage.open("p1").await;
        let new = master::rotate(stage.app()).await.expect("rotated");
        assert!(new != old && master::rotate(stage.app()).await.is_err(), "one at a time");
        stage.open("p2").await;
        let mut place = Place::default();
        let page = master::step(stage.app(), &mut place, 1).await.expect("the store takes it");
        assert_eq!(page, Some(Resealed { sealed: 1, failed: 0 }));
        let under = sealed_under(stage).await;
        assert!(under.contains(&old) && under.contains(&new), "in the middle: {under:?}");

        stage.restart().await;
        assert_eq!(stage.app().vault.key_id(), new);
        stage.open("p3").await;
        let (swept, _) = tokio::join!(master::sweep(stage.app()), stage.open("p4"));
        swept.expect("the store takes it");
        assert!(sealed_under(stage).await.iter().all(|id| *id == new));
        assert_eq!(master::left(stage.app()).await.expect("the store is read"), 0);
        assert_eq!(master::drop_previous(stage.app()).await.expect("nothing is left"), 1);
        assert_eq!(master::drop_previous(stage.app()).await.expect("nothing is left"), 0);

        stage.restart().await;
        stage.open("p5").await;
        let acts =
            operator_act::Entity::find().all(&stage.app().store.read).await.expect("the store is read");
        let actions: Vec<&str> = acts.iter().map(|act| act.action.as_str()).collect();
        assert_eq!(actions, ["directory.made", "master_key.rotated", "master_key.previous_dropped"]);
    }
);

on_both!(
    fingerprints_and_what_strangers_are_answered_under_stay_when_the_master_key_goes,
    async |stage: &mut Stage| {
        let path = format!("/v1/merchants/{}/sign-keys", stage.merchant_id());
        let marks = async |stage: &Stage| {
            let listed = stage.get(&path).await.json();
            let fingerprint = listed["data"][0]["fingerprint"].as_str().expect("it is shown").to_owned();
            (fingerprint, stage.app().pepper.decoy_key("99999").to_string())
        };
        let before = marks(stage).await;
        master::rotate(stage.app()).await.expect("rotated");
        assert_eq!(marks(stage).await, before);
        stage.restart().await;
        assert_eq!(marks(stage).await, before, "while it is sealed under the old one");
        assert_eq!(master::drop_previous(stage.app()).await.expect("nothing is left"), 1);
        stage.restart().await;
        assert_eq!(marks(stage).await, before, "and under the new one alone");
        assert_eq!(master::left(stage.app()).await.expect("the store is read"), 0);
    }
);

on_both!(an_old_key_is_not_dropped_while_a_secret_needs_it, async |stage: &mut Stage| {
    use gateway::ledger::{Lane, RowStatement};
    use sea_orm::sea_query::Query;
    master::rotate(stage.app()).await.expect("rotated");
    let damage =
        Query::update().table(token_key::Entity).value(token_key::Column::Sealed, vec![0_u8; 60]).to_owned();
    let room = stage.app().ledger.room(Lane::Bulk, "test").expect("there is room");
    room.rows(vec![RowStatement::Update(damage)]).await.expect("it is written");
    let refused = master::drop_previous(stage.app()).await.expect_err("one does not open").to_string();
    assert!(refused.contains("1 secrets are still sealed"), "{refused}");
    assert_eq!(stage.app().vault.previous_ids().len(), 1);
});
