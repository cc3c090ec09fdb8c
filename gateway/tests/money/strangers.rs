//! Strangers, and what callers who have proven themselves are told.

use std::time::Duration;

use serde_json::{Value, json};
use shared::envelope::{Side, request_header, rfc3339, seal};

use crate::harness::merchant::{create, post, signed};
use crate::harness::people::{NEIGHBOUR_KEY, NEIGHBOUR_NO, OTHER_KEY, OTHER_PLATFORM};
use crate::harness::{
    ACCOUNT_KEY, Answer, MERCHANT_KEY, Order, PARTNER_NO, PLATFORM, Stage, UPSTREAM_PARTNER_NO,
};
use crate::on_both;

const PATHS: [&str; 2] = ["api/offline/qrcode", "api/common/payQuery"];

/// What anybody is told who has not proven who they are.
async fn assert_stranger(stage: &Stage, platform: &str, document: Vec<u8>, what: &str) {
    let expected = stage.create(&Order { key: "somebody's".to_owned(), ..stage.order("p1") }).await.body;
    assert_eq!(expected["code"], 8);
    assert_eq!(expected.as_object().expect("an object").len(), 2, "code and msg, nothing else: {expected}");
    for path in PATHS {
        let answer =
            post(&stage.node().url(&format!("/{platform}/{path}")), document.clone(), MERCHANT_KEY).await;
        assert_eq!((answer.status, &answer.body), (200, &expected), "{what}");
        assert!(!answer.genuine, "{what}: signed with the merchant's key");
        assert!(!answer.document.contains("p1"), "{what}: an order is named in {}", answer.document);
    }
}

