//! Stores as the contract shows them.

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};

use crate::api::platform::accounts;
use crate::api::rest::{Limit, Settable, Timestamp};
use crate::api::scanforpay::Wallet;
use crate::directory::access::Caller;
use crate::directory::proof::Proof;
use crate::directory::stores::{self, Wanted, WantedAccount};
use crate::entity::store;
use crate::error::Error;

/// What becomes of a payment that comes after the order was given up: `tell` the merchant that it is paid, late; or
/// `refund` it at once.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "lowercase")]
pub enum LatePayment {
    Tell,
    Refund,
}

/// A store to be made, for a merchant.
#[derive(Object)]
#[oai(rename = "NewStore", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    #[oai(validator(min_length = 1, max_length = 64))]
    pub merchant_id: String,
    #[oai(flatten)]
    pub store: Described,
}

/// A store, but for whose it is. One of `accountId` and `account` is needed.
#[derive(Object)]
#[oai(rename = "StoreDescription", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Described {
    /// The account it is paid through.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub account_id: Option<String>,
    /// Instead of `accountId`: the account's credentials. The platform's account that has them is used, or made.
    pub account: Option<accounts::New>,
    /// ScanForPay's store number. No two stores have the same of one account.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub upstream_store_no: String,
    /// The number that the merchant sends; absent: the same as ScanForPay's.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub store_no: Option<String>,
    /// ISO 4217.
    #[oai(validator(min_length = 3, max_length = 3))]
    pub currency: String,
    /// The wallets it takes.
    #[oai(validator(min_items = 1, max_items = 3, unique_items))]
    pub wallets: Vec<Wallet>,
    /// Of the IANA database; absent: `Asia/Hong_Kong`. Its days are counted in it.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub time_zone: Option<String>,
    /// Absent: `tell`.
    pub late_payment: Option<LatePayment>,
}

/// What is to be changed of a store; what is absent stays.
#[derive(Object)]
#[oai(rename = "StorePatch", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Change {
    /// The wallets it takes.
    #[oai(validator(min_items = 1, max_items = 3, unique_items))]
    pub wallets: Option<Vec<Wallet>>,
    /// Of the IANA database.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub time_zone: Option<String>,
    pub late_payment: Option<LatePayment>,
    /// How many orders may be placed in it, instead of what the gateway allows for a store. Never more than its
    /// merchant's and its platform's own, whatever is said here. `null` takes it back.
    pub limit: Settable<Limit>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "StoreStatus", rename_all = "lowercase")]
pub enum Status {
    Active,
    /// It opens no new orders; everything else goes on.
    Disabled,
}

/// A store.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Store {
    pub id: String,
    pub merchant_id: String,
    /// The account it is paid through; its platform is told, not the merchant.
    pub account_id: Option<String>,
    /// The number that the merchant sends.
    pub store_no: String,
    /// ScanForPay's number; its platform is told, not the merchant.
    pub upstream_store_no: Option<String>,
    pub currency: String,
    pub wallets: Vec<Wallet>,
    pub time_zone: String,
    pub late_payment: LatePayment,
    pub status: Status,
    /// How many orders may be placed in it, where that is its own.
    pub limit: Option<Limit>,
    /// Since when ScanForPay refuses its credentials; its platform is told, not the merchant, and only of a store that is
    /// got by itself.
    pub credentials_failing_since: Option<Timestamp>,
    pub created_at: Timestamp,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum CheckResult {
    /// ScanForPay took the signature.
    KeyProven,
    /// ScanForPay says the signature is wrong.
    KeyWrong,
    /// ScanForPay knows the key and refuses the account.
    NotAuthorised,
    /// There was no answer to be relied on.
    Unknown,
}

/// What ScanForPay said of a store's account.
#[derive(Object, Debug)]
#[oai(skip_serializing_if_is_none)]
pub struct Check {
    pub result: CheckResult,
    /// ScanForPay's response code, where there was one.
    pub code: Option<i32>,
    /// What it means, for people.
    pub detail: String,
}

impl New {
    pub fn wanted(&self) -> Result<Wanted, Error> {
        self.store.wanted("")
    }
}

