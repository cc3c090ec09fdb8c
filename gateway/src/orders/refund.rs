//! Giving money back: the amount is reserved first, then the upstream is asked under a number of ours, then its answer
//! passes the gate. What is in doubt stays reserved and is followed until it is known. From the first write on it runs
//! in a task of its own, which the caller only awaits.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::EntityTrait;
use serde_json::json;

use super::journal::{self, Kind};
use super::{reread, room, submission_of};
use crate::app::App;
use crate::attention::{self, Matter};
use crate::directory::Account;
use crate::entity::refund::{self, State};
use crate::entity::{order, submission};
use crate::ledger::{Changes, LedgerError, Room, Target};
use crate::limits::{Priority, Refusal};

pub mod books;
mod call;
pub mod follow;
pub mod list;
mod meaning;
pub mod operator;
mod payment;
mod schedule;
pub mod settle;
pub mod sums;

use books::Foreseen;
pub use books::Refused;
pub use payment::Payment;
use sums::Sums;

/// How often a refund that is under way elsewhere is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The number of a refund that a store's late-payment policy asks for: one of each order.
pub const LATE_PAYMENT: &str = "late-payment";

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The merchant's number of it.
    pub refund_no: String,
    /// Minor units.
    pub amount: i64,
    /// What it is to be taken from, of an order that was paid more than once.
    pub payment: Payment,
    /// `merchant`, `platform`, `operator:…`.
    pub asked_by: String,
    pub reason: Option<String>,
    pub operator_id: Option<String>,
    pub terminal_no: Option<String>,
    /// Though as much is being refunded under another number.
    pub force: bool,
    /// One operator may refund this much of one order; more is proposed to a second one.
    pub alone_up_to: Option<i64>,
}

/// What asking for a refund comes to, as whoever asked is told.
#[derive(Debug, Clone)]
pub enum Refunding {
    /// There is such a refund; as it stands, with its order.
    Stands(Box<Standing>),
    Refused(Refused),
    /// The account's budget is used up: nothing was begun.
    Over(Refusal),
    /// It may have been begun or not.
    Doubt,
    /// Nothing was begun; try again later.
    Busy,
}

#[derive(Debug, Clone)]
pub struct Standing {
    pub order: order::Model,
    /// Through which the payment came.
    pub call: submission::Model,
    pub refund: refund::Model,
}

impl Standing {
    /// What the merchant had better be told besides: one smallest unit is left.
    pub fn remainder(&self) -> Option<i64> {
        self.sums().remainder().filter(|_| self.refund.state == State::Refunded)
    }

    /// Of the payment that it is taken from.
    pub fn sums(&self) -> Sums {
        Sums::of(&self.order, &self.call)
    }
}

/// All that a refund's call needs, found before anything is written.
struct Ready {
    submission: submission::Model,
    account: Arc<Account>,
    first: Room,
    second: Room,
}

/// What became of the reservation.
#[derive(Debug, Clone)]
enum Reserved {
    New(Box<Standing>),
    Proposed(Box<Standing>),
    Known(Box<refund::Model>),
    Refused(Refused),
}

/// Refund a part of one of `order`'s payments, or all of it.
pub async fn refund(app: &Arc<App>, order: order::Model, ask: Ask) -> Refunding {
    let (order, call) = match payment::find(app, order, &ask.payment).await {
        Ok(found) => found,
        Err(refunding) => return refunding,
    };
    let refunds = match refund::Entity::of_order(&order.id).all(&app.store.read).await {
        Ok(refunds) => refunds,
        Err(error) => return unreadable(&error),
    };
    match books::foresee(&order, &call, &refunds, &ask) {
        Foreseen::Known(known) => return again(app, &known).await,
        Foreseen::Refused(refused) => return Refunding::Refused(refused),
        Foreseen::New => {}
    }
    let ready = match ready(app, &order.id, &call.id).await {
        Ok(ready) => ready,
        Err(refunding) => return refunding,
    };
    let refund_no = ask.refund_no.clone();
    let task = app.tasks.spawn(run(app.clone(), ask, ready));
    match tokio::time::timeout(app.config.orders.refund_wait, task).await {
        Ok(Ok(refunding)) => refunding,
        Ok(Err(_)) => Refunding::Doubt,
        Err(_) => match refund::Entity::of_number(&order.id, &refund_no).one(&app.store.read).await {
            Ok(Some(refund)) => stands(app, &refund.id).await,
            // Not even reserved yet.
            Ok(None) => Refunding::Doubt,
            Err(error) => unreadable(&error),
        },
    }
}

