//! Who: platforms, their accounts at ScanForPay, merchants and stores, and the sign keys of both sides. Held in
//! memory whole, so that an order costs no look-up in the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};
use shared::money::Currency;
use shared::wallet::Wallet;
use url::Url;
use zeroize::Zeroizing;

use crate::entity::{account, merchant, platform, sign_key, store};

pub mod setup;
pub mod vault;

use vault::Vault;

/// A version of a sign key.
#[derive(Clone)]
pub struct SignKey {
    pub id: String,
    pub text: Zeroizing<String>,
    /// Unix milliseconds; `None` is the current version.
    pub expires_at: Option<i64>,
}

impl SignKey {
    /// Whether it may still be used at `now`.
    pub fn is_valid(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

pub struct Account {
    pub id: String,
    pub base_url: Url,
    pub partner_no: String,
    /// Current version first.
    pub keys: Vec<SignKey>,
}

impl Account {
    pub fn current_key(&self) -> &SignKey {
        &self.keys[0] // loading refuses an account without keys
    }

    /// The versions that were valid at `at` or later.
    pub fn keys_valid_since(&self, at: i64) -> Vec<SignKey> {
        self.keys.iter().filter(|key| key.is_valid(at)).cloned().collect()
    }
}

pub struct Store {
    pub id: String,
    pub store_no: String,
    pub upstream_store_no: String,
    pub currency: Currency,
    pub wallets: Vec<Wallet>,
    pub enabled: bool,
    pub account: Arc<Account>,
}

/// What a request's age means for this merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Enforce,
    Warn,
}

pub struct Merchant {
    pub id: String,
    pub platform_id: String,
    pub partner_no: String,
    pub suspended: bool,
    /// `None`: the gateway's own.
    pub freshness_window: Option<Duration>,
    pub freshness: Option<Freshness>,
    /// Current version first.
    pub keys: Vec<SignKey>,
    pub stores: HashMap<String, Arc<Store>>,
    /// Place in `keys`; past its end while none was seen in use.
    last_key: AtomicUsize,
}

impl Merchant {
    pub fn key(&self, id: &str) -> Option<&SignKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Remember which version the merchant signs with: notices are signed with the same.
    pub fn used_key(&self, id: &str) {
        if let Some(place) = self.keys.iter().position(|key| key.id == id) {
            self.last_key.store(place, Ordering::Relaxed);
        }
    }

    /// The version the merchant signed with last, as far as this process has seen.
    pub fn last_used_key(&self) -> Option<&SignKey> {
        self.keys.get(self.last_key.load(Ordering::Relaxed))
    }

