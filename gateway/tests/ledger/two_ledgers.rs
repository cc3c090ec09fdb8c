//! Several nodes on one PostgreSQL: orders are still one at a time.

use futures_util::future::join_all;
use gateway::ledger::{Placement, Settings};

use crate::kit::{Rig, begin};
use crate::writes::is_new;

on_postgres!(a_number_placed_on_two_nodes_at_once_is_one_order, async |rig: Rig| {
    let (here, there) = (rig.ledger().await, rig.ledger().await);
    let mut admin = rig.admin().await;
    for round in 0..5 {
        let number = format!("n{round}");
        let (first, second) = (rig.order(&number), rig.order(&number));
        // The first stands in the middle of its transaction when the second comes.
        let journal = rig.hold_by(&["BEGIN", "LOCK TABLE journal IN EXCLUSIVE MODE"]).await;
        let one = begin(here.place(&first)).await;
        admin.waiting(1).await;
        let other = begin(there.place(&second)).await;
        admin.waiting(2).await;
        journal.release().await;

        assert!(is_new(&one.await.expect("it is answered")));
        let other = other.await.expect("it is answered");
        let Ok(Placement::Taken(holder)) = other else { panic!("{other:?}") };
        assert_eq!(*holder, first.order);
    }
    let tally = rig.tally().await;
    assert_eq!((tally.orders, tally.submissions, tally.journal), (5, 5, 5));
    here.finish().await;
    there.finish().await;
});

on_postgres!(of_many_numbers_placed_on_two_nodes_each_is_new_once, async |rig: Rig| {
    let settings = Settings { writers: 2, max_batch: 8, ..Rig::settings() };
    let nodes = [rig.ledger_with(settings).await, rig.ledger_with(settings).await];
    let numbers: Vec<String> = (0..60).map(|n| format!("n{n:02}")).collect();
    let here: Vec<_> = numbers.iter().map(|number| rig.order(number)).collect();
    let there: Vec<_> = numbers.iter().rev().map(|number| rig.order(number)).collect();
    let (ours, theirs) = tokio::join!(
        join_all(here.iter().map(|rows| nodes[0].place(rows))),
        join_all(there.iter().map(|rows| nodes[1].place(rows))),
    );
    let mut news = 0;
    for (rows, answer) in here.iter().zip(&ours).chain(there.iter().zip(&theirs)) {
        let standing = match answer.as_ref().expect("no collision is anybody's fault") {
            Placement::New => {
                news += 1;
                rows.order.id.clone()
            }
            Placement::Taken(holder) => holder.id.clone(),
        };
        let order = rig.standing(&standing).await.expect("what was answered stands");
        assert_eq!(order.number, rows.order.number);
    }
    assert_eq!((news, rig.numbers().await), (60, numbers));
    for node in nodes {
        node.finish().await;
    }
});

on_postgres!(changes_of_one_order_on_two_nodes_come_one_after_the_other, async |rig: Rig| {
    let settings = Settings { writers: 2, ..Rig::settings() };
    let nodes = [rig.ledger_with(settings).await, rig.ledger_with(settings).await];
    let order = rig.order("p1");
    assert!(is_new(&nodes[0].place(&order).await));
    let changes = (0..50).map(|n: usize| nodes[n % 2].change(rig.count(&order)));
    let mut seen: Vec<i64> =
        join_all(changes).await.into_iter().map(|seen| seen.expect("it is written")).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..50).collect::<Vec<_>>(), "no two saw the same");
    assert_eq!(rig.standing(&order.order.id).await.expect("it stands").events, 50);
    for node in nodes {
        node.finish().await;
    }
});

on_postgres!(a_deadlock_between_two_nodes_is_written_again, async |rig: Rig| {
    let mut admin = rig.admin().await;
    admin.configure("deadlock_timeout = '100ms'").await;
    let (here, there) = (rig.ledger().await, rig.ledger().await);
    assert!(is_new(&here.place(&rig.order("template")).await));
    // Each inserts a number of its own, waits for one that somebody else holds, and then wants the other's.
    admin.run("CREATE TEMPORARY TABLE copy AS SELECT * FROM orders").await;
    admin.run("UPDATE copy SET id = 'between', number = 'between'").await;
    admin.run("BEGIN; INSERT INTO orders SELECT * FROM copy").await;
    let forth: Vec<_> = ["left", "between", "right"].map(|number| rig.order(number)).into();
    let back: Vec<_> = ["right", "between", "left"].map(|number| rig.order(number)).into();
    let one = begin(join_all(forth.iter().map(|rows| here.place(rows)))).await;
    let other = begin(join_all(back.iter().map(|rows| there.place(rows)))).await;
    rig.admin().await.waiting(2).await;
    admin.run("ROLLBACK").await;

    let (one, other) = (one.await.expect("it is answered"), other.await.expect("it is answered"));
    let all_new = |answers: &[Result<Placement, _>]| answers.iter().all(is_new);
    let all_taken =
        |answers: &[Result<Placement, _>]| answers.iter().all(|a| matches!(a, Ok(Placement::Taken(_))));
    assert!(
        all_new(&one) && all_taken(&other) || all_taken(&one) && all_new(&other),
        "one went through and the other was written again: {one:?} {other:?}"
    );
    assert_eq!(rig.numbers().await, ["between", "left", "right", "template"]);
    here.finish().await;
    there.finish().await;
    // The server counts what a session did when the session ends, at the latest.
    while admin.number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await == 0
    {
        tokio::task::yield_now().await;
    }
});

on_postgres!(a_serialisation_failure_is_written_again, async |rig: Rig| {
    let mut admin = rig.admin().await;
    let order = rig.order("p1");
    let first = rig.ledger().await;
    assert!(is_new(&first.place(&order).await));
    first.finish().await;
    for (isolation, events) in [("repeatable read", 10), ("serializable", 20)] {
        admin.configure(&format!("default_transaction_isolation = '{isolation}'")).await;
        let in_force = format!(
            "SELECT count(*) FROM pg_settings WHERE name = 'transaction_isolation' AND setting = '{isolation}'"
        );
        assert_eq!(rig.admin().await.number(in_force).await, 1);
        let ledger = rig.ledger().await;
        admin.run("BEGIN").await;
        admin.run(format!("UPDATE orders SET events = {events}")).await;
        let change = begin(ledger.change(rig.count(&order))).await;
        rig.admin().await.waiting(1).await;
        admin.run("COMMIT").await;
        assert_eq!(
            change.await.expect("it is answered"),
            Ok(events),
            "{isolation}: it saw what came before it"
        );
        assert_eq!(rig.standing(&order.order.id).await.expect("it stands").events, events + 1);
        ledger.finish().await;
    }
});
