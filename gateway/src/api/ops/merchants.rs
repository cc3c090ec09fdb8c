//! Merchants, for operators: found, seen with all that belongs to them, suspended and resumed, their sign keys rotated.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::{Any, Example, ToJSON};
use poem_openapi::{Object, OpenApi};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr, Query as Statement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use serde_json::json;
use shared::ops::{Endpoint, Key, Limit, LimitUse, Merchant, MerchantWhole, RotatedKey, Store};
use zeroize::Zeroizing;

use super::Group;
use super::auth::LoggedIn;
use super::endpoints::Because;
use crate::api::platform::sign_keys::USUAL_OVERLAP_HOURS;
use crate::api::rest::{Body, ChangeError, Created, Found, Page, PageQuery, Timestamp};
use crate::app::App;
use crate::chance;
use crate::console::rows::moment;
use crate::deliveries::service;
use crate::directory::access::is_id;
use crate::directory::acts::{self, Act};
use crate::directory::change::{Refresh, count};
use crate::directory::operators::Role;
use crate::directory::sign_keys::operate::{Rotated, Rotation};
use crate::directory::sign_keys::{self, MAX_OVERLAP_HOURS, Owner};
use crate::directory::versions;
use crate::entity::{endpoint, merchant, sign_key, store};
use crate::error::Error;
use crate::ledger::{Lane, RowStatement};
use crate::limits::{Bucket, Quota};
use crate::troubles::credentials;

/// Endpoints and stores that are shown of one merchant.
const MOST: u64 = 100;

/// A rotation of a merchant's sign key.
#[derive(Object)]
#[oai(rename = "SignKeyToRotate", rename_all = "camelCase", example)]
pub struct SignKeyToRotate {
    /// For who reads it later.
    #[oai(validator(min_length = 1, max_length = 500, pattern = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"))]
    pub reason: String,
    /// How many hours more the version before is good; 168 where it is absent. 0: it ends at once.
    #[oai(validator(minimum(value = "0"), maximum(value = "2160")))]
    pub previous_for_hours: Option<u32>,
    /// A version of an earlier rotation that is good still may end at once.
    pub end_earlier: Option<bool>,
}

impl Example for SignKeyToRotate {
    fn example() -> Self {
        Self {
            reason: "the shop's server was broken into".to_owned(),
            previous_for_hours: Some(2),
            end_earlier: None,
        }
    }
}

pub struct MerchantsOps;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Merchants")]
impl MerchantsOps {
    /// List merchants
    ///
    /// Newest first, of the platforms in the operator's scope.
    #[oai(path = "/merchants", method = "get", operation_id = "listMerchants")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// Only those with this in their name, partner number or reference, in any case.
        #[oai(validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        q: Query<Option<String>>,
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<Any<Merchant>>, Error> {
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = in_scope(&caller);
        if let Some(text) = q.0.as_deref().filter(|text| !text.trim().is_empty()) {
            list = list.filter(contains(text.trim()));
        }
        let show = |row: merchant::Model| (row.id.clone(), Any(shown(app.0, &row)));
        page.rows(&app.store.read, list, merchant::Column::Id, show).await
    }

