//! Versions of sign keys, and `/v1/merchants/{id}/sign-keys`. Those of accounts are with the accounts.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};

use crate::api::rest::{
    Body, ChangeError, Created, Found, Group, Once, Planned, ShownSecret, Timestamp, change,
};
use crate::app::App;
use crate::chance;
use crate::directory::access::{Caller, Scope};
use crate::directory::merchants;
use crate::directory::sign_keys::{self, MAX_OVERLAP_HOURS, Owner};
use crate::entity::sign_key;
use crate::error::Error;

/// A week.
pub const USUAL_OVERLAP_HOURS: u32 = 168;

/// A rotation of a merchant's sign key.
#[derive(Object, Debug)]
#[oai(rename = "NewSignKey", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    /// How many hours more the version before is good; 168 where it is absent. 0: it ends at once.
    #[oai(validator(minimum(value = "0"), maximum(value = "2160")))]
    pub previous_for_hours: Option<u32>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "SignKeyStatus", rename_all = "lowercase")]
pub enum Status {
    /// What is signed from now on.
    Current,
    /// Good still, until it expires.
    Previous,
    Ended,
}

/// A version of a sign key. The key itself is not shown.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct SignKey {
    pub id: String,
    pub version: i64,
    pub status: Status,
    /// The same for the same key, and tells nothing else of it.
    pub fingerprint: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// When it last signed or verified something, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// The versions of a sign key, newest first.
#[derive(Object, Debug)]
pub struct SignKeys {
    #[oai(validator(max_items = 20))]
    pub data: Vec<SignKey>,
}

/// A version of a sign key that was made.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct MadeSignKey {
    #[oai(flatten)]
    pub version: SignKey,
    /// The key itself.
    pub sign_key: ShownSecret,
}

impl Example for New {
    fn example() -> Self {
        Self { previous_for_hours: Some(48) }
    }
}

impl SignKey {
    pub fn of(app: &App, row: &sign_key::Model) -> Result<Self, Error> {
        let status = match row.expires_at {
            None => Status::Current,
            Some(end) if app.clock.now_ms() < end => Status::Previous,
            Some(_) => Status::Ended,
        };
        Ok(Self {
            id: row.id.clone(),
            version: row.version,
            status,
            fingerprint: sign_keys::fingerprint(app, row)?,
            created_at: Timestamp::of(row.created_at),
            expires_at: row.expires_at.map(Timestamp::of),
            last_used_at: row.last_used_at.map(Timestamp::of),
        })
    }
}

pub async fn all(app: &App, owner: Owner<'_>) -> Result<SignKeys, Error> {
    let versions = sign_keys::versions(app, owner).await?;
    Ok(SignKeys { data: versions.iter().map(|row| SignKey::of(app, row)).collect::<Result<_, _>>()? })
}

pub struct SignKeysApi;

#[OpenApi(tag = "Group::Merchants")]
impl SignKeysApi {
    /// List the versions of a merchant's sign key
    #[oai(path = "/v1/merchants/:merchantId/sign-keys", method = "get", operation_id = "listSignKeys")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::KeysRead")] caller: Caller,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
    ) -> Result<Found<SignKeys>, Error> {
        caller.may(Scope::KeysRead)?;
        let merchant = merchants::find(app.0, &caller, &merchant_id).await?;
        Ok(Found(all(app.0, Owner::Merchant(&merchant.id)).await?))
    }

    /// Rotate a merchant's sign key
    ///
    /// Makes a new current version, which is in this answer and nowhere else. The version before is good for a while
    /// longer, so that the shop can change over without a refused request; one before that ends at once.
    #[oai(path = "/v1/merchants/:merchantId/sign-keys", method = "post", operation_id = "rotateSignKey")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::KeysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
        body: Body<New>,
    ) -> Result<Created<MadeSignKey>, ChangeError> {
        caller.may(Scope::KeysWrite)?;
        let hours = body.value.previous_for_hours.unwrap_or(USUAL_OVERLAP_HOURS).min(MAX_OVERLAP_HOURS);
        let plan = || async {
            let merchant = merchants::find(app.0, &caller, &merchant_id).await?;
            let text = chance::sign_key();
            let owner = Owner::Merchant(&merchant.id);
            let (plan, row) = sign_keys::rotate(app.0, &caller, owner, &text, hours).await?;
            let sign_key = ShownSecret::new(&row.id, &text);
            let answer = MadeSignKey { version: SignKey::of(app.0, &row)?, sign_key };
            let sign_key = answer.sign_key.repeated(row.created_at, "Rotate again for a new one.");
            let repeat = MadeSignKey { sign_key, ..answer.clone() };
            let location = format!("/v1/merchants/{}/sign-keys", merchant.id);
            Ok(Planned::created(plan, location, answer).repeated_as(repeat))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }
}
