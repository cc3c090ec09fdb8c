//! The sums of one payment of an order. Those of the payment that the order counts are in the order's row; a payment that
//! came besides, through another call, has its own in the row of that call. So neither payment's refunds can draw on
//! the other, and each row's CHECK bounds them.

use shared::order::OrderStatus;

use crate::entity::{order, submission};

/// Minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    pub paid: i64,
    pub reserved: i64,
    pub refunded: i64,
    /// What of `refunded` no refund of ours explains.
    pub elsewhere: i64,
}

/// Whether the payment that the order counts came through this call, or is to.
pub fn is_counted(order: &order::Model, call: &submission::Model) -> bool {
    order.submission_id == call.id
}

impl Sums {
    /// Of what was paid through `call`, one of the order's.
    pub fn of(order: &order::Model, call: &submission::Model) -> Self {
        if is_counted(order, call) { Self::counted(order) } else { Self::second(call) }
    }

    /// Of what was paid through the call of this id; `calls` need not have the one that the order counts.
    pub fn through(order: &order::Model, calls: &[submission::Model], call_id: &str) -> Self {
        if order.submission_id == call_id {
            return Self::counted(order);
        }
        calls.iter().find(|call| call.id == call_id).map_or_else(Self::default, Self::second)
    }

    fn counted(order: &order::Model) -> Self {
        Self {
            paid: order.paid,
            reserved: order.refund_reserved,
            refunded: order.refunded,
            elsewhere: order.refunded_elsewhere,
        }
    }

    fn second(call: &submission::Model) -> Self {
        Self {
            paid: call.second_paid,
            reserved: call.second_reserved,
            refunded: call.second_refunded,
            elsewhere: call.second_elsewhere,
        }
    }

    /// What may still be refunded.
    pub fn left(self) -> i64 {
        self.paid - self.refunded - self.reserved
    }

    /// One smallest unit that is left behind a refund: nobody means to keep that, a client has rounded.
    pub fn remainder(self) -> Option<i64> {
        Some(self.left()).filter(|left| *left == 1 && self.refunded > 0)
    }

    pub fn is_given_back(self) -> bool {
        self.paid > 0 && self.refunded == self.paid
    }

    /// Write them where they belong. The order's status tells of the payment that it counts, and of no other.
    pub(super) fn keep(self, order: &mut order::Model, call: &mut submission::Model) {
        if !is_counted(order, call) {
            call.second_reserved = self.reserved;
            call.second_refunded = self.refunded;
            call.second_elsewhere = self.elsewhere;
            return;
        }
        let is_more = self.refunded > order.refunded;
        order.refund_reserved = self.reserved;
        order.refunded = self.refunded;
        order.refunded_elsewhere = self.elsewhere;
        let next = if self.is_given_back() { OrderStatus::Refunded } else { OrderStatus::PartiallyRefunded };
        if is_more && order.status().may_become(next) {
            next.as_str().clone_into(&mut order.status);
        }
    }
}
