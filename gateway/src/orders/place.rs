//! Placing an order: durable first, then the upstream, then its answer through the one gate. From the first
//! write on it runs in a task of its own, which the caller only awaits: one that hangs up discards nothing.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use shared::code::Code;
use shared::order::OrderStatus;

use super::answer::{self, Reply, Understood};
use super::content::{Content, FieldError};
use super::fact::Source;
use super::journal::{self, Kind};
use super::{Placed, barcode, fact_now, query, repeat, room, settle_seen};
use crate::app::App;
use crate::callback::{self, Tokens};
use crate::directory::{Merchant, Store};
use crate::entity::{order, submission};
use crate::ledger::{LedgerError, NewOrder, Placement, Room};
use crate::troubles::{Whose, credentials};

/// A verified create.
#[derive(Clone)]
pub struct Create {
    pub merchant: Arc<Merchant>,
    pub store: Arc<Store>,
    /// Version of the merchant's sign key that verified it.
    pub key_id: String,
    pub content: Content,
    /// What the merchant says that the order is for.
    pub reference: Option<String>,
    /// The signed text as it came.
    pub raw: String,
}

impl Create {
    /// What the journal keeps of it.
    pub(super) fn kept(&self) -> Vec<u8> {
        let code = self.content.barcode.as_ref();
        let kept = if code.is_some() { barcode::kept(&self.raw, code) } else { self.raw.clone() };
        kept.into_bytes()
    }

    /// What makes two creates the same: the content, and what the merchant says it is for.
    pub(super) fn hash(&self) -> Vec<u8> {
        let content = self.content.hash();
        match &self.reference {
            None => content,
            Some(reference) => Sha256::digest([&content, reference.as_bytes()].concat()).to_vec(),
        }
    }

    /// What the order is for, by the merchant's word or by its numbers.
    pub(super) fn reference(&self) -> Option<String> {
        self.reference.clone().or_else(|| self.merchant.reference_of(&self.content.number))
    }
}

/// The store that `content` names, if it may take this order.
pub fn store_for(merchant: &Merchant, content: &Content) -> Result<Arc<Store>, FieldError> {
    let Some(store) = merchant.stores.get(&content.store_no) else {
        return Err(FieldError::invalid("storeNo", "is none of this merchant's stores"));
    };
    if !store.enabled {
        return Err(FieldError {
            code: Code::NOT_AUTHORISED,
            ..FieldError::invalid("storeNo", "this store is disabled")
        });
    }
    if store.account.barred.is_some() {
        let closed = "the operator takes no new orders for this store's account; ask the platform";
        return Err(FieldError { code: Code::NOT_AUTHORISED, ..FieldError::invalid("storeNo", closed) });
    }
    if content.wallet.is_some_and(|wallet| !store.wallets.contains(&wallet)) {
        return Err(FieldError {
            code: Code::NO_WALLET_ACCOUNT,
            ..FieldError::invalid("wallet", "is not opened for this store")
        });
    }
    if content.currency.is_some_and(|currency| currency != store.currency) {
        return Err(FieldError::invalid(
            "currency",
            format!("is not the store's, which is {}", store.currency),
        ));
    }
    Ok(store.clone())
}

/// Place an order with ScanForPay on the merchant's behalf.
pub async fn place(app: &Arc<App>, create: Create) -> Placed {
    if app.disk.is_low() {
        return Placed::Busy;
    }
    let (new, tokens) = new_order(app, &create);
    // Room for both writes before the first: what the upstream answers must have a place to go.
    let (Ok(first), Ok(second)) = (room(app, &new.order.id), room(app, &new.order.id)) else {
        return Placed::Busy;
    };
    let task = app.tasks.spawn(run(app.clone(), create, new, tokens, first, second));
    task.await.unwrap_or(Placed::Doubt)
}

async fn run(
    app: Arc<App>,
    create: Create,
    new: NewOrder,
    tokens: Tokens,
    first: Room,
    second: Room,
) -> Placed {
    let flight = app.flights.depart(&new.order.id);
    let (order, submission) = (new.order.clone(), new.submission.clone());
    match first.place(new).await {
        Ok(Placement::New) => {
            app.pulse.placed(&order.currency, app.clock.now_ms());
            app.recent.note(&submission);
            let placed = submit(&app, &create, &order, &submission, &tokens, second).await;
            flight.land(&placed);
            placed
        }
        Ok(Placement::Taken(taken)) => {
            drop((flight, second));
            repeat::again(&app, &create, *taken).await
        }
        Err(LedgerError::InDoubt) => Placed::Doubt,
        Err(error) => {
            tracing::warn!(%error, "an order was not taken");
            Placed::Busy
        }
    }
}

