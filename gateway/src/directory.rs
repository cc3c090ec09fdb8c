//! Who: platforms, their accounts at ScanForPay, merchants and stores, and the sign keys of both sides. Held in
//! memory whole, so that an order costs no look-up in the store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ipnet::IpNet;
use jiff::tz::TimeZone;
use regex::Regex;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr};
use shared::money::Currency;
use shared::wallet::Wallet;
use url::Url;
use zeroize::Zeroizing;

use crate::config;
use crate::entity::api_key;

pub mod access;
pub mod accounts;
pub mod acts;
pub mod api_keys;
pub mod audit;
pub mod change;
pub mod claims;
pub mod endpoints;
mod everybody;
mod load;
pub mod master;
pub mod merchants;
pub mod networks;
pub mod offboard;
pub mod onboarding;
pub mod operators;
pub mod pepper;
pub mod platforms;
pub mod proof;
pub mod references;
pub mod setup;
pub mod sign_keys;
pub mod stores;
pub mod tokens;
pub mod usage;
pub mod vault;
pub mod versions;

use access::Mode;
use api_keys::{ApiKey, KeyHash};
use change::Refresh;
use endpoints::Endpoint;
use everybody::Everybody;
use load::Source;
use tokens::Tokens;
use usage::LastUse;
use vault::Vault;
use versions::{Changed, News};

use crate::limits::{Bucket, Limits};

/// A version of a sign key.
#[derive(Clone)]
pub struct SignKey {
    pub id: String,
    pub text: Zeroizing<String>,
    /// Unix milliseconds; `None` is the current version.
    pub expires_at: Option<i64>,
    pub last_use: Arc<LastUse>,
}

impl SignKey {
    /// Whether it may still be used at `now`.
    pub fn is_valid(&self, now: i64) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

pub struct Platform {
    pub id: String,
    pub slug: String,
    pub bucket: Arc<Bucket>,
}

pub struct Account {
    pub id: String,
    pub base_url: Url,
    pub partner_no: String,
    /// The merchant whose orders go upstream under its own numbers.
    pub numbers_of: Option<String>,
    /// Current version first.
    pub keys: Vec<SignKey>,
    /// Of calls to ScanForPay.
    pub budget: Arc<Bucket>,
    /// Why no order is placed under it any more: the operator's lists of base URLs have changed since it was made.
    pub barred: Option<&'static str>,
}

impl Account {
    /// Say in the log if it may place no orders.
    fn tell_barred(&self) {
        if let Some(reason) = self.barred {
            tracing::error!(account = self.id, base_url = %self.base_url, reason, "orders under an account are refused");
        }
    }

    pub fn current_key(&self) -> &SignKey {
        &self.keys[0] // loading refuses an account without keys
    }

    /// The version to sign with: the one that the upstream last took, while it is valid; the current one before that.
    pub fn signing_key(&self, now: i64) -> &SignKey {
        let valid = self.keys.iter().rev().filter(|key| key.is_valid(now));
        valid.max_by_key(|key| key.last_use.at()).unwrap_or_else(|| self.current_key())
    }

    pub fn key(&self, id: &str) -> Option<&SignKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The newest valid version but this one.
    pub fn other_key(&self, id: &str, now: i64) -> Option<&SignKey> {
        self.keys.iter().find(|key| key.id != id && key.is_valid(now))
    }

    /// The versions that were valid at `at` or later.
    pub fn keys_valid_since(&self, at: i64) -> Vec<SignKey> {
        self.keys.iter().filter(|key| key.is_valid(at)).cloned().collect()
    }
}

#[derive(Clone)]
pub struct Store {
    pub id: String,
    pub store_no: String,
    pub upstream_store_no: String,
    pub currency: Currency,
    /// In which its days end.
    pub zone: TimeZone,
    pub wallets: Vec<Wallet>,
    pub enabled: bool,
    /// A payment that comes after its order was given up is refunded at once.
    pub refunds_late: bool,
    pub account: Arc<Account>,
    pub bucket: Arc<Bucket>,
}

/// What a request's age means for this merchant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Enforce,
    Warn,
}

