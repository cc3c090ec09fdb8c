//! Orders that go upstream under the merchant's own number.

use gateway::entity::submission;
use sandbox::{Fault, Operation, Payer, Twist};
use serde_json::json;

use super::orders::own_key;
use crate::harness::Stage;
use crate::on_both;

/// From now on the merchant's orders of its account go upstream under its own numbers.
async fn send_own_numbers(stage: &Stage) {
    let path = format!("/v1/accounts/{}", stage.account_id());
    let reply = stage.patch(&path, json!({ "numbersOf": stage.merchant_id() })).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

on_both!(where_the_account_says_so_payers_see_the_merchants_own_number, async |stage: &mut Stage| {
    stage.others_move_in().await;
    send_own_numbers(stage).await;
    stage.open("bill-17").await;
    let order = stage.row("bill-17").await;
    let sent = stage.upstream_order("bill-17");
    assert_eq!(sent.content.partner_order_no, "bill-17");
    let submission = stage.submissions(&order.id).await.remove(0);
    assert_eq!(submission.own_number.as_deref(), Some("bill-17"), "what was sent is kept");

    // A query and a notice are compared with the number that was sent.
    assert_eq!(stage.query("bill-17").await.body["status"], 0);
    stage.pay("bill-17");
    stage.notify_twisted("bill-17", Twist::OtherOrder(submission.id.clone())).await;
    let held = &stage.notes("bill-17", "notice").await[0]["held"][0];
    assert_eq!((&held["field"], &held["asked"]), (&json!("partnerOrderNo"), &json!("bill-17")));
    stage.notify("bill-17").await;
    stage.idle().await;
    assert_eq!(stage.row("bill-17").await.status, "paid");
    let key = own_key(stage).await;
    assert_eq!(stage.get_as(&key, "/v1/orders/bill-17").await.json()["sentNumber"], "bill-17");

    // Another merchant of the account is sent under ours: two merchants may well use one number.
    assert_eq!(stage.create(&stage.neighbours_order("bill-17")).await.code, 1);
    let numbers: Vec<String> =
        stage.upstream().orders().into_iter().map(|order| order.content.partner_order_no).collect();
    assert_eq!(numbers.iter().filter(|number| *number == "bill-17").count(), 1, "{numbers:?}");
});

on_both!(a_second_call_for_the_order_goes_under_a_number_of_ours, async |stage: &mut Stage| {
    send_own_numbers(stage).await;
    stage.fault(Operation::Create, Fault::Code { code: 44, took_effect: false });
    assert_eq!(stage.create(&stage.order("b1")).await.code, 44);
    stage.open("b1").await;
    let order = stage.row("b1").await;
    let submissions = stage.submissions(&order.id).await;
    let sent: Vec<&str> = submissions.iter().map(submission::Model::sent_number).collect();
    assert_eq!(sent, ["b1", order.submission_id.as_str()]);
    stage.upstream().pay(&order.submission_id, Payer::default()).expect("it may be paid");
    stage.notify(&order.submission_id).await;
    assert_eq!(stage.row("b1").await.status, "paid");
});
