//! The loop that gathers writes into batches and sees each batch through: halves after a bad row, again after
//! a collision, a new connection after a lost one, and the truth after a COMMIT that was never answered.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batch;
use super::connection::{Connection, Connector, StoreError};
use super::fault::Fault;
use super::leases::LeaseClock;
use super::measures::{Measures, Tally};
use super::told::{self, Writing};
use super::{LedgerError, Settings, Write};

/// Between two tries to reach the database.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// How often a batch is written again because it met another transaction.
const COLLISIONS: u32 = 10;

/// A writer's lanes, first ones first.
pub(super) struct Queues {
    money: mpsc::Receiver<Write>,
    attempts: mpsc::Receiver<Write>,
    bulk: mpsc::Receiver<Write>,
    /// Taken out already, but about something that the last batch was about, too. Never more than one batch.
    held: VecDeque<Write>,
}

impl Queues {
    pub(super) fn new(
        money: mpsc::Receiver<Write>,
        attempts: mpsc::Receiver<Write>,
        bulk: mpsc::Receiver<Write>,
    ) -> Self {
        Self { money, attempts, bulk, held: VecDeque::new() }
    }

    /// What waits, up to `max` writes; waits for the first. `None` when every sender is gone and all is taken.
    async fn gather(&mut self, max: usize, closing: &CancellationToken) -> Option<Vec<Write>> {
        let mut batch = Vec::new();
        let mut subjects = HashSet::new();
        for write in std::mem::take(&mut self.held) {
            self.take(write, &mut batch, &mut subjects);
        }
        if batch.is_empty() {
            let first = self.first(closing).await?;
            self.take(first, &mut batch, &mut subjects);
        }
        while batch.len() + self.held.len() < max {
            let next =
                self.money.try_recv().or_else(|_| self.attempts.try_recv()).or_else(|_| self.bulk.try_recv());
            let Ok(write) = next else { break };
            self.take(write, &mut batch, &mut subjects);
        }
        Some(batch)
    }

    /// The next write of the first lane that has one. `None` when the ledger is closed and all is taken.
    async fn first(&mut self, closing: &CancellationToken) -> Option<Write> {
        loop {
            let closed = self.money.is_closed();
            return tokio::select! {
                biased;
                Some(write) = self.money.recv() => Some(write),
                Some(write) = self.attempts.recv() => Some(write),
                Some(write) = self.bulk.recv() => Some(write),
                () = closing.cancelled(), if !closed => {
                    // What has room reserved still comes; nothing else does.
                    self.money.close();
                    self.attempts.close();
                    self.bulk.close();
                    continue;
                }
                else => None,
            };
        }
    }

    /// At most one write per order or delivery and batch; a later one waits for the next.
    fn take(&mut self, write: Write, batch: &mut Vec<Write>, subjects: &mut HashSet<String>) {
        match write.subject() {
            Some(id) if !subjects.insert(id.to_owned()) => self.held.push_back(write),
            _ => batch.push(write),
        }
    }
}

pub(super) struct Writer {
    connector: Connector,
    connection: Option<Connection>,
    settings: Settings,
    queues: Queues,
    leases: LeaseClock,
    /// The number of the last transaction of a SQLite file.
    position: i64,
    death: Arc<watch::Sender<Option<String>>>,
    measures: Measures,
}

impl Writer {
    pub(super) async fn connect(
        connector: Connector,
        settings: Settings,
        queues: Queues,
        death: Arc<watch::Sender<Option<String>>>,
        measures: Measures,
    ) -> anyhow::Result<Self> {
        let mut connection = connected(&connector).await?;
        let position = told::last_position(&mut connection).await?;
        let (connection, leases) = (Some(connection), LeaseClock::start());
        Ok(Self { connector, connection, settings, queues, leases, position, death, measures })
    }

