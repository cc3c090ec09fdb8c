//! Logging in, and who has.

use serde::{Deserialize, Serialize};

/// What an operator may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees, and changes nothing.
    Viewer,
    Operator,
    /// Manages operators and platforms, too.
    Admin,
}

impl Role {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Name and password. Not `Debug`: the password is never shown.
#[derive(Clone, Serialize, Deserialize)]
pub struct Login {
    pub name: String,
    pub password: String,
}

/// Who has come in, and the token that proves it. Not `Debug`: the token is never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// For `Authorization: Bearer`.
    pub token: String,
    /// Seconds that the token is good for.
    pub expires_in: u64,
    pub operator: Me,
}

/// An operator as it sees itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    pub name: String,
    pub role: Role,
    /// Slug of the one platform in scope; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}
