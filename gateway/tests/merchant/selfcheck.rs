//! The self-check: every fault of a shop is named, a good shop has the full score, and nothing comes of it at the
//! gateway.

use std::time::Duration;

use serde_json::{Value, json};
use shared::envelope::{Envelope, Side};

use super::faulty_shop::{Fault, FaultyShop};
use super::orders::{new_order, own_key};
use crate::harness::acts::soon;
use crate::harness::side::Side as Hand;
use crate::harness::{ACCOUNT_KEY, MERCHANT_KEY, Stage};
use crate::on_both;

const DRILLS: [&str; 11] = [
    "unsigned",
    "wrong_signature",
    "wrong_amount",
    "unpaid",
    "unknown_order",
    "get_probe",
    "paid",
    "duplicate",
    "at_once",
    "slow",
    "out_of_order",
];

async fn check(stage: &Stage, key: &str, body: Value) -> Value {
    let reply = stage.post_as(key, "/v1/selfcheck", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    for secret in [MERCHANT_KEY, ACCOUNT_KEY] {
        assert!(!reply.text().contains(secret), "{}", reply.text());
    }
    reply.json()
}

fn of<'a>(report: &'a Value, drill: &str) -> &'a Value {
    let drills = report["drills"].as_array().expect("a list");
    drills.iter().find(|finding| finding["drill"] == drill).unwrap_or_else(|| panic!("no {drill}"))
}

/// The drills with this verdict.
fn with<'a>(report: &'a Value, verdict: &str) -> Vec<&'a str> {
    let drills = report["drills"].as_array().expect("a list").iter();
    let drills = drills.filter(|finding| finding["verdict"] == verdict);
    drills.map(|finding| finding["drill"].as_str().expect("text")).collect()
}