impl Freshness {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Warn => "warn",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Enforce, Self::Warn].into_iter().find(|mode| mode.as_str() == text)
    }
}

pub struct Merchant {
    pub id: String,
    pub platform_id: String,
    pub platform: Arc<Platform>,
    pub bucket: Arc<Bucket>,
    pub selfchecks: Arc<Bucket>,
    pub partner_no: String,
    pub mode: Mode,
    pub suspended: bool,
    /// `None`: the gateway's own.
    pub freshness_window: Option<Duration>,
    pub freshness: Option<Freshness>,
    /// Where its signed requests may come from; empty: from everywhere.
    pub allowed_addresses: Vec<IpNet>,
    /// What its order numbers say of the purchase.
    pub reference_pattern: Option<Regex>,
    /// Current version first.
    pub keys: Vec<SignKey>,
    pub stores: HashMap<String, Arc<Store>>,
    /// Place in `keys`; past its end while none was seen in use.
    last_key: AtomicUsize,
}

impl Merchant {
    /// Whether signed requests are taken from this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.allowed_addresses.is_empty()
            || self.allowed_addresses.iter().any(|network| network.contains(&address))
    }

    /// What an order of this number is for, where the merchant's numbers say it.
    pub fn reference_of(&self, number: &str) -> Option<String> {
        references::found(self.reference_pattern.as_ref()?, number)
    }

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

    /// Keep what this process has seen of the merchant as it was before.
    fn take_over(&self, before: &Self) {
        if let Some(key) = before.last_used_key() {
            self.used_key(&key.id);
        }
        take_over(&self.keys, &before.keys);
    }

    /// The merchant with this account as it is now, if a store of it uses it.
    fn with(&self, account: &Arc<Account>) -> Option<Self> {
        if self.stores.values().all(|store| store.account.id != account.id) {
            return None;
        }
        let stores = self.stores.iter().map(|(number, store)| {
            let changed = Store { account: Arc::clone(account), ..Store::clone(store) };
            let store = if store.account.id == account.id { Arc::new(changed) } else { Arc::clone(store) };
            (number.clone(), store)
        });
        Some(Self {
            id: self.id.clone(),
            platform_id: self.platform_id.clone(),
            platform: Arc::clone(&self.platform),
            bucket: Arc::clone(&self.bucket),
            selfchecks: Arc::clone(&self.selfchecks),
            partner_no: self.partner_no.clone(),
            mode: self.mode,
            suspended: self.suspended,
            freshness_window: self.freshness_window,
            freshness: self.freshness,
            allowed_addresses: self.allowed_addresses.clone(),
            reference_pattern: self.reference_pattern.clone(),
            keys: self.keys.clone(),
            stores: stores.collect(),
            last_key: AtomicUsize::new(self.last_key.load(Ordering::Relaxed)),
        })
    }
}

/// Keep what this process has seen of keys as they were before.
fn take_over(keys: &[SignKey], before: &[SignKey]) {
    for key in keys {
        if let Some(before) = before.iter().find(|before| before.id == key.id) {
            key.last_use.take_over(&before.last_use);
        }
    }
}

/// One who cannot be loaded must not keep others' changes from being seen. A store that cannot be read is asked again.
fn unless_the_stores(error: anyhow::Error, what: &Refresh) -> anyhow::Result<()> {
    if error.downcast_ref::<DbErr>().is_some() {
        return Err(error);
    }
    tracing::error!(?what, error = %format!("{error:#}"), "what another node has changed cannot be loaded");
    Ok(())
}

pub struct Directory {
    everybody: RwLock<Everybody>,
    limits: Arc<Limits>,
    tokens: Arc<Tokens>,
    /// Which base URLs accounts may have.
    upstream: config::Upstream,
    /// Held while the store is looked at: an older look must not undo a newer one. The version of the directory that
    /// is in memory, at least.
    looking: tokio::sync::Mutex<i64>,
    /// The same, for those who will not wait for a look to end.
    version: AtomicI64,
}

