//! What tests of refunds do again and again.

use std::time::Duration;

use gateway::entity::refund::{self, State};
use gateway::entity::{attention, event};
use gateway::orders::refund::follow;
use sandbox::{Operation, RefundState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::harness::merchant::{post, signed};
use crate::harness::{Answer, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};

impl Stage {
    /// Ask for a refund as the merchant's system does.
    pub async fn refund(&self, number: &str, refund_no: &str, amount: i64) -> Answer {
        let body = json!({ "partnerOrderNo": number, "refundNo": refund_no, "orderAmount": amount });
        self.refund_body(&body).await
    }

    pub async fn refund_body(&self, body: &Value) -> Answer {
        let document = signed(PARTNER_NO, MERCHANT_KEY, "", body, self.app().clock.now());
        let url = self.node().url(&format!("/{PLATFORM}/api/common/refund"));
        post(&url, document, MERCHANT_KEY).await
    }

    /// The order's refunds, oldest first.
    pub async fn refunds(&self, number: &str) -> Vec<refund::Model> {
        let order = self.row(number).await;
        refund::Entity::of_order(&order.id).all(&self.app().store.read).await.expect("the store is read")
    }

    pub async fn refund_row(&self, number: &str, refund_no: &str) -> refund::Model {
        let refunds = self.refunds(number).await;
        refunds.into_iter().find(|refund| refund.refund_no == refund_no).expect("there is such a refund")
    }

    pub async fn refund_state(&self, number: &str, refund_no: &str) -> State {
        self.refund_row(number, refund_no).await.state
    }

    /// Status, what is given back and what is kept back.
    pub async fn books(&self, number: &str) -> (String, i64, i64) {
        let order = self.row(number).await;
        (order.status, order.refunded, order.refund_reserved)
    }

    /// The kinds of an order's events, in their sequence.
    pub async fn told(&self, number: &str) -> Vec<String> {
        let order = self.row(number).await;
        self.events(&order.id).await.into_iter().map(|event| event.kind).collect()
    }

    pub async fn events_of_kind(&self, number: &str, kind: &str) -> Vec<event::Model> {
        let order = self.row(number).await;
        let mut events = self.events(&order.id).await;
        events.retain(|event| event.kind == kind);
        events
    }

    /// What waits for a person: kind and subject.
    pub async fn waiting(&self) -> Vec<(String, String)> {
        let rows = attention::Entity::find().filter(attention::Column::EndedAt.is_null());
        let rows = rows.all(&self.app().store.read).await.expect("the store is read");
        rows.into_iter().map(|row| (row.kind, row.subject_id)).collect()
    }

    /// Let time pass and do what is due then.
    pub async fn follow_after(&self, by: Duration) -> usize {
        self.advance(by);
        let taken = follow::sweep(self.app()).await.expect("due refunds are looked for");
        self.idle().await;
        taken
    }

    /// Refund calls that arrived upstream.
    pub fn refund_calls(&self) -> u64 {
        self.upstream().counts().refunds
    }

    /// What the upstream has of an order's refunds: number, amount, state, how often asked for.
    pub async fn upstream_refunds(&self, number: &str) -> Vec<(String, i64, RefundState, u32)> {
        let order = self.upstream().order(&self.submission_no(number).await).expect("it arrived upstream");
        order.refunds.into_iter().map(|each| (each.refund_no, each.amount, each.state, each.asked)).collect()
    }

    /// The next new refund goes on upstream until it is ended.
    pub fn next_refund_goes_on(&self) {
        self.fault(Operation::Refund, sandbox::Fault::Refund(RefundState::InProgress));
    }

    /// End a refund that goes on upstream.
    pub async fn end_upstream(&self, number: &str, refund_no: &str, end: RefundState) {
        let refund = self.refund_row(number, refund_no).await;
        let submission = self.submission_no(number).await;
        self.upstream().end_refund(&submission, &refund.id, end).expect("it is in progress");
    }
}
