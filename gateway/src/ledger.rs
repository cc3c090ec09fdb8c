//! The only writer to the database. Writes queue in bounded lanes; a writer takes what waits, writes it as
//! multi-row statements in one transaction and answers each caller after the COMMIT. What it promises about
//! failures: `docs/MONEY.md`, The ledger's contract.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use sea_orm::sea_query::{DeleteStatement, InsertStatement, UpdateStatement};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::entity::{attempt, delivery, event, journal, order, submission};

mod batch;
mod change;
mod claims;
mod connection;
mod decide;
mod each;
mod fault;
mod gathered;
mod leases;
mod measures;
mod statements;
mod told;
mod writer;

pub use change::{Calmed, Changes, Current, Promise, Seen, Target, Told};
use change::{Change, Deciding};
pub use connection::{Connection, Connector, SqliteFile, StoreError};
pub use measures::Measures;
use writer::Writer;

/// The most writes that may go into one transaction. No statement gets longer with it (`each`), but all their callers
/// wait for the last of them, about a tenth of a second on SQLite, and one at fault is looked for by halves.
pub const MAX_BATCH: usize = 900;

/// How much may wait and how much goes into one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Writers side by side: 1 on SQLite, more on PostgreSQL.
    pub writers: usize,
    /// Writes in one transaction at most.
    pub max_batch: usize,
    /// Writes waiting per writer and lane at most.
    pub queue: usize,
    /// How long a batch is tried again while the database cannot be reached.
    pub patience: std::time::Duration,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Too much is waiting. Nothing was written.
    #[error("the ledger's queue is full")]
    Full,
    /// The database cannot be written to. Nothing was written.
    #[error("the store cannot be written to: {0}")]
    Unavailable(String),
    /// This write breaks a rule of the schema. Nothing of it was written.
    #[error("the store refused the write: {0}")]
    Rejected(String),
    /// The row to change is not there.
    #[error("no such row")]
    Missing,
    /// It may have been written or not, and could not be found out.
    #[error("whether it was written is not known")]
    InDoubt,
}

/// A new order with its first submission and what the journal says of it.
#[derive(Debug, Clone)]
pub struct NewOrder {
    pub order: order::Model,
    pub submission: submission::Model,
    pub journal: journal::Model,
}

/// What became of a new order.
#[derive(Debug, Clone)]
pub enum Placement {
    New,
    /// The merchant's number is taken, by this order.
    Taken(Box<order::Model>),
}

/// A delivery's next state, and the attempt that led to it. The state is only written while `lease` still
/// holds the delivery; the attempt always is.
#[derive(Debug, Clone)]
pub struct DeliveryMove {
    pub delivery_id: String,
    pub lease: String,
    pub attempt: Option<attempt::Model>,
    pub state: delivery::State,
    /// Of the last attempt.
    pub outcome: Option<String>,
    /// Not worth another attempt once its order is paid.
    pub is_superseded_by_paid: bool,
    pub attempts: i64,
    pub due_at: i64,
    pub ended_at: Option<i64>,
    pub sign_key_id: String,
}

/// What became of a delivery's move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// It was made: the lease was ours still.
    pub is_ours: bool,
    /// The delivery has ended with it, and what waited for that is due.
    pub has_freed: bool,
}

/// Take due deliveries under a lease.
#[derive(Debug, Clone)]
pub struct Claim {
    pub lease: String,
    pub now: i64,
    pub lease_ms: i64,
    /// From which endpoints, and how many at most of each.
    pub shares: Vec<(String, u32)>,
}

/// A delivery that was taken, and its event. None: its event is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub delivery: delivery::Model,
    pub event: Option<Arc<event::Model>>,
}

/// Statements of the directory and of housekeeping. They must be such that running them twice does no harm.
#[derive(Debug, Clone)]
pub enum RowStatement {
    Insert(InsertStatement),
    Update(UpdateStatement),
    Delete(DeleteStatement),
    /// Tell something, unless it was told before, and promise it, while there is this row of `attention`.
    Tell {
        told: Box<Told>,
        matter_id: String,
    },
    /// Promise what was told before to somebody, unless that was promised in the same way.
    Promise(Vec<delivery::Model>),
    /// What comes after it is written only if this changes a row. Once it has, it changes none any more.
    Provided(UpdateStatement),
}

/// Which queue a write waits in; earlier ones go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Money,
    Attempts,
    Bulk,
}

impl Lane {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Money => "money",
            Self::Attempts => "attempts",
            Self::Bulk => "bulk",
        }
    }
}

