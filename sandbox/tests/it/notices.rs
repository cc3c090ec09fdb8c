//! Notices: that a payment is told, how often, and what is listed when the receiver does not do its part.

use std::time::Duration;

use sandbox::shop::{self, Shop, ShopSettings};
use sandbox::{ControlError, Payer, Sandbox, Twist};
use serde_json::json;
use tokio::net::TcpListener;

use crate::client::{KEY, PARTNER, opened, order, sandbox, sandbox_with, soon, verifies, with};

pub async fn shop() -> Shop {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let settings =
        ShopSettings { partner_no: PARTNER.to_owned(), sign_key: KEY.to_owned(), ..ShopSettings::default() };
    shop::start(listener, settings).expect("starts")
}

async fn ordered(sandbox: &Sandbox, shop: &Shop, number: &str) {
    opened(sandbox, &with(order(number), json!({"notifyUrl": shop.notify_url()}))).await;
}

#[tokio::test]
async fn a_payment_is_told_once_to_a_shop_that_says_success() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    ordered(&sandbox, &shop, "p1").await;
    sandbox.control().pay("p1", Payer::default()).expect("may be paid");
    let paid = soon(shop.paid(1)).await;
    assert_eq!((paid[0].partner_order_no.as_str(), paid[0].amount, paid[0].told), ("p1", 2100, 1));
    soon(sandbox.control().until(|counts| counts.acknowledged == 1)).await;
    let notice = &shop.received_now()[0];
    assert!(notice.verified && verifies(std::str::from_utf8(&notice.raw).expect("is UTF-8"), KEY));
    assert_eq!((notice.code, notice.status), (Some(1), Some(1)));
    let order = sandbox.control().order("p1").expect("is there");
    assert!(order.acknowledged && order.notices == 1);
    assert_eq!(sandbox.control().violations(), []);
}

#[tokio::test]
async fn a_notice_is_repeated_until_the_answer_is_success_and_each_other_answer_is_listed() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    shop.answer_next(500, "success");
    shop.answer_next(200, "SUCCESS\n");
    ordered(&sandbox, &shop, "p1").await;
    sandbox.control().pay("p1", Payer::default()).expect("may be paid");
    let counts = soon(sandbox.control().until(|counts| counts.acknowledged == 1)).await;
    assert_eq!((counts.notices, counts.given_up), (3, 0));
    assert_eq!(shop.paid_now()[0].told, 3);
    let problems: Vec<_> = sandbox.control().violations().into_iter().map(|v| v.problem).collect();
    assert_eq!(
        problems,
        [
            "was answered with HTTP 500, must be 200",
            "was answered with \"SUCCESS\\n\", must be the text success and nothing else"
        ]
    );
}

#[tokio::test]
async fn a_notice_nobody_acknowledges_is_given_up_at_the_end_of_the_schedule() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    shop.answer(200, "ok");
    ordered(&sandbox, &shop, "p1").await;
    sandbox.control().pay("p1", Payer::default()).expect("may be paid");
    let counts = soon(sandbox.control().until(|counts| counts.given_up == 1)).await;
    assert_eq!((counts.notices, counts.acknowledged), (3, 0), "at once, and twice by the schedule");
    assert_eq!(sandbox.control().violations().len(), 3);
}

#[tokio::test]
async fn a_receiver_that_never_answers_or_is_not_there_is_listed() {
    let sandbox = sandbox_with(|settings| settings.notice_timeout = Duration::from_millis(20)).await;
    let control = sandbox.control();
    control.automatic_notices(false);
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let notify_url = format!("http://{}/", silent.local_addr().expect("is bound"));
    opened(&sandbox, &with(order("p1"), json!({"notifyUrl": notify_url}))).await;
    control.pay("p1", Payer::default()).expect("may be paid");
    let outcome = soon(control.notify_now("p1")).await.expect("is sent");
    assert_eq!((outcome.acknowledged, outcome.status), (false, None));
    assert_eq!(outcome.failure.as_deref(), Some("no answer within 20ms"));
    drop(silent);
    let outcome = soon(control.notify_now("p1")).await.expect("is tried");
    assert!(outcome.failure.is_some());
    assert_eq!(control.violations().len(), 2);
    assert_eq!(control.order("p1").map(|order| (order.notices, order.acknowledged)), Some((2, false)));
}

#[tokio::test]
async fn notices_held_back_are_sent_by_hand() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let control = sandbox.control();
    control.automatic_notices(false);
    ordered(&sandbox, &shop, "p1").await;
    control.pay("p1", Payer::default()).expect("may be paid");
    assert!(control.notify_now("p1").await.expect("is sent").acknowledged);
    assert!(control.notify_now("p1").await.expect("is sent").acknowledged);
    assert_eq!((shop.received_now().len(), shop.paid_now().len()), (2, 1));

    opened(&sandbox, &order("without a notifyUrl")).await;
    assert_eq!(control.notify_now("without a notifyUrl").await, Err(ControlError::NobodyToNotify));
    assert_eq!(control.notify_now("unheard of").await, Err(ControlError::NoSuchOrder));
}

#[tokio::test]
async fn a_twisted_notice_lies_in_one_thing_and_its_refusal_is_no_violation() {
    let (sandbox, shop) = (sandbox().await, shop().await);
    let control = sandbox.control();
    control.automatic_notices(false);
    ordered(&sandbox, &shop, "p1").await;
    control.pay("p1", Payer::default()).expect("may be paid");
    for twist in [
        Twist::WrongAmount,
        Twist::WrongCurrency,
        Twist::WrongKey,
        Twist::OtherOrder("p2".to_owned()),
        Twist::OtherPartnerNo("10002".to_owned()),
        Twist::Status(2),
        Twist::Code(21),
    ] {
        control.notify_twisted("p1", twist).await.expect("is sent");
    }
    let seen: Vec<_> = shop
        .received_now()
        .into_iter()
        .map(|n| (n.verified, n.partner_order_no, n.amount, n.currency, n.status, n.code))
        .collect();
    let told = |verified, number: &str, amount, currency: &str, status, code| {
        (verified, number.to_owned(), Some(amount), currency.to_owned(), Some(status), Some(code))
    };
    assert_eq!(
        seen,
        [
            told(true, "p1", 2101, "HKD", 1, 1),
            told(true, "p1", 2100, "USD", 1, 1),
            told(false, "p1", 2100, "HKD", 1, 1),
            told(true, "p2", 2100, "HKD", 1, 1),
            told(false, "p1", 2100, "HKD", 1, 1),
            told(true, "p1", 2100, "HKD", 2, 1),
            told(true, "p1", 2100, "HKD", 1, 21),
        ]
    );
    assert_eq!(control.violations(), []);
}