impl Directory {
    /// Everybody, and `tokens` with them.
    pub async fn load(
        read: &DatabaseConnection,
        vault: &Vault,
        limits: Arc<Limits>,
        tokens: Arc<Tokens>,
        upstream: config::Upstream,
    ) -> anyhow::Result<Self> {
        let looking = tokio::sync::Mutex::default();
        let (everybody, version) = (RwLock::default(), AtomicI64::new(0));
        let directory = Self { everybody, limits, tokens, upstream, looking, version };
        directory.reload(read, vault).await?;
        Ok(directory)
    }

    pub async fn reload(&self, read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<()> {
        let mut seen = self.looking.lock().await;
        self.look_at_everybody(read, vault, &mut seen).await
    }

    async fn look_at_everybody(
        &self,
        read: &DatabaseConnection,
        vault: &Vault,
        seen: &mut i64,
    ) -> anyhow::Result<()> {
        // First, so that what changes meanwhile is looked at once more.
        let version = versions::current(read).await?;
        let mut everybody = load::everybody(&self.source(read, vault)).await?;
        self.change(|before| {
            everybody.take_over(before);
            everybody.tell_newly_barred(before);
            std::mem::swap(before, &mut everybody);
        });
        drop(everybody);
        self.limits.tidy();
        self.tokens.reload(read, vault).await?;
        *seen = version;
        self.version.store(version, Ordering::Relaxed);
        Ok(())
    }

    /// Look at what has changed in the store since the last look, by whichever node. Returns how many were looked at.
    pub async fn catch_up(&self, read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<usize> {
        let mut seen = self.looking.lock().await;
        let News { version, changed } = versions::since(read, *seen).await?;
        match &changed {
            Changed::These(these) => {
                for what in these {
                    let looked = self.look_again(read, vault, &mut seen, what).await;
                    looked.or_else(|error| unless_the_stores(error, what))?;
                }
                *seen = version;
                self.version.store(version, Ordering::Relaxed);
            }
            Changed::Many(_) => self.look_at_everybody(read, vault, &mut seen).await?,
        }
        Ok(changed.count())
    }

    /// Look again at one of them, and at nobody else.
    pub async fn refresh(
        &self,
        read: &DatabaseConnection,
        vault: &Vault,
        what: &Refresh,
    ) -> anyhow::Result<()> {
        let mut seen = self.looking.lock().await;
        self.look_again(read, vault, &mut seen, what).await
    }

    async fn look_again(
        &self,
        read: &DatabaseConnection,
        vault: &Vault,
        seen: &mut i64,
        what: &Refresh,
    ) -> anyhow::Result<()> {
        match what {
            Refresh::Merchant(id) => {
                if let Some(merchant) = load::merchant(&self.source(read, vault), id, self).await? {
                    self.change(|everybody| everybody.put_merchant(merchant));
                }
            }
            Refresh::Everybody => {
                self.look_at_everybody(read, vault, seen).await?;
            }
            Refresh::Account(id) => {
                if let Some(account) = load::account(&self.source(read, vault), id).await? {
                    self.change(|everybody| {
                        if everybody.is_newly_barred(&account) {
                            account.tell_barred();
                        }
                        everybody.put_account(account);
                    });
                }
            }
            Refresh::Endpoint(id) => {
                let found = load::endpoint(&self.source(read, vault), id).await?;
                self.change(|everybody| everybody.put_endpoint(id, found));
            }
            Refresh::ApiKey(id) => {
                let found =
                    load::api_keys(&self.source(read, vault), api_key::Column::Id.eq(id.as_str())).await?;
                self.change(|everybody| found.into_iter().for_each(|key| everybody.put_api_key(key)));
            }
            Refresh::Tokens => self.tokens.reload(read, vault).await?,
            Refresh::ApiKeysOf(merchant_id) => {
                let found = load::api_keys(
                    &self.source(read, vault),
                    api_key::Column::MerchantId.eq(merchant_id.as_str()),
                )
                .await?;
                self.change(|everybody| found.into_iter().for_each(|key| everybody.put_api_key(key)));
            }
        }
        Ok(())
    }

    fn source<'a>(&'a self, read: &'a DatabaseConnection, vault: &'a Vault) -> Source<'a> {
        Source { read, vault, limits: &self.limits, upstream: &self.upstream }
    }