on_both!(strangers_are_all_told_the_same_and_it_is_signed_with_nobodys_key, async |stage: &mut Stage| {
    stage.others_move_in().await;
    stage.open("p1").await;
    let (body, now) = (stage.order("p1").body, stage.app().clock.now());
    let good = signed(PARTNER_NO, MERCHANT_KEY, "", &body, now);
    let header = request_header(PARTNER_NO, "", now);
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let documents = [
        ("nothing", Vec::new()),
        ("not JSON", b"partnerNo=10001".to_vec()),
        ("no object", b"[]".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("no header", b"{\"request\":{},\"signature\":\"\"}".to_vec()),
        ("cut off", good.as_bytes()[..good.len() - 2].to_vec()),
        ("more behind it", format!("{good}{{}}").into_bytes()),
        ("not UTF-8", [good.as_bytes(), b"\xff"].concat()),
        ("another's key", signed(PARTNER_NO, NEIGHBOUR_KEY, "", &body, now).into_bytes()),
        ("a namesake's key", signed(PARTNER_NO, OTHER_KEY, "", &body, now).into_bytes()),
        (
            "the account's number and key",
            signed(UPSTREAM_PARTNER_NO, ACCOUNT_KEY, "", &body, now).into_bytes(),
        ),
        ("a neighbour's number", signed(NEIGHBOUR_NO, MERCHANT_KEY, "", &body, now).into_bytes()),
        ("nobody's number", signed("99999", MERCHANT_KEY, "", &body, now).into_bytes()),
        ("no number", signed("", MERCHANT_KEY, "", &body, now).into_bytes()),
        ("an endless number", signed(&"1".repeat(1000), MERCHANT_KEY, "", &body, now).into_bytes()),
        ("a changed amount", good.replace(":2100", ":2101").into_bytes()),
        ("capitals in the signature", capitals(&good).into_bytes()),
        (
            "a key twice",
            seal(Side::Request, &header, "{\"orderNo\":\"1\",\"orderNo\":\"1\"}", MERCHANT_KEY).into_bytes(),
        ),
        ("too deep", seal(Side::Request, &header, &deep, MERCHANT_KEY).into_bytes()),
        ("an answer", seal(Side::Response, &header, &body.to_string(), MERCHANT_KEY).into_bytes()),
    ];
    let before = stage.row("p1").await;
    for (what, document) in documents {
        assert_stranger(stage, PLATFORM, document, what).await;
    }
    assert_stranger(stage, "nowhere", good.clone().into_bytes(), "an unknown platform").await;
    assert_stranger(stage, OTHER_PLATFORM, good.into_bytes(), "another platform").await;
    assert_eq!(stage.row("p1").await, before);
    assert_eq!(stage.rows().await.len(), 1);
    assert_eq!((stage.creates(), stage.queries()), (1, 0));
});

/// The document with its signature in capitals, which no signer writes.
fn capitals(document: &str) -> String {
    let at = document.len() - 66;
    format!("{}{}\"}}", &document[..at], document[at..document.len() - 2].to_uppercase())
}

on_both!(a_stranger_is_answered_under_the_decoy_key_of_the_number_it_claims, async |stage: &mut Stage| {
    let now = stage.app().clock.now();
    for claimed in [PARTNER_NO, "99999"] {
        let document = signed(claimed, "somebody's", "", &stage.order("p1").body, now);
        let decoy = stage.app().pepper.decoy_key(claimed);
        let answer = post(&stage.node().url(&format!("/{PLATFORM}/{}", PATHS[0])), document, &decoy).await;
        assert!(answer.genuine, "{claimed}");
        let whole: Value = serde_json::from_str(&answer.document).expect("JSON");
        assert_eq!(whole["response"]["header"]["partnerNo"], claimed);
        assert_ne!(decoy.as_str(), MERCHANT_KEY);
    }
    assert_ne!(stage.app().pepper.decoy_key(PARTNER_NO), stage.app().pepper.decoy_key("99999"));
});

on_both!(a_verified_caller_is_told_what_is_wrong, async |stage: &mut Stage| {
    let url = stage.node().url(&format!("/{PLATFORM}/api/common/payQuery"));
    let ask = async |header: Value| -> Answer {
        let document = seal(Side::Request, &header.to_string(), "{\"orderNo\":\"1\"}", MERCHANT_KEY);
        post(&url, document, MERCHANT_KEY).await
    };
    let good =
        json!({"version": "1.0", "partnerNo": PARTNER_NO, "reqTime": rfc3339(stage.app().clock.now())});
    assert_eq!(ask(good.clone()).await.code, 30);
    let wrong = [
        ("version", json!(null), 4),
        ("signType", json!("MD5"), 5),
        ("reqTime", json!(null), 4),
        ("reqTime", json!("yesterday"), 5),
        ("reqMsgId", json!("1".repeat(65)), 5),
    ];
    for (field, value, code) in wrong {
        let mut header = good.clone();
        header[field] = value;
        let answer = ask(header).await;
        assert_eq!((answer.code, answer.genuine), (code, true), "{field}: {}", answer.document);
        assert!(answer.msg().contains(field), "{}", answer.msg());
    }
});

on_both!(a_stale_request_is_refused_and_told_our_clock, async |stage: &mut Stage| {
    let now = stage.app().clock.now();
    for off in [-901, 901] {
        let order = stage.order("p1");
        let answer = create(stage.node(), &order, now + time::Duration::seconds(off)).await;
        assert_eq!((answer.code, answer.genuine), (5, true), "{}", answer.document);
        assert!(answer.msg().contains(&rfc3339(now)) && answer.msg().contains("901"), "{}", answer.msg());
    }
    assert_eq!(stage.rows().await, []);
    for (number, off) in [("slow", -900), ("fast", 900)] {
        let answer = create(stage.node(), &stage.order(number), now + time::Duration::seconds(off)).await;
        assert_eq!(answer.code, 1, "{}", answer.document);
    }
});

on_both!(freshness_is_the_merchants_own_where_it_has_one, async |stage: &mut Stage| {
    let now = stage.app().clock.now();
    let minute_old = async |stage: &Stage, number: &str| {
        create(stage.node(), &stage.order(number), now - Duration::from_mins(1)).await.code
    };
    assert_eq!(minute_old(stage, "p1").await, 1);
    stage.set_freshness_ms(30_000).await;
    assert_eq!(minute_old(stage, "p2").await, 5);
    stage.set_freshness_mode("warn").await;
    assert_eq!(minute_old(stage, "p3").await, 1, "only a warning in the log");
});

on_both!(warn_only_takes_stale_requests, [("signed.freshness_mode", "warn")], async |stage: &mut Stage| {
    let old = stage.app().clock.now() - Duration::from_hours(10_000);
    assert_eq!(create(stage.node(), &stage.order("p1"), old).await.code, 1);
    stage.set_freshness_mode("enforce").await;
    assert_eq!(create(stage.node(), &stage.order("p2"), old).await.code, 5);
});

on_both!(a_message_id_comes_again_only_with_the_same_bytes, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let order = Order { message_id: "m1".to_owned(), ..stage.order("p1") };
    let first = stage.create(&order).await;
    assert_eq!(first.code, 1);
    assert_eq!(stage.create(&order).await.body, first.body, "a client's retry, handled as usual");
    let other = Order { message_id: "m1".to_owned(), ..stage.order("p2") };
    let refused = stage.create(&other).await;
    assert_eq!((refused.code, refused.genuine), (5, true));
    assert!(refused.msg().contains("reqMsgId"), "{}", refused.msg());
    assert_eq!(stage.rows().await.len(), 1);

    // Ids are each merchant's own, and without one there is nothing to compare.
    let neighbours = Order { message_id: "m1".to_owned(), ..stage.neighbours_order("p2") };
    assert_eq!(stage.create(&neighbours).await.code, 1);
    for number in ["p3", "p4"] {
        assert_eq!(stage.open(number).await.code, 1);
    }
    assert_eq!(stage.creates(), 4);
});
