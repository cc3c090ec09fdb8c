//! `scangate demo` and `scangate client`: the first order, the second start, the stop.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use shared::envelope::{Envelope, Side, rfc3339};
use shared::signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::acts::soon;
use crate::harness::web;
use crate::program::{Demo, demo_arguments, run, type_in};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The value behind a name in what `scangate client` prints.
fn printed<'a>(out: &'a str, name: &str) -> &'a str {
    let line = out.lines().find_map(|line| line.strip_prefix(name).filter(|rest| rest.starts_with(' ')));
    line.unwrap_or_else(|| panic!("no {name} in: {out}")).trim()
}

#[tokio::test]
async fn a_first_start_makes_everything_and_a_second_finds_it_again() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("my data");
    let demo = Demo::start(&folder).await;
    assert_eq!(mode(&folder.join("demo.json")), 0o600);
    assert_eq!(mode(&folder.join("demo.env")), 0o600);
    assert_eq!(mode(&folder.join("master.key")), 0o600);
    assert_eq!(demo.told("/merchant/sign_key").len(), 64);
    let environment = format!("sh -c '. {:?}; echo $SHOP_BASE_URL $SHOP_SIGN_KEY'", folder.join("demo.env"));
    let said = type_in(home.path(), &environment).await.succeeds();
    let expected = format!("{} {}", demo.told("/gateway/signed_base_url"), demo.told("/merchant/sign_key"));
    assert_eq!(said.trim(), expected, "demo.env says the same to a shell");
    assert!(!demo.told("/operator/password").is_empty());
    assert_eq!(demo.file.pointer("/stores/0/currency"), Some(&json!("HKD")));
    assert_eq!(demo.file.pointer("/stores/1/currency"), Some(&json!("JPY")));
    every_url_answers(&demo).await;
    let bearer = format!("Bearer {}", demo.told("/platform/api_key"));
    let merchants = format!("{}/v1/merchants", demo.told("/gateway/base_url"));
    let shown =
        web::exchange(http::Method::GET, &merchants, &[("authorization", &bearer)], bytes::Bytes::new())
            .await;
    assert_eq!((shown.status, &shown.json()["data"][0]["name"]), (200, &json!("Demo shop")));

    demo.out.line(demo.told("/gateway/docs_url")).await;
    let first = demo.out.line("client order --demo").await;
    let out = type_in(home.path(), first.trim()).await.succeeds();
    assert!(printed(&out, "code").starts_with("1 "), "{out}");
    let number = printed(&out, "number").to_owned();
    demo.pay_newest().await;
    assert_eq!(demo.out.line(&number).await, format!("shop: order {number} paid 21.00 HKD with Alipay"));
    assert_eq!(demo.out.count(&number), 1, "the shop was told once");
    demo.order("waiting", &[]).await;
    let before = demo.file.clone();
    demo.stop().await;
    assert!(!folder.join("scangate.db-wal").exists(), "a store that was closed is one file");

    let demo = Demo::start(&folder).await;
    for kept in ["/merchant", "/upstream", "/stores", "/operator", "/platform"] {
        assert_eq!(demo.file.pointer(kept), before.pointer(kept), "{kept}");
    }
    assert_eq!(mode(&folder.join("demo.json")), 0o600);
    every_url_answers(&demo).await;
    let out = demo.client(&["query", "--number", &number]).await.succeeds();
    assert_eq!(printed(&out, "status"), "1 (paid)");
    // The sandbox is elsewhere now, and the account has gone with it. It has kept what waits to be paid; the addresses that
    // order was to be told at are gone, so it is asked after.
    demo.pay_newest().await;
    let out = demo.client(&["query", "--number", "waiting"]).await.succeeds();
    assert_eq!(printed(&out, "status"), "1 (paid)");
    demo.order("second", &[]).await;
    demo.pay_newest().await;
    demo.out.line("shop: order second paid").await;
    assert_eq!(demo.out.count(&number), 0, "what was told is not told again");
    demo.stop().await;
}

