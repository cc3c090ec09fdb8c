//! Whether a verified request is of now, and whether its message id was used before for something else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use redis::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::redis::Redis;

/// Ids remembered at most; the oldest are forgotten first. 64 bytes each.
const REMEMBERED: usize = 200_000;

/// Why a request is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    Missing,
    Unreadable,
    /// Off by more than the window, in whole seconds.
    Off(u64),
}

/// Whether `said` is within `window` of `now`.
pub fn check(said: Option<&str>, now: OffsetDateTime, window: Duration) -> Result<(), Stale> {
    let said = said.ok_or(Stale::Missing)?;
    let said = OffsetDateTime::parse(said, &Rfc3339).map_err(|_| Stale::Unreadable)?;
    let off = (now - said).unsigned_abs();
    if off > window { Err(Stale::Off(off.as_secs())) } else { Ok(()) }
}

/// A request's message id, by its merchant, and what it came with.
pub struct Message {
    id: [u8; 16],
    digest: [u8; 16],
    /// How long it must be remembered: it is fresh for a window before its time and one after.
    memory: Duration,
}

impl Message {
    /// `signed` is the signed text; `window` is how old or new it may be.
    pub fn new(merchant_id: &str, message_id: &str, signed: &str, window: Duration) -> Self {
        Self {
            id: half(&[merchant_id, "\n", message_id]),
            digest: half(&[signed]),
            memory: window.saturating_mul(2),
        }
    }
}

/// Whether another node has seen this message id with other bytes; from now on all have seen it with these. Where
/// Redis does not answer, nothing is known of other nodes.
pub async fn seen_elsewhere(redis: &Redis, platform_id: &str, message: &Message) -> bool {
    let key = redis.key(platform_id, &format!("message:{}", HEXLOWER.encode(&message.id)));
    let ours = message.digest;
    let memory = u64::try_from(message.memory.as_millis()).unwrap_or(u64::MAX).max(1);
    let kept: Option<(Value, Option<Vec<u8>>)> = redis
        .ask(|mut connection| async move {
            let mut both = redis::pipe();
            both.cmd("SET").arg(&key).arg(&ours[..]).arg("NX").arg("PX").arg(memory);
            both.cmd("GET").arg(&key);
            both.query_async(&mut connection).await
        })
        .await;
    kept.and_then(|(_, theirs)| theirs).is_some_and(|theirs| theirs != ours)
}

/// Message ids seen lately, with a digest of the bytes they came with.
#[derive(Default)]
pub struct SeenIds(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    digests: HashMap<[u8; 16], [u8; 16]>,
    /// Ids in the order they came, each with the last millisecond at which its request could still be fresh.
    order: VecDeque<([u8; 16], i64)>,
}

impl SeenIds {
    /// Whether the message id may be used with these bytes: it is new, or came with the same ones.
    pub fn admits(&self, message: &Message, now: i64) -> bool {
        let Message { id, digest, memory } = message;
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Windows differ between merchants: each id is kept by its own merchant's.
        while let Some((old, until)) = seen.order.front().copied() {
            if now <= until && seen.order.len() < REMEMBERED {
                break;
            }
            seen.order.pop_front();
            seen.digests.remove(&old);
        }
        if let Some(known) = seen.digests.get(id) {
            return known == digest;
        }
        let memory = i64::try_from(memory.as_millis()).unwrap_or(i64::MAX / 4);
        seen.digests.insert(*id, *digest);
        seen.order.push_back((*id, now.saturating_add(memory)));
        true
    }
}

fn half(parts: &[&str]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    *digest.first_chunk().expect("32 bytes begin with 16")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(15);

    impl SeenIds {
        fn admit(&self, merchant: &str, id: &str, signed: &str, now: i64, window: Duration) -> bool {
            self.admits(&Message::new(merchant, id, signed, window), now)
        }
    }

    #[test]
    fn a_request_of_now_is_fresh_up_to_the_window_on_both_sides() {
        let now = OffsetDateTime::parse("2018-07-25T18:06:05+08:00", &Rfc3339).expect("a time");
        let check = |said| check(said, now, WINDOW);
        assert_eq!(check(Some("2018-07-25T10:06:05Z")), Ok(()));
        assert_eq!(check(Some("2018-07-25T18:21:05+08:00")), Ok(()));
        assert_eq!(check(Some("2018-07-25T17:51:05+08:00")), Ok(()));
        assert_eq!(check(Some("2018-07-25T18:21:06+08:00")), Err(Stale::Off(901)));
        assert_eq!(check(Some("2018-07-25T17:51:04+08:00")), Err(Stale::Off(901)));
        assert_eq!(check(Some("2018-07-25 18:06:05")), Err(Stale::Unreadable));
        assert_eq!(check(None), Err(Stale::Missing));
    }

    #[test]
    fn an_id_comes_again_only_with_the_same_bytes_and_is_forgotten_in_time() {
        let seen = SeenIds::default();
        assert!(seen.admit("m1", "a", "one", 0, WINDOW));
        assert!(seen.admit("m1", "a", "one", 1, WINDOW));
        assert!(!seen.admit("m1", "a", "two", 2, WINDOW));
        assert!(seen.admit("m2", "a", "two", 3, WINDOW), "another merchant's ids are its own");
        assert!(
            !seen.admit("m1", "a", "two", 2 * 900_000, WINDOW),
            "sent by a clock that is ahead, it is still fresh"
        );
        assert!(seen.admit("m1", "a", "two", 2 * 900_000 + 1, WINDOW));
    }

    #[test]
    fn one_merchants_short_window_does_not_make_anothers_ids_forgotten() {
        let seen = SeenIds::default();
        assert!(seen.admit("m1", "a", "one", 0, WINDOW));
        assert!(seen.admit("m2", "b", "one", 60_000, Duration::from_secs(1)));
        assert!(!seen.admit("m1", "a", "two", 60_001, WINDOW));
    }

    #[test]
    fn no_more_ids_are_remembered_than_the_limit() {
        let seen = SeenIds::default();
        for n in 0..=REMEMBERED {
            assert!(seen.admit("m1", &n.to_string(), "one", 0, WINDOW));
        }
        let (digests, order) = {
            let seen = seen.0.lock().expect("nobody panicked");
            (seen.digests.len(), seen.order.len())
        };
        assert_eq!((digests, order), (REMEMBERED, REMEMBERED));
        assert!(seen.admit("m1", "0", "two", 0, WINDOW), "the oldest was forgotten");
        assert!(!seen.admit("m1", &REMEMBERED.to_string(), "two", 0, WINDOW));
    }
}
