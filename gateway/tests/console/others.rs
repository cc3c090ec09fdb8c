//! Deliveries made again, merchants, the overview and a session that goes on.

use std::time::Duration;

use gateway::deliveries::replay::run::Runner;
use gateway::directory::operators::Role;
use gateway::directory::tokens::LIFETIME;
use http::Method;
use serde_json::{Value, json};
use shared::ops::{Delivery, MerchantWhole, Overview, Replay, ReplayState, RotatedKey};

use crate::harness::Stage;
use crate::harness::people::OTHER_PLATFORM;
use crate::harness::receiver::Receiver;
use crate::harness::side::Side;
use crate::on_both;
use crate::operating::{Ops, someone};

on_both!(an_operator_makes_an_orders_deliveries_again, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "clerk", Role::Operator, None).await;
    someone(stage, "bound", Role::Operator, Some(OTHER_PLATFORM)).await;
    let (clerk, bound) = (ops.login("clerk").await, ops.login("bound").await);
    let receiver = Receiver::open().await;
    stage.endpoint_at(&receiver, json!({})).await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let order = stage.row("p1").await.id;
    let wanted = json!({ "orderId": order, "reason": "the shop lost its books" });
    let theirs = ops.post("/ops/v1/replays", &bound, wanted.clone()).await;
    assert_eq!(theirs.json()["total"], json!(0), "{}", theirs.text());
    let made = ops.post("/ops/v1/replays", &clerk, wanted).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let replay: Replay = serde_json::from_slice(&made.body).expect("the console's shape");
    assert_eq!(
        (replay.state, replay.total, replay.asked_by.as_str()),
        (ReplayState::Preview, 2, "operator:clerk")
    );
    let path = format!("/ops/v1/replays/{}", replay.id);
    assert_eq!(ops.get(&path, &bound).await.status, 404);
    assert_eq!(ops.post(&format!("{path}/start"), &clerk, json!({ "total": 1 })).await.status, 409);
    let paced = ops.call(Method::PATCH, &path, Some(&clerk), json!({ "rate": 9 })).await;
    assert_eq!(paced.json()["rate"], json!(9));
    assert_eq!(ops.post(&format!("{path}/start"), &clerk, json!({ "total": 2 })).await.status, 200);
    let mut runner = Runner::new(stage.app().clone());
    runner.step().await.expect("it goes on");
    stage.deliver_due().await;
    runner.step().await.expect("it goes on");
    let done = ops.get(&path, &clerk).await.json();
    assert_eq!((&done["state"], &done["delivered"]), (&json!("done"), &json!(2)));
    assert_eq!(receiver.events().len(), 2);
    let list = ops.get("/ops/v1/replays", &clerk).await.json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 2);
    let page = ops.get("/ops/v1/deliveries?state=delivered", &clerk).await.json();
    let rows: Vec<Delivery> = serde_json::from_value(page["data"].clone()).expect("the console's shape");
    assert_eq!(rows.len(), 4);
    let one = ops.get(&format!("/ops/v1/deliveries/{}", rows[0].id), &clerk).await;
    let one: Delivery = serde_json::from_slice(&one.body).expect("the console's shape");
    assert_eq!((one.attempts.len(), one.replay_id), (1, Some(replay.id)));
    assert_eq!(ops.get(&format!("/ops/v1/deliveries/{}", rows[0].id), &bound).await.status, 404);
    someone(stage, "anna", Role::Admin, None).await;
    let audit = ops.get("/ops/v1/audit", &ops.login("anna").await).await;
    for action in ["replay.previewed", "replay.paced", "replay.started"] {
        assert!(audit.text().contains(action), "{action}");
    }
});

