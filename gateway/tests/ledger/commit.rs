//! A COMMIT whose outcome is lost is found out before anybody is answered, and nothing is done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use gateway::entity::{delivery, setting};
use gateway::ledger::{Claim, LedgerError, NewOrder, Placement};

use crate::kit::{NOW, Rig, begin};
use crate::proxy::{Fate, behind_proxy};
use crate::writes::{claim, insert, is_new};

fn patience() -> Duration {
    Rig::settings().patience
}

/// One batch of every kind of write meets `fates`, one COMMIT after the other; all is written once, and every
/// caller hears what then stands. Returns how often the payment was decided on.
async fn every_kind_of_write_survives(rig: &Rig, fates: &[Fate]) -> usize {
    let (ledger, proxy) = behind_proxy(rig, patience()).await;
    let order = rig.order("paid");
    assert!(is_new(&ledger.place(&order).await));
    let due = rig.due();
    let sent = delivery::Model { lease: Some("node".into()), leased_until: Some(i64::MAX), ..rig.due() };
    ledger.rows(insert::<delivery::Entity>(&[due.clone(), sent.clone()])).await.expect("they are written");
    let setting = setting::Model { name: "name".into(), value: vec![1], updated_at: NOW };
    let (before, commits, decisions) = (rig.tally().await, proxy.commits(), Arc::new(AtomicUsize::new(0)));

    for fate in fates {
        proxy.next_commit(*fate);
    }
    let new = rig.order("placed");
    let (placed, paid, counted, moved, claimed, written) = tokio::join!(
        ledger.place(&new),
        ledger.change(rig.pay(&order, &decisions)),
        ledger.change(rig.count(&rig.order("never placed"))),
        ledger.advance(rig.failed_attempt(&sent.id, "node")),
        ledger.claim(claim("node")),
        ledger.rows(insert::<setting::Entity>(&[setting])),
    );

    assert!(is_new(&placed), "{placed:?}");
    let event_id = paid.expect("it is written").expect("it is news");
    let events: Vec<String> = rig.events().await.into_iter().map(|event| event.id).collect();
    assert_eq!(events, [event_id], "told once, and the caller knows the one that was told");
    assert_eq!(counted, Err(LedgerError::Missing));
    assert_eq!(moved, Ok(true));
    assert_eq!(claimed, Ok(vec![due.id.clone()]));
    assert!(written.is_ok(), "{written:?}");

    let standing = rig.standing(&order.order.id).await.expect("it stands");
    assert_eq!((standing.status.as_str(), standing.events), ("paid", 1));
    assert_eq!(rig.delivery(&due.id).await.lease.as_deref(), Some("node"));
    let after_attempt = rig.delivery(&sent.id).await;
    assert_eq!((after_attempt.attempts, after_attempt.lease), (1, None));
    let after = rig.tally().await;
    assert_eq!((after.orders, after.submissions), (before.orders + 1, before.submissions + 1));
    assert_eq!((after.journal, after.events), (before.journal + 2, 1));
    assert_eq!((after.deliveries, after.attempts), (before.deliveries + 1, 1));
    assert_eq!(proxy.commits() - commits, fates.len() + 1);
    ledger.finish().await;
    decisions.load(Ordering::SeqCst)
}

on_postgres!(a_commit_that_went_through_and_was_not_answered_is_found_standing, async |rig: Rig| {
    assert_eq!(
        every_kind_of_write_survives(&rig, &[Fate::AnswerLost]).await,
        1,
        "what stands is not decided again"
    );
});

on_postgres!(a_commit_that_never_arrived_is_found_missing_and_its_batch_written_once, async |rig: Rig| {
    assert_eq!(every_kind_of_write_survives(&rig, &[Fate::Lost]).await, 2, "once more, on what stood then");
});

on_postgres!(a_commit_is_found_out_however_often_its_outcome_is_lost, async |rig: Rig| {
    let fates = [Fate::Lost, Fate::AnswerLost, Fate::AnswerLost, Fate::Lost];
    assert_eq!(every_kind_of_write_survives(&rig, &fates).await, 2);
});

on_postgres!(what_others_did_while_a_commit_was_in_doubt_is_respected, async |rig: Rig| {
    let (ledger, proxy) = behind_proxy(&rig, patience()).await;
    let other = rig.ledger().await;
    let (order, taken) = (rig.order("p1"), rig.order("p2"));
    assert!(is_new(&other.place(&order).await));

    // None of it arrives, and before it is written again others write the same.
    proxy.last_commit(Fate::Lost);
    let ours = begin(ledger.place(&rig.order("p2"))).await;
    let counted = begin(ledger.change(rig.count(&order))).await;
    proxy.is_shut().await;
    assert!(is_new(&other.place(&taken).await));
    assert_eq!(other.change(rig.count(&order)).await, Ok(0));
    proxy.open();

    let ours = ours.await.expect("it is answered");
    assert!(matches!(&ours, Ok(Placement::Taken(by)) if by.id == taken.order.id), "{ours:?}");
    assert_eq!(counted.await.expect("it is answered"), Ok(1), "it saw the other's");
    ledger.finish().await;
    other.finish().await;
});

