//! What all resources of the REST API under `/v1` share: who calls, bodies held against the contract, problems,
//! pages, and changes that are made once.

mod auth;
mod body;
mod event_type;
mod fields;
mod limit;
pub mod limited;
mod once;
mod page;
mod problem;
mod reply;
mod secret;

use poem_openapi::Tags;

pub(super) use auth::{bearer, bearer_scheme};
pub use body::{Body, Schemas};
pub use event_type::EventType;
pub use fields::{Settable, Timestamp, duration};
pub use limit::Limit;
pub use once::{KEPT, Once, Planned, Pointed, Running, change, point, prune};
pub use page::{Page, PageQuery};
pub use problem::{ChangeError, Problem, any_other};
pub use reply::{Answer, Changed, Created, Found, located, location};
pub use secret::ShownSecret;

/// The resources' groups in the contract.
#[derive(Tags)]
pub enum Group {
    /// A platform's merchants. Authenticate with `Authorization: Bearer` and an API key; a key sees and changes its
    /// own tenant's data of its own mode (`sg_test_…` or `sg_live_…`), and nothing else exists for it.
    ///
    /// Errors are RFC 9457 documents with a stable `code`; wrong fields are listed with JSON pointers. Lists are
    /// pages of at most 100, newest first: follow `Link: <…>; rel="next"`. Every POST takes an `Idempotency-Key`:
    /// the same key with the same request gets the same answer for 24 hours, without its secrets.
    Merchants,
    /// Merchants' stores, each with its account and its store number at ScanForPay.
    Stores,
    /// What ScanForPay issued to a platform: partner numbers and sign keys. Stores share them.
    Accounts,
    /// Keys that open the REST API.
    #[oai(rename = "API keys")]
    ApiKeys,
    /// Who changed what.
    Audit,
    /// What waits for a person.
    Attention,
    /// A merchant's orders, how they came to stand as they do, and its statements.
    Orders,
    /// Money given back.
    Refunds,
    /// What merchants and platforms are told.
    Events,
    /// Where events are sent, and how well they arrive.
    Endpoints,
    /// Why a signature does not verify.
    Signature,
    /// Whether a shop takes notices as it should.
    #[oai(rename = "Self-check")]
    SelfCheck,
    /// What ScanForPay said about orders and what differs from what it was asked. For platforms.
    #[oai(rename = "Held facts")]
    Facts,
}
