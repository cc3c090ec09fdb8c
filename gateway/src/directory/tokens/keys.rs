//! The keys that tokens are signed with. Nothing is ever marked as retired: which key signs and which still verify
//! follows from when each was made, so nodes that change keys at the same moment agree.

use std::time::Duration;

use anyhow::Context;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::signature::{Ed25519KeyPair, KeyPair};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};
use zeroize::Zeroizing;

use super::{LIFETIME, ms};
use crate::chance::{self, Chance};
use crate::directory::vault::Vault;
use crate::entity::token_key::{Column, Entity, Model};
use crate::ledger::{RowStatement, insert_rows};

/// A key older than this is followed by a new one.
pub const KEY_AGE: Duration = Duration::from_hours(30 * 24);
/// A new key signs only after this: by then every node has looked into the store and knows it.
pub const SETTLING: Duration = Duration::from_secs(15);

pub struct Key {
    pub id: String,
    made_at: i64,
    pub signs: EncodingKey,
    pub verifies: DecodingKey,
}

/// Oldest first.
#[derive(Default)]
pub struct Keys(Vec<Key>);

impl Keys {
    pub async fn load(read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<Self> {
        let rows = Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id).all(read).await?;
        let keys = rows.into_iter().map(|row| {
            let seed = vault.open(&row.master_key_id, &row.id, &row.sealed)?;
            Key::of(row.id, row.created_at, &seed)
        });
        Ok(Self(keys.collect::<anyhow::Result<_>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest that has settled; else the oldest, which nobody can know better.
    pub fn signing(&self, now: i64) -> Option<&Key> {
        let settled = self.0.iter().rev().find(|key| now >= key.made_at.saturating_add(ms(SETTLING)));
        settled.or_else(|| self.0.first())
    }

    pub fn verifying(&self, id: &str, now: i64) -> Option<&Key> {
        let place = self.0.iter().position(|key| key.id == id)?;
        (!self.is_over(place, now)).then(|| &self.0[place])
    }

    /// Whether the last token that this key can have signed has ended.
    fn is_over(&self, place: usize, now: i64) -> bool {
        let end = |next: &Key| next.made_at.saturating_add(ms(SETTLING)).saturating_add(ms(LIFETIME));
        self.0.get(place + 1).is_some_and(|next| now >= end(next))
    }

    pub fn are_old(&self, now: i64) -> bool {
        self.0.last().is_none_or(|key| now >= key.made_at.saturating_add(ms(KEY_AGE)))
    }

    /// What removes the keys that are over, if there are any.
    pub fn forget(&self, now: i64) -> Option<RowStatement> {
        let over: Vec<&str> = (0..self.0.len())
            .filter(|place| self.is_over(*place, now))
            .map(|place| &*self.0[place].id)
            .collect();
        if over.is_empty() {
            return None;
        }
        let delete =
            Query::delete().from_table(Entity).and_where(Expr::col(Column::Id).is_in(over)).to_owned();
        Some(RowStatement::Delete(delete))
    }
}

impl Key {
    fn of(id: String, made_at: i64, seed: &[u8]) -> anyhow::Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .ok()
            .with_context(|| format!("the token key {id} is not one"))?;
        Ok(Self {
            id,
            made_at,
            signs: EncodingKey::from_ed_der(seed),
            verifies: DecodingKey::from_ed_der(pair.public_key().as_ref()),
        })
    }
}

#[cfg(test)]
impl Keys {
    /// Keys of these ids and times.
    pub fn fixed(keys: &[(&str, i64)]) -> Self {
        let key = |(place, (id, made_at)): (usize, &(&str, i64))| {
            let seed = [u8::try_from(place).expect("a few"); 32];
            Key::of((*id).to_owned(), *made_at, &seed).expect("a seed")
        };
        Self(keys.iter().enumerate().map(key).collect())
    }
}

/// A new key, sealed: its id and its row.
pub fn new(chance: &Chance, vault: &Vault, now: i64) -> (String, RowStatement) {
    let (id, seed) = (chance.id(), Zeroizing::new(chance::bytes::<32>()));
    let sealed = vault.seal(&id, seed.as_slice());
    let row =
        Model { id: id.clone(), sealed: sealed.bytes, master_key_id: sealed.master_key_id, created_at: now };
    (id, insert_rows::<Entity>(&[row]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(made_at: &[i64]) -> Keys {
        let ids = ["k0", "k1", "k2"];
        Keys::fixed(&ids.into_iter().zip(made_at.iter().copied()).collect::<Vec<_>>())
    }

    fn id(key: Option<&Key>) -> Option<&str> {
        key.map(|key| &*key.id)
    }

    #[test]
    fn a_new_key_signs_once_every_node_knows_it_and_the_first_one_at_once() {
        let settled = 1000 + ms(SETTLING);
        let keys = keys(&[0, 1000]);
        assert_eq!(id(keys.signing(settled - 1)), Some("k0"));
        assert_eq!(id(keys.signing(settled)), Some("k1"));
        assert_eq!(id(self::keys(&[1000]).signing(1000)), Some("k0"));
        assert_eq!(id(self::keys(&[]).signing(1000)), None);
    }

    #[test]
    fn an_old_key_verifies_until_the_last_token_made_with_it_has_ended() {
        let keys = keys(&[0, 1000]);
        let end = 1000 + ms(SETTLING) + ms(LIFETIME);
        assert_eq!(id(keys.verifying("k0", end - 1)), Some("k0"));
        assert!(keys.forget(end - 1).is_none());
        assert_eq!(id(keys.verifying("k0", end)), None);
        assert!(keys.forget(end).is_some());
        assert_eq!(id(keys.verifying("k1", i64::MAX)), Some("k1"), "the newest never ends by itself");
        assert_eq!(id(keys.verifying("k2", 0)), None);
    }

    #[test]
    fn a_key_is_old_at_its_age_and_none_is_old_at_once() {
        assert!(!keys(&[0, 1000]).are_old(1000 + ms(KEY_AGE) - 1));
        assert!(keys(&[0, 1000]).are_old(1000 + ms(KEY_AGE)));
        assert!(keys(&[]).are_old(0));
    }
}
