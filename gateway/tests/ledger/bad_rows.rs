//! A write that breaks a rule fails alone: its neighbours in the batch are strangers to it.

use std::sync::Arc;

use futures_util::future::join_all;
use gateway::entity::{order, setting};
use gateway::ledger::{LedgerError, MAX_BATCH, NewOrder, Settings};

use crate::kit::{NOW, Rig};
use crate::writes::{claim, insert, is_new};

type Spoil = fn(&mut NewOrder);

/// Ways to break a rule of the schema, in each table that placing writes to.
const SPOILED: [(&str, Spoil); 9] = [
    ("no amount", |rows| rows.order.amount = 0),
    ("too large an amount", |rows| rows.order.amount = (1 << 53) + 1),
    ("no number", |rows| rows.order.number = String::new()),
    ("too long a number", |rows| rows.order.number = "9".repeat(33)),
    ("a status nobody knows", |rows| rows.order.status = "lost".into()),
    ("paid without money", |rows| rows.order.status = "paid".into()),
    ("expired before it was made", |rows| rows.order.expires_at = NOW - 1),
    ("a submission without an amount", |rows| rows.submission.amount = 0),
    ("a submission with too long a number", |rows| rows.submission.id = "9".repeat(33)),
];

on_both_stores!(a_row_that_breaks_a_rule_fails_alone_and_its_neighbours_are_written, async |rig: Rig| {
    for (at, (what, spoil)) in SPOILED.into_iter().enumerate() {
        let ledger = rig.ledger().await;
        let mut orders: Vec<NewOrder> = (0..8).map(|n| rig.order(format!("{at}-{n}"))).collect();
        let bad = at % orders.len(); // first, last and in between
        spoil(&mut orders[bad]);
        let before = rig.tally().await;

        let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;

        for (n, answer) in answers.iter().enumerate() {
            if n == bad {
                assert!(matches!(answer, Err(LedgerError::Rejected(_))), "{what}: {answer:?}");
            } else {
                assert!(is_new(answer), "{what}, order {n}: {answer:?}");
            }
        }
        let after = rig.tally().await;
        let written = (
            after.orders - before.orders,
            after.submissions - before.submissions,
            after.journal - before.journal,
        );
        assert_eq!(written, (7, 7, 7), "{what}");
        assert_eq!(rig.standing(&orders[bad].order.id).await, None, "{what}");
        ledger.finish().await;
    }
});

on_both_stores!(several_bad_rows_in_one_batch_fail_and_nothing_else_does, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let mut orders: Vec<NewOrder> = (0..20).map(|n| rig.order(format!("n{n:02}"))).collect();
    let bad = [0, 7, 8, 19];
    for n in bad {
        orders[n].order.amount = -1;
    }
    let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(is_new(answer), !bad.contains(&n), "{n}: {answer:?}");
    }
    let good: Vec<String> = (0..20).filter(|n| !bad.contains(n)).map(|n| format!("n{n:02}")).collect();
    assert_eq!(rig.numbers().await, good);
    ledger.finish().await;
});

