//! Random interleavings of everything that can happen to orders, on both stores, against the one rule that counts:
//! money told to merchants is money paid, always.

mod harness;

#[path = "model/play.rs"]
mod play;
#[path = "model/steps.rs"]
mod steps;
#[path = "model/truth.rs"]
mod truth;

use harness::Backend;
use play::{DEADLINE, Play};
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use steps::Step;

/// Random histories.
const CASES_ON_SQLITE: u32 = 30;
/// The same with two gateways, which takes longer.
const CASES_ON_POSTGRES: u32 = 12;

#[test]
fn money_told_is_money_paid_whatever_happens_on_sqlite() {
    whatever_happens(Backend::Sqlite);
}

#[test]
fn money_told_is_money_paid_whatever_happens_on_postgres() {
    whatever_happens(Backend::Postgres);
}

fn whatever_happens(backend: Backend) {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&harness::seed().to_le_bytes());
    let cases = match backend {
        Backend::Sqlite => CASES_ON_SQLITE,
        Backend::Postgres => CASES_ON_POSTGRES,
    };
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        max_shrink_time: 120_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let database = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(runtime.block_on(harness::new_database())),
    };
    let history = vec(steps::step(), 40..80);
    let outcome = runner.run(&history, |history| {
        // In a task: what a failed history leaves behind ends with it.
        let played = runtime.block_on(runtime.spawn(play(database.clone(), history)));
        played.map_err(|failed| TestCaseError::fail(panic_text(failed)))
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, history)) => panic!("{why}\nin the shortest history found: {history:?}"),
        Err(error) => panic!("{error}"),
    }
}

async fn play(database: Option<String>, history: Vec<Step>) {
    let begin = tokio::time::timeout(DEADLINE, Play::begin(database));
    let mut play = begin.await.expect("the stage is set");
    for step in &history {
        let taken = async {
            play.take(step).await;
            play.check().await;
        };
        let taken = tokio::time::timeout(DEADLINE, taken).await;
        assert!(taken.is_ok(), "{step:?} comes to its end");
    }
    tokio::time::timeout(DEADLINE, play.come_to_rest()).await.expect("all comes to rest");
    play.end().await;
}

fn panic_text(failed: tokio::task::JoinError) -> String {
    let payload = failed.into_panic();
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_else(|| "a panic".to_owned())
}
