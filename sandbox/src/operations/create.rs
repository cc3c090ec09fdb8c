//! Creating an order. Documented choices where the reference is silent: the partner's numbers are unique per
//! partner; the same number with the same content, still to be paid, is answered like the first time; any
//! other repeat is code 31, or 33 for an order that was closed.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use shared::code::Code;
use shared::money::Currency;
use shared::wallet::Wallet;

use super::{Said, order_body, store_problem, takes_effect};
use crate::barcode::{self, AtTheTill};
use crate::directory::Store;
use crate::faults::{Fault, Operation};
use crate::fields::{self, Problem, Reading};
use crate::orders::{Content, Created, Order, PaymentState};
use crate::payer;
use crate::products::{Carries, Product};
use crate::request::Admitted;
use crate::state::State;

pub(super) fn create(
    state: &Arc<State>,
    call: &Admitted<'_>,
    product: Product,
    fault: &mut Option<Fault>,
) -> Said {
    let rules = product.rules();
    let mut reading = fields::read(&call.body, &rules);
    reading.problems.extend(fields::read_keys(&call.body, &rules));
    let content = content(call, product, &mut reading);
    let Some(content) = content.filter(|_| reading.problems.iter().all(|problem| problem.code.is_none()))
    else {
        return Said::refused(reading.problems);
    };
    if fault.is_none() {
        *fault = state.faults.coded(Operation::Create, content.amount);
    }
    let taken = if takes_effect(fault.as_ref()) {
        match state.orders.create(content) {
            Created::New(order) => return opened(&payer::acts(state, order), reading, true),
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
fn content(call: &Admitted<'_>, product: Product, reading: &mut Reading) -> Option<Content> {
    let store_no = reading.owned("storeNo");
    if let Some(problem) = store_problem(call, store_no.as_deref()) {
        reading.problems.push(problem);
    }
    let store = call.partner.store(&store_no?)?;
    let wallet = wallet(product, store, reading);
    if wallet.is_some_and(|wallet| !store.wallets.contains(&wallet)) {
        let problem = Problem::refused(Code::NO_WALLET_ACCOUNT, "wallet", "is not one the store has");
        reading.problems.push(problem);
    }
    Some(Content {
        product,
        partner_no: call.partner.partner_no.clone(),
        store_no: store.store_no.clone(),
        partner_order_no: reading.owned("partnerOrderNo")?,
        wallet: wallet?,
        barcode: reading.owned("barcode"),
        currency: currency(product, store, reading)?,
        amount: reading.whole("orderAmount")?,
        goods_amount: reading.whole("goodsAmount"),
        goods_extra_amount: reading.whole("goodsExtraAmount"),
        title: reading.owned("orderTitle"),
        operator_id: reading.owned("operatorId"),
        terminal_no: reading.owned("terminalNo"),
        notify_url: reading.owned("notifyUrl"),
        return_url: reading.owned("returnUrl"),
        time_to_pay: reading.owned("it_b_pay"),
    })
}

/// The wallet that was named, or the one whose code was scanned.
fn wallet(product: Product, store: &Store, reading: &mut Reading) -> Option<Wallet> {
    if product == Product::Barcode {
        let barcode = reading.text("barcode")?;
        let wallet = barcode::wallet_of(barcode, &store.wallets);
        if wallet.is_none() {
            let reason = "is no wallet's: 16 to 20 digits, first 10 to 15 (WeChat Pay) or 25 to 30 (Alipay)";
            reading.problems.push(Problem::refused(Code::INVALID, "barcode", reason));
        }
        return wallet;
    }
    let wallet = reading.text("wallet").and_then(Wallet::parse)?;
    let row = product.row();
    if !row.wallets.contains(&wallet) {
        let reason = format!("is not one of the {} product's", row.title);
        reading.problems.push(Problem::refused(Code::INVALID, "wallet", reason));
        return None;
    }
    Some(wallet)
}

/// The store's, which a product that takes the field must name.
fn currency(product: Product, store: &Store, reading: &mut Reading) -> Option<Currency> {
    if !product.rules().iter().any(|rule| rule.name == "currency") {
        return Some(store.currency);
    }
    let currency = reading.text("currency").and_then(Currency::parse)?;
    if currency != store.currency {
        let reason = format!("must be the store's, {}", store.currency);
        reading.problems.push(Problem::refused(Code::INVALID, "currency", reason));
    }
    Some(currency)
}

fn opened(order: &Order, reading: Reading, is_new: bool) -> Said {
    let said = match order.content.product.row().carries {
        Carries::PayUrl => Said { fields: fields_of("payUrl", order), ..Said::default() },
        Carries::QrCode => Said { fields: fields_of("qrCode", order), ..Said::default() },
        Carries::Outcome if order.state == PaymentState::Closed => {
            Said::no(Code::ORDER_CLOSED, "the payer called it off")
        }
        Carries::Outcome if is_silent(order) => {
            Said::no(Code::RESULT_UNKNOWN, "the payer is asked for the PIN: query the order")
        }
        Carries::Outcome => Said { fields: order_body(order), ..Said::default() },
    };
    Said { problems: reading.problems, opened: is_new.then(|| order.clone()), ..said }
}

fn fields_of(key: &str, order: &Order) -> Map<String, Value> {
    let fields = [(key, &order.pay_url), ("orderNo", &order.order_no)];
    fields.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect()
}

/// Whether the answer cannot say yet what the payer will do.
fn is_silent(order: &Order) -> bool {
    order.state == PaymentState::Awaiting
        && order.content.barcode.as_deref().is_some_and(|code| AtTheTill::of(code) == AtTheTill::TypesPin)
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
