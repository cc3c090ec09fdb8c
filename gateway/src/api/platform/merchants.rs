//! `/v1/merchants`: a platform's merchants.

mod shapes;

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{ColumnTrait, QueryFilter, Select};

use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, ShownSecret, change,
};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::directory::claims;
use crate::directory::merchants::{self, Patch};
use crate::entity::merchant;
use crate::error::Error;
pub use shapes::{Change, MadeMerchant, Merchant, New, Status};

pub struct MerchantsApi;

#[OpenApi(tag = "Group::Merchants")]
impl MerchantsApi {
    /// Create a merchant
    ///
    /// Makes a merchant of the key's mode, with a partner number and a sign key. The sign key is in this answer and
    /// nowhere else. A shop that moves in keeps its own: `partnerNo` and `signKey`.
    #[oai(path = "/v1/merchants", method = "post", operation_id = "createMerchant")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Body<New>,
    ) -> Result<Created<MadeMerchant>, ChangeError> {
        caller.may(Scope::MerchantsWrite)?;
        let plan = || async {
            let wanted = body.value.wanted();
            let made = merchants::create(app.0, &caller, &wanted).await?;
            if let Some(partner_no) = &wanted.partner_no {
                claims::prove(app.0, &caller, partner_no, &[]).await?;
            }
            let answer = MadeMerchant {
                merchant: Merchant::from(&made.row),
                sign_key: made.sign_key.as_ref().map(|text| ShownSecret::new(&made.key.id, text)),
            };
            let instead = format!("POST /v1/merchants/{}/sign-keys makes a new one.", made.row.id);
            let sign_key = answer.sign_key.as_ref().map(|key| key.repeated(made.row.created_at, &instead));
            let repeat = MadeMerchant { sign_key, ..answer.clone() };
            let location = format!("/v1/merchants/{}", made.row.id);
            Ok(Planned::created(made.plan, location, answer).repeated_as(repeat))
        };
        Ok(change(app.0, &caller, once, &body.raw, plan).await?.into())
    }

    /// List merchants
    #[oai(path = "/v1/merchants", method = "get", operation_id = "listMerchants")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsRead")] caller: Caller,
        request: &Request,
        /// Text that name, reference or partner number contain; letter case does not matter.
        #[oai(validator(max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        q: Query<Option<String>>,
        status: Query<Option<Status>>,
        /// Exactly this reference.
        #[oai(validator(max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
        reference: Query<Option<String>>,
        /// Rows of a page.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Page<Merchant>, Error> {
        caller.may(Scope::MerchantsRead)?;
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let mut list = merchant::Entity::of(&caller.tenant, caller.mode);
        if let Some(text) = &q.0 {
            list = containing(list, text);
        }
        if let Some(status) = status.0 {
            list = match status {
                Status::Active => list.filter(merchant::Column::Status.eq("active")),
                Status::Suspended => list
                    .filter(merchant::Column::Status.eq("suspended"))
                    .filter(merchant::Column::OffboardedAt.is_null()),
                Status::Offboarded => list.filter(merchant::Column::OffboardedAt.is_not_null()),
            };
        }
        if let Some(reference) = &reference.0 {
            list = list.filter(merchant::Column::Reference.eq(reference.as_str()));
        }
        let show = |row: merchant::Model| (row.id.clone(), Merchant::from(&row));
        page.rows(&app.store.read, list, merchant::Column::Id, show).await
    }

    /// Get a merchant
    #[oai(path = "/v1/merchants/:merchantId", method = "get", operation_id = "getMerchant")]
    async fn get(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsRead")] caller: Caller,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
    ) -> Result<Found<Merchant>, Error> {
        caller.may(Scope::MerchantsRead)?;
        Ok(Found(Merchant::from(&merchants::find(app.0, &caller, &merchant_id).await?)))
    }

    /// Change a merchant
    #[oai(path = "/v1/merchants/:merchantId", method = "patch", operation_id = "changeMerchant")]
    async fn patch(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
        body: Body<Change>,
    ) -> Result<Changed<Merchant>, ChangeError> {
        let patch = body.value.patch()?;
        changed(app.0, &caller, once, &merchant_id, &body.raw, ("merchant.changed", patch)).await
    }

    /// Suspend a merchant
    ///
    /// It opens no new orders. Queries, refunds and notifications of its orders go on.
    #[oai(path = "/v1/merchants/:merchantId/suspend", method = "post", operation_id = "suspendMerchant")]
    async fn suspend(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
    ) -> Result<Changed<Merchant>, ChangeError> {
        let patch = Patch { is_suspended: Some(true), ..Patch::default() };
        changed(app.0, &caller, once, &merchant_id, &[], ("merchant.suspended", patch)).await
    }

    /// Resume a merchant
    #[oai(path = "/v1/merchants/:merchantId/resume", method = "post", operation_id = "resumeMerchant")]
    async fn resume(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        #[oai(name = "merchantId")] merchant_id: Path<String>,
    ) -> Result<Changed<Merchant>, ChangeError> {
        let patch = Patch { is_suspended: Some(false), ..Patch::default() };
        changed(app.0, &caller, once, &merchant_id, &[], ("merchant.resumed", patch)).await
    }
}

async fn changed(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    merchant_id: &str,
    body: &[u8],
    (action, patch): (&'static str, Patch),
) -> Result<Changed<Merchant>, ChangeError> {
    caller.may(Scope::MerchantsWrite)?;
    let plan = || async {
        let (plan, row) = merchants::change(app, caller, merchant_id, action, &patch).await?;
        Ok(Planned::changed(plan, Merchant::from(&row)))
    };
    Ok(change(app, caller, once, body, plan).await?.into())
}

fn containing(list: Select<merchant::Entity>, text: &str) -> Select<merchant::Entity> {
    use merchant::Column::{Name, PartnerNo, Reference};
    let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let pattern = format!("%{escaped}%");
    let contains = |column: merchant::Column| {
        Expr::expr(Func::lower(Expr::col(column))).like(LikeExpr::new(pattern.clone()).escape('\\'))
    };
    list.filter(contains(Name).or(contains(Reference)).or(contains(PartnerNo)))
}
