//! The statement of a store's day.

use std::time::Duration;

use gateway::orders::statement::PAGE;
use sandbox::{Fault, Operation};
use serde_json::json;

use super::lists::{many, paid};
use super::orders::own_key;
use crate::harness::{HKD_STORE, JPY_STORE, Stage};
use crate::on_both;

/// The rows of a statement below its line of names.
async fn statement(stage: &Stage, key: &str, day: &str, store: &str) -> Vec<Vec<String>> {
    let reply = stage.get_as(key, &format!("/v1/statement?day={day}&store={store}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let mut reader = csv::Reader::from_reader(reply.body.as_ref());
    assert_eq!(reader.headers().expect("names").iter().take(2).collect::<Vec<_>>(), ["type", "bookedAt"]);
    let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect());
    rows.collect()
}

on_both!(a_day_is_the_stores_own_and_names_every_number, async |stage: &mut Stage| {
    // The clock stands at 22:13:20 in Hong Kong.
    let key = own_key(stage).await;
    let mut order = stage.order("p1");
    order.body["orderTitle"] = json!("=HYPERLINK(\"http://x\")");
    assert_eq!(stage.create(&order).await.code, 1);
    let sent = stage.submission_no("p1").await;
    stage.pay(&sent);
    stage.notify(&sent).await;
    stage.advance(Duration::from_hours(2));
    stage.pay_one_order("p2").await;
    stage.open("unpaid").await;

    let days = ["2026-09-20", "2026-09-21", "2026-09-22", "2026-09-23"];
    let mut found = Vec::new();
    for day in days {
        for row in statement(stage, &key, day, HKD_STORE).await {
            found.push((day, row));
        }
        assert_eq!(statement(stage, &key, day, JPY_STORE).await, Vec::<Vec<String>>::new());
    }
    let (first, second) = (&found[0], &found[1]);
    assert_eq!((found.len(), first.1[4].as_str(), second.1[4].as_str()), (2, "p1", "p2"));
    assert_ne!(first.0, second.0, "midnight is Hong Kong's");
    assert_eq!(first.1[1], format!("{}T22:13:20+08:00", first.0));
    let row = stage.row("p1").await;
    assert_eq!(first.1[3], HKD_STORE);
    assert_eq!(first.1[5], row.submission_id);
    assert_eq!(Some(first.1[6].clone()), row.upstream_order_no);
    assert_eq!(first.1[7..14], ["qrcode", "Alipay", "HKD", "2100", "0", "paid", "false"]);
    assert_eq!(first.1[14], "'=HYPERLINK(\"http://x\")", "a spreadsheet shows it and runs nothing");
});

on_both!(a_statement_longer_than_a_page_is_whole, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    stage.pay_one_order("p1").await;
    let sample = stage.row("p1").await;
    let count = usize::try_from(PAGE).expect("small") + 10;
    many(stage, &sample, count, |_, _| {}).await;
    let rows = stage.rows().await;
    let others: Vec<_> = rows.into_iter().filter(|row| row.number != "p1").collect();
    for orders in others.chunks(300) {
        stage.write(vec![paid(orders)]).await;
    }
    let day = shared::envelope::rfc3339(stage.app().clock.now().to_offset(time::macros::offset!(+8)));
    let rows = statement(stage, &key, &day[..10], HKD_STORE).await;
    assert_eq!(rows.len(), count + 1);
    let numbers: std::collections::HashSet<&str> = rows.iter().map(|row| row[4].as_str()).collect();
    assert_eq!(numbers.len(), count + 1, "each once");
});

on_both!(a_statement_of_nothing_is_refused_or_empty, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let key = own_key(stage).await;
    for (query, status) in [("day=2026-02-30&store=100010000000002", 422), ("day=2026-02-28&store=1", 404)] {
        let reply = stage.get_as(&key, &format!("/v1/statement?{query}")).await;
        assert_eq!(reply.status, status, "{query}: {}", reply.text());
    }
    let unreadable = stage.get_as(&key, "/v1/statement?day=yesterday&store=1").await;
    assert_eq!(unreadable.status / 100, 4, "{}", unreadable.text());
    let (_, neighbour) = stage.api_key(&["orders:read"], Some(&stage.neighbour_id())).await;
    let path = format!("/v1/statement?day=2026-02-28&store={HKD_STORE}");
    assert_eq!(stage.get_as(&neighbour, &path).await.status, 404, "another's store");
});

on_both!(each_payment_of_an_order_is_booked_with_its_own_numbers, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order("p1")).await.code, 21);
    let second = stage.submission_no("p1").await;
    stage.open("p1").await;
    let counted = stage.submission_no("p1").await;
    for call in [&counted, &second] {
        stage.pay(call);
        stage.notify(call).await;
    }
    let (_, refunder) = stage.api_key(&["refunds:write"], Some(&stage.merchant_id())).await;
    for (refund_no, payment, amount) in [("r1", &second, 600), ("r2", &counted, 100)] {
        let body = json!({ "refundNo": refund_no, "amount": amount, "payment": payment });
        assert_eq!(stage.post_as(&refunder, "/v1/orders/p1/refunds", body).await.status, 201);
    }
    let order_no = |call: &str| stage.upstream().order(call).expect("it is there").order_no;
    let rows = statement(stage, &key, "2026-09-21", HKD_STORE).await;
    let told: Vec<[&str; 6]> =
        rows.iter().map(|row| [0, 5, 6, 10, 11, 15].map(|cell| row[cell].as_str())).collect();
    let (first_no, second_no) = (order_no(&counted), order_no(&second));
    let expected: [[&str; 6]; 4] = [
        ["payment", &counted, &first_no, "2100", "100", ""],
        ["payment", &second, &second_no, "2100", "600", ""],
        ["refund", &second, &second_no, "600", "600", "r1"],
        ["refund", &counted, &first_no, "100", "100", "r2"],
    ];
    assert_eq!(told, expected);
    assert!(rows.iter().all(|row| !row[2].is_empty()), "each was paid at a time");
});
