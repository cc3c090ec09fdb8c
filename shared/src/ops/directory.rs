//! Operators, platforms and merchants, and what operators changed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Endpoint, Moment, Role, Service};

/// An operator in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    pub name: String,
    pub role: Role,
    /// Slug of the one platform in scope; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    pub created_at: Moment,
    /// From when on it is let in no more; absent: it is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Moment>,
}

/// So many at once, and all of them new again after a time, evenly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub count: u32,
    /// Such as `500ms`, `1s` or `1m 30s`.
    pub window: String,
}

/// A limit as it is in force, its own or its owner's, and its use as the gateway that answers has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitUse {
    #[serde(flatten)]
    pub limit: Limit,
    /// Of `count`, now.
    pub used: u32,
    /// Requests that were refused by it since the gateway started or the limit was changed.
    pub refused: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    pub id: String,
    /// Its short name, part of the signed routes.
    pub slug: String,
    pub name: String,
    /// How much it and its merchants may do, where that is its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    pub created_at: Moment,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Merchant {
    pub id: String,
    pub platform: String,
    pub partner_no: String,
    pub name: String,
    /// `live` or `test`.
    pub mode: String,
    pub stores: i64,
    pub created_at: Moment,
    /// Its calls are refused.
    pub suspended: bool,
}

/// A merchant with all that an operator looks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MerchantWhole {
    pub merchant: Merchant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Of all its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_use: Option<LimitUse>,
    pub stores: Vec<Store>,
    pub keys: Vec<Key>,
    pub endpoints: Vec<Endpoint>,
    pub service: Service,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Store {
    pub id: String,
    pub store_no: String,
    pub account_id: String,
    pub currency: String,
    pub wallets: Vec<String>,
    pub created_at: Moment,
    /// No new orders are placed in it.
    pub disabled: bool,
    /// Calls for it are not sent: ScanForPay refuses its account's credentials.
    pub credentials_fail: bool,
    /// Of the orders that are placed in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_use: Option<LimitUse>,
}

/// A version of a merchant's sign key; the key itself is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub id: String,
    pub created_at: Moment,
    /// Good until then; absent: it is the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Moment>,
}

/// What is said of a merchant's sign key that is to be rotated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyToRotate {
    pub reason: String,
    /// How many hours more the version before is good.
    pub previous_for_hours: u32,
    /// Whether a version of an earlier rotation that is good still may end at once.
    pub end_earlier: bool,
}

/// A merchant's new sign key. No other answer holds it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedKey {
    pub key: Key,
    pub partner_no: String,
    /// The key itself.
    pub sign_key: String,
    /// Until when the version before is good.
    pub previous_ends_at: Moment,
}

impl fmt::Debug for RotatedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, partner_no, sign_key: _, previous_ends_at } = self;
        write!(f, "RotatedKey({partner_no}, {key:?}, before it until {previous_ends_at:?})")
    }
}

/// A change that an operator or a command made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub id: String,
    pub at: Moment,
    /// The operator's id; absent: it was a command on the gateway's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_id: Option<String>,
    /// The address it came from; absent: it was a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Such as `operator.added`.
    pub action: String,
    /// Of what was changed, where that is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}
