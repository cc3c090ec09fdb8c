//! Asking after an order: from our row where money was seen, from the upstream otherwise, one question per order
//! at a time and not more often than the minimum interval.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::order::OrderStatus;
use tokio::time::Instant;

use super::content::BodyText;
use super::fact::{Fact, Source, Told};
use super::{fact_now, reread, room, settle};
use crate::app::App;
use crate::directory::Merchant;
use crate::entity::submission::State;
use crate::entity::{order, submission};
use crate::limits::{Priority, Refusal};
use crate::troubles::{Whose, credentials};
use crate::upstream::{self, Heard, QUERY_PATH};

/// Submissions of one order that are asked about at a time.
const SUBMISSIONS_ASKED: usize = 4;

/// Which order a merchant means.
#[derive(Debug, Clone)]
pub enum Locator {
    /// The number the upstream gave.
    OrderNo(String),
    Number(String),
}

/// How an order stands, as its merchant is told.
#[derive(Debug, Clone)]
pub enum Answer {
    State(Box<order::Model>),
    NoSuchOrder,
    /// We do not know for certain.
    Doubt,
    /// The account's budget is used up: it was not asked.
    Over(Refusal),
}

/// What came of asking the upstream.
#[derive(Debug, Clone)]
pub enum Asked {
    /// It answered, now or a moment ago; the order as it stands after that.
    Answered(order::Model),
    NoAnswer(order::Model),
    /// It was not asked, or not about all: the account's budget is used up.
    Over(order::Model, Refusal),
}

impl Asked {
    /// The order as it stands.
    pub fn into_order(self) -> order::Model {
        match self {
            Self::Answered(order) | Self::NoAnswer(order) | Self::Over(order, _) => order,
        }
    }
}

/// What came of one question, or of all about one order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reply {
    Answered,
    Silence,
    Over(Refusal),
}

/// Per order, when it was last asked about and what came of it.
#[derive(Default)]
pub struct Questions(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Last>>>>>);

#[derive(Debug, Clone, Copy)]
struct Last {
    began: Instant,
    at: Instant,
    reply: Reply,
}

/// Orders remembered at most; idle ones are forgotten first.
const REMEMBERED: usize = 50_000;

impl Questions {
    fn about(&self, order_id: &str, forget_after: Duration) -> Arc<tokio::sync::Mutex<Option<Last>>> {
        let mut questions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if questions.len() >= REMEMBERED {
            questions.retain(|_, last| {
                let idle = last
                    .try_lock()
                    .is_ok_and(|last| last.is_none_or(|last| last.at.elapsed() > forget_after));
                !idle || Arc::strong_count(last) > 1
            });
        }
        questions.entry(order_id.to_owned()).or_default().clone()
    }
}

/// The merchant's order, if it holds one of that number.
pub async fn find(
    app: &App,
    merchant: &Merchant,
    locator: &Locator,
) -> Result<Option<order::Model>, sea_orm::DbErr> {
    let finder = match locator {
        Locator::OrderNo(number) => order::Entity::of_upstream_no(&merchant.id, number),
        Locator::Number(number) => order::Entity::of(&merchant.id, number),
    };
    finder.one(&app.store.read).await
}

/// Tell a merchant how its order stands.
pub async fn query(app: &Arc<App>, merchant: &Merchant, locator: &Locator) -> Result<Answer, sea_orm::DbErr> {
    let Some(order) = find(app, merchant, locator).await? else {
        return Ok(Answer::NoSuchOrder);
    };
    if order.status().has_money() {
        return Ok(Answer::State(Box::new(order)));
    }
    let (order, answered) = match ask(app, &order, Priority::Query).await {
        Asked::Answered(order) => (order, true),
        Asked::Over(order, refusal) if !order.status().has_money() => return Ok(Answer::Over(refusal)),
        Asked::NoAnswer(order) | Asked::Over(order, _) => (order, false),
    };
    Ok(match order.status() {
        status if status.has_money() => Answer::State(Box::new(order)),
        OrderStatus::Submitting | OrderStatus::Unknown => Answer::Doubt,
        _ if !answered => Answer::Doubt,
        OrderStatus::Refused => Answer::NoSuchOrder,
        _ => Answer::State(Box::new(order)),
    })
}

