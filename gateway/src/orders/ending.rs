//! How held facts end: let in by a person or by a later fact that agrees, or turned away.

use serde_json::{Value, json};

use super::fact::{Claim, Fact, Record, Source};
use super::journal::{self, Kind};
use crate::attention::Matter;
use crate::chance::Chance;
use crate::entity::journal as entry;
use crate::entity::quarantine;
use crate::ledger::{Calmed, Changes, Current};

/// The held facts that a fact which agrees puts an end to: the one that a person asked it for, and those of the same
/// submission that it bears out. Not by itself one that named another order: that order may have been paid.
#[derive(Default)]
pub(super) struct Ending {
    pub rows: Vec<quarantine::Model>,
    /// Of those, the ids that nobody asked for.
    pub by_itself: Vec<String>,
    pub is_released: bool,
    entry: Option<entry::Model>,
    record: Option<Record>,
}

impl Ending {
    pub fn of(current: &Current<'_>, fact: &Fact, chance: &Chance) -> Self {
        let mut ending = Self::default();
        let Some((claim, submission)) = fact.claim().zip(current.submission) else { return ending };
        let of_it = current.held.iter().filter(|held| held.submission_id == submission.id);
        let borne_out = of_it.filter(|held| {
            let before = held.claim.as_deref().and_then(Claim::parse);
            before.is_none_or(|before| claim.bears_out(before))
        });
        for held in borne_out {
            match &fact.release {
                Some(release) if release.fact_id == held.id => {
                    let note = json!({"fact": held.id, "by": release.by, "reason": release.reason});
                    let (order, kind) = (&held.order_id, Kind::Released);
                    let entry = journal::entry(chance.id(), order, &submission.id, fact.at, kind, &note);
                    ending.entry = Some(entry);
                    ending.record = Some(release.record.clone());
                    ending.is_released = true;
                    ending.rows.push(ended(held, "released", fact.at, &release.by, &release.reason));
                }
                // The answer to create is due after what it tells of; it says nothing of what came before it.
                _ if fact.source == Source::Answer || held.claim.is_none() || names_another(held) => {}
                _ => {
                    let by = fact.source.kind().as_str();
                    ending.by_itself.push(held.id.clone());
                    ending.rows.push(ended(held, "released", fact.at, by, "a later fact agrees"));
                }
            }
        }
        ending
    }

    pub fn add_to(self, changes: &mut Changes) {
        changes.calmed.extend(self.rows.iter().map(calmed));
        changes.ended_quarantine.extend(self.rows);
        changes.journal.extend(self.entry);
        match self.record {
            Some(Record::Audit(entry)) => changes.audit.push(*entry),
            Some(Record::Act(act)) => changes.acts.push(*act),
            None => {}
        }
    }
}

fn names_another(held: &quarantine::Model) -> bool {
    let differences: Value = serde_json::from_str(&held.differences).unwrap_or_default();
    differences.as_array().into_iter().flatten().any(|difference| difference["field"] == "partnerOrderNo")
}

/// A held fact, decided about.
pub(super) fn ended(
    held: &quarantine::Model,
    state: &str,
    at: i64,
    by: &str,
    reason: &str,
) -> quarantine::Model {
    quarantine::Model {
        state: state.to_owned(),
        ended_at: Some(at),
        ended_by: Some(by.to_owned()),
        reason: Some(reason.to_owned()),
        ..held.clone()
    }
}

/// What waited for a person because of a held fact waits no longer.
pub(super) fn calmed(ended: &quarantine::Model) -> Calmed {
    Calmed {
        kind: Matter::FactQuarantined.as_str(),
        subject_id: ended.id.clone(),
        at: ended.ended_at.unwrap_or(ended.held_at),
        by: ended.ended_by.clone().unwrap_or_default(),
        reason: ended.reason.clone(),
    }
}
