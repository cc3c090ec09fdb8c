//! The stream of changes that consoles listen to. One task reads what has changed from the store, a few times a second
//! and only while somebody listens, and gives it to all who do. What has changed is what the journals of orders and the
//! attempts of deliveries say since the last look; so nothing is written for it, other nodes' changes are in it, and who
//! comes back after a break goes on where it stopped.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use shared::ops::Live;
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::rows;
use crate::app::App;
use crate::attention::list;
use crate::deliveries::replay;
use crate::entity::{self, attempt, attention, delivery, journal, order};

/// Between two looks.
const TICK: Duration = Duration::from_millis(500);
/// A transaction may be committed so much later than its ids say.
const OVERLAP_MS: i64 = 3_000;
/// Entries looked at in one look; beyond that who listens is told of a gap.
const MOST_ENTRIES: u64 = 20_000;
/// Orders, and deliveries, that are told of in one look; the same.
const MOST_ROWS: usize = 2_000;
/// Rows read in one statement.
const CHUNK: usize = 500;
/// Looks that a slow listener may be behind.
const BEHIND: usize = 32;

/// Those who listen.
pub struct Hub {
    told: broadcast::Sender<Arc<Vec<Change>>>,
    listening: AtomicUsize,
    wake: Notify,
}

impl Default for Hub {
    fn default() -> Self {
        Self { told: broadcast::Sender::new(BEHIND), listening: AtomicUsize::new(0), wake: Notify::new() }
    }
}

/// One change, whose platform's it is, and where in the stream it is.
#[derive(Debug, Clone)]
pub struct Change {
    /// Who goes on behind this misses nothing.
    pub id: String,
    /// Empty: everybody's.
    pub platform_id: String,
    pub live: Live,
}

/// A place among those who listen.
pub struct Listener {
    app: Arc<App>,
    told: broadcast::Receiver<Arc<Vec<Change>>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.app.hub.listening.fetch_sub(1, Ordering::Relaxed);
    }
}

pub fn listen(app: &Arc<App>) -> Listener {
    let told = app.hub.told.subscribe();
    app.hub.listening.fetch_add(1, Ordering::Relaxed);
    app.hub.wake.notify_one();
    Listener { app: app.clone(), told }
}

