//! Proving an account's key: a signed query for an order that cannot exist. What the answer's code is tells whether
//! the signature was taken.

use std::fmt;

use super::Account;
use crate::app::App;
use crate::entity::store;
use crate::error::Error;
use crate::limits::Priority;
use crate::orders::content::BodyText;
use crate::troubles::{Whose, credentials};
use crate::upstream::{self, Heard, QUERY_PATH};

/// What the upstream said of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Code 30: it knows no such order, and said so to us.
    KeyProven,
    /// Code 8.
    KeyWrong,
    /// Code 3.
    NotAuthorised,
    /// Anything else.
    Unknown { code: Option<i32>, why: String },
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyProven => f.write_str("Key proven, store number unproven until the first order."),
            Self::KeyWrong => {
                f.write_str("ScanForPay says that the signature is wrong: check partner number and key.")
            }
            Self::NotAuthorised => {
                f.write_str("ScanForPay does not let this account in: ask it what is missing.")
            }
            Self::Unknown { why, .. } => write!(f, "Nothing is proven: {why}."),
        }
    }
}

/// Ask the upstream with the key of the store's account. Where that is taken, a trouble with it is over.
pub async fn prove(app: &App, store: &store::Model) -> Result<Proof, Error> {
    let account = app.directory.account(&store.account_id).ok_or(Error::NotFound)?;
    let proof = ask(app, &account, Some(&store.upstream_store_no)).await?;
    if proof == Proof::KeyProven {
        credentials::ended(app, &Whose::from(store), "check").await;
    }
    Ok(proof)
}

/// Ask with the key of `account`, which need not be written yet.
pub async fn ask(app: &App, account: &Account, upstream_store_no: Option<&str>) -> Result<Proof, Error> {
    if let Err(refusal) = app.limits.call(account, Priority::Query).await {
        return Ok(Proof::Unknown { code: None, why: refusal.text() });
    }
    let mut body = BodyText::default();
    body.text_if("storeNo", upstream_store_no);
    // An id of ours, made for this question: nothing was ever placed under it.
    body.text("partnerOrderNo", &app.chance.id());
    let timeout = app.config.upstream.query_timeout;
    let heard = app.upstream.ask(account, QUERY_PATH, &body.finish(), timeout).await;
    if upstream::is_bad_signature(&heard) {
        return Ok(Proof::KeyWrong);
    }
    Ok(match heard {
        Heard::Said(said) => match said.code {
            30 => Proof::KeyProven,
            3 => Proof::NotAuthorised,
            code => Proof::Unknown { code: Some(code), why: format!("ScanForPay answered with code {code}") },
        },
        Heard::Nothing { why, .. } => Proof::Unknown { code: None, why },
    })
}
