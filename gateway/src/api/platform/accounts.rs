//! `/v1/accounts`: what ScanForPay issued to a platform.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use sea_orm::{ColumnTrait, QueryFilter};
use zeroize::Zeroizing;

use super::sign_keys::{self, SignKey, SignKeys};
use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, Settable, ShownSecret,
    Timestamp, change,
};
use crate::app::App;
use crate::directory::access::{Caller, Mode, Scope};
use crate::directory::accounts::{self, Issued, Patch};
use crate::directory::sign_keys::{MAX_OVERLAP_HOURS, Owner, rotate};
use crate::entity::account;
use crate::error::Error;

/// What ScanForPay issued.
#[derive(Object)]
#[oai(rename = "NewAccount", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    /// Its name, for people; absent: the partner number.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: Option<String>,
    /// One of those that the gateway's operator allows in this mode; absent: the first of them.
    #[oai(validator(max_length = 200))]
    pub base_url: Option<String>,
    /// ScanForPay's partner number.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub partner_no: String,
    /// ScanForPay's sign key. It is never shown again.
    #[oai(validator(min_length = 1, max_length = 256, pattern = r"^[\x20-\x7e]*$"))]
    pub sign_key: String,
}

/// What is to be changed of an account; what is absent stays.
#[derive(Object)]
#[oai(rename = "AccountPatch", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Change {
    /// The merchant of yours, of the same mode, whose orders go to ScanForPay under its own numbers, which payers see
    /// on their bills; all others go under numbers of the gateway. `null`: nobody's do. Orders that were opened keep
    /// the number they were opened under.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub numbers_of: Settable<String>,
}

/// A new version of an account's sign key, as ScanForPay issued it.
#[derive(Object)]
#[oai(rename = "NewAccountSignKey", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct NewKey {
    /// ScanForPay's new sign key. It is never shown again.
    #[oai(validator(min_length = 1, max_length = 256, pattern = r"^[\x20-\x7e]*$"))]
    pub sign_key: String,
    /// How many hours more the version before is believed; 168 where it is absent.
    #[oai(validator(minimum(value = "0"), maximum(value = "2160")))]
    pub previous_for_hours: Option<u32>,
}

/// An account at ScanForPay, or at a sandbox.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Account {
    pub id: String,
    pub name: String,
    pub base_url: String,
    pub partner_no: String,
    pub mode: Mode,
    /// The merchant whose orders go to ScanForPay under its own numbers.
    pub numbers_of: Option<String>,
    /// When its own address for notices was made, if it has one: `POST /v1/accounts/{accountId}/notice-url`.
    pub notice_url_made_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// An account's own address for notices.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase")]
pub struct NoticeUrl {
    /// The address; whoever has it can post there, so it is not shown again.
    pub notice_url: ShownSecret,
}

impl New {
    pub fn issued(&self) -> Issued {
        Issued {
            name: self.name.clone(),
            base_url: self.base_url.clone(),
            partner_no: self.partner_no.clone(),
            sign_key: Zeroizing::new(self.sign_key.clone()),
        }
    }
}

impl Example for New {
    fn example() -> Self {
        Self {
            name: Some("main".into()),
            base_url: None,
            partner_no: "90001".into(),
            sign_key: "as-issued-by-scanforpay".into(),
        }
    }
}