on_both!(a_merchant_is_seen_whole_suspended_and_resumed, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "clerk", Role::Operator, None).await;
    someone(stage, "bound", Role::Operator, Some(OTHER_PLATFORM)).await;
    let (clerk, bound) = (ops.login("clerk").await, ops.login("bound").await);
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let id = stage.merchant_id();
    let path = format!("/ops/v1/merchants/{id}");
    let whole = ops.get(&path, &clerk).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let whole: MerchantWhole = serde_json::from_slice(&whole.body).expect("the console's shape");
    assert_eq!((whole.stores.len(), whole.keys.len(), whole.endpoints.len()), (2, 1, 1));
    assert_eq!((whole.service.acknowledged, whole.merchant.suspended), (1, false));
    for secret in [crate::harness::MERCHANT_KEY, crate::harness::ACCOUNT_KEY] {
        assert!(!serde_json::to_string(&whole).expect("JSON").contains(secret));
    }
    assert_eq!(ops.get(&path, &bound).await.status, 404);
    let because = json!({ "reason": "its owner asked" });
    let in_use = whole.limit_use.expect("it has a limit");
    assert!(in_use.used > 0 && in_use.used < in_use.limit.count && in_use.refused == 0, "{in_use:?}");
    let stores: Vec<u32> =
        whole.stores.iter().map(|store| store.limit_use.as_ref().expect("it has one").used).collect();
    assert_eq!(stores.iter().filter(|used| **used > 0).count(), 1, "one order was placed: {stores:?}");
    assert_eq!(ops.post(&format!("{path}/suspend"), &bound, because.clone()).await.status, 404);
    let suspended = ops.post(&format!("{path}/suspend"), &clerk, because.clone()).await;
    assert_eq!(suspended.json()["merchant"]["suspended"], json!(true), "{}", suspended.text());
    assert_ne!(stage.create(&stage.order("p2")).await.code, 1);
    let resumed = ops.post(&format!("{path}/resume"), &clerk, because).await;
    assert_eq!(resumed.json()["merchant"]["suspended"], json!(false));
    assert_eq!(stage.create(&stage.order("p3")).await.code, 1);
    let partner_no = crate::harness::PARTNER_NO;
    let limit = json!({ "limit": { "count": 1, "window": "1h" } });
    assert_eq!(stage.patch(&format!("/v1/merchants/{id}"), limit).await.status, 200);
    assert_eq!(stage.create(&stage.order("p4")).await.code, 1);
    assert_eq!(stage.create(&stage.order("p5")).await.code, 9);
    let whole = ops.get(&path, &clerk).await;
    let whole: MerchantWhole = serde_json::from_slice(&whole.body).expect("the console's shape");
    let in_use = whole.limit_use.expect("it has a limit");
    assert_eq!((in_use.limit.count, in_use.used, in_use.refused), (1, 1, 1));
    let found = ops.get(&format!("/ops/v1/merchants?q={partner_no}"), &clerk).await.json();
    let rows = found["data"].as_array().expect("a list");
    assert!(rows.iter().any(|row| row["id"] == json!(id)), "{found}");
    assert_eq!(ops.get("/ops/v1/merchants?q=nobody", &clerk).await.json()["data"], json!([]));
});