    pub fn current_key(&self) -> &SignKey {
        &self.keys[0] // loading refuses a merchant without keys
    }
}

/// Everybody, as of one look at the store.
#[derive(Default)]
pub struct Everybody {
    platforms: HashMap<String, HashMap<String, Arc<Merchant>>>,
    merchants: HashMap<String, Arc<Merchant>>,
    accounts: HashMap<String, Arc<Account>>,
}

#[derive(Default)]
pub struct Directory {
    everybody: RwLock<Arc<Everybody>>,
}

impl Directory {
    pub async fn load(read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<Self> {
        let directory = Self::default();
        directory.reload(read, vault).await?;
        Ok(directory)
    }

    pub async fn reload(&self, read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<()> {
        let everybody = Arc::new(everybody(read, vault).await?);
        let before = self.everybody();
        for (id, merchant) in &everybody.merchants {
            if let Some(key) = before.merchants.get(id).and_then(|before| before.last_used_key()) {
                merchant.used_key(&key.id);
            }
        }
        *self.everybody.write().unwrap_or_else(PoisonError::into_inner) = everybody;
        Ok(())
    }

    fn everybody(&self) -> Arc<Everybody> {
        self.everybody.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The merchant of a platform under the partnerNo it signs with.
    pub fn merchant(&self, platform: &str, partner_no: &str) -> Option<Arc<Merchant>> {
        self.everybody().platforms.get(platform)?.get(partner_no).cloned()
    }

    /// Any tenant's merchant, for callers that have its id from a row they own.
    pub fn merchant_by_id(&self, id: &str) -> Option<Arc<Merchant>> {
        self.everybody().merchants.get(id).cloned()
    }

    pub fn account(&self, id: &str) -> Option<Arc<Account>> {
        self.everybody().accounts.get(id).cloned()
    }

    pub fn is_empty(&self) -> bool {
        self.everybody().merchants.is_empty()
    }
}

async fn everybody(read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<Everybody> {
    let keys = keys(read, vault).await?;
    let mut accounts = HashMap::new();
    for row in account::Entity::find().all(read).await? {
        let keys =
            keys.get(&row.id).cloned().with_context(|| format!("account {} has no sign key", row.name))?;
        let base_url =
            Url::parse(&row.base_url).with_context(|| format!("the base URL of account {}", row.name))?;
        let account = Account { id: row.id.clone(), base_url, partner_no: row.partner_no, keys };
        accounts.insert(row.id, Arc::new(account));
    }
    let mut stores: HashMap<String, HashMap<String, Arc<Store>>> = HashMap::new();
    for row in store::Entity::find().all(read).await? {
        let account = accounts
            .get(&row.account_id)
            .cloned()
            .with_context(|| format!("store {} has no account", row.id))?;
        stores
            .entry(row.merchant_id.clone())
            .or_default()
            .insert(row.store_no.clone(), Arc::new(store_of(row, account)?));
    }
    let slugs: HashMap<String, String> =
        platform::Entity::find().all(read).await?.into_iter().map(|row| (row.id, row.slug)).collect();
    let mut all = Everybody { accounts, ..Everybody::default() };
    for row in merchant::Entity::find().all(read).await? {
        let keys = keys
            .get(&row.id)
            .cloned()
            .with_context(|| format!("merchant {} has no sign key", row.partner_no))?;
        let slug = slugs.get(&row.platform_id).cloned().context("a merchant without a platform")?;
        let merchant = Arc::new(merchant_of(row, keys, &mut stores)?);
        all.platforms.entry(slug).or_default().insert(merchant.partner_no.clone(), merchant.clone());
        all.merchants.insert(merchant.id.clone(), merchant);
    }
    Ok(all)
}

fn store_of(row: store::Model, account: Arc<Account>) -> anyhow::Result<Store> {
    let wallets =
        row.wallets.split(',').map(|name| Wallet::parse(name).with_context(|| format!("wallet {name}")));
    Ok(Store {
        currency: Currency::parse(&row.currency).with_context(|| format!("currency {}", row.currency))?,
        wallets: wallets.collect::<anyhow::Result<_>>()?,
        enabled: row.status == "active",
        id: row.id,
        store_no: row.store_no,
        upstream_store_no: row.upstream_store_no,
        account,
    })
}

fn merchant_of(
    row: merchant::Model,
    keys: Vec<SignKey>,
    stores: &mut HashMap<String, HashMap<String, Arc<Store>>>,
) -> anyhow::Result<Merchant> {
    let freshness = match row.freshness_mode.as_deref() {
        None => None,
        Some("enforce") => Some(Freshness::Enforce),
        Some("warn") => Some(Freshness::Warn),
        Some(other) => bail!("freshness mode {other}"),
    };
    Ok(Merchant {
        stores: stores.remove(&row.id).unwrap_or_default(),
        suspended: row.status == "suspended",
        freshness_window: row.freshness_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
        freshness,
        id: row.id,
        platform_id: row.platform_id,
        partner_no: row.partner_no,
        keys,
        last_key: AtomicUsize::new(usize::MAX),
    })
}

/// Opened sign keys by owner, current version first.
async fn keys(read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<HashMap<String, Vec<SignKey>>> {
    let mut keys: HashMap<String, Vec<SignKey>> = HashMap::new();
    for row in sign_key::Entity::find().order_by_desc(sign_key::Column::Version).all(read).await? {
        let text = vault.open(&row.id, &row.sealed)?;
        let text =
            String::from_utf8(text.to_vec()).with_context(|| format!("sign key {} is not text", row.id))?;
        let key = SignKey { id: row.id, text: Zeroizing::new(text), expires_at: row.expires_at };
        keys.entry(row.owner_id).or_default().push(key);
    }
    Ok(keys)
}
