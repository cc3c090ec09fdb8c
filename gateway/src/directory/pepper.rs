//! A secret of the installation's own, by which other secrets are marked: a fingerprint tells whether two are the same,
//! and a decoy key signs what a stranger is answered. It lies in `settings`, sealed like any secret, and stays as it is
//! when the master key changes: what the audit log says of a key still matches then.

use anyhow::Context;
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::vault::Vault;
use crate::app::App;
use crate::chance;
use crate::entity::setting;
use crate::ledger::{Lane, Ledger, RowStatement, insert_rows};

/// Of its row, and what it is sealed for.
const NAME: &str = "pepper";

pub struct Pepper {
    decoys: Zeroizing<[u8; 32]>,
    fingerprints: Zeroizing<[u8; 32]>,
}

impl Pepper {
    /// The installation's; made where there is none yet.
    pub async fn open(
        read: &DatabaseConnection,
        ledger: &Ledger,
        vault: &Vault,
        now: i64,
    ) -> anyhow::Result<Self> {
        if let Some(kept) = Kept::find(read).await? {
            return kept.open(vault).map(|secret| Self::of(&secret));
        }
        let made = Kept::seal(vault, &*Zeroizing::new(chance::bytes::<32>()));
        let row = setting::Model { name: NAME.to_owned(), value: made.0, updated_at: now };
        ledger.room(Lane::Bulk, NAME)?.rows(vec![insert_rows::<setting::Entity>(&[row])]).await?;
        // Another node may have been first.
        let kept = Kept::find(read).await?.context("the secret just made is not in the store")?;
        kept.open(vault).map(|secret| Self::of(&secret))
    }

    fn of(secret: &[u8]) -> Self {
        let derive = |purpose: &[u8]| Zeroizing::new(derived(secret, purpose));
        Self { decoys: derive(b"decoys"), fingerprints: derive(b"fingerprints") }
    }

    /// Tells whether two secrets are the same, and nothing else of them: not even a weak one can be found by trying.
    pub fn fingerprint(&self, secret: &[u8]) -> String {
        HEXLOWER.encode(&derived(&*self.fingerprints, secret)[..8])
    }

    /// The key under which a stranger who claims `partner_no` is answered: stable, and nobody's.
    pub fn decoy_key(&self, partner_no: &str) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&derived(&*self.decoys, partner_no.as_bytes())))
    }
}

/// As it lies in its row: the id of the master key, and what that sealed.
struct Kept(Vec<u8>);

impl Kept {
    const ID: usize = 16;

    async fn find(read: &DatabaseConnection) -> Result<Option<Self>, DbErr> {
        let row = setting::Entity::find_by_id(NAME).one(read).await?;
        Ok(row.map(|row| Self(row.value)))
    }

    fn seal(vault: &Vault, secret: &[u8]) -> Self {
        let sealed = vault.seal(NAME, secret);
        Self([sealed.master_key_id.as_bytes(), &sealed.bytes].concat())
    }

    fn open(&self, vault: &Vault) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let (id, sealed) = self.0.split_at_checked(Self::ID).context("the setting pepper is damaged")?;
        vault.open(std::str::from_utf8(id).context("the setting pepper is damaged")?, NAME, sealed)
    }

    fn is_sealed_under(&self, master_key_id: &str) -> bool {
        self.0.starts_with(master_key_id.as_bytes())
    }
}

/// Whether there is one that another master key than the newest sealed.
pub(super) async fn is_left(app: &App) -> Result<bool, DbErr> {
    let kept = Kept::find(&app.store.read).await?;
    Ok(kept.is_some_and(|kept| !kept.is_sealed_under(&app.vault.key_id())))
}

/// Seal it anew where that is due. Whether it was; the failure is that it does not open.
pub(super) async fn seal_anew(app: &App) -> anyhow::Result<Option<Result<(), anyhow::Error>>> {
    let Some(kept) = Kept::find(&app.store.read).await? else { return Ok(None) };
    if kept.is_sealed_under(&app.vault.key_id()) {
        return Ok(None);
    }
    let secret = match kept.open(&app.vault) {
        Ok(secret) => secret,
        Err(error) => return Ok(Some(Err(error))),
    };
    let update = Query::update()
        .table(setting::Entity)
        .value(setting::Column::Value, Kept::seal(&app.vault, &secret).0)
        .value(setting::Column::UpdatedAt, app.clock.now_ms())
        .and_where(Expr::col(setting::Column::Name).eq(NAME))
        .and_where(Expr::col(setting::Column::Value).eq(kept.0))
        .to_owned();
    app.ledger.room(Lane::Bulk, "master_key")?.rows(vec![RowStatement::Update(update)]).await?;
    Ok(Some(Ok(())))
}

/// Whether anything is sealed here yet.
pub async fn is_there(read: &DatabaseConnection) -> Result<bool, DbErr> {
    Ok(Kept::find(read).await?.is_some())
}

/// Whether what is there opens under these master keys.
pub async fn verify(read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<()> {
    match Kept::find(read).await? {
        Some(kept) => kept.open(vault).map(drop),
        None => Ok(()),
    }
}

fn derived(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_is_stable_and_tells_purposes_and_installations_apart() {
        let (one, other) = (Pepper::of(&[1; 32]), Pepper::of(&[2; 32]));
        assert_eq!(one.fingerprint(b"a"), Pepper::of(&[1; 32]).fingerprint(b"a"));
        assert_ne!(one.fingerprint(b"a"), one.fingerprint(b"b"));
        assert_ne!(one.fingerprint(b"a"), other.fingerprint(b"a"));
        assert_ne!(*one.decoy_key("10001"), *other.decoy_key("10001"));
        assert_ne!(*one.decoy_key("10001"), *one.decoy_key("10002"));
        assert!(!one.decoy_key("a").starts_with(&one.fingerprint(b"a")));
    }

    #[test]
    fn it_is_known_which_master_key_sealed_it_and_a_damaged_one_does_not_open() {
        let vault = Vault::new(&"a".repeat(64), &[]).expect("64 digits");
        let kept = Kept::seal(&vault, b"secret");
        assert!(kept.is_sealed_under(&vault.key_id()) && !kept.is_sealed_under("0123456789abcdef"));
        assert_eq!(&**kept.open(&vault).expect("opens"), b"secret");
        assert!(Kept(kept.0[..10].to_vec()).open(&vault).is_err());
        assert!(Kept(kept.0[..20].to_vec()).open(&vault).is_err());
    }
}
