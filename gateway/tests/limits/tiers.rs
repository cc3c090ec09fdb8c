//! Platform, merchant and store: what is refused, what it is told, and in which order it is checked.

use std::time::Duration;

use super::kit::{CREATE, QUERY, create_on, malformed, post};
use crate::harness::merchant::signed;
use crate::harness::people::{NEIGHBOUR_KEY, NEIGHBOUR_NO};
use crate::harness::{MERCHANT_KEY, PARTNER_NO, Stage};
use crate::on_both;
use serde_json::json;

on_both!(
    a_merchant_beyond_its_limit_is_told_code_9_and_when_to_come_again,
    [("limits.merchant", "3/1h")],
    async |stage: &mut Stage| {
        let first = stage.place(&stage.order("p1")).await;
        assert_eq!((first.code, first.left("merchant"), first.left("store")), (1, Some(2), Some(2)));
        assert_eq!(
            first.policy.as_deref(),
            Some(r#""merchant";q=3;w=3600, "store";q=3;w=3600"#),
            "a store never has more than its merchant"
        );
        assert_eq!(stage.look_up("p1").await.left("merchant"), Some(1));
        assert_eq!(stage.look_up("none").await.left("merchant"), Some(0), "what is not found counts, too");

        let refused = stage.place(&stage.order("p2")).await;
        refused.assert_over("merchant");
        assert_eq!(refused.retry_after, Some(1200));
        stage.look_up("p1").await.assert_over("merchant");
        assert_eq!((stage.rows().await.len(), stage.creates()), (1, 1), "nothing was begun");

        stage.advance(Duration::from_secs(1199));
        stage.place(&stage.order("p2")).await.assert_over("merchant");
        stage.advance(Duration::from_secs(1));
        assert_eq!(stage.place(&stage.order("p2")).await.code, 1);
        stage.place(&stage.order("p3")).await.assert_over("merchant");
    }
);

on_both!(
    a_platforms_limit_is_shared_by_its_merchants_and_its_level_is_not_theirs_to_see,
    [("limits.platform", "4/1h")],
    async |stage: &mut Stage| {
        stage.others_move_in().await;
        for number in ["p1", "p2"] {
            let told = stage.place(&stage.order(number)).await;
            assert_eq!((told.code, told.left("platform")), (1, None), "{told:?}");
        }
        for number in ["n1", "n2"] {
            assert_eq!(stage.place(&stage.neighbours_order(number)).await.code, 1);
        }
        stage.place(&stage.order("p3")).await.assert_over("platform");
        stage.place(&stage.neighbours_order("n3")).await.assert_over("platform");
    }
);

on_both!(
    a_store_beyond_its_limit_takes_no_orders_and_the_rest_goes_on,
    [("limits.store", "1/1h")],
    async |stage: &mut Stage| {
        let placed = stage.place(&stage.order("p1")).await;
        assert_eq!((placed.code, placed.left("store")), (1, Some(0)));
        stage.place(&stage.order("p2")).await.assert_over("store");
        assert_eq!((stage.rows().await.len(), stage.creates()), (1, 1), "nothing was begun");
        stage.look_up("p1").await.assert_within();
        assert_eq!(stage.place(&stage.yen_order("p2")).await.code, 1, "another store of the merchant");
    }
);

on_both!(
    the_merchants_limits_come_after_freshness_and_the_stores_after_the_fields,
    [("limits.merchant", "3/1h"), ("limits.store", "1/1h")],
    async |stage: &mut Stage| {
        let now = stage.app().clock.now();
        let old = now - Duration::from_hours(1);
        let order = stage.order("p1");
        for _ in 0..3 {
            let document = signed(PARTNER_NO, MERCHANT_KEY, "", &order.body, old);
            let told = post(stage.node(), CREATE, document, MERCHANT_KEY).await;
            assert_eq!((told.code, told.limit), (5, None), "what is stale draws from nothing");
        }
        assert_eq!(stage.place(&order).await.code, 1);
        let told = stage.place(&malformed(&order)).await;
        assert_eq!(
            (told.code, told.left("merchant")),
            (5, Some(1)),
            "its store's limit is used up: {told:?}"
        );
        stage.place(&stage.order("p2")).await.assert_over("store");
        // In this process the refused order has drawn from its merchant all the same.
        stage.place(&malformed(&order)).await.assert_over("merchant");
    }
);

on_both!(
    a_suspended_merchant_is_limited_like_any_other_and_draws_from_no_store,
    [("limits.merchant", "2/1h"), ("limits.store", "1/1h")],
    async |stage: &mut Stage| {
        stage.suspend_merchant().await;
        for left in [1, 0] {
            let told = stage.place(&stage.order("p1")).await;
            assert_eq!((told.code, told.left("merchant"), told.left("store")), (3, Some(left), None));
        }
        stage.place(&stage.order("p1")).await.assert_over("merchant");
    }
);

on_both!(one_merchants_limit_is_not_anothers, [("limits.merchant", "1/1h")], async |stage: &mut Stage| {
    stage.others_move_in().await;
    assert_eq!(create_on(stage.node(), &stage.order("p1")).await.code, 1);
    stage.look_up("p1").await.assert_over("merchant");
    let body = json!({"orderNo": "1"});
    let document = signed(NEIGHBOUR_NO, NEIGHBOUR_KEY, "", &body, stage.app().clock.now());
    post(stage.node(), QUERY, document, NEIGHBOUR_KEY).await.assert_within();
});