on_postgres!(what_others_did_after_a_commit_that_stands_is_not_undone, async |rig: Rig| {
    let (ledger, proxy) = behind_proxy(&rig, patience()).await;
    let other = rig.ledger().await;
    let order = rig.order("p1");
    assert!(is_new(&other.place(&order).await));
    let sent = delivery::Model { lease: Some("node".into()), leased_until: Some(i64::MAX), ..rig.due() };
    other.rows(insert::<delivery::Entity>(std::slice::from_ref(&sent))).await.expect("it is written");

    proxy.last_commit(Fate::AnswerLost);
    let moved = begin(ledger.advance(rig.failed_attempt(&sent.id, "node"))).await;
    let counted = begin(ledger.change(rig.count(&order))).await;
    proxy.is_shut().await;
    assert_eq!(other.change(rig.count(&order)).await, Ok(1), "the first one stands");
    // The same node takes the delivery again, by another way.
    let again = Claim { now: NOW + 3_600_000, ..claim("node") };
    assert_eq!(other.claim(again).await, Ok(vec![sent.id.clone()]));
    let claimed_again = rig.delivery(&sent.id).await;
    proxy.open();

    assert_eq!(counted.await.expect("it is answered"), Ok(0));
    assert_eq!(moved.await.expect("it is answered"), Ok(true));
    assert_eq!(rig.standing(&order.order.id).await.expect("it stands").events, 2);
    assert_eq!(rig.delivery(&sent.id).await, claimed_again);
    assert_eq!(rig.tally().await.attempts, 1);
    ledger.finish().await;
    other.finish().await;
});

on_postgres!(a_commit_in_doubt_in_the_midst_of_halving_is_found_out, async |rig: Rig| {
    let (ledger, proxy) = behind_proxy(&rig, patience()).await;
    let mut orders: Vec<NewOrder> = (0..8).map(|n| rig.order(format!("n{n}"))).collect();
    orders[2].order.amount = 0;
    proxy.next_commit(Fate::AnswerLost);
    proxy.next_commit(Fate::Passes);
    proxy.next_commit(Fate::Lost);
    let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;
    for (n, answer) in answers.iter().enumerate() {
        match n {
            2 => assert!(matches!(answer, Err(LedgerError::Rejected(_))), "{answer:?}"),
            _ => assert!(is_new(answer), "{n}: {answer:?}"),
        }
    }
    let tally = rig.tally().await;
    assert_eq!((tally.orders, tally.submissions, tally.journal), (7, 7, 7));
    ledger.finish().await;
});

on_postgres!(
    a_server_that_ends_the_session_inside_commit_leaves_a_doubt_that_is_found_out,
    async |rig: Rig| {
        let mut admin = rig.admin().await;
        admin
            .run(
                "CREATE SEQUENCE times;
             CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('times') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
                 PERFORM pg_sleep(0);
                 RETURN NULL;
             END $$;
             CREATE CONSTRAINT TRIGGER end_session AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION end_session()",
            )
            .await;
        let ledger = rig.ledger().await;
        assert!(is_new(&ledger.place(&rig.order("p1")).await));
        assert_eq!(
            admin.number("SELECT last_value FROM times").await,
            2,
            "the first try did come to its COMMIT"
        );
        let tally = rig.tally().await;
        assert_eq!((tally.orders, tally.submissions, tally.journal), (1, 1, 1));
        ledger.finish().await;
    }
);

on_postgres!(callers_are_answered_after_the_commit_is_and_not_before, async |rig: Rig| {
    let (ledger, proxy) = behind_proxy(&rig, patience()).await;
    let (patient, impatient) = (rig.order("patient"), rig.order("impatient"));
    proxy.next_commit(Fate::AnswerHeld);
    let waits = begin(ledger.place(&patient)).await;
    let gives_up = begin(ledger.place(&impatient)).await;
    proxy.holds_an_answer().await;
    assert_eq!(rig.numbers().await, ["impatient", "patient"], "it is written, but we have not heard");
    assert!(!waits.is_finished() && !gives_up.is_finished());
    gives_up.abort();
    assert!(gives_up.await.is_err_and(|error| error.is_cancelled()));
    proxy.let_the_answer_go();
    assert!(is_new(&waits.await.expect("it is answered")));
    assert!(is_new(&ledger.place(&rig.order("the next")).await));
    assert_eq!(proxy.commits(), 2, "a caller that gives up does not disturb the COMMIT");
    ledger.finish().await;
});

on_postgres!(
    a_commit_that_took_longer_than_patience_and_was_lost_is_found_out_all_the_same,
    async |rig: Rig| {
        for (number, fate) in [("committed", Fate::AnswerLost), ("not committed", Fate::Lost)] {
            let (ledger, proxy) = behind_proxy(&rig, Duration::ZERO).await;
            proxy.next_commit(fate);
            let placed = ledger.place(&rig.order(number)).await;
            assert!(is_new(&placed), "{number}: {placed:?}");
            ledger.finish().await;
        }
        assert_eq!(rig.numbers().await, ["committed", "not committed"]);
    }
);
