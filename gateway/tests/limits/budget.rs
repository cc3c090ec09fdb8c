//! The budget of calls to ScanForPay: it belongs to the account, and a poller never keeps a payer from paying.

use std::time::Duration;

use super::kit::malformed;
use crate::harness::Stage;
use crate::on_both;

on_both!(
    a_create_beyond_the_budget_is_code_9_before_anything_is_stored,
    [("limits.account", "2/1h")],
    async |stage: &mut Stage| {
        for number in ["p1", "p2"] {
            let placed = stage.place(&stage.order(number)).await;
            assert_eq!(
                (placed.code, placed.left("account")),
                (1, None),
                "others draw from it, too: {placed:?}"
            );
        }
        stage.place(&stage.order("p3")).await.assert_over("account");
        stage.place(&stage.yen_order("p3")).await.assert_over("account");
        assert_eq!((stage.rows().await.len(), stage.creates()), (2, 2));
        let told = stage.place(&malformed(&stage.order("p3"))).await;
        assert_eq!(told.code, 5, "what is never sent does not ask for it");
        stage.advance(Duration::from_mins(30));
        assert_eq!(stage.place(&stage.order("p3")).await.code, 1, "it has taken no number");
    }
);

on_both!(
    a_poller_is_refused_while_the_reserve_for_orders_is_left,
    [("limits.account", "8/8h"), ("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        assert_eq!(stage.place(&stage.order("p1")).await.code, 1);
        for asked in 1..=5 {
            stage.look_up("p1").await.assert_within();
            assert_eq!(stage.queries(), asked);
        }
        stage.look_up("p1").await.assert_over("account");
        assert_eq!(stage.queries(), 5, "it was not asked");
        for number in ["p2", "p3"] {
            assert_eq!(stage.place(&stage.order(number)).await.code, 1, "a quarter was kept for orders");
        }
        stage.place(&stage.order("p4")).await.assert_over("account");

        // What is new goes to the order and not to the poller.
        stage.advance(Duration::from_hours(1));
        stage.look_up("p1").await.assert_over("account");
        assert_eq!(stage.place(&stage.order("p4")).await.code, 1);
        stage.advance(Duration::from_hours(3));
        stage.look_up("p1").await.assert_within();
    }
);

on_both!(
    what_is_paid_is_answered_without_the_budget,
    [("limits.account", "1/1h")],
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        stage.place(&stage.order("p2")).await.assert_over("account");
        let told = stage.look_up("p1").await;
        assert_eq!(told.code, 1, "{told:?}");
        assert_eq!(stage.queries(), 0);
    }
);

on_both!(notices_are_taken_whatever_the_budget, [("limits.account", "1/1h")], async |stage: &mut Stage| {
    stage.open("p1").await;
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    assert_eq!(stage.row("p1").await.status, "paid");
});
