//! The stream of changes as the state knows it, and what waits while the view is held still.

use std::collections::BTreeMap;

use shared::ops::Live;

use crate::event::{Loaded, Opened};

/// Changes that wait at most; with more, the list is read anew instead.
const MAX_HELD: usize = 10_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StreamState {
    /// This screen is not fed by it, or the server has none: it is read again and again.
    #[default]
    Off,
    /// Asked for; no word yet.
    Opening,
    Open,
    /// Broken off; it is asked for again, from where it was.
    Broken,
}

#[derive(Debug, Default)]
pub struct Stream {
    /// How many were asked for: words of an earlier one are passed over.
    pub number: u64,
    pub state: StreamState,
    /// It has missed something: the list is read anew.
    pub is_stale: bool,
}

#[derive(Default)]
pub struct Held {
    pub page: Option<Loaded>,
    pub opened: Option<Opened>,
    /// The last change of each row, by its kind and id.
    pub changes: BTreeMap<(u8, String), Live>,
    /// There were more than are held, or the stream has missed some.
    pub is_incomplete: bool,
}

impl Held {
    pub fn put(&mut self, change: Live) {
        let key = match &change {
            Live::Order(row) => (0, row.id.clone()),
            Live::Delivery(row) => (1, row.id.clone()),
            Live::Replay(row) => (2, row.id.clone()),
            Live::Matter(row) => (3, row.id.clone()),
            Live::Gap => {
                self.is_incomplete = true;
                return;
            }
        };
        if self.changes.len() < MAX_HELD || self.changes.contains_key(&key) {
            self.changes.insert(key, change);
        } else {
            self.is_incomplete = true;
        }
    }
}
