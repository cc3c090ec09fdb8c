//! Facts that are held: what differs is shown beside what was asked, and a person lets one in after ScanForPay has
//! borne it out once more, or turns it away. What lets it in is the answer to that question, through the one gate like
//! any other; the held fact itself changes nothing, ever.

use std::sync::Arc;

use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::ending::{calmed, ended};
use super::fact::{Record, Release, Told};
use super::journal::{self, Kind};
use super::query::{self, Reply};
use super::{history, room, settle, submission_of};
use crate::app::App;
use crate::directory::access::Caller;
use crate::directory::acts::{self, Act, Actor};
use crate::directory::audit::{self, States, Subject};
use crate::entity::{order, quarantine, submission};
use crate::error::Error;
use crate::ledger::{Changes, LedgerError, Target};
use crate::limits::{Priority, Refusal};
use crate::upstream::Said;

/// A field of a held fact: what was asked and what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub asked: Option<Value>,
    pub told: Option<Value>,
    pub differs: bool,
}

/// Who decides about a held fact.
#[derive(Debug, Clone)]
pub enum Person {
    Caller(Caller),
    Operator { name: String, actor: Actor },
}

/// What came of letting a fact in.
#[derive(Debug, Clone)]
pub enum Released {
    Done(Box<quarantine::Model>),
    /// It is held no longer.
    Ended(Box<quarantine::Model>),
    /// What ScanForPay says now, which does not bear it out.
    Disagrees(String),
    /// ScanForPay did not say.
    Doubt,
    Over(Refusal),
}

/// A held fact with what belongs to it.
pub struct Held {
    pub order: order::Model,
    pub sent_number: String,
    pub fields: Vec<Field>,
}

impl Person {
    /// As rows and journals name them.
    pub fn name(&self) -> String {
        match self {
            Self::Caller(caller) => format!("{}:{}", caller.credential.kind(), caller.credential.id()),
            Self::Operator { name, .. } => format!("operator:{name}"),
        }
    }

    fn record(
        &self,
        app: &App,
        action: &'static str,
        held: &quarantine::Model,
        state: &str,
        reason: &str,
    ) -> Record {
        let (before, after) = (json!({"state": held.state}), json!({"state": state, "reason": reason}));
        let (before, after) = (Some(before), Some(after));
        match self {
            Self::Caller(caller) => {
                let subject = Subject { kind: "fact", id: &held.id, merchant_id: Some(&held.merchant_id) };
                Record::Audit(Box::new(audit::entry(app, caller, action, subject, States { before, after })))
            }
            Self::Operator { actor, .. } => {
                let platform_id = Some(held.platform_id.as_str());
                let act = Act { action, subject_id: Some(&held.id), platform_id, before, after };
                Record::Act(Box::new(acts::row(actor, act, &app.chance, app.clock.now_ms())))
            }
        }
    }
}

/// The order, and each field as it was asked for and as it came.
pub async fn look(read: &DatabaseConnection, held: &quarantine::Model) -> Result<Option<Held>, DbErr> {
    // Across tenants: the fact was found within one, and its order is the same one's.
    let order = order::Entity::by_id_across_tenants(&held.order_id).one(read).await?;
    let submission = submission::Entity::find_by_id(held.submission_id.as_str()).one(read).await?;
    let Some((order, submission)) = order.zip(submission) else { return Ok(None) };
    let entry = history::entry(read, &held.order_id, &held.id).await?;
    let raw = entry.and_then(|entry| entry.raw).unwrap_or_default();
    let fields = fields(&submission, &serde_json::from_slice(&raw).unwrap_or_default(), &held.differences);
    Ok(Some(Held { order, sent_number: submission.sent_number().to_owned(), fields }))
}

/// Who paid is shown as orders show it: by the masked account alone, and not at all once it was erased.
fn fields(submission: &submission::Model, told: &Value, differences: &str) -> Vec<Field> {
    let differences: Value = serde_json::from_str(differences).unwrap_or_default();
    let difference = |name: &str| {
        let all = differences.as_array().into_iter().flatten();
        all.clone().find(|difference| difference["field"] == name)
    };
    let asked = [
        ("code", difference("code").map(|difference| difference["asked"].clone())),
        ("partnerNo", Some(json!(submission.partner_no))),
        ("partnerOrderNo", Some(json!(submission.sent_number()))),
        ("orderAmount", Some(json!(submission.amount))),
        ("currency", Some(json!(submission.currency))),
        ("wallet", submission.wallet.as_ref().map(|wallet| json!(wallet))),
        ("orderNo", submission.upstream_order_no.as_ref().map(|number| json!(number))),
        ("status", None),
        ("payTime", None),
        ("buyer", None),
        ("msg", None),
    ];
    let fields = asked.into_iter().map(|(name, asked)| {
        let told = said(told, name).filter(|told| !told.is_null() && told != "");
        let listed = difference(name).is_some();
        let differs = listed || asked.as_ref().zip(told.as_ref()).is_some_and(|(asked, told)| asked != told);
        Field { name, asked, told, differs }
    });
    fields.filter(|field| field.asked.is_some() || field.told.is_some()).collect()
}

/// A field of the signed text; keys may have blanks around them.
fn said(text: &Value, name: &str) -> Option<Value> {
    let part = if name == "partnerNo" { &text["header"] } else { &text["body"] };
    part.as_object()?.iter().find(|(key, _)| key.trim() == name).map(|(_, value)| value.clone())
}

