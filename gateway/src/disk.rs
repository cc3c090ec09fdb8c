//! Free space where a SQLite store lies. Creates stop while there is still room to hear of payments.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::store;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Room {
    Enough = 0,
    /// No new orders.
    Low = 1,
    /// No writes at all.
    Out = 2,
}

pub struct Disk {
    /// `None`: the store is a server's, which looks after itself.
    path: Option<PathBuf>,
    low: u64,
    out: u64,
    room: AtomicU8,
    free: AtomicU64,
}

impl Disk {
    /// Bytes free below which creates and then all writes are refused.
    pub fn new(path: Option<PathBuf>, low: u64, out: u64) -> Self {
        let disk =
            Self { path, low, out, room: AtomicU8::new(Room::Enough as u8), free: AtomicU64::new(u64::MAX) };
        disk.look();
        disk
    }

    pub fn is_low(&self) -> bool {
        self.room.load(Ordering::Relaxed) >= Room::Low as u8
    }

    pub fn is_out(&self) -> bool {
        self.room.load(Ordering::Relaxed) == Room::Out as u8
    }

    /// Bytes free at the last look, if they could ever be told.
    pub fn free(&self) -> Option<u64> {
        Some(self.free.load(Ordering::Relaxed)).filter(|free| *free < u64::MAX)
    }

    /// Look how much is free; a change is logged.
    pub fn look(&self) {
        let Some(path) = &self.path else { return };
        let free = match store::free_space(path) {
            Ok(free) => free,
            Err(error) => {
                tracing::warn!(%error, "free disk space cannot be told");
                return;
            }
        };
        self.free.store(free, Ordering::Relaxed);
        let room = room_of(free, self.low, self.out);
        if self.room.swap(room as u8, Ordering::Relaxed) == room as u8 {
            return;
        }
        match room {
            Room::Enough => tracing::info!(free, "disk space suffices; orders are taken"),
            Room::Low => tracing::error!(free, limit = self.low, "disk space is low; new orders are refused"),
            Room::Out => tracing::error!(free, limit = self.out, "disk space is out; nothing is written"),
        }
    }
}

fn room_of(free: u64, low: u64, out: u64) -> Room {
    match free {
        _ if free < out => Room::Out,
        _ if free < low => Room::Low,
        _ => Room::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn creates_stop_before_the_ledger_does() {
        let rooms: Vec<Room> = [99, 100, 199, 200].into_iter().map(|free| room_of(free, 200, 100)).collect();
        assert_eq!(rooms, [Room::Out, Room::Low, Room::Low, Room::Enough]);
    }
}
