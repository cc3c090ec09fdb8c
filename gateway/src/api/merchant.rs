//! The REST API's routes for what a merchant does: orders, their statements, and its signatures. A merchant's
//! credential reaches its own; a platform's names one of its merchants with `?merchant=`.

use std::sync::Arc;

use crate::app::App;
use crate::directory::Merchant;
use crate::directory::access::Caller;
use crate::error::{Error, FieldProblem};

pub mod deliveries;
pub mod endpoints;
pub mod erase;
pub mod events;
pub mod feed;
pub mod order;
pub mod orders;
pub mod place;
pub mod refund;
pub mod refunds;
pub mod replays;
pub mod selfcheck;
pub mod service;
pub mod signature;
pub mod statement;
pub mod timeline;

/// The merchant that a call is about. Another's is like none at all.
fn merchant_of(app: &App, caller: &Caller, named: Option<&str>) -> Result<Arc<Merchant>, Error> {
    let id = match (caller.tenant.merchant_id(), named) {
        (Some(own), None) => own,
        (Some(own), Some(named)) if own == named => own,
        (Some(_), Some(_)) => return Err(Error::NotFound),
        (None, Some(named)) => named,
        (None, None) => {
            return Err(wrong(
                "merchant",
                "is required with a platform's key: the id of one of its merchants",
            ));
        }
    };
    let merchant = app.directory.merchant_by_id(id).ok_or(Error::NotFound)?;
    if merchant.platform_id == caller.tenant.platform_id() && merchant.mode == caller.mode {
        Ok(merchant)
    } else {
        Err(Error::NotFound)
    }
}

fn wrong(parameter: &'static str, why: impl Into<String>) -> Error {
    Error::Invalid(vec![FieldProblem::parameter(parameter, why)])
}
