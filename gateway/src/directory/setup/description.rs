//! What a description says: who there should be.

use serde::Deserialize;
use shared::wallet::Wallet;

use crate::directory::access::Mode;
use crate::directory::operators::Role;

/// Read a description. Errors name a line and do not show it: it may hold a sign key or a password.
pub fn read(text: &str) -> anyhow::Result<Description> {
    toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let (number, start) = (before.matches('\n').count() + 1, before.rfind('\n').map_or(0, |end| end + 1));
        let line = text[start..].trim_start();
        let what = if ["sign_key", "password"].iter().any(|secret| line.starts_with(secret)) {
            "this is not text in quotes"
        } else {
            error.message()
        };
        anyhow::anyhow!("line {number}: {what}")
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    #[serde(default)]
    pub platform: Vec<PlatformDescription>,
    #[serde(default)]
    pub operator: Vec<OperatorDescription>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformDescription {
    pub slug: String,
    pub name: Option<String>,
    #[serde(default)]
    pub account: Vec<AccountDescription>,
    #[serde(default)]
    pub merchant: Vec<MerchantDescription>,
    /// Keys for the REST API, known by their names. A new platform without any gets one for testing.
    #[serde(default)]
    pub api_key: Vec<ApiKeyDescription>,
}

impl PlatformDescription {
    /// Nothing but the platform itself.
    pub fn bare(slug: String, name: Option<String>) -> Self {
        Self { slug, name, account: Vec::new(), merchant: Vec::new(), api_key: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountDescription {
    pub name: String,
    pub base_url: String,
    pub partner_no: String,
    pub sign_key: String,
    /// The merchant, by its partner number, whose orders go upstream under its own numbers.
    pub numbers_of: Option<String>,
}

impl std::fmt::Debug for AccountDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountDescription").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MerchantDescription {
    pub name: String,
    pub partner_no: String,
    pub mode: Mode,
    /// Absent: made, and shown once.
    pub sign_key: Option<String>,
    /// Addresses and networks from which its signed requests are taken; absent or empty: from everywhere.
    #[serde(default)]
    pub allowed_addresses: Vec<String>,
    #[serde(default)]
    pub store: Vec<StoreDescription>,
}

impl std::fmt::Debug for MerchantDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MerchantDescription").field("partner_no", &self.partner_no).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreDescription {
    pub store_no: String,
    pub account: String,
    pub upstream_store_no: String,
    pub currency: String,
    pub wallets: Vec<Wallet>,
    #[serde(default = "hong_kong")]
    pub time_zone: String,
}

fn hong_kong() -> String {
    "Asia/Hong_Kong".into()
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyDescription {
    pub name: String,
    pub mode: Mode,
    /// Absent: made, and shown once.
    pub key: Option<String>,
}

impl std::fmt::Debug for ApiKeyDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKeyDescription").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatorDescription {
    pub name: String,
    pub password: String,
    #[serde(default = "admin")]
    pub role: Role,
    /// The slug of the one platform in scope; absent: all.
    pub platform: Option<String>,
}

fn admin() -> Role {
    Role::Admin
}

impl std::fmt::Debug for OperatorDescription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorDescription").field("name", &self.name).finish_non_exhaustive()
    }
}
