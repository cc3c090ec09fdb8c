//! `/v1/stores`: merchants' stores.

mod shapes;

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, Timestamp, change,
};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::directory::proof;
use crate::directory::stores::{self, Patch, WantedAccount};
use crate::entity::store;
use crate::error::Error;
use crate::troubles::credentials;
pub use shapes::{Change, Check, Described, New, Store};

pub struct StoresApi;

#[OpenApi(tag = "Group::Stores")]
impl StoresApi {
    /// Create a store
    #[oai(path = "/v1/stores", method = "post", operation_id = "createStore")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<New>,
    ) -> Result<Created<Store>, ChangeError> {
        caller.may(Scope::StoresWrite)?;
        let wanted = body.value.wanted()?;
        if matches!(wanted.account, WantedAccount::Issued(_)) {
            caller.may(Scope::AccountsWrite)?;
        }
        let plan = || async {
            let (plan, made) = stores::create(app.0, &caller, &body.value.merchant_id, &wanted).await?;
            Ok(Planned::created(
                plan,
                format!("/v1/stores/{}", made.row.id),
                Store::shown_to(&caller, &made.row),
            ))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// List stores
    #[oai(path = "/v1/stores", method = "get", operation_id = "listStores")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresRead")] caller: Caller,
        request: &Request,
        /// Only stores of this merchant.
        #[oai(name = "merchantId", validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        merchant_id: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Store>, Error> {
        caller.may(Scope::StoresRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = store::Entity::of(&caller.tenant, caller.mode);
        if let Some(id) = &merchant_id.0 {
            list = list.filter(store::Column::MerchantId.eq(id.as_str()));
        }
        let show = |row: store::Model| (row.id.clone(), Store::shown_to(&caller, &row));
        page.rows(&app.store.read, list, store::Column::Id, show).await
    }

    /// Get a store
    #[oai(path = "/v1/stores/:storeId", method = "get", operation_id = "getStore")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresRead")] caller: Caller,
        #[oai(name = "storeId")] store_id: Path<String>,
    ) -> Result<Found<Store>, Error> {
        caller.may(Scope::StoresRead)?;
        let row = stores::find(app.0, &caller, &store_id).await?;
        let mut shown = Store::shown_to(&caller, &row);
        if caller.tenant.merchant_id().is_none() {
            let since = credentials::failing_since(app.0, &row).await?;
            shown.credentials_failing_since = since.map(Timestamp::of);
        }
        Ok(Found(shown))
    }

    /// Change a store
    #[oai(path = "/v1/stores/:storeId", method = "patch", operation_id = "changeStore")]
    async fn patch(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "storeId")] store_id: Path<String>,
        body: Body<Change>,
    ) -> Result<Changed<Store>, ChangeError> {
        let Change { wallets, time_zone, late_payment, limit } = &body.value;
        let limit = limit.0.as_ref().map(|limit| limit.as_ref().map(|limit| limit.quota("/limit")));
        let patch = Patch {
            wallets: wallets.as_ref().map(|wallets| wallets.iter().map(|wallet| (*wallet).into()).collect()),
            time_zone: time_zone.clone(),
            late_payment: late_payment.map(Into::into),
            is_enabled: None,
            limit: limit.map(Option::transpose).transpose()?,
        };
        changed(app.0, &caller, once, &store_id, &body.raw, ("store.changed", patch)).await
    }

    /// Disable a store
    ///
    /// It opens no new orders. Queries, refunds and notifications of its orders go on.
    #[oai(path = "/v1/stores/:storeId/disable", method = "post", operation_id = "disableStore")]
    async fn disable(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "storeId")] store_id: Path<String>,
    ) -> Result<Changed<Store>, ChangeError> {
        let patch = Patch { is_enabled: Some(false), ..Patch::default() };
        changed(app.0, &caller, once, &store_id, &[], ("store.disabled", patch)).await
    }

    /// Enable a store
    #[oai(path = "/v1/stores/:storeId/enable", method = "post", operation_id = "enableStore")]
    async fn enable(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "storeId")] store_id: Path<String>,
    ) -> Result<Changed<Store>, ChangeError> {
        let patch = Patch { is_enabled: Some(true), ..Patch::default() };
        changed(app.0, &caller, once, &store_id, &[], ("store.enabled", patch)).await
    }

    /// Check a store's account
    ///
    /// Asks ScanForPay, signed with the account's key, for an order that cannot exist. That proves the key. It does not
    /// prove the store number, which ScanForPay does not look at in a query: the first order does. Nothing is changed,
    /// so an `Idempotency-Key` is taken and has no effect.
    #[oai(path = "/v1/stores/:storeId/check", method = "post", operation_id = "checkStore")]
    async fn check(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::StoresWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] _once: Once,
        #[oai(name = "storeId")] store_id: Path<String>,
    ) -> Result<Found<Check>, Error> {
        caller.may(Scope::StoresWrite)?;
        let row = stores::find(app.0, &caller, &store_id).await?;
        Ok(Found(proof::prove(app.0, &row).await?.into()))
    }
}

async fn changed(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    store_id: &str,
    body: &[u8],
    (action, patch): (&'static str, Patch),
) -> Result<Changed<Store>, ChangeError> {
    caller.may(Scope::StoresWrite)?;
    let plan = || async {
        let (plan, row) = stores::change(app, caller, store_id, action, &patch).await?;
        Ok(Planned::changed(plan, Store::shown_to(caller, &row)))
    };
    Ok(change(app, caller, once, body, plan).await?.into())
}
