//! Merchants as the contract shows them.

use humantime_serde::re::humantime::format_duration;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};
use zeroize::Zeroizing;

use crate::api::rest::{Limit, Settable, ShownSecret, Timestamp, duration};
use crate::config::{LONGEST_FRESHNESS, SHORTEST_FRESHNESS};
use crate::directory;
use crate::directory::access::Mode;
use crate::directory::merchants::{OwnFreshness, Patch, WantedMerchant};
use crate::directory::networks;
use crate::entity::merchant;
use crate::error::Error;

/// A merchant to be made.
#[derive(Object)]
#[oai(rename = "NewMerchant", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    /// Its name, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: String,
    /// Your own name for it, unique among your merchants.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Option<String>,
    /// The number that the merchant signs as already; absent: a new one. It is yours to choose where you have ScanForPay's
    /// account of that number, whose key is proven by a question; unique among your merchants.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub partner_no: Option<String>,
    /// The key that the merchant signs with already, of 128 bits at least; absent: a new one. It is never shown again.
    #[oai(validator(min_length = 16, max_length = 256, pattern = r"^[\x20-\x7e]*$"))]
    pub sign_key: Option<String>,
}

impl New {
    pub(super) fn wanted(&self) -> WantedMerchant {
        WantedMerchant {
            name: self.name.clone(),
            reference: self.reference.clone(),
            partner_no: self.partner_no.clone(),
            sign_key: self.sign_key.clone().map(Zeroizing::new),
        }
    }
}

/// What is to be changed of a merchant; what is absent stays.
#[derive(Object, Debug)]
#[oai(rename = "MerchantPatch", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Change {
    /// Its name, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: Option<String>,
    /// Your own name for it, unique among your merchants. `null` takes it away.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Settable<String>,
    /// Addresses and networks, such as `192.0.2.0/24`, from which its signed requests are taken; an empty list: from
    /// everywhere.
    #[oai(validator(max_items = 64))]
    pub allow_addresses: Option<Vec<String>>,
    /// How much it may do, on all APIs, instead of what the gateway lets a merchant do. Never more than its
    /// platform's own, whatever is said here. `null` takes it back.
    pub limit: Settable<Limit>,
    /// How old its signed requests may be, instead of what the gateway says. `null` takes it back.
    pub freshness: Settable<Freshness>,
    /// A regular expression whose first group, found in an order's number, tells what the order is for: orders of which
    /// it finds the same are the same purchase, and are flagged when more than one is paid. The public WooCommerce
    /// client's numbers are a time of 12 digits and its own order id: `^\d{12}(.+)$`. For orders to come. `null` takes it
    /// away.
    #[oai(validator(min_length = 1, max_length = 200))]
    pub reference_pattern: Settable<String>,
}

/// What becomes of a request whose time is off: `enforce` refuses it, `warn` writes it to the gateway's log.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "lowercase")]
pub enum FreshnessMode {
    Enforce,
    Warn,
}

/// How old a merchant's signed requests may be. What is absent is as the gateway says.
#[derive(Object, Debug, Clone, PartialEq, Eq)]
#[oai(example, skip_serializing_if_is_none)]
pub struct Freshness {
    /// How far `reqTime` may be from the gateway's clock, either way: 1 s to 7 days, such as `15m`.
    #[oai(validator(min_length = 2, max_length = 32))]
    pub window: Option<String>,
    pub mode: Option<FreshnessMode>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "MerchantStatus", rename_all = "lowercase")]
pub enum Status {
    Active,
    /// It opens no new orders; everything else goes on.
    Suspended,
    /// It has left for good; its orders go on.
    Offboarded,
}

/// A merchant.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Merchant {
    pub id: String,
    /// What it signs its requests as.
    pub partner_no: String,
    /// Your own name for it.
    pub reference: Option<String>,
    pub name: String,
    pub mode: Mode,
    pub status: Status,
    /// Networks from which its signed requests are taken; none: from everywhere.
    pub allow_addresses: Vec<String>,
    /// How much it may do, where that is its own.
    pub limit: Option<Limit>,
    /// How old its signed requests may be, where that is its own.
    pub freshness: Option<Freshness>,
    /// Its first group, found in an order's number, is the order's `reference`.
    pub reference_pattern: Option<String>,
    pub created_at: Timestamp,
}