on_both!(an_admin_rotates_a_merchants_key_and_the_shop_changes_over, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "clerk", Role::Operator, None).await;
    someone(stage, "bound", Role::Admin, Some(OTHER_PLATFORM)).await;
    someone(stage, "anna", Role::Admin, None).await;
    let (clerk, bound, anna) = (ops.login("clerk").await, ops.login("bound").await, ops.login("anna").await);
    let path = format!("/ops/v1/merchants/{}/sign-keys", stage.merchant_id());
    let wanted = json!({ "reason": "the shop lost it", "previousForHours": 2 });
    assert_eq!(ops.post(&path, &clerk, wanted.clone()).await.status, 403);
    assert_eq!(ops.post(&path, &bound, wanted.clone()).await.status, 404);
    assert_eq!(ops.post(&path, &anna, json!({ "previousForHours": 2 })).await.status, 422, "no reason");
    let made = ops.post(&path, &anna, wanted.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made: RotatedKey = serde_json::from_slice(&made.body).expect("the console's shape");
    assert_eq!((made.sign_key.len(), made.partner_no.as_str()), (64, crate::harness::PARTNER_NO));
    assert!(!format!("{made:?}").contains(&made.sign_key));

    let order = |number: &str, key: &str| {
        let mut order = stage.order(number);
        key.clone_into(&mut order.key);
        order
    };
    let places = async |number: &str, key: &str| stage.create(&order(number, key)).await.code;
    let before = crate::harness::MERCHANT_KEY;
    assert_eq!((places("p1", &made.sign_key).await, places("p2", before).await), (1, 1), "both are good");
    let again = ops.post(&path, &anna, wanted).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("earlier_version_good")));
    assert!(!again.text().contains(&made.sign_key) && places("p3", before).await == 1, "nothing has changed");
    let ends = json!({ "reason": "the shop was broken into", "previousForHours": 0, "endEarlier": true });
    let last = ops.post(&path, &anna, ends).await;
    let last: RotatedKey = serde_json::from_slice(&last.body).expect("the console's shape");
    for (key, code) in [(before, 8), (made.sign_key.as_str(), 8), (last.sign_key.as_str(), 1)] {
        assert_eq!(places("p4", key).await, code);
    }
    let whole = ops.get(&format!("/ops/v1/merchants/{}", stage.merchant_id()), &anna).await;
    let audit = ops.get("/ops/v1/audit", &anna).await;
    assert!(audit.text().contains("merchant.sign_key_rotated") && audit.text().contains("the shop lost it"));
    let stored = Side::open(stage).await.everything().await;
    assert!(stored.contains("the shop was broken into"), "the tables were read");
    for secret in [before, &made.sign_key, &last.sign_key] {
        assert!(!stored.contains(secret));
        assert!(!audit.text().contains(secret) && !whole.text().contains(secret));
    }
});

on_both!(the_overview_counts_what_passes, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    someone(stage, "bound", Role::Viewer, Some(crate::harness::PLATFORM)).await;
    let (anna, bound) = (ops.login("anna").await, ops.login("bound").await);
    stage.open("p1").await;
    stage.advance(Duration::from_mins(2));
    stage.pay_one_order("p2").await;
    stage.deliver_due().await;
    for (span, steps) in [("1h", 60), ("24h", 96)] {
        let reply = ops.get(&format!("/ops/v1/overview?span={span}"), &anna).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let overview: Overview = serde_json::from_slice(&reply.body).expect("the console's shape");
        let [hkd] = overview.currencies.as_slice() else { panic!("one currency: {overview:?}") };
        assert_eq!((hkd.placed.len(), hkd.placed.iter().sum::<u64>()), (steps, 2));
        assert_eq!((hkd.paid.iter().sum::<u64>(), hkd.paid_amount.iter().sum::<i64>()), (1, 2100));
        if span == "1h" {
            assert_eq!((hkd.placed[57], hkd.placed[59], hkd.paid[59]), (1, 1, 1));
        }
        assert_eq!((overview.wallets.len(), overview.wallets[0].paid), (1, 1));
        assert!(overview.upstream.iter().any(|point| point.p50_ms.is_some()));
        assert_eq!(overview.upstream.len(), steps);
    }
    assert_eq!(ops.get("/ops/v1/overview", &bound).await.status, 403, "it is about all platforms");
});

on_both!(a_session_goes_on_for_hours_and_no_longer, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Viewer, None).await;
    let mut token = ops.login("anna").await;
    let mut renewed = 0;
    loop {
        stage.advance(Duration::from_mins(14));
        let reply = ops.post("/ops/v1/renew", &token, Value::Null).await;
        if reply.status != 200 {
            assert_eq!((reply.status, &reply.json()["code"]), (409, &json!("session_over")));
            break;
        }
        token = reply.json()["token"].as_str().expect("a token").to_owned();
        assert_eq!(ops.get("/ops/v1/me", &token).await.status, 200);
        renewed += 1;
    }
    assert_eq!(renewed, 51, "fourteen minutes each, for twelve hours");
    stage.advance(LIFETIME);
    assert_eq!(ops.post("/ops/v1/renew", &token, Value::Null).await.status, 401, "it has ended");
});