async fn every_url_answers(demo: &Demo) {
    let base = demo.told("/gateway/base_url");
    let shop = format!("{}?partnerOrderNo=x", demo.told("/shop/return_url"));
    for url in [
        demo.told("/gateway/docs_url"),
        &format!("{base}/openapi.yaml"),
        &format!("{base}/health/live"),
        &format!("{base}/health/ready"),
        &format!("{}/health", demo.told("/gateway/ops_url")),
        &format!("{}/", demo.told("/sandbox/base_url")),
        &shop,
    ] {
        assert_eq!(web::get(url).await.status, 200, "{url}");
    }
}

/// ScanForPay's own sample of an order, as it stands in its documentation, but for the time and the signature: its
/// numbers are the demo merchant's.
const SAMPLE: &str = r#"{
        "header": {
            "requestTime": "2018-07-25T18:06:05+08:00",
            "partnerNo": "10001",
            "signType": "SHA256",
            "version": "1.0",
            "reqMsgId": "fd03f269-3180-4575-8af0-8f6cf324fb0f"
        },
        "body": {
            "storeNo": "100010000000002",
            "partnerOrderNo": "p20180725180605466813",
            "wallet": "Alipay",
            "currency":"HKD",
            "orderAmount": 2100,
            "orderTitle": "Consume",
            "operatorId": "211918",
            "terminalNo": "123456",
            "notifyUrl": "http://192.168.31.72:8080/ScanForPay/notify",
            "returnUrl": "http://192.168.31.72:8080/ScanForPay/return"
        }
    }"#;

#[tokio::test]
async fn the_documented_sample_request_gets_a_payurl_with_and_without_the_platforms_name() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let (partner_no, key) = (demo.told("/merchant/partner_no"), demo.told("/merchant/sign_key"));
    assert_eq!((partner_no, demo.told("/stores/0/store_no")), ("10001", "100010000000002"));
    let now = rfc3339(gateway::clock::Clock::system().now());
    let request = SAMPLE.replace("2018-07-25T18:06:05+08:00", &now);
    let signature = signature::sign(&request, key);
    let document = format!("{{\n    \"request\": {request},\n    \"signature\": \"{signature}\"\n}}");

    let mut answers = Vec::new();
    for base in [demo.told("/gateway/signed_base_url"), demo.told("/gateway/base_url")] {
        let reply = web::post_json(&format!("{base}/api/offline/qrcode"), document.clone()).await;
        let envelope = Envelope::read(&reply.body, Side::Response).expect("an envelope");
        assert!(envelope.verifies(key), "{}", reply.text());
        answers.push(reply.json()["response"]["body"].clone());
    }
    let pay_url = answers[0]["payUrl"].as_str().expect("a payUrl").to_owned();
    assert_eq!((&answers[0]["code"], &answers[0]), (&json!(1), &answers[1]), "the same order both times");
    assert_eq!(web::get(&pay_url).await.status, 200, "the payment page");
    let violations = web::get(&format!("{}/control/violations", demo.told("/sandbox/base_url"))).await.json();
    assert_eq!(violations, json!([]), "what went upstream keeps to the protocol");
    demo.stop().await;
}

