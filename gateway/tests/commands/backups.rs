//! `scangate backup`, `restore` and `key export`: what an operator needs on the worst day.

use crate::harness::web;
use crate::program::{Demo, borrowed, run, store_in};

#[tokio::test]
async fn a_backup_of_a_running_store_is_whole_and_can_be_put_in_its_place() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    demo.order("p1", &[]).await;
    demo.pay_newest().await;
    demo.out.line("shop: order p1 paid").await;

    let settings = demo.store();
    let settings = borrowed(&settings);
    let out = run(home.path(), &["backup", "copy.db"], &settings).await.succeeds();
    assert!(out.contains("written and checked") && out.contains("copy.db"), "{out}");
    let again = run(home.path(), &["backup", "copy.db"], &settings).await;
    again.complains(&["copy.db", "is there already", "name a new file"]);
    let ready = format!("{}/health/ready", demo.told("/gateway/base_url"));
    assert_eq!(web::get(&ready).await.status, 200);

    let verified = run(home.path(), &["restore", "copy.db", "--verify"], &settings).await.succeeds();
    assert!(verified.contains("whole") && verified.contains("master key"), "{verified}");
    let over = run(home.path(), &["restore", "copy.db"], &settings).await;
    over.complains(&["scangate.db", "is there", "move it away"]);
    let left: Vec<_> = std::fs::read_dir(home.path())
        .expect("it is ours")
        .map(|file| file.expect("it is ours").file_name())
        .collect();
    assert!(left.len() == 2, "the data and the copy, nothing beside them: {left:?}");
    demo.stop().await;

    // Another machine: the backup, the master key from escrow and the demo's file.
    let elsewhere = home.path().join("elsewhere");
    let restored = store_in(&elsewhere);
    std::fs::create_dir(&elsewhere).expect("the folder is ours");
    for name in ["master.key", "demo.json"] {
        std::fs::copy(home.path().join("data").join(name), elsewhere.join(name)).expect("it is there");
    }
    let out = run(home.path(), &["restore", "copy.db"], &borrowed(&restored)).await.succeeds();
    assert!(out.contains("restored from copy.db"), "{out}");
    let demo = Demo::start(&elsewhere).await;
    let out = demo.client(&["query", "--number", "p1"]).await.succeeds();
    assert!(out.contains("(paid)"), "{out}");
    demo.stop().await;
}

#[tokio::test]
async fn a_backup_that_is_damaged_or_of_another_master_key_is_told_plainly() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let settings = demo.store();
    let settings = borrowed(&settings);
    run(home.path(), &["backup", "copy.db"], &settings).await.succeeds();
    demo.stop().await;

    let other_key = "cd".repeat(32);
    let with_other = [settings.as_slice(), &[("SCANGATE_SECRETS__MASTER_KEY", other_key.as_str())]].concat();
    for arguments in [["restore", "copy.db", "--verify"].as_slice(), &["restore", "copy.db"]] {
        let ended = run(home.path(), arguments, &with_other).await;
        ended.complains(&["does not open under master key", "is this the key the store was made with?"]);
        assert!(!ended.err.contains(&other_key), "the key itself is not shown");
    }

    let whole = std::fs::read(home.path().join("copy.db")).expect("it was written");
    let mut scribbled = whole.clone();
    let middle = whole.len() / 2;
    scribbled[middle..middle + 4096].fill(0x55);
    std::fs::write(home.path().join("scribbled.db"), scribbled).expect("the folder is ours");
    std::fs::write(home.path().join("cut.db"), &whole[..middle]).expect("the folder is ours");
    std::fs::write(home.path().join("text.db"), "not a database at all").expect("the folder is ours");
    for name in ["scribbled.db", "cut.db", "text.db"] {
        run(home.path(), &["restore", name, "--verify"], &settings).await.complains(&[name, "is damaged"]);
        run(home.path(), &["restore", name], &settings).await.complains(&[name, "is damaged"]);
    }
    let nothing = run(home.path(), &["restore", "nothing.db", "--verify"], &settings).await;
    nothing.complains(&["nothing.db", "is not a store that can be read"]);
}

#[tokio::test]
async fn the_master_key_is_exported_as_it_is_in_force() {
    let home = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(&home.path().join("data")).await;
    let settings = demo.store();
    let settings = borrowed(&settings);
    let file = std::fs::read_to_string(demo.folder.join("master.key")).expect("it was made");
    assert_eq!(run(home.path(), &["key", "export"], &settings).await.succeeds(), file);
    let given = "ef".repeat(32);
    let with_given = [settings.as_slice(), &[("SCANGATE_SECRETS__MASTER_KEY", given.as_str())]].concat();
    assert_eq!(run(home.path(), &["key", "export"], &with_given).await.succeeds().trim(), given);
    demo.stop().await;
    let missing = run(home.path(), &["key", "export"], &borrowed(&store_in(home.path()))).await;
    missing.complains(&["master.key", "reading the master key file"]);
}

#[tokio::test]
async fn the_master_key_is_rotated_under_a_running_gateway_that_is_then_killed() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("data");
    let demo = Demo::start(&folder).await;
    let settings = demo.store();
    let settings = borrowed(&settings);
    let old = std::fs::read_to_string(folder.join("master.key")).expect("it was made");
    run(home.path(), &["backup", "copy.db"], &settings).await.succeeds();
    let out = run(home.path(), &["key", "rotate-master"], &settings).await.succeeds();
    assert!(out.contains("secrets are sealed with the master key"), "{out}");
    let both = std::fs::read_to_string(folder.join("master.key")).expect("it is there");
    assert!(both.ends_with(&old) && both.lines().count() == 2 && !out.contains(old.trim()));
    assert_eq!(run(home.path(), &["key", "export"], &settings).await.succeeds(), both);
    run(home.path(), &["key", "rotate-master"], &settings).await.complains(&["key drop-previous"]);
    demo.order("p1", &[]).await;
    drop(demo); // killed

    run(home.path(), &["restore", "copy.db", "--verify"], &settings).await.succeeds();
    let demo = Demo::start(&folder).await;
    demo.order("p2", &[]).await;
    let out = run(home.path(), &["key", "drop-previous"], &settings).await.succeeds();
    assert!(out.contains("no longer in the file"), "{out}");
    let new = std::fs::read_to_string(folder.join("master.key")).expect("it is there");
    assert!(both.starts_with(&new) && new.lines().count() == 1);
    demo.order("p3", &[]).await;
    demo.stop().await;

    let without = run(home.path(), &["restore", "copy.db", "--verify"], &settings).await;
    without.complains(&["is this the key the store was made with?"]);
    let with_old = [settings.as_slice(), &[("SCANGATE_SECRETS__PREVIOUS_MASTER_KEYS", old.trim())]].concat();
    run(home.path(), &["restore", "copy.db", "--verify"], &with_old).await.succeeds();
}