/// Ask the upstream about an order and settle what it says. `priority` says who is waiting for it.
pub async fn ask(app: &Arc<App>, order: &order::Model, priority: Priority) -> Asked {
    ask_within(app, order, app.config.orders.query_min_interval, priority).await
}

/// The same for whoever must not act on what was so before now: an answer to a question that was put earlier does not
/// do, and where one was put a moment ago it is waited until another may be.
pub async fn ask_anew(app: &Arc<App>, order: &order::Model, priority: Priority) -> Asked {
    ask_unless(app, order, app.config.orders.query_min_interval, Some(Instant::now()), priority).await
}

/// The same, unless it was asked about within `interval`.
pub async fn ask_within(
    app: &Arc<App>,
    order: &order::Model,
    interval: Duration,
    priority: Priority,
) -> Asked {
    ask_unless(app, order, interval, None, priority).await
}

/// Ask, unless it was asked about within `interval`. That answer does if the question was not put before `since`.
async fn ask_unless(
    app: &Arc<App>,
    order: &order::Model,
    interval: Duration,
    since: Option<Instant>,
    priority: Priority,
) -> Asked {
    let app = app.clone();
    let order = order.clone();
    let fallback = order.clone();
    // In a task of its own: the caller's deadline must not lose an answer that is on its way.
    let task = app.clone().tasks.spawn(async move {
        let question = app.questions.about(&order.id, interval.max(app.config.orders.return_query_interval));
        let mut last = question.lock().await;
        while let Some(remembered) = last.filter(|last| last.at.elapsed() < interval) {
            if since.is_none_or(|since| remembered.began >= since) {
                return asked(&app, &order, remembered.reply).await;
            }
            // Others may have what is remembered meanwhile.
            drop(last);
            tokio::time::sleep_until(remembered.at + interval).await;
            last = question.lock().await;
        }
        let began = Instant::now();
        let reply = ask_each(&app, &order, priority).await;
        // Who was not asked may be asked as soon as the budget allows.
        if !matches!(reply, Reply::Over(_)) {
            *last = Some(Last { began, at: Instant::now(), reply });
        }
        asked(&app, &order, reply).await
    });
    task.await.unwrap_or(Asked::NoAnswer(fallback))
}

/// Ask without anybody waiting for the answer, however lately it was asked: that answer did not know of what is
/// asked about now.
pub fn ask_later(app: &Arc<App>, order: &order::Model) {
    let (task_app, order) = (app.clone(), order.clone());
    app.tasks.spawn(async move { ask_within(&task_app, &order, Duration::ZERO, Priority::Reconcile).await });
}

async fn asked(app: &App, order: &order::Model, reply: Reply) -> Asked {
    match (reread(app, &order.id).await, reply) {
        (Ok(order), Reply::Answered) => Asked::Answered(order),
        (Ok(order), Reply::Silence) => Asked::NoAnswer(order),
        (Ok(order), Reply::Over(refusal)) => Asked::Over(order, refusal),
        (Err(error), _) => {
            tracing::error!(order = %order.id, %error, "an order could not be read again");
            Asked::NoAnswer(order.clone())
        }
    }
}

/// Ask about the submissions that money could come through, side by side. Answered: all of them.
async fn ask_each(app: &Arc<App>, order: &order::Model, priority: Priority) -> Reply {
    let mut submissions = match submission::Entity::of_order(&order.id).all(&app.store.read).await {
        Ok(submissions) => submissions,
        Err(error) => {
            tracing::error!(order = %order.id, %error, "the order's submissions could not be read");
            return Reply::Silence;
        }
    };
    // Those that money can still come through first, then those of which money may be on its way back; within each kind
    // the newest.
    submissions.sort_by_key(|submission| (!submission.state.is_open(), submission.state != State::Paid));
    let questions = submissions
        .iter()
        .take(SUBMISSIONS_ASKED)
        .map(|submission| ask_one(app, order, submission, priority));
    let replies = futures_util::future::join_all(questions).await;
    let worst = |so_far, reply| match (so_far, reply) {
        (Reply::Over(refusal), _) | (_, Reply::Over(refusal)) => Reply::Over(refusal),
        (Reply::Silence, _) | (_, Reply::Silence) => Reply::Silence,
        (Reply::Answered, Reply::Answered) => Reply::Answered,
    };
    replies.into_iter().fold(Reply::Answered, worst)
}

