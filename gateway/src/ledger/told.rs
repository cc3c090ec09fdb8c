//! What is told, and the promises to bring it to somebody: events with their place in the order of writing, and
//! deliveries with theirs in the sequence of what they are about.

use sea_orm::{DbBackend, ModelTrait};

use super::change::Told;
use super::connection::{Connection, StoreError};
use super::each::Parameters;
use super::fault::{self, Fault};
use super::leases::LeaseClock;
use super::statements;
use crate::entity::{delivery, endpoint, event};

/// What a transaction needs to know of its writer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    pub clock: LeaseClock,
    /// The number of this transaction among those of a SQLite file. PostgreSQL numbers its own.
    pub position: i64,
}

/// The number of the last transaction that has written an event, of a SQLite file.
pub(super) async fn last_position(connection: &mut Connection) -> Result<i64, StoreError> {
    if connection.backend() != DbBackend::Sqlite {
        return Ok(0);
    }
    let last = connection.each(&statements::LAST_POSITION, vec![Vec::new()]).await?;
    Ok(last.first().and_then(|position| position.parse().ok()).unwrap_or(0))
}

/// Events that are written from now on come after all that are there, whatever cluster this is.
pub(super) async fn go_on_numbering(connection: &mut Connection) -> Result<(), StoreError> {
    match connection.backend() {
        DbBackend::Sqlite => Ok(()),
        _ => connection.plain(statements::GO_ON_NUMBERING).await,
    }
}

#[derive(Default)]
pub(super) struct Tellings {
    endpoints: Vec<endpoint::Model>,
    events: Vec<event::Model>,
    deliveries: Vec<delivery::Model>,
}

impl Tellings {
    pub(super) fn take(&mut self, told: Told) {
        self.events.push(told.event);
        for promise in told.promises {
            self.endpoints.extend(promise.implicit);
            self.deliveries.push(promise.delivery);
        }
    }

    pub(super) fn promise(&mut self, deliveries: &[delivery::Model]) {
        self.deliveries.extend_from_slice(deliveries);
    }

    pub(super) async fn insert(mut self, connection: &mut Connection, writing: Writing) -> Result<(), Fault> {
        if connection.backend() == DbBackend::Sqlite {
            for event in &mut self.events {
                event.position = writing.position;
            }
            // A new delivery names in `leased_until` how long its lease is; here it becomes the time it ends.
            for delivery in &mut self.deliveries {
                delivery.leased_until =
                    delivery.leased_until.map(|lease_ms| writing.clock.elapsed_ms() + lease_ms);
            }
        }
        self.endpoints.sort_by(|a, b| a.id.cmp(&b.id));
        self.endpoints.dedup_by(|a, b| a.id == b.id);
        let later: Vec<&delivery::Model> =
            self.deliveries.iter().filter(|delivery| delivery.sequence > 1).collect();
        let overtaking = later.iter().filter(|delivery| delivery.overtakes());
        let superseded = overtaking.map(|delivery| overtaken(delivery)).collect();
        let steps = [
            (&statements::INSERT_ENDPOINTS, all(&self.endpoints)),
            (&statements::INSERT_EVENTS, all(&self.events)),
            (&statements::SUPERSEDE_DELIVERIES, superseded),
            (&statements::INSERT_DELIVERIES, all(&self.deliveries)),
        ];
        for (statement, rows) in steps {
            if !rows.is_empty() {
                connection.each(statement, rows).await.map_err(fault::of_statement)?;
            }
        }
        // What came to be first has nothing before it.
        hold_back(connection, &later).await
    }
}

/// Of deliveries about one subject to one endpoint only the first that has not ended is due.
async fn hold_back(connection: &mut Connection, later: &[&delivery::Model]) -> Result<(), Fault> {
    if later.is_empty() {
        return Ok(());
    }
    let of = |delivery: &&delivery::Model| -> Parameters {
        vec![
            delivery.subject_id.as_str().into(),
            delivery.endpoint_id.as_str().into(),
            delivery.replay_id.clone().unwrap_or_default().into(),
            delivery.sequence.into(),
        ]
    };
    // Whoever ends one of them at the same time does so either before we look, or after we have committed.
    connection
        .each(&statements::LOCK_EARLIER_DELIVERIES, later.iter().map(of).collect())
        .await
        .map_err(fault::of_statement)?;
    let ids = later.iter().map(|delivery| vec![delivery.id.as_str().into()]).collect();
    connection.each(&statements::HOLD_BACK_DELIVERIES, ids).await.map_err(fault::of_statement)?;
    Ok(())
}

fn overtaken(paid: &delivery::Model) -> Parameters {
    vec![paid.subject_id.as_str().into(), paid.endpoint_id.as_str().into(), paid.created_at.into()]
}

fn all<M: ModelTrait>(rows: &[M]) -> Vec<Parameters> {
    rows.iter().map(statements::whole).collect()
}
