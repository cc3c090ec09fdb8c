//! Giving money back. Documented choices where the reference is silent: `orders/refunds.rs`.

use serde_json::{Map, Value, json};
use shared::code::Code;

use super::{Said, store_problem, takes_effect};
use crate::faults::{Fault, Operation};
use crate::fields::{self, Problem};
use crate::orders::{Ending, NotRefunded, Order, RefundState};
use crate::request::Admitted;
use crate::state::State;

/// `/api/common/refund`.
pub(super) fn refund(state: &State, call: &Admitted<'_>, fault: &mut Option<Fault>) -> Said {
    let mut reading = fields::read(&call.body, &fields::REFUND);
    reading.problems.extend(fields::read_keys(&call.body, &fields::REFUND));
    reading.problems.extend(store_problem(call, reading.text("storeNo")));
    let given = (reading.text("partnerOrderNo"), reading.text("refundNo"), reading.whole("orderAmount"));
    let (Some(number), Some(refund_no), Some(amount)) = given else {
        return Said::refused(reading.problems);
    };
    if reading.problems.iter().any(|problem| problem.code.is_some()) {
        return Said::refused(reading.problems);
    }
    let store_no = reading.text("storeNo");
    let order = state.orders.of_partner(&call.partner.partner_no, number);
    let order = order.filter(|order| store_no.is_none_or(|no| order.content.store_no == no));
    let mut said = match order {
        None => Said::no(Code::NO_SUCH_ORDER, "no such order"),
        Some(order) => {
            // What the amount asks for goes wrong once: the repeat that asks what became of it is answered.
            if fault.is_none() && order.refund(refund_no).is_none() {
                *fault = state.faults.coded(Operation::Refund, order.content.amount);
            }
            match made(state, &order, refund_no, amount, fault.as_ref()) {
                Ok(state) => Said { fields: answer(&order, refund_no, amount, state), ..Said::default() },
                Err(problem) => Said::refused(vec![problem]),
            }
        }
    };
    reading.problems.append(&mut said.problems);
    said.problems = reading.problems;
    said
}

fn made(
    state: &State,
    order: &Order,
    refund_no: &str,
    amount: i64,
    fault: Option<&Fault>,
) -> Result<RefundState, Problem> {
    let refund = if takes_effect(fault) {
        let (goes_to, ends) = match fault {
            Some(Fault::Refund(state)) => (*state, None),
            Some(Fault::RefundEnds(end)) => {
                let ends = Ending { at: state.now() + state.pace.refund, state: *end };
                (RefundState::InProgress, Some(ends))
            }
            _ => (RefundState::Refunded, None),
        };
        state.orders.refund(order.id, refund_no, amount, goes_to, ends).map(|refund| refund.state)
    } else {
        let known = order.foresee_refund(refund_no, amount);
        known.map(|known| known.map_or(RefundState::Refunded, |refund| refund.state))
    };
    if let Ok(came_to) = refund {
        let (order, came_to) = (order.content.partner_order_no.as_str(), came_to.as_str());
        tracing::info!(order, refund_no, amount, state = came_to, "refund");
    }
    refund.map_err(|not| match not {
        NotRefunded::Taken => {
            Problem::refused(Code::CREATED_TWICE, "refundNo", "names a refund of another amount")
        }
        NotRefunded::NotPaid(state) => {
            let reason = format!("names an order that is {}, not paid", state.as_str());
            Problem::refused(Code::WRONG_STATE, "partnerOrderNo", reason)
        }
        NotRefunded::TooMuch(left) => {
            let reason = format!("is more than can be refunded still, {left}");
            Problem::refused(Code::MORE_THAN_REFUNDABLE, "orderAmount", reason)
        }
    })
}

fn answer(order: &Order, refund_no: &str, amount: i64, state: RefundState) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("orderAmount", json!(amount));
    put("status", json!(state.wire_status()));
    put("currency", json!(order.content.currency.as_str()));
    put("refundNo", json!(refund_no));
    body
}