/// Room for both writes and a share of the account's budget, before the first write.
async fn ready(app: &Arc<App>, order_id: &str, submission_id: &str) -> Result<Ready, Refunding> {
    let submission = match submission_of(app, submission_id).await {
        Ok(Some(submission)) => submission,
        Ok(None) => return Err(Refunding::Busy),
        Err(error) => return Err(unreadable(&error)),
    };
    let Some(account) = app.directory.account(&submission.account_id) else {
        return Err(Refunding::Busy);
    };
    if let Err(refusal) = app.limits.call(&account, Priority::Refund).await {
        return Err(Refunding::Over(refusal));
    }
    match (room(app, order_id), room(app, order_id)) {
        (Ok(first), Ok(second)) => Ok(Ready { submission, account, first, second }),
        _ => Err(Refunding::Busy),
    }
}

async fn run(app: Arc<App>, ask: Ask, ready: Ready) -> Refunding {
    let Ready { submission, account, first, second } = ready;
    match reserve(&app, first, &submission, ask).await {
        Ok(Reserved::New(standing)) => {
            call::call(&app, &account, &submission, &standing.refund, second, false).await;
            follow::while_waited_for(&app, &standing.refund).await;
            stands(&app, &standing.refund.id).await
        }
        Ok(Reserved::Proposed(standing)) => Refunding::Stands(standing),
        Ok(Reserved::Known(known)) => {
            drop(second);
            again(&app, &known).await
        }
        Ok(Reserved::Refused(refused)) => Refunding::Refused(refused),
        Err(error) => not_begun(&error),
    }
}

fn not_begun(error: &LedgerError) -> Refunding {
    if *error == LedgerError::InDoubt {
        return Refunding::Doubt;
    }
    tracing::warn!(%error, "a refund was not begun");
    Refunding::Busy
}

fn unreadable(error: &sea_orm::DbErr) -> Refunding {
    tracing::error!(%error, "a refund could not be looked up");
    Refunding::Busy
}

/// Keep the amount back, if it may be refunded.
async fn reserve(
    app: &Arc<App>,
    room: Room,
    call: &submission::Model,
    ask: Ask,
) -> Result<Reserved, LedgerError> {
    let (entry_id, refund_id, now) = (app.chance.id(), app.chance.id(), app.clock.now_ms());
    let (due, chance) = (now + app.answer_wait_ms(), app.chance.clone());
    let target = target(&call.order_id, &call.id, &entry_id);
    super::change(app, room, target, move |current| {
        let Some(call) = current.submission else {
            return (Changes::default(), Reserved::Refused(Refused::NoSuchPayment));
        };
        match books::foresee(current.order, call, current.refunds, &ask) {
            Foreseen::Known(known) => return (Changes::default(), Reserved::Known(known)),
            Foreseen::Refused(refused) => return (Changes::default(), Reserved::Refused(refused)),
            Foreseen::New => {}
        }
        let mut refund = new(&refund_id, call, current.order, &ask, now);
        let (mut order, mut call) = (current.order.clone(), call.clone());
        let mut note = json!({"refundNo": refund.refund_no, "amount": refund.amount, "by": refund.asked_by});
        if let Some(reason) = &refund.reason {
            note["reason"] = json!(reason);
        }
        if !sums::is_counted(&order, &call) {
            note["payment"] = json!(call.id);
        }
        let mut changes = Changes::default();
        let is_proposal = operator::takes_two(&ask, current.refunds);
        if is_proposal {
            refund.state = State::Proposed;
            let matter = Matter::RefundProposed;
            changes.raised.push(attention::of_order(&order, matter, &refund.id, now, &note, &chance));
        } else {
            begin(&mut refund, due);
            keep_back(&mut order, &mut call, &refund, now);
            changes.order = Some(order.clone());
            changes.submission = Some(call.clone());
        }
        let kind = if is_proposal { Kind::RefundProposed } else { Kind::RefundAsked };
        changes.journal.push(journal::entry(
            entry_id.clone(),
            &order.id,
            &refund.submission_id,
            now,
            kind,
            &note,
        ));
        changes.new_refund = Some(refund.clone());
        let standing = Box::new(Standing { order, call, refund });
        (changes, if is_proposal { Reserved::Proposed(standing) } else { Reserved::New(standing) })
    })
    .await
}