#[tokio::test]
async fn the_client_shows_the_bytes_and_tells_success_refusal_and_misuse_apart() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let key = demo.told("/merchant/sign_key").to_owned();

    let out = demo.order("p1", &["--title", "拉麵 & café", "--raw"]).await;
    let documents: Vec<&str> = out.lines().filter(|line| line.starts_with('{')).collect();
    let [sent, received] = documents.as_slice() else { panic!("two documents: {out}") };
    for (document, side) in [(sent, Side::Request), (received, Side::Response)] {
        let envelope = Envelope::read(document.as_bytes(), side).expect("an envelope");
        assert!(envelope.verifies(&key), "the exact bytes: {document}");
    }
    let sent: Value = serde_json::from_str(sent).expect("JSON");
    assert_eq!(sent["request"]["body"]["orderTitle"], "拉麵 & café");
    assert_eq!(sent["request"]["body"]["notifyUrl"], demo.told("/shop/notify_url"));
    assert!(out.contains(printed(&out, "payUrl")) && printed(&out, "signature") == "verified", "{out}");
    assert!(!out.contains(&key), "the key is not shown");

    // The command it prints asks after the order.
    let ask = printed(&out, "its state:").to_owned();
    let out = type_in(Path::new("/"), &ask).await.succeeds();
    assert_eq!((printed(&out, "partnerOrderNo"), printed(&out, "status")), ("p1", "0 (to be paid)"));
    let raw = demo.client(&["query", "--number", "p1", "--raw"]).await.succeeds();
    assert!(
        raw.contains("> POST ") && raw.contains("/api/common/payQuery") && raw.contains("< HTTP 200"),
        "{raw}"
    );

    let refused = demo.client(&["query", "--number", "nobody"]).await;
    assert_eq!((refused.code, printed(&refused.out, "code")), (Some(1), "30 (no such order)"));
    let misused = demo.client(&["order", "--wallet", "Alipay", "--amount", "1", "--currency", "EUR"]).await;
    assert_eq!(misused.code, Some(2), "{misused:?}");
    assert!(misused.err.contains("no EUR store"), "{misused:?}");

    let base = demo.told("/gateway/signed_base_url");
    let arguments = [
        "client",
        "query",
        "--base",
        base,
        "--partner-no",
        "10001",
        "--key",
        "not the merchant's",
        "--number",
        "p1",
    ];
    let stranger = crate::program::run(home.path(), &arguments, &[]).await;
    assert_eq!((stranger.code, printed(&stranger.out, "code")), (Some(1), "8 (bad signature)"));
    assert!(stranger.err.contains("NOT VERIFIED"), "{stranger:?}");
    demo.stop().await;
}

/// A shop that takes its time: the notification has arrived, and is not answered yet.
async fn notified(listener: &TcpListener) -> TcpStream {
    let (mut connection, _) = soon(listener.accept()).await.expect("the gateway calls");
    let mut seen = Vec::new();
    while !seen.ends_with(b"\"}") {
        assert_ne!(
            soon(connection.read_buf(&mut seen)).await.expect("it sends"),
            0,
            "the whole notification"
        );
    }
    connection
}

#[tokio::test]
async fn a_stop_lets_the_delivery_under_way_finish_and_a_second_signal_does_not() {
    let home = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let slow = format!("http://{}/notify", listener.local_addr().expect("an address"));

    let demo = Demo::start(&home.path().join("data")).await;
    demo.order("p1", &["--notify-url", &slow]).await;
    demo.pay_newest().await;
    let mut shop = notified(&listener).await;
    demo.signal("TERM");
    demo.err.line("stopping").await;
    let success = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nsuccess";
    shop.write_all(success).await.expect("the gateway still listens for it");
    assert_eq!(demo.ended().await, Some(0));

    let demo = Demo::start(&home.path().join("data")).await;
    demo.order("p2", &["--notify-url", &slow]).await;
    demo.pay_newest().await;
    let shop = notified(&listener).await;
    demo.signal("INT");
    demo.err.line("stopping").await;
    demo.signal("INT");
    assert_eq!(demo.ended().await, Some(130));
    drop(shop);

    // p1 was settled by the shop's answer; p2 was not, and is told again.
    let demo = Demo::start(&home.path().join("data")).await;
    let health = format!("{}/health", demo.told("/gateway/ops_url"));
    assert_eq!(web::get(&health).await.json()["deliveries_due"], 1);
    demo.stop().await;
}

#[tokio::test]
async fn a_demo_takes_a_file_of_settings_and_refuses_what_is_none() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("data");
    let file = home.path().join("own.toml");
    let mut arguments = demo_arguments(&folder);
    arguments.extend(["--config", file.to_str().expect("UTF-8")]);
    for (settings, wrong) in [
        ("nonsense = 1", "deliveries.nonsense"),
        ("max_in_flight = 4\nmax_in_flight_per_endpoint = 8", "deliveries.max_in_flight_per_endpoint (8)"),
    ] {
        std::fs::write(&file, format!("[deliveries]\n{settings}\n")).expect("it is written");
        let refused = run(home.path(), &arguments, &[]).await;
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.err.contains(wrong), "{refused:?}");
    }
}
