//! An order's books: what of a payment is kept back for refunds, what is given back, and what may still be. Pure;
//! the ledger runs it inside the transaction that writes its outcome.

use shared::code::Code;

use super::sums::Sums;
use super::{Ask, Payment};
use crate::entity::refund::{self, State};
use crate::entity::{order, submission};

/// Refunds of one order at most, failed ones included: all are looked at whenever one of them changes.
pub const MOST: usize = 500;

/// Why a refund is not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The number stands for a refund of another amount.
    OtherAmount,
    /// The number stands for a refund of another payment of the order.
    OtherPayment,
    /// The order was paid more than once, and it was not said which payment is meant.
    WhichPayment,
    /// The order has no call of this name.
    NoSuchPayment,
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
            Self::OtherAmount | Self::OtherPayment => Code::CREATED_TWICE,
            Self::TooMuch { .. } => Code::MORE_THAN_REFUNDABLE,
            Self::PaymentUnknown => Code::RESULT_UNKNOWN,
            Self::WhichPayment | Self::NoSuchPayment => Code::INVALID,
            Self::Open(_) | Self::NotPaid | Self::Elsewhere | Self::TooMany => Code::WRONG_STATE,
        }
    }

    pub fn text(&self) -> String {
        match self {
            Self::OtherAmount => "this refundNo stands for a refund of another amount".to_owned(),
            Self::OtherPayment => "this refundNo stands for a refund of another payment".to_owned(),
            Self::WhichPayment => "this order was paid more than once; say which payment is meant".to_owned(),
            Self::NoSuchPayment => "this order has no such payment".to_owned(),
            Self::Open(refund_no) => format!("as much is being refunded already: refundNo {refund_no}"),
            Self::TooMuch { left } => format!("more than is refundable; {left} is left"),
            Self::NotPaid => "this order is not paid".to_owned(),
            Self::PaymentUnknown => {
                "whether this order is paid is not known yet; nothing was begun, ask again".to_owned()
            }
            Self::Elsewhere => {
                "this payment was refunded outside of this gateway; ask the platform".to_owned()
            }
            Self::TooMany => format!("this order has {MOST} refunds already"),
        }
    }
}

/// What asking for a refund comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreseen {
    New,
    /// The number, the amount and the payment are this one's: it is the same refund.
    Known(Box<refund::Model>),
    Refused(Refused),
}

/// Of what was paid through `call`.
pub fn foresee(
    order: &order::Model,
    call: &submission::Model,
    refunds: &[refund::Model],
    ask: &Ask,
) -> Foreseen {
    if let Some(known) = refunds.iter().find(|refund| refund.refund_no == ask.refund_no) {
        // Whoever names no payment may have asked before there was a second one.
        let is_of_it = ask.payment == Payment::Only || known.submission_id == call.id;
        return match known.amount == ask.amount {
            true if is_of_it => Foreseen::Known(Box::new(known.clone())),
            true => Foreseen::Refused(Refused::OtherPayment),
            false => Foreseen::Refused(Refused::OtherAmount),
        };
    }
    if ask.payment == Payment::Only && order.second_payments > 0 {
        return Foreseen::Refused(Refused::WhichPayment);
    }
    match refused(order, call, refunds, ask.amount, ask.force) {
        Some(refused) => Foreseen::Refused(refused),
        None => Foreseen::New,
    }
}

/// What is in the way of a new refund of `amount` of what was paid through `call`.
pub fn refused(
    order: &order::Model,
    call: &submission::Model,
    refunds: &[refund::Model],
    amount: i64,
    force: bool,
) -> Option<Refused> {
    let sums = Sums::of(order, call);
    let twin = of(call, refunds).find(|refund| refund.state.is_open() && refund.amount == amount);
    match (twin, sums.left()) {
        _ if sums.paid == 0 => Some(Refused::NotPaid),
        _ if sums.elsewhere > 0 => Some(Refused::Elsewhere),
        (Some(twin), _) if !force => Some(Refused::Open(twin.refund_no.clone())),
        (_, left) if amount > left => Some(Refused::TooMuch { left }),
        _ if refunds.len() >= MOST => Some(Refused::TooMany),
        _ => None,
    }
}

/// The refunds of what was paid through `call`.
fn of<'a>(
    call: &submission::Model,
    refunds: &'a [refund::Model],
) -> impl Iterator<Item = &'a refund::Model> + use<'a> {
    let id = call.id.clone();
    refunds.iter().filter(move |refund| refund.submission_id == id)
}

/// Keep the amount back.
pub fn keep_back(order: &mut order::Model, call: &mut submission::Model, refund: &refund::Model) {
    let sums = Sums::of(order, call);
    Sums { reserved: sums.reserved + refund.amount, ..sums }.keep(order, call);
}

/// Give back what was kept back.
pub fn succeed(order: &mut order::Model, call: &mut submission::Model, refund: &mut refund::Model) {
    let sums = Sums::of(order, call);
    let (reserved, refunded) = (sums.reserved - refund.amount, sums.refunded + refund.amount);
    Sums { reserved, refunded, ..sums }.keep(order, call);
    end(refund, State::Refunded);
}

/// Keep it back no longer.
pub fn fail(order: &mut order::Model, call: &mut submission::Model, refund: &mut refund::Model) {
    let sums = Sums::of(order, call);
    Sums { reserved: sums.reserved - refund.amount, ..sums }.keep(order, call);
    end(refund, State::Failed);
}

fn end(refund: &mut refund::Model, state: State) {
    refund.state = state;
    refund.look_at = None;
}

/// What the word that all of a payment is refunded comes to.
#[derive(Debug, Default)]
pub struct All {
    /// Refunds of ours that have ended with it: done, or, where the upstream was never asked for them, failed.
    pub ended: Vec<refund::Model>,
    /// Minor units that no refund of ours explains.
    pub elsewhere: i64,
}

/// All that was paid through `call` is refunded, says the upstream at `at`. Our open refunds of it are done, but for one
/// whose own answer is still to come: that will say it better. What they do not explain was refunded without us.
pub fn refunded_in_full(
    order: &mut order::Model,
    call: &mut submission::Model,
    refunds: &[refund::Model],
    at: i64,
) -> All {
    let is_in_flight = |refund: &refund::Model| {
        refund.state == State::Submitting && refund.answer_due_at.is_some_and(|due| due > at)
    };
    let open = of(call, refunds).filter(|refund| refund.state.is_open() && !is_in_flight(refund));
    let mut all = All::default();
    for refund in open {
        let mut refund = refund.clone();
        refund.updated_at = refund.updated_at.max(at);
        if refund.calls == 0 {
            fail(order, call, &mut refund);
        } else {
            succeed(order, call, &mut refund);
        }
        all.ended.push(refund);
    }
    let sums = Sums::of(order, call);
    all.elsewhere = sums.left();
    if all.elsewhere > 0 {
        let refunded = sums.refunded + all.elsewhere;
        Sums { refunded, elsewhere: sums.elsewhere + all.elsewhere, ..sums }.keep(order, call);
    }
    all
}
