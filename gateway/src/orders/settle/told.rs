//! What a move is told as, and what of it waits for a person, or no longer.

use serde_json::{Value, json};
use shared::order::OrderStatus;

use super::After;
use crate::attention::{self, Matter};
use crate::chance::Chance;
use crate::entity::{self, order};
use crate::ledger::{Calmed, Told};
use crate::orders::fact::{Fact, Source};
use crate::orders::refund::sums::{self, Sums};
use crate::orders::schedule::Pace;
use crate::orders::tell;

impl After<'_> {
    /// What the move is told as, and what of it waits for a person.
    pub(super) fn tell(
        &mut self,
        from: OrderStatus,
        fact: &Fact,
        chance: &Chance,
    ) -> (Vec<Told>, Vec<entity::attention::Model>) {
        let (to, by) = (self.order.status(), fact.source.kind().as_str());
        let (mut told, mut raised) = (Vec::new(), Vec::new());
        let moved = |kind, r#move: String| tell::News::new(kind, r#move, fact.at, by);
        match to {
            _ if from == to => {}
            OrderStatus::Failed => {
                told.push(tell::told(
                    &mut self.order,
                    moved(tell::Kind::OrderFailed, "failed".into()),
                    chance,
                ));
            }
            OrderStatus::Closed => {
                told.push(tell::told(
                    &mut self.order,
                    moved(tell::Kind::OrderClosed, "closed".into()),
                    chance,
                ));
            }
            OrderStatus::Refused => {
                // Another submission may be refused, too.
                let r#move = format!("refused:{}", self.submission.id);
                told.push(tell::told(&mut self.order, moved(tell::Kind::OrderRefused, r#move), chance));
            }
            _ if to.has_money() && !from.has_money() => {
                told.push(tell::told(&mut self.order, moved(tell::Kind::OrderPaid, "paid".into()), chance));
            }
            _ => {}
        }
        if self.paid_again {
            self.order.paid_twice = true;
            let detail = self.second_payment();
            let news = tell::News {
                detail: Some(detail.clone()),
                ..moved(tell::Kind::OrderPaidTwice, format!("paid_twice:{}", self.submission.id))
            };
            told.push(tell::told(&mut self.order, news, chance));
            // What has gone back already waits for nobody.
            if !Sums::of(&self.order, &self.submission).is_given_back() {
                let (matter, detail) = (Matter::OrderPaidAgain, self.to_be_sent(detail));
                let subject = &self.submission.id;
                raised.push(attention::of_order(&self.order, matter, subject, fact.at, &detail, chance));
            }
        }
        self.tell_refunds(fact, chance, &mut told, &mut raised);
        (told, raised)
    }

    /// The payment beside the one that the order counts, for those who are told of it.
    fn second_payment(&self) -> Value {
        let call = &self.submission;
        json!({
            "payment": call.id, "amount": call.second_paid, "currency": call.currency,
            "orderNo": call.upstream_order_no, "payTime": call.second_pay_time,
        })
    }

    /// The same with what gives it back, for a person to send.
    fn to_be_sent(&self, mut detail: Value) -> Value {
        detail["order"] = json!(self.order.id);
        detail["refund"] = json!({"payment": self.submission.id, "amount": self.submission.second_paid});
        detail
    }

    /// What the word that all is refunded is told as.
    fn tell_refunds(
        &mut self,
        fact: &Fact,
        chance: &Chance,
        told: &mut Vec<Told>,
        raised: &mut Vec<entity::attention::Model>,
    ) {
        let by = fact.source.kind().as_str();
        for ended in &self.all_refunded.ended {
            let (kind, how) = match ended.state {
                entity::refund::State::Refunded => (tell::Kind::RefundSucceeded, "succeeded"),
                _ => (tell::Kind::RefundFailed, "failed"),
            };
            let news = tell::News {
                refund: Some(ended),
                ..tell::News::new(kind, format!("refund_{how}:{}", ended.id), fact.at, by)
            };
            told.push(tell::told(&mut self.order, news, chance));
        }
        if self.all_refunded.elsewhere > 0 {
            let mut detail = json!({"amount": self.all_refunded.elsewhere});
            // A second time it is more than before.
            let mut r#move = format!("refunded_externally:{}", self.order.refunded_elsewhere);
            let is_second = !sums::is_counted(&self.order, &self.submission);
            if is_second {
                let call = &self.submission;
                detail["payment"] = json!(call.id);
                r#move = format!("refunded_externally:{}:{}", call.id, call.second_elsewhere);
            }
            let news = tell::News {
                detail: Some(detail.clone()),
                ..tell::News::new(tell::Kind::OrderRefundedExternally, r#move, fact.at, by)
            };
            told.push(tell::told(&mut self.order, news, chance));
            // The second payment that goes back is what somebody was waited for to do.
            if !is_second {
                let matter = Matter::OrderRefundedExternally;
                let subject = &self.order.id;
                raised.push(attention::of_order(&self.order, matter, subject, fact.at, &detail, chance));
            }
        }
    }
}

/// What waits for a person no longer, now that `order` has become `to`.
pub(super) fn calmed(order: &order::Model, to: OrderStatus, fact: &Fact, pace: &Pace) -> Vec<Calmed> {
    let from = order.status();
    let calmed = |matter: Matter, subject_id: &str| Calmed {
        kind: matter.as_str(),
        subject_id: subject_id.to_owned(),
        at: fact.at,
        by: fact.source.kind().as_str().to_owned(),
        reason: None,
    };
    let mut all = Vec::new();
    let is_given_up = order.look_at.is_none() && matches!(from, OrderStatus::Unknown | OrderStatus::Awaiting);
    if is_given_up && from != to {
        all.push(calmed(Matter::OrderUnknown, &order.id));
    }
    let is_paid_now = to.has_money() && !from.has_money();
    if pace.unnoticed && is_paid_now && fact.source == Source::Notice {
        all.push(calmed(Matter::StoreNoticesMissing, &order.store_id));
    }
    all
}
