//! The way out that is set is the way of deliveries and of calls to ScanForPay.

use gateway::entity::attempt;
use sea_orm::EntityTrait;

use crate::harness::Stage;
use crate::on_both;

/// Everything here has an address of IPv4.
const ELSEWHERE: (&str, &str) = ("outgoing.local_address", "::1");

on_both!(
    nothing_leaves_from_another_address_than_the_one_that_is_set,
    [ELSEWHERE],
    async |stage: &mut Stage| {
        assert_ne!(stage.create(&stage.order("p1")).await.code, 1);
        assert_eq!(stage.creates(), 0, "ScanForPay was not reached");
        stage.endpoint("e", |_| {}).await;
        stage.due("e", &stage.merchant_id(), &["p2".to_owned()]).await;
        assert_eq!(stage.deliver_due().await, 1);
        let attempts = attempt::Entity::find().all(&stage.app().store.read).await.expect("the store is read");
        assert_eq!(attempts[0].outcome, "no_connection");
        assert_eq!(stage.heard(), Vec::<String>::new());
    }
);
