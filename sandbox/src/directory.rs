//! Whom the sandbox knows: partners with their sign keys, and their stores.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::ensure;
use shared::money::Currency;
use shared::wallet::Wallet;

/// One account at ScanForPay.
#[derive(Clone)]
pub struct Partner {
    pub partner_no: String,
    pub sign_key: String,
    pub stores: Vec<Store>,
}

/// The key is a secret even here: people try the sandbox with real ones.
impl std::fmt::Debug for Partner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partner")
            .field("partner_no", &self.partner_no)
            .field("sign_key", &"***")
            .field("stores", &self.stores)
            .finish()
    }
}

#[derive(Debug, Clone)]
pub struct Store {
    pub store_no: String,
    pub currency: Currency,
    pub wallets: Vec<Wallet>,
}

impl Partner {
    pub(crate) fn store(&self, store_no: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.store_no == store_no)
    }
}

pub(crate) struct Directory {
    partners: RwLock<HashMap<String, Arc<Partner>>>,
}

impl Directory {
    pub(crate) fn new(partners: Vec<Partner>) -> anyhow::Result<Self> {
        let mut known = HashMap::new();
        for partner in partners {
            check(&partner)?;
            let number = partner.partner_no.clone();
            ensure!(
                known.insert(number.clone(), Arc::new(partner)).is_none(),
                "partner {number} is given twice"
            );
        }
        Ok(Self { partners: RwLock::new(known) })
    }

    pub(crate) fn partner(&self, partner_no: &str) -> Option<Arc<Partner>> {
        self.partners.read().unwrap_or_else(PoisonError::into_inner).get(partner_no).cloned()
    }

    /// Add a partner, or put it in the place of the one with its number (a new key, another store).
    pub(crate) fn set(&self, partner: Partner) -> anyhow::Result<()> {
        check(&partner)?;
        let mut partners = self.partners.write().unwrap_or_else(PoisonError::into_inner);
        partners.insert(partner.partner_no.clone(), Arc::new(partner));
        Ok(())
    }

    pub(crate) fn all(&self) -> Vec<Arc<Partner>> {
        let mut all: Vec<_> =
            self.partners.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| a.partner_no.cmp(&b.partner_no));
        all
    }
}

/// The lengths of `docs/PROTOCOL.md`; a number that could never be sent would only puzzle.
fn check(partner: &Partner) -> anyhow::Result<()> {
    let number = &partner.partner_no;
    ensure!((1..=15).contains(&number.chars().count()), "partnerNo `{number}` must have 1 to 15 characters");
    ensure!(!partner.sign_key.is_empty(), "partner {number} needs a sign key");
    for (at, store) in partner.stores.iter().enumerate() {
        let store_no = &store.store_no;
        ensure!(
            (1..=15).contains(&store_no.chars().count()),
            "storeNo `{store_no}` must have 1 to 15 characters"
        );
        ensure!(
            partner.stores[..at].iter().all(|other| other.store_no != *store_no),
            "store {store_no} is given twice"
        );
    }
    Ok(())
}
