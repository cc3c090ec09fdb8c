//! Every change of an order passes here: placing it, hearing of it, asking after it. Rules: `docs/MONEY.md`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::EntityTrait;
use tokio::sync::watch;

use crate::app::App;
use crate::console::pulse::Payment;
use crate::deliveries::promise;
use crate::entity::{order, submission};
use crate::ledger::{Changes, Current, Lane, LedgerError, Room, Seen, Target};
use crate::upstream::Said;

mod answer;
pub mod asking;
pub mod barcode;
mod blot;
pub mod buyer;
pub mod content;
mod ending;
pub mod events;
pub mod fact;
pub mod feed;
mod held;
pub mod history;
pub mod import;
pub mod journal;
pub mod list;
pub mod notice;
pub mod place;
pub mod quarantine;
pub mod query;
pub mod recent;
pub mod reconcile;
pub mod refund;
mod repeat;
pub mod schedule;
pub mod search;
pub mod settle;
pub mod statement;
pub mod tell;
pub mod time_to_pay;
pub mod twice;

use fact::{Fact, Source, Told};
use settle::Settled;

/// What a create comes to, as its merchant is told.
#[derive(Debug, Clone)]
pub enum Placed {
    Opened {
        /// What leads the payer to the payment; the product says what it is called.
        pay_url: String,
        order_no: Option<String>,
        /// Fields of the upstream's answer that we only pass on: key and value's JSON text.
        extra: Vec<(String, String)>,
    },
    /// Of a product whose answer carries the outcome: how the order stands, and the same fields.
    Standing {
        order: Box<order::Model>,
        extra: Vec<(String, String)>,
    },
    Refused {
        code: i32,
        msg: String,
    },
    /// It may have been opened or not. Never told as a failure.
    Doubt,
    /// The number stands for something else, or is past being paid.
    Conflict {
        code: i32,
        msg: &'static str,
    },
    /// Nothing was begun; try again later.
    Busy,
}

/// Creates that are on their way to the upstream from this node, so that repeats can join them.
#[derive(Default)]
pub struct Flights(Mutex<HashMap<String, watch::Receiver<Option<Placed>>>>);

impl Flights {
    fn board(&self, order_id: &str) -> Option<watch::Receiver<Option<Placed>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(order_id).cloned()
    }

    fn depart(self: &Arc<Self>, order_id: &str) -> Flight {
        let (landing, landed) = watch::channel(None);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(order_id.to_owned(), landed);
        Flight { flights: self.clone(), order_id: order_id.to_owned(), landing }
    }
}

/// Taken off the list when dropped, landed or not.
struct Flight {
    flights: Arc<Flights>,
    order_id: String,
    landing: watch::Sender<Option<Placed>>,
}

impl Flight {
    fn land(self, placed: &Placed) {
        self.landing.send_replace(Some(placed.clone()));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A later submission of the same order may have taken the place.
        if flights.get(&self.order_id).is_some_and(|landed| landed.same_channel(&self.landing.subscribe())) {
            flights.remove(&self.order_id);
        }
    }
}

/// Let `decide` look at an order as it stands and write what it says, and promise what it tells to everyone who should
/// hear it. No event of an order comes to be in another way.
pub async fn change<T: Send + Sync + 'static>(
    app: &Arc<App>,
    room: Room,
    target: Target,
    mut decide: impl FnMut(&Current<'_>) -> (Changes, T) + Send + Sync + 'static,
) -> Result<T, LedgerError> {
    let promising = Arc::clone(app);
    let (outcome, begun, paid) = room
        .change(target, move |current| {
            let (mut changes, outcome) = decide(current);
            let order = changes.order.as_ref().unwrap_or(current.order);
            let begun = promise::of_order(&promising, order, &mut changes.told);
            let is_paid = order.status().has_money() && !current.order.status().has_money();
            let paid = is_paid.then(|| Payment::of(order));
            (changes, (outcome, begun, paid))
        })
        .await?;
    begun.go(app);
    if let Some(paid) = paid {
        app.pulse.paid(&paid, app.clock.now_ms());
    }
    Ok(outcome)
}

