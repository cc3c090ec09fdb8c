//! What `/ops/v1` takes and answers.

use poem_openapi::Object;
use poem_openapi::types::{Any, Example};
use serde_json::Value;

use crate::api::rest::{Limit, Settable, Timestamp};
use crate::directory::operators::{Listed, LoginError, Operator, OperatorError, Role};
use crate::directory::platforms::PlatformError;
use crate::entity::{operator_act, platform};
use crate::error::Error;

/// Name and password.
#[derive(Object)]
#[oai(rename_all = "camelCase", example)]
pub struct Login {
    #[oai(validator(min_length = 1, max_length = 64))]
    pub name: String,
    #[oai(validator(min_length = 1, max_length = 256))]
    pub password: String,
}

/// Who has come in, and the token that proves it.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub struct Session {
    /// For `Authorization: Bearer`.
    pub token: String,
    /// Seconds that the token is good for.
    #[oai(validator(minimum(value = "1")))]
    pub expires_in: u64,
    pub operator: Me,
}

/// An operator as it sees itself.
#[derive(Object)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Me {
    pub name: String,
    pub role: Role,
    /// Slug of the one platform in scope; absent: all.
    pub platform: Option<String>,
}

/// An operator in a list.
#[derive(Object)]
#[oai(rename = "Operator", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct OperatorEntry {
    pub name: String,
    pub role: Role,
    /// Slug of the one platform in scope; absent: all.
    pub platform: Option<String>,
    pub created_at: Timestamp,
    /// From when on it is let in no more; absent: it is let in.
    pub disabled_at: Option<Timestamp>,
}

/// An operator to be added.
#[derive(Object)]
#[oai(rename = "NewOperator", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct OperatorToAdd {
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._+@-]*$"))]
    pub name: String,
    #[oai(validator(min_length = 12, max_length = 256))]
    pub password: String,
    pub role: Role,
    /// Slug of the one platform in scope; absent: all.
    #[oai(validator(min_length = 1, max_length = 40))]
    pub platform: Option<String>,
}

#[derive(Object)]
#[oai(rename = "Platform", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct PlatformEntry {
    pub id: String,
    /// Its short name, part of the signed routes.
    pub slug: String,
    pub name: String,
    /// How much it and its merchants may do, where that is its own.
    pub limit: Option<Limit>,
    pub created_at: Timestamp,
}

/// What is to be changed of a platform; what is absent stays.
#[derive(Object)]
#[oai(rename = "PlatformPatch", example, skip_serializing_if_is_none)]
pub struct PlatformChange {
    /// How much it and all its merchants together may do, on all APIs, instead of what the gateway lets a platform do.
    /// None of its merchants and stores may do more. `null` takes it back.
    pub limit: Settable<Limit>,
}

/// A platform to be made.
#[derive(Object)]
#[oai(rename = "NewPlatform", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct PlatformToMake {
    #[oai(validator(min_length = 1, max_length = 40, pattern = "^[a-z0-9-]*$"))]
    pub slug: String,
    /// For people; absent: the slug.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: Option<String>,
}

/// A platform that was made.
#[derive(Object)]
#[oai(rename_all = "camelCase")]
pub struct MadePlatform {
    #[oai(flatten)]
    pub platform: PlatformEntry,
    /// A key of the platform's for testing, good for everything. Shown this once.
    pub api_key: String,
}

/// A change that an operator or a command made.
#[derive(Object)]
#[oai(rename = "OperatorsChange", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ActEntry {
    pub id: String,
    pub at: Timestamp,
    /// The operator's id; absent: it was a command on the gateway's machine.
    pub operator_id: Option<String>,
    /// The address it came from; absent: it was a command.
    pub address: Option<String>,
    /// Such as `operator.added`.
    pub action: String,
    /// Of what was changed, where that is one thing.
    pub subject_id: Option<String>,
    /// How it was.
    pub before: Option<Any<Value>>,
    /// How it was afterwards.
    pub after: Option<Any<Value>>,
}

/// Done; there is no more to say.
#[derive(Object)]
pub struct Done {
    pub done: bool,
}

impl From<operator_act::Model> for ActEntry {
    fn from(row: operator_act::Model) -> Self {
        let state = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok()).map(Any);
        Self {
            id: row.id,
            at: Timestamp::of(row.at),
            operator_id: row.actor_id,
            address: row.address,
            action: row.action,
            subject_id: row.subject_id,
            before: state(row.state_before),
            after: state(row.state_after),
        }
    }
}

impl From<Operator> for Me {
    fn from(operator: Operator) -> Self {
        let platform = operator.platform.map(|platform| platform.slug);
        Self { name: operator.name, role: operator.role, platform }
    }
}

impl From<Listed> for OperatorEntry {
    fn from(listed: Listed) -> Self {
        Self {
            name: listed.name,
            role: listed.role,
            platform: listed.platform,
            created_at: Timestamp::of(listed.created_at),
            disabled_at: listed.disabled_at.map(Timestamp::of),
        }
    }
}

impl From<platform::Model> for PlatformEntry {
    fn from(row: platform::Model) -> Self {
        Self {
            limit: Limit::of_columns(row.limit_count, row.limit_window_ms),
            id: row.id,
            slug: row.slug,
            name: row.name,
            created_at: Timestamp::of(row.created_at),
        }
    }
}

impl From<LoginError> for Error {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Wrong => Self::LoginRefused,
            LoginError::TooMany(wait) => Self::TooManyFailures(wait),
            LoginError::Busy => Self::Busy,
            LoginError::Failed(error) => Self::Failed(error),
        }
    }
}

impl From<OperatorError> for Error {
    fn from(error: OperatorError) -> Self {
        let detail = error.to_string();
        match error {
            OperatorError::Name => Self::invalid("/name", detail),
            OperatorError::Password => Self::invalid("/password", detail),
            OperatorError::Platform(_) => Self::invalid("/platform", detail),
            OperatorError::Taken(_) => {
                Self::Conflict { code: "name_taken", detail, pointer: Some("/name".to_owned()) }
            }
            OperatorError::Missing(_) => Self::NotFound,
            OperatorError::Busy => Self::Busy,
            OperatorError::Store(error) => error.into(),
            OperatorError::Ledger(error) => error.into(),
            OperatorError::Failed(error) => error.into(),
        }
    }
}

impl From<PlatformError> for Error {
    fn from(error: PlatformError) -> Self {
        let detail = error.to_string();
        match error {
            PlatformError::Slug(_) => Self::invalid("/slug", detail),
            PlatformError::Taken(_) => {
                Self::Conflict { code: "slug_taken", detail, pointer: Some("/slug".to_owned()) }
            }
            PlatformError::Missing => Self::NotFound,
            PlatformError::Busy => Self::Busy,
            PlatformError::Store(error) => error.into(),
            PlatformError::Ledger(error) => error.into(),
            PlatformError::Failed(error) => error.into(),
        }
    }
}

impl Example for Login {
    fn example() -> Self {
        Self { name: "anna".to_owned(), password: "correct horse battery".to_owned() }
    }
}

impl Example for OperatorToAdd {
    fn example() -> Self {
        Self {
            name: "ben".to_owned(),
            password: "correct horse battery".to_owned(),
            role: Role::Viewer,
            platform: Some("acme".to_owned()),
        }
    }
}

impl Example for PlatformChange {
    fn example() -> Self {
        Self { limit: Settable(Some(Some(Limit { count: 2000, window: "1s".to_owned() }))) }
    }
}

impl Example for PlatformToMake {
    fn example() -> Self {
        Self { slug: "acme".to_owned(), name: Some("Acme Commerce".to_owned()) }
    }
}
