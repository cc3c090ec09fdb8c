//! Creating an order. Documented choices where the reference is silent: the partner's numbers are unique per
//! partner; the same number with the same content, still to be paid, is answered like the first time; any
//! other repeat is code 31, or 33 for an order that was closed.

use serde_json::json;
use shared::code::Code;
use shared::money::Currency;
use shared::wallet::Wallet;

use super::{Said, store_problem};
use crate::fields::{self, Problem, Reading};
use crate::orders::{Content, Created, Order, PaymentState};
use crate::request::Admitted;
use crate::state::State;

/// `/api/offline/qrcode`: a page with a QR code, for sites on a PC.
pub(super) fn qrcode(state: &State, call: &Admitted<'_>, take_effect: bool) -> Said {
    let mut reading = fields::read(&call.body, &fields::QRCODE);
    reading.problems.extend(fields::read_keys(&call.body, &fields::QRCODE));
    let content = content(call, &mut reading);
    let Some(content) = content.filter(|_| reading.problems.iter().all(|problem| problem.code.is_none()))
    else {
        return Said::refused(reading.problems);
    };
    let taken = if take_effect {
        match state.orders.create(content, state.now()) {
            Created::New(order) => return opened(&order, reading, true),
            Created::Again(order) => return opened(&order, reading, false),
            Created::Taken(state) => Some(state),
        }
    } else {
        state.orders.foresee(&content)
    };
    if let Some(taken) = taken {
        reading.problems.push(number_taken(taken));
    }
    Said::refused(reading.problems)
}

/// The order asked for, if it can be read and belongs to its store.
fn content(call: &Admitted<'_>, reading: &mut Reading) -> Option<Content> {
    let store_no = reading.owned("storeNo");
    if let Some(problem) = store_problem(call, store_no.as_deref()) {
        reading.problems.push(problem);
    }
    let store = call.partner.store(&store_no?)?;
    let wallet = reading.text("wallet").and_then(Wallet::parse);
    if wallet.is_some_and(|wallet| !store.wallets.contains(&wallet)) {
        let problem = Problem::refused(Code::NO_WALLET_ACCOUNT, "wallet", "is not one the store has");
        reading.problems.push(problem);
    }
    let currency = reading.text("currency").and_then(Currency::parse);
    if currency.is_some_and(|currency| currency != store.currency) {
        let reason = format!("must be the store's, {}", store.currency);
        reading.problems.push(Problem::refused(Code::INVALID, "currency", reason));
    }
    Some(Content {
        partner_no: call.partner.partner_no.clone(),
        store_no: store.store_no.clone(),
        partner_order_no: reading.owned("partnerOrderNo")?,
        wallet: wallet?,
        currency: currency?,
        amount: reading.whole("orderAmount")?,
        goods_amount: reading.whole("goodsAmount"),
        goods_extra_amount: reading.whole("goodsExtraAmount"),
        title: reading.owned("orderTitle"),
        operator_id: reading.owned("operatorId"),
        terminal_no: reading.owned("terminalNo"),
        notify_url: reading.owned("notifyUrl"),
        return_url: reading.owned("returnUrl"),
    })
}

fn opened(order: &Order, reading: Reading, is_new: bool) -> Said {
    let fields = [("payUrl", &order.pay_url), ("orderNo", &order.order_no)];
    Said {
        fields: fields.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect(),
        problems: reading.problems,
        opened: is_new.then(|| order.clone()),
        outcome: None,
    }
}

fn number_taken(state: PaymentState) -> Problem {
    let about = "partnerOrderNo";
    match state {
        PaymentState::Closed => Problem::refused(Code::ORDER_CLOSED, about, "names an order that was closed"),
        PaymentState::Awaiting => {
            Problem::refused(Code::CREATED_TWICE, about, "names an order of other content")
        }
        decided => {
            let reason = format!("names an order that is {} already", decided.as_str());
            Problem::refused(Code::CREATED_TWICE, about, reason)
        }
    }
}