async fn code(stage: &Stage, key: &str, path: &str, body: Value) -> (u16, String) {
    let reply = stage.post_as(key, path, body).await;
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// Fault, the drills that fail for it, those that are unclear for it, and a word of what is said about the first.
const FAULTS: [(Fault, &[&str], &[&str], &str); 13] = [
    (Fault::ComparesNoSignature, &["unsigned", "wrong_signature"], &[], "without a signature"),
    (Fault::TakesUnsigned, &["unsigned"], &[], "without a signature"),
    (Fault::ComparesNoAmount, &["wrong_amount"], &[], "another amount"),
    (Fault::TakesAnyStatus, &[], &["unpaid"], "cannot be seen from outside"),
    (Fault::TakesAnyOrder, &[], &["unknown_order"], "never told again"),
    (Fault::TakesAnyMethod, &["get_probe"], &[], "GET"),
    (Fault::RefusesRepeats, &["duplicate", "at_once", "slow", "out_of_order"], &[], "HTTP 409"),
    (Fault::FailsAtOnce, &["at_once"], &[], "HTTP 500"),
    (Fault::TakesTheFirstPiece, &["slow"], &[], "HTTP 400"),
    (Fault::LosesThePayment, &["out_of_order"], &[], "HTTP 500"),
    (
        Fault::CrashesOnBadOnes,
        &["out_of_order"],
        &["unsigned", "wrong_signature", "wrong_amount", "unpaid", "unknown_order", "get_probe"],
        "crash",
    ),
    (
        Fault::SaysMore,
        &["paid", "duplicate", "at_once", "slow", "out_of_order"],
        &DRILLS_TO_REFUSE,
        "more than",
    ),
    (
        Fault::Redirects,
        &["paid", "duplicate", "at_once", "slow", "out_of_order"],
        &DRILLS_TO_REFUSE,
        "redirect",
    ),
];

const DRILLS_TO_REFUSE: [&str; 6] =
    ["unsigned", "wrong_signature", "wrong_amount", "unpaid", "unknown_order", "get_probe"];

on_both!(
    every_fault_of_a_shop_is_named_with_its_remedy,
    [("limits.selfchecks", "1000/1s")],
    async |stage: &mut Stage| {
        let key = own_key(stage).await;
        stage.open("p1").await;
        for (fault, failed, unclear, said) in FAULTS {
            let shop = FaultyShop::open(fault, "p1", 2100).await;
            let report = check(stage, &key, json!({ "url": shop.url, "number": "p1" })).await;
            assert_eq!(with(&report, "failed"), failed, "{fault:?}: {report:#}");
            assert_eq!(with(&report, "unclear"), unclear, "{fault:?}: {report:#}");
            let lost = failed.iter().chain(unclear).map(|drill| of(&report, drill)["worth"].as_u64());
            let lost: u64 = lost.map(|worth| worth.expect("a number")).sum();
            assert_eq!(report["score"], json!(100 - lost), "{fault:?}");
            let first = of(&report, failed.first().or(unclear.first()).expect("there is one"));
            assert!(first["fault"].as_str().expect("named").contains(said), "{fault:?}: {first}");
            for drill in failed.iter().chain(unclear) {
                assert!(of(&report, drill)["remedy"].is_string(), "{fault:?}: {drill}");
            }
        }
    }
);

on_both!(
    a_shop_that_is_not_there_or_does_not_answer_has_that_said,
    [("limits.selfchecks", "1000/1s"), ("deliveries.timeout", "1s")],
    async |stage: &mut Stage| {
        let key = own_key(stage).await;
        stage.open("p1").await;
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let nobody = format!("http://{}/notify", free.expect("a port"));
        let report = check(stage, &key, json!({ "url": nobody, "number": "p1" })).await;
        assert_eq!((&report["score"], with(&report, "failed")), (&json!(0), vec!["paid"]), "{report:#}");
        assert!(of(&report, "paid")["answers"][0]["error"].as_str().expect("why").contains("no connection"));
        assert_eq!(of(&report, "duplicate")["answers"], json!([]), "it is not sent to nobody");

        let shop = FaultyShop::open(Fault::HangsUp, "p1", 2100).await;
        let report = check(stage, &key, json!({ "url": shop.url, "number": "p1" })).await;
        assert_eq!(report["score"], 0, "{report:#}");
        assert!(of(&report, "paid")["fault"].as_str().expect("named").contains("connection broke"));

        let shop = FaultyShop::open(Fault::NeverAnswers, "p1", 2100).await;
        let report = check(stage, &key, json!({ "url": shop.url, "number": "p1" })).await;
        assert_eq!(with(&report, "failed"), ["paid"], "{report:#}");
        assert!(of(&report, "paid")["fault"].as_str().expect("named").contains("no complete answer"));
    }
);

on_both!(a_good_shop_has_the_full_score_and_the_gateway_keeps_nothing_of_it, async |stage: &mut Stage| {
    let key = own_key(stage).await;
    let shop = FaultyShop::open(Fault::None, "p1", 2100).await;
    let mut order = new_order(stage, "p1");
    order["notifyUrl"] = json!(shop.url);
    assert_eq!(stage.post_as(&key, "/v1/orders", order).await.status, 201);
    // Newer, and told elsewhere.
    assert_eq!(stage.post_as(&key, "/v1/orders", new_order(stage, "p2")).await.status, 201);

    let mut hand = Hand::open(stage).await;
    let before = hand.everything().await;
    let report = check(stage, &key, json!({ "url": shop.url })).await;
    assert_eq!(with(&report, "passed"), DRILLS, "{report:#}");
    assert_eq!((&report["score"], &report["number"]), (&json!(100), &json!("p1")));
    assert_eq!((&report["url"], &report["orderStatus"]), (&json!(shop.url), &json!("awaiting")));
    assert!(of(&report, "paid")["answers"][0]["text"] == "success", "{report:#}");
    assert_eq!(hand.everything().await, before, "not a row is another");
    assert_eq!(stage.deliver_due().await, 0, "and nothing is told");

    let sent = shop.sent();
    let named = |drill: &str| sent.iter().filter(|sent| sent.drill == drill).count();
    let counts = DRILLS.map(named);
    assert_eq!(counts, [1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2], "each says which drill it is");
    let signed: Vec<&str> = sent
        .iter()
        .filter(|sent| Envelope::read(&sent.body, Side::Response).is_ok_and(|it| it.verifies(MERCHANT_KEY)))
        .map(|sent| sent.drill.as_str())
        .collect();
    assert!(!signed.contains(&"unsigned") && !signed.contains(&"wrong_signature"), "{signed:?}");
    assert_eq!(signed.len(), sent.len() - 3, "all others are signed, but for the GET");
    let id = |drill: &str| {
        let sent = sent.iter().find(|sent| sent.drill == drill).expect("it was sent");
        serde_json::from_slice::<Value>(&sent.body).expect("JSON")["response"]["header"]["respMsgId"].clone()
    };
    assert_eq!(id("paid"), id("duplicate"), "a repeat is known by its id");
    assert_ne!(id("paid"), id("unpaid"));
});

on_both!(only_a_test_merchants_own_orders_and_public_addresses_are_checked, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let key = own_key(stage).await;
    let path = "/v1/selfcheck";
    assert_eq!(code(stage, &key, path, json!({})).await, (409, "no_order".to_owned()));
    stage.open("p1").await;
    assert_eq!(stage.create(&stage.neighbours_order("n1")).await.code, 1);
    for (body, pointer) in [
        (json!({ "number": "n1" }), "/number"),
        (json!({ "number": "p1", "url": "http://10.1.2.3/notify" }), "/url"),
        (json!({ "number": "p1", "url": stage.node().url("/notify") }), "/url"),
        (json!({ "number": "p1", "url": "ftp://127.0.0.1/" }), "/url"),
    ] {
        let reply = stage.post_as(&key, path, body.clone()).await;
        assert_eq!(reply.status, 422, "{body}: {}", reply.text());
        assert_eq!(reply.json()["errors"][0]["pointer"], pointer, "{body}");
    }

    let live = &stage.world.keys.live;
    let made = stage.post_as(live, "/v1/merchants", json!({ "name": "Live" })).await.json();
    let path = format!("{path}?merchant={}", made["id"].as_str().expect("an id"));
    let body = json!({ "url": stage.shop().notify_url() });
    assert_eq!(code(stage, live, &path, body).await, (409, "test_only".to_owned()));
    assert!(stage.shop().received_now().is_empty(), "nothing was sent");
});

on_both!(a_merchant_is_checked_once_at_a_time_and_six_times_a_minute, async |stage: &mut Stage| {
    let (key, other) = (own_key(stage).await, own_key(stage).await);
    stage.open("p1").await;
    let gate = stage.shop().hold();
    let path = "/v1/selfcheck";
    let (first, ()) = tokio::join!(check(stage, &key, json!({})), async {
        soon(stage.shop().received(1)).await;
        let second = code(stage, &other, path, json!({})).await;
        gate.open();
        assert_eq!(second, (409, "selfcheck_running".to_owned()));
    });
    // The harness's shop believes whatever is signed.
    assert_eq!(with(&first, "failed"), ["wrong_amount"], "{first:#}");
    for _ in 0..4 {
        assert_eq!(code(stage, &other, path, json!({ "number": "nobody's" })).await.0, 422);
    }
    let refused = stage.post_as(&key, path, json!({})).await;
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("limited")));
    assert_eq!(refused.header("ratelimit"), Some(r#""selfcheck";r=0;t=10"#));
    stage.advance(Duration::from_secs(10));
    assert_eq!(code(stage, &key, path, json!({ "number": "nobody's" })).await.0, 422);
});
