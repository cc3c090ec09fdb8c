//! Orders, found and whole.

use std::time::Duration;

use gateway::console::rows;
use gateway::directory::operators::Role;
use gateway::entity::order;
use gateway::ledger::insert_rows;
use gateway::orders::search;
use sandbox::Operation;
use sea_orm::{ConnectionTrait, QueryOrder, QuerySelect, QueryTrait};
use serde_json::{Value, json};
use shared::filter::Filter;
use shared::ops::{EntryBytes, OrderWhole};

use crate::harness::people::OTHER_PLATFORM;
use crate::harness::{ACCOUNT_KEY, Backend, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};
use crate::on_both;
use crate::operating::{Ops, someone};

/// The numbers that a filter finds, percent-encoded for its URL.
async fn found(ops: &Ops, token: &str, filter: &str) -> Vec<String> {
    let query: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let reply = ops.get(&format!("/ops/v1/orders?filter={query}"), token).await;
    assert_eq!(reply.status, 200, "{filter}: {}", reply.text());
    numbers(&reply.json())
}

fn numbers(page: &Value) -> Vec<String> {
    let rows = page["data"].as_array().expect("a list");
    rows.iter().map(|row| row["number"].as_str().expect("text").to_owned()).collect()
}

on_both!(a_filter_finds_what_it_says_and_a_row_matches_what_finds_it, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    stage.create(&stage.neighbours_order("n0")).await;
    stage.advance(Duration::from_hours(3));
    let token = ops.login("anna").await;
    stage.open("p1").await;
    let mut yen = stage.order("yen");
    yen.body["storeNo"] = json!(crate::harness::JPY_STORE);
    yen.body["wallet"] = json!("Wechat");
    yen.body["currency"] = json!("JPY");
    yen.body["orderAmount"] = json!(300);
    yen.body["orderTitle"] = json!("100% 拉麵");
    assert_eq!(stage.create(&yen).await.code, 1);
    stage.pay_one_order("p3").await;
    let merchant = format!("merchant:{PARTNER_NO}");
    let platform = format!("platform:{PLATFORM}");
    let store = format!("store:{HKD_STORE} {merchant}");
    let cases: [(&str, &[&str]); 14] = [
        ("", &["p3", "yen", "p1", "n0"]),
        ("status:paid", &["p3"]),
        ("status:paid status:awaiting", &["p3", "yen", "p1", "n0"]),
        (&merchant, &["p3", "yen", "p1"]),
        (&store, &["p3", "p1"]),
        (&platform, &["p3", "yen", "p1", "n0"]),
        ("platform:nobody", &[]),
        ("wallet:wechat", &["yen"]),
        ("currency:HKD currency:JPY since:1h", &["p3", "yen", "p1"]),
        ("before:2h", &["n0"]),
        ("amount>=301 since:1h", &["p3", "p1"]),
        ("amount<301", &["yen"]),
        ("\"拉麵\"", &["yen"]),
        ("\"P\" status:awaiting", &["p1"]),
    ];
    for (filter, expected) in cases {
        assert_eq!(found(&ops, &token, filter).await, expected, "{filter}");
        // The stream lets through the same.
        let (parsed, now) = (Filter::parse(filter).expect("it is read"), stage.app().clock.now_ms());
        let mut matching: Vec<String> = Vec::new();
        for row in stage.rows().await {
            let row = rows::order(stage.app(), &row);
            if search::matches(&parsed, &row, now) {
                matching.push(row.number);
            }
        }
        matching.sort_unstable();
        let mut expected: Vec<_> = expected.iter().map(|number| (*number).to_owned()).collect();
        expected.sort_unstable();
        assert_eq!(matching, expected, "{filter}");
    }
    let wrong = ops.get("/ops/v1/orders?filter=status:payed", &token).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("at 8: expected"), "{}", wrong.text());

    let mut walked = Vec::new();
    let mut path = "/ops/v1/orders?limit=1".to_owned();
    loop {
        let page = ops.get(&path, &token).await;
        walked.extend(numbers(&page.json()));
        let Some(link) = page.header("link") else { break };
        path = link.trim_start_matches('<').split('>').next().expect("a link").to_owned();
    }
    assert_eq!(walked, ["p3", "yen", "p1", "n0"]);
});