async fn ask_one(
    app: &Arc<App>,
    order: &order::Model,
    submission: &submission::Model,
    priority: Priority,
) -> Reply {
    let Ok(room) = room(app, &order.id) else {
        return Reply::Silence;
    };
    let fact = match hear(app, order, submission, priority).await {
        Ok(fact) => fact,
        Err(reply) => return reply,
    };
    match settle(app, room, submission, fact).await {
        Ok(settled) if settled.held => Reply::Silence,
        Ok(_) => Reply::Answered,
        Err(error) => {
            tracing::error!(order = %order.id, %error, "what the upstream said to a query could not be kept");
            Reply::Silence
        }
    }
}

/// What the upstream says of a submission now; to be settled by the caller, who has the room for it already.
pub(super) async fn hear(
    app: &Arc<App>,
    order: &order::Model,
    submission: &submission::Model,
    priority: Priority,
) -> Result<Fact, Reply> {
    let Some(account) = app.directory.account(&submission.account_id) else {
        return Err(Reply::Silence);
    };
    if let Err(refusal) = app.limits.call(&account, priority).await {
        return Err(Reply::Over(refusal));
    }
    let mut body = BodyText::default();
    body.text("storeNo", &submission.upstream_store_no);
    body.text("partnerOrderNo", submission.sent_number());
    let asked_at = app.clock.now_ms();
    let timeout = app.config.upstream.query_timeout;
    let heard = app.upstream.ask(&account, QUERY_PATH, &body.finish(), timeout).await;
    credentials::heard(app, || Whose::from(order), &order.store_id, &heard);
    let (told, raw) = match heard {
        Heard::Said(said) if said.code == 1 => {
            let raw = said.raw.clone();
            (Told::State(said), raw)
        }
        Heard::Said(said) if upstream::is_closed(said.code) => {
            let raw = said.raw.clone();
            (Told::Closed(said), raw)
        }
        Heard::Said(said) if upstream::is_no_such_order(said.code) => (Told::NoSuchOrder, said.raw),
        Heard::Said(said) => {
            tracing::warn!(order = %order.id, code = said.code, "the upstream did not answer a query");
            return Err(Reply::Silence);
        }
        Heard::Nothing { why, .. } => {
            tracing::warn!(order = %order.id, why, "the upstream did not answer a query");
            return Err(Reply::Silence);
        }
    };
    let took = Some(app.clock.now_ms() - asked_at);
    Ok(fact_now(app, Source::Query, told, Some(raw), took))
}

/// The protocol's `status` of an order that may be told.
pub fn protocol_status(order: &order::Model) -> i64 {
    match order.status() {
        OrderStatus::Paid | OrderStatus::PartiallyRefunded => 1,
        OrderStatus::Refunded => 3,
        OrderStatus::Failed | OrderStatus::Closed | OrderStatus::Refused => 2,
        OrderStatus::Submitting | OrderStatus::Unknown | OrderStatus::Awaiting => 0,
    }
}

/// The body of a query's answer: the merchant's own numbers, and only those.
pub fn state_body(order: &order::Model) -> String {
    state(order).finish()
}

/// The same, to be added to.
pub fn state(order: &order::Model) -> BodyText {
    let mut body = BodyText::default();
    body.number("code", 1);
    body.text("msg", "success");
    body.text_if("orderNo", order.upstream_order_no.as_deref());
    body.text("partnerOrderNo", &order.number);
    body.number("orderAmount", order.amount);
    body.text_if("wallet", order.paid_wallet.as_deref().or(order.wallet.as_deref()));
    body.number("status", protocol_status(order));
    body.text_if("payTime", order.pay_time.as_deref());
    body.text("currency", &order.currency);
    body.text_if("buyer", order.buyer.as_deref());
    body.text_if("buyerId", order.buyer_id.as_deref());
    body
}
