//! What befalls the gateway: deliveries falling due, a stop and a start, a crash in the middle of something.

use gateway::entity::delivery;
use gateway::outgoing::Outgoing;
use sandbox::Gate;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

use super::{ANSWER_DUE, Held, Play, STARTING, turns};
use crate::steps::{During, Part, ShopAnswer};

impl Play {
    /// The shops answer as said, and are told what is due.
    pub(super) async fn deliver(&mut self, answer: ShopAnswer) {
        for merchant in &self.merchants {
            match answer {
                ShopAnswer::Success => merchant.shop.answer(200, "success"),
                ShopAnswer::Failure => merchant.shop.answer(500, "success"),
                ShopAnswer::NotSuccess => merchant.shop.answer(200, "fail"),
            }
        }
        let before = self.delivered().await;
        let apart = self.apart.as_ref().expect("it runs apart");
        apart.deliver_due(&mut self.stage).await;
        if let Some(second) = &mut self.second {
            second.worker.step().await;
        }
        if !matches!(answer, ShopAnswer::Success) {
            assert_eq!(self.delivered().await, before, "no shop has acknowledged anything");
        }
    }

    async fn delivered(&self) -> u64 {
        let delivered =
            delivery::Entity::find().filter(delivery::Column::State.eq(delivery::State::Delivered));
        delivered.count(&self.stage.app().store.read).await.expect("the store is read")
    }

    /// Stop in good order while answers are let go, and start again: nobody goes without an answer.
    pub(super) async fn restart(&mut self) {
        let apart = self.apart.take().expect("it runs apart");
        let gates: Vec<Gate> = self.held.iter().map(|held| held.gate.clone()).collect();
        let let_go = async {
            tokio::task::yield_now().await;
            gates.iter().for_each(Gate::open);
        };
        self.stage.advance(STARTING);
        let (apart, ()) = tokio::join!(self.stage.restart_apart(apart), let_go);
        self.apart = Some(apart);
        self.outgoing = Outgoing::for_upstream();
        for held in std::mem::take(&mut self.held) {
            self.released(held, false).await;
        }
        self.know_account_key().await;
    }

    pub(super) async fn crash_during(&mut self, during: During) {
        match during {
            During::Nothing => self.crash().await,
            During::Create { who, after } => {
                if self.is_orphaned(who).await || self.held.iter().any(|held| held.who == who) {
                    return self.crash().await;
                }
                let client = self.create(who, false);
                turns(after).await;
                self.crash().await;
                // Where it came too late for the first gateway, the second one has taken it.
                if let Some(answer) = client.await.expect("it is not cut off") {
                    self.judge(who, &answer).await;
                }
            }
            During::Notice { nth, after } => {
                let Some(order) = self.pick(nth) else { return };
                let (upstream, number) = (self.upstream().clone(), order.content.partner_order_no.clone());
                let notice = tokio::spawn(async move { upstream.notify_now(&number).await });
                turns(after).await;
                self.crash().await;
                let outcome = notice.await.expect("it is not cut off").expect("it has a notifyUrl");
                if outcome.acknowledged {
                    self.taken(&order);
                }
            }
            During::Refund { who, after } => {
                let body = self.refund_body(who, 0, Part::Whole).await;
                let node = self.stage.node();
                let client = self.send(node, who, "/api/common/refund", &body);
                turns(after).await;
                self.crash().await;
                // It may have been made, or reserved, or not have come that far: whoever looks after it finds out.
                client.abort();
            }
            During::Delivery => {
                let [one, other] = self.merchants.each_ref().map(|merchant| {
                    merchant.shop.answer(200, "success");
                    (merchant.shop.clone(), merchant.shop.hold(), merchant.shop.received_now().len())
                });
                let apart = self.apart.as_ref().expect("it runs apart");
                tokio::select! {
                    _ = apart.deliver_due(&mut self.stage) => {}
                    _ = one.0.received(one.2 + 1) => {}
                    _ = other.0.received(other.2 + 1) => {}
                }
                self.crash().await;
                one.1.open();
                other.1.open();
            }
        }
    }

    async fn crash(&mut self) {
        // What the other gateway waits for is its own.
        let held = std::mem::take(&mut self.held);
        let is_elsewhere = |held: &Held| self.is_of_second(held.who);
        let (elsewhere, orphans): (Vec<_>, Vec<_>) = held.into_iter().partition(is_elsewhere);
        self.stage.crash(self.apart.take().expect("it runs apart")).await;
        for Held { gate, client, joined, .. } in orphans {
            gate.open();
            client.into_iter().chain(joined).for_each(|call| call.abort());
            // One that was only just sent may yet be heard by the next gateway, and must not wait there for ever.
            self.stage.advance(ANSWER_DUE);
        }
        self.stage.advance(STARTING);
        self.apart = Some(self.stage.start_apart().await);
        self.outgoing = Outgoing::for_upstream();
        for held in elsewhere {
            held.gate.open();
            self.released(held, true).await;
        }
        self.know_account_key().await;
    }
}