    fn look<T>(&self, at: impl FnOnce(&Everybody) -> T) -> T {
        at(&self.everybody.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, how: impl FnOnce(&mut Everybody)) {
        how(&mut self.everybody.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// A registered one.
    pub fn endpoint(&self, id: &str) -> Option<Arc<Endpoint>> {
        self.look(|everybody| everybody.endpoints.get(id).cloned())
    }

    /// Those that merchant or platform of this id has registered.
    pub fn endpoints_of(&self, owner_id: &str) -> Vec<Arc<Endpoint>> {
        self.look(|everybody| everybody.endpoints_of(owner_id))
    }

    /// The merchant of a platform under the partnerNo it signs with.
    pub fn merchant(&self, platform: &str, partner_no: &str) -> Option<Arc<Merchant>> {
        self.look(|everybody| everybody.by_partner_no.get(platform)?.get(partner_no).cloned())
    }

    /// Any tenant's merchant, for callers that have its id from a row they own.
    pub fn merchant_by_id(&self, id: &str) -> Option<Arc<Merchant>> {
        self.look(|everybody| everybody.merchants.get(id).cloned())
    }

    /// Merchants of the same platform in the other mode, the oldest `most` of them.
    pub fn merchants_of_other_mode(&self, merchant: &Merchant, most: usize) -> Vec<Arc<Merchant>> {
        let is_other =
            |other: &&Arc<Merchant>| other.platform_id == merchant.platform_id && other.mode != merchant.mode;
        let mut others: Vec<_> =
            self.look(|everybody| everybody.merchants.values().filter(is_other).cloned().collect());
        others.sort_by(|one, other| one.id.cmp(&other.id));
        others.truncate(most);
        others
    }

    pub fn platform_by_id(&self, id: &str) -> Option<Arc<Platform>> {
        self.look(|everybody| everybody.platforms.get(id).cloned())
    }

    pub fn account(&self, id: &str) -> Option<Arc<Account>> {
        self.look(|everybody| everybody.accounts.get(id).cloned())
    }

    pub fn api_key(&self, hash: &KeyHash) -> Option<Arc<ApiKey>> {
        self.look(|everybody| everybody.api_keys.get(hash).cloned())
    }

    /// The same by its id, for tokens that stand for it.
    pub fn api_key_by_id(&self, id: &str) -> Option<Arc<ApiKey>> {
        self.look(|everybody| everybody.api_keys.get(everybody.key_hashes.get(id)?).cloned())
    }

    /// API keys whose last use has to be written by now, `most` of them.
    pub fn api_key_uses(&self, most: usize) -> Vec<(Arc<ApiKey>, i64)> {
        self.look(|everybody| {
            let keys = everybody.api_keys.values();
            let uses = keys.filter_map(|key| Some((Arc::clone(key), key.last_use.to_write()?)));
            uses.take(most).collect()
        })
    }

    /// The same of sign keys.
    pub fn sign_key_uses(&self, most: usize) -> Vec<(SignKey, i64)> {
        self.look(|everybody| {
            let merchants = everybody.merchants.values().flat_map(|merchant| &merchant.keys);
            let accounts = everybody.accounts.values().flat_map(|account| &account.keys);
            let uses =
                merchants.chain(accounts).filter_map(|key| Some((key.clone(), key.last_use.to_write()?)));
            uses.take(most).collect()
        })
    }

    /// The version of the directory that is in memory, at least.
    pub fn version(&self) -> i64 {
        self.version.load(Ordering::Relaxed)
    }

    /// Say in the log which accounts may place no orders.
    pub fn tell_barred(&self) {
        self.look(|everybody| everybody.accounts.values().for_each(|account| account.tell_barred()));
    }

    /// How many accounts may place no orders although they are there.
    pub fn barred(&self) -> usize {
        self.look(|everybody| everybody.accounts.values().filter(|account| account.barred.is_some()).count())
    }

    /// How many merchants there are.
    pub fn merchants(&self) -> usize {
        self.look(|everybody| everybody.merchants.len())
    }

    pub fn is_empty(&self) -> bool {
        self.look(|everybody| everybody.merchants.is_empty())
    }
}
