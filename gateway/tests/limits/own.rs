//! Limits of one's own, and what loading the directory anew does to what was used.

use crate::harness::{HKD_STORE, Stage};
use crate::on_both;

const HOUR_MS: i64 = 3_600_000;

on_both!(
    a_merchants_own_limit_replaces_the_gateways,
    [("limits.merchant", "1/1h")],
    async |stage: &mut Stage| {
        stage.look_up("none").await.assert_within();
        stage.look_up("none").await.assert_over("merchant");
        stage.limit_merchant(2, HOUR_MS).await;
        for left in [1, 0] {
            assert_eq!(stage.look_up("none").await.left("merchant"), Some(left));
        }
        stage.look_up("none").await.assert_over("merchant");
    }
);

on_both!(a_merchants_own_limit_holds_within_its_platforms, async |stage: &mut Stage| {
    stage.limit_platform(2, HOUR_MS).await;
    stage.limit_merchant(1000, HOUR_MS).await;
    stage.limit_store(HKD_STORE, 500, HOUR_MS).await;
    let told = stage.place(&stage.order("p1")).await;
    assert_eq!(told.policy.as_deref(), Some(r#""merchant";q=2;w=3600, "store";q=2;w=3600"#));
    stage.look_up("none").await.assert_within();
    stage.look_up("none").await.assert_over("platform");
});

on_both!(a_store_and_an_account_may_have_their_own, async |stage: &mut Stage| {
    stage.limit_store(HKD_STORE, 1, HOUR_MS).await;
    stage.limit_account(2, HOUR_MS).await;
    assert_eq!(stage.place(&stage.order("p1")).await.code, 1);
    stage.place(&stage.order("p2")).await.assert_over("store");
    assert_eq!(stage.place(&stage.yen_order("p2")).await.code, 1);
    stage.place(&stage.yen_order("p3")).await.assert_over("account");
});

on_both!(
    loading_the_directory_anew_fills_nobodys_bucket,
    [("limits.merchant", "3/1h"), ("limits.store", "2/1h"), ("limits.account", "2/1h")],
    async |stage: &mut Stage| {
        stage.others_move_in().await;
        assert_eq!(stage.place(&stage.order("p1")).await.code, 1);
        assert_eq!(stage.place(&stage.neighbours_order("n1")).await.code, 1);
        // A change of somebody else's, and one of the merchant's own that is not about limits.
        stage.disable_store(crate::harness::JPY_STORE).await;
        stage.set_freshness_mode("warn").await;
        stage.place(&stage.order("p2")).await.assert_over("account");
        let told = stage.look_up("none").await;
        assert_eq!(told.left("merchant"), Some(0), "{told:?}");
        stage.place(&stage.neighbours_order("n2")).await.assert_over("account");
    }
);

on_both!(rows_beyond_the_edges_are_refused_by_the_schema, async |stage: &mut Stage| {
    for (count, window_ms) in [(0, 1000), (1_000_001, 1000), (1, 0), (1, 24 * HOUR_MS + 1)] {
        let statement = format!("UPDATE merchants SET limit_count = {count}, limit_window_ms = {window_ms}");
        stage.assert_refused(statement).await;
    }
    stage.assert_refused("UPDATE stores SET limit_count = 1".to_owned()).await;
    stage.assert_refused("UPDATE accounts SET limit_window_ms = 1".to_owned()).await;
});
