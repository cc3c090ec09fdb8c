//! That an order was closed is not worth telling once it is paid, and never told after that: however the two meet.

use gateway::entity::delivery::{self, State};
use gateway::ledger::{Claim, DeliveryMove, RowStatement};

use crate::kit::{NOW, Rig, Running};
use crate::writes::{claim, insert};

/// The promises to tell one endpoint of one order: that it was closed, and that it was paid.
struct Pair<'a> {
    rig: &'a Rig,
    ledger: &'a Running,
    closed: delivery::Model,
    paid: delivery::Model,
}

impl<'a> Pair<'a> {
    /// The first is promised.
    async fn begin(rig: &'a Rig, ledger: &'a Running) -> Self {
        let closed = delivery::Model { kind: "order.closed".into(), ..rig.due() };
        let paid = delivery::Model { subject_id: closed.subject_id.clone(), sequence: 2, ..rig.due() };
        let pair = Self { rig, ledger, closed, paid };
        pair.promise(&pair.closed).await;
        assert_eq!(pair.rig.delivery(&pair.closed.id).await.state, State::Due);
        pair
    }

    async fn promise(&self, delivery: &delivery::Model) {
        let promise = vec![RowStatement::Promise(vec![delivery.clone()])];
        self.ledger.rows(promise).await.expect("it is promised");
    }

    async fn take(&self, claim: Claim) {
        assert_eq!(self.ledger.claim(claim).await, Ok(vec![self.closed.id.clone()]));
    }

    /// An attempt at the first ends like this.
    async fn end(&self, lease: &str, state: State) -> bool {
        let failed = self.rig.failed_attempt(&self.closed.id, lease);
        let ended_at = (state != State::Due).then_some(NOW);
        let step = DeliveryMove { is_superseded_by_paid: true, state, ended_at, ..failed };
        self.ledger.advance(step).await.expect("it is written")
    }

    async fn stand(&self, closed: State, paid: State, when: &str) {
        let states =
            (self.rig.delivery(&self.closed.id).await.state, self.rig.delivery(&self.paid.id).await.state);
        assert_eq!(states, (closed, paid), "{when}");
    }

    /// Nothing but the payment is left to be told.
    async fn only_paid_is_left(&self, closed: State, when: &str) {
        self.stand(closed, State::Due, when).await;
        let late = Claim { now: NOW + 7_200_000, ..claim("last") };
        assert_eq!(self.ledger.claim(late).await, Ok(vec![self.paid.id.clone()]), "{when}");
    }
}

on_both_stores!(a_payment_supersedes_what_is_not_told_yet_however_the_two_meet, async |rig: Rig| {
    let ledger = rig.ledger().await;

    let pair = Pair::begin(&rig, &ledger).await;
    pair.promise(&pair.paid).await;
    pair.only_paid_is_left(State::Superseded, "before any attempt").await;

    let pair = Pair::begin(&rig, &ledger).await;
    pair.take(claim("node")).await;
    assert!(pair.end("node", State::Due).await);
    pair.promise(&pair.paid).await;
    pair.only_paid_is_left(State::Superseded, "after a failure").await;

    for (ended, becomes) in [
        (State::Due, State::Superseded),
        (State::Delivered, State::Delivered),
        (State::Exhausted, State::Exhausted),
    ] {
        let pair = Pair::begin(&rig, &ledger).await;
        pair.take(claim("node")).await;
        pair.promise(&pair.paid).await;
        pair.stand(State::Due, State::Waiting, "somebody is at it").await;
        assert!(pair.end("node", ended).await);
        pair.only_paid_is_left(becomes, "during an attempt").await;
    }

    for (ended, becomes) in [(State::Delivered, State::Delivered), (State::Exhausted, State::Exhausted)] {
        let pair = Pair::begin(&rig, &ledger).await;
        pair.take(claim("node")).await;
        assert!(pair.end("node", ended).await);
        pair.promise(&pair.paid).await;
        pair.only_paid_is_left(becomes, "after the end").await;
    }

    let pair = Pair::begin(&rig, &ledger).await;
    pair.take(Claim { lease_ms: -1, ..claim("slow") }).await;
    pair.promise(&pair.paid).await;
    pair.take(claim("quick")).await;
    assert!(!pair.end("slow", State::Due).await, "its lease ran out");
    pair.stand(State::Due, State::Waiting, "the other one is at it").await;
    assert!(pair.end("quick", State::Due).await);
    pair.only_paid_is_left(State::Superseded, "during an attempt that followed another").await;
    ledger.finish().await;
});

on_both_stores!(the_end_of_a_delivery_says_whether_something_waited_for_it, async |rig: Rig| {
    use gateway::ledger::{Lane, Moved};

    let ledger = rig.ledger().await;
    let (first, alone) = (rig.due(), rig.due());
    let second = delivery::Model {
        subject_id: first.subject_id.clone(),
        sequence: 2,
        state: State::Waiting,
        ..rig.due()
    };
    ledger.rows(insert::<delivery::Entity>(&[first.clone(), second, alone.clone()])).await.expect("written");
    ledger.claim(claim("node")).await.expect("a claim");
    for (delivery, has_freed) in [(first, true), (alone, false)] {
        let step = DeliveryMove {
            state: State::Delivered,
            ended_at: Some(NOW),
            ..rig.failed_attempt(&delivery.id, "node")
        };
        let room = ledger.ledger.room(Lane::Attempts, &delivery.id).expect("room");
        assert_eq!(room.advance(step).await, Ok(Moved { is_ours: true, has_freed }));
    }
    ledger.finish().await;
});
