//! `scangate config`, `apply`, `migrate` and `openapi`.

use serde_json::{Value, json};

use crate::program::{borrowed, run, store_in};

#[tokio::test]
async fn the_configuration_in_force_is_shown_without_its_secrets() {
    let home = tempfile::tempdir().expect("a folder");
    let master_key = "ab".repeat(32);
    let settings = [
        ("SCANGATE_STORE__URL", "postgres://scangate:hunter2@db.internal/pay"),
        ("SCANGATE_SECRETS__MASTER_KEY", master_key.as_str()),
        ("SCANGATE_SERVER__BARE_PLATFORM", "acme"),
    ];
    let out = run(home.path(), &["config"], &settings).await.succeeds();
    let effective: toml::Table = toml::from_str(&out).expect("it is TOML");
    assert_eq!(effective["server"]["bare_platform"].as_str(), Some("acme"));
    assert!(out.contains("# from environment variable SCANGATE_SERVER__BARE_PLATFORM"), "{out}");
    assert!(!out.contains("hunter2") && !out.contains(&master_key), "{out}");
    assert_eq!(effective["secrets"]["master_key"].as_str(), Some("***"));

    let defaults = run(home.path(), &["config", "--defaults"], &settings).await.succeeds();
    assert_eq!(defaults, gateway::config::DEFAULTS);
    let wrong = run(home.path(), &["config"], &[("SCANGATE_SERVER__LISTEN", "nowhere")]).await;
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("server.listen (environment variable SCANGATE_SERVER__LISTEN)"), "{wrong:?}");
    let wrong =
        run(home.path(), &["config"], &[("SCANGATE_STORE__URL", "mysql://root:hunter2@db/pay")]).await;
    assert!(
        wrong.code == Some(1) && wrong.err.contains("store.url") && !wrong.err.contains("hunter2"),
        "{wrong:?}"
    );
}

const BROUGHT_KEY: &str = "brought-along-from-scanforpay-0001";

fn tenants(sign_key: &str) -> String {
    format!(
        r#"
        [[platform]]
        slug = "acme"
        [[platform.account]]
        name = "main"
        base_url = "https://pay.scanforpay.com"
        partner_no = "90001"
        sign_key = "the-account-s-own-key-of-scanforpay"
        [[platform.merchant]]
        name = "Tea House"
        partner_no = "20001"
        mode = "live"
        [[platform.merchant.store]]
        store_no = "100010000000002"
        account = "main"
        upstream_store_no = "900010000000002"
        currency = "HKD"
        wallets = ["Wechat", "Alipay"]
        [[platform.merchant]]
        name = "Noodle Bar"
        partner_no = "20002"
        mode = "live"
        sign_key = {sign_key}
        "#
    )
}

#[tokio::test]
async fn applying_twice_makes_nothing_the_second_time_and_shows_no_key_that_was_brought() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("tenants.toml"), tenants(&format!("{BROUGHT_KEY:?}")))
        .expect("it is ours");
    let settings = store_in(home.path());
    let settings = borrowed(&settings);
    let apply = ["apply", "tenants.toml"];

    let first = run(home.path(), &apply, &settings).await;
    assert!(!first.err.contains(BROUGHT_KEY) && !first.out.contains(BROUGHT_KEY), "{first:?}");
    let made: Value = serde_json::from_str(&first.succeeds()).expect("JSON");
    let key = made["merchants"][0]["sign_key"].as_str().expect("the key that was made is shown").to_owned();
    assert!(key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{key}");
    let api_key =
        made["api_keys"][0]["key"].as_str().expect("a new platform's first API key is shown").to_owned();
    assert!(api_key.starts_with("sg_test_") && api_key.len() == 48, "{api_key}");
    let expected = json!({
        "platforms": ["acme"], "accounts": ["main"],
        "merchants": [
            { "platform": "acme", "partner_no": "20001", "sign_key": key },
            { "platform": "acme", "partner_no": "20002" },
        ],
        "api_keys": [{ "platform": "acme", "name": "first", "mode": "test", "key": api_key }],
        "stores": ["100010000000002"], "operators": [],
    });
    assert_eq!(made, expected);

    let second = run(home.path(), &apply, &settings).await.succeeds();
    let nothing = json!({
        "platforms": [], "accounts": [], "merchants": [], "api_keys": [], "stores": [], "operators": [],
    });
    assert_eq!(serde_json::from_str::<Value>(&second).expect("JSON"), nothing);

    for file in std::fs::read_dir(home.path()).expect("it is ours") {
        let path = file.expect("it is ours").path();
        let bytes = std::fs::read(&path).expect("it is ours");
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!holds(&key) && !holds(&api_key), "{} holds a key in the clear", path.display());
        assert!(
            path.ends_with("tenants.toml") || !holds(BROUGHT_KEY),
            "{} holds a key in the clear",
            path.display()
        );
    }
}