impl Described {
    /// `at` is the pointer to this in the body.
    pub fn wanted(&self, at: &str) -> Result<Wanted, Error> {
        let account = match (&self.account_id, &self.account) {
            (Some(id), None) => WantedAccount::Known(id.clone()),
            (None, Some(account)) => WantedAccount::Issued(account.issued()),
            _ => {
                let pointer = format!("{at}/accountId");
                return Err(Error::invalid(&pointer, "or account is needed, one of the two"));
            }
        };
        Ok(Wanted {
            account,
            upstream_store_no: self.upstream_store_no.clone(),
            store_no: self.store_no.clone(),
            currency: self.currency.clone(),
            wallets: self.wallets.iter().map(|wallet| (*wallet).into()).collect(),
            time_zone: self.time_zone.clone(),
            late_payment: self.late_payment.map(Into::into),
        })
    }
}

impl From<LatePayment> for stores::LatePayment {
    fn from(policy: LatePayment) -> Self {
        match policy {
            LatePayment::Tell => Self::Tell,
            LatePayment::Refund => Self::Refund,
        }
    }
}

impl Example for New {
    fn example() -> Self {
        Self { merchant_id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into(), store: Described::example() }
    }
}

impl Example for Described {
    fn example() -> Self {
        Self {
            account_id: Some("01KXVZ5B8M3Q0V6T9YJ2C4E7GA".into()),
            account: None,
            upstream_store_no: "900010000000002".into(),
            store_no: Some("100010000000002".into()),
            currency: "HKD".into(),
            wallets: vec![Wallet::Wechat, Wallet::Alipay, Wallet::AlipayHK],
            time_zone: Some("Asia/Hong_Kong".into()),
            late_payment: Some(LatePayment::Tell),
        }
    }
}

impl Example for Change {
    fn example() -> Self {
        Self {
            wallets: Some(vec![Wallet::Alipay]),
            time_zone: None,
            late_payment: Some(LatePayment::Refund),
            limit: Settable(Some(Some(Limit { count: 20, window: "1s".into() }))),
        }
    }
}

impl Example for Store {
    fn example() -> Self {
        Self {
            id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GS".into(),
            merchant_id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into(),
            account_id: Some("01KXVZ5B8M3Q0V6T9YJ2C4E7GA".into()),
            store_no: "100010000000002".into(),
            upstream_store_no: Some("900010000000002".into()),
            currency: "HKD".into(),
            wallets: vec![Wallet::Wechat, Wallet::Alipay, Wallet::AlipayHK],
            time_zone: "Asia/Hong_Kong".into(),
            late_payment: LatePayment::Tell,
            status: Status::Active,
            limit: Some(Limit { count: 20, window: "1s".into() }),
            credentials_failing_since: None,
            created_at: Timestamp::of(1_790_000_000_000),
        }
    }
}

impl Store {
    /// What a caller is shown of a store: what ScanForPay issued is between it and the platform.
    pub fn shown_to(caller: &Caller, row: &store::Model) -> Self {
        let is_platform = caller.tenant.merchant_id().is_none();
        let wallets = row.wallets.split(',').filter_map(shared::wallet::Wallet::parse);
        Self {
            id: row.id.clone(),
            merchant_id: row.merchant_id.clone(),
            account_id: is_platform.then(|| row.account_id.clone()),
            store_no: row.store_no.clone(),
            upstream_store_no: is_platform.then(|| row.upstream_store_no.clone()),
            currency: row.currency.clone(),
            wallets: wallets.map(Wallet::from).collect(),
            time_zone: row.time_zone.clone(),
            late_payment: if row.late_payment == "refund" { LatePayment::Refund } else { LatePayment::Tell },
            status: if row.status == "active" { Status::Active } else { Status::Disabled },
            limit: Limit::of_columns(row.limit_count, row.limit_window_ms),
            credentials_failing_since: None,
            created_at: Timestamp::of(row.created_at),
        }
    }
}

impl From<Proof> for Check {
    fn from(proof: Proof) -> Self {
        let (result, code) = match &proof {
            Proof::KeyProven => (CheckResult::KeyProven, Some(30)),
            Proof::KeyWrong => (CheckResult::KeyWrong, Some(8)),
            Proof::NotAuthorised => (CheckResult::NotAuthorised, Some(3)),
            Proof::Unknown { code, .. } => (CheckResult::Unknown, *code),
        };
        Self { result, code, detail: proof.to_string() }
    }
}
