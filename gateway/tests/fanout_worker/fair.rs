//! Nobody is held up by somebody else.

use sandbox::shop::{Shop, ShopSettings};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::kit::numbers;
use crate::harness::acts::soon;
use crate::harness::{MERCHANT_KEY, PARTNER_NO, Stage};
use crate::on_both;

async fn another_shop() -> Shop {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let settings = ShopSettings {
        partner_no: PARTNER_NO.to_owned(),
        sign_key: MERCHANT_KEY.to_owned(),
        ..ShopSettings::default()
    };
    sandbox::shop::start(listener, settings).expect("a shop")
}

on_both!(
    one_that_has_little_due_goes_out_beside_one_that_has_very_much,
    [("deliveries.max_in_flight", "16"), ("deliveries.max_in_flight_per_endpoint", "4")],
    async |stage: &mut Stage| {
        let gate = stage.shop().hold();
        for endpoint in 0..10 {
            let (endpoint, prefix) = (format!("big{endpoint}"), format!("big{endpoint}-"));
            stage.due(&endpoint, "big", &numbers(&prefix, 1_000)).await;
        }
        let stop = CancellationToken::new();
        let working = tokio::spawn(stage.take_worker().run(stop.clone()));
        // None of them is answered. Nobody has more under way than there are places left.
        soon(stage.shop().received(8)).await;
        stage.due("small", "small", &numbers("small", 1)).await;
        let heard = soon(stage.shop().received(9)).await;
        assert_eq!(heard.len(), 9);
        assert_eq!(heard[8].partner_order_no, "small0");
        let of: std::collections::HashSet<_> =
            heard[..8].iter().filter_map(|told| told.partner_order_no.split('-').next()).collect();
        assert_eq!(of.len(), 8, "its endpoints take turns: {of:?}");
        stop.cancel();
        gate.open();
        soon(working).await.expect("the worker ends");
    }
);

on_both!(an_endpoint_that_hangs_holds_up_none_of_the_others, async |stage: &mut Stage| {
    let owner = stage.merchant_id();
    let slow = another_shop().await;
    let gate = slow.hold();
    stage.due("quick", &owner, &numbers("quick", 100)).await;
    let mut hanging: Vec<_> = numbers("slow", 100)
        .iter()
        .map(|number| stage.told("slow", &owner, number, number, (1, stage.app().clock.now_ms() - 1_000)))
        .collect();
    for (_, delivery) in &mut hanging {
        delivery.url = slow.notify_url();
    }
    stage.write_told(&hanging).await;
    let stop = CancellationToken::new();
    let working = tokio::spawn(stage.take_worker().run(stop.clone()));
    assert_eq!(soon(stage.shop().received(100)).await.len(), 100);
    assert_eq!(soon(slow.received(8)).await.len(), 8, "no more than it may have at one time");
    stop.cancel();
    gate.open();
    soon(working).await.expect("the worker ends");
    slow.stop().await;
});