/// Ask ScanForPay once more, and let the fact in if the answer agrees with what was asked and bears out what the fact
/// said. The answer is settled whatever comes of that.
pub async fn release(
    app: &Arc<App>,
    held: &quarantine::Model,
    person: &Person,
    reason: &str,
) -> Result<Released, Error> {
    if held.state != "held" {
        return Ok(already(held, "released", person, reason));
    }
    let submission = submission_of(app, &held.submission_id).await?.ok_or(Error::NotFound)?;
    let order = super::reread(app, &held.order_id).await?;
    let release = Release {
        fact_id: held.id.clone(),
        by: person.name(),
        reason: reason.to_owned(),
        record: person.record(app, "fact.released", held, "released", reason),
    };
    let (task_app, held) = (app.clone(), held.clone());
    // In a task of its own: a caller who hangs up must not lose an answer that is on its way.
    let task = app.tasks.spawn(async move { ask(&task_app, &order, &submission, &held, release).await });
    task.await.map_err(|_| Error::InDoubt)?
}

async fn ask(
    app: &Arc<App>,
    order: &order::Model,
    submission: &submission::Model,
    held: &quarantine::Model,
    release: Release,
) -> Result<Released, Error> {
    let room = room(app, &order.id)?;
    let mut fact = match query::hear(app, order, submission, Priority::Query).await {
        Ok(fact) => fact,
        Err(Reply::Over(refusal)) => return Ok(Released::Over(refusal)),
        Err(Reply::Silence | Reply::Answered) => return Ok(Released::Doubt),
    };
    fact.release = Some(release);
    let says = says(&fact.told);
    let settled = settle(app, room, submission, fact).await?;
    let now = Box::new(again(app, held).await?);
    Ok(match now.state.as_str() {
        _ if settled.released => Released::Done(now),
        "held" => Released::Disagrees(says),
        _ => Released::Ended(now),
    })
}

/// What it said, for the person who asked; nothing of who paid.
fn says(told: &Told) -> String {
    let state = |said: &Said| {
        let status = match said.status {
            Some(0) => "to be paid".to_owned(),
            Some(1) => "paid".to_owned(),
            Some(2) => "failed".to_owned(),
            Some(3) => "refunded".to_owned(),
            Some(other) => format!("status {other}"),
            None => "no status".to_owned(),
        };
        let amount = said.amount.map_or_else(|| "no amount".to_owned(), |amount| amount.to_string());
        let text = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
        format!(
            "code {}, {status}, {amount} {}, order number {}",
            said.code,
            text(&said.currency, "in no currency"),
            text(&said.partner_order_no, "none")
        )
    };
    match told {
        Told::NoSuchOrder => "there is no such order".to_owned(),
        Told::Closed(said) => format!("the order is closed (code {})", said.code),
        Told::State(said) | Told::Opened(said) | Told::Refused(said) => state(said),
        Told::Nothing { why, .. } => why.clone(),
        Told::Overdue | Told::Expired => "nothing".to_owned(),
    }
}

/// Turn the fact away: it stays without effect.
pub async fn reject(
    app: &Arc<App>,
    held: &quarantine::Model,
    person: &Person,
    reason: &str,
) -> Result<Released, Error> {
    if held.state != "held" {
        return Ok(already(held, "rejected", person, reason));
    }
    let (now, by) = (app.clock.now_ms(), person.name());
    let note = json!({"fact": held.id, "by": by, "reason": reason});
    let entry =
        journal::entry(app.chance.id(), &held.order_id, &held.submission_id, now, Kind::Rejected, &note);
    let record = person.record(app, "fact.rejected", held, "rejected", reason);
    let target = Target::of_order(&held.order_id, &entry.id);
    let (id, reason) = (held.id.clone(), reason.to_owned());
    let decided = super::change(app, room(app, &held.order_id)?, target, move |current| {
        let Some(row) = current.held.iter().find(|row| row.id == id) else {
            return (Changes::default(), false);
        };
        let row = ended(row, "rejected", now, &by, &reason);
        let mut changes = Changes {
            journal: vec![entry.clone()],
            calmed: vec![calmed(&row)],
            ended_quarantine: vec![row],
            ..Changes::default()
        };
        match record.clone() {
            Record::Audit(entry) => changes.audit.push(*entry),
            Record::Act(act) => changes.acts.push(*act),
        }
        (changes, true)
    });
    let is_done = decided.await.map_err(|error: LedgerError| Error::from(error))?;
    let now = Box::new(again(app, held).await?);
    Ok(if is_done { Released::Done(now) } else { Released::Ended(now) })
}

/// The very same asked again is answered again: the first answer may have been lost.
fn already(held: &quarantine::Model, state: &str, person: &Person, reason: &str) -> Released {
    let is_same = held.state == state
        && held.ended_by.as_deref() == Some(&*person.name())
        && held.reason.as_deref() == Some(reason);
    let held = Box::new(held.clone());
    if is_same { Released::Done(held) } else { Released::Ended(held) }
}

async fn again(app: &App, held: &quarantine::Model) -> Result<quarantine::Model, Error> {
    let found = quarantine::Entity::find().filter(quarantine::Column::Id.eq(held.id.as_str()));
    found.one(&app.store.read).await?.ok_or(Error::NotFound)
}
