//! Which of an order's payments a refund is taken from. Nearly every order has one; where it was paid through a second
//! call too, nobody's refund may give back the one payment where the other was meant.

use std::sync::Arc;

use shared::order::OrderStatus;

use super::books::Refused;
use super::{Refunding, unreadable};
use crate::app::App;
use crate::entity::{order, submission};
use crate::limits::Priority;
use crate::orders::query::{self, Asked};
use crate::orders::{reread, submission_of};

/// The payment that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payment {
    /// The one that the order counts: ScanForPay's protocol has no word for another.
    Counted,
    /// Not named: the order's only one. Where it has several it is refused.
    Only,
    /// The one that came through this call.
    Named(String),
}

impl Payment {
    /// Of somebody who can name one, and need not.
    pub fn of(name: Option<String>) -> Self {
        name.map_or(Self::Only, Self::Named)
    }
}

/// The order and the call that the payment came through, once money was seen: where our rows do not say paid, the
/// upstream is asked first.
pub(super) async fn find(
    app: &Arc<App>,
    order: order::Model,
    payment: &Payment,
) -> Result<(order::Model, submission::Model), Refunding> {
    let Payment::Named(name) = payment else {
        let order = paid_first(app, order).await?;
        let call = called(app, &order, &order.submission_id).await?;
        return Ok((order, call));
    };
    let call = called(app, &order, name).await?;
    if call.state == submission::State::Paid {
        // Read after its call: what that says of a payment, the order knows.
        let order = reread(app, &order.id).await.map_err(|error| unreadable(&error))?;
        return Ok((order, call));
    }
    let asked = query::ask_anew(app, &order, Priority::Refund).await;
    let call = called(app, &order, name).await?;
    let order = reread(app, &order.id).await.map_err(|error| unreadable(&error))?;
    match asked {
        _ if call.state == submission::State::Paid => Ok((order, call)),
        Asked::Over(_, refusal) => Err(Refunding::Over(refusal)),
        Asked::NoAnswer(_) => Err(Refunding::Refused(Refused::PaymentUnknown)),
        Asked::Answered(_) => Err(Refunding::Refused(Refused::NotPaid)),
    }
}

/// The order's call of this id.
async fn called(app: &App, order: &order::Model, id: &str) -> Result<submission::Model, Refunding> {
    // No id has U+0000 in it, and PostgreSQL takes no text that has.
    let id = if id.contains('\0') { "" } else { id };
    let call = submission_of(app, id).await.map_err(|error| unreadable(&error))?;
    call.filter(|call| call.order_id == order.id).ok_or(Refunding::Refused(Refused::NoSuchPayment))
}

/// The order once money was seen: where our row does not say paid, the upstream is asked first. What it said a moment
/// ago will not do: the payer may have paid since.
async fn paid_first(app: &Arc<App>, order: order::Model) -> Result<order::Model, Refunding> {
    if order.status().has_money() {
        return Ok(order);
    }
    match query::ask_anew(app, &order, Priority::Refund).await {
        Asked::Over(order, refusal) if !order.status().has_money() => Err(Refunding::Over(refusal)),
        Asked::NoAnswer(order) if !order.status().has_money() => {
            Err(Refunding::Refused(Refused::PaymentUnknown))
        }
        asked => match asked.into_order() {
            order if order.status().has_money() => Ok(order),
            order if matches!(order.status(), OrderStatus::Submitting | OrderStatus::Unknown) => {
                Err(Refunding::Refused(Refused::PaymentUnknown))
            }
            _ => Err(Refunding::Refused(Refused::NotPaid)),
        },
    }
}
