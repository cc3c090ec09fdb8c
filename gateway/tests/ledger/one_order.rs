//! Writes about one order never share a batch, and no move that is not in the table is written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use gateway::entity::delivery;
use gateway::ledger::{Lane, LedgerError, Placement, Settings};

use crate::harness::Backend;
use crate::kit::{Rig, begin};
use crate::writes::{insert, is_new};

on_both_stores!(
    two_changes_of_one_order_go_in_separate_batches_and_the_second_sees_the_first,
    async |rig: Rig| {
        let ledger = rig.ledger().await;
        let (order, neighbour) = (rig.order("p1"), rig.order("p2"));
        assert!(is_new(&ledger.place(&order).await) && is_new(&ledger.place(&neighbour).await));
        let (first, second, beside) = tokio::join!(
            ledger.change(rig.count(&order)),
            ledger.change(rig.count(&order)),
            ledger.change(rig.count(&neighbour)),
        );
        assert_eq!((first, second, beside), (Ok(0), Ok(1), Ok(0)));
        assert_eq!(rig.standing(&order.order.id).await.expect("it stands").events, 2);
        if rig.backend == Backend::Postgres {
            let batches = rig.admin().await.transactions("journal WHERE kind = 'altered'").await;
            assert_eq!(batches, 2, "the neighbour went with the first");
        }
        ledger.finish().await;
    }
);

on_both_stores!(a_payment_heard_of_twice_at_once_is_told_once, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let order = rig.order("p1");
    assert!(is_new(&ledger.place(&order).await));
    let decisions = Arc::default();
    let (first, second) =
        tokio::join!(ledger.change(rig.pay(&order, &decisions)), ledger.change(rig.pay(&order, &decisions)));
    let told = first.expect("the change is written").expect("it is news");
    assert_eq!(second, Ok(None), "the second found it paid");
    let events = rig.events().await;
    assert_eq!(events.iter().map(|event| &event.id).collect::<Vec<_>>(), [&told]);
    assert_eq!(decisions.load(Ordering::SeqCst), 2);
    ledger.finish().await;
});

on_both_stores!(a_number_placed_twice_at_once_is_one_order, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (first, second) = (rig.order("same"), rig.order("same"));
    let (one, other) = tokio::join!(ledger.place(&first), ledger.place(&second));
    assert!(is_new(&one), "{one:?}");
    let Ok(Placement::Taken(holder)) = other else { panic!("{other:?}") };
    assert_eq!(*holder, first.order);
    let tally = rig.tally().await;
    assert_eq!((tally.orders, tally.submissions, tally.journal), (1, 1, 1));
    ledger.finish().await;
});

on_both_stores!(changes_of_one_order_keep_their_order_with_several_writers_at_work, async |rig: Rig| {
    let writers = if rig.backend == Backend::Postgres { 4 } else { 1 };
    let ledger = rig.ledger_with(Settings { writers, ..Rig::settings() }).await;
    let orders: Vec<_> = (0..4).map(|n| rig.order(format!("n{n}"))).collect();
    for order in &orders {
        assert!(is_new(&ledger.place(order).await));
    }
    let mut changes = Vec::new();
    for round in 0..10 {
        for order in &orders {
            changes.push((round, begin(ledger.change(rig.count(order))).await));
        }
    }
    for (round, change) in changes {
        assert_eq!(change.await.expect("it is answered"), Ok(round));
    }
    ledger.finish().await;
});

on_both_stores!(what_was_told_meanwhile_is_not_forgotten_by_who_saw_the_order_before, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (order, decisions) = (rig.order("p1"), Arc::default());
    assert!(is_new(&ledger.place(&order).await));
    // A fact that differs came first: it is held and told of, and the order stays as it is.
    assert_eq!(ledger.change(rig.count(&order)).await, Ok(0));
    ledger.change(rig.open(&order, &decisions)).await.expect("it is written");
    let stands = rig.standing(&order.order.id).await.expect("it is there");
    assert_eq!((stands.status.as_str(), stands.events), ("awaiting", 1));
    assert_eq!(decisions.load(Ordering::SeqCst), 2, "decided again on a look");
    ledger.finish().await;
});

on_both_stores!(two_moves_of_one_delivery_are_both_recorded_and_the_first_one_moves_it, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let held = delivery::Model { lease: Some("node".into()), leased_until: Some(i64::MAX), ..rig.due() };
    ledger.rows(insert::<delivery::Entity>(std::slice::from_ref(&held))).await.expect("it is written");
    let mut late = rig.failed_attempt(&held.id, "node");
    (late.attempts, late.due_at) = (9, 1);
    let (first, second) =
        tokio::join!(ledger.advance(rig.failed_attempt(&held.id, "node")), ledger.advance(late.clone()));
    assert_eq!((first, second), (Ok(true), Ok(false)), "the first gave the lease back");
    assert_eq!(rig.delivery(&held.id).await.attempts, 1);
    assert_eq!(rig.tally().await.attempts, 2);
    ledger.finish().await;
});

