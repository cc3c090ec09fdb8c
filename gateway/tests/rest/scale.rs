//! Ten thousand merchants: an order and a change of one of them concern that one alone. What they cost beside ten
//! merchants is measured by `bench` (`--merchants`).

use gateway::entity::directory_change;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};

use crate::harness::{Backend, Stage};

const MANY: usize = 10_000;
/// Rows of one onboarding.
const ROWS: usize = 1000;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn among_ten_thousand_merchants_a_change_has_one_of_them_read_again() {
    let stage = Stage::set(Backend::Sqlite).await;
    for start in (1..MANY).step_by(ROWS) {
        onboard(&stage, start..(start + ROWS).min(MANY)).await;
    }
    stage.open("p1").await;
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    assert_eq!(stage.patch(&path, json!({ "name": "Another name" })).await.status, 200);

    let changes = directory_change::Entity::find()
        .order_by_desc(directory_change::Column::Version)
        .all(&stage.app().store.read)
        .await
        .expect("the store is read");
    let latest = changes[0].version;
    let of_latest: Vec<_> = changes.into_iter().filter(|change| change.version == latest).collect();
    let [change] = &of_latest[..] else { panic!("one is read again, not {of_latest:?}") };
    assert_eq!((change.kind.as_str(), change.id.as_str()), ("merchant", stage.merchant_id().as_str()));
    stage.open("p2").await;
    stage.strike().await;
}
