//! Endpoints that a replay has left behind: so much of it lies at them that what is next for them waits in the store. Each
//! has a place of its own, and catches up when there is room. So whoever takes nothing stops nobody else's.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::entity::replay;

/// By endpoint: the last delivery that was seen to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Behind(BTreeMap<String, String>);

impl Behind {
    /// As the row has it.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("text serialises")
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// How much of a replay lies at each endpoint, and how much may.
#[derive(Debug)]
pub struct Lying {
    pub by_endpoint: HashMap<String, u64>,
    pub most: u64,
}

impl Lying {
    pub fn is_none(&self) -> bool {
        self.by_endpoint.values().all(|count| *count == 0)
    }

    pub fn more(&mut self, endpoint_id: &str) {
        *self.by_endpoint.entry(endpoint_id.to_owned()).or_default() += 1;
    }

    fn is_full(&self, endpoint_id: &str) -> bool {
        self.at(endpoint_id) >= self.most
    }

    /// Not for every single one that is taken.
    fn has_room_again(&self, endpoint_id: &str) -> bool {
        self.at(endpoint_id) <= self.most / 2
    }

    fn at(&self, endpoint_id: &str) -> u64 {
        self.by_endpoint.get(endpoint_id).copied().unwrap_or(0)
    }
}

/// What is seen to next: originals with ids above `after` and up to `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// One that was left behind; `None`: all that were not.
    pub endpoint: Option<String>,
    pub after: String,
    pub until: String,
    pub behind: Behind,
}

impl Stretch {
    /// Those that were left behind and have room again come first. `None`: there is room for nothing.
    pub fn next(row: &replay::Model, mut behind: Behind, lying: &Lying) -> Option<Self> {
        let catching_up = behind.0.iter().find(|(endpoint_id, _)| lying.has_room_again(endpoint_id));
        if let Some((endpoint_id, after)) = catching_up {
            let (endpoint, after) = (Some(endpoint_id.clone()), after.clone());
            return Some(Self { endpoint, after, until: row.after_id.clone(), behind });
        }
        if row.after_id == row.until_id {
            return None;
        }
        for endpoint_id in lying.by_endpoint.keys().filter(|endpoint_id| lying.is_full(endpoint_id)) {
            behind.0.entry(endpoint_id.clone()).or_insert_with(|| row.after_id.clone());
        }
        Some(Self { endpoint: None, after: row.after_id.clone(), until: row.until_id.clone(), behind })
    }

    /// The row's places once it is seen to up to `last`, or to its end.
    pub fn seen(&self, row: &mut replay::Model, last: Option<&str>) {
        let mut behind = self.behind.clone();
        match (&self.endpoint, last) {
            (Some(endpoint_id), Some(last)) => {
                behind.0.insert(endpoint_id.clone(), last.to_owned());
            }
            (Some(endpoint_id), None) => drop(behind.0.remove(endpoint_id)),
            (None, last) => last.unwrap_or(&self.until).clone_into(&mut row.after_id),
        }
        row.behind = behind.text();
        row.is_through = row.after_id == row.until_id && behind.is_empty();
    }
}