impl Example for Change {
    fn example() -> Self {
        Self { numbers_of: Settable(Some(Some("01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into()))) }
    }
}

impl Example for NewKey {
    fn example() -> Self {
        Self { sign_key: "as-newly-issued-by-scanforpay".into(), previous_for_hours: Some(168) }
    }
}

impl Example for Account {
    fn example() -> Self {
        Self {
            id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GA".into(),
            name: "main".into(),
            base_url: "https://pay.scanforpay.com".into(),
            partner_no: "90001".into(),
            mode: Mode::Live,
            numbers_of: None,
            notice_url_made_at: None,
            created_at: Timestamp::of(1_790_000_000_000),
        }
    }
}

impl From<&account::Model> for Account {
    fn from(row: &account::Model) -> Self {
        Self {
            id: row.id.clone(),
            name: row.name.clone(),
            base_url: row.base_url.clone(),
            partner_no: row.partner_no.clone(),
            mode: row.mode,
            numbers_of: row.numbers_of.clone(),
            notice_url_made_at: row.notice_made_at.map(Timestamp::of),
            created_at: Timestamp::of(row.created_at),
        }
    }
}

pub struct AccountsApi;

#[OpenApi(tag = "Group::Accounts")]
impl AccountsApi {
    /// Create an account
    #[oai(path = "/v1/accounts", method = "post", operation_id = "createAccount")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<New>,
    ) -> Result<Created<Account>, ChangeError> {
        caller.may(Scope::AccountsWrite)?;
        let issued = body.value.issued();
        let plan = || async {
            let (plan, made) = accounts::create(app.0, &caller, &issued).await?;
            Ok(Planned::created(plan, format!("/v1/accounts/{}", made.row.id), Account::from(&made.row)))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// List accounts
    #[oai(path = "/v1/accounts", method = "get", operation_id = "listAccounts")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsRead")] caller: Caller,
        request: &Request,
        /// Only the account of exactly this name.
        #[oai(validator(max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        name: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Account>, Error> {
        caller.may(Scope::AccountsRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = account::Entity::of(&caller.tenant, caller.mode);
        if let Some(name) = &name.0 {
            list = list.filter(account::Column::Name.eq(name.as_str()));
        }
        let show = |row: account::Model| (row.id.clone(), Account::from(&row));
        page.rows(&app.store.read, list, account::Column::Id, show).await
    }

    /// Get an account
    #[oai(path = "/v1/accounts/:accountId", method = "get", operation_id = "getAccount")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsRead")] caller: Caller,
        #[oai(name = "accountId")] account_id: Path<String>,
    ) -> Result<Found<Account>, Error> {
        caller.may(Scope::AccountsRead)?;
        Ok(Found(Account::from(&accounts::find(app.0, &caller, &account_id).await?)))
    }

    /// Change an account
    #[oai(path = "/v1/accounts/:accountId", method = "patch", operation_id = "changeAccount")]
    async fn patch(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "accountId")] account_id: Path<String>,
        body: Body<Change>,
    ) -> Result<Changed<Account>, ChangeError> {
        caller.may(Scope::AccountsWrite)?;
        let patch = Patch { numbers_of: body.value.numbers_of.0.clone() };
        let plan = || async {
            let (plan, row) = accounts::change(app.0, &caller, &account_id, &patch).await?;
            Ok(Planned::changed(plan, Account::from(&row)))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// List the versions of an account's sign key
    #[oai(path = "/v1/accounts/:accountId/sign-keys", method = "get", operation_id = "listAccountSignKeys")]
    async fn sign_keys(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsRead")] caller: Caller,
        #[oai(name = "accountId")] account_id: Path<String>,
    ) -> Result<Found<SignKeys>, Error> {
        caller.may(Scope::AccountsRead)?;
        let account = accounts::find(app.0, &caller, &account_id).await?;
        Ok(Found(sign_keys::all(app.0, Owner::Account(&account.id)).await?))
    }

    /// Rotate an account's sign key
    ///
    /// What comes from ScanForPay is believed with either version until the one before has ended. Requests to
    /// ScanForPay are signed with the version it last took; once it refuses that in a query, such as the one of
    /// `POST /v1/stores/{storeId}/check`, with the other.
    #[oai(path = "/v1/accounts/:accountId/sign-keys", method = "post", operation_id = "rotateAccountSignKey")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "accountId")] account_id: Path<String>,
        body: Body<NewKey>,
    ) -> Result<Created<SignKey>, ChangeError> {
        caller.may(Scope::AccountsWrite)?;
        let NewKey { sign_key, previous_for_hours } = &body.value;
        let overlap_hours =
            previous_for_hours.unwrap_or(sign_keys::USUAL_OVERLAP_HOURS).min(MAX_OVERLAP_HOURS);
        let plan = || async {
            let account = accounts::find(app.0, &caller, &account_id).await?;
            let owner = Owner::Account(&account.id);
            let (plan, row) = rotate(app.0, &caller, owner, sign_key, overlap_hours).await?;
            let location = format!("/v1/accounts/{}/sign-keys", account.id);
            Ok(Planned::created(plan, location, SignKey::of(app.0, &row)?))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }
    /// Make an account's address for notices
    ///
    /// Where ScanForPay, or the shop that hands them on, may post notices of orders that were placed before the shop moved
    /// in. They must be signed with the account's key, and the order imported. Made again, the address before is
    /// good no more. The answer shows it once.
    #[oai(
        path = "/v1/accounts/:accountId/notice-url",
        method = "post",
        operation_id = "makeAccountNoticeUrl"
    )]
    async fn make_notice_url(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::AccountsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "accountId")] account_id: Path<String>,
    ) -> Result<Created<NoticeUrl>, ChangeError> {
        caller.may(Scope::AccountsWrite)?;
        let plan = || async {
            let (plan, token, row) = accounts::make_notice_url(app.0, &caller, &account_id).await?;
            let notice_url = ShownSecret::new(&row.id, &app.account_notice_url(&token));
            let made_at = row.notice_made_at.unwrap_or_default();
            let repeat = NoticeUrl { notice_url: notice_url.repeated(made_at, "Make another one.") };
            let location = format!("/v1/accounts/{}", row.id);
            Ok(Planned::created(plan, location, NoticeUrl { notice_url }).repeated_as(repeat))
        };
        Ok(change(app.0, &caller, once, &[], plan).await?.into())
    }
}