/// A merchant that was made, with its sign key.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct MadeMerchant {
    #[oai(flatten)]
    pub merchant: Merchant,
    /// The key that it signs with, as the signed API has it; absent where it was brought.
    pub sign_key: Option<ShownSecret>,
}

impl Change {
    /// What it changes.
    pub fn patch(&self) -> Result<Patch, Error> {
        let allowed_addresses = self.allow_addresses.as_deref().map(networks::parse).transpose();
        let limit = self.limit.0.as_ref().map(|limit| limit.as_ref().map(|limit| limit.quota("/limit")));
        let freshness = self.freshness.0.as_ref().map(|own| own.as_ref().map(Freshness::own));
        Ok(Patch {
            name: self.name.clone(),
            reference: self.reference.0.clone(),
            is_suspended: None,
            allowed_addresses: allowed_addresses
                .map_err(|error| Error::invalid("/allowAddresses", error.to_string()))?,
            limit: limit.map(Option::transpose).transpose()?,
            freshness: freshness.map(Option::transpose).transpose()?.map(Option::unwrap_or_default),
            reference_pattern: self.reference_pattern.0.clone(),
        })
    }
}

impl Freshness {
    fn own(&self) -> Result<OwnFreshness, Error> {
        const AT: &str = "/freshness/window";
        let window = self.window.as_deref().map(|text| duration(text, AT)).transpose()?;
        if window.is_some_and(|window| !(SHORTEST_FRESHNESS..=LONGEST_FRESHNESS).contains(&window)) {
            return Err(Error::invalid(AT, "is shorter than 1s or longer than 7days"));
        }
        let mode = self.mode.map(|mode| match mode {
            FreshnessMode::Enforce => directory::Freshness::Enforce,
            FreshnessMode::Warn => directory::Freshness::Warn,
        });
        Ok(OwnFreshness { window, mode })
    }

    fn of(own: OwnFreshness) -> Option<Self> {
        let window = own.window.map(|window| format_duration(window).to_string());
        let mode = own.mode.map(|mode| match mode {
            directory::Freshness::Enforce => FreshnessMode::Enforce,
            directory::Freshness::Warn => FreshnessMode::Warn,
        });
        (window.is_some() || mode.is_some()).then_some(Self { window, mode })
    }
}

impl Example for Freshness {
    fn example() -> Self {
        Self { window: Some("15m".into()), mode: Some(FreshnessMode::Enforce) }
    }
}

impl Example for New {
    fn example() -> Self {
        Self { name: "Tea House".into(), reference: Some("shop-17".into()), partner_no: None, sign_key: None }
    }
}

impl Example for Change {
    fn example() -> Self {
        Self {
            name: Some("Tea House Central".into()),
            reference: Settable(Some(Some("shop-18".into()))),
            allow_addresses: Some(vec!["192.0.2.0/24".into()]),
            limit: Settable(Some(Some(Limit::example()))),
            freshness: Settable(None),
            reference_pattern: Settable(Some(Some(r"^\d{12}(.+)$".into()))),
        }
    }
}

impl Example for Merchant {
    fn example() -> Self {
        Self {
            id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into(),
            partner_no: "270316485912".into(),
            reference: Some("shop-17".into()),
            name: "Tea House".into(),
            mode: Mode::Test,
            status: Status::Active,
            allow_addresses: vec!["192.0.2.0/24".into()],
            limit: Some(Limit::example()),
            freshness: None,
            reference_pattern: None,
            created_at: Timestamp::of(1_790_000_000_000),
        }
    }
}

impl From<&merchant::Model> for Merchant {
    fn from(row: &merchant::Model) -> Self {
        Self {
            id: row.id.clone(),
            partner_no: row.partner_no.clone(),
            reference: row.reference.clone(),
            name: row.name.clone(),
            mode: row.mode,
            status: match row.status.as_str() {
                _ if row.offboarded_at.is_some() => Status::Offboarded,
                "suspended" => Status::Suspended,
                _ => Status::Active,
            },
            allow_addresses: row
                .allowed_addresses
                .iter()
                .flat_map(|list| list.split(','))
                .map(str::to_owned)
                .collect(),
            limit: Limit::of_columns(row.limit_count, row.limit_window_ms),
            freshness: Freshness::of(OwnFreshness::of(row)),
            reference_pattern: row.reference_pattern.clone(),
            created_at: Timestamp::of(row.created_at),
        }
    }
}
