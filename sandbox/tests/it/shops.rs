//! The shop: what it believes, and what it shows the payer who comes back.

use std::sync::Arc;

use sandbox::Payer;
use sandbox::shop::{self, Asked, ShopSettings};
use tokio::net::TcpListener;

use crate::client::{KEY, OTHER_KEY, PARTNER, get, opened, order, post_form, post_json, sandbox, soon};
use crate::notices::shop;

#[tokio::test]
async fn a_notice_that_does_not_verify_is_recorded_refused_and_not_believed() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    opened(&sandbox, &order("p1")).await;
    sandbox.control().pay("p1", Payer::default()).expect("may be paid");
    let notice = sandbox.control().notice("p1", None).expect("is there");
    let base = shop.base_url();
    for forged in [notice.replace("2100", "2101"), "nonsense".to_owned(), String::new()] {
        assert_eq!(post_json(&base, "/notify", &forged).await.body, "fail");
    }
    assert!(shop.paid_now().is_empty());
    assert_eq!(post_json(&base, "/notify", &notice).await.body, "success");
    assert_eq!(post_json(&base, "/notify", &notice).await.body, "success");
    assert_eq!((shop.received_now().len(), shop.paid_now().len(), shop.paid_now()[0].told), (5, 1, 2));

    shop.set_sign_key(OTHER_KEY);
    assert_eq!(post_json(&base, "/notify", &notice).await.body, "fail");
}

#[tokio::test]
async fn the_shop_answers_as_it_is_told() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    opened(&sandbox, &order("p1")).await;
    let notice = sandbox.control().notice("p1", None).expect("is there");
    let base = shop.base_url();
    shop.answer(503, "busy");
    shop.answer_next(200, "almost");
    let first = post_json(&base, "/notify", &notice).await;
    let second = post_json(&base, "/notify", &notice).await;
    assert_eq!((first.status, first.body.as_str()), (200, "almost"));
    assert_eq!((second.status, second.body.as_str()), (503, "busy"));
    assert!(shop.paid_now().is_empty(), "status 0 is no payment");

    let gate = shop.hold();
    let held = tokio::spawn(async move { post_json(&base, "/notify", &notice).await });
    soon(shop.received(3)).await;
    assert!(!held.is_finished());
    gate.open();
    assert_eq!(soon(held).await.expect("does not panic").status, 503);
}

#[tokio::test]
async fn the_return_page_believes_notices_and_answers_but_no_browser() {
    let ask: shop::Ask = Arc::new(|number| {
        Box::pin(async move {
            match number.as_str() {
                "asked" => Some(Asked::Paid),
                "failed" => Some(Asked::Failed),
                _ => None,
            }
        })
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let settings = ShopSettings {
        partner_no: PARTNER.to_owned(),
        sign_key: KEY.to_owned(),
        ask: Some(ask),
        compare: None,
        print: false,
    };
    let shop = shop::start(listener, settings).expect("starts");
    let base = shop.base_url();
    let sandbox = sandbox().await;
    opened(&sandbox, &order("told")).await;
    sandbox.control().pay("told", Payer::default()).expect("may be paid");
    post_json(&base, "/notify", &sandbox.control().notice("told", None).expect("is there")).await;

    for (number, sentence) in [
        ("told", "Your payment has arrived."),
        ("asked", "Your payment has arrived."),
        ("failed", "The payment failed."),
        ("claimed", "We are checking your payment."),
    ] {
        let page =
            post_form(&base, "/return?partnerOrderNo=x&status=1", &format!("partnerOrderNo={number}")).await;
        assert!(page.body.contains(sentence), "{number}: {}", page.body);
        assert!(page.body.contains(&format!("<bdi>{number}</bdi>")));
        assert_eq!(page.body.contains("http-equiv=\"refresh\""), number == "claimed");
    }
    let page = get(&base, "/return?partnerOrderNo=%3Cb%3E%22").await;
    assert!(
        page.body.contains("<bdi>&lt;b&gt;&quot;</bdi>")
            && page.body.contains("url=?partnerOrderNo=%3Cb%3E%22")
    );
    assert_eq!(get(&base, "/return").await.status, 400);
}
