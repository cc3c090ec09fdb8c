//! Making what a description names and the store lacks: platforms, accounts, merchants, stores and operators.
//! Used by `scangate apply` and by the demo's first start. What is there already is left as it is.

mod api_keys;
mod description;
mod merchants;
mod operators;

use anyhow::{Context, ensure};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::access::Mode;
use super::acts::{self, Act, Actor};
use super::change::{Refresh, count};
use super::operators::password::Passwords;
use super::vault::Vault;
use super::versions;
use crate::app::App;
use crate::chance::Chance;
use crate::config;
use crate::entity::{account, merchant, platform, sign_key};
use crate::ledger::{Lane, Ledger, RowStatement, insert_rows};
pub use api_keys::MadeApiKey;
pub use description::{
    AccountDescription, ApiKeyDescription, Description, MerchantDescription, OperatorDescription,
    PlatformDescription, StoreDescription, read,
};

/// What was made. The only place a made sign key is ever shown.
#[derive(Default, Serialize, Deserialize)]
pub struct Made {
    pub platforms: Vec<String>,
    pub accounts: Vec<String>,
    pub merchants: Vec<MadeMerchant>,
    pub api_keys: Vec<MadeApiKey>,
    pub stores: Vec<String>,
    pub operators: Vec<String>,
}

impl Made {
    fn is_nothing(&self) -> bool {
        let names = [&self.platforms, &self.accounts, &self.stores, &self.operators];
        names.iter().all(|names| names.is_empty()) && self.merchants.is_empty() && self.api_keys.is_empty()
    }

