//! Reading the directory from the store: everybody at the start, one of them after a change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::{Context, bail};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, Select};
use shared::money::Currency;
use shared::wallet::Wallet;
use url::Url;
use zeroize::Zeroizing;

use super::api_keys::ApiKey;
use super::everybody::Everybody;
use super::networks;
use super::usage::LastUse;
use super::vault::Vault;
use super::{Account, Freshness, Merchant, SignKey, Store};
use crate::entity::{account, api_key, merchant, platform, sign_key, store};

pub(super) async fn everybody(read: &DatabaseConnection, vault: &Vault) -> anyhow::Result<Everybody> {
    let mut keys = keys(read, vault, sign_key::Entity::find()).await?;
    let mut all = Everybody::default();
    for row in account::Entity::find().all(read).await? {
        let keys = keys.remove(&row.id).unwrap_or_default();
        let account = account_of(row, keys)?;
        all.accounts.insert(account.id.clone(), Arc::new(account));
    }
    let mut stores: HashMap<String, HashMap<String, Arc<Store>>> = HashMap::new();
    for row in store::Entity::find().all(read).await? {
        let merchant_id = row.merchant_id.clone();
        let account = all.accounts.get(&row.account_id).cloned();
        let store = store_of(row, account)?;
        stores.entry(merchant_id).or_default().insert(store.store_no.clone(), Arc::new(store));
    }
    all.slugs = platform::Entity::find().all(read).await?.into_iter().map(|row| (row.id, row.slug)).collect();
    for row in merchant::Entity::find().all(read).await? {
        let (keys, stores) = (keys.remove(&row.id), stores.remove(&row.id));
        all.put_merchant(merchant_of(row, keys.unwrap_or_default(), stores.unwrap_or_default())?);
    }
    for row in api_key::Entity::find().all(read).await? {
        all.put_api_key(ApiKey::of(row)?);
    }
    Ok(all)
}

/// One merchant with its stores and keys, as they stand now.
pub(super) async fn merchant(
    read: &DatabaseConnection,
    vault: &Vault,
    id: &str,
    account: impl Fn(&str) -> Option<Arc<Account>>,
) -> anyhow::Result<Option<Merchant>> {
    // Across tenants: the id is that of a merchant just changed by its own platform.
    let Some(row) = merchant::Entity::find_by_id(id).one(read).await? else { return Ok(None) };
    let own = sign_key::Entity::find().filter(sign_key::Column::OwnerId.eq(id));
    let keys = keys(read, vault, own).await?.remove(id).unwrap_or_default();
    let mut stores = HashMap::new();
    for row in store::Entity::find().filter(store::Column::MerchantId.eq(id)).all(read).await? {
        let account = account(&row.account_id);
        let store = store_of(row, account)?;
        stores.insert(store.store_no.clone(), Arc::new(store));
    }
    merchant_of(row, keys, stores).map(Some)
}

/// One account with its keys, as it stands now.
pub(super) async fn account(
    read: &DatabaseConnection,
    vault: &Vault,
    id: &str,
) -> anyhow::Result<Option<Account>> {
    let Some(row) = account::Entity::find_by_id(id).one(read).await? else { return Ok(None) };
    let own = sign_key::Entity::find().filter(sign_key::Column::OwnerId.eq(id));
    let keys = keys(read, vault, own).await?.remove(id).unwrap_or_default();
    account_of(row, keys).map(Some)
}

pub(super) async fn api_keys(
    read: &DatabaseConnection,
    which: impl sea_orm::sea_query::IntoCondition,
) -> anyhow::Result<Vec<ApiKey>> {
    let rows = api_key::Entity::find().filter(which).all(read).await?;
    rows.into_iter().map(ApiKey::of).collect()
}

fn account_of(row: account::Model, keys: Vec<SignKey>) -> anyhow::Result<Account> {
    if keys.is_empty() {
        bail!("account {} has no sign key", row.name);
    }
    let base_url =
        Url::parse(&row.base_url).with_context(|| format!("the base URL of account {}", row.name))?;
    Ok(Account { id: row.id, base_url, partner_no: row.partner_no, numbers_of: row.numbers_of, keys })
}

fn store_of(row: store::Model, account: Option<Arc<Account>>) -> anyhow::Result<Store> {
    let account = account.with_context(|| format!("store {} has no account", row.id))?;
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
    stores: HashMap<String, Arc<Store>>,
) -> anyhow::Result<Merchant> {
    if keys.is_empty() {
        bail!("merchant {} has no sign key", row.partner_no);
    }
    let freshness = match row.freshness_mode.as_deref() {
        None => None,
        Some("enforce") => Some(Freshness::Enforce),
        Some("warn") => Some(Freshness::Warn),
        Some(other) => bail!("freshness mode {other}"),
    };
    Ok(Merchant {
        stores,
        mode: row.mode,
        suspended: row.status == "suspended",
        freshness_window: row.freshness_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
        freshness,
        allowed_addresses: networks::read(row.allowed_addresses.as_deref())
            .with_context(|| format!("the addresses of merchant {}", row.partner_no))?,
        id: row.id,
        platform_id: row.platform_id,
        partner_no: row.partner_no,
        keys,
        last_key: AtomicUsize::new(usize::MAX),
    })
}

/// Opened sign keys by owner, current version first.
async fn keys(
    read: &DatabaseConnection,
    vault: &Vault,
    of: Select<sign_key::Entity>,
) -> anyhow::Result<HashMap<String, Vec<SignKey>>> {
    let mut keys: HashMap<String, Vec<SignKey>> = HashMap::new();
    for row in of.order_by_desc(sign_key::Column::Version).all(read).await? {
        let text = vault.open(&row.id, &row.sealed)?;
        let text =
            String::from_utf8(text.to_vec()).with_context(|| format!("sign key {} is not text", row.id))?;
        let last_use = Arc::new(LastUse::new(row.last_used_at));
        let key = SignKey { id: row.id, text: Zeroizing::new(text), expires_at: row.expires_at, last_use };
        keys.entry(row.owner_id).or_default().push(key);
    }
    Ok(keys)
}