on_both_stores!(an_illegal_move_is_refused_and_changes_nothing, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (order, neighbour) = (rig.order("p1"), rig.order("p2"));
    assert!(is_new(&ledger.place(&order).await) && is_new(&ledger.place(&neighbour).await));
    ledger.change(rig.pay(&order, &Arc::default())).await.expect("it is paid").expect("it is news");
    let (paid, before) = (rig.standing(&order.order.id).await, rig.tally().await);
    for back_to in ["submitting", "unknown", "awaiting", "refused", "failed", "closed"] {
        let (moved, beside) = tokio::join!(
            ledger.change(rig.alter(&order, move |order| {
                order.status = back_to.into();
                order.paid = 0;
            })),
            ledger.change(rig.count(&neighbour)),
        );
        assert!(matches!(moved, Err(LedgerError::Rejected(_))), "paid to {back_to}: {moved:?}");
        assert!(beside.is_ok(), "{beside:?}");
    }
    assert_eq!(rig.standing(&order.order.id).await, paid);
    let after = rig.tally().await;
    assert_eq!(
        (after.journal, after.events),
        (before.journal + 6, before.events),
        "only the neighbour's entries"
    );
    ledger.finish().await;
});

on_both_stores!(who_wrote_an_order_a_moment_ago_moves_it_without_another_look, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let orders: Vec<_> = (0..3).map(|n| rig.order(format!("n{n}"))).collect();
    for order in &orders {
        assert!(is_new(&ledger.place(order).await));
    }
    let decisions = Arc::default();
    let opened = join_all(orders.iter().map(|order| ledger.change(rig.open(order, &decisions)))).await;
    for (order, opened) in orders.iter().zip(opened) {
        assert_eq!(opened, Ok(("submitting".into(), order.submission.id.clone())));
        assert_eq!(rig.standing(&order.order.id).await.expect("it stands").status, "awaiting");
    }
    assert_eq!((decisions.load(Ordering::SeqCst), rig.tally().await.journal), (3, 6));
    ledger.finish().await;
});

on_both_stores!(what_a_caller_saw_of_an_order_does_not_count_once_it_has_moved, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (paid, submitted_again) = (rig.order("paid"), rig.order("submitted again"));
    let (still, missing) = (rig.order("still as it was"), rig.order("never placed"));
    for order in [&paid, &submitted_again, &still] {
        assert!(is_new(&ledger.place(order).await));
    }
    let event_id = ledger.change(rig.pay(&paid, &Arc::default())).await.expect("it is paid");
    let later = rig.chance.id();
    ledger
        .change(rig.alter(&submitted_again, |order| order.status = "unknown".into()))
        .await
        .expect("it moves");
    let again = later.clone();
    let resubmitted = rig.alter(&submitted_again, move |order| {
        order.status = "submitting".into();
        order.submission_id.clone_from(&again);
        order.submissions = 2;
    });
    ledger.change(resubmitted).await.expect("it moves back to the same status");

    let decisions = Arc::default();
    let opened = join_all(
        [&paid, &submitted_again, &still, &missing].map(|order| ledger.change(rig.open(order, &decisions))),
    )
    .await;

    let expected = [
        Ok(("paid".to_owned(), paid.submission.id.clone())),
        Ok(("submitting".to_owned(), later.clone())),
        Ok(("submitting".to_owned(), still.submission.id.clone())),
        Err(LedgerError::Missing),
    ];
    assert_eq!(opened, expected, "decided on what stood");
    let standing = rig.standing(&paid.order.id).await.expect("it stands");
    assert_eq!((standing.status.as_str(), standing.events), ("paid", 1));
    assert_eq!(rig.events().await[0].id, event_id.expect("it is news"));
    let standing = rig.standing(&submitted_again.order.id).await.expect("it stands");
    assert_eq!(
        (standing.status.as_str(), standing.submission_id, standing.submissions),
        ("awaiting", later, 2)
    );
    ledger.finish().await;
});

on_both_stores!(an_order_that_is_not_there_is_missed_and_its_neighbours_are_written, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let order = rig.order("p1");
    assert!(is_new(&ledger.place(&order).await));
    let nobody = rig.order("never placed");
    let answers = tokio::join!(ledger.change(rig.count(&nobody)), ledger.change(rig.count(&order)));
    assert_eq!(answers, (Err(LedgerError::Missing), Ok(0)));
    assert_eq!(rig.tally().await.journal, 2);
    ledger.finish().await;
});

on_both_stores!(a_change_runs_in_whatever_lane_it_is_put, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let order = rig.order("p1");
    assert!(is_new(&ledger.place(&order).await));
    let lanes = [Lane::Bulk, Lane::Attempts, Lane::Money];
    let answers = join_all(lanes.map(|lane| ledger.change_in(lane, rig.count(&order)))).await;
    let mut seen: Vec<i64> = answers.into_iter().map(|answer| answer.expect("it is written")).collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2], "one after the other, whatever lane they came by");
    ledger.finish().await;
});
