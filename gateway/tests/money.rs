//! The rules that keep the money right, one test each, on both stores: `docs/MONEY.md`. Refunds: `refunds.rs`.

mod harness;

mod money {
    mod again;
    mod answers;
    mod events;
    mod faults;
    mod handlers;
    mod keys;
    mod notices;
    mod payments;
    mod products;
    mod quarantine;
    mod queries;
    mod reconcile;
    mod strangers;
    mod suspension;
    mod told;
    mod troubles;
    mod twice;
}

use harness::Stage;

on_both!(an_order_goes_all_the_way_and_the_shop_is_told_once, async |stage: &mut Stage| {
    let paid = stage.pay_one_order("p1").await;
    assert_eq!(stage.deliver_due().await, 1);
    let told = stage.shop().paid_now();
    assert_eq!(told.len(), 1);
    assert_eq!(stage.deliver_due().await, 0);
    let order = stage.row("p1").await;
    assert_eq!(order.status, "paid");
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer", "notice"]);
    assert_eq!(stage.query("p1").await.body["status"], 1);
    assert_eq!(paid.queries, 0, "a paid order is answered from our row");
    assert_eq!(stage.upstream().violations(), [], "the upstream has nothing to complain of");
});
