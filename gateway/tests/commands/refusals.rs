//! What stands in the way of a start is told in one line that names it and the way out, with exit code 1.

use std::path::Path;

use sqlx::{Connection, Executor};
use tokio::net::TcpListener;

use crate::program::{ANY_PORTS, Demo, Ended, borrowed, demo_arguments, run, store_in};

/// Every command that opens the store for itself, on the store in `folder`.
async fn all_openers(home: &Path, folder: &Path) -> Vec<Ended> {
    let (settings, tenants) = (store_in(folder), home.join("tenants.toml"));
    std::fs::write(&tenants, "").expect("the folder is ours");
    let mut settings = borrowed(&settings);
    settings.extend([
        ("SCANGATE_SERVER__PUBLIC_URL", "http://127.0.0.1:1"),
        ("SCANGATE_SERVER__LISTEN", "127.0.0.1:0"),
        ("SCANGATE_SERVER__OPS_LISTEN", "127.0.0.1:0"),
    ]);
    let apply = ["apply", tenants.to_str().expect("UTF-8")];
    let mut ended = vec![run(home, &demo_arguments(folder), &[]).await];
    for arguments in [["migrate"].as_slice(), &["serve"], &apply] {
        ended.push(run(home, arguments, &settings).await);
    }
    ended
}

/// A store with its schema, closed.
async fn store(home: &Path, name: &str) -> std::path::PathBuf {
    let folder = home.join(name);
    run(home, &["migrate"], &borrowed(&store_in(&folder))).await.succeeds();
    folder
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_option() {
    let home = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for place in (1..ANY_PORTS.len()).step_by(2) {
        let mut arguments = demo_arguments(Path::new("data"));
        arguments[3 + place] = &address;
        let ended = run(home.path(), &arguments, &[]).await;
        ended.complains(&[&address, "in use", "choose another port", ANY_PORTS[place - 1]]);
    }
    for setting in ["SCANGATE_SERVER__LISTEN", "SCANGATE_SERVER__OPS_LISTEN"] {
        let settings = [
            ("SCANGATE_SERVER__PUBLIC_URL", "http://127.0.0.1:1"),
            ("SCANGATE_SERVER__LISTEN", "127.0.0.1:0"),
            ("SCANGATE_SERVER__OPS_LISTEN", "127.0.0.1:0"),
            (setting, address.as_str()),
        ];
        let path = setting.trim_start_matches("SCANGATE_").to_lowercase().replace("__", ".");
        run(home.path(), &["serve"], &settings).await.complains(&[&address, "in use", &path]);
    }
    assert!(!home.path().join("data").exists(), "nothing was made");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    // Rights do not bind root; that a file has no folders in it does.
    std::fs::write(home.path().join("file"), "").expect("the folder is ours");
    let folder = home.path().join("file/below");
    for ended in all_openers(home.path(), &folder).await {
        ended.complains(&[folder.to_str().expect("UTF-8"), "cannot be made", "choose another"]);
    }
}

#[tokio::test]
async fn a_damaged_store_is_named_and_left_as_it_is() {
    let home = tempfile::tempdir().expect("a folder");
    let whole = std::fs::read(store(home.path(), "whole").await.join("scangate.db")).expect("it was made");
    let cut = whole[..whole.len() / 2].to_vec();
    let garbage: Vec<u8> = whole.iter().map(|byte| byte.wrapping_mul(31).wrapping_add(7)).collect();
    let mut scribbled = whole.clone();
    // The second page holds a table that every start reads.
    scribbled[4096..2 * 4096].fill(0x55);
    for (name, bytes) in [("cut", cut), ("garbage", garbage), ("scribbled", scribbled)] {
        let folder = home.path().join(name);
        let file = folder.join("scangate.db");
        std::fs::create_dir(&folder).expect("the folder is ours");
        std::fs::write(&file, &bytes).expect("the folder is ours");
        for ended in all_openers(home.path(), &folder).await {
            ended.complains(&[
                file.to_str().expect("UTF-8"),
                "is damaged",
                "move it away",
                "scangate restore",
            ]);
        }
        assert!(std::fs::read(&file).expect("it is there") == bytes, "{name} was not touched");
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_named_with_what_is_unknown_of_it() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = store(home.path(), "newer").await;
    let file = folder.join("scangate.db");
    let url = format!("sqlite:{}", file.display());
    let mut later = sqlx::SqliteConnection::connect(&url).await.expect("the store opens");
    let step = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 1)";
    later.execute(step).await.expect("it is recorded");
    later.close().await.expect("it closes");
    for ended in all_openers(home.path(), &folder).await {
        ended.complains(&[
            file.to_str().expect("UTF-8"),
            "newer scangate",
            "m9999_later",
            "backup from before",
        ]);
    }
}

#[tokio::test]
async fn a_store_in_use_is_named_and_goes_on_undisturbed() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let file = demo.folder.join("scangate.db");
    for (place, ended) in all_openers(home.path(), &demo.folder).await.into_iter().enumerate() {
        match place {
            // A second demo, and `serve`.
            0 | 2 => ended.complains(&[
                "another scangate is using",
                file.to_str().expect("UTF-8"),
                "stop it first",
            ]),
            // `migrate` and `apply` are done by the one that serves.
            _ => drop(ended.succeeds()),
        }
    }
    let kept = std::fs::read_to_string(demo.folder.join("demo.json")).expect("it is there");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&kept).expect("JSON"), demo.file);
    demo.order("p1", &[]).await;
    demo.stop().await;
}

#[tokio::test]
async fn what_else_is_wrong_in_the_demos_folder_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("data");
    Demo::start(&folder).await.stop().await;

    let file = folder.join("demo.json");
    let kept = std::fs::read(&file).expect("it is there");
    std::fs::write(&file, &kept[..kept.len() / 2]).expect("the folder is ours");
    run(home.path(), &demo_arguments(&folder), &[]).await.complains(&[
        "demo.json",
        "cannot be read",
        "remove",
    ]);
    std::fs::remove_file(&file).expect("it is there");
    let ended = run(home.path(), &demo_arguments(&folder), &[]).await;
    ended.complains(&["demo.json is missing", "put it back", "remove the whole folder"]);
    std::fs::write(&file, kept).expect("the folder is ours");

    let key = folder.join("master.key");
    std::fs::remove_file(&key).expect("it is there");
    let ended = run(home.path(), &demo_arguments(&folder), &[]).await;
    ended.complains(&[key.to_str().expect("UTF-8"), "is missing", "escrow"]);
    std::fs::write(&key, "too short").expect("the folder is ours");
    let ended = run(home.path(), &demo_arguments(&folder), &[]).await;
    ended.complains(&[key.to_str().expect("UTF-8"), "64 hex digits"]);
    std::fs::write(&key, "ab".repeat(32)).expect("the folder is ours");
    let ended = run(home.path(), &demo_arguments(&folder), &[]).await;
    ended.complains(&["does not open under master key", "is this the key the store was made with?"]);
}
