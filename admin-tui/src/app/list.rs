//! Rows that were read, bounded, and the one that commands are about.

use serde::Serialize;

use crate::client::Page;

/// Rows that one screen holds at most.
pub const MAX_ROWS: usize = 10_000;
/// Rows of a screen that changes by itself. Beyond them the oldest go; they are read again with `r`.
pub const MAX_LIVE_ROWS: usize = 1_000;

#[derive(Debug)]
pub struct List<T> {
    pub rows: Vec<T>,
    /// Path and query of where it goes on.
    pub next: Option<String>,
    pub selected: usize,
    /// Whether older pages were read: then the list is not read anew by itself.
    pub has_older: bool,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), next: None, selected: 0, has_older: false }
    }
}

/// What a row is known by.
pub trait Row: Serialize {
    fn id(&self) -> &str;
}

impl<T: Row> List<T> {
    /// The newest of the list; the selection stays with its row.
    pub fn replace(&mut self, page: Page<T>) {
        let selected = self.rows.get(self.selected).map(|row| row.id().to_owned());
        (self.rows, self.next, self.has_older) = (page.rows, page.next, false);
        self.select_again(selected);
    }

    /// Select the row of this id; where it has gone, the one in its place.
    pub fn select_again(&mut self, selected: Option<String>) {
        let found = selected.and_then(|selected| self.rows.iter().position(|row| row.id() == selected));
        self.selected = found.unwrap_or(self.selected).min(self.rows.len().saturating_sub(1));
    }

    pub fn take_in(&mut self, page: Page<T>, is_more: bool) {
        if is_more {
            self.rows.extend(page.rows);
            (self.next, self.has_older) = (page.next, true);
        } else {
            self.replace(page);
        }
    }

    /// A row that came or changed, by the stream; a new one comes first. One that no longer belongs here goes. The
    /// selection stays with its row.
    pub fn put(&mut self, row: T, belongs: bool, is_new: impl Fn(&T) -> bool) {
        match (self.rows.iter().position(|one| one.id() == row.id()), belongs) {
            (Some(at), true) => self.rows[at] = row,
            (Some(at), false) => {
                self.rows.remove(at);
                if at < self.selected || self.selected == self.rows.len() {
                    self.selected = self.selected.saturating_sub(1);
                }
            }
            // A change of a row that is on a page further back is seen there.
            (None, true) if self.next.is_none() || self.rows.last().is_none_or(is_new) => {
                self.selected += usize::from(!self.rows.is_empty());
                self.rows.insert(0, row);
                self.forget_oldest();
            }
            (None, _) => {}
        }
    }

    /// Pages that were read further back stay; what came by itself is bounded.
    fn forget_oldest(&mut self) {
        let most = if self.has_older { MAX_ROWS } else { MAX_LIVE_ROWS };
        if self.rows.len() > most {
            self.rows.truncate(most);
            self.selected = self.selected.min(most - 1);
            // It would go on behind rows that are gone.
            self.next = None;
        }
    }
}

/// A list whatever its rows are.
pub trait Listed {
    fn count(&self) -> usize;
    fn selected(&self) -> usize;
    fn select(&mut self, row: usize);
    fn next(&self) -> Option<&String>;
    fn has_older(&self) -> bool;
    fn selected_id(&self) -> Option<&str>;
    fn id_at(&self, row: usize) -> Option<&str>;
    /// A line of JSON for each row.
    fn ndjson(&self) -> String;
}

impl<T: Row> Listed for List<T> {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn selected(&self) -> usize {
        self.selected
    }

    fn select(&mut self, row: usize) {
        self.selected = row;
    }

    fn next(&self) -> Option<&String> {
        self.next.as_ref()
    }

    fn has_older(&self) -> bool {
        self.has_older
    }

    fn selected_id(&self) -> Option<&str> {
        self.rows.get(self.selected).map(Row::id)
    }

    fn id_at(&self, row: usize) -> Option<&str> {
        self.rows.get(row).map(Row::id)
    }

    fn ndjson(&self) -> String {
        let line = |row| serde_json::to_string(row).expect("what was read as JSON is written as JSON");
        self.rows.iter().map(|row| line(row) + "\n").collect()
    }
}

macro_rules! rows {
    ($($type:ident: $id:ident),*) => {
        $(impl Row for shared::ops::$type {
            fn id(&self) -> &str {
                &self.$id
            }
        })*
    };
}

rows!(OrderRow: id, Delivery: id, Endpoint: id, Replay: id, Matter: id, Merchant: id, Platform: id, Change: id, Operator: name);