    pub(super) async fn run(mut self, closing: CancellationToken) {
        while let Some(batch) = self.queues.gather(self.settings.max_batch, &closing).await {
            self.see_through(batch).await;
        }
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    /// Write a batch, in halves where a row is at fault, until every caller has an answer.
    async fn see_through(&mut self, batch: Vec<Write>) {
        let mut parts = vec![(batch, false)];
        while let Some((mut batch, doubted)) = parts.pop() {
            match self.write(&mut batch, doubted).await {
                Ok(()) => batch.into_iter().for_each(Write::succeed),
                Err((Outcome::Split, doubted)) if batch.len() > 1 => {
                    let second = batch.split_off(batch.len() / 2);
                    parts.push((second, doubted));
                    parts.push((batch, doubted));
                }
                Err((Outcome::Split, _)) => unreachable!("a batch of one is refused, not split"),
                Err((Outcome::Refuse(error), _)) => {
                    for write in batch {
                        write.fail(error.clone());
                    }
                }
            }
        }
    }

    /// One batch until it is committed, refused or to be split. Also tells whether its COMMIT is in doubt.
    async fn write(&mut self, batch: &mut [Write], mut doubted: bool) -> Result<(), (Outcome, bool)> {
        if let Some(reason) = self.death.borrow().clone() {
            return Err((Outcome::Refuse(refusal(doubted, reason)), doubted));
        }
        let mut until = Instant::now() + self.settings.patience;
        let mut collisions = 0;
        loop {
            let began = Instant::now();
            let fault = match self.once(batch, doubted).await {
                Ok(tally) => {
                    self.measures.committed(batch.len(), began.elapsed(), tally);
                    return Ok(());
                }
                Err(fault) => fault,
            };
            match fault {
                Fault::Row(why) => {
                    self.roll_back().await;
                    let one = batch.len() == 1;
                    if one {
                        tracing::error!(reason = %why, "a write was refused by the store");
                    }
                    return Err((
                        if one { Outcome::Refuse(LedgerError::Rejected(why)) } else { Outcome::Split },
                        doubted,
                    ));
                }
                Fault::Again(why) => {
                    self.roll_back().await;
                    collisions += 1;
                    if collisions > COLLISIONS {
                        return Err((Outcome::Refuse(refusal(doubted, why)), doubted));
                    }
                }
                Fault::NoSpace(why) => {
                    self.hang_up().await;
                    tracing::error!(reason = %why, "the store takes no writes");
                    return Err((Outcome::Refuse(refusal(doubted, why)), doubted));
                }
                Fault::Fatal(why) => {
                    self.hang_up().await;
                    tracing::error!(reason = %why, "the store failed; nothing is acknowledged any more");
                    self.death.send_replace(Some(why.clone()));
                    return Err((Outcome::Refuse(LedgerError::InDoubt), doubted));
                }
                Fault::InDoubt(why) if !doubted => {
                    tracing::warn!(reason = %why, writes = batch.len(), "a COMMIT was not answered; writing its batch again to find out");
                    self.measures.doubted();
                    self.hang_up().await;
                    doubted = true;
                    // However long the COMMIT took: finding out has a time of its own.
                    until = Instant::now() + self.settings.patience;
                }
                Fault::Lost(why) | Fault::InDoubt(why) if Instant::now() >= until => {
                    self.hang_up().await;
                    return Err((Outcome::Refuse(refusal(doubted, why)), doubted));
                }
                Fault::Lost(_) | Fault::InDoubt(_) => self.hang_up().await,
            }
        }
    }

    async fn once(&mut self, batch: &mut [Write], doubted: bool) -> Result<Tally, Fault> {
        if self.connection.is_none() {
            match connected(&self.connector).await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => {
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                    let why = error.to_string();
                    return Err(match super::fault::of_statement(error) {
                        fault @ (Fault::NoSpace(_) | Fault::Fatal(_)) => fault,
                        _ => Fault::Lost(why),
                    });
                }
            }
        }
        self.position += 1;
        let connection = self.connection.as_mut().expect("connected above");
        let writing = Writing { clock: self.leases, position: self.position };
        match batch::write(connection, batch, doubted, writing).await {
            // A COMMIT in doubt stays so until the batch went through or was found standing.
            Err(Fault::Lost(why)) if doubted => Err(Fault::InDoubt(why)),
            result => result,
        }
    }

    /// After a failed statement: ROLLBACK, never COMMIT.
    async fn roll_back(&mut self) {
        if let Some(connection) = self.connection.as_mut()
            && connection.plain("ROLLBACK").await.is_err()
        {
            self.hang_up().await;
        }
    }

    async fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Not waited for long: the other side may be what is broken.
            let _ = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
        }
    }
}

async fn connected(connector: &Connector) -> Result<Connection, StoreError> {
    let mut connection = connector.connect().await?;
    told::go_on_numbering(&mut connection).await?;
    Ok(connection)
}

enum Outcome {
    Split,
    Refuse(LedgerError),
}

/// What a caller is told of a batch that was given up.
fn refusal(doubted: bool, why: String) -> LedgerError {
    if doubted { LedgerError::InDoubt } else { LedgerError::Unavailable(why) }
}