/// Take a fact about `submission` through the one gate, durably, and set off what follows from it.
async fn settle(
    app: &Arc<App>,
    room: Room,
    submission: &submission::Model,
    fact: Fact,
) -> Result<Settled, LedgerError> {
    settle_seen(app, room, submission, None, fact).await
}

/// The same by whoever wrote `order` a moment ago, which saves the ledger a look at it.
async fn settle_seen(
    app: &Arc<App>,
    room: Room,
    submission: &submission::Model,
    order: Option<&order::Model>,
    fact: Fact,
) -> Result<Settled, LedgerError> {
    let target = Target {
        order_id: submission.order_id.clone(),
        submission_id: Some(submission.id.clone()),
        digest: settle::digest(submission, &fact),
        key: fact.id.clone(),
        seen: order.map(|order| Arc::new(Seen { order: order.clone(), submission: submission.clone() })),
        refunds: false,
    };
    let source = fact.source;
    let deciding = app.clone();
    let decide = move |current: &Current<'_>| {
        let merchant = deciding.directory.merchant_by_id(&current.order.merchant_id);
        let refunds_late = merchant.is_some_and(|merchant| {
            merchant.stores.values().any(|store| store.id == current.order.store_id && store.refunds_late)
        });
        let unnoticed = deciding.troubles.is_unnoticed(&current.order.store_id);
        let pace = schedule::Pace::new(&deciding.config.reconcile, unnoticed);
        settle::settle(current, &fact, &settle::Policy { pace, refunds_late }, &deciding.chance)
    };
    let settled = change(app, room, target, decide).await?;
    twice::look_soon(app, &settled.order);
    if let Some(refund) = settled.begun.clone() {
        refund::follow::begin_now(app, refund);
    }
    if let Some(look_at) = settled.order.look_at {
        app.wake.by(look_at);
    }
    if settled.held {
        tracing::error!(order = %settled.order.id, source = source.kind().as_str(), "a fact is held: it differs from what was asked");
        if source != Source::Query {
            query::ask_later(app, &settled.order);
        }
    }
    Ok(settled)
}

/// A fact as of now.
fn fact_now(app: &App, source: Source, told: Told, raw: Option<String>, took_ms: Option<i64>) -> Fact {
    Fact { id: app.chance.id(), at: app.clock.now_ms(), source, told, raw, took_ms, release: None }
}

/// Room for a write about an order, or the prompt word that there is none.
fn room(app: &App, order_id: &str) -> Result<Room, LedgerError> {
    if app.disk.is_out() {
        return Err(LedgerError::Unavailable("no disk space is left".into()));
    }
    app.ledger.room(Lane::Money, order_id)
}

/// The order as it stands in the store.
async fn reread(app: &App, order_id: &str) -> Result<order::Model, sea_orm::DbErr> {
    let found = order::Entity::by_id_across_tenants(order_id).one(&app.store.read).await?;
    found.ok_or_else(|| sea_orm::DbErr::RecordNotFound("an order that was there".into()))
}

async fn submission_of(app: &App, id: &str) -> Result<Option<submission::Model>, sea_orm::DbErr> {
    submission::Entity::find_by_id(id).one(&app.store.read).await
}

/// The fields of an upstream answer that we only pass on, without our numbers and the store's upstream ones:
/// what stands for one of the merchant's numbers becomes it, what merely mentions one of ours is left out.
fn passed_on(said: &Said, ours: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut passed = Vec::new();
    for (key, value) in &said.extra {
        let exact = ours.iter().find(|(our, _)| value.trim_matches('"') == *our);
        if let Some((_, theirs)) = exact {
            let theirs = serde_json::to_string(theirs).expect("any text is a JSON string");
            passed.push((key.clone(), theirs));
        } else if !ours.iter().any(|(our, _)| value.contains(our)) {
            passed.push((key.clone(), value.clone()));
        }
    }
    passed
}

/// An upstream message without our numbers and the store's upstream ones, at most 100 characters.
fn told_on(msg: &str, ours: &[(&str, &str)]) -> String {
    let told = ours.iter().fold(msg.to_owned(), |told, (our, theirs)| told.replace(our, theirs));
    told.chars().take(100).collect()
}
