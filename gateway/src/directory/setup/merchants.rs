//! Merchants and their stores, made with what else a description names.

use anyhow::{Context, bail, ensure};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use shared::money::Currency;

use super::{Made, MadeMerchant, MerchantDescription, StoreDescription, Workshop, number};
use crate::chance;
use crate::directory::access::Mode;
use crate::directory::networks;
use crate::entity::{merchant, store};
use crate::ledger::{RowStatement, insert_rows};

/// A sign key brought along must have at least this many characters' worth of bits.
const SHORTEST_KEY: usize = 16;

impl Workshop<'_> {
    pub(super) async fn merchant(
        &self,
        slug: &str,
        platform_id: &str,
        description: &MerchantDescription,
        accounts: &[(&str, (String, Mode))],
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> anyhow::Result<()> {
        number(&description.partner_no, "partner_no")?;
        if let Some(key) = &description.sign_key {
            ensure!(
                key.len() >= SHORTEST_KEY,
                "sign_key must have at least 128 bits: {SHORTEST_KEY} characters or more"
            );
        }
        let allowed = networks::parse(&description.allowed_addresses).context("allowed_addresses")?;
        let found = merchant::Entity::find()
            .filter(merchant::Column::PlatformId.eq(platform_id))
            .filter(merchant::Column::PartnerNo.eq(&description.partner_no))
            .one(self.read)
            .await?;
        let merchant_id = match found {
            Some(row) => row.id,
            None => self.new_merchant(slug, platform_id, description, networks::write(&allowed), made, rows),
        };
        for store in &description.store {
            let Some((_, (account_id, mode))) = accounts.iter().find(|(name, _)| *name == store.account)
            else {
                bail!("store {}: there is no account {} in this platform", store.store_no, store.account);
            };
            ensure!(
                *mode == description.mode,
                "store {}: a {} merchant cannot have a store of a {} account",
                store.store_no,
                description.mode.as_str(),
                mode.as_str()
            );
            self.store(platform_id, &merchant_id, account_id, store, made, rows)
                .await
                .with_context(|| format!("store {}", store.store_no))?;
        }
        Ok(())
    }

    fn new_merchant(
        &self,
        slug: &str,
        platform_id: &str,
        description: &MerchantDescription,
        allowed_addresses: Option<String>,
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> String {
        let row = merchant::Model {
            id: self.chance.id(),
            platform_id: platform_id.to_owned(),
            partner_no: description.partner_no.clone(),
            reference: None,
            name: description.name.clone(),
            mode: description.mode,
            status: "active".into(),
            freshness_ms: None,
            freshness_mode: None,
            created_at: self.now,
            version: 1,
            offboarded_at: None,
            allowed_addresses,
            limit_count: None,
            limit_window_ms: None,
            reference_pattern: None,
        };
        let id = row.id.clone();
        rows.push(insert_rows::<merchant::Entity>(&[row]));
        let brought = description.sign_key.clone();
        let key = brought.clone().unwrap_or_else(chance::sign_key);
        rows.push(self.sign_key("merchant", &id, &key));
        made.merchants.push(MadeMerchant {
            platform: slug.to_owned(),
            partner_no: description.partner_no.clone(),
            sign_key: brought.is_none().then_some(key),
        });
        id
    }

    async fn store(
        &self,
        platform_id: &str,
        merchant_id: &str,
        account_id: &str,
        description: &StoreDescription,
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> anyhow::Result<()> {
        number(&description.store_no, "store_no")?;
        number(&description.upstream_store_no, "upstream_store_no")?;
        ensure!(
            Currency::parse(&description.currency).is_some(),
            "currency must be an ISO 4217 code such as HKD"
        );
        ensure!(
            !description.wallets.is_empty(),
            "wallets must name at least one of Wechat, Alipay, AlipayHK"
        );
        let found = store::Entity::find()
            .filter(store::Column::MerchantId.eq(merchant_id))
            .filter(store::Column::StoreNo.eq(&description.store_no))
            .one(self.read)
            .await?;
        if found.is_some() {
            return Ok(());
        }
        let claimed = store::Entity::find()
            .filter(store::Column::AccountId.eq(account_id))
            .filter(store::Column::UpstreamStoreNo.eq(&description.upstream_store_no))
            .one(self.read)
            .await?;
        ensure!(
            claimed.is_none(),
            "the account's store {} belongs to a store already",
            description.upstream_store_no
        );
        let wallets: Vec<&str> = description.wallets.iter().map(|wallet| wallet.as_str()).collect();
        rows.push(insert_rows::<store::Entity>(&[store::Model {
            id: self.chance.id(),
            platform_id: platform_id.to_owned(),
            merchant_id: merchant_id.to_owned(),
            account_id: account_id.to_owned(),
            store_no: description.store_no.clone(),
            upstream_store_no: description.upstream_store_no.clone(),
            currency: description.currency.clone(),
            wallets: wallets.join(","),
            time_zone: description.time_zone.clone(),
            late_payment: "tell".into(),
            status: "active".into(),
            created_at: self.now,
            version: 1,
            limit_count: None,
            limit_window_ms: None,
        }]));
        made.stores.push(description.store_no.clone());
        Ok(())
    }
}
