//! What events to an endpoint are signed with. Several are good at once while its owner changes over.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use crate::chance;
use crate::directory::vault::Vault;
use crate::entity::endpoint_secret::{Kind, Model};
use crate::webhook::{self, Message};

/// Bytes of an HMAC's secret; a key pair's seed has 32.
const HMAC_BYTES: usize = 32;

/// One that signs.
#[derive(Clone)]
pub struct Secret {
    pub id: String,
    key: Key,
    /// Unix milliseconds; `None`: it is the current one.
    ends_at: Option<i64>,
}

#[derive(Clone)]
enum Key {
    Hmac(Arc<Zeroizing<Vec<u8>>>),
    Ed25519(Arc<Ed25519KeyPair>),
}

/// Newest first.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Secret>);

/// A new one: its row, and what its owner is shown.
pub struct Made {
    pub row: Model,
    /// An HMAC's secret, once; of a key pair, its public key.
    pub shown: String,
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Secrets {
    pub fn open(mut rows: Vec<Model>, vault: &Vault) -> anyhow::Result<Self> {
        rows.sort_unstable_by(|a, b| b.id.cmp(&a.id));
        let secrets = rows.into_iter().map(|row| {
            let bytes = vault.open(&row.master_key_id, &row.id, &row.sealed)?;
            let key = match row.kind {
                Kind::Hmac => Key::Hmac(Arc::new(bytes)),
                Kind::Ed25519 => Key::Ed25519(Arc::new(pair(&bytes)?)),
            };
            Ok(Secret { id: row.id, key, ends_at: row.ends_at })
        });
        Ok(Self(secrets.collect::<anyhow::Result<_>>()?))
    }

    /// The value of `webhook-signature`: a signature with each that is good at `now`, the newest first.
    pub fn signatures(&self, message: Message<'_>, now: i64) -> String {
        let good = self.0.iter().filter(|secret| secret.ends_at.is_none_or(|end| now < end));
        let signatures = good.map(|secret| match &secret.key {
            Key::Hmac(bytes) => message.v1(bytes),
            Key::Ed25519(pair) => message.v1a(pair),
        });
        signatures.collect::<Vec<_>>().join(" ")
    }

    /// The current key pair's, as receivers are shown it.
    pub fn public_key(&self) -> Option<String> {
        self.0.iter().find_map(|secret| match &secret.key {
            Key::Ed25519(pair) if secret.ends_at.is_none() => Some(webhook::public_text(pair)),
            _ => None,
        })
    }

    /// Of the newest one, which has signed the latest attempt.
    pub fn newest_id(&self) -> &str {
        self.0.first().map_or("", |secret| &secret.id)
    }
}

fn pair(seed: &[u8]) -> anyhow::Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| anyhow!("a seed has 32 bytes"))
        .context("a key pair of an endpoint")
}

/// One made by chance, for an endpoint.
pub fn make(vault: &Vault, id: String, endpoint_id: &str, kind: Kind, now: i64) -> Made {
    let bytes = Zeroizing::new(chance::bytes::<HMAC_BYTES>());
    let shown = match kind {
        Kind::Hmac => webhook::secret_text(&*bytes),
        Kind::Ed25519 => webhook::public_text(&pair(&*bytes).expect("as many bytes as a seed has")),
    };
    let sealed = vault.seal(&id, &*bytes);
    let row = Model {
        id,
        endpoint_id: endpoint_id.to_owned(),
        kind,
        sealed: sealed.bytes,
        master_key_id: sealed.master_key_id,
        created_at: now,
        ends_at: None,
    };
    Made { row, shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_are_good_sign_and_none_that_has_ended() {
        let vault = Vault::new(&"a".repeat(64), &[]).expect("a key");
        let row =
            |id: &str, kind, ends_at| Model { ends_at, ..make(&vault, id.to_owned(), "e", kind, 0).row };
        let rows = vec![
            row("1", Kind::Hmac, Some(1_000)),
            row("2", Kind::Hmac, Some(5_000)),
            row("3", Kind::Hmac, None),
            row("4", Kind::Ed25519, None),
        ];
        let secrets = Secrets::open(rows, &vault).expect("they open");
        let message = Message { id: "m", timestamp: 1, body: b"{}" };
        let versions = |now| {
            let signatures = secrets.signatures(message, now);
            signatures
                .split(' ')
                .map(|one| one.split(',').next().unwrap_or("").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(versions(999), ["v1a", "v1", "v1", "v1"]);
        assert_eq!(versions(1_000), ["v1a", "v1", "v1"]);
        assert_eq!(versions(5_000), ["v1a", "v1"]);
        assert!(secrets.public_key().expect("there is a pair").starts_with("whpk_"));
        assert_eq!(secrets.newest_id(), "4");
        assert!(!format!("{secrets:?}").contains("whsec"), "{secrets:?}");
    }
}
