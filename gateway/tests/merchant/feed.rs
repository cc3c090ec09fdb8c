//! `GET /v1/events`: all that was told, in the order in which it was written, without a gap.

use gateway::entity::{event, merchant};
use gateway::ledger::{Lane, insert_rows};
use sandbox::Twist;
use sea_orm::EntityTrait;
use serde_json::{Value, json};

use super::orders::own_key;
use crate::harness::Stage;
use crate::harness::side::Side;
use crate::on_both;

fn told(feed: &Value) -> Vec<(&str, &str)> {
    let rows = feed["data"].as_array().unwrap_or_else(|| panic!("a list, and no {feed}")).iter();
    rows.map(|row| (row["type"].as_str().expect("text"), row["order"]["number"].as_str().unwrap_or_default()))
        .collect()
}

/// So many events, in as many pages as it takes: what was just committed may have to wait for transactions that others
/// have under way on the same server. And where to go on.
async fn fetch(stage: &Stage, key: &str, query: &str, count: usize) -> (Vec<(String, String)>, String) {
    let (mut all, mut query) = (Vec::new(), query.to_owned());
    loop {
        let page = stage.get_as(key, &format!("/v1/events?wait=20&limit=1&{query}")).await.json();
        all.extend(told(&page).into_iter().map(|(kind, number)| (kind.to_owned(), number.to_owned())));
        let next = next(&page).to_owned();
        if all.len() >= count {
            return (all, next);
        }
        query = format!("cursor={next}");
    }
}

fn events<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(kind, number)| (kind.to_owned(), number.to_owned())).to_vec()
}

fn next(feed: &Value) -> &str {
    feed["next"].as_str().expect("there always is one")
}

on_both!(a_feed_goes_on_where_it_was_left_and_shows_each_event_once, async |stage: &mut Stage| {
    let (_, own) = stage.api_key(&["events:read"], Some(&stage.merchant_id())).await;
    for number in ["p1", "p2", "p3"] {
        stage.pay_one_order(number).await;
    }
    let paid = ["p1", "p2", "p3"].map(|number| ("order.paid", number));
    let (all, end) = fetch(stage, &own, "from=oldest", 3).await;
    assert_eq!(all, events(paid));
    let first = stage.get_as(&own, "/v1/events?limit=2").await.json();
    assert_eq!((told(&first), &first["more"]), (paid[..2].to_vec(), &json!(true)));
    let second = stage.get_as(&own, &format!("/v1/events?limit=2&cursor={}", next(&first))).await.json();
    assert_eq!((told(&second), &second["more"]), (paid[2..].to_vec(), &json!(false)));
    let third = stage.get_as(&own, &format!("/v1/events?cursor={}", next(&second))).await.json();
    assert_eq!((told(&third), next(&third)), (vec![], end.as_str()), "kept for later");
    stage.pay_one_order("p4").await;
    assert_eq!(fetch(stage, &own, &format!("cursor={end}"), 1).await.0, events([("order.paid", "p4")]));
});

on_both!(a_feed_from_now_tells_what_comes_and_a_wait_ends_with_it, async |stage: &mut Stage| {
    let (_, own) = stage.api_key(&["events:read"], Some(&stage.merchant_id())).await;
    stage.pay_one_order("p1").await;
    let (_, end) = fetch(stage, &own, "from=oldest", 1).await;
    let now = stage.get_as(&own, "/v1/events?from=now").await.json();
    assert_eq!((told(&now), next(&now)), (vec![], end.as_str()));
    stage.open("p2").await;
    let number = stage.submission_no("p2").await;
    let query = format!("cursor={end}");
    let (waited, ()) = tokio::join!(fetch(stage, &own, &query, 1), async {
        stage.pay(&number);
        stage.notify(&number).await;
    });
    assert_eq!(waited.0, events([("order.paid", "p2")]));
});

on_both!(a_merchant_gets_its_own_and_a_platform_gets_all_of_its_keys_mode, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let merchant = stage.merchant_id();
    let (_, own) = stage.api_key(&["events:read"], Some(&merchant)).await;
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    stage.notify_twisted(&number, Twist::WrongAmount).await;
    stage.idle().await;
    let (held, paid) = (("fact.quarantined", "p1"), ("order.paid", "p1"));
    let platforms = stage.world.keys.test.clone();
    assert_eq!(fetch(stage, &platforms, "from=oldest", 2).await.0, events([held, paid]));
    assert_eq!(told(&stage.get_as(&own, "/v1/events").await.json()), [paid]);
    let all = stage.get("/v1/events").await.json();
    assert_eq!(told(&all), [held, paid]);
    assert_eq!(all["data"][0]["merchantId"], json!(merchant));
    assert_eq!(told(&stage.get("/v1/events?type=order.closed&type=order.paid").await.json()), [paid]);
    assert_eq!(told(&stage.get(&format!("/v1/events?merchant={merchant}")).await.json()), [held, paid]);
    for foreign in [&stage.world.keys.live, &stage.world.keys.other] {
        assert_eq!(told(&stage.get_as(foreign, "/v1/events").await.json()), []);
        let named = stage.get_as(foreign, &format!("/v1/events?merchant={merchant}")).await;
        assert_eq!(named.status, 404);
    }
});