    /// What was made, without its secrets.
    fn summary(&self) -> Value {
        let merchants: Vec<&str> = self.merchants.iter().map(|made| made.partner_no.as_str()).collect();
        let api_keys: Vec<&str> = self.api_keys.iter().map(|made| made.name.as_str()).collect();
        json!({
            "platforms": self.platforms, "accounts": self.accounts, "merchants": merchants,
            "apiKeys": api_keys, "stores": self.stores, "operators": self.operators,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub struct MadeMerchant {
    pub platform: String,
    pub partner_no: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_key: Option<String>,
}

/// What making needs of the gateway.
pub struct Workshop<'a> {
    read: &'a DatabaseConnection,
    ledger: &'a Ledger,
    vault: &'a Vault,
    chance: &'a Chance,
    passwords: &'a Passwords,
    by: Actor,
    now: i64,
    upstream: &'a config::Upstream,
}

impl<'a> Workshop<'a> {
    /// For whoever runs a command on this machine.
    pub fn of(app: &'a App) -> Self {
        Self::by(app, Actor::Command)
    }

    pub fn by(app: &'a App, by: Actor) -> Self {
        Self {
            read: &app.store.read,
            ledger: &app.ledger,
            vault: &app.vault,
            chance: &app.chance,
            passwords: &app.passwords,
            by,
            now: app.clock.now_ms(),
            upstream: &app.config.upstream,
        }
    }

    /// Make what is missing, all of it or nothing.
    pub async fn make(&self, description: &Description) -> anyhow::Result<Made> {
        let mut made = Made::default();
        let mut rows = Vec::new();
        let mut platforms = Vec::new();
        for platform in &description.platform {
            let id = self
                .platform(platform, &mut made, &mut rows)
                .await
                .with_context(|| format!("platform {}", platform.slug))?;
            platforms.push((platform.slug.as_str(), id));
        }
        for operator in &description.operator {
            self.operator(operator, &platforms, &mut made, &mut rows)
                .await
                .with_context(|| format!("operator {}", operator.name))?;
        }
        if !made.is_nothing() {
            let act = Act { action: "directory.made", after: Some(made.summary()), ..Act::default() };
            rows.push(acts::entry(&self.by, act, self.chance, self.now));
        }
        if !rows.is_empty() {
            let rows = versions::counted(rows, &[Refresh::Everybody]);
            self.ledger.room(Lane::Bulk, "directory")?.rows(rows).await?;
        }
        Ok(made)
    }

    async fn platform(
        &self,
        description: &PlatformDescription,
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> anyhow::Result<String> {
        let slug = &description.slug;
        check_slug(slug)?;
        let found = platform::Entity::find().filter(platform::Column::Slug.eq(slug)).one(self.read).await?;
        let mut api_keys = description.api_key.clone();
        if found.is_none() && api_keys.is_empty() {
            api_keys.push(ApiKeyDescription { name: "first".to_owned(), mode: Mode::Test, key: None });
        }
        let platform_id = match found {
            Some(row) => row.id,
            None => self.new_platform(description, made, rows),
        };
        rows.push(count(&platform_id));
        for key in &api_keys {
            self.api_key(slug, &platform_id, key, made, rows).await?;
        }
        let mut accounts = Vec::new();
        for account in &description.account {
            let id = self
                .account(&platform_id, account, made, rows)
                .await
                .with_context(|| format!("account {}", account.name))?;
            accounts.push((account.name.as_str(), id));
        }
        for merchant in &description.merchant {
            self.merchant(slug, &platform_id, merchant, &accounts, made, rows)
                .await
                .with_context(|| format!("merchant {}", merchant.partner_no))?;
        }
        for (account, (_, (id, _))) in description.account.iter().zip(&accounts) {
            if let Some(partner_no) = &account.numbers_of {
                ensure!(
                    description.merchant.iter().any(|merchant| merchant.partner_no == *partner_no),
                    "account {}: numbers_of names no merchant of this description",
                    account.name
                );
                rows.push(send_numbers_of(id, &platform_id, partner_no));
            }
        }
        Ok(platform_id)
    }

    fn new_platform(
        &self,
        description: &PlatformDescription,
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> String {
        let slug = &description.slug;
        let row = platform::Model {
            id: self.chance.id(),
            slug: slug.clone(),
            name: description.name.clone().unwrap_or_else(|| slug.clone()),
            created_at: self.now,
            changes: 0,
            limit_count: None,
            limit_window_ms: None,
        };
        let id = row.id.clone();
        rows.push(insert_rows::<platform::Entity>(&[row]));
        made.platforms.push(slug.clone());
        id
    }

    async fn account(
        &self,
        platform_id: &str,
        description: &AccountDescription,
        made: &mut Made,
        rows: &mut Vec<RowStatement>,
    ) -> anyhow::Result<(String, Mode)> {
        let base_url = description.base_url.trim_end_matches('/');
        let url = Url::parse(base_url).with_context(|| format!("base_url {base_url}"))?;
        let mode = self.upstream.mode_of(&url).with_context(|| {
            format!(
                "base_url {base_url} is among neither upstream.allowed_base_urls nor upstream.sandbox_base_urls"
            )
        })?;
        number(&description.partner_no, "partner_no")?;
        ensure!(!description.sign_key.is_empty(), "sign_key is empty");
        let found = account::Entity::find()
            .filter(account::Column::PlatformId.eq(platform_id))
            .filter(account::Column::Name.eq(&description.name))
            .one(self.read)
            .await?;
        if let Some(row) = found {
            return Ok((row.id, mode));
        }
        let row = account::Model {
            id: self.chance.id(),
            platform_id: platform_id.to_owned(),
            name: description.name.clone(),
            base_url: base_url.to_owned(),
            partner_no: description.partner_no.clone(),
            created_at: self.now,
            version: 1,
            mode,
            numbers_of: None,
            limit_count: None,
            limit_window_ms: None,
            notice_hash: None,
            notice_made_at: None,
        };
        let id = row.id.clone();
        rows.push(insert_rows::<account::Entity>(&[row]));
        rows.push(self.sign_key("account", &id, &description.sign_key));
        made.accounts.push(description.name.clone());
        Ok((id, mode))
    }

    fn sign_key(&self, owner_kind: &str, owner_id: &str, key: &str) -> RowStatement {
        let id = self.chance.id();
        let sealed = self.vault.seal(&id, key.as_bytes());
        insert_rows::<sign_key::Entity>(&[sign_key::Model {
            sealed: sealed.bytes,
            id,
            owner_kind: owner_kind.to_owned(),
            owner_id: owner_id.to_owned(),
            version: 1,
            master_key_id: sealed.master_key_id,
            created_at: self.now,
            expires_at: None,
            last_used_at: None,
        }])
    }
}

/// Numbers as ScanForPay issues them: up to 15 characters without blanks.
fn number(text: &str, name: &str) -> anyhow::Result<()> {
    let fits = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    ensure!(fits, "{name} must be 1 to 15 characters without blanks");
    Ok(())
}

/// From now on an account's orders of this merchant go upstream under the merchant's numbers.
fn send_numbers_of(account_id: &str, platform_id: &str, partner_no: &str) -> RowStatement {
    use sea_orm::sea_query::{Expr, ExprTrait, Query};
    let merchant = Query::select()
        .column(merchant::Column::Id)
        .from(merchant::Entity)
        .and_where(Expr::col(merchant::Column::PlatformId).eq(platform_id))
        .and_where(Expr::col(merchant::Column::PartnerNo).eq(partner_no))
        .to_owned();
    let update = Query::update()
        .table(account::Entity)
        .value(account::Column::NumbersOf, Expr::SubQuery(None, Box::new(merchant.into())))
        .and_where(Expr::col(account::Column::Id).eq(account_id))
        .to_owned();
    RowStatement::Update(update)
}

/// A platform's short name, which is part of its routes.
pub fn check_slug(slug: &str) -> anyhow::Result<()> {
    ensure!(
        (1..=40).contains(&slug.len())
            && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        "the slug must be 1 to 40 of a-z, 0-9 and -"
    );
    ensure!(
        !["api", "callback", "docs", "health", "v1"].contains(&slug),
        "the slug {slug} is a route of the gateway itself"
    );
    Ok(())
}
