//! Money that goes back: asked for, asked for again, lost on the way, going on upstream; and who looks after it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gateway::app::App;
use gateway::entity::refund::{self, State};
use gateway::entity::submission;
use gateway::orders::{reconcile, refund::follow};
use http::Method;
use sandbox::{Operation, RefundState, Times};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::{ASKED, Play, was_paid};
use crate::harness::web::exchange;
use crate::steps::{Part, RefundFault, Who};

impl Play {
    pub(super) async fn refund_body(&self, who: Who, nth: usize, part: Part) -> Value {
        let paid = self.row(who).await.map_or(1_000, |order| order.amount);
        json!({ "partnerOrderNo": who.name(), "refundNo": format!("r{nth}"), "orderAmount": part.of(paid) })
    }

    pub(super) async fn refund(&mut self, who: Who, nth: usize, part: Part, fault: Option<RefundFault>) {
        let body = self.refund_body(who, nth, part).await;
        let known = self.refund_row(who, &body).await;
        if let Some(fault) = fault {
            self.upstream().fault(Operation::Refund, fault.into(), Times::Next(1)).expect("few wait");
        }
        let call = self.send(self.some_node(), who, "/api/common/refund", &body);
        let answer = call.await.expect("it is not cut off").expect("the gateway answers");
        assert!(answer.genuine, "signed with the merchant's key: {}", answer.document);
        // Whoever is answered before the upstream is has its answer waited for here.
        if known.is_none() {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while self.refund_row(who, &body).await.is_some_and(|refund| refund.state == State::Submitting) {
                look.tick().await;
            }
        }
        self.upstream().clear_faults();
        let Some(order) = self.row(who).await else {
            return assert_eq!(answer.code, 30, "{}", answer.body);
        };
        let refund = self.refund_row(who, &body).await;
        match (answer.code, &refund) {
            (1, Some(refund)) => {
                assert_eq!(answer.body["orderAmount"], refund.amount, "{who:?}: {}", answer.body);
                assert_eq!(body["orderAmount"], refund.amount, "{who:?}: another amount is another refund");
                match answer.body["status"].as_i64() {
                    Some(1) => {
                        assert_eq!(refund.state, State::Refunded, "{who:?}: {}", answer.body);
                        self.promised.refunded.insert(refund.id.clone());
                    }
                    Some(2) => assert_eq!(refund.state, State::Failed, "{who:?}: {}", answer.body),
                    told => assert_eq!(told, Some(0), "{who:?}: {}", answer.body),
                }
            }
            (31, Some(refund)) => assert!(
                body["orderAmount"] != refund.amount || refund.submission_id != order.submission_id,
                "{}",
                answer.body
            ),
            (code, refund) => {
                assert!([3, 5, 21, 32, 35].contains(&code), "{who:?}: {}", answer.body);
                let is_refused = refund.as_ref().is_none_or(|refund| refund.state == State::Failed);
                assert!(is_refused || code == 21, "{who:?}: {}", answer.body);
            }
        }
        if answer.code == 32 && !order.status().has_money() {
            for asked in self.submissions(&order).await.iter().take(ASKED) {
                let is_paid = self.upstream().order(&asked.id).is_some_and(|order| was_paid(&order));
                assert!(!is_paid, "{who:?} is paid, and its merchant hears {}", answer.body);
            }
        }
    }

    /// A payment of the order beside the one that it counts.
    pub(super) async fn second_payment(&self, who: Who) -> Option<submission::Model> {
        let order = self.row(who).await?;
        self.submissions(&order).await.into_iter().find(|call| call.second_paid > 0)
    }

    /// Give it back, as a platform does over REST.
    pub(super) async fn refund_second(
        &self,
        who: Who,
        payment: &submission::Model,
        nth: usize,
        part: Part,
        fault: Option<RefundFault>,
    ) {
        // What the protocol's refunds are numbered by, too: one number stands for one payment.
        let body = json!({
            "refundNo": format!("r{nth}"), "amount": part.of(payment.amount), "payment": payment.id,
        });
        let known = self.refund_row(who, &body).await;
        if let Some(fault) = fault {
            self.upstream().fault(Operation::Refund, fault.into(), Times::Next(1)).expect("few wait");
        }
        let order = self.row(who).await.expect("it was paid");
        let path = format!("/v1/orders/{}/refunds?merchant={}", order.number, order.merchant_id);
        let bearer = format!("Bearer {}", self.stage.world.keys.test);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let url = self.some_node().url(&path);
        let reply = exchange(Method::POST, &url, &headers, body.to_string().into()).await;
        if known.is_none() {
            let mut look = tokio::time::interval(Duration::from_millis(20));
            while self.refund_row(who, &body).await.is_some_and(|refund| refund.state == State::Submitting) {
                look.tick().await;
            }
        }
        self.upstream().clear_faults();
        let refund = self.refund_row(who, &body).await;
        let is_it = refund
            .as_ref()
            .is_some_and(|refund| refund.submission_id == payment.id && body["amount"] == refund.amount);
        match reply.status {
            201 => {
                let refund = refund.expect("it was made");
                assert!(is_it && refund.state == State::Refunded, "{who:?}: {}", reply.text());
                assert_eq!(reply.json()["payment"], payment.id, "{who:?}");
            }
            202 => assert!(is_it, "{who:?}: {}", reply.text()),
            status => {
                assert_eq!(status, 409, "{who:?}: {}", reply.text());
                let is_made = is_it && refund.is_some_and(|refund| refund.state != State::Failed);
                assert!(!is_made, "{who:?}: {}", reply.text());
            }
        }
    }

    async fn refund_row(&self, who: Who, body: &Value) -> Option<refund::Model> {
        let order = self.row(who).await?;
        let number = body["refundNo"].as_str().expect("it has one");
        let found = refund::Entity::of_number(&order.id, number).one(&self.stage.app().store.read).await;
        found.expect("the store is read")
    }

    /// One that goes on upstream ends there.
    pub(super) fn end_refund(&self, nth: usize, well: bool) {
        let orders = self.upstream().orders();
        let going_on = orders.iter().flat_map(|order| {
            let refunds = order.refunds.iter().filter(|refund| refund.state == RefundState::InProgress);
            refunds.map(|refund| (&order.content.partner_order_no, &refund.refund_no))
        });
        let going_on: Vec<_> = going_on.collect();
        if going_on.is_empty() {
            return;
        }
        let (number, refund_no) = going_on[nth % going_on.len()];
        let end = if well { RefundState::Refunded } else { RefundState::Failed };
        self.upstream().end_refund(number, refund_no, end).expect("it goes on");
    }

    /// Every gateway looks after what is due: orders, and refunds.
    pub(super) async fn sweep(&self) {
        let second = self.second.iter().map(|node| &node.app);
        join_all(std::iter::once(self.stage.app()).chain(second).map(look)).await;
    }

    /// Everything that went on upstream ends, and every doubt is cleared up.
    pub(super) async fn end_refunds(&self) {
        for nth in 0..100 {
            self.end_refund(nth, nth % 2 == 0);
        }
        while self.evidence().await.has_open_refund() {
            self.stage.advance(Duration::from_hours(1));
            self.sweep().await;
        }
    }
}

async fn look(app: &Arc<App>) {
    reconcile::sweep(app).await.expect("the store is read");
    let due = refund::Entity::find().filter(refund::Column::LookAt.lte(app.clock.now_ms()));
    for refund in due.all(&app.store.read).await.expect("the store is read") {
        follow::follow(app, &refund).await.expect("it is written");
    }
}
