//! Who calls the REST API and what they may do: tenant, mode and scopes of a caller whose credential was proven.
//! How API keys prove it is in `api_keys`.

use std::net::IpAddr;

use poem_openapi::Enum;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::tokens::TokenError;
use crate::error::Error;

/// Real money, or a sandbox. Merchants, accounts and keys are one or the other, and see only their own kind.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum, Enum,
)]
#[serde(rename_all = "lowercase")]
#[oai(rename_all = "lowercase")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Mode {
    Live,
    Test,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// Whose data a caller reaches. Every finder takes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// A platform with all its merchants.
    Platform { platform_id: String },
    /// One merchant.
    Merchant { platform_id: String, merchant_id: String },
}

impl Tenant {
    pub fn new(platform_id: &str, merchant_id: Option<&str>) -> Self {
        let platform_id = platform_id.to_owned();
        match merchant_id {
            Some(merchant_id) => Self::Merchant { platform_id, merchant_id: merchant_id.to_owned() },
            None => Self::Platform { platform_id },
        }
    }

    pub fn platform_id(&self) -> &str {
        match self {
            Self::Platform { platform_id } | Self::Merchant { platform_id, .. } => platform_id,
        }
    }

    pub fn merchant_id(&self) -> Option<&str> {
        match self {
            Self::Platform { .. } => None,
            Self::Merchant { merchant_id, .. } => Some(merchant_id),
        }
    }

    /// Whether this merchant's data is the tenant's; the merchant is known to be of the tenant's platform.
    pub fn covers(&self, merchant_id: Option<&str>) -> bool {
        self.merchant_id().is_none_or(|own| merchant_id == Some(own))
    }
}

/// One thing that a credential may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enum)]
pub enum Scope {
    #[oai(rename = "accounts:read")]
    AccountsRead,
    #[oai(rename = "accounts:write")]
    AccountsWrite,
    #[oai(rename = "merchants:read")]
    MerchantsRead,
    #[oai(rename = "merchants:write")]
    MerchantsWrite,
    #[oai(rename = "stores:read")]
    StoresRead,
    #[oai(rename = "stores:write")]
    StoresWrite,
    #[oai(rename = "keys:read")]
    KeysRead,
    #[oai(rename = "keys:write")]
    KeysWrite,
    #[oai(rename = "orders:read")]
    OrdersRead,
    #[oai(rename = "orders:write")]
    OrdersWrite,
    #[oai(rename = "refunds:write")]
    RefundsWrite,
    #[oai(rename = "events:read")]
    EventsRead,
    #[oai(rename = "replays:write")]
    ReplaysWrite,
    #[oai(rename = "audit:read")]
    AuditRead,
    #[oai(rename = "facts:read")]
    FactsRead,
    #[oai(rename = "facts:write")]
    FactsWrite,
    #[oai(rename = "attention:read")]
    AttentionRead,
    #[oai(rename = "endpoints:write")]
    EndpointsWrite,
}

impl Scope {
    pub const ALL: [Self; 18] = [
        Self::AccountsRead,
        Self::AccountsWrite,
        Self::MerchantsRead,
        Self::MerchantsWrite,
        Self::StoresRead,
        Self::StoresWrite,
        Self::KeysRead,
        Self::KeysWrite,
        Self::OrdersRead,
        Self::OrdersWrite,
        Self::RefundsWrite,
        Self::EventsRead,
        Self::ReplaysWrite,
        Self::AuditRead,
        Self::FactsRead,
        Self::FactsWrite,
        Self::AttentionRead,
        Self::EndpointsWrite,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
            Self::MerchantsRead => "merchants:read",
            Self::MerchantsWrite => "merchants:write",
            Self::StoresRead => "stores:read",
            Self::StoresWrite => "stores:write",
            Self::KeysRead => "keys:read",
            Self::KeysWrite => "keys:write",
            Self::OrdersRead => "orders:read",
            Self::OrdersWrite => "orders:write",
            Self::RefundsWrite => "refunds:write",
            Self::EventsRead => "events:read",
            Self::ReplaysWrite => "replays:write",
            Self::AuditRead => "audit:read",
            Self::FactsRead => "facts:read",
            Self::FactsWrite => "facts:write",
            Self::AttentionRead => "attention:read",
            Self::EndpointsWrite => "endpoints:write",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Whether a merchant's own credential may have it. Accounts, merchants and stores are its platform's, and so is
    /// what ScanForPay said that differs, and what waits for a person.
    pub fn is_for_merchants(self) -> bool {
        !matches!(
            self,
            Self::AccountsRead
                | Self::AccountsWrite
                | Self::MerchantsWrite
                | Self::StoresWrite
                | Self::FactsRead
                | Self::FactsWrite
                | Self::AttentionRead
        )
    }

    fn bit(self) -> u32 {
        1 << (self as u32)
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u32);

impl Scopes {
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// As stored: names separated by blanks. A name that is not known any more opens nothing.
    pub fn parse(text: &str) -> Self {
        text.split_ascii_whitespace().filter_map(Scope::parse).collect()
    }

    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    pub fn text(self) -> String {
        self.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Whether a text can be an id at all. What cannot need not be looked for: a store may even choke on it.
pub fn is_id(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// By what a caller was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The key's id.
    ApiKey(String),
    /// A token; the id is that of the key it stands for.
    Token(String),
}

impl Credential {
    /// Its kind, as the audit log names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "api_key",
            Self::Token(_) => "token",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::ApiKey(id) | Self::Token(id) => id,
        }
    }
}

/// Somebody whose credential was proven.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: Tenant,
    pub mode: Mode,
    pub scopes: Scopes,
    pub credential: Credential,
    /// Where the request came from.
    pub address: IpAddr,
}

impl Caller {
    pub fn may(&self, scope: Scope) -> Result<(), Error> {
        if self.scopes.has(scope) { Ok(()) } else { Err(Error::Forbidden(scope)) }
    }
}

/// Why nobody was proven. For our log only: every caller is told the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    #[error("no credential")]
    Missing,
    #[error("not a credential of ours")]
    Foreign,
    #[error("a mistyped key")]
    Mistyped,
    #[error("an unknown key")]
    Unknown,
    #[error("a revoked key")]
    Revoked,
    #[error("an expired key")]
    Expired,
    #[error("a key used from an address it is not for")]
    Elsewhere,
    #[error("a token: {0}")]
    Token(TokenError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written_and_what_is_unknown_opens_nothing() {
        let scopes: Scopes = [Scope::AuditRead, Scope::MerchantsRead].into_iter().collect();
        assert_eq!(scopes.text(), "merchants:read audit:read");
        assert_eq!(Scopes::parse(&scopes.text()), scopes);
        assert_eq!(Scopes::parse("merchants:read everything audit:read"), scopes);
        assert_eq!(Scopes::all().iter().count(), Scope::ALL.len());
        assert!(Scope::ALL.into_iter().all(|scope| Scope::parse(scope.as_str()) == Some(scope)));
    }

    #[test]
    fn a_platform_covers_its_merchants_and_a_merchant_itself_alone() {
        let platform = Tenant::new("p", None);
        let merchant = Tenant::new("p", Some("m"));
        assert!(platform.covers(None) && platform.covers(Some("m")));
        assert!(merchant.covers(Some("m")) && !merchant.covers(Some("n")) && !merchant.covers(None));
    }
}
