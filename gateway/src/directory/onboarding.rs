//! Onboarding many merchants at once: each row is a merchant, perhaps with its store and account, made whole or not at
//! all. Rows are planned in parts; a part is one change.

use std::collections::HashSet;

use serde_json::json;

use super::access::Caller;
use super::accounts::NewAccount;
use super::audit::{self, States, Subject};
use super::change::Plan;
use super::claims;
use super::merchants::{self, NewMerchant, WantedMerchant, platform_of};
use super::stores::{self, NewStore, Pending, Wanted};
use crate::app::App;
use crate::entity::{merchant, sign_key};
use crate::error::Error;

/// Rows of one request at most.
pub const MAX_ROWS: usize = 1000;
/// Rows of one change: few enough not to hold up anybody else's writes for long.
pub const PART: usize = 50;

/// A merchant that is wanted, perhaps with a store.
#[derive(Clone)]
pub struct WantedRow {
    pub merchant: WantedMerchant,
    pub store: Option<Wanted>,
}

/// A merchant that is about to be.
pub struct Onboarded {
    pub merchant: merchant::Model,
    pub key: sign_key::Model,
    /// Shown once and never again; `None`: it was brought.
    pub sign_key: Option<String>,
    pub store: Option<NewStore>,
}

/// Plan the rows of a part. Rows that cannot be made say why; no plan where none can.
pub async fn plan(
    app: &App,
    caller: &Caller,
    rows: &[&WantedRow],
) -> Result<(Option<Plan>, Vec<Result<Onboarded, Error>>), Error> {
    let platform_id = platform_of(caller)?;
    let mut part = Part::default();
    let mut outcomes = Vec::new();
    for wanted in rows {
        match part.row(app, caller, wanted).await {
            // Not the row's fault.
            Err(error) if error.status().is_server_error() => return Err(error),
            outcome => outcomes.push(outcome),
        }
    }
    if part.plans.is_empty() {
        return Ok((None, outcomes));
    }
    let subject = Subject { kind: "platform", id: platform_id, merchant_id: None };
    let states = States { before: None, after: Some(json!({ "merchants": part.plans.len() })) };
    let mut plan = Plan::new(audit::entry(app, caller, "merchants.onboarded", subject, states));
    for row in part.plans {
        plan.absorb(row);
    }
    Ok((Some(plan), outcomes))
}

/// What the rows before have taken that the store does not know of yet.
#[derive(Default)]
struct Part {
    plans: Vec<Plan>,
    references: HashSet<String>,
    /// Account and store number there.
    claims: HashSet<(String, String)>,
    pending: Pending,
    accounts: Vec<NewAccount>,
    partner_nos: HashSet<String>,
}

impl Part {
    async fn row(&mut self, app: &App, caller: &Caller, wanted: &WantedRow) -> Result<Onboarded, Error> {
        let WantedMerchant { reference, partner_no, .. } = &wanted.merchant;
        if reference.as_ref().is_some_and(|text| self.references.contains(text)) {
            return Err(merchants::reference_taken());
        }
        if partner_no.as_ref().is_some_and(|number| self.partner_nos.contains(number)) {
            return Err(merchants::partner_no_taken());
        }
        let made = merchants::create(app, caller, &wanted.merchant).await?;
        let NewMerchant { mut plan, row, key, sign_key } = made;
        let store = match &wanted.store {
            None => None,
            Some(wanted) => {
                let store = stores::prepare(app, caller, &row, wanted, &self.pending, "/store").await?;
                let claim = (store.row.account_id.clone(), store.row.upstream_store_no.clone());
                if self.claims.contains(&claim) {
                    return Err(stores::claimed("/store"));
                }
                plan.log(&stores::entry(app, caller, &store));
                stores::add(app, caller, &mut plan, &store)?;
                Some((claim, store))
            }
        };
        if let Some(partner_no) = partner_no {
            let own = store.as_ref().and_then(|(_, store)| store.account.as_ref());
            let new: Vec<&NewAccount> = self.accounts.iter().chain(own).collect();
            claims::prove(app, caller, partner_no, &new).await?;
        }
        // From here on nothing is in the row's way.
        let store = match store {
            None => None,
            Some((claim, store)) => {
                self.claims.insert(claim);
                self.pending.take(app, &store)?;
                self.accounts.extend(store.account.clone());
                Some(store)
            }
        };
        self.references.extend(reference.clone());
        self.partner_nos.extend(partner_no.clone());
        self.plans.push(plan);
        Ok(Onboarded { merchant: row, key, sign_key, store })
    }
}
