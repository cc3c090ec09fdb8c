//! Commands that write go through the gateway that serves a SQLite store; else they open the store themselves.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::harness::acts::soon;
use crate::harness::{Backend, PLATFORM, World};
use crate::program::{Demo, Ended, borrowed, run, run_with, store_in};

/// A second merchant of the demo's platform.
const TENANTS: &str = r#"
    [[platform]]
    slug = "demo"
    [[platform.merchant]]
    name = "Tea House"
    partner_no = "20001"
    mode = "test"
"#;

fn apply(folder: &Path, text: &str) -> String {
    let file = folder.join("tenants.toml");
    std::fs::write(&file, text).expect("the folder is ours");
    file.display().to_string()
}

/// One line to the socket and whatever comes back.
async fn say(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).await.expect("it listens");
    // It may hang up in the middle of what is too long.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn what_is_applied_to_a_served_store_takes_effect_at_once() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let (store, file) = (demo.store(), apply(home.path(), TENANTS));
    let settings = borrowed(&store);

    let out = run(home.path(), &["apply", &file], &settings).await.succeeds();
    let made: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(made["merchants"][0]["partner_no"], "20001");
    let key = made["merchants"][0]["sign_key"].as_str().expect("the made key is shown");
    let base = demo.told("/gateway/signed_base_url");
    let arguments =
        ["client", "query", "--base", base, "--partner-no", "20001", "--key", key, "--number", "p1"];
    let answer = run(home.path(), &arguments, &[]).await;
    assert!(answer.out.contains("30"), "known, and told that it has no such order: {answer:?}");

    let again = run(home.path(), &["apply", &file], &settings).await.succeeds();
    assert_eq!(serde_json::from_str::<Value>(&again).expect("JSON")["merchants"], json!([]));
    let migrated = run(home.path(), &["migrate"], &settings).await.succeeds();
    assert_eq!(migrated, "the schema is up to date\n");
    let wrong = TENANTS.replace("20001", "20002").replace("mode", "sign_key = \"short\"\n    mode");
    let wrong = apply(home.path(), &wrong);
    run(home.path(), &["apply", &wrong], &settings).await.complains(&["merchant 20002", "128 bits"]);
    demo.err.line("carried out a command").await;
    demo.stop().await;
}

#[tokio::test]
async fn operators_are_looked_after_while_the_gateway_serves_and_while_it_does_not() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let store = demo.store();
    look_after_operators(home.path(), &borrowed(&store), true).await;
    assert_eq!(demo.err.count("correct horse"), 0, "no password is logged");
    demo.stop().await;

    let folder = home.path().join("alone");
    look_after_operators(home.path(), &borrowed(&store_in(&folder)), false).await;
}

async fn look_after_operators(home: &Path, settings: &[(&str, &str)], has_demo: bool) {
    let operator = async |arguments: &[&str], input: &str| -> Ended {
        run_with(home, &[&["operator"], arguments].concat(), settings, input).await
    };
    let out = operator(&["add", "anna", "--role", "admin"], "correct horse battery\n").await.succeeds();
    assert_eq!(out, "added      anna (admin, all platforms)\n");
    let taken = operator(&["add", "anna", "--role", "viewer", "--generate"], "").await;
    taken.complains(&["there is an operator anna already"]);
    let out = operator(&["passwd", "anna", "--generate"], "").await.succeeds();
    let made = out.strip_prefix("changed    anna\npassword   ").expect("the made password is shown").trim();
    assert_eq!(made.len(), 26, "{out}");
    operator(&["add", "ben", "--role", "viewer", "--platform", "nowhere"], "correct horse battery\n")
        .await
        .complains(&["there is no platform nowhere"]);
    operator(&["add", "ben", "--role", "viewer"], "short\n").await.complains(&["12 characters"]);
    operator(&["add", "ben", "--role", "viewer"], "").await.complains(&["--generate"]);
    operator(&["add", "ben lee", "--role", "viewer", "--generate"], "").await.complains(&["name"]);
    operator(&["passwd", "nobody", "--generate"], "").await.complains(&["there is no operator nobody"]);
    operator(&["disable", "nobody"], "").await.complains(&["there is no operator nobody"]);
    operator(&["disable", "anna"], "").await.succeeds();
    let list = operator(&["list"], "").await.succeeds();
    assert!(list.contains("anna  admin     disabled  all platforms\n"), "{list}");
    operator(&["enable", "nobody"], "").await.complains(&["there is no operator nobody"]);
    assert_eq!(operator(&["enable", "anna"], "").await.succeeds(), "enabled    anna\n");
    let again = operator(&["list"], "").await.succeeds();
    assert!(again.contains("anna  admin     active    all platforms\n"), "{again}");
    assert_eq!(list.lines().count(), if has_demo { 2 } else { 1 }, "{list}");
    let rotated = run(home, &["key", "rotate-token"], settings).await.succeeds();
    assert!(rotated.starts_with("tokens are signed with the key "), "{rotated}");
}

