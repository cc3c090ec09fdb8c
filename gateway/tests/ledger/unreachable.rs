//! A connection that is cut is replaced; one that cannot be replaced is no reason to call anything written.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gateway::ledger::{LedgerError, NewOrder};

use crate::kit::{Rig, begin};
use crate::proxy::{Fate, behind_proxy};
use crate::writes::is_new;

/// Short, so that the tests need not wait long for it to end.
const PATIENCE: Duration = Duration::from_millis(250);

/// Of a batch that is cut in front of a statement with this text, nothing is written until it is written again.
async fn cut_before(rig: &Rig, text: &'static str) {
    let (ledger, proxy) = behind_proxy(rig, Rig::settings().patience).await;
    let before = rig.tally().await;
    let orders: Vec<NewOrder> = (0..3).map(|n| rig.order(format!("{}-{n}", rig.chance.id()))).collect();
    proxy.shut_before(text);
    let mut answers = Vec::new();
    for order in &orders {
        answers.push(begin(ledger.place(order)).await);
    }
    proxy.is_shut().await;
    assert_eq!(rig.tally().await, before, "{text}");
    assert!(answers.iter().all(|answer| !answer.is_finished()), "{text}: nobody is answered yet");
    proxy.open();
    for answer in answers {
        let answer = answer.await.expect("it is answered");
        assert!(is_new(&answer), "{text}: {answer:?}");
    }
    let after = rig.tally().await;
    let written = (
        after.orders - before.orders,
        after.submissions - before.submissions,
        after.journal - before.journal,
    );
    assert_eq!((written, proxy.commits()), ((3, 3, 3), 1), "{text}");
    ledger.finish().await;
}

on_postgres!(a_connection_cut_before_commit_wrote_nothing_and_the_batch_is_repeated, async |rig: Rig| {
    for text in ["BEGIN", "INSERT INTO \"orders\"", "INSERT INTO \"submissions\"", "INSERT INTO \"journal\""]
    {
        cut_before(&rig, text).await;
    }
});

on_postgres!(a_session_that_the_server_ends_before_commit_is_repeated, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let mut admin = rig.admin().await;
    let journal = rig.hold_by(&["BEGIN", "LOCK TABLE journal IN EXCLUSIVE MODE"]).await;
    let answer = begin(ledger.place(&rig.order("p1"))).await;
    admin.waiting(1).await; // its order is inserted, its entry is not
    admin
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .await;
    journal.release().await;
    assert!(is_new(&answer.await.expect("it is answered")));
    let tally = rig.tally().await;
    assert_eq!((tally.orders, tally.submissions, tally.journal), (1, 1, 1));
    ledger.finish().await;
});

on_postgres!(a_connection_lost_between_two_batches_is_noticed_by_nobody, async |rig: Rig| {
    let (ledger, proxy) = behind_proxy(&rig, Rig::settings().patience).await;
    for n in 0..3 {
        assert!(is_new(&ledger.place(&rig.order(format!("n{n}"))).await));
        proxy.shut().await;
        proxy.open();
    }
    assert_eq!(rig.numbers().await, ["n0", "n1", "n2"]);
    ledger.finish().await;
});

on_postgres!(
    a_store_that_stays_away_before_commit_is_called_unavailable_and_nothing_is_written,
    async |rig: Rig| {
        for text in ["BEGIN", "UPDATE \"orders\""] {
            let (ledger, proxy) = behind_proxy(&rig, PATIENCE).await;
            let order = rig.order(format!("there before {text}"));
            assert!(is_new(&ledger.place(&order).await));
            let before = rig.tally().await;

            proxy.shut_before(text);
            let (new, decisions) = (rig.order(format!("cut before {text}")), Arc::default());
            let (placed, paid) = tokio::join!(ledger.place(&new), ledger.change(rig.pay(&order, &decisions)));
            assert!(matches!(placed, Err(LedgerError::Unavailable(_))), "{text}: {placed:?}");
            assert!(matches!(paid, Err(LedgerError::Unavailable(_))), "{text}: {paid:?}");
            assert_eq!(rig.tally().await, before, "{text}");
            assert_eq!(rig.standing(&order.order.id).await, Some(order.order.clone()), "{text}");
            assert_eq!((proxy.commits(), ledger.died()), (1, None), "{text}");

            proxy.open();
            let (placed, paid) = tokio::join!(ledger.place(&new), ledger.change(rig.pay(&order, &decisions)));
            assert!(is_new(&placed), "{text}: {placed:?}");
            assert!(matches!(paid, Ok(Some(_))), "{text}: {paid:?}");
            ledger.finish().await;
        }
    }
);

on_postgres!(a_store_that_stays_away_after_commit_was_sent_leaves_the_callers_in_doubt, async |rig: Rig| {
    for (fate, stands) in [(Fate::Lost, false), (Fate::AnswerLost, true)] {
        let (ledger, proxy) = behind_proxy(&rig, PATIENCE).await;
        let order = rig.order(format!("paid {fate:?}"));
        assert!(is_new(&ledger.place(&order).await));
        let before = rig.tally().await;

        proxy.last_commit(fate);
        let (new, decisions) = (rig.order(format!("placed {fate:?}")), Arc::default());
        let (placed, paid) = tokio::join!(ledger.place(&new), ledger.change(rig.pay(&order, &decisions)));
        assert_eq!(placed.map(drop), Err(LedgerError::InDoubt), "{fate:?}");
        assert_eq!(paid, Err(LedgerError::InDoubt), "{fate:?}");
        let after = rig.tally().await;
        let written = u64::from(stands);
        assert_eq!(
            (after.orders - before.orders, after.events - before.events),
            (written, written),
            "{fate:?}"
        );

        let next = ledger.place(&rig.order(format!("next {fate:?}"))).await;
        assert!(matches!(next, Err(LedgerError::Unavailable(_))), "of this one no COMMIT was sent: {next:?}");

        proxy.open();
        assert!(is_new(&ledger.place(&new).await), "it is the same order, whether it stood or not");
        let paid = ledger.change(rig.pay(&order, &decisions)).await.expect("it is written");
        assert_eq!(paid.is_none(), stands, "{fate:?}: it is decided on what stands");
        assert_eq!(rig.standing(&order.order.id).await.expect("it stands").events, 1, "{fate:?}");
        ledger.finish().await;
    }
});

on_postgres!(callers_who_wait_while_the_store_is_away_are_answered_when_it_is_back, async |rig: Rig| {
    let (ledger, proxy) = behind_proxy(&rig, Rig::settings().patience).await;
    proxy.shut().await;
    let waiting = begin(join_all((0..5).map(|n| ledger.place(&rig.order(format!("n{n}")))))).await;
    proxy.turned_somebody_away().await;
    proxy.open();
    assert!(waiting.await.expect("they are answered").iter().all(is_new));
    ledger.finish().await;
});