on_both_stores!(every_kind_of_write_fails_alone_and_spares_every_kind_of_write, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let orders: Vec<NewOrder> = (0..2).map(|n| rig.order(format!("n{n}"))).collect();
    let due = rig.due();
    let sent = [rig.due(), rig.due()].map(|delivery| gateway::entity::delivery::Model {
        lease: Some("node".into()),
        leased_until: Some(i64::MAX),
        ..delivery
    });
    for order in &orders {
        assert!(is_new(&ledger.place(order).await));
    }
    ledger
        .rows(insert::<gateway::entity::delivery::Entity>(&[due.clone(), sent[0].clone(), sent[1].clone()]))
        .await
        .expect("due");

    let (good_order, mut bad_order) = (rig.order("good"), rig.order("bad"));
    bad_order.order.amount = 0;
    let mut bad_step = rig.failed_attempt(&sent[1].id, "node");
    bad_step.attempt.as_mut().expect("there is an attempt").duration_ms = -1;
    let setting = |name: &str| setting::Model { name: name.into(), value: vec![1], updated_at: NOW };
    let nothing = insert::<order::Entity>(&[order::Model { amount: 0, ..rig.order("bad rows").order }]);
    let decisions = Arc::default();
    let before = rig.tally().await;

    let (placed, not_placed, paid, not_changed, moved, not_moved, claimed, written, not_written) = tokio::join!(
        ledger.place(&good_order),
        ledger.place(&bad_order),
        ledger.change(rig.pay(&orders[0], &decisions)),
        ledger.change(rig.alter(&orders[1], |order| order.refund_reserved = 1)), // more than was paid
        ledger.advance(rig.failed_attempt(&sent[0].id, "node")),
        ledger.advance(bad_step),
        ledger.claim(claim("node")),
        ledger.rows(insert::<setting::Entity>(&[setting("good")])),
        ledger.rows(nothing),
    );

    assert!(is_new(&placed), "{placed:?}");
    assert!(matches!(not_placed, Err(LedgerError::Rejected(_))), "{not_placed:?}");
    assert!(matches!(paid, Ok(Some(_))), "{paid:?}");
    assert!(matches!(not_changed, Err(LedgerError::Rejected(_))), "{not_changed:?}");
    assert_eq!(moved, Ok(true));
    assert!(matches!(not_moved, Err(LedgerError::Rejected(_))), "{not_moved:?}");
    assert_eq!(claimed, Ok(vec![due.id]));
    assert_eq!(written, Ok(1));
    assert!(matches!(not_written, Err(LedgerError::Rejected(_))), "{not_written:?}");
    let after = rig.tally().await;
    assert_eq!((after.orders, after.events, after.deliveries), (before.orders + 1, 1, before.deliveries + 1));
    assert_eq!((after.journal, after.attempts), (before.journal + 2, 1));
    assert_eq!(rig.delivery(&sent[1].id).await, sent[1], "a refused attempt moves nothing");
    assert_eq!(rig.standing(&orders[1].order.id).await, Some(orders[1].order.clone()));
    ledger.finish().await;
});

on_postgres!(text_that_postgresql_cannot_hold_fails_alone, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let mut orders: Vec<NewOrder> = (0..5).map(|n| rig.order(format!("n{n}"))).collect();
    orders[1].order.title = Some("Con\0sume".into());
    orders[3].order.number = "n\u{0}3".into();
    let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;
    let (good, bad): (Vec<usize>, Vec<usize>) = (0..5).partition(|n| is_new(&answers[*n]));
    assert_eq!((good, bad), (vec![0, 2, 4], vec![1, 3]));
    for n in [1, 3] {
        assert!(matches!(&answers[n], Err(LedgerError::Rejected(_))), "{:?}", answers[n]);
    }
    assert_eq!(rig.numbers().await, ["n0", "n2", "n4"]);
    ledger.finish().await;
});

on_postgres!(a_refusal_that_only_comes_at_commit_fails_only_the_write_at_fault, async |rig: Rig| {
    let mut admin = rig.admin().await;
    admin
        .run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'check_violation'; END $$;
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW WHEN (NEW.title = 'refuse') EXECUTE FUNCTION refuse()",
        )
        .await;
    let ledger = rig.ledger().await;
    let mut orders: Vec<NewOrder> = (0..6).map(|n| rig.order(format!("n{n}"))).collect();
    orders[4].order.title = Some("refuse".into());
    let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(is_new(answer), n != 4, "{n}: {answer:?}");
    }
    assert!(
        matches!(&answers[4], Err(LedgerError::Rejected(_))),
        "a plain refusal of COMMIT leaves no doubt"
    );
    assert_eq!(rig.numbers().await, ["n0", "n1", "n2", "n3", "n5"]);
    ledger.finish().await;
});

on_both_stores!(the_largest_batch_is_written_whole, async |rig: Rig| {
    let ledger =
        rig.ledger_with(Settings { max_batch: MAX_BATCH, queue: MAX_BATCH, ..Rig::settings() }).await;
    let orders: Vec<NewOrder> = (0..MAX_BATCH).map(|n| rig.order(format!("n{n}"))).collect();
    let answers = join_all(orders.iter().map(|rows| ledger.place(rows))).await;
    assert!(answers.iter().all(is_new));
    let answers = join_all(orders.iter().map(|rows| ledger.change(rig.count(rows)))).await;
    assert_eq!(answers, vec![Ok(0); MAX_BATCH]);
    assert_eq!(rig.numbers().await.len(), MAX_BATCH);
    ledger.finish().await;
    if rig.backend == crate::harness::Backend::Postgres {
        assert_eq!(rig.admin().await.transactions("submissions").await, 1);
    }
});
