//! `scangate statement`: ScanForPay's books beside those of a gateway that runs.

use std::time::Duration;

use gateway::clock::Clock;
use serde_json::Value;

use crate::harness::web;
use crate::program::{Demo, borrowed, run};

#[tokio::test]
async fn a_statement_is_checked_and_asked_about_beside_a_running_gateway() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    demo.order("p1", &[]).await;
    demo.pay_newest().await;
    demo.out.line("shop: order p1 paid").await;
    let settings = demo.store();
    let settings = borrowed(&settings);
    // Whenever midnight is in Hong Kong.
    let (now, day) = (Clock::system().now(), Duration::from_hours(24));
    let days = [(now - day).date().to_string(), (now + day).date().to_string()];
    let check = |more: &[&str]| -> Vec<String> {
        let usual = ["statement", "check", "--account", "sandbox", "--day", &days[0], "--through", &days[1]];
        usual.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let checked = async |more: &[&str]| {
        let arguments = check(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(home.path(), &arguments, &settings).await
    };
    let orders = web::get(&format!("{}/control/orders", demo.told("/sandbox/base_url"))).await.json();
    let sent = orders[0]["partnerOrderNo"].as_str().expect("a number").to_owned();
    let write = |name: &str, text: String| std::fs::write(home.path().join(name), text).expect("it is ours");
    write("good.csv", format!("partnerOrderNo,orderAmount,currency,status\n{sent},2100,HKD,1\n"));
    write("empty.csv", "partnerOrderNo,orderAmount\n".to_owned());
    write("other.csv", "Order;Sum\n".to_owned());

    let agrees = checked(&["good.csv"]).await.succeeds();
    assert!(agrees.contains("agrees: 1 lines (1 payments, 0 refunds) beside 1 of ours"), "{agrees}");
    let differs = checked(&["empty.csv", "--format", "json", "--query"]).await;
    assert_eq!(differs.code, Some(3), "{differs:?}");
    let told: Value = serde_json::from_str(&differs.out).expect("JSON");
    let difference = &told["differences"][0];
    assert_eq!(
        (difference["type"].as_str(), difference["number"].as_str()),
        (Some("missing_there"), Some("p1"))
    );
    assert_eq!(difference["next"], "asked: ScanForPay says paid; the order was paid, and is paid");
    let swept = checked(&["--sweep"]).await.succeeds();
    assert!(swept.contains("agrees: 1 lines"), "{swept}");

    checked(&["other.csv"]).await.complains(&[
        "other.csv",
        "no column \"orderAmount\"",
        "Order;Sum",
        "--columns",
    ]);
    checked(&["gone.csv"]).await.complains(&["reading gone.csv"]);
    let columns = run(home.path(), &["statement", "columns"], &[]).await.succeeds();
    assert_eq!(columns, gateway::statements::columns::DEFAULTS);
    demo.stop().await;
}
