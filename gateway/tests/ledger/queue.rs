//! The queue is bounded, refuses at once, and keeps what it took.

use std::sync::{Arc, Mutex, PoisonError};

use gateway::ledger::{Current, Lane, LedgerError, Settings};

use crate::kit::{Rig, begin};
use crate::writes::{claim, is_new};

const QUEUE: usize = 8;

fn small() -> Settings {
    Settings { max_batch: 4, queue: QUEUE, ..Rig::settings() }
}

on_both_stores!(a_full_queue_refuses_at_once_and_loses_nothing_that_it_took, async |rig: Rig| {
    let ledger = rig.ledger_with(small()).await;
    let store = rig.hold().await;
    let mut taken = Vec::new();
    let refused = loop {
        let order = rig.order(format!("n{:03}", taken.len()));
        match ledger.ledger.room(Lane::Money, &order.order.id) {
            Ok(room) => taken.push((order.order.number.clone(), begin(room.place(order)).await)),
            Err(error) => break error,
        }
        assert!(
            taken.len() <= QUEUE + small().max_batch,
            "more is waiting than the queue and one batch hold"
        );
    };
    assert_eq!(refused, LedgerError::Full);
    assert!(taken.len() >= QUEUE, "{} taken", taken.len());
    assert!(
        taken.iter().all(|(_, answer)| !answer.is_finished()),
        "nothing is acknowledged while nothing is written"
    );

    store.release().await;
    let mut numbers = Vec::new();
    for (number, answer) in taken {
        assert!(is_new(&answer.await.expect("it is answered")), "{number}");
        numbers.push(number);
    }
    assert_eq!(rig.numbers().await, numbers);
    assert!(is_new(&ledger.place(&rig.order("later")).await), "there is room again");
    ledger.finish().await;
});

on_both_stores!(a_full_lane_refuses_for_itself_only, async |rig: Rig| {
    let ledger = rig.ledger_with(small()).await;
    let rooms: Vec<_> =
        (0..QUEUE).map(|_| ledger.ledger.room(Lane::Bulk, "k").expect("there is room")).collect();
    assert_eq!(ledger.ledger.room(Lane::Bulk, "k").map(drop), Err(LedgerError::Full));
    assert!(ledger.ledger.room(Lane::Attempts, "k").is_ok());
    assert!(is_new(&ledger.place(&rig.order("p1")).await));
    drop(rooms);
    assert!(ledger.ledger.room(Lane::Bulk, "k").is_ok(), "a room that is not used is given back");
    ledger.finish().await;
});

on_both_stores!(a_worker_waits_for_room_where_a_caller_is_refused, async |rig: Rig| {
    let ledger = rig.ledger_with(small()).await;
    let mut rooms: Vec<_> =
        (0..QUEUE).map(|_| ledger.ledger.room(Lane::Attempts, "k").expect("there is room")).collect();
    let worker = {
        let ledger = ledger.ledger.clone();
        begin(async move { ledger.room_when_free(Lane::Attempts, "k").await?.claim(claim("node")).await })
            .await
    };
    assert!(!worker.is_finished());
    rooms.pop();
    assert_eq!(worker.await.expect("it ends"), Ok(Vec::new()));
    drop(rooms);
    ledger.finish().await;
});

on_both_stores!(money_goes_before_attempts_and_attempts_before_bulk, async |rig: Rig| {
    let lanes =
        [Lane::Money, Lane::Bulk, Lane::Attempts, Lane::Money, Lane::Bulk, Lane::Attempts, Lane::Money];
    for max_batch in 1..4 {
        let ledger = rig.ledger_with(Settings { max_batch, ..Rig::settings() }).await;
        let orders: Vec<_> = (0..lanes.len()).map(|n| rig.order(format!("{max_batch}-{n}"))).collect();
        for order in &orders {
            assert!(is_new(&ledger.place(order).await));
        }
        let store = rig.hold().await;
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut changes = Vec::new();
        for (order, lane) in orders.iter().zip(lanes) {
            let (target, mut decide) = rig.count(order);
            let written = written.clone();
            let noting = move |current: &Current<'_>| {
                written.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
                decide(current)
            };
            changes.push(begin(ledger.change_in(lane, (target, noting))).await);
        }
        store.release().await;
        for change in changes {
            assert_eq!(change.await.expect("it is answered"), Ok(0));
        }
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for batch in written.chunks_mut(max_batch) {
            batch.sort_by_key(|lane| *lane as u8); // inside a batch they go by their orders' ids
        }
        let (money, attempts, bulk) = (Lane::Money, Lane::Attempts, Lane::Bulk);
        assert_eq!(written, [money, money, money, attempts, attempts, bulk, bulk], "{max_batch} in a batch");
        ledger.finish().await;
    }
});

on_both_stores!(a_graceful_finish_writes_everything_that_is_queued, async |rig: Rig| {
    let ledger = rig.ledger_with(Settings { max_batch: 4, ..Rig::settings() }).await;
    let store = rig.hold().await;
    let mut answers = Vec::new();
    for n in 0..30 {
        answers.push(begin(ledger.place(&rig.order(format!("n{n:02}")))).await);
    }
    let claimed = begin(ledger.claim(claim("node"))).await;
    let (_, finished) = ledger.finishing();
    store.release().await;
    finished.await.expect("it finishes");
    for answer in answers {
        assert!(is_new(&answer.await.expect("it is answered")));
    }
    assert_eq!(claimed.await.expect("it is answered"), Ok(Vec::new()));
    assert_eq!(rig.numbers().await.len(), 30);
});

on_both_stores!(a_room_that_was_reserved_outlives_the_finish_and_nothing_new_gets_in, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (reserved, late) = (rig.order("reserved"), rig.order("late"));
    let room = ledger.ledger.room(Lane::Money, &reserved.order.id).expect("there is room");
    let (ledger, finished) = ledger.finishing();
    let refused = loop {
        match ledger.room(Lane::Money, &late.order.id) {
            Ok(room) => drop(room),
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused, LedgerError::Unavailable(_)), "{refused:?}");
    let waited = ledger.room_when_free(Lane::Attempts, "k").await.map(drop);
    assert!(matches!(waited, Err(LedgerError::Unavailable(_))), "{waited:?}");
    assert!(!finished.is_finished(), "it waits for what was promised room");

    assert!(is_new(&room.place(reserved).await));
    finished.await.expect("it finishes");
    assert_eq!(rig.numbers().await, ["reserved"]);
});

on_both_stores!("multi_thread", a_caller_that_gives_up_takes_nothing_back, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let store = rig.hold().await;
    let impatient = begin(ledger.place(&rig.order("given up"))).await;
    let patient = begin(ledger.place(&rig.order("waited for"))).await;
    impatient.abort();
    assert!(impatient.await.is_err_and(|error| error.is_cancelled()));
    store.release().await;
    assert!(is_new(&patient.await.expect("it is answered")));
    ledger.finish().await;
    assert_eq!(rig.numbers().await, ["given up", "waited for"]);
});
