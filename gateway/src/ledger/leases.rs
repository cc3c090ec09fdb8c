//! Deliveries in a batch: taken under a lease, and moved on while the lease is still ours.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sea_orm::DbBackend;
use sea_orm::sea_query::Expr;

use super::connection::Connection;
use super::each::Parameters;
use super::fault::{self, Fault};
use super::{Claim, Claimed, DeliveryMove, Moved, Write, claims, statements};
use crate::entity::{delivery, event};

/// The writer's own clock for leases.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseClock {
    origin: tokio::time::Instant,
}

impl LeaseClock {
    pub(super) fn start() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }

    pub(super) fn elapsed_ms(self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Leases compare the database's time on PostgreSQL, so that nodes agree, and this process's monotonic
    /// time on SQLite, where there is no other.
    fn now(self, backend: DbBackend) -> Expr {
        match backend {
            DbBackend::Postgres => Expr::cust("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"),
            _ => Expr::val(self.elapsed_ms()),
        }
    }
}

/// Take what is due. `again`: what an earlier COMMIT of this batch took is ours still.
pub(super) async fn take(
    connection: &mut Connection,
    claim: &Claim,
    claimed: &mut Vec<Claimed>,
    again: bool,
    clock: LeaseClock,
) -> Result<(), Fault> {
    let before = std::mem::take(claimed);
    let mut taken = Vec::new();
    if again && !before.is_empty() {
        let renewed = claims::renew(claim, &before, clock.now(connection.backend()));
        taken = connection.fetch::<delivery::Entity>(&renewed).await.map_err(fault::of_statement)?;
    }
    if taken.is_empty() {
        let rows = claims::rows(claim, clock.elapsed_ms());
        taken = connection
            .select::<delivery::Entity>(&claims::CLAIM_DELIVERIES, rows)
            .await
            .map_err(fault::of_statement)?;
    }
    taken.sort_by(|a, b| (a.bulk, a.due_at, &a.id).cmp(&(b.bulk, b.due_at, &b.id)));
    let events = events_of(connection, &taken).await?;
    *claimed = taken
        .into_iter()
        .map(|delivery| Claimed { event: events.get(&delivery.event_id).cloned(), delivery })
        .collect();
    Ok(())
}

/// Several deliveries may be of one event.
async fn events_of(
    connection: &mut Connection,
    taken: &[delivery::Model],
) -> Result<HashMap<String, Arc<event::Model>>, Fault> {
    let ids: HashSet<&str> = taken.iter().map(|delivery| delivery.event_id.as_str()).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = ids.into_iter().map(|id| vec![id.into()]).collect();
    let events = connection.select::<event::Entity>(&statements::EVENTS, ids).await;
    let events = events.map_err(fault::of_statement)?;
    Ok(events.into_iter().map(|event| (event.id.clone(), Arc::new(event))).collect())
}

/// Attempts are always kept; a lease fences only the delivery's state.
pub(super) async fn move_deliveries(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
) -> Result<(), Fault> {
    let mut moves: Vec<(&DeliveryMove, &mut Moved)> = batch
        .iter_mut()
        .filter_map(|write| match write {
            Write::Move { step, moved, .. } => Some((&**step, moved)),
            _ => None,
        })
        .collect();
    moves.sort_by(|(a, _), (b, _)| a.delivery_id.cmp(&b.delivery_id));
    if again {
        forget_standing(connection, &mut moves).await?;
    }
    if moves.is_empty() {
        return Ok(());
    }
    let attempts: Vec<_> =
        moves.iter().filter_map(|(step, _)| step.attempt.as_ref()).map(statements::whole).collect();
    if !attempts.is_empty() {
        connection.each(&statements::INSERT_ATTEMPTS, attempts).await.map_err(fault::of_statement)?;
    }
    let steps = moves.iter().map(|(step, _)| statements::delivery_move(step)).collect();
    let moved = connection.each(&statements::MOVE_DELIVERIES, steps).await.map_err(fault::of_statement)?;
    let standing: HashSet<String> = moved.into_iter().collect();
    let (mut ended, mut failed) = (Vec::new(), Vec::new());
    for (step, moved) in &mut moves {
        **moved = Moved { is_ours: standing.contains(&step.delivery_id), has_freed: false };
        if !moved.is_ours {
            continue;
        }
        match step.ended_at {
            Some(_) => ended.push(vec![step.delivery_id.as_str().into()]),
            None if step.is_superseded_by_paid => {
                let attempt = step.attempt.as_ref();
                let ended_at = attempt.map(|attempt| attempt.started_at + attempt.duration_ms);
                failed.extend(ended_at.map(|at| vec![step.delivery_id.as_str().into(), at.into()]));
            }
            None => {}
        }
    }
    let mut each = async |statement, rows: Vec<Parameters>| {
        if rows.is_empty() { Ok(Vec::new()) } else { connection.each(statement, rows).await }
    };
    let superseded = each(&statements::SUPERSEDE_FAILED, failed).await.map_err(fault::of_statement)?;
    ended.extend(superseded.into_iter().map(|id| vec![id.into()]));
    let freeing = each(&statements::RELEASE_DELIVERIES, ended).await.map_err(fault::of_statement)?;
    let freeing: HashSet<String> = freeing.into_iter().collect();
    for (step, moved) in moves {
        moved.has_freed = freeing.contains(&step.delivery_id);
    }
    Ok(())
}

/// An earlier COMMIT of this batch may have gone through after all: such a move is not made again, since the delivery
/// may have been taken anew, and its outcome is kept.
async fn forget_standing(
    connection: &mut Connection,
    moves: &mut Vec<(&DeliveryMove, &mut Moved)>,
) -> Result<(), Fault> {
    let attempts = moves.iter().filter_map(|(step, _)| step.attempt.as_ref());
    let keys: Vec<_> = attempts
        .map(|attempt| vec![attempt.delivery_id.as_str().into(), attempt.id.as_str().into()])
        .collect();
    if keys.is_empty() {
        return Ok(());
    }
    let standing =
        connection.each(&statements::ATTEMPTS_STANDING, keys).await.map_err(fault::of_statement)?;
    let standing: HashSet<String> = standing.into_iter().collect();
    moves.retain(|(step, _)| step.attempt.as_ref().is_none_or(|attempt| !standing.contains(&attempt.id)));
    Ok(())
}
