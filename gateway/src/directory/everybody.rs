//! Everybody in memory, and putting somebody in who was looked at anew without losing what this process has seen of
//! them.

use std::collections::HashMap;
use std::sync::Arc;

use super::api_keys::{ApiKey, KeyHash};
use super::endpoints::Endpoint;
use super::{Account, Merchant, Platform, take_over};

/// Everybody, as last looked at in the store.
#[derive(Default)]
pub(super) struct Everybody {
    pub platforms: HashMap<String, Arc<Platform>>,
    /// By the platform's slug and partnerNo.
    pub by_partner_no: HashMap<String, HashMap<String, Arc<Merchant>>>,
    pub merchants: HashMap<String, Arc<Merchant>>,
    pub accounts: HashMap<String, Arc<Account>>,
    /// Registered ones.
    pub endpoints: HashMap<String, Arc<Endpoint>>,
    /// Their ids, by their owners'.
    pub owned_endpoints: HashMap<String, Vec<String>>,
    pub api_keys: HashMap<KeyHash, Arc<ApiKey>>,
    /// By their ids.
    pub key_hashes: HashMap<String, KeyHash>,
}

impl Everybody {
    pub fn put_merchant(&mut self, merchant: Merchant) {
        if let Some(before) = self.merchants.get(&merchant.id) {
            merchant.take_over(before);
        }
        let merchant = Arc::new(merchant);
        let of_platform = self.by_partner_no.entry(merchant.platform.slug.clone()).or_default();
        of_platform.insert(merchant.partner_no.clone(), Arc::clone(&merchant));
        self.merchants.insert(merchant.id.clone(), merchant);
    }

    /// An account, and the merchants that have stores of it.
    pub fn put_account(&mut self, account: Account) {
        if let Some(before) = self.accounts.get(&account.id) {
            take_over(&account.keys, &before.keys);
        }
        let account = Arc::new(account);
        let concerned = self.merchants.values().filter_map(|merchant| merchant.with(&account));
        for merchant in concerned.collect::<Vec<_>>() {
            self.put_merchant(merchant);
        }
        self.accounts.insert(account.id.clone(), account);
    }

    /// As it is now; `None`: it is no more.
    pub fn put_endpoint(&mut self, id: &str, endpoint: Option<Endpoint>) {
        if let Some(before) = self.endpoints.remove(id)
            && let Some(owned) = self.owned_endpoints.get_mut(before.owner_id())
        {
            owned.retain(|owned| owned != id);
        }
        if let Some(endpoint) = endpoint {
            let owned = self.owned_endpoints.entry(endpoint.owner_id().to_owned()).or_default();
            owned.push(id.to_owned());
            self.endpoints.insert(id.to_owned(), Arc::new(endpoint));
        }
    }

    pub fn endpoints_of(&self, owner_id: &str) -> Vec<Arc<Endpoint>> {
        let ids = self.owned_endpoints.get(owner_id).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.endpoints.get(id).cloned()).collect()
    }

    pub fn put_api_key(&mut self, key: ApiKey) {
        if let Some(before) = self.api_keys.get(&key.hash) {
            key.last_use.take_over(&before.last_use);
        }
        self.key_hashes.insert(key.id.clone(), key.hash);
        self.api_keys.insert(key.hash, Arc::new(key));
    }

    /// Keep what this process has seen of those that were there before.
    pub fn take_over(&self, before: &Self) {
        for (id, merchant) in &self.merchants {
            if let Some(before) = before.merchants.get(id) {
                merchant.take_over(before);
            }
        }
        for (id, account) in &self.accounts {
            if let Some(before) = before.accounts.get(id) {
                take_over(&account.keys, &before.keys);
            }
        }
        for (hash, key) in &self.api_keys {
            if let Some(before) = before.api_keys.get(hash) {
                key.last_use.take_over(&before.last_use);
            }
        }
    }

    /// Whether an account may place no orders that might before, or was not there.
    pub fn is_newly_barred(&self, account: &Account) -> bool {
        let before = self.accounts.get(&account.id);
        account.barred.is_some() && before.is_none_or(|before| before.barred.is_none())
    }

    /// Those that are there when the server starts are told of by it: a command has nothing to do with them.
    pub fn tell_newly_barred(&self, before: &Self) {
        if before.accounts.is_empty() {
            return;
        }
        let newly = self.accounts.values().filter(|account| before.is_newly_barred(account));
        newly.for_each(|account| account.tell_barred());
    }
}
