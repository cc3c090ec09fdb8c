//! Ten merchants and ten thousand: an order and a change cost the same.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Backend, Stage};

const MANY: usize = 10_000;
/// Rows of one onboarding.
const ROWS: usize = 1000;
const ROUNDS: usize = 41;
/// How much longer it may take beside so many: other tests run at the same time.
const SLACK: u32 = 2;

fn row(number: usize, account_id: &str) -> Value {
    json!({ "name": format!("House {number}"), "reference": format!("r{number}"), "store": {
        "accountId": account_id, "upstreamStoreNo": format!("{number}"), "currency": "HKD", "wallets": ["Alipay"],
    } })
}

async fn onboard(stage: &Stage, numbers: std::ops::Range<usize>) {
    let account_id = stage.account_id();
    let count = numbers.len();
    let rows: Vec<Value> = numbers.map(|number| row(number, &account_id)).collect();
    let answer = stage.post("/v1/onboarding", json!({ "rows": rows })).await.json();
    assert_eq!(answer["created"], count, "{answer}");
}

async fn timed(work: impl Future) -> Duration {
    let began = Instant::now();
    work.await;
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_and_a_change_take_no_longer_among_ten_thousand_merchants_than_among_ten() {
    let (few, many) = (Stage::set(Backend::Sqlite).await, Stage::set(Backend::Sqlite).await);
    onboard(&few, 1..10).await;
    let began = Instant::now();
    for start in (1..MANY).step_by(ROWS) {
        onboard(&many, start..(start + ROWS).min(MANY)).await;
    }
    eprintln!("{MANY} merchants with stores onboarded in {:?}", began.elapsed());

    // Side by side, so that whatever else the machine does meets both.
    let (mut orders, mut changes) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..ROUNDS {
        for (place, stage) in [&few, &many].into_iter().enumerate() {
            orders[place].push(timed(stage.open(&format!("p{round}"))).await);
            let path = format!("/v1/merchants/{}", stage.merchant_id());
            changes[place].push(timed(stage.patch(&path, json!({ "name": format!("Name {round}") }))).await);
        }
    }
    for (what, times) in [("a signed order", orders), ("a change of one merchant", changes)] {
        let [at_few, at_many] = times.map(median);
        eprintln!("{what}: {at_few:?} among 10 merchants, {at_many:?} among {MANY}");
        assert!(at_many < at_few * SLACK, "{what}: {at_many:?} among many, {at_few:?} among few");
    }
    few.strike().await;
    many.strike().await;
}
