//! One batch as one transaction: look, decide, write. Rows are touched in the order of their ids.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{DbBackend, FromQueryResult, QueryResult};

use super::change::{Change, Changes, Current};
use super::connection::Connection;
use super::fault::{self, Fault};
use super::statements::{self, Stood};
use super::{Gathered, NewOrder, Placement, RowStatement, Write};
use crate::entity::{attempt, delivery, endpoint, event, journal, order, quarantine, submission};
use shared::order::OrderStatus;

/// After so long without an answer a PostgreSQL connection is given up. Above any lock's or fsync's usual wait.
const SILENCE: Duration = Duration::from_secs(15);

/// What of a batch is given to the writer's own clock for leases.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseClock {
    origin: tokio::time::Instant,
}

impl LeaseClock {
    pub(super) fn start() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }

    /// Leases compare the database's time on PostgreSQL, so that nodes agree, and this process's monotonic
    /// time on SQLite, where there is no other.
    fn now(self, backend: DbBackend) -> Expr {
        match backend {
            DbBackend::Postgres => Expr::cust("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"),
            _ => Expr::val(i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)),
        }
    }
}

/// Write `batch` in one transaction. `again`: a COMMIT of this batch was sent before and its outcome lost.
pub(super) async fn write(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
    leases: LeaseClock,
) -> Result<(), Fault> {
    let begin = match connection.backend() {
        DbBackend::Postgres => "BEGIN",
        _ => "BEGIN IMMEDIATE", // a deferred one that read first fails when anybody else wrote
    };
    let is_remote = connection.backend() == DbBackend::Postgres;
    let statements = async {
        connection.plain(begin).await.map_err(|e| fault::of_statement(&e))?;
        statements_of(connection, batch, again, leases).await
    };
    within(is_remote, statements, || Fault::Lost("PostgreSQL did not answer in time".into())).await?;
    let commit = async { connection.plain("COMMIT").await.map_err(|e| fault::of_commit(&e)) };
    within(is_remote, commit, || Fault::InDoubt("PostgreSQL did not answer a COMMIT in time".into())).await
}

/// A server that went silent must not hold every order: its connection is given up. A file answers or fails.
async fn within(
    is_remote: bool,
    work: impl Future<Output = Result<(), Fault>>,
    silence: impl FnOnce() -> Fault,
) -> Result<(), Fault> {
    if !is_remote {
        return work.await;
    }
    tokio::time::timeout(SILENCE, work).await.unwrap_or_else(|_| Err(silence()))
}

async fn statements_of(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
    leases: LeaseClock,
) -> Result<(), Fault> {
    let mut gathered = Gathered::default();
    place(connection, batch, &mut gathered).await?;
    change(connection, batch, again, &mut gathered, leases).await?;
    insert_gathered(connection, &gathered).await?;
    move_deliveries(connection, batch, again).await?;
    for write in batch.iter_mut() {
        match write {
            Write::Claim { claim, claimed, .. } => {
                let now = leases.now(connection.backend());
                let before = std::mem::take(claimed);
                if again && !before.is_empty() {
                    // What an earlier COMMIT of this batch took is ours still.
                    *claimed =
                        fetch(connection, &statements::renew_leases(claim, &before, now.clone())).await?;
                }
                if claimed.is_empty() {
                    *claimed = fetch(connection, &statements::claim_deliveries(claim, now)).await?;
                }
            }
            Write::Rows { statements, written, .. } => *written = run_rows(connection, statements).await?,
            Write::Place { .. } | Write::Change(_) | Write::Move { .. } => {}
        }
    }
    Ok(())
}

