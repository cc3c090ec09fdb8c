//! A store that takes no writes is told to the callers and got over; a store that fails ends the acknowledging.

use std::collections::BTreeSet;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use gateway::ledger::{Connector, LedgerError, NewOrder, Settings};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::harness::{Backend, optional_setting};
use crate::kit::{GUARD, Rig, Running};
use crate::writes::is_new;

/// The few megabytes that `scripts/test` made; nothing where it was not allowed to and has said so.
fn small_disk() -> Option<PathBuf> {
    if optional_setting("SCANGATE_TEST_NO_SMALL_DISK").is_some() {
        eprintln!("NOT RUN: there is no small disk");
        return None;
    }
    let disk = optional_setting("SCANGATE_TEST_SMALL_DISK");
    let disk =
        PathBuf::from(disk.expect("SCANGATE_TEST_SMALL_DISK is not set; run the tests with scripts/test"));
    let space = rustix::fs::statvfs(&disk).expect("the small disk is there");
    assert!(
        space.f_blocks * space.f_frsize <= 64 << 20,
        "{} is not small enough to be filled",
        disk.display()
    );
    Some(disk)
}

/// What was acknowledged, and what was refused.
#[derive(Default)]
struct Heard {
    written: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl Heard {
    /// Place batches of orders with `weight` bytes in their journals until one is refused.
    async fn fill(&mut self, rig: &Rig, ledger: &Running, weight: usize) {
        let refused_before = self.refused.len();
        while self.refused.len() == refused_before {
            let orders: Vec<NewOrder> = (0..4).map(|_| heavy(rig, weight)).collect();
            let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;
            for (rows, answer) in orders.into_iter().zip(answers) {
                match answer {
                    Ok(_) => self.written.insert(rows.order.number),
                    Err(LedgerError::Unavailable(_)) => self.refused.insert(rows.order.number),
                    Err(error) => panic!("a full disk is neither a doubt nor the write's fault: {error}"),
                };
            }
        }
    }

    async fn agrees_with(&self, rig: &Rig) {
        let standing: BTreeSet<String> = rig.numbers().await.into_iter().collect();
        assert_eq!(standing, self.written, "what was acknowledged is there, and nothing else");
    }
}

fn heavy(rig: &Rig, weight: usize) -> NewOrder {
    let mut rows = rig.order(rig.chance.id());
    rows.journal.raw = Some(vec![b'x'; weight]);
    rows
}

fn take_space(file: &Path, bytes: usize) {
    std::fs::write(file, vec![0; bytes]).expect("there is space for it");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_loses_none_that_it_acknowledged_and_is_got_over() {
    let Some(disk) = small_disk() else { return };
    let rig =
        Rig::within(tempfile::tempdir_in(disk).expect("a folder on the small disk"), Backend::Sqlite).await;
    let test = async {
        let spare: Vec<PathBuf> = (0..4).map(|n| rig.folder.path().join(format!("spare-{n}"))).collect();
        for file in &spare {
            take_space(file, 1 << 20);
        }
        let ledger = rig.ledger().await;
        let mut heard = Heard::default();
        // Of different sizes, so that the space ends in statements, in COMMITs and in checkpoints.
        for (file, weight) in spare.iter().zip([20_000, 3_000, 70_000, 300]) {
            heard.fill(&rig, &ledger, weight).await;
            heard.agrees_with(&rig).await;
            assert_eq!(ledger.died(), None);
            std::fs::remove_file(file).expect("space is given back");
            let order = heavy(&rig, 300);
            let placed = ledger.place(&order).await;
            assert!(is_new(&placed), "the same ledger goes on: {placed:?}");
            heard.written.insert(order.order.number);
            heard.agrees_with(&rig).await;
        }
        assert!(heard.refused.len() >= 4 && heard.written.len() > 100, "{} written", heard.written.len());
        ledger.finish().await;
        heard.agrees_with(&rig.reopened().await).await;
    };
    tokio::time::timeout(GUARD, test).await.expect("the test comes to its end");
}

/// Root may write to any file unless it gives that up. Of this thread and those it starts only.
fn obey_permissions() {
    let mut sets = capabilities(None).expect("capabilities are told");
    sets.effective.remove(CapabilitySet::DAC_OVERRIDE);
    set_capabilities(None, sets).expect("less may always be had");
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_refused_is_not_fatal_and_is_got_over() {
    obey_permissions();
    let rig = Rig::new(Backend::Sqlite).await;
    let test = async {
        let ledger = rig.ledger().await;
        assert!(is_new(&ledger.place(&rig.order("before")).await));
        ledger.finish().await;
        // Whoever has it open may go on writing; so nobody has.
        let rig = rig.closed().await;

        allow(&rig, 0o444);
        let ledger = rig.ledger().await;
        for number in ["refused", "refused again"] {
            let answers =
                join_all([ledger.place(&rig.order(number)), ledger.place(&rig.order("neighbour"))]).await;
            for answer in answers {
                assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
            }
        }
        assert_eq!(ledger.died(), None);

        allow(&rig, 0o644);
        let placed = ledger.place(&rig.order("after")).await;
        assert!(is_new(&placed), "the same ledger goes on: {placed:?}");
        ledger.finish().await;
        assert_eq!(rig.reopened().await.numbers().await, ["after", "before"]);
    };
    tokio::time::timeout(GUARD, test).await.expect("the test comes to its end");
}

/// What may be done with the store's files.
fn allow(rig: &Rig, mode: u32) {
    for file in std::fs::read_dir(rig.folder.path()).expect("the store's folder") {
        let file = file.expect("a file").path();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("it is ours");
    }
}

on_postgres!(a_database_that_turns_read_only_refuses_is_not_fatal_and_is_got_over, async |rig: Rig| {
    let mut admin = rig.admin().await;
    let ledger = rig.ledger().await;
    let order = rig.order("before");
    assert!(is_new(&ledger.place(&order).await));
    let end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = current_database() AND query LIKE 'COMMIT%' AND pid <> pg_backend_pid()";

    admin.configure("default_transaction_read_only = on").await;
    admin.run(end_sessions).await;
    for _ in 0..2 {
        let (placed, changed) =
            tokio::join!(ledger.place(&rig.order("refused")), ledger.change(rig.count(&order)));
        assert!(matches!(placed, Err(LedgerError::Unavailable(_))), "{placed:?}");
        assert!(matches!(changed, Err(LedgerError::Unavailable(_))), "{changed:?}");
    }
    assert_eq!((rig.numbers().await, ledger.died()), (vec!["before".to_owned()], None));

    admin.configure("default_transaction_read_only = off").await;
    let (placed, changed) = tokio::join!(ledger.place(&rig.order("after")), ledger.change(rig.count(&order)));
    assert!(is_new(&placed), "the same ledger goes on: {placed:?}");
    assert_eq!(changed, Ok(0), "nothing of the refused change is there");
    assert_eq!(rig.numbers().await, ["after", "before"]);
    ledger.finish().await;
});

/// Make PostgreSQL fail with this code wherever a journal entry is written.
async fn fail_with(rig: &Rig, code: &str) {
    rig.admin()
        .await
        .run(format!(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'this server is not well' USING ERRCODE = '{code}'; END $$;
             CREATE TRIGGER fail BEFORE INSERT ON journal EXECUTE FUNCTION fail()"
        ))
        .await;
}

on_postgres!(a_full_disk_of_the_server_refuses_writes_and_is_got_over, async |rig: Rig| {
    let ledger = rig.ledger().await;
    fail_with(&rig, "53100").await;
    let answers = join_all((0..3).map(|n| ledger.place(&rig.order(format!("n{n}"))))).await;
    for answer in answers {
        assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
    }
    rig.admin().await.run("DROP FUNCTION fail CASCADE").await;
    assert_eq!((rig.numbers().await.len(), ledger.died()), (0, None));
    assert!(is_new(&ledger.place(&rig.order("after")).await), "the same ledger goes on");
    ledger.finish().await;
});

/// Nothing that a dead ledger is asked to write is acknowledged, by any of its writers.
async fn acknowledges_nothing(rig: &Rig, ledger: Running) {
    tokio::time::timeout(GUARD, ledger.ledger.died()).await.expect("the server hears of it and can exit");
    let answers = join_all((0..8).map(|n| ledger.place(&rig.order(format!("late {n}"))))).await;
    for answer in answers {
        assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
    }
    ledger.finish().await;
}

on_postgres!(an_io_error_of_the_server_is_fatal_and_nothing_is_acknowledged_any_more, async |rig: Rig| {
    let ledger = rig.ledger_with(Settings { writers: 2, ..Rig::settings() }).await;
    fail_with(&rig, "58030").await;
    let answer = ledger.place(&rig.order("p1")).await;
    assert_eq!(answer.map(drop), Err(LedgerError::InDoubt));
    rig.admin().await.run("DROP FUNCTION fail CASCADE").await;
    acknowledges_nothing(&rig, ledger).await;
    assert_eq!(rig.numbers().await.len(), 0);
});

#[tokio::test]
async fn a_damaged_file_is_fatal_and_nothing_is_acknowledged_any_more() {
    let rig = Rig::new(Backend::Sqlite).await;
    let test = async {
        let ledger = rig.ledger().await;
        assert!(is_new(&ledger.place(&rig.order("before")).await));
        let mut other = rig.connection().await;
        other.plain("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("all is in the file");
        damage(&rig.folder.path().join("scangate.db"));
        // A change by somebody else: the ledger's connection has to read the file again.
        other.plain("PRAGMA user_version = 7").await.expect("the first page is whole");
        other.close().await;
        let answer = ledger.place(&rig.order("p1")).await;
        assert_eq!(answer.map(drop), Err(LedgerError::InDoubt));
        acknowledges_nothing(&rig, ledger).await;
    };
    tokio::time::timeout(GUARD, test).await.expect("the test comes to its end");
}

/// All pages but the first.
fn damage(file: &Path) {
    const PAGE: u64 = 4096;
    let file = std::fs::File::options().write(true).open(file).expect("the store's file");
    let rest = file.metadata().expect("its length").len() - PAGE;
    let garbage = vec![0xa5; usize::try_from(rest).expect("a small file")];
    file.write_all_at(&garbage, PAGE).expect("it is overwritten");
}

#[tokio::test]
async fn a_file_that_another_process_keeps_locked_refuses_and_is_got_over() {
    let rig = Rig::new(Backend::Sqlite).await;
    let test = async {
        let Connector::Sqlite(file) = rig.store.connector.clone() else { panic!("it is a file") };
        let soon = file.busy_timeout(Duration::from_millis(2));
        let ledger = Running::start(Connector::Sqlite(soon), Rig::settings()).await;
        let store = rig.hold().await;
        let answers = join_all([ledger.place(&rig.order("p1")), ledger.place(&rig.order("p2"))]).await;
        for answer in answers {
            assert!(matches!(answer, Err(LedgerError::Unavailable(_))), "{answer:?}");
        }
        store.release().await;
        assert!(is_new(&ledger.place(&rig.order("p3")).await), "the same ledger goes on");
        assert_eq!(rig.numbers().await, ["p3"]);
        ledger.finish().await;
    };
    tokio::time::timeout(GUARD, test).await.expect("the test comes to its end");
}
