//! A lease fences the state of a delivery; an attempt is recorded whoever holds it.

use gateway::deliveries::promise::implicit_endpoint;
use gateway::entity::delivery;
use gateway::ledger::Claim;

use crate::harness::{Backend, Stage};
use crate::kit::{GUARD, NOW, Rig};
use crate::writes::{claim, claim_of, insert};

/// A lease that has run out at once.
fn spent(lease: &str) -> Claim {
    Claim { lease_ms: -1, ..claim(lease) }
}

on_both_stores!(a_claim_takes_what_is_due_and_free_and_nothing_else, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let held =
        |until: i64| delivery::Model { lease: Some("other".into()), leased_until: Some(until), ..rig.due() };
    let due = rig.due();
    let overdue = delivery::Model { due_at: NOW - 1, ..rig.due() };
    let abandoned = held(-1); // its lease ran out before either clock began
    let others = [
        delivery::Model { due_at: NOW + 1, ..rig.due() },
        held(i64::MAX),
        delivery::Model { state: delivery::State::Delivered, ended_at: Some(NOW), ..rig.due() },
        delivery::Model { state: delivery::State::Parked, ..rig.due() },
        delivery::Model { state: delivery::State::Waiting, ..rig.due() },
        delivery::Model { endpoint_id: "full".into(), ..rig.due() },
    ];
    let mine = [due, overdue, abandoned];
    ledger
        .rows(insert::<delivery::Entity>(&[&mine[..], &others[..]].concat()))
        .await
        .expect("they are written");

    let claimed = ledger.claim(claim("node")).await;

    let ids: Vec<String> = mine.iter().map(|delivery| delivery.id.clone()).collect();
    assert_eq!(claimed, Ok(ids.clone()));
    for id in ids {
        assert_eq!(rig.delivery(&id).await.lease.as_deref(), Some("node"));
    }
    for other in others {
        assert_eq!(rig.delivery(&other.id).await, other);
    }
    ledger.finish().await;
});

on_both_stores!(a_claim_takes_the_longest_due_first_and_no_more_than_its_limit, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let deliveries: Vec<_> = (0..5).map(|n| delivery::Model { due_at: NOW - n, ..rig.due() }).collect();
    ledger.rows(insert::<delivery::Entity>(&deliveries)).await.expect("they are written");
    for expected in [&deliveries[3..], &deliveries[1..3], &deliveries[..1], &[]] {
        let ids: Vec<String> = expected.iter().map(|delivery| delivery.id.clone()).collect();
        assert_eq!(ledger.claim(claim_of("node", &[("endpoint", 2)])).await, Ok(ids));
    }
    ledger.finish().await;
});

on_both_stores!(a_claim_gives_each_endpoint_its_share_and_bulk_work_what_is_left_of_it, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let to = |endpoint: &str, due_at: i64, bulk: bool| delivery::Model {
        endpoint_id: endpoint.into(),
        due_at,
        bulk,
        replay_id: bulk.then(|| "replay".into()),
        ..rig.due()
    };
    let crowded: Vec<_> = (0..4).map(|n| to("crowded", NOW - 10 + n, false)).collect();
    let old_bulk: Vec<_> = (0..3).map(|n| to("both", NOW - 1_000 + n, true)).collect();
    let fresh: Vec<_> = (0..2).map(|n| to("both", NOW - 2 + n, false)).collect();
    let all = [&crowded[..], &old_bulk[..], &fresh[..], &[to("other", NOW, false)]].concat();
    ledger.rows(insert::<delivery::Entity>(&all)).await.expect("they are written");

    let claimed = ledger.claim(claim_of("node", &[("crowded", 2), ("both", 3), ("nothing", 5)])).await;

    let mut expected: Vec<String> = [&crowded[..2], &fresh[..], &old_bulk[..1]]
        .concat()
        .into_iter()
        .map(|delivery| delivery.id)
        .collect();
    expected.sort();
    assert_eq!(claimed, Ok(expected));
    ledger.finish().await;
});

on_both_stores!(a_lost_lease_fences_the_state_and_the_attempt_is_still_recorded, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let delivery = rig.due();
    ledger.rows(insert::<delivery::Entity>(std::slice::from_ref(&delivery))).await.expect("it is written");
    let taken = Ok(vec![delivery.id.clone()]);
    assert_eq!(ledger.claim(spent("slow")).await, taken);
    assert_eq!(ledger.claim(claim("quick")).await, taken, "the first one's lease ran out");
    let before = rig.delivery(&delivery.id).await;

    assert_eq!(ledger.advance(rig.failed_attempt(&delivery.id, "slow")).await, Ok(false));
    assert_eq!(rig.delivery(&delivery.id).await, before, "it is the other's now");
    assert_eq!(rig.tally().await.attempts, 1, "what was sent was sent");

    assert_eq!(ledger.advance(rig.failed_attempt(&delivery.id, "quick")).await, Ok(true));
    let after = rig.delivery(&delivery.id).await;
    assert_eq!((after.attempts, after.lease, after.leased_until), (1, None, None));
    assert_eq!(rig.tally().await.attempts, 2);
    ledger.finish().await;
});

