//! `scangate sandbox`: what a shop's developer meets who has nothing else.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::harness::acts::soon;
use crate::harness::web;
use crate::program::{Ended, Lines, command, run, signal};

const STORE: &str = "100010000000002";

/// A sandbox that runs.
struct Alone {
    child: Option<Child>,
    out: Lines,
    err: Lines,
    base: String,
}

/// What stands behind a name in what was printed.
fn behind(line: &str, name: &str) -> String {
    let rest = line.trim().strip_prefix(name).expect("the line begins so");
    rest.split_whitespace().next().expect("a value").to_owned()
}

impl Alone {
    /// Start it on a free port; it is ready when it has said where its faults are.
    async fn start(folder: &Path, more: &[&str]) -> Self {
        let arguments = [&["sandbox", "--listen", "127.0.0.1:0"], more].concat();
        let mut command = command(folder, &arguments, &[]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("scangate starts");
        let out = Lines::of(child.stdout.take().expect("it is piped"));
        let err = Lines::of(child.stderr.take().expect("it is piped"));
        let mut alone = Self { child: Some(child), out, err, base: String::new() };
        alone.out.line("/faults").await;
        alone.base = behind(&alone.out.line("base URL").await, "base URL");
        alone
    }

    async fn key(&self) -> String {
        behind(&self.out.line("sign key").await, "sign key")
    }

    /// `scangate client …` as the partner it printed.
    async fn client(&self, key: &str, arguments: &[&str]) -> Ended {
        let (command, rest) = arguments.split_first().expect("a command");
        let partner = ["--base", &self.base, "--partner-no", "10001", "--store-no", STORE, "--key", key];
        run(Path::new("/"), &[&["client", command], partner.as_slice(), rest].concat(), &[]).await
    }

    async fn order(&self, key: &str, number: &str) -> Ended {
        let order =
            ["order", "--wallet", "Alipay", "--amount", "2100", "--currency", "HKD", "--number", number];
        self.client(key, &order).await
    }

    async fn stop(mut self) {
        let mut child = self.child.take().expect("it runs");
        signal(child.id(), "TERM");
        let ended = soon(tokio::task::spawn_blocking(move || child.wait())).await;
        assert_eq!(ended.expect("it is waited for").expect("it is our child").code(), Some(0));
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test has failed already; what matters is that nothing is left running.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[tokio::test]
async fn what_it_prints_is_enough_for_a_first_order_and_a_restart_finds_it_paid() {
    let home = tempfile::tempdir().expect("a folder");
    let alone = Alone::start(home.path(), &["--state", "state.json"]).await;
    let key = alone.key().await;
    assert_eq!(key.len(), 64);
    alone.order(&key, "p1").await.succeeds();
    let pay = format!("{}/control/orders/p1/pay", alone.base);
    assert_eq!(web::post_json(&pay, "").await.status, 200);
    assert_eq!(alone.order("not the key", "p2").await.code, Some(1));
    let violations = web::get(&format!("{}/control/violations", alone.base)).await.json();
    assert_eq!((violations.as_array().map(Vec::len), &violations[0]["code"]), (Some(1), &json!(8)));
    alone.err.line("protocol violation: signature").await;
    assert_eq!(alone.err.count(&key), 0, "no key in the log");
    alone.stop().await;
    let mode = std::fs::metadata(home.path().join("state.json")).expect("is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let alone = Alone::start(home.path(), &["--state", "state.json"]).await;
    assert_eq!(alone.out.count(&key), 0, "the key was shown once");
    let out = alone.client(&key, &["query", "--number", "p1"]).await.succeeds();
    assert!(out.contains("1 (paid)"), "{out}");
    alone.stop().await;

    let alone = Alone::start(home.path(), &["--state", "state.json", "--fresh"]).await;
    let new = alone.key().await;
    assert_ne!(new, key);
    assert_eq!(alone.client(&new, &["query", "--number", "p1"]).await.code, Some(1), "it is forgotten");
    alone.stop().await;
}

#[tokio::test]
async fn partners_come_from_a_file_and_what_is_wrong_with_it_is_told_without_the_key() {
    let home = tempfile::tempdir().expect("a folder");
    let file = format!(
        "[[partner]]\npartner_no = \"10001\"\nsign_key = \"s3cret\"\n[[partner.store]]\nstore_no = \"{STORE}\"\n\
         currency = \"HKD\"\n"
    );
    let path = home.path().join("accounts.toml");
    std::fs::write(&path, &file).expect("can be written");
    let alone = Alone::start(home.path(), &["--accounts", "accounts.toml"]).await;
    assert_eq!(alone.out.count("s3cret"), 0, "who wrote the file knows the key");
    alone.order("s3cret", "p1").await.succeeds();
    alone.stop().await;

    std::fs::write(&path, file.replace("currency", "curency")).expect("can be written");
    let arguments = ["sandbox", "--listen", "127.0.0.1:0", "--accounts", "accounts.toml"];
    let ended = run(home.path(), &arguments, &[]).await;
    ended.complains(&["accounts.toml", "line 6", "curency"]);
    assert!(!ended.err.contains("s3cret"), "{ended:?}");
}

#[tokio::test]
async fn faults_are_ordered_on_the_command_line_by_the_names_it_lists() {
    let home = tempfile::tempdir().expect("a folder");
    let alone = Alone::start(home.path(), &["--fault", "create-code-21:1", "--fault", "payer-pays"]).await;
    let key = alone.key().await;
    let doubtful = alone.order(&key, "p1").await;
    assert!(doubtful.code == Some(1) && doubtful.out.contains("21 "), "{doubtful:?}");
    alone.order(&key, "p1").await.succeeds();
    let out = alone.client(&key, &["query", "--number", "p1"]).await.succeeds();
    assert!(out.contains("1 (paid)"), "{out}");
    alone.stop().await;

    let table = run(home.path(), &["sandbox", "--list-faults"], &[]).await.succeeds();
    assert!(include_str!("../../../docs/guide/sandbox.md").contains(&table), "{table}");
    for (fault, told) in [("create-slowly", "--list-faults"), ("create-slow:often", "not a number of times")]
    {
        let ended = run(home.path(), &["sandbox", "--fault", fault], &[]).await;
        assert!(ended.code == Some(2) && ended.err.contains(told), "{ended:?}");
    }
}