on_both!(any_number_leads_to_its_order, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    someone(stage, "bound", Role::Viewer, Some(OTHER_PLATFORM)).await;
    let (anna, bound) = (ops.login("anna").await, ops.login("bound").await);
    stage.pay_one_order("p1").await;
    let path = format!("/v1/orders/p1/refunds?merchant={}", stage.merchant_id());
    let refund = stage.post(&path, json!({ "refundNo": "r1", "amount": 100 })).await.json();
    let row = stage.row("p1").await;
    let event = stage.events(&row.id).await.remove(0).id;
    let delivery = stage.deliveries(&row.id).await.remove(0).id;
    let upstream = row.upstream_order_no.clone().expect("it was paid");
    assert!(refund["refundNo"].is_string(), "{refund}");
    for number in ["p1", "r1", &row.id, &row.submission_id, &upstream, &event, &delivery] {
        let reply = ops.get(&format!("/ops/v1/find?number={number}"), &anna).await;
        assert_eq!(numbers(&reply.json()), ["p1"], "{number}");
        let other = ops.get(&format!("/ops/v1/find?number={number}"), &bound).await;
        assert_eq!(numbers(&other.json()), Vec::<String>::new(), "{number}");
    }
    assert_eq!(numbers(&ops.get("/ops/v1/find?number=p2", &anna).await.json()), Vec::<String>::new());
    assert_eq!(ops.get(&format!("/ops/v1/orders/{}", row.id), &bound).await.status, 404);
    assert_eq!(numbers(&ops.get("/ops/v1/orders", &bound).await.json()), Vec::<String>::new());
});

on_both!(an_order_is_seen_with_all_that_happened_and_where_it_stands, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    let token = ops.login("anna").await;
    stage.shop().answer(500, "out of stock 无货");
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let id = stage.row("p1").await.id;
    let whole = ops.get(&format!("/ops/v1/orders/{id}"), &token).await;
    let whole: OrderWhole = serde_json::from_slice(&whole.body).expect("the console's shape");
    assert!(whole.stands.contains("the shop answered 500 once, next try in"), "{}", whole.stands);
    assert!(whole.stands.starts_with("paid "), "{}", whole.stands);
    assert_eq!((whole.submissions.len(), whole.deliveries.len()), (1, 1));
    let attempt = &whole.deliveries[0].attempts[0];
    assert_eq!((attempt.status, attempt.excerpt.as_deref()), (Some(500), Some("out of stock 无货")));
    let kinds: Vec<&str> = whole.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["placed", "answer", "notice", "attempt"]);
    assert!(whole.timeline[3].text.contains("refused (500)"), "{}", whole.timeline[3].text);
    assert_eq!(whole.sent_number, stage.row("p1").await.submission_id);

    stage.shop().answer(200, "success");
    stage.advance(Duration::from_mins(5));
    stage.deliver_due().await;
    let whole = ops.get(&format!("/ops/v1/orders/{id}"), &token).await.json();
    let stands = whole["stands"].as_str().expect("a sentence");
    assert!(stands.contains("; the shop was told "), "{stands}");
});

on_both!(the_bytes_of_an_entry_are_read_on_record_and_hold_no_key, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "ben", Role::Viewer, None).await;
    someone(stage, "bound", Role::Viewer, Some(OTHER_PLATFORM)).await;
    someone(stage, "anna", Role::Admin, None).await;
    let (ben, bound, anna) = (ops.login("ben").await, ops.login("bound").await, ops.login("anna").await);
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    stage.open("p2").await;
    let (id, other) = (stage.row("p1").await.id, stage.row("p2").await.id);
    let whole = ops.get(&format!("/ops/v1/orders/{id}"), &ben).await;
    let whole: OrderWhole = serde_json::from_slice(&whole.body).expect("the console's shape");
    let kept: Vec<_> = whole.timeline.iter().map(|one| (one.kind.as_str(), one.has_bytes)).collect();
    assert_eq!(kept, [("placed", true), ("answer", true), ("notice", true), ("attempt", false)]);
    assert!(whole.timeline[3].id.is_none(), "an attempt is with its delivery");

    let mut read = Vec::new();
    for (entry, said) in whole.timeline.iter().zip(["\"partnerOrderNo\":\"p1\"", "payUrl", "payTime"]) {
        let entry_id = entry.id.clone().expect("it has one");
        let path = format!("/ops/v1/orders/{id}/entries/{entry_id}");
        assert_eq!(ops.get(&path, &bound).await.status, 404);
        let elsewhere = format!("/ops/v1/orders/{other}/entries/{entry_id}");
        assert_eq!(ops.get(&elsewhere, &anna).await.status, 404, "of another order");
        let bytes = ops.get(&path, &ben).await;
        let bytes: EntryBytes = serde_json::from_slice(&bytes.body).expect("the console's shape");
        assert_eq!((&bytes.id, &bytes.kind, bytes.cut), (&entry_id, &entry.kind, false));
        let by_admin = ops.get(&path, &anna).await;
        let whole: EntryBytes = serde_json::from_slice(&by_admin.body).expect("the console's shape");
        assert_eq!(whole.size, u64::try_from(whole.text.len()).expect("a small number"));
        let names_payer = entry.kind == "notice";
        assert_eq!((bytes.payer_withheld, whole.payer_withheld), (names_payer, false));
        assert_eq!(bytes.text == whole.text, !names_payer, "a viewer sees all but who paid");
        assert!(bytes.text.contains(said), "{}: {}", entry.kind, bytes.text);
        for secret in ["signature", MERCHANT_KEY, ACCOUNT_KEY] {
            assert!(!bytes.text.contains(secret), "{secret} in {}", bytes.text);
        }
        read.splice(0..0, [entry_id.clone(), entry_id]);
    }
    let nobodys = format!("/ops/v1/orders/{id}/entries/01KXVZ5B8M3Q0V6T9YJ2C4E7GH");
    assert_eq!(ops.get(&nobodys, &anna).await.status, 404);
    let log = ops.get("/ops/v1/audit", &anna).await.json();
    let acts: Vec<&Value> = log["data"].as_array().expect("a list").iter().collect();
    let acts = acts.into_iter().filter(|act| act["action"] == "journal.raw_read");
    let acts: Vec<_> = acts.map(|act| (act["subjectId"].as_str(), &act["after"]["orderId"])).collect();
    let order_id = json!(id);
    let expected: Vec<_> = read.iter().map(|entry| (Some(entry.as_str()), &order_id)).collect();
    assert_eq!(acts, expected, "what was shown, and nothing else");
});