on_both_stores!(a_lease_that_runs_out_unnoticed_still_lets_its_holder_finish, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let delivery = rig.due();
    ledger.rows(insert::<delivery::Entity>(std::slice::from_ref(&delivery))).await.expect("it is written");
    assert_eq!(ledger.claim(spent("slow")).await, Ok(vec![delivery.id.clone()]));
    assert_eq!(
        ledger.advance(rig.failed_attempt(&delivery.id, "slow")).await,
        Ok(true),
        "nobody else took it"
    );
    ledger.finish().await;
});

on_both_stores!(a_promise_is_made_under_a_lease_that_others_respect, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let order = rig.order("p1");
    ledger.place(&order).await.expect("it is placed");
    ledger.change(rig.pay(&order, &std::sync::Arc::default())).await.expect("it is paid");
    let (platform, merchant) = (&order.order.platform_id, &order.order.merchant_id);
    let endpoint = implicit_endpoint(platform, merchant, "https://shop.example/notify", NOW).id;
    let claim = claim_of("other", &[(&endpoint, 100)]);
    assert_eq!(ledger.claim(claim).await, Ok(Vec::new()));
    ledger.finish().await;
});

on_postgres!(two_nodes_that_claim_at_once_get_different_deliveries, async |rig: Rig| {
    let (here, there) = (rig.ledger().await, rig.ledger().await);
    let deliveries: Vec<_> = (0..40).map(|n| delivery::Model { due_at: NOW - n, ..rig.due() }).collect();
    here.rows(insert::<delivery::Entity>(&deliveries)).await.expect("they are written");
    let (mut ours, theirs) = tokio::join!(
        here.claim(claim_of("here", &[("endpoint", 20)])),
        there.claim(claim_of("there", &[("endpoint", 20)])),
    );
    let (ours, theirs) = (ours.as_mut().expect("a claim"), theirs.expect("a claim"));
    assert_eq!((ours.len(), theirs.len()), (20, 20));
    ours.extend(theirs);
    ours.sort();
    let all: Vec<String> = deliveries.iter().map(|delivery| delivery.id.clone()).collect();
    assert_eq!(*ours, all, "each went to one of them");
    here.finish().await;
    there.finish().await;
});

on_postgres!(a_claim_passes_over_what_another_node_is_just_taking, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (busy, free) = (delivery::Model { due_at: NOW - 1, ..rig.due() }, rig.due());
    ledger.rows(insert::<delivery::Entity>(&[busy.clone(), free.clone()])).await.expect("they are written");
    let mut other = rig.admin().await;
    other.run("BEGIN").await;
    other.run(format!("SELECT 1 FROM deliveries WHERE id = '{}' FOR UPDATE", busy.id)).await;
    assert_eq!(ledger.claim(claim("node")).await, Ok(vec![free.id]), "without waiting for the other");
    other.run("ROLLBACK").await;
    assert_eq!(ledger.claim(claim("node")).await, Ok(vec![busy.id]));
    ledger.finish().await;
});

on_postgres!(leases_run_by_the_clock_of_the_database, async |rig: Rig| {
    let ledger = rig.ledger().await;
    let (claimed, order) = (rig.due(), rig.order("p1"));
    ledger.rows(insert::<delivery::Entity>(std::slice::from_ref(&claimed))).await.expect("it is written");
    let mut admin = rig.admin().await;
    let clock = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";
    let before = admin.number(clock).await;
    ledger.claim(claim("node")).await.expect("a claim");
    ledger.place(&order).await.expect("it is placed");
    ledger.change(rig.pay(&order, &std::sync::Arc::default())).await.expect("it is paid");
    let after = admin.number(clock).await;
    for column in ["min", "max"] {
        let until = admin.number(format!("SELECT {column}(leased_until) FROM deliveries")).await;
        assert!((before + 60_000..=after + 60_000).contains(&until), "{column}: {until}");
    }
    ledger.finish().await;
});

/// The process that gave them is gone, and with it the clock they were measured by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_a_sqlite_store_are_void_when_it_is_opened_again() {
    let play = async {
        let mut stage = Stage::set(Backend::Sqlite).await;
        stage.pay_one_order("p1").await;
        let order = stage.row("p1").await;
        let promised = stage.deliveries(&order.id).await;
        assert!(promised[0].lease.is_some(), "this node was to send it at once");
        stage.restart().await;
        assert_eq!(stage.deliveries(&order.id).await[0].lease, None);
        assert_eq!(stage.deliver_due().await, 1, "without waiting for the old lease to run out");
        stage.strike().await;
    };
    tokio::time::timeout(GUARD, Box::pin(play)).await.expect("the test comes to its end");
}
