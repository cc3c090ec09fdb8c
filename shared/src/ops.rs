//! What the operators' API takes and answers, as JSON: members in `camelCase`, amounts as integers in the currency's
//! smallest unit beside its ISO 4217 code, times as RFC 3339 in UTC. A member that is absent is not known or does not
//! apply. Readers pass over members they do not know, so that a console may be older than its gateway.

mod attention;
mod delivery;
mod directory;
mod endpoint;
mod health;
mod live;
mod moment;
mod order;
mod overview;
mod refund;
mod replay;
mod session;

pub use attention::{Decision, Fact, FactField, FactInFull, FactState, Matter, MatterToEnd, Mend, Subject};
pub use delivery::{Attempt, Delivery, DeliveryState};
pub use directory::{
    Change, Key, KeyToRotate, Limit, LimitUse, Merchant, MerchantWhole, Operator, Platform, RotatedKey, Store,
};
pub use endpoint::{Because, Breaker, Endpoint, EndpointStatus, Service};
pub use health::Health;
pub use live::Live;
pub use moment::Moment;
pub use order::{EntryBytes, OrderRow, OrderWhole, Submission, TimelineEntry};
pub use overview::{CurrencySeries, Overview, Point, WalletShare};
pub use refund::{
    Refund, RefundApproval, RefundOutcome, RefundReason, RefundResolution, RefundState, RefundToMake,
};
pub use replay::{Replay, ReplayFilter, ReplayPace, ReplayStart, ReplayState, ReplayToMake};
pub use session::{Login, Me, Role, Session};

use serde::{Deserialize, Serialize};

/// A page of a list. Where more follow, the answer's `Link: <…>; rel="next"` names the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows<T> {
    #[serde(rename = "data")]
    pub rows: Vec<T>,
}

/// Done; there is no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub done: bool,
}

/// Why something was not done: RFC 9457, with a stable `code` for programs and a `detail` for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub title: String,
    pub status: u16,
    pub code: String,
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WrongField>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrongField {
    /// JSON pointer into the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    pub detail: String,
}

#[cfg(test)]
mod tests;
