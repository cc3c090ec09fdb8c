//! Suspending stops new orders and nothing else.

use crate::harness::{HKD_STORE, JPY_STORE, Stage};
use crate::on_both;
use serde_json::json;

/// Queries, notices and deliveries of orders placed before.
async fn assert_goes_on(stage: &mut Stage) {
    assert_goes_on_with(stage, "told", "asked").await;
}

async fn assert_goes_on_with(stage: &mut Stage, told: &str, asked: &str) {
    let before = stage.shop().paid_now().len();
    assert_eq!(stage.query(told).await.body["status"], 0);
    let submission = stage.submission_no(told).await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    let submission = stage.submission_no(asked).await;
    stage.pay(&submission);
    assert_eq!(stage.query(asked).await.body["status"], 1);
    assert_eq!(stage.deliver_due().await, 2);
    assert_eq!(stage.shop().paid_now().len(), before + 2);
}

on_both!(a_suspended_merchant_places_no_orders_and_all_else_goes_on, async |stage: &mut Stage| {
    for number in ["told", "asked"] {
        stage.open(number).await;
    }
    stage.suspend_merchant().await;
    let answer = stage.create(&stage.order("p1")).await;
    assert_eq!((answer.code, answer.genuine), (3, true));
    assert!(answer.msg().contains("suspended"), "{}", answer.msg());
    assert_eq!((stage.rows().await.len(), stage.creates()), (2, 2));
    assert_goes_on(stage).await;
});

on_both!(a_disabled_store_takes_no_orders_and_all_else_goes_on, async |stage: &mut Stage| {
    for number in ["told", "asked"] {
        stage.open(number).await;
    }
    stage.disable_store(HKD_STORE).await;
    let answer = stage.create(&stage.order("p1")).await;
    assert_eq!((answer.code, answer.genuine), (3, true));
    assert!(answer.msg().contains("disabled"), "{}", answer.msg());
    assert_eq!((stage.rows().await.len(), stage.creates()), (2, 2));
    assert_goes_on(stage).await;
    let mut in_the_other = stage.order("p2");
    in_the_other.body["storeNo"] = json!(JPY_STORE);
    in_the_other.body["currency"] = json!("JPY");
    in_the_other.body["wallet"] = json!("Wechat");
    assert_eq!(stage.create(&in_the_other).await.code, 1);
});

on_both!(
    an_account_whose_base_url_is_not_allowed_any_more_takes_no_orders_and_all_else_goes_on,
    async |stage: &mut Stage| {
        let sandbox = format!("[\"{}\"]", stage.world.sandbox.base_url());
        let elsewhere = "[\"http://127.0.0.1:9\"]".to_owned();
        // Taken out of the lists; then in that of the other mode.
        let lists = [
            [
                ("upstream.sandbox_base_urls", elsewhere.clone()),
                ("upstream.allowed_base_urls", "[]".to_owned()),
            ],
            [("upstream.sandbox_base_urls", elsewhere), ("upstream.allowed_base_urls", sandbox)],
        ];
        for (round, lists) in lists.into_iter().enumerate() {
            for number in [format!("told-{round}"), format!("asked-{round}")] {
                stage.open(&number).await;
            }
            let (rows, creates) = (stage.rows().await.len(), stage.creates());
            stage.world.settings.extend(lists);
            stage.restart().await;
            let answer = stage.create(&stage.order("p1")).await;
            assert_eq!((answer.code, answer.genuine), (3, true), "{}", answer.document);
            assert!(answer.msg().contains("takes no new orders"), "{}", answer.msg());
            assert_eq!((stage.rows().await.len(), stage.creates()), (rows, creates));
            assert_eq!(stage.app().directory.barred(), 1);
            assert_goes_on_with(stage, &format!("told-{round}"), &format!("asked-{round}")).await;
            stage.world.settings.clear();
            stage.restart().await;
            assert_eq!((stage.app().directory.barred(), stage.create(&stage.order("p1")).await.code), (0, 1));
            stage.world.settings.clear();
        }
    }
);
