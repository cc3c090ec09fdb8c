//! The account of a new store: named, found by its credentials, or made with the store.

use sea_orm::{ColumnTrait, QueryFilter};

use super::NewStore;
use crate::app::App;
use crate::directory::access::Caller;
use crate::directory::accounts::{self, Issued, NewAccount};
use crate::directory::sign_keys::{self, Owner};
use crate::entity::account;
use crate::error::Error;

/// The account a new store is to use.
#[derive(Clone)]
pub enum WantedAccount {
    Known(String),
    /// One with these credentials: the platform's that has them, or a new one.
    Issued(Issued),
}

/// Accounts that are about to be made by the same request: base URL, partner number, id and key's fingerprint.
#[derive(Default)]
pub struct Pending(Vec<(String, String, String, String)>);

impl Pending {
    pub fn take(&mut self, app: &App, store: &NewStore) -> Result<(), Error> {
        if let Some(NewAccount { row, key }) = &store.account {
            let fingerprint = sign_keys::fingerprint(app, key)?;
            self.0.push((row.base_url.clone(), row.partner_no.clone(), row.id.clone(), fingerprint));
        }
        Ok(())
    }

    fn account(&self, base_url: &str, partner_no: &str) -> Option<(String, String)> {
        let found = self.0.iter().find(|(url, number, ..)| url == base_url && number == partner_no);
        found.map(|(_, _, id, fingerprint)| (id.clone(), fingerprint.clone()))
    }
}

/// The account of a new store: known, found by its credentials, or new.
pub(super) async fn account_for(
    app: &App,
    caller: &Caller,
    wanted: &WantedAccount,
    pending: &Pending,
    at: &str,
) -> Result<(String, Option<NewAccount>), Error> {
    let issued = match wanted {
        WantedAccount::Known(id) => {
            return match accounts::find(app, caller, id).await {
                Ok(row) => Ok((row.id, None)),
                Err(Error::NotFound) => {
                    Err(Error::invalid(&format!("{at}/accountId"), "there is no such account in this mode"))
                }
                Err(error) => Err(error),
            };
        }
        WantedAccount::Issued(issued) => issued,
    };
    let at = format!("{at}/account");
    let base_url = accounts::base_url(app, caller.mode, issued.base_url.as_deref(), &at)?;
    let fingerprint = app.pepper.fingerprint(issued.sign_key.as_bytes());
    let known = match pending.account(&base_url, &issued.partner_no) {
        Some(known) => Some(known),
        None => known_account(app, caller, &base_url, &issued.partner_no).await?,
    };
    match known {
        None => {
            let made = accounts::prepare(app, caller, issued, &at).await?;
            Ok((made.row.id.clone(), Some(made)))
        }
        Some((id, known)) if known == fingerprint => Ok((id, None)),
        Some(_) => Err(Error::conflict(
            "account_key_differs",
            format!("{at}/signKey"),
            "The platform has an account of this partner number with another sign key. Rotate its key, or name the \
             account.",
        )),
    }
}

/// Id and key's fingerprint of the platform's account of this partner number.
async fn known_account(
    app: &App,
    caller: &Caller,
    base_url: &str,
    partner_no: &str,
) -> Result<Option<(String, String)>, Error> {
    let found = account::Entity::of(&caller.tenant, caller.mode)
        .filter(account::Column::BaseUrl.eq(base_url))
        .filter(account::Column::PartnerNo.eq(partner_no))
        .one(&app.store.read)
        .await?;
    let Some(known) = found else { return Ok(None) };
    let versions = sign_keys::versions(app, Owner::Account(&known.id)).await?;
    let current = versions.first().ok_or(Error::NotFound)?;
    Ok(Some((known.id, sign_keys::fingerprint(app, current)?)))
}
