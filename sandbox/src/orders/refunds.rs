//! Refunds of an order. Documented choices where the reference is silent: a `refundNo` is unique per order; the same
//! number with the same amount is the same refund, however often it is asked for; a refund in progress keeps its
//! amount until it failed.

use time::OffsetDateTime;

use super::{Ending, Order, Orders, PaymentState, Refund, RefundState};

/// Why nothing is refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRefunded {
    /// The number is taken by a refund of another amount.
    Taken,
    NotPaid(PaymentState),
    /// More than this is not refundable.
    TooMuch(i64),
}

impl Order {
    /// What asking for this refund would come to: the refund made before under its number, or a new one.
    pub(crate) fn foresee_refund(
        &self,
        refund_no: &str,
        amount: i64,
    ) -> Result<Option<&Refund>, NotRefunded> {
        match (self.refund(refund_no), self.state) {
            (Some(known), _) if known.amount != amount => Err(NotRefunded::Taken),
            (Some(known), _) => Ok(Some(known)),
            (None, PaymentState::Paid | PaymentState::Refunded) => match self.refundable() {
                left if amount > left => Err(NotRefunded::TooMuch(left)),
                _ => Ok(None),
            },
            (None, state) => Err(NotRefunded::NotPaid(state)),
        }
    }

    /// End the refunds whose time has come.
    pub(super) fn settle_due_refunds(&mut self, now: OffsetDateTime) {
        for at in 0..self.refunds.len() {
            let Refund { state: RefundState::InProgress, ends: Some(Ending { at: due, state }), .. } =
                self.refunds[at]
            else {
                continue;
            };
            if due <= now {
                self.settle_refund(at, state);
            }
        }
    }

    /// Let a refund end, and with the last of the money the order.
    fn settle_refund(&mut self, at: usize, state: RefundState) {
        let refund = &mut self.refunds[at];
        refund.state = state;
        if state != RefundState::InProgress {
            refund.ends = None;
        }
        if self.state == PaymentState::Paid && self.refunded() == self.content.amount {
            self.state = PaymentState::Refunded;
        }
    }
}

impl Orders {
    /// Refund, or find the refund made before under this number. `state` is where a new one goes at once, `ends` how it
    /// ends by itself. The order must exist.
    pub(crate) fn refund(
        &self,
        id: u64,
        refund_no: &str,
        amount: i64,
        state: RefundState,
        ends: Option<Ending>,
    ) -> Result<Refund, NotRefunded> {
        let mut book = self.book_to_change();
        let missing = NotRefunded::NotPaid(PaymentState::Closed);
        let order = book.orders.get_mut(&id).ok_or(missing)?;
        if order.foresee_refund(refund_no, amount)?.is_none() {
            let refund = Refund { refund_no: refund_no.to_owned(), amount, state, asked: 0, ends };
            order.refunds.push(refund);
            let at = order.refunds.len() - 1;
            order.settle_refund(at, state);
        }
        let known = order.refunds.iter_mut().find(|refund| refund.refund_no == refund_no);
        let refund = known.expect("it was there or was put there");
        refund.asked += 1;
        let refund = refund.clone();
        if let Some(Ending { at, .. }) = refund.ends {
            book.settling.insert((at, id));
        }
        Ok(refund)
    }

    /// End a refund that is in progress; `None` where there is no such refund, or it has ended already.
    pub(crate) fn end_refund(&self, id: u64, refund_no: &str, state: RefundState) -> Option<Refund> {
        let mut book = self.book_to_change();
        let order = book.orders.get_mut(&id)?;
        let at = order.refunds.iter().position(|refund| refund.refund_no == refund_no)?;
        if order.refunds[at].state != RefundState::InProgress {
            return None;
        }
        order.settle_refund(at, state);
        Some(order.refunds[at].clone())
    }
}