#[tokio::test]
async fn the_socket_is_its_owners_and_goes_with_the_gateway() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("data");
    let socket = folder.join("scangate.sock");
    let store = store_in(&folder);
    let settings = borrowed(&store);
    let demo = Demo::start(&folder).await;
    let mode = std::fs::metadata(&socket).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    demo.stop().await;
    assert!(!socket.exists());

    let demo = Demo::start(&folder).await;
    demo.signal("KILL");
    demo.ended().await;
    assert!(socket.exists(), "a killed gateway leaves it behind");
    run(home.path(), &["operator", "list"], &settings).await.succeeds();
    let demo = Demo::start(&folder).await;
    run(home.path(), &["operator", "list"], &settings).await.succeeds();
    demo.stop().await;
}

#[tokio::test]
async fn what_is_no_command_is_refused_without_being_repeated_and_disturbs_nobody() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let socket = demo.folder.join("scangate.sock");
    for line in [
        "hunter2\n",
        "{\"command\":\"hunter2\"}\n",
        "{\"command\":\"apply\",\"toml\":[\"hunter2\"]}\n",
        "{\"command\":\"set_password\",\"name\":\"demo\",\"password\":{\"hunter2\":1}}\n",
    ] {
        let answer = say(&socket, line.as_bytes()).await;
        assert!(answer.contains("does not know this command") && !answer.contains("hunter2"), "{answer}");
    }
    let wrong = "[[operator]]\\nname = 'x'\\npassword = 1234567";
    let answer = say(&socket, format!("{{\"command\":\"apply\",\"toml\":\"{wrong}\"}}\n").as_bytes()).await;
    assert!(answer.contains("line 3") && !answer.contains("1234567"), "{answer}");
    assert_eq!(say(&socket, b"{\"command\":\"migr").await, "");
    let endless = vec![b'x'; 5 * 1024 * 1024];
    assert_eq!(say(&socket, &endless).await, "");
    demo.err.line("the line is too long").await;
    assert_eq!(demo.err.count("hunter2"), 0);

    // More callers than are heard at one time, none of whom says anything.
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(UnixStream::connect(&socket).await.expect("it listens"));
    }
    drop(silent);
    let store = demo.store();
    run(home.path(), &["operator", "list"], &borrowed(&store)).await.succeeds();
    demo.order("p1", &[]).await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_commands_open_the_store_themselves_beside_running_gateways() {
    let world = World::make(Backend::Postgres).await;
    let node = world.node().await;
    let master_key = world.path("master.key").display().to_string();
    let settings = [
        ("SCANGATE_STORE__URL", world.store_url.as_str()),
        ("SCANGATE_SECRETS__MASTER_KEY_FILE", master_key.as_str()),
    ];
    let add = ["operator", "add", "anna", "--role", "viewer", "--platform", PLATFORM, "--generate"];
    let out = run(world.folder.path(), &add, &settings).await.succeeds();
    assert!(out.starts_with("added      anna (viewer, platform demo)\npassword   "), "{out}");
    let list = run(world.folder.path(), &["operator", "list"], &settings).await.succeeds();
    assert_eq!(list, "anna  viewer    active    demo\n");
    let file = apply(world.folder.path(), TENANTS);
    let out = run(world.folder.path(), &["apply", &file], &settings).await.succeeds();
    assert!(out.contains("20001"), "{out}");
    run(world.folder.path(), &["migrate"], &settings).await.succeeds();
    node.stop().await;
}
