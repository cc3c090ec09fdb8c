//! How much may be given back, and how often.

use futures_util::future::join_all;
use gateway::entity::refund::State;
use serde_json::json;

use crate::harness::{JPY_STORE, Stage};
use crate::on_both;

on_both!(an_order_is_refunded_in_parts_until_all_is_given_back, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let first = stage.refund("p1", "r1", 600).await;
    assert_eq!(
        first.body,
        json!({
            "code": 1, "msg": "success", "orderAmount": 600, "status": 1, "currency": "HKD", "refundNo": "r1",
        })
    );
    assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 600, 0));
    assert_eq!(stage.query("p1").await.body["status"], 1, "a part is no status of its own");
    let more = stage.refund("p1", "r2", 1501).await;
    assert_eq!(more.code, 35);
    assert!(more.msg().contains("1500 is left"), "{}", more.msg());
    assert_eq!(stage.refund("p1", "r3", 1500).await.body["status"], 1);
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
    assert_eq!(stage.query("p1").await.body["status"], 3);
    assert_eq!(stage.refund("p1", "r4", 1).await.code, 35);

    assert_eq!(stage.told("p1").await, ["order.paid", "refund.succeeded", "refund.succeeded"]);
    let order = stage.row("p1").await;
    let kinds = ["placed", "answer", "notice"];
    let refunds = ["refund_asked", "refund_answer", "refund_asked", "refund_answer"];
    assert_eq!(stage.journal_kinds(&order.id).await, [&kinds[..], &refunds].concat());
    assert_eq!((stage.queries(), stage.refund_calls()), (0, 2), "answered from our row");
    assert_eq!(stage.deliver_due().await, 1);
    let told: Vec<_> = stage.shop().received_now().iter().map(|each| (each.code, each.status)).collect();
    assert_eq!(told, [(Some(1), Some(1))], "the notifyUrl hears that it was paid, and nothing of refunds");
});

on_both!(the_same_number_is_the_same_refund, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let first = stage.refund("p1", "r1", 600).await;
    assert_eq!(stage.refund("p1", "r1", 600).await.body, first.body);
    let other = stage.refund("p1", "r1", 601).await;
    assert_eq!(other.code, 31, "{}", other.body);
    assert_eq!((stage.refunds("p1").await.len(), stage.refund_calls()), (1, 1));
    assert_eq!(stage.told("p1").await, ["order.paid", "refund.succeeded"], "told once");
    stage.pay_one_order("p2").await;
    assert_eq!(stage.refund("p2", "r1", 601).await.body["status"], 1, "another order's numbers are its own");
});

on_both!(fifty_refunds_at_once_never_give_back_more_than_was_paid, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let numbers: Vec<String> = (0..50).map(|number| format!("r{number}")).collect();
    // All of other amounts: none is the twin of an open one.
    let asked = numbers.iter().zip(100..).map(|(number, amount)| stage.refund("p1", number, amount));
    let answers = join_all(asked).await;
    let order = stage.row("p1").await;
    assert!(order.refunded <= order.paid && order.refund_reserved == 0, "{order:?}");
    let refunds = stage.refunds("p1").await;
    assert!(refunds.iter().all(|refund| refund.state == State::Refunded));
    assert_eq!(refunds.iter().map(|refund| refund.amount).sum::<i64>(), order.refunded);
    let done = answers.iter().filter(|answer| answer.code == 1);
    assert_eq!(
        done.map(|answer| answer.body["orderAmount"].as_i64().expect("one")).sum::<i64>(),
        order.refunded
    );
    let refused = answers.iter().filter(|answer| answer.code != 1);
    assert!(refused.clone().count() > 0 && refused.clone().all(|answer| answer.code == 35));
    let upstream: i64 = stage.upstream_refunds("p1").await.iter().map(|(_, amount, ..)| amount).sum();
    assert_eq!(upstream, order.refunded, "the upstream's books are ours");
    let left = order.paid - order.refunded;
    let least = refused.map(|answer| answer.msg().to_owned()).next().expect("one was refused");
    assert!(least.contains("is left"), "{least}; {left}");
});

on_both!(fifty_times_the_same_refund_at_once_is_one, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let answers = join_all((0..50).map(|_| stage.refund("p1", "r1", 700))).await;
    for answer in answers {
        assert_eq!((answer.code, &answer.body["status"]), (1, &json!(1)), "{}", answer.body);
    }
    assert_eq!((stage.refunds("p1").await.len(), stage.refund_calls()), (1, 1));
    assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 700, 0));
});

on_both!(a_smallest_unit_that_rounding_leaves_is_pointed_out_and_stays, async |stage: &mut Stage| {
    let mut order = stage.order("p1");
    order.body["storeNo"] = json!(JPY_STORE);
    order.body["currency"] = json!("JPY");
    order.body["wallet"] = json!("Wechat");
    order.body["orderAmount"] = json!(701);
    assert_eq!(stage.create(&order).await.code, 1);
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    assert_eq!(stage.refund("p1", "r1", 350).await.msg(), "success");
    let last = stage.refund("p1", "r2", 350).await;
    assert_eq!(last.body["status"], 1);
    assert!(last.msg().contains("1 is left of the payment"), "{}", last.msg());
    assert_eq!(stage.notes("p1", "refund_answer").await[1]["remainder"], 1);
    let shown = stage.get(&format!("/v1/refunds/r2?merchant={}", stage.merchant_id())).await.json();
    assert_eq!((&shown["remainder"], &shown["leftAmount"]), (&json!(1), &json!(1)), "{shown}");
    assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 700, 0));
    assert_eq!(stage.refund("p1", "r3", 1).await.body["status"], 1, "by whoever means it");
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 701, 0));
});

on_both!(an_order_that_our_row_does_not_have_paid_is_asked_about_first, async |stage: &mut Stage| {
    stage.open("p1").await;
    let unpaid = stage.refund("p1", "r1", 700).await;
    assert_eq!((unpaid.code, stage.queries(), stage.refund_calls()), (32, 1, 0), "{}", unpaid.body);
    stage.open("p2").await;
    stage.pay(&stage.submission_no("p2").await);
    assert_eq!(stage.refund("p2", "r1", 700).await.body["status"], 1);
    assert_eq!(stage.told("p2").await, ["order.paid", "refund.succeeded"]);
    stage.open("p3").await;
    stage.deafen();
    assert_eq!(stage.refund("p3", "r1", 700).await.code, 21, "whether it is paid is not known");
    assert_eq!(stage.refunds("p3").await, []);
});

on_both!(a_suspended_merchant_gives_money_back, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    stage.suspend_merchant().await;
    assert_eq!(stage.refund("p1", "r1", 2100).await.body["status"], 1);
    assert_eq!(stage.row("p1").await.status, "refunded");
});
