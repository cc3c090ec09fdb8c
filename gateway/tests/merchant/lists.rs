//! Lists of orders: what each filter lets through, pages, and that the last row is found as quickly as the first.

use gateway::entity::{event, order};
use gateway::ledger::{RowStatement, insert_rows};
use gateway::orders::list::{Filter, SCANNED, of_few, plain};
use sea_orm::{ConnectionTrait, QueryTrait, Statement};
use serde_json::{Value, json};
use shared::order::OrderStatus;

use super::orders::own_key;
use crate::harness::side::Side;
use crate::harness::{Backend, Stage};
use crate::on_both;

/// Rows of one statement; a store takes only so many parameters.
const AT_ONCE: usize = 700;

/// Orders like `sample`, the oldest first, an hour before it; `change` makes each its own.
pub async fn many(
    stage: &Stage,
    sample: &order::Model,
    count: usize,
    change: impl Fn(usize, &mut order::Model),
) {
    let start = sample.created_at - 3_600_000;
    let rows: Vec<order::Model> = (0..count)
        .map(|n| {
            let at = start + i64::try_from(n).expect("small");
            let mut row = order::Model {
                id: ulid::Ulid::from_parts(u64::try_from(at).expect("after 1970"), 7).to_string(),
                number: format!("n{n:06}"),
                created_at: at,
                updated_at: at,
                ..sample.clone()
            };
            change(n, &mut row);
            row
        })
        .collect();
    for rows in rows.chunks(AT_ONCE) {
        stage.write(vec![insert_rows::<order::Entity>(rows)]).await;
    }
}

/// That each of `orders` was paid, told at its creation.
pub fn paid(orders: &[order::Model]) -> RowStatement {
    let events: Vec<event::Model> = orders
        .iter()
        .map(|order| event::Model {
            id: order.id.clone(),
            subject_id: order.id.clone(),
            merchant_id: order.merchant_id.clone(),
            kind: "order.paid".into(),
            r#move: "paid".into(),
            sequence: 1,
            content: "{}".into(),
            created_at: order.created_at,
            platform_id: order.platform_id.clone(),
            audience: event::Audience::All,
            position: 0,
        })
        .collect();
    insert_rows::<event::Entity>(&events)
}

fn numbers(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().expect("a list");
    rows.iter().map(|row| row["number"].as_str().expect("text").to_owned()).collect()
}

/// All pages of a list, and how many there were.
async fn all(stage: &Stage, key: &str, path: &str) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = stage.get_as(key, &format!("{path}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        found.extend(numbers(&page));
        pages += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("{}cursor={next}", if path.contains('?') { "&" } else { "?" }),
            None => return (found, pages),
        }
    }
}

on_both!(each_filter_lets_through_what_it_says, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let key = own_key(stage).await;
    stage.create(&stage.neighbours_order("p0")).await;
    stage.open("p1").await;
    stage.advance(std::time::Duration::from_mins(1));
    let (made, mut yen) = (stage.app().clock.now(), stage.order("q_2"));
    yen.body["storeNo"] = json!(crate::harness::JPY_STORE);
    yen.body["wallet"] = json!("Wechat");
    yen.body["currency"] = json!("JPY");
    yen.body["orderAmount"] = json!(300);
    yen.body["orderTitle"] = json!("100% Ramen");
    assert_eq!(stage.create(&yen).await.code, 1);
    stage.pay_one_order("q3").await;

    let made = shared::envelope::rfc3339(made).replace('+', "%2B");
    let cases = [
        ("", vec!["q3", "q_2", "p1"]),
        ("?status=awaiting", vec!["q_2", "p1"]),
        ("?status=paid", vec!["q3"]),
        ("?status=refunded", vec![]),
        ("?wallet=Wechat", vec!["q_2"]),
        ("?currency=HKD", vec!["q3", "p1"]),
        ("?amountFrom=301", vec!["q3", "p1"]),
        ("?amountTo=300", vec!["q_2"]),
        ("?amountFrom=300&amountTo=2100&status=awaiting", vec!["q_2", "p1"]),
        ("?prefix=q", vec!["q3", "q_2"]),
        ("?prefix=q_", vec!["q_2"]),
        ("?prefix=Q", vec![]),
        ("?prefix=q&status=paid", vec!["q3"]),
        ("?q=ramen", vec!["q_2"]),
        ("?q=100%25", vec!["q_2"]),
        ("?q=_", vec!["q_2"]),
    ];
    for (query, expected) in cases {
        assert_eq!(
            numbers(&stage.get_as(&key, &format!("/v1/orders{query}")).await.json()),
            expected,
            "{query}"
        );
    }
    for (query, expected) in [("createdFrom", vec!["q3", "q_2"]), ("createdBefore", vec!["p1"])] {
        let path = format!("/v1/orders?{query}={made}");
        assert_eq!(numbers(&stage.get_as(&key, &path).await.json()), expected, "{path}");
    }
    for wrong in ["?currency=hkd", "?createdFrom=yesterday", "?cursor=x", "?limit=0"] {
        assert_eq!(stage.get_as(&key, &format!("/v1/orders{wrong}")).await.status / 100, 4, "{wrong}");
    }
    assert_eq!(
        all(stage, &key, "/v1/orders?limit=1").await,
        (vec!["q3".into(), "q_2".into(), "p1".into()], 3)
    );
});