/// A place in a lane's queue, held before the work that will need it is begun.
pub struct Room(mpsc::OwnedPermit<Write>);

enum Write {
    Place {
        rows: Box<NewOrder>,
        placement: Option<Placement>,
        done: oneshot::Sender<Result<Placement, LedgerError>>,
    },
    Change(Box<dyn Change>),
    Move {
        step: Box<DeliveryMove>,
        moved: Moved,
        done: oneshot::Sender<Result<Moved, LedgerError>>,
    },
    Claim {
        claim: Claim,
        claimed: Vec<Claimed>,
        done: oneshot::Sender<Result<Vec<Claimed>, LedgerError>>,
    },
    Rows {
        statements: Vec<RowStatement>,
        written: u64,
        done: oneshot::Sender<Result<u64, LedgerError>>,
    },
}

#[derive(Clone)]
struct Lanes {
    money: mpsc::Sender<Write>,
    attempts: mpsc::Sender<Write>,
    bulk: mpsc::Sender<Write>,
}

#[derive(Clone)]
pub struct Ledger {
    writers: Arc<Vec<Lanes>>,
    measures: Measures,
    died: watch::Receiver<Option<String>>,
}

/// The writers' tasks.
pub struct Writers {
    ended: Vec<oneshot::Receiver<()>>,
    /// Also when nobody finishes them: a writer must not outlive those who could write.
    closing: DropGuard,
}

impl Writers {
    /// Take no more writes, write out what is queued or has room reserved, and close the connections.
    pub async fn finish(self) {
        drop(self.closing);
        for ended in self.ended {
            // A writer that panicked has already answered nobody; there is nothing left to write.
            let _ = ended.await;
        }
    }
}

impl Ledger {
    /// Connect and start the writers.
    pub async fn start(connector: Connector, settings: Settings) -> anyhow::Result<(Self, Writers)> {
        let (death, died) = watch::channel(None);
        let death = Arc::new(death);
        let closing = CancellationToken::new();
        let measures = Measures::default();
        let mut writers = Vec::new();
        let mut all_ended = Vec::new();
        for _ in 0..settings.writers {
            let (money, money_queue) = mpsc::channel(settings.queue);
            let (attempts, attempts_queue) = mpsc::channel(settings.queue);
            let (bulk, bulk_queue) = mpsc::channel(settings.queue);
            let queues = writer::Queues::new(money_queue, attempts_queue, bulk_queue);
            let writer =
                Writer::connect(connector.clone(), settings, queues, death.clone(), measures.clone()).await?;
            writers.push(Lanes { money, attempts, bulk });
            let (end, ended) = oneshot::channel();
            let closing = closing.clone();
            run_beside(&connector, async move {
                writer.run(closing).await;
                let _ = end.send(()); // nobody may be waiting for it
            });
            all_ended.push(ended);
        }
        Ok((
            Self { writers: Arc::new(writers), measures, died },
            Writers { ended: all_ended, closing: closing.drop_guard() },
        ))
    }

    /// Returns, with the reason, when the store has failed in a way that no longer lets anything be acknowledged.
    pub async fn died(&self) -> String {
        let mut died = self.died.clone();
        match died.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await, // closed in good order
        }
    }

    /// Room for one write about `key` (an order's or a delivery's id: its writes keep their order).
    pub fn room(&self, lane: Lane, key: &str) -> Result<Room, LedgerError> {
        self.sender(lane, key).try_reserve_owned().map(Room).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.measures.refused(lane);
                LedgerError::Full
            }
            mpsc::error::TrySendError::Closed(_) => LedgerError::Unavailable("the ledger has stopped".into()),
        })
    }

    /// The same, but wait for the room. For workers, which have no caller to refuse.
    pub async fn room_when_free(&self, lane: Lane, key: &str) -> Result<Room, LedgerError> {
        let permit = self.sender(lane, key).reserve_owned().await;
        permit.map(Room).map_err(|_| LedgerError::Unavailable("the ledger has stopped".into()))
    }

    pub fn measures(&self) -> &Measures {
        &self.measures
    }

    /// Of each lane, how many places are taken in the writers' queues, and how many are free.
    pub fn lanes_now(&self) -> [(Lane, usize, usize); 3] {
        let of = |lane: Lane, queue: fn(&Lanes) -> &mpsc::Sender<Write>| {
            let free: usize = self.writers.iter().map(|lanes| queue(lanes).capacity()).sum();
            let all: usize = self.writers.iter().map(|lanes| queue(lanes).max_capacity()).sum();
            (lane, all - free, free)
        };
        [
            of(Lane::Money, |lanes| &lanes.money),
            of(Lane::Attempts, |lanes| &lanes.attempts),
            of(Lane::Bulk, |lanes| &lanes.bulk),
        ]
    }

    fn sender(&self, lane: Lane, key: &str) -> mpsc::Sender<Write> {
        let lanes = self.lanes(key);
        match lane {
            Lane::Money => lanes.money.clone(),
            Lane::Attempts => lanes.attempts.clone(),
            Lane::Bulk => lanes.bulk.clone(),
        }
    }

    fn lanes(&self, key: &str) -> &Lanes {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let count = u64::try_from(self.writers.len()).expect("a handful of writers");
        let index = usize::try_from(hasher.finish() % count).expect("less than the number of writers");
        &self.writers[index]
    }
}