    /// Get a merchant
    ///
    /// With its stores, the versions of its sign key, its endpoints and how well events reach it.
    #[oai(path = "/merchants/:id", method = "get", operation_id = "getMerchant")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The merchant's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
    ) -> Result<Found<Any<MerchantWhole>>, Error> {
        let row = found(app.0, &caller, &id.0).await?;
        Ok(Found(Any(whole(app.0, &row).await?)))
    }

    /// Suspend a merchant
    ///
    /// For operators. Its calls are refused from now on; what was paid is still told.
    #[oai(path = "/merchants/:id/suspend", method = "post", operation_id = "suspendMerchant")]
    async fn suspend(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The merchant's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Because>,
    ) -> Result<Found<Any<MerchantWhole>>, ChangeError> {
        set(app.0, &caller, &id.0, ("merchant.suspended", "suspended"), &body.value.reason).await
    }

    /// Rotate a merchant's sign key
    ///
    /// For admins, and for a merchant that cannot wait for its platform. The new key is in this answer and nowhere else; it is to
    /// be handed to the merchant. The version before is good for a while longer. 409, `earlier_version_good`: one of an
    /// earlier rotation is good still, with which the shop may be signing; it ends at once if `endEarlier` is said.
    #[oai(path = "/merchants/:id/sign-keys", method = "post", operation_id = "rotateSignKey")]
    async fn rotate(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The merchant's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<SignKeyToRotate>,
    ) -> Result<Created<Any<RotatedKey>>, ChangeError> {
        caller.must_be(Role::Admin)?;
        let merchant = found(app.0, &caller, &id.0).await?;
        refuse_offboarded(&merchant)?;
        let SignKeyToRotate { reason, previous_for_hours, end_earlier } = body.value;
        let hours = previous_for_hours.unwrap_or(USUAL_OVERLAP_HOURS);
        let rotation = Rotation {
            actor: &caller.actor(),
            reason: &reason,
            overlap_hours: std::cmp::min(hours, MAX_OVERLAP_HOURS),
            ends_earlier: end_earlier.unwrap_or_default(),
        };
        let text = Zeroizing::new(chance::sign_key());
        match sign_keys::operate::rotate(app.0, &merchant, &text, rotation).await? {
            Rotated::Done(row, ends_at) => {
                let rotated = RotatedKey {
                    key: key(row),
                    partner_no: merchant.partner_no,
                    sign_key: text.to_string(),
                    previous_ends_at: moment(ends_at),
                };
                Ok(Created::at(format!("/ops/v1/merchants/{}", merchant.id), &Any(rotated)))
            }
            Rotated::EarlierStands(end) => {
                let end = Timestamp::of(end).text();
                let detail = format!(
                    "A version of an earlier rotation is good until {end}, and would end at once; the shop may be \
                     signing with it."
                );
                Err(Error::Conflict { code: "earlier_version_good", detail, pointer: None }.into())
            }
        }
    }

    /// Resume a merchant
    #[oai(path = "/merchants/:id/resume", method = "post", operation_id = "resumeMerchant")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The merchant's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Because>,
    ) -> Result<Found<Any<MerchantWhole>>, ChangeError> {
        set(app.0, &caller, &id.0, ("merchant.resumed", "active"), &body.value.reason).await
    }
}

fn in_scope(caller: &LoggedIn) -> Select<merchant::Entity> {
    match &caller.operator.platform {
        Some(platform) => {
            merchant::Entity::find().filter(merchant::Column::PlatformId.eq(platform.id.as_str()))
        }
        None => merchant::Entity::find(),
    }
}

fn contains(text: &str) -> Expr {
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let within = |column: merchant::Column| {
        let pattern = LikeExpr::new(format!("%{escaped}%")).escape('\\');
        Expr::expr(Func::lower(Expr::col(column))).like(pattern)
    };
    within(merchant::Column::Name)
        .or(within(merchant::Column::PartnerNo))
        .or(within(merchant::Column::Reference))
}

async fn found(app: &App, caller: &LoggedIn, id: &str) -> Result<merchant::Model, Error> {
    if !is_id(id) {
        return Err(Error::NotFound);
    }
    let found = in_scope(caller).filter(merchant::Column::Id.eq(id)).one(&app.store.read).await?;
    found.ok_or(Error::NotFound)
}

fn shown(app: &App, row: &merchant::Model) -> Merchant {
    let held = app.directory.merchant_by_id(&row.id);
    let platform = app.directory.platform_by_id(&row.platform_id);
    Merchant {
        id: row.id.clone(),
        platform: platform.map(|platform| platform.slug.clone()).unwrap_or_default(),
        partner_no: row.partner_no.clone(),
        name: row.name.clone(),
        mode: row.mode.as_str().to_owned(),
        stores: held.map_or(0, |held| i64::try_from(held.stores.len()).unwrap_or(i64::MAX)),
        created_at: moment(row.created_at),
        suspended: row.status != "active",
    }
}

fn limit(quota: Quota) -> Limit {
    Limit {
        count: quota.count().get(),
        window: humantime_serde::re::humantime::format_duration(quota.window()).to_string(),
    }
}

fn limit_use(bucket: &Bucket) -> LimitUse {
    LimitUse { limit: limit(bucket.quota), used: bucket.used(), refused: bucket.refused() }
}