/// New orders. A number that is taken yields the order that has it; where that is the one to be written, an
/// earlier COMMIT of this batch went through after all.
async fn place(
    connection: &mut Connection,
    batch: &mut [Write],
    gathered: &mut Gathered,
) -> Result<(), Fault> {
    let mut new: Vec<(&NewOrder, &mut Option<Placement>)> = batch
        .iter_mut()
        .filter_map(|write| match write {
            Write::Place { rows, placement, .. } => Some((&**rows, placement)),
            _ => None,
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    new.sort_by(|(a, _), (b, _)| a.order.id.cmp(&b.order.id));
    let orders: Vec<order::Model> = new.iter().map(|(rows, _)| rows.order.clone()).collect();
    let inserted =
        connection.fetch(&statements::insert_orders(&orders)).await.map_err(|e| fault::of_statement(&e))?;
    let inserted: HashSet<String> = inserted.iter().map(id_of).collect::<Result<_, _>>()?;
    for (rows, placement) in new {
        if inserted.contains(&rows.order.id) {
            gathered.submissions.push(rows.submission.clone());
            gathered.journal.push(rows.journal.clone());
            *placement = Some(Placement::New);
            continue;
        }
        let taken: Vec<order::Model> = fetch(connection, &statements::order_of_number(&rows.order)).await?;
        *placement = match taken.into_iter().next() {
            Some(order) if order.id == rows.order.id => Some(Placement::New),
            Some(order) => Some(Placement::Taken(Box::new(order))),
            // Seen by the insert and not by us: it was written by a transaction that is not finished.
            None => return Err(Fault::Again("a number taken by an unfinished write".into())),
        };
    }
    Ok(())
}

/// Changes of orders: look at all of them, let each decide, write what they say.
async fn change(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
    gathered: &mut Gathered,
    leases: LeaseClock,
) -> Result<(), Fault> {
    let mut changes: Vec<&mut Box<dyn Change>> = batch
        .iter_mut()
        .filter_map(|write| match write {
            Write::Change(change) => Some(change),
            _ => None,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    changes.sort_by(|a, b| a.target().order_id.cmp(&b.target().order_id));
    let unmoved = if again { changes } else { change_as_seen(connection, changes, gathered).await? };
    change_after_look(connection, unmoved, again, gathered).await?;
    lease_new_deliveries(connection, gathered, leases);
    Ok(())
}

/// Changes whose callers know how the order stands, because they wrote it a moment ago: moved at once where that
/// still holds. Returns those that need a look.
async fn change_as_seen<'a>(
    connection: &mut Connection,
    changes: Vec<&'a mut Box<dyn Change>>,
    gathered: &mut Gathered,
) -> Result<Vec<&'a mut Box<dyn Change>>, Fault> {
    let mut unmoved = Vec::new();
    let mut moves = Moves::default();
    let mut tried = Vec::new();
    for change in changes {
        let Some(seen) = change.target().seen.clone() else {
            unmoved.push(change);
            continue;
        };
        let current = Current { order: &seen.order, submission: Some(&seen.submission), repeated: false };
        let mut decided = change.decide(&current);
        match decided.order.take() {
            Some(order) if order.status != seen.order.status => {
                moves.add(&seen.order, order)?;
                tried.push((change, decided));
            }
            _ => unmoved.push(change),
        }
    }
    let moved = moves.make(connection).await?;
    for (change, decided) in tried {
        if moved.contains(&change.target().order_id) {
            gather(decided, gathered);
        } else {
            unmoved.push(change);
        }
    }
    unmoved.sort_by(|a, b| a.target().order_id.cmp(&b.target().order_id));
    Ok(unmoved)
}

async fn change_after_look(
    connection: &mut Connection,
    changes: Vec<&mut Box<dyn Change>>,
    again: bool,
    gathered: &mut Gathered,
) -> Result<(), Fault> {
    if changes.is_empty() {
        return Ok(());
    }
    let looked = look(connection, &changes, again).await?;
    let mut moves = Moves::default();
    for change in changes {
        let target = change.target();
        let Some(order) = looked.orders.get(&target.order_id) else {
            change.miss();
            continue;
        };
        if looked.standing.contains(&target.key) {
            continue; // an earlier COMMIT of this batch went through after all; its outcome is kept
        }
        let repeated = target.submission_id.as_ref().zip(target.digest.as_ref());
        let current = Current {
            order,
            submission: target.submission_id.as_ref().and_then(|id| looked.submissions.get(id)),
            repeated: repeated
                .is_some_and(|(id, digest)| looked.kept.contains(&(id.clone(), digest.clone()))),
        };
        let mut decided = change.decide(&current);
        if let Some(after) = decided.order.take() {
            moves.add(order, after)?;
        }
        gather(decided, gathered);
    }
    let count = moves.count();
    let moved = moves.make(connection).await?;
    if moved.len() == count {
        return Ok(());
    }
    Err(Fault::Again(format!("{} of {count} orders had moved meanwhile", count - moved.len())))
}

/// Orders to move: what they are moved from, and the row after.
#[derive(Default)]
struct Moves {
    settled: Vec<(Stood, order::Model)>,
    resubmitted: Vec<(Stood, order::Model)>,
}

impl Moves {
    /// Take one, after checking that it is a move of the table's.
    fn add(&mut self, before: &order::Model, after: order::Model) -> Result<(), Fault> {
        let (from, to) = (before.status(), after.status());
        // Paid in between is allowed for: a first sight of a refunded order writes paid and then refunded.
        let via_paid = from.may_become(OrderStatus::Paid) && OrderStatus::Paid.may_become(to);
        if from != to && !from.may_become(to) && !via_paid {
            return Err(Fault::Row(format!("an order may not go from {} to {}", from.as_str(), to.as_str())));
        }
        let list = if after.submission_id == before.submission_id {
            &mut self.settled
        } else {
            &mut self.resubmitted
        };
        list.push((
            Stood { status: before.status.clone(), submission_id: before.submission_id.clone() },
            after,
        ));
        Ok(())
    }

    fn count(&self) -> usize {
        self.settled.len() + self.resubmitted.len()
    }

    /// Make them; returns the ids of the orders that still stood as they were thought to.
    async fn make(self, connection: &mut Connection) -> Result<HashSet<String>, Fault> {
        let mut moved = HashSet::new();
        for (rows, resubmitted) in [(&self.settled, false), (&self.resubmitted, true)] {
            if !rows.is_empty() {
                let update = statements::update_orders(rows, resubmitted);
                let ids = connection.fetch(&update).await.map_err(|e| fault::of_statement(&e))?;
                for row in &ids {
                    moved.insert(id_of(row)?);
                }
            }
        }
        Ok(moved)
    }
}

/// What stands of everything the changes are about.
struct Looked {
    orders: HashMap<String, order::Model>,
    submissions: HashMap<String, submission::Model>,
    kept: HashSet<(String, Vec<u8>)>,
    standing: HashSet<String>,
}

async fn look(
    connection: &mut Connection,
    changes: &[&mut Box<dyn Change>],
    again: bool,
) -> Result<Looked, Fault> {
    let order_ids: Vec<&str> = changes.iter().map(|change| change.target().order_id.as_str()).collect();
    let orders: Vec<order::Model> =
        fetch(connection, &statements::orders_for_change(&order_ids, connection.backend())).await?;
    let submission_ids: Vec<&str> =
        changes.iter().filter_map(|change| change.target().submission_id.as_deref()).collect();
    let submissions: Vec<submission::Model> = if submission_ids.is_empty() {
        Vec::new()
    } else {
        fetch(connection, &statements::submissions(&submission_ids)).await?
    };
    let notices: Vec<(&str, &[u8])> = changes
        .iter()
        .filter_map(|change| change.target().submission_id.as_deref().zip(change.target().digest.as_deref()))
        .collect();
    let kept = if notices.is_empty() {
        HashSet::new()
    } else {
        pairs(connection, &statements::notices_kept(&notices), "submission_id", "digest").await?
    };
    let standing = if again {
        let keys: Vec<(&str, &str)> = changes
            .iter()
            .map(|change| (change.target().order_id.as_str(), change.target().key.as_str()))
            .collect();
        let standing: HashSet<(String, String)> =
            pairs(connection, &statements::entries_standing(&keys), "order_id", "id").await?;
        standing.into_iter().map(|(_, id)| id).collect()
    } else {
        HashSet::new()
    };
    Ok(Looked {
        orders: orders.into_iter().map(|order| (order.id.clone(), order)).collect(),
        submissions: submissions.into_iter().map(|submission| (submission.id.clone(), submission)).collect(),
        kept,
        standing,
    })
}

/// Take what a decision writes besides the order itself.
fn gather(decided: Changes, gathered: &mut Gathered) {
    gathered.changed_submissions.extend(decided.submission);
    gathered.submissions.extend(decided.new_submission);
    gathered.journal.extend(decided.journal);
    gathered.quarantine.extend(decided.quarantine);
    for told in decided.told {
        gathered.events.push(told.event);
        if let Some((endpoint, delivery)) = told.promise {
            gathered.endpoints.push(endpoint);
            gathered.deliveries.push(delivery);
        }
    }
}

/// A new delivery names in `leased_until` how long its lease is; here it becomes the time it ends.
fn lease_new_deliveries(connection: &Connection, gathered: &mut Gathered, leases: LeaseClock) {
    if connection.backend() == DbBackend::Sqlite {
        let now = i64::try_from(leases.origin.elapsed().as_millis()).unwrap_or(i64::MAX);
        for delivery in &mut gathered.deliveries {
            delivery.leased_until = delivery.leased_until.map(|lease_ms| now + lease_ms);
        }
    }
}

async fn insert_gathered(connection: &mut Connection, gathered: &Gathered) -> Result<(), Fault> {
    if !gathered.submissions.is_empty() {
        execute(connection, &statements::insert::<submission::Entity>(&gathered.submissions)).await?;
    }
    if !gathered.changed_submissions.is_empty() {
        execute(connection, &statements::update_submissions(&gathered.changed_submissions)).await?;
    }
    if !gathered.journal.is_empty() {
        execute(connection, &statements::insert::<journal::Entity>(&gathered.journal)).await?;
    }
    if !gathered.quarantine.is_empty() {
        execute(connection, &statements::insert::<quarantine::Entity>(&gathered.quarantine)).await?;
    }
    if !gathered.endpoints.is_empty() {
        let mut endpoints = gathered.endpoints.clone();
        endpoints.sort_by(|a, b| a.id.cmp(&b.id));
        endpoints.dedup_by(|a, b| a.id == b.id);
        execute(connection, &statements::insert_new::<endpoint::Entity>(&endpoints)).await?;
    }
    if !gathered.events.is_empty() {
        execute(connection, &statements::insert::<event::Entity>(&gathered.events)).await?;
    }
    if !gathered.deliveries.is_empty() {
        insert_deliveries(connection, &gathered.deliveries).await?;
    }
    Ok(())
}

/// On PostgreSQL a lease ends by the database's clock.
async fn insert_deliveries(connection: &mut Connection, deliveries: &[delivery::Model]) -> Result<(), Fault> {
    execute(connection, &statements::insert::<delivery::Entity>(deliveries)).await?;
    if connection.backend() == DbBackend::Postgres {
        let ids: Vec<String> = deliveries
            .iter()
            .filter(|delivery| delivery.lease.is_some())
            .map(|delivery| delivery.id.clone())
            .collect();
        if !ids.is_empty() {
            execute(connection, &statements::start_leases(ids)).await?;
        }
    }
    Ok(())
}

async fn move_deliveries(connection: &mut Connection, batch: &mut [Write], again: bool) -> Result<(), Fault> {
    let mut moves: Vec<(&super::DeliveryMove, &mut bool)> = batch
        .iter_mut()
        .filter_map(|write| match write {
            Write::Move { step, ours, .. } => Some((&**step, ours)),
            _ => None,
        })
        .collect();
    if moves.is_empty() {
        return Ok(());
    }
    moves.sort_by(|(a, _), (b, _)| a.delivery_id.cmp(&b.delivery_id));
    if again {
        // An earlier COMMIT of this batch may have gone through after all: such a move is not made again, since
        // the delivery may have been taken anew, and its outcome is kept.
        let keys: Vec<(&str, &str)> = moves
            .iter()
            .filter_map(|(step, _)| step.attempt.as_ref())
            .map(|attempt| (attempt.delivery_id.as_str(), attempt.id.as_str()))
            .collect();
        let standing: HashSet<(String, String)> = if keys.is_empty() {
            HashSet::new()
        } else {
            pairs(connection, &statements::attempts_standing(&keys), "delivery_id", "id").await?
        };
        moves.retain(|(step, _)| {
            let key = step.attempt.as_ref().map(|attempt| (attempt.delivery_id.clone(), attempt.id.clone()));
            key.is_none_or(|key| !standing.contains(&key))
        });
        if moves.is_empty() {
            return Ok(());
        }
    }
    let attempts: Vec<attempt::Model> = moves.iter().filter_map(|(step, _)| step.attempt.clone()).collect();
    if !attempts.is_empty() {
        execute(connection, &statements::insert_new::<attempt::Entity>(&attempts)).await?;
    }
    let steps: Vec<&super::DeliveryMove> = moves.iter().map(|(step, _)| *step).collect();
    let moved =
        connection.fetch(&statements::move_deliveries(&steps)).await.map_err(|e| fault::of_statement(&e))?;
    let moved: HashSet<String> = moved.iter().map(id_of).collect::<Result<_, _>>()?;
    for (step, ours) in moves {
        *ours = moved.contains(&step.delivery_id);
    }
    Ok(())
}

async fn run_rows(connection: &mut Connection, statements: &[RowStatement]) -> Result<u64, Fault> {
    let mut written = 0;
    for statement in statements {
        written += match statement {
            RowStatement::Insert(insert) => execute(connection, insert).await?,
            RowStatement::Update(update) => execute(connection, update).await?,
            RowStatement::Delete(delete) => execute(connection, delete).await?,
        };
    }
    Ok(written)
}

async fn execute(
    connection: &mut Connection,
    statement: &impl super::connection::SqlxStatement,
) -> Result<u64, Fault> {
    connection.execute(statement).await.map_err(|e| fault::of_statement(&e))
}

async fn fetch<M: FromQueryResult>(
    connection: &mut Connection,
    statement: &impl super::connection::SqlxStatement,
) -> Result<Vec<M>, Fault> {
    let rows = connection.fetch(statement).await.map_err(|e| fault::of_statement(&e))?;
    rows.iter().map(|row| M::from_query_result(row, "").map_err(|e| Fault::Row(e.to_string()))).collect()
}

async fn pairs<A, B>(
    connection: &mut Connection,
    statement: &impl super::connection::SqlxStatement,
    first: &str,
    second: &str,
) -> Result<HashSet<(A, B)>, Fault>
where
    A: sea_orm::TryGetable + Eq + std::hash::Hash,
    B: sea_orm::TryGetable + Eq + std::hash::Hash,
{
    let rows = connection.fetch(statement).await.map_err(|e| fault::of_statement(&e))?;
    let pair = |row: &QueryResult| Ok((row.try_get("", first)?, row.try_get("", second)?));
    rows.iter().map(|row| pair(row).map_err(|e: sea_orm::DbErr| Fault::Row(e.to_string()))).collect()
}

fn id_of(row: &QueryResult) -> Result<String, Fault> {
    row.try_get("", "id").map_err(|e| Fault::Row(e.to_string()))
}