fn new_order(app: &App, create: &Create) -> (NewOrder, Tokens) {
    let now = app.clock.now_ms();
    let (content, store) = (&create.content, &create.store);
    let order_id = app.chance.id();
    let (mut submission, tokens) = new_submission(app, create, &order_id, now);
    if store.account.numbers_of.as_ref() == Some(&create.merchant.id) {
        // Payers see it on their bills. A later call for the order goes under a number of ours, as each must have
        // one of its own.
        submission.own_number = Some(content.number.clone());
    }
    let order = order::Model {
        id: order_id,
        platform_id: create.merchant.platform_id.clone(),
        merchant_id: create.merchant.id.clone(),
        store_id: store.id.clone(),
        number: content.number.clone(),
        product: content.product.name.to_owned(),
        wallet: content.wallet.map(|wallet| wallet.as_str().to_owned()),
        currency: store.currency.to_string(),
        amount: content.amount,
        title: content.title.clone(),
        notify_url: content.notify_url.as_ref().map(ToString::to_string),
        return_url: content.return_url.as_ref().map(ToString::to_string),
        content_hash: create.hash(),
        status: "submitting".to_owned(),
        late: false,
        paid: 0,
        refund_reserved: 0,
        refunded: 0,
        submission_id: submission.id.clone(),
        submissions: 1,
        answer_due_at: submission.answer_due_at,
        pay_url: None,
        answer_extra: None,
        code: None,
        upstream_order_no: None,
        paid_wallet: None,
        buyer: None,
        buyer_id: None,
        pay_time: None,
        sign_key_id: create.key_id.clone(),
        events: 0,
        created_at: now,
        updated_at: now,
        expires_at: expires_at(app, create, now),
        look_at: Some(submission.answer_due_at),
        looks: 0,
        reference: create.reference(),
        paid_twice: false,
        refunded_elsewhere: 0,
        notice_due_at: None,
        second_payments: 0,
    };
    let note = json!({"submission": 1, "store": store.store_no, "key": create.key_id});
    let mut entry = journal::entry(app.chance.id(), &order.id, &submission.id, now, Kind::Placed, &note);
    entry.raw = Some(create.kept());
    (NewOrder { order, submission, journal: entry }, tokens)
}

/// Until when the order can be paid.
pub(super) fn expires_at(app: &App, create: &Create, now: i64) -> i64 {
    match &create.content.time_to_pay {
        Some(time_to_pay) => time_to_pay.ends_at(now, &create.store.zone),
        None => now + app.pay_window_ms(create.content.product),
    }
}

/// A call about to be made, with tokens of its own for what comes back.
pub(super) fn new_submission(
    app: &App,
    create: &Create,
    order_id: &str,
    now: i64,
) -> (submission::Model, Tokens) {
    let (content, store) = (&create.content, &create.store);
    let id = app.chance.id();
    let tokens = Tokens::new(&id);
    let submission = submission::Model {
        order_id: order_id.to_owned(),
        account_id: store.account.id.clone(),
        partner_no: store.account.partner_no.clone(),
        upstream_store_no: store.upstream_store_no.clone(),
        product: content.product.name.to_owned(),
        wallet: content.wallet.map(|wallet| wallet.as_str().to_owned()),
        currency: store.currency.to_string(),
        amount: content.amount,
        notify_hash: callback::hash(&tokens.notify),
        return_hash: callback::hash(&tokens.r#return),
        account_key_id: store.account.signing_key(now).id.clone(),
        state: submission::State::Sent,
        created_at: now,
        answer_due_at: now + app.answer_wait_ms(),
        answered_at: None,
        code: None,
        pay_url: None,
        upstream_order_no: None,
        missed_at: None,
        own_number: None,
        imported_at: None,
        second_paid: 0,
        second_reserved: 0,
        second_refunded: 0,
        second_elsewhere: 0,
        second_pay_time: None,
        id,
    };
    (submission, tokens)
}

/// Make the call of a submission that is durably on record, and settle its answer.
pub(super) async fn submit(
    app: &Arc<App>,
    create: &Create,
    order: &order::Model,
    submission: &submission::Model,
    tokens: &Tokens,
    room: Room,
) -> Placed {
    let (store, product) = (&create.store, create.content.product);
    let (notify_url, return_url) = (app.notify_url(&tokens.notify), app.return_url(&tokens.r#return));
    let body = create.content.upstream_body(
        &store.upstream_store_no,
        submission.sent_number(),
        &notify_url,
        &return_url,
    );
    let asked_at = app.clock.now_ms();
    let key = store.account.key(&submission.account_key_id).unwrap_or_else(|| store.account.current_key());
    let heard =
        app.upstream.call(&store.account, key, product.path, &body, app.config.upstream.timeout).await;
    let took = Some(app.clock.now_ms() - asked_at);
    credentials::heard(app, || Whose::from(order), &store.id, &heard);

    let theirs = theirs(create, submission);
    let Understood { told, raw, reply } = answer::understand(&create.content, heard, &theirs);
    if matches!(reply, Reply::Placed(Placed::Doubt) | Reply::Unsaid) {
        tracing::warn!(order = %order.id, "the upstream's answer to a create cannot be relied on");
    }
    let raw = raw.map(|raw| barcode::kept(&raw, create.content.barcode.as_ref()));
    let fact = fact_now(app, Source::Answer, told, raw, took);
    // Only while it is submitting is nothing else about it written but by facts, which move it on.
    let seen = (order.status() == OrderStatus::Submitting).then_some(order);
    let order = match settle_seen(app, room, submission, seen, fact).await {
        Ok(settled) if settled.held => return Placed::Doubt,
        Ok(settled) => settled.order,
        Err(error) => {
            // What is not on record was not told: the caller hears of doubt, whatever the upstream said.
            tracing::error!(order = %order.id, %error, "the upstream's answer could not be kept");
            return Placed::Doubt;
        }
    };
    match reply {
        // By what is on record: a notice may have known more than the answer.
        Reply::Standing(extra) => Placed::Standing { order: Box::new(order), extra },
        // Paid meanwhile through an earlier call: another way to pay must not reach the payer.
        _ if order.status().has_money() && order.submission_id != submission.id => repeat::paid_already(),
        Reply::Unsaid => {
            query::ask_later(app, &order);
            Placed::Doubt
        }
        Reply::Placed(placed) => placed,
    }
}

/// Our numbers and the store's upstream ones, each with what the merchant knows in its place.
fn theirs<'a>(create: &'a Create, submission: &'a submission::Model) -> [(&'a str, &'a str); 3] {
    [
        (submission.sent_number(), &create.content.number),
        (&create.store.upstream_store_no, &create.store.store_no),
        (&create.store.account.partner_no, &create.merchant.partner_no),
    ]
}
