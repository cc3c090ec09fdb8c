//! Payers who act without being told: by the code that was scanned, or because a fault wants it. Who is to pay is
//! decided when the order is opened; what comes later, in tasks of its own.

use std::sync::Arc;

use crate::barcode::AtTheTill;
use crate::faults::{Fault, Operation, PayerAct};
use crate::orders::{Order, PaymentState};
use crate::state::{State, some_payer};

/// Let the payer of a new order act; the order as it is then.
pub(crate) fn acts(state: &Arc<State>, order: Order) -> Order {
    let id = order.id;
    let become_state = |next| state.orders.become_state(id, next).ok();
    let pay = || state.pay(id, some_payer(order.content.wallet)).ok();
    let moved = match act(state, &order) {
        None => None,
        Some(PayerAct::Pays) => pay(),
        Some(PayerAct::Cancels) => become_state(PaymentState::Closed),
        Some(PayerAct::Fails) => become_state(PaymentState::Failed),
        Some(PayerAct::FailsThenPays) => {
            pay_later(state, &order);
            become_state(PaymentState::Failed)
        }
        Some(PayerAct::PaysLate) => {
            pay_later(state, &order);
            become_state(PaymentState::Closed)
        }
        Some(PayerAct::LetsItExpire) => state.orders.expire_at(id, state.now() + state.pace.moment),
    };
    moved.unwrap_or(order)
}

fn act(state: &State, order: &Order) -> Option<PayerAct> {
    if let Some(Fault::Payer(act)) = state.faults.strike(Operation::Payer, order.content.amount) {
        return Some(act);
    }
    match AtTheTill::of(order.content.barcode.as_deref()?) {
        AtTheTill::Pays => Some(PayerAct::Pays),
        AtTheTill::Declined => Some(PayerAct::Fails),
        AtTheTill::TypesPin | AtTheTill::TypesPinToldAsAwaiting => None,
    }
}

fn pay_later(state: &Arc<State>, order: &Order) {
    let (sandbox, id, wallet) = (Arc::clone(state), order.id, order.content.wallet);
    state.tasks.spawn(async move {
        tokio::time::sleep(sandbox.pace.moment).await;
        // Somebody may have paid by hand meanwhile.
        let _ = sandbox.pay(id, some_payer(wallet));
    });
}
