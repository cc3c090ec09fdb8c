//! Requests whose signature failed, kept for a day for the merchant they claimed to be of: in memory only, so that
//! what a stranger sends never costs a write.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Requests kept per merchant.
pub const PER_MERCHANT: usize = 20;
/// Bytes kept of each.
pub const KEPT_BYTES: usize = 8 * 1024;
/// How long each is kept.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// Bytes kept in all; beyond it the oldest go first, whosesoever they are.
pub const KEPT_IN_ALL: usize = 32 * 1024 * 1024;
/// What a kept request costs beside its bytes, about.
const OVERHEAD: usize = 256;

/// A request that did not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    /// As sent, up to [`KEPT_BYTES`], with asterisks in the place of sign keys.
    pub document: Bytes,
    /// Of what was sent.
    pub length: usize,
    /// A sign key stood in it.
    pub held_key: bool,
}

impl Failure {
    /// Whether all of it was kept, as it was: only then can it be looked into.
    pub fn is_whole(&self) -> bool {
        self.document.len() == self.length && !self.held_key
    }

    fn cost(&self) -> usize {
        self.document.len() + OVERHEAD
    }
}

#[derive(Default)]
pub struct Failures(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By merchant, oldest first, each with its place in `order`.
    merchants: HashMap<String, VecDeque<(u64, Failure)>>,
    /// Everybody's, oldest first.
    order: BTreeMap<u64, String>,
    next: u64,
    bytes: usize,
}

impl Failures {
    /// Keep `document` for a merchant. `keys` must not be kept with it.
    pub fn keep(&self, merchant_id: &str, id: String, at: i64, document: &[u8], keys: [&str; 2]) {
        let length = document.len();
        let start = &document[..length.min(KEPT_BYTES)];
        let (document, held_key) = blotted(start, keys);
        let failure = Failure { id, at, document, length, held_key };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(merchant_id, failure);
    }

    /// A merchant's own, newest first.
    pub fn of(&self, merchant_id: &str, now: i64) -> Vec<Failure> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.forget(now);
        let failures = kept.merchants.get(merchant_id).into_iter().flatten();
        failures.rev().map(|(_, failure)| failure.clone()).collect()
    }
}

impl Kept {
    fn add(&mut self, merchant_id: &str, failure: Failure) {
        self.forget(failure.at);
        self.bytes += failure.cost();
        self.order.insert(self.next, merchant_id.to_owned());
        let own = self.merchants.entry(merchant_id.to_owned()).or_default();
        own.push_back((self.next, failure));
        self.next += 1;
        if own.len() > PER_MERCHANT {
            let oldest = own[0].0;
            self.remove(oldest);
        }
        while self.bytes > KEPT_IN_ALL && self.remove_oldest() {}
    }

    /// Drop what is too old.
    fn forget(&mut self, now: i64) {
        while let Some((place, merchant_id)) = self.order.first_key_value() {
            let oldest = self.merchants.get(merchant_id).and_then(|own| own.front());
            if oldest.is_some_and(|(_, failure)| now - failure.at < KEPT_MS) {
                return;
            }
            let place = *place;
            self.remove(place);
        }
    }

    fn remove_oldest(&mut self) -> bool {
        let oldest = self.order.first_key_value().map(|(place, _)| *place);
        oldest.map(|place| self.remove(place)).is_some()
    }

    /// `place` is always a merchant's oldest.
    fn remove(&mut self, place: u64) {
        let Some(merchant_id) = self.order.remove(&place) else { return };
        let Some(own) = self.merchants.get_mut(&merchant_id) else { return };
        if let Some((_, failure)) = own.pop_front() {
            self.bytes -= failure.cost();
        }
        if own.is_empty() {
            self.merchants.remove(&merchant_id);
        }
    }
}

/// `text` with asterisks for `keys`, and whether there were any.
fn blotted(text: &[u8], keys: [&str; 2]) -> (Bytes, bool) {
    let mut text = text.to_vec();
    let mut found = false;
    for key in keys.iter().map(|key| key.as_bytes()).filter(|key| !key.is_empty()) {
        let mut from = 0;
        while let Some(at) = text[from..].windows(key.len()).position(|window| window == key) {
            text[from + at..from + at + key.len()].fill(b'*');
            from += at + key.len();
            found = true;
        }
    }
    (text.into(), found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 2] = ["first-key", "second-key"];

    fn keep(failures: &Failures, merchant: &str, at: i64, document: &[u8]) {
        failures.keep(merchant, format!("{merchant}-{at}"), at, document, KEYS);
    }

    fn bytes(failures: &Failures) -> usize {
        failures.0.lock().expect("nobody panicked").bytes
    }

    #[test]
    fn the_last_twenty_of_each_merchant_are_kept_and_nobody_sees_anothers() {
        let failures = Failures::default();
        keep(&failures, "other", 0, b"theirs");
        for at in 0..=20 {
            keep(&failures, "own", at, b"x");
        }
        let own = failures.of("own", 20);
        assert_eq!(own.len(), PER_MERCHANT);
        assert_eq!((own[0].at, own[PER_MERCHANT - 1].at), (20, 1), "newest first, the oldest is gone");
        assert_eq!(failures.of("other", 20).len(), 1);
        assert_eq!(failures.of("nobody", 20), []);
    }

    #[test]
    fn each_is_kept_for_a_day_and_up_to_eight_kilobytes() {
        let failures = Failures::default();
        keep(&failures, "own", 0, &vec![b'x'; KEPT_BYTES]);
        keep(&failures, "own", 1, &vec![b'x'; KEPT_BYTES + 1]);
        let own = failures.of("own", KEPT_MS - 1);
        assert_eq!(own.iter().map(Failure::is_whole).collect::<Vec<_>>(), [false, true]);
        assert_eq!((own[0].document.len(), own[0].length), (KEPT_BYTES, KEPT_BYTES + 1));
        assert_eq!(failures.of("own", KEPT_MS).len(), 1);
        assert_eq!(failures.of("own", KEPT_MS + 1), []);
        assert_eq!(bytes(&failures), 0);
    }

    #[test]
    fn all_together_stay_within_the_limit_and_the_oldest_go_first() {
        let failures = Failures::default();
        let fit = KEPT_IN_ALL / (KEPT_BYTES + OVERHEAD);
        for n in 0..=fit {
            keep(&failures, &n.to_string(), 0, &vec![b'x'; KEPT_BYTES]);
        }
        assert!(bytes(&failures) <= KEPT_IN_ALL && bytes(&failures) + KEPT_BYTES + OVERHEAD > KEPT_IN_ALL);
        assert_eq!(failures.of("0", 0), []);
        assert_eq!(failures.of("1", 0).len(), 1);
    }

    #[test]
    fn a_key_in_a_request_is_not_kept() {
        let failures = Failures::default();
        keep(&failures, "own", 0, b"first-key and second-key, first-key");
        let own = failures.of("own", 0);
        assert_eq!(own[0].document.as_ref(), b"********* and **********, *********");
        assert!(own[0].held_key && !own[0].is_whole());
    }
}
