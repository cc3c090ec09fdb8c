//! `/v1/api-keys`: keys that open the REST API.

use std::sync::Arc;

use ipnet::IpNet;
use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, ShownSecret,
    Timestamp, change,
};
use crate::app::App;
use crate::directory::access::{Caller, Mode, Scope, Scopes};
use crate::directory::api_keys::manage::{self, Wanted};
use crate::entity::api_key;
use crate::error::{Error, FieldProblem};

/// An API key to be made.
#[derive(Object, Debug)]
#[oai(rename = "NewApiKey", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    /// What it is for, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: String,
    /// For one of the platform's merchants; absent: for the caller's own tenant.
    #[oai(validator(max_length = 64))]
    pub merchant_id: Option<String>,
    /// What it is good for; never more than the key that makes it.
    #[oai(validator(min_items = 1, max_items = 32, unique_items))]
    pub scopes: Vec<Scope>,
    /// Networks it may be used from, such as `192.0.2.0/24`; absent: from anywhere.
    #[oai(validator(max_items = 32))]
    pub allow_addresses: Option<Vec<String>>,
    /// When it ends; absent: when it is revoked.
    pub expires_at: Option<Timestamp>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "ApiKeyStatus", rename_all = "lowercase")]
pub enum Status {
    Active,
    Expired,
    Revoked,
}

/// An API key; the key itself is not kept.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    /// The merchant it belongs to; absent: the platform itself.
    pub merchant_id: Option<String>,
    pub mode: Mode,
    /// Its first characters.
    pub prefix: String,
    pub scopes: Vec<Scope>,
    /// Networks it may be used from; none: from anywhere.
    pub allow_addresses: Vec<String>,
    pub status: Status,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the minute.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// An API key that was made.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct MadeApiKey {
    #[oai(flatten)]
    pub api_key: ApiKey,
    /// The key itself.
    pub key: ShownSecret,
}

impl Example for New {
    fn example() -> Self {
        Self {
            name: "Order desk".into(),
            merchant_id: None,
            scopes: vec![Scope::MerchantsRead, Scope::OrdersRead],
            allow_addresses: Some(vec!["192.0.2.0/24".into()]),
            expires_at: None,
        }
    }
}

impl ApiKey {
    fn of(row: &api_key::Model, now: i64) -> Self {
        let status = match (row.revoked_at, row.expires_at) {
            (Some(_), _) => Status::Revoked,
            (None, Some(end)) if now >= end => Status::Expired,
            (None, _) => Status::Active,
        };
        Self {
            id: row.id.clone(),
            name: row.name.clone(),
            merchant_id: row.merchant_id.clone(),
            mode: row.mode,
            prefix: row.prefix.clone(),
            scopes: Scopes::parse(&row.scopes).iter().collect(),
            allow_addresses: row.addresses.split_ascii_whitespace().map(str::to_owned).collect(),
            status,
            created_at: Timestamp::of(row.created_at),
            expires_at: row.expires_at.map(Timestamp::of),
            last_used_at: row.last_used_at.map(Timestamp::of),
            revoked_at: row.revoked_at.map(Timestamp::of),
        }
    }
}

impl New {
    fn wanted(&self) -> Result<Wanted, Error> {
        let addresses = self.allow_addresses.iter().flatten().enumerate();
        let addresses = addresses.map(|(place, text)| network(text).ok_or(place));
        let (good, bad): (Vec<_>, Vec<_>) = addresses.partition(Result::is_ok);
        let wrong = bad.into_iter().filter_map(Result::err).map(|place| {
            let pointer = format!("/allowAddresses/{place}");
            FieldProblem::body(&pointer, "is neither an address nor a network such as 192.0.2.0/24")
        });
        let wrong: Vec<FieldProblem> = wrong.collect();
        if !wrong.is_empty() {
            return Err(Error::Invalid(wrong));
        }
        Ok(Wanted {
            name: self.name.clone(),
            merchant_id: self.merchant_id.clone(),
            scopes: self.scopes.clone(),
            addresses: good.into_iter().flatten().collect(),
            expires_at: self.expires_at.map(|time| time.unix_ms),
        })
    }
}

/// A network, or an address as the network of itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

pub struct ApiKeysApi;

#[OpenApi(tag = "Group::ApiKeys")]
impl ApiKeysApi {
    /// Create an API key
    ///
    /// For the platform itself or for one of its merchants, of the mode of the key that makes it. The key is in this
    /// answer and nowhere else.
    #[oai(path = "/v1/api-keys", method = "post", operation_id = "createApiKey")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::KeysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<New>,
    ) -> Result<Created<MadeApiKey>, ChangeError> {
        caller.may(Scope::KeysWrite)?;
        let wanted = body.value.wanted()?;
        let plan = || async {
            let made = manage::create(app.0, &caller, &wanted).await?;
            let answer = MadeApiKey {
                api_key: ApiKey::of(&made.row, made.row.created_at),
                key: ShownSecret::new(&made.row.id, &made.text),
            };
            let key = answer.key.repeated(made.row.created_at, "Revoke it and make another one.");
            let repeat = MadeApiKey { key, ..answer.clone() };
            let location = format!("/v1/api-keys/{}", made.row.id);
            Ok(Planned::created(made.plan, location, answer).repeated_as(repeat))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// List API keys
    #[oai(path = "/v1/api-keys", method = "get", operation_id = "listApiKeys")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::KeysRead")] caller: Caller,
        request: &Request,
        /// Only keys of this merchant.
        #[oai(name = "merchantId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant_id: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<ApiKey>, Error> {
        caller.may(Scope::KeysRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = api_key::Entity::of(&caller.tenant, caller.mode);
        if let Some(id) = &merchant_id.0 {
            list = list.filter(api_key::Column::MerchantId.eq(id.as_str()));
        }
        let now = app.clock.now_ms();
        let show = |row: api_key::Model| (row.id.clone(), ApiKey::of(&row, now));
        page.rows(&app.store.read, list, api_key::Column::Id, show).await
    }

    /// Get an API key
    #[oai(path = "/v1/api-keys/:apiKeyId", method = "get", operation_id = "getApiKey")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::KeysRead")] caller: Caller,
        #[oai(name = "apiKeyId")] api_key_id: Path<String>,
    ) -> Result<Found<ApiKey>, Error> {
        caller.may(Scope::KeysRead)?;
        let row = manage::find(app.0, &caller, &api_key_id).await?;
        Ok(Found(ApiKey::of(&row, app.clock.now_ms())))
    }

    /// Revoke an API key
    ///
    /// It opens nothing from now on. That cannot be taken back.
    #[oai(path = "/v1/api-keys/:apiKeyId/revoke", method = "post", operation_id = "revokeApiKey")]
    async fn revoke(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::KeysWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "apiKeyId")] api_key_id: Path<String>,
    ) -> Result<Changed<ApiKey>, ChangeError> {
        caller.may(Scope::KeysWrite)?;
        let plan = || async {
            let (plan, row) = manage::revoke(app.0, &caller, &api_key_id).await?;
            Ok(Planned::changed(plan, ApiKey::of(&row, app.clock.now_ms())))
        };
        Ok(change(app.0, &caller, once, &[], plan).await?.into())
    }
}
