//! One batch as one transaction: look, decide, write. Rows are touched in the order of their ids.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sea_orm::DbBackend;

use super::connection::Connection;
use super::decide;
use super::fault::{self, Fault};
use super::gathered::Gathered;
use super::leases;
use super::measures::Tally;
use super::statements;
use super::told::{Tellings, Writing};
use super::{NewOrder, Placement, RowStatement, Told, Write};
use crate::entity::order;

/// After so long without an answer a PostgreSQL connection is given up. Above any lock's or fsync's usual wait.
const SILENCE: Duration = Duration::from_secs(15);

/// Write `batch` in one transaction. `again`: a COMMIT of this batch was sent before and its outcome lost.
pub(super) async fn write(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
    writing: Writing,
) -> Result<Tally, Fault> {
    let begin = match connection.backend() {
        DbBackend::Postgres => "BEGIN",
        _ => "BEGIN IMMEDIATE", // a deferred one that read first fails when anybody else wrote
    };
    let is_remote = connection.backend() == DbBackend::Postgres;
    let statements = async {
        connection.plain(begin).await.map_err(fault::of_statement)?;
        statements_of(connection, batch, again, writing).await
    };
    let silence = || Fault::Lost("PostgreSQL did not answer in time".into());
    let tally = within(is_remote, statements, silence).await?;
    let began = Instant::now();
    let commit = async { connection.plain("COMMIT").await.map_err(fault::of_commit) };
    within(is_remote, commit, || Fault::InDoubt("PostgreSQL did not answer a COMMIT in time".into())).await?;
    Ok(Tally { commit: began.elapsed(), ..tally })
}

/// A server that went silent must not hold every order: its connection is given up. A file answers or fails.
async fn within<T>(
    is_remote: bool,
    work: impl Future<Output = Result<T, Fault>>,
    silence: impl FnOnce() -> Fault,
) -> Result<T, Fault> {
    if !is_remote {
        return work.await;
    }
    tokio::time::timeout(SILENCE, work).await.unwrap_or_else(|_| Err(silence()))
}

async fn statements_of(
    connection: &mut Connection,
    batch: &mut [Write],
    again: bool,
    writing: Writing,
) -> Result<Tally, Fault> {
    let mut gathered = Gathered::default();
    place(connection, batch, &mut gathered).await?;
    decide::change(connection, batch, again, &mut gathered).await?;
    let tally = gathered.insert(connection, writing).await?;
    leases::move_deliveries(connection, batch, again).await?;
    for write in batch.iter_mut() {
        match write {
            Write::Claim { claim, claimed, .. } => {
                leases::take(connection, claim, claimed, again, writing.clock).await?;
            }
            Write::Rows { statements, written, .. } => {
                *written = run_rows(connection, statements, writing).await?;
            }
            Write::Place { .. } | Write::Change(_) | Write::Move { .. } => {}
        }
    }
    Ok(tally)
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
    let orders = new.iter().map(|(rows, _)| statements::whole(&rows.order)).collect();
    let inserted = connection.each(&statements::INSERT_ORDERS, orders).await.map_err(fault::of_statement)?;
    let inserted: HashSet<String> = inserted.into_iter().collect();
    for (rows, placement) in new {
        if inserted.contains(&rows.order.id) {
            gathered.place(rows);
            *placement = Some(Placement::New);
            continue;
        }
        let number = vec![rows.order.merchant_id.as_str().into(), rows.order.number.as_str().into()];
        let taken = connection
            .select::<order::Entity>(&statements::ORDERS_OF_NUMBERS, vec![number])
            .await
            .map_err(fault::of_statement)?;
        *placement = match taken.into_iter().next() {
            Some(order) if order.id == rows.order.id => Some(Placement::New),
            Some(order) => Some(Placement::Taken(Box::new(order))),
            // Seen by the insert and not by us: it was written by a transaction that is not finished.
            None => return Err(Fault::Again("a number taken by an unfinished write".into())),
        };
    }
    Ok(())
}

async fn run_rows(
    connection: &mut Connection,
    statements: &[RowStatement],
    writing: Writing,
) -> Result<u64, Fault> {
    let mut written = 0;
    for statement in statements {
        let done = match statement {
            RowStatement::Insert(insert) => connection.execute(insert).await,
            RowStatement::Update(update) => connection.execute(update).await,
            RowStatement::Delete(delete) => connection.execute(delete).await,
            RowStatement::Provided(update) => {
                let changed = connection.execute(update).await.map_err(fault::of_statement)?;
                if changed == 0 {
                    return Ok(written);
                }
                Ok(changed)
            }
            RowStatement::Tell { told, matter_id } => {
                written += tell(connection, told, matter_id, writing).await?;
                continue;
            }
            RowStatement::Promise(deliveries) => {
                let mut tellings = Tellings::default();
                tellings.promise(deliveries);
                tellings.insert(connection, writing).await?;
                continue;
            }
        };
        written += done.map_err(fault::of_statement)?;
    }
    Ok(written)
}

/// Once, however often, and only while its matter stands.
async fn tell(
    connection: &mut Connection,
    told: &Told,
    matter_id: &str,
    writing: Writing,
) -> Result<u64, Fault> {
    let mut stands = async |statement, id: &str| -> Result<bool, Fault> {
        let found = connection.each(statement, vec![vec![id.into()]]).await.map_err(fault::of_statement)?;
        Ok(!found.is_empty())
    };
    if !stands(&statements::MATTERS_STANDING, matter_id).await?
        || stands(&statements::EVENTS_STANDING, &told.event.id).await?
    {
        return Ok(0);
    }
    let mut tellings = Tellings::default();
    tellings.take(told.clone());
    tellings.insert(connection, writing).await?;
    Ok(1)
}
