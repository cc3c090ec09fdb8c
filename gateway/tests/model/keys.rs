//! Sign keys that are replaced while everything goes on: the merchants', and the account's.

use gateway::directory::proof;
use serde_json::{Value, json};

use super::Play;
use crate::harness::people::upstream_partner;
use crate::harness::{PLATFORM, UPSTREAM_HKD_STORE};

/// Longer than any history: what was signed in it verifies in it.
const OVERLAP_HOURS: u32 = 2_160;

impl Play {
    pub(super) async fn rotate_merchant_key(&mut self, merchant: usize) {
        // A second rotation ends the version before the one before it.
        self.change_key(merchant);
        let partner_no = self.merchants[merchant].partner_no;
        let id = self.stage.app().directory.merchant(PLATFORM, partner_no).expect("it is there").id.clone();
        let path = format!("/v1/merchants/{id}/sign-keys");
        let made = self.stage.post(&path, json!({ "previousForHours": OVERLAP_HOURS })).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let key = made.json()["signKey"]["secret"].as_str().expect("shown once").to_owned();
        self.merchants[merchant].keys.push(key.clone());
        self.merchants[merchant].next_key = Some(key);
        self.reload_second().await;
    }

    /// Its system has the new key, if there is one.
    pub(super) fn change_key(&mut self, merchant: usize) {
        let merchant = &mut self.merchants[merchant];
        if let Some(key) = merchant.next_key.take() {
            merchant.shop.set_sign_key(&key);
            merchant.key = key;
        }
    }

    pub(super) async fn rotate_account_key(&mut self) {
        let key = gateway::chance::secret_text();
        let path = format!("/v1/accounts/{}/sign-keys", self.stage.account_id());
        let body = json!({ "signKey": key, "previousForHours": OVERLAP_HOURS });
        let made = self.stage.post(&path, body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        self.reload_second().await;
        self.upstream().set_partner(upstream_partner(&key)).expect("the upstream knows it");
        self.has_rotated = true;
        self.know_account_key().await;
    }

    /// Which version the upstream takes is found out by a question, by each gateway for itself.
    pub(super) async fn know_account_key(&self) {
        if !self.has_rotated {
            return;
        }
        let path = format!("/v1/stores/{}/check", self.stage.store_id());
        let checked = self.stage.post(&path, Value::Null).await.json();
        assert_eq!(checked["result"], "key_proven", "{checked}");
        if let Some(second) = &self.second {
            let account = second.app.directory.account(&self.stage.account_id()).expect("it is there");
            proof::ask(&second.app, &account, Some(UPSTREAM_HKD_STORE)).await.expect("it is asked");
        }
    }

    /// As it does by itself after a while, or at once where the gateways share a Redis.
    async fn reload_second(&self) {
        if let Some(second) = &self.second {
            let app = &second.app;
            app.directory.reload(&app.store.read, &app.vault).await.expect("everybody is loaded");
        }
    }
}
