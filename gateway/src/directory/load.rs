//! Reading the directory from the store: everybody at the start, one of them after a change.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, Select};
use shared::money::Currency;
use shared::wallet::Wallet;
use url::Url;
use zeroize::Zeroizing;

use super::api_keys::ApiKey;
use super::endpoints::Endpoint;
use super::everybody::Everybody;
use super::merchants::OwnFreshness;
use super::networks;
use super::references;
use super::usage::LastUse;
use super::vault::Vault;
use super::{Account, Directory, Merchant, Platform, SignKey, Store};
use crate::config;
use crate::entity::{account, api_key, endpoint, endpoint_secret, merchant, platform, sign_key, store};
use crate::limits::{Limits, Quota};

/// What is needed to read them.
pub(super) struct Source<'a> {
    pub read: &'a DatabaseConnection,
    pub vault: &'a Vault,
    /// Knows the buckets that are in use.
    pub limits: &'a Limits,
    pub upstream: &'a config::Upstream,
}

pub(super) async fn everybody(source: &Source<'_>) -> anyhow::Result<Everybody> {
    let read = source.read;
    let mut keys = keys(source, sign_key::Entity::find()).await?;
    let mut all = Everybody::default();
    for row in account::Entity::find().all(read).await? {
        let keys = keys.remove(&row.id).unwrap_or_default();
        let account = account_of(row, keys, source)?;
        all.accounts.insert(account.id.clone(), Arc::new(account));
    }
    for row in platform::Entity::find().all(read).await? {
        let own = own_quota("platform", &row.id, row.limit_count, row.limit_window_ms);
        let bucket = source.limits.platform_bucket(&row.id, own);
        all.platforms.insert(row.id.clone(), Arc::new(Platform { id: row.id, slug: row.slug, bucket }));
    }
    let mut stores: HashMap<String, Vec<store::Model>> = HashMap::new();
    for row in store::Entity::find().all(read).await? {
        stores.entry(row.merchant_id.clone()).or_default().push(row);
    }
    for row in merchant::Entity::find().all(read).await? {
        let platform = all.platforms.get(&row.platform_id).cloned();
        let keys = keys.remove(&row.id).unwrap_or_default();
        let mut merchant = merchant_of(row, platform, keys, source.limits)?;
        for row in stores.remove(&merchant.id).unwrap_or_default() {
            let account = all.accounts.get(&row.account_id).cloned();
            put_store(&mut merchant, row, account, source.limits)?;
        }
        all.put_merchant(merchant);
    }
    let mut secrets: HashMap<String, Vec<endpoint_secret::Model>> = HashMap::new();
    for row in endpoint_secret::Entity::find().all(read).await? {
        secrets.entry(row.endpoint_id.clone()).or_default().push(row);
    }
    for row in endpoint::Entity::registered_across_tenants().all(read).await? {
        let (id, secrets) = (row.id.clone(), secrets.remove(&row.id).unwrap_or_default());
        all.put_endpoint(&id, Some(Endpoint::read(row, secrets, source.vault, source.limits)?));
    }
    for row in api_key::Entity::find().all(read).await? {
        all.put_api_key(ApiKey::of(row, source.limits)?);
    }
    Ok(all)
}

/// One merchant with its stores and keys, as they stand now.
pub(super) async fn merchant(
    source: &Source<'_>,
    id: &str,
    known: &Directory,
) -> anyhow::Result<Option<Merchant>> {
    let read = source.read;
    // Across tenants: the id is that of a merchant just changed by its own platform.
    let Some(row) = merchant::Entity::find_by_id(id).one(read).await? else { return Ok(None) };
    let own = sign_key::Entity::find().filter(sign_key::Column::OwnerId.eq(id));
    let keys = keys(source, own).await?.remove(id).unwrap_or_default();
    let platform = known.platform_by_id(&row.platform_id);
    let mut merchant = merchant_of(row, platform, keys, source.limits)?;
    for row in store::Entity::find().filter(store::Column::MerchantId.eq(id)).all(read).await? {
        let account = known.account(&row.account_id);
        put_store(&mut merchant, row, account, source.limits)?;
    }
    Ok(Some(merchant))
}

/// One account with its keys, as it stands now.
pub(super) async fn account(source: &Source<'_>, id: &str) -> anyhow::Result<Option<Account>> {
    let Some(row) = account::Entity::find_by_id(id).one(source.read).await? else { return Ok(None) };
    let own = sign_key::Entity::find().filter(sign_key::Column::OwnerId.eq(id));
    let keys = keys(source, own).await?.remove(id).unwrap_or_default();
    account_of(row, keys, source).map(Some)
}

/// A registered endpoint with its secrets, as it stands now.
pub(super) async fn endpoint(source: &Source<'_>, id: &str) -> anyhow::Result<Option<Endpoint>> {
    let found = endpoint::Entity::registered_across_tenants().filter(endpoint::Column::Id.eq(id));
    let Some(row) = found.one(source.read).await? else { return Ok(None) };
    let own = endpoint_secret::Entity::find().filter(endpoint_secret::Column::EndpointId.eq(id));
    Endpoint::read(row, own.all(source.read).await?, source.vault, source.limits).map(Some)
}

