//! Passwords: what may be one, and hashing and checking them (argon2id), which takes a processor and 19 MiB for a
//! while and so is done off the runtime's threads and for few at a time.

use std::sync::Arc;

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::chance;

/// In characters.
pub const SHORTEST: usize = 12;
/// In bytes; a longer one would only cost time.
pub const LONGEST: usize = 256;

/// Passwords under work at one time.
const AT_ONCE: usize = 2;
/// Callers under work or waiting at one time; one more is sent away.
const WAITING: usize = 32;

/// What nobody's password is checked against, so that a name that nobody has costs the same time.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2NhbmdhdGUgbm9ib2R5IQ$Gvdxyk4zTPUv1pgXGyYVR8xXqkkjOi2vXBYLzeWqJ3M";

pub struct Passwords {
    waiting: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { waiting: Arc::new(Semaphore::new(WAITING)), at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// The right to work on passwords, one at a time.
pub struct Place {
    _waiting: OwnedSemaphorePermit,
    _at_once: OwnedSemaphorePermit,
}

impl Passwords {
    /// Wait for a place; `None` where too many wait already.
    pub async fn place(&self) -> Option<Place> {
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().ok()?;
        let at_once = Arc::clone(&self.at_once).acquire_owned().await.expect("the semaphore is never closed");
        Some(Place { _waiting: waiting, _at_once: at_once })
    }
}

impl Place {
    pub async fn hash(&self, password: Zeroizing<String>) -> anyhow::Result<String> {
        let salt = chance::bytes::<16>();
        let hashing = tokio::task::spawn_blocking(move || {
            Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
        });
        hashing.await?.map_err(|error| anyhow::anyhow!("hashing a password: {error}"))
    }

    /// Whether `password` is the one of `hash`; `None` takes as long and is never right.
    pub async fn verifies(&self, password: Zeroizing<String>, hash: Option<String>) -> anyhow::Result<bool> {
        let checking = tokio::task::spawn_blocking(move || {
            let verified = Argon2::default()
                .verify_password(password.as_bytes(), hash.as_deref().unwrap_or(NOBODY))
                .is_ok();
            verified && hash.is_some()
        });
        checking.await.context("checking a password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(password: &str) -> Zeroizing<String> {
        Zeroizing::new(password.to_owned())
    }

    #[tokio::test]
    async fn only_the_right_password_verifies_and_nobodys_never_does() {
        let place = Passwords::default().place().await.expect("there is a place");
        let hash = place.hash(text("correct horse battery")).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, place.hash(text("correct horse battery")).await.expect("hashed"), "salted");
        let verifies = async |password: &str, hash: Option<&str>| {
            place.verifies(text(password), hash.map(str::to_owned)).await.expect("it is checked")
        };
        assert!(verifies("correct horse battery", Some(&hash)).await);
        assert!(!verifies("correct horse batterz", Some(&hash)).await);
        assert!(!verifies("correct horse battery", None).await);
    }

    #[test]
    fn what_nobodys_password_is_checked_against_costs_what_a_real_one_does() {
        let nobody = argon2::password_hash::phc::PasswordHash::new(NOBODY).expect("it can be read");
        let real = Argon2::default().hash_password(b"somebody's").expect("hashed");
        assert_eq!((nobody.algorithm, &nobody.params), (real.algorithm, &real.params));
        assert_eq!(nobody.hash.map(|hash| hash.len()), real.hash.map(|hash| hash.len()));
    }

    #[tokio::test]
    async fn so_many_wait_and_one_more_is_sent_away() {
        let passwords = Passwords::default();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(passwords.place())).collect();
        let mut placed = Vec::new();
        for place in &mut waiting {
            placed.extend(futures_util::FutureExt::now_or_never(place));
        }
        assert_eq!(placed.len(), AT_ONCE);
        assert!(passwords.place().await.is_none());
        drop(placed);
        drop(waiting);
        assert!(passwords.place().await.is_some());
    }
}
