//! The file in which a sandbox keeps its state, if it is asked to: the partners with their keys, and the orders with
//! their payments and refunds. Written whole, beside, and renamed, half a second after a change and when the sandbox
//! stops: a reader, or a crash, never meets half a file. What waits or counts (faults, notices under way, violations,
//! requests seen) is not kept.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::accounts::Account;
use crate::directory::Partner;
use crate::orders::Order;
use crate::state::State;

/// Of the file's form.
const VERSION: u32 = 1;

/// Changes gather for so long before the file is written.
const GATHER: Duration = Duration::from_millis(500);

#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    partners: Vec<Account>,
    /// Oldest first.
    orders: Vec<Order>,
}

/// The file, which no other sandbox writes until this is closed.
pub(crate) struct Keeper {
    path: PathBuf,
    /// Locked; `None` once closed.
    lock: Mutex<Option<File>>,
}

/// The partners of a state file; `None` where there is none.
pub fn partners(path: &Path) -> anyhow::Result<Option<Vec<Partner>>> {
    let Some(kept) = read(path)? else { return Ok(None) };
    let partners = kept.partners.into_iter().map(Account::into_partner).collect::<anyhow::Result<_>>();
    partners.map(Some).with_context(|| unreadable(path))
}

impl Keeper {
    /// Take the file, and give the orders it has.
    pub(crate) fn open(path: &Path) -> anyhow::Result<(Self, Vec<Order>)> {
        let lock_path = beside(path, "lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .with_context(|| format!("the state file {} cannot be written", path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "the state file {} is another sandbox's, which runs; give this one its own",
                    path.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", lock_path.display()));
            }
        }
        let orders = read(path)?.map(|kept| kept.orders).unwrap_or_default();
        Ok((Self { path: path.to_owned(), lock: Mutex::new(Some(lock)) }, orders))
    }

    /// Write down how things stand. One writes at a time, and the later one what is newer.
    pub(crate) fn write(&self, state: &State) -> anyhow::Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() { self.put(state) } else { Ok(()) }
    }

    /// The last word; from here on the file may be another sandbox's.
    pub(crate) fn close(&self, state: &State) -> anyhow::Result<()> {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        match lock.take() {
            Some(_held) => self.put(state),
            None => Ok(()),
        }
    }

    fn put(&self, state: &State) -> anyhow::Result<()> {
        let partners = state.directory.all().iter().map(|partner| Account::of(partner)).collect();
        let kept = Kept { version: VERSION, partners, orders: state.orders.all() };
        let text = serde_json::to_vec(&kept)?;
        let new = beside(&self.path, "new");
        let written = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&new, &self.path)
        };
        written().with_context(|| format!("the state file {} cannot be written", self.path.display()))
    }
}

/// Write what changes, until the sandbox stops; the last word is the stop's own.
pub(crate) async fn keep(state: Arc<State>, keeper: Arc<Keeper>) {
    let mut changes = state.orders.changes();
    while changes.changed().await.is_ok() {
        tokio::time::sleep(GATHER).await;
        changes.mark_unchanged();
        let (state, keeper) = (Arc::clone(&state), Arc::clone(&keeper));
        let written = tokio::task::spawn_blocking(move || keeper.write(&state)).await;
        if let Ok(Err(error)) = written {
            tracing::error!("{error:#}");
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Option<Kept>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    // Its errors would repeat values, and the file has keys.
    let kept: Kept = serde_json::from_slice(&text)
        .map_err(|error| anyhow::anyhow!("line {}, column {}", error.line(), error.column()))
        .with_context(|| unreadable(path))?;
    ensure!(kept.version == VERSION, "{}: it has version {}, not {VERSION}", unreadable(path), kept.version);
    Ok(Some(kept))
}

fn unreadable(path: &Path) -> String {
    format!("{} is no state file of a sandbox; begin anew with --fresh", path.display())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