fn key(row: sign_key::Model) -> Key {
    Key {
        id: row.id,
        created_at: moment(row.created_at),
        ends_at: row.expires_at.map(moment),
        last_used_at: row.last_used_at.map(moment),
    }
}

fn refuse_offboarded(merchant: &merchant::Model) -> Result<(), Error> {
    if merchant.offboarded_at.is_none() {
        return Ok(());
    }
    let detail = "It is offboarded, for good.".to_owned();
    Err(Error::Conflict { code: "offboarded", detail, pointer: None })
}

async fn whole(app: &App, row: &merchant::Model) -> Result<MerchantWhole, Error> {
    let read = &app.store.read;
    let of_merchant = store::Entity::find().filter(store::Column::MerchantId.eq(row.id.as_str()));
    let held = app.directory.merchant_by_id(&row.id);
    let mut stores = Vec::new();
    for store in of_merchant.order_by_asc(store::Column::Id).limit(MOST).all(read).await? {
        let bucket = held.as_ref().and_then(|held| held.stores.get(&store.store_no)).map(|held| &held.bucket);
        let limit_use = bucket.map(|bucket| limit_use(bucket));
        let credentials_fail = credentials::failing_since(app, &store).await?.is_some();
        stores.push(Store {
            id: store.id,
            store_no: store.store_no,
            account_id: store.account_id,
            currency: store.currency,
            wallets: store.wallets.split(',').map(str::to_owned).collect(),
            created_at: moment(store.created_at),
            disabled: store.status != "active",
            credentials_fail,
            limit_use,
        });
    }
    let versions = sign_keys::versions(app, Owner::Merchant(&row.id)).await?;
    let mut rows = endpoint::Entity::of_merchant(&row.id).all(read).await?;
    rows.extend(endpoint::Entity::implicit_of(&row.id).limit(MOST).all(read).await?);
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for endpoint in rows {
        // The same members under the same names.
        let entry = super::endpoints::entry(app, endpoint).await?.to_json().unwrap_or_default();
        endpoints.push(serde_json::from_value(entry).map_err(|error| Error::Failed(error.into()))?);
    }
    let quota = Quota::of_columns(row.limit_count, row.limit_window_ms).ok().flatten();
    Ok(MerchantWhole {
        merchant: shown(app, row),
        limit: quota.map(limit),
        limit_use: held.map(|held| limit_use(&held.bucket)),
        stores,
        keys: versions.into_iter().map(key).collect(),
        endpoints,
        service: service::of_all_of(app, &row.id).await?,
    })
}

async fn set(
    app: &Arc<App>,
    caller: &LoggedIn,
    id: &str,
    (action, status): (&'static str, &str),
    reason: &str,
) -> Result<Found<Any<MerchantWhole>>, ChangeError> {
    caller.must_be(Role::Operator)?;
    let before = found(app, caller, id).await?;
    refuse_offboarded(&before)?;
    if before.status != status {
        let update = Statement::update()
            .table(merchant::Entity)
            .value(merchant::Column::Status, status)
            .value(merchant::Column::Version, before.version + 1)
            .and_where(Expr::col(merchant::Column::Id).eq(id))
            .and_where(Expr::col(merchant::Column::Version).eq(before.version))
            .to_owned();
        let act = Act {
            action,
            subject_id: Some(id),
            platform_id: Some(&before.platform_id),
            before: Some(json!({ "status": before.status })),
            after: Some(json!({ "status": status, "reason": reason })),
        };
        let act = acts::entry(&caller.actor(), act, &app.chance, app.clock.now_ms());
        let changed = Refresh::Merchant(id.to_owned());
        let mut statements = vec![count(&before.platform_id), RowStatement::Provided(update), act];
        statements = versions::counted(statements, std::slice::from_ref(&changed));
        let room = app.ledger.room(Lane::Bulk, &before.platform_id).map_err(Error::from)?;
        room.rows(statements).await.map_err(Error::from)?;
        app.directory.refresh(&app.store.read, &app.vault, &changed).await.map_err(Error::Failed)?;
        versions::announce(app);
    }
    let after = found(app, caller, id).await?;
    if after.status != status {
        return Err(Error::Busy.into());
    }
    Ok(Found(Any(whole(app, &after).await?)))
}