impl Room {
    /// Write a new order, or find the one that has its number.
    pub async fn place(self, rows: NewOrder) -> Result<Placement, LedgerError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Write::Place { rows: Box::new(rows), placement: None, done });
        answered(answer).await
    }

    /// Let `decide` look at the order as it stands and write what it says, in one transaction with the look.
    pub async fn change<T: Send + Sync + 'static>(
        self,
        target: Target,
        decide: impl FnMut(&Current<'_>) -> (Changes, T) + Send + Sync + 'static,
    ) -> Result<T, LedgerError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Write::Change(Box::new(Deciding::new(target, decide, done))));
        answered(answer).await
    }

    /// Record an attempt and move its delivery on.
    pub async fn advance(self, step: DeliveryMove) -> Result<Moved, LedgerError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Write::Move { step: Box::new(step), moved: Moved::default(), done });
        answered(answer).await
    }

    pub async fn claim(self, claim: Claim) -> Result<Vec<Claimed>, LedgerError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Write::Claim { claim, claimed: Vec::new(), done });
        answered(answer).await
    }

    /// Rows written or changed.
    pub async fn rows(self, statements: Vec<RowStatement>) -> Result<u64, LedgerError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Write::Rows { statements, written: 0, done });
        answered(answer).await
    }
}

/// A file is written by a thread that may wait for the disk, unless the whole program has one thread only. The runtime
/// waits for it when it ends.
fn run_beside(connector: &Connector, writer: impl Future<Output = ()> + Send + 'static) {
    let runtime = Handle::current();
    match (connector, runtime.runtime_flavor()) {
        (Connector::Sqlite(_), RuntimeFlavor::MultiThread) => {
            drop(tokio::task::spawn_blocking(move || runtime.block_on(writer)));
        }
        _ => drop(runtime.spawn(writer)),
    }
}

/// A writer that vanished without answering leaves its callers in doubt.
async fn answered<T>(answer: oneshot::Receiver<Result<T, LedgerError>>) -> Result<T, LedgerError> {
    answer.await.unwrap_or(Err(LedgerError::InDoubt))
}

impl Write {
    /// The order or the delivery that this write is about, if any: one write for each in a batch.
    fn subject(&self) -> Option<&str> {
        match self {
            Self::Place { rows, .. } => Some(&rows.order.id),
            Self::Change(change) => Some(&change.target().order_id),
            Self::Move { step, .. } => Some(&step.delivery_id),
            Self::Claim { .. } | Self::Rows { .. } => None,
        }
    }

    fn succeed(self) {
        // A caller that stopped waiting has lost nothing: what it asked for stands.
        match self {
            Self::Place { placement, done, .. } => drop(done.send(placement.ok_or(LedgerError::InDoubt))),
            Self::Change(change) => change.finish(Ok(())),
            Self::Move { moved, done, .. } => drop(done.send(Ok(moved))),
            Self::Claim { claimed, done, .. } => drop(done.send(Ok(claimed))),
            Self::Rows { written, done, .. } => drop(done.send(Ok(written))),
        }
    }

    fn fail(self, error: LedgerError) {
        match self {
            Self::Place { done, .. } => drop(done.send(Err(error))),
            Self::Change(change) => change.finish(Err(error)),
            Self::Move { done, .. } => drop(done.send(Err(error))),
            Self::Claim { done, .. } => drop(done.send(Err(error))),
            Self::Rows { done, .. } => drop(done.send(Err(error))),
        }
    }
}

/// Whole rows to insert where no unique rule says they are there.
pub fn insert_rows<E>(rows: &[E::Model]) -> RowStatement
where
    E: sea_orm::EntityTrait,
    E::Model: sea_orm::ModelTrait<Entity = E>,
{
    RowStatement::Insert(statements::insert_new::<E>(rows))
}