on_both!(a_page_looks_through_so_many_orders_and_no_more, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    stage.open("p1").await;
    let sample = stage.row("p1").await;
    let scanned = usize::try_from(SCANNED).expect("small");
    many(stage, &sample, scanned + 500, |n, row| {
        if n == 0 {
            row.amount = 7;
        }
    })
    .await;
    let first = stage.get_as(&key, "/v1/orders?amountTo=7").await.json();
    assert_eq!(numbers(&first), Vec::<String>::new());
    assert!(first["next"].is_string(), "it goes on");
    assert_eq!(all(stage, &key, "/v1/orders?amountTo=7").await, (vec!["n000000".to_owned()], 2));
    assert_eq!(all(stage, &key, "/v1/orders?prefix=n000000").await, (vec!["n000000".to_owned()], 1));
    assert_eq!(all(stage, &key, "/v1/orders?prefix=n&amountTo=7").await, (vec!["n000000".to_owned()], 2));
    let (every, _) = all(stage, &key, "/v1/orders?limit=100").await;
    assert_eq!(every.len(), scanned + 501);
});

/// How the store goes about a statement.
async fn plan(stage: &Stage, list: sea_orm::Select<order::Entity>) -> String {
    let read = &stage.app().store.read;
    let backend = read.get_database_backend();
    let mut statement: Statement = list.build(backend);
    let explain = if stage.world.backend == Backend::Sqlite { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
    statement.sql = format!("{explain} {}", statement.sql);
    let column = if stage.world.backend == Backend::Sqlite { "detail" } else { "QUERY PLAN" };
    let rows = read.query_all_raw(statement).await.expect("it explains");
    let lines = rows.iter().map(|row| row.try_get::<String>("", column).expect("text"));
    lines.collect::<Vec<_>>().join("\n")
}

on_both!(no_list_reads_what_it_does_not_show, async |stage: &mut Stage| {
    stage.open("p1").await;
    let sample = stage.row("p1").await;
    many(stage, &sample, 3_000, |n, row| {
        // Of few merchants the planner rightly takes any index.
        if n % 20 != 0 {
            row.merchant_id = format!("other-{}", n % 20);
        }
        if n % 100 == 0 {
            "closed".clone_into(&mut row.status);
        }
    })
    .await;
    Side::open(stage).await.run("ANALYZE", "ANALYZE").await;
    let merchant = stage.merchant_id();
    let backend = stage.app().store.read.get_database_backend();
    let closed = Filter { status: Some(OrderStatus::Closed), ..Filter::default() };
    let lately = Filter { created_from: Some(sample.created_at - 60_000), ..Filter::default() };
    let prefix = Filter { prefix: Some("n00012".to_owned()), ..Filter::default() };
    let reference = Filter { reference: Some("cart-7".to_owned()), ..Filter::default() };
    let twice = Filter { paid_twice: Some(true), ..Filter::default() };
    let after = Some("01KXVZ5B8M3Q0V6T9YJ2C4E7GH");
    let plans = [
        (plan(stage, plain(&merchant, &Filter::default(), 20, None)).await, "orders_merchant", false),
        (plan(stage, plain(&merchant, &Filter::default(), 20, after)).await, "orders_merchant", false),
        (plan(stage, plain(&merchant, &closed, 20, after)).await, "orders_merchant_status", false),
        (plan(stage, plain(&merchant, &lately, 20, None)).await, "orders_", false),
        (plan(stage, of_few(&merchant, &prefix, None, backend)).await, "number", true),
        (plan(stage, of_few(&merchant, &reference, None, backend)).await, "orders_reference", true),
        (plan(stage, plain(&merchant, &twice, 20, after)).await, "orders_paid_twice", false),
    ];
    for (plan, index, may_sort) in plans {
        // PostgreSQL takes by its statistics whichever index reads least.
        let index = if stage.world.backend == Backend::Sqlite { index } else { "Index Scan" };
        assert!(plan.contains(index), "{index} in {plan}");
        assert!(!plan.contains("SCAN orders") && !plan.contains("Seq Scan"), "{plan}");
        assert!(may_sort || !plan.contains("TEMP B-TREE"), "{plan}");
    }
});