on_both!(an_operator_asks_scanforpay_and_that_is_on_record, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "clerk", Role::Operator, None).await;
    someone(stage, "viewer", Role::Viewer, None).await;
    let (clerk, viewer) = (ops.login("clerk").await, ops.login("viewer").await);
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let path = format!("/ops/v1/orders/{}/query", stage.row("p1").await.id);
    let because = json!({ "reason": "the payer called" });
    assert_eq!(ops.post(&path, &viewer, because.clone()).await.status, 403);
    let asked = ops.post(&path, &clerk, because.clone()).await;
    assert_eq!(asked.json()["order"]["status"], json!("paid"), "{}", asked.text());
    someone(stage, "anna", Role::Admin, None).await;
    let audit = ops.get("/ops/v1/audit", &ops.login("anna").await).await;
    assert!(audit.text().contains("order.queried") && audit.text().contains("the payer called"));
    stage.open("p2").await;
    stage.advance(Duration::from_mins(1));
    stage.fault(Operation::Query, sandbox::Fault::HttpStatus { status: 502, took_effect: false });
    let path = format!("/ops/v1/orders/{}/query", stage.row("p2").await.id);
    let unheard = ops.post(&path, &clerk, because).await;
    assert_eq!((unheard.status, &unheard.json()["code"]), (409, &json!("no_answer")));
});

on_both!(no_page_reads_what_it_does_not_show, async |stage: &mut Stage| {
    stage.open("p1").await;
    let sample = stage.row("p1").await;
    let rows: Vec<order::Model> = (0..1_400_i64)
        .map(|n| {
            let at = sample.created_at - 10_000 + n;
            order::Model {
                id: ulid::Ulid::from_parts(u64::try_from(at).expect("after 1970"), 7).to_string(),
                number: format!("n{n:06}"),
                created_at: at,
                status: if n % 200 == 0 { "unknown".into() } else { "paid".into() },
                paid: if n % 200 == 0 { 0 } else { sample.amount },
                ..sample.clone()
            }
        })
        .collect();
    for rows in rows.chunks(700) {
        stage.write(vec![insert_rows::<order::Entity>(rows)]).await;
    }
    if stage.world.backend == Backend::Postgres {
        return; // its planner reads small tables whole, whatever indexes there are
    }
    let read = &stage.app().store.read;
    for (filter, index) in [
        ("", "sqlite_autoindex_orders"),
        ("status:unknown", "orders_unknown"),
        ("since:1h", "sqlite_autoindex_orders"),
    ] {
        let filter = Filter::parse(filter).expect("it is read");
        let list = search::indexed(&search::Whose::default(), &filter, None, stage.app().clock.now_ms());
        let list = list.order_by_desc(order::Column::Id).limit(21);
        let mut statement = list.build(read.get_database_backend());
        let sql = statement.sql.clone();
        statement.sql = format!("EXPLAIN QUERY PLAN {sql}");
        let rows = read.query_all_raw(statement).await.expect("it explains");
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("", "detail").expect("text")).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}\n{sql}");
    }
});
