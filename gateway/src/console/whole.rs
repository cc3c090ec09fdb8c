//! An order with everything that is known of it, as far as a screen can hold it.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value;
use shared::ops::{Attempt, Delivery, OrderWhole, Refund, Submission, TimelineEntry};
use shared::order::OrderStatus;

use super::rows::{self, moment};
use super::stands::{About, sentence};
use crate::app::App;
use crate::deliveries::Breaker;
use crate::entity::endpoint::Status;
use crate::entity::{attempt, delivery, journal, order, quarantine, submission};

/// Of each kind of row, the latest so many.
const MOST: u64 = 500;

/// `refunds` as the caller shows them.
pub async fn whole(app: &App, row: &order::Model, refunds: Vec<Refund>) -> Result<OrderWhole, DbErr> {
    let read = &app.store.read;
    let calls = submission::Entity::of_order(&row.id).limit(MOST).all(read).await?;
    let (deliveries, endpoints) = deliveries(app, row).await?;
    let entries =
        journal::Entity::of_order(&row.id).order_by_desc(journal::Column::Id).limit(MOST).all(read).await?;
    let held = quarantine::Entity::find()
        .filter(quarantine::Column::OrderId.eq(row.id.as_str()))
        .filter(quarantine::Column::State.eq("held"))
        .all(read)
        .await?
        .len();
    let about = About { deliveries: &deliveries, held, closed: &endpoints, now: app.clock.now_ms() };
    let sent = calls.iter().find(|call| call.id == row.submission_id);
    Ok(OrderWhole {
        stands: sentence(row, &about),
        order: rows::order(app, row),
        sent_number: sent.map(|call| call.sent_number().to_owned()).unwrap_or_default(),
        order_no: row.upstream_order_no.clone(),
        pay_url: row.pay_url.clone().filter(|_| row.status() == OrderStatus::Awaiting),
        expires_at: moment(row.expires_at),
        submissions: calls.iter().rev().map(shown_call).collect(),
        refunds,
        timeline: timeline(&entries, &deliveries),
        deliveries,
    })
}

fn shown_call(call: &submission::Model) -> Submission {
    Submission {
        id: call.id.clone(),
        sent_at: moment(call.created_at),
        answered_at: call.answered_at.map(moment),
        code: call.code,
    }
}

type Closed = Vec<(String, &'static str)>;

/// With their attempts, and the endpoints among theirs that take nothing.
async fn deliveries(app: &App, row: &order::Model) -> Result<(Vec<Delivery>, Closed), DbErr> {
    let read = &app.store.read;
    let mut found = delivery::Entity::find()
        .filter(delivery::Column::SubjectId.eq(row.id.as_str()))
        .order_by_desc(delivery::Column::Id)
        .limit(MOST)
        .all(read)
        .await?;
    found.reverse();
    let ids = found.iter().map(|one| one.id.as_str());
    let mut attempts = attempt::Entity::find()
        .filter(attempt::Column::DeliveryId.is_in(ids))
        .order_by_desc(attempt::Column::Id)
        .limit(MOST)
        .all(read)
        .await?;
    attempts.reverse();
    let closed = found.iter().filter_map(|one| {
        let endpoint = app.directory.endpoint(&one.endpoint_id);
        let why = match endpoint.map(|endpoint| endpoint.status) {
            Some(Status::Paused) => "is paused",
            Some(Status::Disabled) => "is disabled",
            Some(Status::Unproven) => "is not verified",
            _ => match app.deliveries.state_of(app, &one.endpoint_id)?.breaker {
                Breaker::Open => "fails and is left alone for a while",
                Breaker::Closed | Breaker::HalfOpen => return None,
            },
        };
        Some((one.endpoint_id.clone(), why))
    });
    let closed = closed.collect();
    let shown = found.iter().map(|one| Delivery {
        attempts: attempts.iter().filter(|made| made.delivery_id == one.id).map(shown_attempt).collect(),
        ..rows::delivery(one, row.number.clone())
    });
    Ok((shown.collect(), closed))
}

pub fn shown_attempt(row: &attempt::Model) -> Attempt {
    Attempt {
        at: moment(row.started_at),
        took_ms: row.duration_ms,
        status: row.http_status.and_then(|status| u16::try_from(status).ok()),
        outcome: row.outcome.clone(),
        excerpt: row.excerpt.clone().filter(|text| !text.is_empty()),
    }
}

/// Oldest first.
fn timeline(entries: &[journal::Model], deliveries: &[Delivery]) -> Vec<TimelineEntry> {
    let of_journal = entries.iter().rev().map(|entry| {
        let note: Value = serde_json::from_str(&entry.note).unwrap_or_default();
        TimelineEntry {
            id: Some(entry.id.clone()),
            has_bytes: entry.raw.is_some(),
            at: moment(entry.at),
            kind: entry.kind.clone(),
            text: words(&entry.kind, &note),
            by: by(&note),
            detail: (!note.is_null()).then_some(note),
        }
    });
    let of_attempts = deliveries.iter().flat_map(|one| {
        one.attempts.iter().map(move |made| {
            let status = made.status.map(|status| format!(" ({status})")).unwrap_or_default();
            let replay = if one.replay_id.is_some() { ", replayed" } else { "" };
            let outcome = made.outcome.replace('_', " ");
            TimelineEntry {
                id: None,
                has_bytes: false,
                at: made.at,
                kind: "attempt".to_owned(),
                text: format!(
                    "{} to {}: {outcome}{status} in {} ms{replay}",
                    one.kind, one.url, made.took_ms
                ),
                by: None,
                detail: None,
            }
        })
    });
    let mut all: Vec<TimelineEntry> = of_journal.chain(of_attempts).collect();
    all.sort_by_key(|entry| entry.at);
    all
}

/// The members of a note that say who did it.
const WHO: [&str; 4] = ["by", "operator", "askedBy", "asked_by"];

/// The operator or key that did it.
fn by(note: &Value) -> Option<String> {
    WHO.into_iter().find_map(|name| note[name].as_str().map(str::to_owned))
}

/// The plain members of its note, how the order moved first; without any, what it is. Who did it stands beside it.
fn words(kind: &str, note: &Value) -> String {
    let moved = note["from"].as_str().zip(note["to"].as_str());
    let mut said: Vec<String> = moved.map(|(from, to)| format!("{from} → {to}")).into_iter().collect();
    let members = note.as_object().into_iter().flatten();
    said.extend(members.filter_map(|(name, value)| match (name.as_str(), value) {
        ("from" | "to", _) if moved.is_some() => None,
        ("took_ms", took) => Some(format!("after {took} ms")),
        (name, _) if WHO.contains(&name) => None,
        (_, Value::String(text)) if text.is_empty() => None,
        (name, Value::String(text)) => Some(format!("{} {text}", name.replace('_', " "))),
        (name, Value::Number(_) | Value::Bool(_)) => Some(format!("{} {value}", name.replace('_', " "))),
        _ => None,
    }));
    if said.is_empty() { kind.replace('_', " ") } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_told_in_words() {
        let note = json!({ "code": 1, "took_ms": 35, "msg": "", "extra": { "a": 1 } });
        assert_eq!(words("refund_answer", &note), "code 1, after 35 ms");
        let note = json!({ "by": "operator:anna", "from": "awaiting", "to": "paid", "code": 1 });
        assert_eq!(words("notice", &note), "awaiting → paid, code 1");
        assert_eq!(words("placed_anew", &Value::Null), "placed anew");
        assert_eq!(by(&json!({ "by": "operator:anna" })).as_deref(), Some("operator:anna"));
    }
}
