//! What a caller of the REST API is told when something fails: status, a stable code, and a text. The inside of a
//! failure is its source, for our log.

use std::time::Duration;

use http::StatusCode;

use crate::directory::access::{Scope, Unproven};
use crate::directory::operators::Role;
use crate::ledger::LedgerError;
use crate::limits::Refusal;

/// One field of a request that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    pub place: Place,
    pub detail: String,
}

/// Where a wrong field is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON pointer into the body.
    Body(String),
    /// A parameter of the URL or a header.
    Parameter(&'static str),
}

impl FieldProblem {
    pub fn body(pointer: &str, detail: impl Into<String>) -> Self {
        Self { place: Place::Body(pointer.to_owned()), detail: detail.into() }
    }

    pub fn parameter(name: &'static str, detail: impl Into<String>) -> Self {
        Self { place: Place::Parameter(name), detail: detail.into() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody was proven. All reasons are told alike.
    #[error("nobody is known by this credential")]
    Unauthorized(#[source] Unproven),
    #[error("the credential lacks the scope {}", .0.as_str())]
    Forbidden(Scope),
    /// What merchants' credentials are never good for, whatever their scopes.
    #[error("only a platform's credential is good for this")]
    PlatformsOnly,
    /// Name or password of somebody who wants to log in. Which of them is not told.
    #[error("the name or the password is wrong")]
    LoginRefused,
    /// This name or this address has failed too often, and is heard again after so long.
    #[error("there were too many failures")]
    TooManyFailures(Duration),
    #[error("this takes the role {}", .0.as_str())]
    RoleMissing(Role),
    #[error("this is not for operators who are bound to one platform, except within it")]
    BoundToPlatform,
    /// It does not exist, or is another tenant's.
    #[error("there is nothing of this id")]
    NotFound,
    #[error("the body is not JSON that can be read: {0}")]
    NotJson(String),
    #[error("the body is not CSV that can be read: {0}")]
    NotCsv(String),
    #[error("the body must be {0}")]
    ContentType(&'static str),
    /// Fields of the body or parameters that are wrong.
    #[error("the request has fields that are wrong")]
    Invalid(Vec<FieldProblem>),
    /// It cannot be done as things stand. Code, reason, and the field that is in the way, if one is.
    #[error("{detail}")]
    Conflict { code: &'static str, detail: String, pointer: Option<String> },
    #[error("the Idempotency-Key was used before with another request")]
    KeyReused,
    #[error("the request with this Idempotency-Key is being answered still")]
    KeyRunning,
    /// One of the caller's limits is reached.
    #[error("{}", .0.text())]
    Limited(Refusal),
    #[error("the gateway is busy, and nothing was changed")]
    Busy,
    /// The change was written or not.
    #[error("whether the change was made is not known")]
    InDoubt,
    #[error("the gateway has failed, and nothing was changed")]
    Failed(#[source] anyhow::Error),
}

impl Error {
    pub fn invalid(pointer: &str, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::body(pointer, detail)])
    }

    /// Something is in the way of the field at `pointer`.
    pub fn conflict(code: &'static str, pointer: impl Into<String>, detail: &str) -> Self {
        Self::Conflict { code, detail: detail.to_owned(), pointer: Some(pointer.into()) }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized(_) | Self::LoginRefused => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::PlatformsOnly | Self::RoleMissing(_) | Self::BoundToPlatform => {
                StatusCode::FORBIDDEN
            }
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotJson(_) | Self::NotCsv(_) => StatusCode::BAD_REQUEST,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict { .. } | Self::KeyRunning => StatusCode::CONFLICT,
            Self::TooManyFailures(_) | Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::InDoubt => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// For programs; stable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "scope_missing",
            Self::PlatformsOnly => "platforms_only",
            Self::LoginRefused => "login_refused",
            Self::TooManyFailures(_) => "too_many_failures",
            Self::RoleMissing(_) => "role_missing",
            Self::BoundToPlatform => "bound_to_platform",
            Self::NotFound => "not_found",
            Self::NotJson(_) => "not_json",
            Self::NotCsv(_) => "not_csv",
            Self::ContentType(_) => "unsupported_media_type",
            Self::Invalid(_) => "invalid",
            Self::Conflict { code, .. } => code,
            Self::KeyReused => "idempotency_key_reused",
            Self::KeyRunning => "idempotency_key_running",
            Self::Limited(_) => "limited",
            Self::Busy => "busy",
            Self::InDoubt => "in_doubt",
            Self::Failed(_) => "internal",
        }
    }

    /// For people.
    pub fn detail(&self) -> String {
        match self {
            Self::Unauthorized(_) => {
                "Send a valid API key or token in the header `Authorization: Bearer …`.".to_owned()
            }
            Self::TooManyFailures(_) => {
                "There were too many failures under this name or from this address. Try again later."
                    .to_owned()
            }
            Self::NotFound => "There is nothing of this id.".to_owned(),
            Self::KeyReused => "This Idempotency-Key was used before with another request. \
                                Take a new key for a new request."
                .to_owned(),
            Self::KeyRunning => {
                "The request with this Idempotency-Key is being answered still. Send it again in a moment."
                    .to_owned()
            }
            Self::Busy => "The gateway is busy and has changed nothing. Try again in a moment.".to_owned(),
            Self::InDoubt => {
                "Whether the change was made is not known. Send the request again with the same \
                              Idempotency-Key, or look."
                    .to_owned()
            }
            Self::Failed(_) => "The gateway has failed and has changed nothing.".to_owned(),
            other => sentence(&other.to_string()),
        }
    }
}

/// Rounded up, so that the wait is over when it is said to be.
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

/// The text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut sentence: String = first.into_iter().flatten().chain(letters).collect();
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

impl From<LedgerError> for Error {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Full | LedgerError::Unavailable(_) => Self::Busy,
            LedgerError::InDoubt => Self::InDoubt,
            LedgerError::Rejected(_) | LedgerError::Missing => Self::Failed(error.into()),
        }
    }
}

impl From<sea_orm::DbErr> for Error {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Failed(error.into())
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}