pub(super) async fn api_keys(
    source: &Source<'_>,
    which: impl sea_orm::sea_query::IntoCondition,
) -> anyhow::Result<Vec<ApiKey>> {
    let rows = api_key::Entity::find().filter(which).all(source.read).await?;
    rows.into_iter().map(|row| ApiKey::of(row, source.limits)).collect()
}

/// A quota of a row's own. One that cannot be read must not keep everybody from being served.
fn own_quota(kind: &str, id: &str, count: Option<i64>, window_ms: Option<i64>) -> Option<Quota> {
    Quota::of_columns(count, window_ms).unwrap_or_else(|error| {
        tracing::error!(kind, id, %error, "a limit of its own is not one; the gateway's holds");
        None
    })
}

/// Why an account may place no orders: what was allowed when it was made is so no more. All else goes on under it.
fn bar(row: &account::Model, base_url: &Url, upstream: &config::Upstream) -> Option<&'static str> {
    match upstream.mode_of(base_url) {
        Some(mode) if mode == row.mode => None,
        Some(_) => Some("its base URL is one of the other mode now"),
        None => Some(
            "its base URL is among neither upstream.allowed_base_urls nor upstream.sandbox_base_urls any more",
        ),
    }
}

fn account_of(row: account::Model, keys: Vec<SignKey>, source: &Source<'_>) -> anyhow::Result<Account> {
    if keys.is_empty() {
        bail!("account {} has no sign key", row.name);
    }
    let base_url =
        Url::parse(&row.base_url).with_context(|| format!("the base URL of account {}", row.name))?;
    let own = own_quota("account", &row.id, row.limit_count, row.limit_window_ms);
    let budget = source.limits.account_budget(&row.platform_id, &row.id, own);
    let barred = bar(&row, &base_url, source.upstream);
    let (partner_no, numbers_of) = (row.partner_no, row.numbers_of);
    Ok(Account { id: row.id, base_url, partner_no, numbers_of, keys, budget, barred })
}

fn put_store(
    merchant: &mut Merchant,
    row: store::Model,
    account: Option<Arc<Account>>,
    limits: &Limits,
) -> anyhow::Result<()> {
    let account = account.with_context(|| format!("store {} has no account", row.id))?;
    let wallets =
        row.wallets.split(',').map(|name| Wallet::parse(name).with_context(|| format!("wallet {name}")));
    let own = own_quota("store", &row.id, row.limit_count, row.limit_window_ms);
    let bucket = limits.store_bucket(&merchant.platform_id, &merchant.bucket, &row.id, own);
    let store = Store {
        currency: Currency::parse(&row.currency).with_context(|| format!("currency {}", row.currency))?,
        zone: TimeZone::get(&row.time_zone).with_context(|| format!("time zone {}", row.time_zone))?,
        wallets: wallets.collect::<anyhow::Result<_>>()?,
        enabled: row.status == "active",
        refunds_late: row.late_payment == "refund",
        id: row.id,
        store_no: row.store_no,
        upstream_store_no: row.upstream_store_no,
        account,
        bucket,
    };
    merchant.stores.insert(store.store_no.clone(), Arc::new(store));
    Ok(())
}

fn merchant_of(
    row: merchant::Model,
    platform: Option<Arc<Platform>>,
    keys: Vec<SignKey>,
    limits: &Limits,
) -> anyhow::Result<Merchant> {
    if keys.is_empty() {
        bail!("merchant {} has no sign key", row.partner_no);
    }
    let platform = platform.with_context(|| format!("merchant {} has no platform", row.partner_no))?;
    let own = own_quota("merchant", &row.id, row.limit_count, row.limit_window_ms);
    let bucket = limits.merchant_bucket(&platform, &row.id, own);
    let selfchecks = limits.merchant_selfchecks(&platform.id, &row.id);
    let freshness = OwnFreshness::of(&row);
    let reference_pattern = row.reference_pattern.as_deref().and_then(|text| {
        let wrong = |error| tracing::error!(merchant = %row.id, error, "a reference pattern is not used");
        references::pattern(text).map_err(wrong).ok()
    });
    Ok(Merchant {
        stores: HashMap::new(),
        mode: row.mode,
        suspended: row.status == "suspended",
        freshness_window: freshness.window,
        freshness: freshness.mode,
        allowed_addresses: networks::read(row.allowed_addresses.as_deref())
            .with_context(|| format!("the addresses of merchant {}", row.partner_no))?,
        reference_pattern,
        id: row.id,
        platform_id: row.platform_id,
        platform,
        bucket,
        selfchecks,
        partner_no: row.partner_no,
        keys,
        last_key: AtomicUsize::new(usize::MAX),
    })
}

/// Opened sign keys by owner, current version first.
async fn keys(
    source: &Source<'_>,
    of: Select<sign_key::Entity>,
) -> anyhow::Result<HashMap<String, Vec<SignKey>>> {
    let mut keys: HashMap<String, Vec<SignKey>> = HashMap::new();
    for row in of.order_by_desc(sign_key::Column::Version).all(source.read).await? {
        let text = source.vault.open(&row.master_key_id, &row.id, &row.sealed)?;
        let text =
            String::from_utf8(text.to_vec()).with_context(|| format!("sign key {} is not text", row.id))?;
        let last_use = Arc::new(LastUse::new(row.last_used_at));
        let key = SignKey { id: row.id, text: Zeroizing::new(text), expires_at: row.expires_at, last_use };
        keys.entry(row.owner_id).or_default().push(key);
    }
    Ok(keys)
}
