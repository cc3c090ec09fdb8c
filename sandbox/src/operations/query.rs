//! Asking about an order, and what is said about one: in the answer here, and in notices.

use serde_json::{Map, Value, json};
use shared::code::Code;
use shared::envelope;

use super::{Said, store_problem, takes_effect};
use crate::faults::{Fault, Operation};
use crate::fields::{self, Problem};
use crate::orders::{Order, PaymentState};
use crate::request::Admitted;
use crate::state::State;

/// `/api/common/payQuery`. `orderNo` wins where both numbers are given; a `storeNo`, if given, must be the
/// order's.
pub(super) fn query(state: &State, call: &Admitted<'_>, fault: &mut Option<Fault>) -> Said {
    let mut reading = fields::read(&call.body, &fields::QUERY);
    reading.problems.extend(fields::read_keys(&call.body, &fields::QUERY));
    reading.problems.extend(store_problem(call, reading.text("storeNo")));
    let (ours, theirs) = (reading.text("orderNo"), reading.text("partnerOrderNo"));
    let is_refused = reading.problems.iter().any(|problem| problem.code.is_some());
    if !is_refused && ours.is_none() && theirs.is_none() {
        let reason = "is missing, as is orderNo";
        reading.problems.push(Problem::refused(Code::NO_NUMBER, "partnerOrderNo", reason));
        return Said::refused(reading.problems);
    }
    if is_refused {
        return Said::refused(reading.problems);
    }
    let partner_no = &call.partner.partner_no;
    let order = match (ours, theirs) {
        (Some(order_no), _) => state.orders.by_order_no(order_no),
        (None, theirs) => state.orders.of_partner(partner_no, theirs.unwrap_or_default()),
    };
    let store_no = reading.text("storeNo");
    let order = order.filter(|order| {
        order.content.partner_no == *partner_no && store_no.is_none_or(|no| order.content.store_no == no)
    });
    let mut said = match order {
        None => Said::no(Code::NO_SUCH_ORDER, "no such order"),
        Some(order) => {
            if fault.is_none() {
                *fault = state.faults.coded(Operation::Query, order.content.amount);
            }
            if takes_effect(fault.as_ref()) {
                state.orders.note(order.id, |order| order.queries += 1);
            }
            if order.state == PaymentState::Closed {
                Said::no(Code::ORDER_CLOSED, "order closed")
            } else {
                Said { fields: order_body(&order), ..Said::default() }
            }
        }
    };
    said.problems = reading.problems;
    said
}

/// What a query's answer and a notice say behind `code` and `msg`.
pub fn order_body(order: &Order) -> Map<String, Value> {
    let wallet = order.paid_with.as_ref().map_or(order.content.wallet, |paid| paid.wallet);
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("orderNo", json!(order.order_no));
    put("partnerOrderNo", json!(order.content.partner_order_no));
    put("orderAmount", json!(order.content.amount));
    put("currency", json!(order.content.currency.as_str()));
    put("wallet", json!(wallet.as_str()));
    put("status", json!(order.state.wire_status()));
    if let Some(paid_at) = order.paid_at {
        put("payTime", json!(envelope::rfc3339(paid_at)));
    }
    if let Some(paid) = &order.paid_with {
        put("buyer", json!(paid.buyer));
        put("buyerId", json!(paid.buyer_id));
    }
    body
}
