//! What came with an order, and a merchant's new sign key: neither is anywhere but where it belongs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::demo::Demo;
use super::is_restored;
use super::pty::Terminal;

/// The key in a file that is its owner's alone.
fn key_in(path: &Path) -> String {
    let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let file: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("it is read")).expect("JSON");
    let key = file["signKey"].as_str().expect("it holds the key");
    assert_eq!(key.len(), 64);
    key.to_owned()
}

fn keys_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it is read").path());
    paths.filter(|path| path.to_string_lossy().contains("sign-key-")).collect()
}

#[test]
fn a_request_is_read_as_it_came_and_a_key_is_rotated_into_a_file() {
    let demo = Demo::start();
    demo.order("A-17", &[]);
    let data = demo.folder.path().join("demo");
    let demos = ["--demo", "--data", data.to_str().expect("UTF-8")];
    let mut terminal = Terminal::with(&demos, &demo.state());
    terminal.sees("connected");
    terminal.types("gA-17\r");
    terminal.sees("What happened");
    terminal.types("n\r");
    terminal.sees("\"partnerOrderNo\": \"A-17\"");
    terminal.types("J");
    terminal.sees("exactly as it came");
    terminal.types("\u{1b}");
    terminal.sees("What happened");
    terminal.types("7");
    terminal.sees("mode");
    terminal.types("\r");
    terminal.sees("never used");
    terminal.types("K");
    terminal.sees("no screen shows it");
    terminal.types("\rtheir laptop was stolen\r");
    terminal.sees("The key is rotated");
    terminal.sees("previous");
    terminal.types("q");
    let (code, raw) = terminal.ends();
    assert_eq!(code, 0);
    is_restored(&raw);
    let files = keys_in(&demo.state());
    let [file] = files.as_slice() else { panic!("one file: {files:?}") };
    let rotated = key_in(file);

    // The shop may be signing with the one before it still.
    let out = demo.folder.path().join("key.json");
    let rotate = ["rotate", "10001", "--reason", "again", "--out", out.to_str().expect("UTF-8")];
    let refused = demo.plain(&[rotate.as_slice(), &demos].concat());
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert!(!out.exists(), "no file is left behind");
    let again = demo.plain(&[rotate.as_slice(), &["--end-earlier"], &demos].concat());
    assert!(again.status.success(), "{again:?}");
    let last = key_in(&out);
    assert_ne!(last, rotated);
    let taken = demo.plain(&[rotate.as_slice(), &["--end-earlier"], &demos].concat());
    assert_eq!(taken.status.code(), Some(1), "a file that is there is not written over: {taken:?}");
    assert_eq!(key_in(&out), last, "and the gateway was not asked");

    let audit = demo.plain(&[["audit", "--json"].as_slice(), &demos].concat());
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert_eq!(audit.matches("merchant.sign_key_rotated").count(), 2, "{audit}");
    assert_eq!(audit.matches("journal.raw_read").count(), 1, "{audit}");
    for key in [&rotated, &last] {
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert!(!raw.contains(key.as_str()) && !audit.contains(key.as_str()) && !said.contains(key.as_str()));
    }

    let order = demo.plain(&[["order", "A-17", "--json"].as_slice(), &demos].concat());
    let order: Value = serde_json::from_slice(&order.stdout).expect("JSON");
    let entry = order.pointer("/timeline/0/id").and_then(Value::as_str).expect("it has an id");
    let exact = demo.plain(&[["entry", "A-17", entry, "--exact"].as_slice(), &demos].concat());
    let exact = String::from_utf8_lossy(&exact.stdout).into_owned();
    assert!(exact.contains("\"partnerOrderNo\":\"A-17\"") && !exact.contains("signature"), "{exact}");
}
