//! `scangate client selfcheck`: the demo's shop stands every drill, and what does not is told by name and exit code.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Demo, run};

#[tokio::test]
async fn the_demos_shop_has_the_full_score_and_the_order_stays_as_it_is() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let none = demo.client(&["selfcheck"]).await;
    assert_eq!((none.code, none.out.as_str()), (Some(1), ""), "{none:?}");
    assert!(none.err.contains("no_order") && none.err.contains("place a test order first"), "{none:?}");

    demo.order("p1", &[]).await;
    let out = demo.client(&["selfcheck"]).await.succeeds();
    assert!(out.contains("score     100 of 100"), "{out}");
    assert!(out.contains(&format!("endpoint  {}", demo.told("/shop/notify_url"))), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("passed ")).count(), 11, "{out}");
    assert!(!out.contains(demo.told("/platform/api_key")), "the key is not shown");
    demo.out.line("shop: order p1 paid 21.00 HKD").await;
    assert_eq!(demo.out.count("shop: order"), 1, "the shop believes the true notice alone, and once");
    let asked = demo.client(&["query", "--number", "p1"]).await.succeeds();
    assert!(asked.contains("0 (to be paid)"), "{asked}");

    // A true payment afterwards is told as ever.
    demo.order("p2", &[]).await;
    demo.pay_newest().await;
    demo.out.line("shop: order p2 paid 21.00 HKD").await;
    let report = demo.client(&["selfcheck", "--number", "p2", "--json"]).await.succeeds();
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["score"], &report["orderStatus"]), (&json!(100), &json!("paid")));
    demo.stop().await;
}

#[tokio::test]
async fn what_is_found_has_an_exit_code_of_its_own_and_misuse_another() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    demo.order("p1", &[]).await;
    let nothing_there = format!("{}/nothing/there", demo.told("/sandbox/base_url"));
    let found = demo.client(&["selfcheck", "--number", "p1", "--url", &nothing_there]).await;
    assert_eq!(found.code, Some(3), "{found:?}");
    for said in [
        "score     0 of 100",
        "failed",
        "unclear",
        "paid: there is nothing at this address",
        "HTTP 404",
        "  do    ",
    ] {
        assert!(found.out.contains(said), "{said} in {}", found.out);
    }

    let base = demo.told("/gateway/base_url");
    let without = run(Path::new("/"), &["client", "selfcheck", "--base", base], &[]).await;
    assert_eq!(without.code, Some(2), "{without:?}");
    assert!(without.err.contains("SCANGATE_CLIENT_API_KEY"), "{without:?}");
    let stranger = [("SCANGATE_CLIENT_API_KEY", "sg_test_nobody")];
    let stranger = run(Path::new("/"), &["client", "selfcheck", "--base", base], &stranger).await;
    assert_eq!(stranger.code, Some(1), "{stranger:?}");
    assert!(stranger.err.contains("HTTP 401 unauthorized"), "{stranger:?}");
    demo.stop().await;
}