impl Listener {
    /// The next changes; `None`: some were missed. Ends with the program.
    pub async fn next(&mut self) -> Option<Arc<Vec<Change>>> {
        loop {
            match self.told.recv().await {
                Ok(changes) => return Some(changes),
                Err(broadcast::error::RecvError::Lagged(_)) => return None,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// What has happened since then: Unix milliseconds.
pub async fn since(app: &App, at: i64) -> Result<Vec<Change>, DbErr> {
    let mut look = Look { seen: HashSet::new(), from: at };
    look.changes(app).await
}

/// When a change of the stream came to be.
pub fn time_of(id: &str) -> Option<i64> {
    let id = Ulid::from_string(id).ok()?;
    i64::try_from(id.timestamp_ms()).ok()
}

/// Look again and again, while somebody listens.
pub async fn follow(app: Arc<App>, stop: CancellationToken) {
    let mut look = Look::starting(app.clock.now_ms());
    loop {
        let is_heard = app.hub.listening.load(Ordering::Relaxed) > 0;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK), if is_heard => {}
            () = app.hub.wake.notified(), if !is_heard => look = Look::starting(app.clock.now_ms()),
        }
        match look.changes(&app).await {
            Ok(changes) if changes.is_empty() => {}
            // Nobody listens any more.
            Ok(changes) => drop(app.hub.told.send(Arc::new(changes))),
            Err(error) => tracing::warn!(%error, "changes could not be read for the consoles"),
        }
    }
}

/// How far was looked.
struct Look {
    /// Entries and attempts that were told of and may be met again.
    seen: HashSet<String>,
    /// Unix milliseconds.
    from: i64,
}

impl Look {
    fn starting(now: i64) -> Self {
        Self { seen: HashSet::new(), from: now }
    }

    async fn changes(&mut self, app: &App) -> Result<Vec<Change>, DbErr> {
        let now = app.clock.now_ms();
        let behind = id_at(self.from - OVERLAP_MS);
        let (from, id) = (self.from, id_at(now));
        let orders: Vec<(String, String)> = journal::Entity::find()
            .select_only()
            .columns([journal::Column::Id, journal::Column::OrderId])
            .filter(journal::Column::Id.gt(behind.as_str()))
            .order_by_asc(journal::Column::Id)
            .limit(MOST_ENTRIES)
            .into_tuple()
            .all(&app.store.read)
            .await?;
        let attempts: Vec<(String, String)> = attempt::Entity::find()
            .select_only()
            .columns([attempt::Column::Id, attempt::Column::DeliveryId])
            .filter(attempt::Column::Id.gt(behind.as_str()))
            .order_by_asc(attempt::Column::Id)
            .limit(MOST_ENTRIES)
            .into_tuple()
            .all(&app.store.read)
            .await?;
        let too_many = [orders.len(), attempts.len()].iter().any(|count| *count as u64 == MOST_ENTRIES);
        let (new_orders, new_deliveries) = (self.not_met(&orders), self.not_met(&attempts));
        let mut changes = Vec::new();
        if too_many || new_orders.len() > MOST_ROWS || new_deliveries.len() > MOST_ROWS {
            changes.push(Change { id: id.clone(), platform_id: String::new(), live: Live::Gap });
        } else {
            self.orders(app, &new_orders, &id, &mut changes).await?;
            self.deliveries(app, &new_deliveries, &id, &mut changes).await?;
        }
        self.matters(app, &behind, &id, &mut changes).await?;
        replays(app, from, &id, &mut changes).await?;
        // What is behind the next look's beginning is not met again.
        let forgotten = id_at(now - 2 * OVERLAP_MS);
        self.seen.retain(|seen| *seen >= forgotten);
        self.from = now;
        Ok(changes)
    }

    /// Of what the entries are about, each once, if there is an entry that was not met before.
    fn not_met(&mut self, entries: &[(String, String)]) -> Vec<String> {
        let mut subjects = BTreeSet::new();
        for (entry, subject) in entries {
            if self.seen.insert(entry.clone()) {
                subjects.insert(subject.clone());
            }
        }
        subjects.into_iter().collect()
    }

    async fn orders(
        &self,
        app: &App,
        ids: &[String],
        at: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(), DbErr> {
        for ids in ids.chunks(CHUNK) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let found = order::Entity::by_ids_across_tenants(&ids).all(&app.store.read).await?;
            changes.extend(found.iter().map(|row| Change {
                id: at.to_owned(),
                platform_id: row.platform_id.clone(),
                live: Live::Order(rows::order(app, row)),
            }));
        }
        Ok(())
    }

    async fn deliveries(
        &self,
        app: &App,
        ids: &[String],
        at: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(), DbErr> {
        for ids in ids.chunks(CHUNK) {
            let ids = ids.iter().map(String::as_str);
            let found =
                delivery::Entity::find().filter(delivery::Column::Id.is_in(ids)).all(&app.store.read).await?;
            let shown = rows::deliveries(app, &found).await?;
            changes.extend(found.iter().zip(shown).map(|(row, shown)| Change {
                id: at.to_owned(),
                platform_id: row.platform_id.clone(),
                live: Live::Delivery(shown),
            }));
        }
        Ok(())
    }

    async fn matters(
        &mut self,
        app: &App,
        behind: &str,
        at: &str,
        changes: &mut Vec<Change>,
    ) -> Result<(), DbErr> {
        let waiting = attention::Entity::waiting().filter(attention::Column::Id.gt(behind));
        let found = waiting.limit(MOST_ROWS as u64).all(&app.store.read).await?;
        let new: Vec<attention::Model> =
            found.into_iter().filter(|row| self.seen.insert(row.id.clone())).collect();
        for matter in list::shown(app, new).await.unwrap_or_default() {
            let platform_id = matter.row.platform_id.clone();
            changes.push(Change { id: at.to_owned(), platform_id, live: Live::Matter(rows::matter(matter)) });
        }
        Ok(())
    }
}

/// Those that are under way, and those that have just ended.
async fn replays(app: &App, from: i64, at: &str, changes: &mut Vec<Change>) -> Result<(), DbErr> {
    let running = entity::replay::Column::State.eq(replay::State::Running);
    let ended = entity::replay::Column::EndedAt.gte(from - OVERLAP_MS);
    let found = entity::replay::Entity::find()
        .filter(running.or(ended))
        .order_by_desc(entity::replay::Column::Id)
        .limit(CHUNK as u64)
        .all(&app.store.read)
        .await?;
    for row in found {
        let progress = replay::progress(app, &row).await?;
        let platform_id = row.platform_id.clone().unwrap_or_default();
        changes.push(Change {
            id: at.to_owned(),
            platform_id,
            live: Live::Replay(rows::replay(&row, &progress)),
        });
    }
    Ok(())
}

fn id_at(ms: i64) -> String {
    Ulid::from_parts(u64::try_from(ms).unwrap_or(0), 0).to_string()
}
