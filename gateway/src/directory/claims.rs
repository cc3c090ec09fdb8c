//! Partner numbers of a platform's own choice: those that ScanForPay issued to it, and no others. Whoever has an account
//! of that number shows it by a signed question, which the account's key alone can ask.

use std::sync::Arc;

use sea_orm::{ColumnTrait, QueryFilter};
use url::Url;
use zeroize::Zeroizing;

use super::access::Caller;
use super::accounts::NewAccount;
use super::merchants::platform_of;
use super::proof::{self, Proof};
use super::usage::LastUse;
use super::{Account, SignKey};
use crate::app::App;
use crate::entity::account;
use crate::error::Error;

/// Have `partner_no` proven by an account of the platform's, or by one of `new`, which come with the claim.
pub async fn prove(app: &App, caller: &Caller, partner_no: &str, new: &[&NewAccount]) -> Result<(), Error> {
    let mut said = None;
    for made in new.iter().filter(|made| made.row.partner_no == partner_no) {
        match proof::ask(app, &account_of(app, made)?, None).await? {
            Proof::KeyProven => return Ok(()),
            other => said = Some(other),
        }
    }
    let known = account::Entity::of(&caller.tenant, caller.mode)
        .filter(account::Column::PlatformId.eq(platform_of(caller)?))
        .filter(account::Column::PartnerNo.eq(partner_no))
        .all(&app.store.read)
        .await?;
    for account in known.iter().filter_map(|row| app.directory.account(&row.id)) {
        match proof::ask(app, &account, None).await? {
            Proof::KeyProven => return Ok(()),
            other => said = Some(other),
        }
    }
    Err(unproven(said))
}

fn unproven(said: Option<Proof>) -> Error {
    let detail = match said {
        None => {
            "A partner number is yours to choose where you have ScanForPay's account of that number. Create the account \
             first (POST /v1/accounts), or onboard the merchant with a store that brings it; or leave partnerNo out."
                .to_owned()
        }
        Some(said) => format!(
            "ScanForPay has not confirmed the key of your account of this partner number. {said} Set the account right \
             (POST /v1/accounts/{{accountId}}/sign-keys) and send this again."
        ),
    };
    Error::Conflict { code: "partner_no_unproven", detail, pointer: Some("/partnerNo".to_owned()) }
}

/// An account that is not written yet, to ask with.
fn account_of(app: &App, made: &NewAccount) -> Result<Account, Error> {
    let text = app.vault.open(&made.key.master_key_id, &made.key.id, &made.key.sealed)?;
    let text = String::from_utf8(text.to_vec()).map_err(|error| Error::Failed(error.into()))?;
    let key = SignKey {
        id: made.key.id.clone(),
        text: Zeroizing::new(text),
        expires_at: None,
        last_use: Arc::new(LastUse::new(None)),
    };
    let row = &made.row;
    Ok(Account {
        id: row.id.clone(),
        base_url: Url::parse(&row.base_url).map_err(|error| Error::Failed(error.into()))?,
        partner_no: row.partner_no.clone(),
        numbers_of: None,
        keys: vec![key],
        budget: app.limits.account_budget(&row.platform_id, &row.id, None),
        barred: None,
    })
}