#[tokio::test]
async fn a_description_that_is_wrong_makes_nothing_and_is_told_without_its_keys() {
    let home = tempfile::tempdir().expect("a folder");
    let settings = store_in(home.path());
    let settings = borrowed(&settings);
    let file = home.path().join("tenants.toml");
    let number = "12345678901234567";
    for (text, words) in [
        (tenants(&format!("\"{BROUGHT_KEY}")), ["tenants.toml", "line 23"]),
        (tenants(number), ["tenants.toml line 23", "not text in quotes"]),
        (tenants("\"short\""), ["merchant 20002", "128 bits"]),
        (tenants(&format!("{BROUGHT_KEY:?}")).replace("mode", "modus"), ["tenants.toml line", "modus"]),
        (
            tenants(&format!("{BROUGHT_KEY:?}")).replace("pay.scanforpay", "evil"),
            ["evil.com", "allowed_base_urls"],
        ),
        (
            tenants(&format!("{BROUGHT_KEY:?}")).replace("account = \"main\"", "account = \"x\""),
            ["100010000000002", "no account x"],
        ),
    ] {
        std::fs::write(&file, text).expect("it is ours");
        let ended = run(home.path(), &["apply", "tenants.toml"], &settings).await;
        ended.complains(&words);
        assert!(!ended.err.contains(BROUGHT_KEY) && !ended.err.contains(number), "{ended:?}");
    }
    std::fs::write(&file, tenants(&format!("{BROUGHT_KEY:?}"))).expect("it is ours");
    let made = run(home.path(), &["apply", "tenants.toml"], &settings).await.succeeds();
    assert!(made.contains("acme"), "nothing was made before: {made}");
    run(home.path(), &["apply", "nothing.toml"], &settings).await.complains(&["nothing.toml"]);
}

#[tokio::test]
async fn migrating_is_done_once_and_may_be_repeated() {
    let home = tempfile::tempdir().expect("a folder");
    let settings = store_in(&home.path().join("data"));
    let settings = borrowed(&settings);
    for _ in 0..2 {
        assert_eq!(run(home.path(), &["migrate"], &settings).await.succeeds(), "the schema is up to date\n");
    }
    let unreachable = [("SCANGATE_STORE__URL", "postgres://scangate:hunter2@127.0.0.1:1/pay")];
    let ended = run(home.path(), &["migrate"], &unreachable).await;
    ended.complains(&["PostgreSQL", "127.0.0.1:1"]);
    assert!(!ended.err.contains("hunter2"), "{ended:?}");
}

#[tokio::test]
async fn the_contract_is_printed_as_it_is_in_the_file() {
    let home = tempfile::tempdir().expect("a folder");
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yaml"))
        .expect("it is there");
    let printed = run(home.path(), &["openapi"], &[]).await.succeeds();
    assert!(
        printed == file,
        "`cargo run -q -p gateway -- openapi > openapi.yaml` brings the file up to date"
    );
}

#[tokio::test]
async fn a_command_that_is_not_one_is_answered_with_those_there_are() {
    let home = tempfile::tempdir().expect("a folder");
    let none = run(home.path(), &[], &[]).await;
    assert_eq!(none.code, Some(2));
    for command in [
        "serve", "demo", "client", "apply", "config", "openapi", "migrate", "backup", "restore", "operator",
        "key",
    ] {
        assert!(none.err.contains(&format!("  {command} ")), "{}", none.err);
    }
    assert_eq!(run(home.path(), &["dmeo"], &[]).await.code, Some(2));
    let version = run(home.path(), &["--version"], &[]).await.succeeds();
    assert_eq!(version.trim(), concat!("scangate ", env!("CARGO_PKG_VERSION")));
}