/// A refund that nothing was done for yet.
fn new(id: &str, call: &submission::Model, order: &order::Model, ask: &Ask, now: i64) -> refund::Model {
    refund::Model {
        id: id.to_owned(),
        order_id: order.id.clone(),
        submission_id: call.id.clone(),
        platform_id: order.platform_id.clone(),
        merchant_id: order.merchant_id.clone(),
        refund_no: ask.refund_no.clone(),
        amount: ask.amount,
        currency: call.currency.clone(),
        state: State::Submitting,
        asked_by: ask.asked_by.clone(),
        reason: ask.reason.clone(),
        approved_by: None,
        operator_id: ask.operator_id.clone(),
        terminal_no: ask.terminal_no.clone(),
        code: None,
        calls: 0,
        answer_due_at: None,
        look_at: None,
        looks: 0,
        created_at: now,
        updated_at: now,
    }
}

/// The first call is about to be made; its answer is due then.
fn begin(refund: &mut refund::Model, due: i64) {
    refund.state = State::Submitting;
    refund.calls = 1;
    refund.answer_due_at = Some(due);
    refund.look_at = Some(due);
}

fn keep_back(order: &mut order::Model, call: &mut submission::Model, refund: &refund::Model, now: i64) {
    books::keep_back(order, call, refund);
    order.updated_at = order.updated_at.max(now);
}

/// The refund of a payment that came late, kept back with the payment itself. It is begun right after that was
/// written, or by whoever finds it not begun.
pub fn of_late_payment(
    id: &str,
    order: &mut order::Model,
    call: &mut submission::Model,
    now: i64,
) -> refund::Model {
    let ask = Ask {
        refund_no: LATE_PAYMENT.to_owned(),
        amount: order.paid,
        payment: Payment::Counted,
        asked_by: "late_payment".to_owned(),
        reason: None,
        operator_id: None,
        terminal_no: None,
        force: false,
        alone_up_to: None,
    };
    let refund = refund::Model { look_at: Some(now), ..new(id, call, order, &ask, now) };
    keep_back(order, call, &refund, now);
    refund
}

/// The same refund asked for again: as it stands. Where its answer is still to come it is waited for; where that is in
/// doubt the order is asked about. Never another refund.
async fn again(app: &Arc<App>, known: &refund::Model) -> Refunding {
    let wait = app.config.orders.refund_wait;
    let looking = async {
        let mut refund = known.clone();
        while refund.state == State::Submitting
            && refund.answer_due_at.is_some_and(|due| due > app.clock.now_ms())
        {
            tokio::time::sleep(LOOK).await;
            match refund::Entity::find_by_id(&refund.id).one(&app.store.read).await {
                Ok(Some(now)) => refund = now,
                _ => return,
            }
        }
        if refund.state.is_open() {
            follow::look(app, &refund, Priority::Refund).await;
        }
    };
    let _ = tokio::time::timeout(wait, looking).await; // as it stands is an answer, too
    stands(app, &known.id).await
}

/// A refund as it stands now.
async fn stands(app: &App, refund_id: &str) -> Refunding {
    match standing(app, refund_id).await {
        Ok(Some(standing)) => Refunding::Stands(Box::new(standing)),
        Ok(None) => Refunding::Doubt,
        Err(error) => {
            tracing::error!(%error, "a refund could not be read again");
            Refunding::Doubt
        }
    }
}

/// For callers that proved whose it is.
pub async fn standing(app: &App, refund_id: &str) -> Result<Option<Standing>, sea_orm::DbErr> {
    let Some(refund) = refund::Entity::find_by_id(refund_id).one(&app.store.read).await? else {
        return Ok(None);
    };
    let order = reread(app, &refund.order_id).await?;
    let call = submission_of(app, &refund.submission_id).await?;
    Ok(call.map(|call| Standing { order, call, refund }))
}

/// A change of a refund's, with the call that its payment came through.
fn target(order_id: &str, submission_id: &str, key: &str) -> Target {
    Target { submission_id: Some(submission_id.to_owned()), refunds: true, ..Target::of_order(order_id, key) }
}
