//! When a key was last used: noted in memory at each use, written once a minute at most.

use std::sync::atomic::{AtomicI64, Ordering};

/// A use is written when it is this much later than the one that is written.
const RESOLUTION_MS: i64 = 60_000;

/// Unix milliseconds; 0: never.
#[derive(Debug, Default)]
pub struct LastUse {
    at: AtomicI64,
    written_at: AtomicI64,
}

impl LastUse {
    pub fn new(written_at: Option<i64>) -> Self {
        let written_at = written_at.unwrap_or_default();
        Self { at: AtomicI64::new(written_at), written_at: AtomicI64::new(written_at) }
    }

    pub fn note(&self, now: i64) {
        self.at.fetch_max(now, Ordering::Relaxed);
    }

    pub fn at(&self) -> i64 {
        self.at.load(Ordering::Relaxed)
    }

    /// When it was last used, where that has to be written by now.
    pub fn to_write(&self) -> Option<i64> {
        let used_at = self.at.load(Ordering::Relaxed);
        let is_due = used_at >= self.written_at.load(Ordering::Relaxed) + RESOLUTION_MS;
        is_due.then_some(used_at)
    }

    pub fn wrote(&self, used_at: i64) {
        self.written_at.fetch_max(used_at, Ordering::Relaxed);
    }

    /// Keep what this process knows when the key is loaded anew.
    pub fn take_over(&self, before: &Self) {
        self.note(before.at.load(Ordering::Relaxed));
        self.wrote(before.written_at.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_once_a_minute() {
        let last_use = LastUse::default();
        last_use.note(RESOLUTION_MS - 1);
        assert_eq!(last_use.to_write(), None);
        last_use.note(RESOLUTION_MS);
        assert_eq!(last_use.to_write(), Some(RESOLUTION_MS));
        last_use.wrote(RESOLUTION_MS);
        assert_eq!(last_use.to_write(), None);
        last_use.note(RESOLUTION_MS - 1);
        assert_eq!(last_use.to_write(), None, "an older use changes nothing");
    }
}