on_both!(what_a_feed_is_asked_wrongly_is_said, async |stage: &mut Stage| {
    let own = own_key(stage).await;
    for (status, query, parameter) in [
        (422, "type=order.paid&type=order.payed", "must be one of order.paid, "),
        (422, "cursor=x", "cursor"),
        (422, "from=now&cursor=x", "from"),
        (422, "limit=101", "must be a number from 1 to 100"),
        (422, "wait=21", "must be a number from 0 to 20"),
        (422, "from=yesterday", "must be one of oldest, now"),
        (422, "merchantId=x", "which takes merchant, type, limit, cursor, from, wait"),
    ] {
        let refused = stage.get(&format!("/v1/events?{query}")).await;
        assert_eq!(refused.status, status, "{query}: {}", refused.text());
        assert!(refused.text().contains(parameter), "{query}: {}", refused.text());
    }
    assert_eq!(stage.get_as(&own, "/v1/events").await.status, 403, "this key may not read events");
});

on_both!(a_feed_goes_on_in_a_cluster_whose_transactions_begin_anew, async |stage: &mut Stage| {
    if stage.app().store.path.is_some() {
        return; // a file numbers its own
    }
    for number in ["p1", "p2"] {
        stage.pay_one_order(number).await;
    }
    let key = stage.world.keys.test.clone();
    // As a dump from a cluster that had counted further.
    let mut other = Side::open(stage).await;
    other.run("", "UPDATE events SET position = position + 5000000000").await;
    stage.restart().await;
    let (before, cursor) = fetch(stage, &key, "from=oldest", 2).await;
    assert_eq!(before, events([("order.paid", "p1"), ("order.paid", "p2")]), "what came with it");
    stage.pay_one_order("p3").await;
    let (after, end) = fetch(stage, &key, &format!("cursor={cursor}"), 1).await;
    assert_eq!(after, events([("order.paid", "p3")]));
    stage.restart().await;
    stage.pay_one_order("p4").await;
    assert_eq!(fetch(stage, &key, &format!("cursor={end}"), 1).await.0, events([("order.paid", "p4")]));
});

on_both!(a_cursor_of_what_a_restored_backup_does_not_have_is_refused, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let key = stage.world.keys.test.clone();
    let (_, cursor) = fetch(stage, &key, "from=oldest", 1).await;
    assert_eq!(stage.get(&format!("/v1/events?cursor={cursor}")).await.status, 200);
    let mut other = Side::open(stage).await;
    let lost = "UPDATE events SET position = position - 1";
    other.run(lost, lost).await;
    let refused = stage.get(&format!("/v1/events?cursor={cursor}")).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("a backup was restored since"), "{}", refused.text());
});

on_both!(
    what_is_told_of_a_merchant_that_this_node_has_not_loaded_yet_is_not_passed_over,
    async |stage: &mut Stage| {
        stage.pay_one_order("p1").await;
        let key = stage.world.keys.test.clone();
        let (_, cursor) = fetch(stage, &key, "from=oldest", 1).await;
        // Another node has onboarded it, and its first order was paid there.
        let known = merchant::Entity::find_by_id(stage.merchant_id()).one(&stage.app().store.read).await;
        let known = known.expect("the store is read").expect("it is there");
        let row = stage.row("p1").await;
        let event = stage.events(&row.id).await.remove(0);
        let new = merchant::Model {
            id: stage.app().chance.id(),
            partner_no: "NEW".to_owned(),
            reference: None,
            ..known
        };
        let first = event::Model {
            id: stage.app().chance.id(),
            merchant_id: new.id.clone(),
            subject_id: "subject".to_owned(),
            ..event
        };
        let room = stage.app().ledger.room(Lane::Bulk, "another node").expect("there is room");
        let rows = vec![insert_rows::<merchant::Entity>(&[new]), insert_rows::<event::Entity>(&[first])];
        room.rows(rows).await.expect("they are written");
        let (after, _) = fetch(stage, &key, &format!("cursor={cursor}"), 1).await;
        assert_eq!(after, events([("order.paid", "p1")]), "the content is the other's");
    }
);

on_both!(an_event_of_a_longer_transaction_is_not_passed_over, async |stage: &mut Stage| {
    if stage.app().store.path.is_some() {
        return; // one writer: whatever was begun earlier is written earlier
    }
    stage.pay_one_order("p1").await;
    // A transaction of another gateway that takes its number first, and its time.
    let mut other = Side::open(stage).await;
    let late = "INSERT INTO events SELECT left(id, 25) || CASE right(id, 1) WHEN 'Z' THEN 'Y' ELSE 'Z' END, 'subject', \
                merchant_id, kind, move, sequence, replace(content, '\"p1\"', '\"late\"'), created_at, platform_id, \
                audience, pg_current_xact_id()::text::bigint + (SELECT base FROM event_numbers) FROM events";
    other.run("", "BEGIN").await;
    other.run("", late).await;
    stage.pay_one_order("p2").await;
    let key = stage.world.keys.test.clone();
    let (before, cursor) = fetch(stage, &key, "from=oldest", 1).await;
    assert_eq!(before, events([("order.paid", "p1")]));
    let held_back = stage.get(&format!("/v1/events?cursor={cursor}")).await.json();
    assert_eq!(told(&held_back), [], "p2 may not be told before what was begun earlier");
    other.run("", "COMMIT").await;
    let (after, _) = fetch(stage, &key, &format!("cursor={cursor}"), 2).await;
    assert_eq!(after, events([("order.paid", "late"), ("order.paid", "p2")]));
});
