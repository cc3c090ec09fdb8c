//! The moves: order and submission as a fact leaves them. To be checked against `docs/MONEY.md`, What an order is.

use serde_json::json;
use shared::order::OrderStatus;

use super::After;
use crate::entity::order;
use crate::entity::submission::State;
use crate::orders::fact::{Fact, Source, Told};
use crate::orders::refund::books;
use crate::orders::schedule::Pace;
use crate::product;
use crate::upstream::Said;

impl After<'_> {
    pub(super) fn take(&mut self, fact: &Fact) {
        if fact.source == Source::Answer && !matches!(fact.told, Told::Overdue) {
            self.submission.answered_at = Some(fact.at);
        }
        match &fact.told {
            Told::Opened(said) => self.opened(said),
            Told::Refused(said) => self.refused(said),
            Told::Nothing { code, .. } => self.unknown(*code),
            Told::Overdue => self.unknown(None),
            Told::Expired => self.expired(fact.at),
            Told::Closed(said) => self.closed(said),
            Told::NoSuchOrder => self.missed(fact.at),
            Told::State(said) => {
                if fact.source == Source::Answer {
                    self.answered(said);
                }
                self.state(said, fact.at);
            }
        }
    }

    fn is_latest(&self) -> bool {
        self.order.submission_id == self.submission.id
    }

    /// Make the move if it is one; what is not a move is left as it is.
    fn become_(&mut self, next: OrderStatus) {
        if self.order.status().may_become(next) {
            next.as_str().clone_into(&mut self.order.status);
        }
    }

    fn advance(&mut self, next: State) {
        if self.submission.state != State::Paid {
            self.submission.state = next;
        }
    }

    fn opened(&mut self, said: &Said) {
        self.advance(State::Opened);
        self.note_order_no(said);
        self.answered(said);
        if self.is_latest() {
            self.become_(OrderStatus::Awaiting);
        }
    }

    /// What an answer to create carries, for those who ask again.
    fn answered(&mut self, said: &Said) {
        self.submission.code = Some(i64::from(said.code));
        self.submission.pay_url.clone_from(&said.pay_url);
        if self.is_latest() {
            self.order.code = Some(i64::from(said.code));
            self.order.pay_url.clone_from(&said.pay_url);
            self.order.answer_extra = (!said.extra.is_empty()).then(|| json!(said.extra).to_string());
        }
    }

    fn refused(&mut self, said: &Said) {
        self.advance(State::Refused);
        self.submission.code = Some(i64::from(said.code));
        if self.is_latest() {
            self.order.code = Some(i64::from(said.code));
            self.become_(OrderStatus::Refused);
        }
    }

    fn unknown(&mut self, code: Option<i32>) {
        if self.submission.state == State::Sent {
            self.submission.state = State::Unknown;
            self.submission.code = code.map(i64::from);
        }
        if self.is_latest() {
            self.become_(OrderStatus::Unknown);
        }
    }

    fn closed(&mut self, said: &Said) {
        self.advance(State::Failed);
        self.note_order_no(said);
        if self.is_latest() {
            self.become_(OrderStatus::Closed);
        }
    }

    /// We stop expecting money. The submission stays open: the upstream has not said that it ended.
    fn expired(&mut self, at: i64) {
        if self.is_latest() && self.order.status() == OrderStatus::Awaiting && self.order.expires_at <= at {
            self.become_(OrderStatus::Closed);
        }
    }

    /// 'No such order' proves that the call never arrived only twice, the second time long enough after it.
    fn missed(&mut self, at: i64) {
        let doubtful = matches!(self.submission.state, State::Sent | State::Unknown);
        // What the table does not know waits as long as anything does.
        let product = product::named(&self.submission.product).unwrap_or(&product::BARCODE);
        let waited = u128::try_from(at - self.submission.created_at)
            .is_ok_and(|waited| waited >= product.arrival_wait.as_millis());
        match self.submission.missed_at {
            Some(_) if doubtful && waited => {
                self.submission.state = State::NeverArrived;
                if self.is_latest() && self.order.status() == OrderStatus::Unknown {
                    self.order.code = Some(30);
                    self.become_(OrderStatus::Refused);
                }
            }
            None if doubtful => self.submission.missed_at = Some(at),
            _ => {}
        }
    }

    fn state(&mut self, said: &Said, at: i64) {
        self.note_order_no(said);
        match said.status {
            Some(0) => {
                if matches!(self.submission.state, State::Sent | State::Unknown | State::NeverArrived) {
                    self.submission.state = State::Opened;
                }
                if self.is_latest() {
                    self.become_(OrderStatus::Awaiting);
                }
            }
            Some(1) => self.paid(said),
            Some(2) => {
                self.advance(State::Failed);
                if self.is_latest() {
                    self.become_(OrderStatus::Failed);
                }
            }
            // A refunded order was paid before, whether we heard of it or not.
            Some(3) => {
                self.paid(said);
                // That a second payment went back says nothing of the one that counts.
                self.all_refunded =
                    books::refunded_in_full(&mut self.order, &mut self.submission, self.refunds, at);
            }
            _ => {}
        }
    }

    /// Money wins over every state without money.
    fn paid(&mut self, said: &Said) {
        let paid_before = self.submission.state == State::Paid;
        self.submission.state = State::Paid;
        let before = self.order.status();
        if before.has_money() {
            if !paid_before && !self.is_latest() {
                self.paid_again(said);
            }
            return;
        }
        self.order.late = matches!(before, OrderStatus::Refused | OrderStatus::Failed | OrderStatus::Closed);
        if !self.is_latest() {
            // The money came through an earlier call: what that one asked for is what was bought, and the later
            // call's payUrl must not be given out again.
            self.order.submission_id.clone_from(&self.submission.id);
            self.order.currency.clone_from(&self.submission.currency);
            self.order.amount = self.submission.amount;
            self.order.wallet.clone_from(&self.submission.wallet);
            self.order.pay_url.clone_from(&self.submission.pay_url);
            self.order.answer_extra = None;
        }
        self.order.paid = self.order.amount;
        self.order.paid_wallet.clone_from(&said.wallet);
        self.order.buyer.clone_from(&said.buyer);
        self.order.buyer_id.clone_from(&said.buyer_id);
        self.order.pay_time.clone_from(&said.pay_time);
        if let Some(order_no) = &self.submission.upstream_order_no {
            self.order.upstream_order_no = Some(order_no.clone());
        }
        self.become_(OrderStatus::Paid);
    }

    /// The order is paid already: this payment has books of its own.
    fn paid_again(&mut self, said: &Said) {
        self.paid_again = true;
        self.order.second_payments += 1;
        self.submission.second_paid = self.submission.amount;
        self.submission.second_pay_time.clone_from(&said.pay_time);
    }

    fn note_order_no(&mut self, said: &Said) {
        if let Some(order_no) = &said.order_no {
            self.submission.upstream_order_no = Some(order_no.clone());
            if self.is_latest() && !self.order.status().has_money() {
                self.order.upstream_order_no = Some(order_no.clone());
            }
        }
    }

    /// When the order is looked after next, and whether a notice of its payment is still to come.
    pub(super) fn look_next(&mut self, before: &order::Model, fact: &Fact, pace: &Pace) {
        if self.order.status() != before.status() {
            self.order.looks = 0;
            self.order.look_at = pace.first(&self.order, fact.at);
        }
        let is_paid_now = self.order.status().has_money() && !before.status().has_money();
        // What the shop placed itself is notified to the shop.
        let is_notified_here = self.submission.imported_at.is_none();
        if fact.source == Source::Query && is_paid_now && is_notified_here {
            self.order.notice_due_at = Some(fact.at + pace.notice_grace);
        }
        if fact.source == Source::Notice && self.submission.state == State::Paid {
            self.order.notice_due_at = None;
        }
    }
}
