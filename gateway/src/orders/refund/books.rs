//! An order's books: what of its payment is kept back for refunds, what is given back, and what may still be. Pure;
//! the ledger runs it inside the transaction that writes its outcome.

use shared::code::Code;
use shared::order::OrderStatus;

use super::Ask;
use crate::entity::order;
use crate::entity::refund::{self, State};

/// Refunds of one order at most, failed ones included: all are looked at whenever one of them changes.
pub const MOST: usize = 500;

/// Why a refund is not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The number stands for a refund of another amount.
    OtherAmount,
    /// As much is being refunded under this number, and how that ends is not known.
    Open(String),
    TooMuch {
        left: i64,
    },
    NotPaid,
    /// The upstream does not say whether it is paid. Nothing was begun.
    PaymentUnknown,
    /// Somebody refunded without us: what is left only the upstream knows.
    Elsewhere,
    TooMany,
}

impl Refused {
    /// The protocol's.
    pub fn code(&self) -> Code {
        match self {
            Self::OtherAmount => Code::CREATED_TWICE,
            Self::TooMuch { .. } => Code::MORE_THAN_REFUNDABLE,
            Self::PaymentUnknown => Code::RESULT_UNKNOWN,
            Self::Open(_) | Self::NotPaid | Self::Elsewhere | Self::TooMany => Code::WRONG_STATE,
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::OtherAmount => "this refundNo stands for a refund of another amount".to_owned(),
            Self::Open(refund_no) => format!("as much is being refunded already: refundNo {refund_no}"),
            Self::TooMuch { left } => format!("more than is refundable; {left} is left"),
            Self::NotPaid => "this order is not paid".to_owned(),
            Self::PaymentUnknown => {
                "whether this order is paid is not known yet; nothing was begun, ask again".to_owned()
            }
            Self::Elsewhere => "this order was refunded outside of this gateway; ask the platform".to_owned(),
            Self::TooMany => format!("this order has {MOST} refunds already"),
        }
    }
}

/// What asking for a refund comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreseen {
    New,
    /// The number and the amount are this one's: it is the same refund.
    Known(Box<refund::Model>),
    Refused(Refused),
}

/// Minor units that may still be refunded.
pub fn left(order: &order::Model) -> i64 {
    order.paid - order.refunded - order.refund_reserved
}

/// One smallest unit that is left behind a refund: nobody means to keep that, a client has rounded.
pub fn remainder(order: &order::Model) -> Option<i64> {
    Some(left(order)).filter(|left| *left == 1 && order.refunded > 0)
}

pub fn foresee(order: &order::Model, refunds: &[refund::Model], ask: &Ask) -> Foreseen {
    if let Some(known) = refunds.iter().find(|refund| refund.refund_no == ask.refund_no) {
        return if known.amount == ask.amount {
            Foreseen::Known(Box::new(known.clone()))
        } else {
            Foreseen::Refused(Refused::OtherAmount)
        };
    }
    match refused(order, refunds, ask.amount, ask.force) {
        Some(refused) => Foreseen::Refused(refused),
        None => Foreseen::New,
    }
}

/// What is in the way of a new refund of `amount`.
pub fn refused(order: &order::Model, refunds: &[refund::Model], amount: i64, force: bool) -> Option<Refused> {
    let twin = refunds.iter().find(|refund| refund.state.is_open() && refund.amount == amount);
    match (twin, left(order)) {
        _ if !order.status().has_money() => Some(Refused::NotPaid),
        _ if order.refunded_elsewhere > 0 => Some(Refused::Elsewhere),
        (Some(twin), _) if !force => Some(Refused::Open(twin.refund_no.clone())),
        (_, left) if amount > left => Some(Refused::TooMuch { left }),
        _ if refunds.len() >= MOST => Some(Refused::TooMany),
        _ => None,
    }
}

/// Give back what was kept back.
pub fn succeed(order: &mut order::Model, refund: &mut refund::Model) {
    order.refund_reserved -= refund.amount;
    give_back(order, refund.amount);
    end(refund, State::Refunded);
}

/// Keep it back no longer.
pub fn fail(order: &mut order::Model, refund: &mut refund::Model) {
    order.refund_reserved -= refund.amount;
    end(refund, State::Failed);
}

fn end(refund: &mut refund::Model, state: State) {
    refund.state = state;
    refund.look_at = None;
}

fn give_back(order: &mut order::Model, amount: i64) {
    order.refunded += amount;
    let next =
        if order.refunded == order.paid { OrderStatus::Refunded } else { OrderStatus::PartiallyRefunded };
    if order.status().may_become(next) {
        next.as_str().clone_into(&mut order.status);
    }
}

/// What the word that all of a payment is refunded comes to.
#[derive(Debug, Default)]
pub struct All {
    /// Refunds of ours that have ended with it: done, or, where the upstream was never asked for them, failed.
    pub ended: Vec<refund::Model>,
    /// Minor units that no refund of ours explains.
    pub elsewhere: i64,
}

/// All of the payment is refunded, says the upstream at `at`. Our open refunds are done, but for one whose own answer
/// is still to come: that will say it better. What they do not explain was refunded without us.
pub fn refunded_in_full(order: &mut order::Model, refunds: &[refund::Model], at: i64) -> All {
    let is_in_flight = |refund: &refund::Model| {
        refund.state == State::Submitting && refund.answer_due_at.is_some_and(|due| due > at)
    };
    let open = refunds.iter().filter(|refund| refund.state.is_open() && !is_in_flight(refund));
    let mut all = All::default();
    for refund in open {
        let mut refund = refund.clone();
        refund.updated_at = refund.updated_at.max(at);
        if refund.calls == 0 {
            fail(order, &mut refund);
        } else {
            succeed(order, &mut refund);
        }
        all.ended.push(refund);
    }
    all.elsewhere = left(order);
    if all.elsewhere > 0 {
        order.refunded_elsewhere += all.elsewhere;
        give_back(order, all.elsewhere);
    }
    all
}
