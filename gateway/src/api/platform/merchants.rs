//! `/v1/merchants`: a platform's merchants.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{ColumnTrait, QueryFilter, Select};
use zeroize::Zeroizing;

use crate::api::rest::{
    Body, ChangeError, Changed, Created, Found, Group, Once, Page, PageQuery, Planned, Settable, ShownSecret,
    Timestamp, change,
};
use crate::app::App;
use crate::directory::access::{Caller, Mode, Scope};
use crate::directory::claims;
use crate::directory::merchants::{self, Patch, WantedMerchant};
use crate::directory::networks;
use crate::entity::merchant;
use crate::error::Error;

/// A merchant to be made.
#[derive(Object)]
#[oai(rename = "NewMerchant", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    /// Its name, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: String,
    /// Your own name for it, unique among your merchants.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Option<String>,
    /// The number that the merchant signs as already; absent: a new one. It is yours to choose where you have ScanForPay's
    /// account of that number, whose key is proven by a question; unique among your merchants.
    #[oai(validator(min_length = 1, max_length = 15, pattern = r"^[\x21-\x7e]*$"))]
    pub partner_no: Option<String>,
    /// The key that the merchant signs with already, of 128 bits at least; absent: a new one. It is never shown again.
    #[oai(validator(min_length = 16, max_length = 256, pattern = r"^[\x20-\x7e]*$"))]
    pub sign_key: Option<String>,
}

/// What is to be changed of a merchant; what is absent stays.
#[derive(Object, Debug)]
#[oai(rename = "MerchantPatch", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Change {
    /// Its name, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: Option<String>,
    /// Your own name for it, unique among your merchants. `null` takes it away.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Settable<String>,
    /// Addresses and networks, such as `192.0.2.0/24`, from which its signed requests are taken; an empty list: from
    /// everywhere.
    #[oai(validator(max_items = 64))]
    pub allow_addresses: Option<Vec<String>>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "MerchantStatus", rename_all = "lowercase")]
pub enum Status {
    Active,
    /// It opens no new orders; everything else goes on.
    Suspended,
    /// It has left for good; its orders go on.
    Offboarded,
}

/// A merchant.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Merchant {
    pub id: String,
    /// What it signs its requests as.
    pub partner_no: String,
    /// Your own name for it.
    pub reference: Option<String>,
    pub name: String,
    pub mode: Mode,
    pub status: Status,
    /// Networks from which its signed requests are taken; none: from everywhere.
    pub allow_addresses: Vec<String>,
    pub created_at: Timestamp,
}

/// A merchant that was made, with its sign key.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct MadeMerchant {
    #[oai(flatten)]
    pub merchant: Merchant,
    /// The key that it signs with, as the signed API has it; absent where it was brought.
    pub sign_key: Option<ShownSecret>,
}

impl New {
    fn wanted(&self) -> WantedMerchant {
        WantedMerchant {
            name: self.name.clone(),
            reference: self.reference.clone(),
            partner_no: self.partner_no.clone(),
            sign_key: self.sign_key.clone().map(Zeroizing::new),
        }
    }
}

impl Example for New {
    fn example() -> Self {
        Self { name: "Tea House".into(), reference: Some("shop-17".into()), partner_no: None, sign_key: None }
    }
}

impl Example for Change {
    fn example() -> Self {
        Self {
            name: Some("Tea House Central".into()),
            reference: Settable(Some(Some("shop-18".into()))),
            allow_addresses: Some(vec!["192.0.2.0/24".into()]),
        }
    }
}

impl Example for Merchant {
    fn example() -> Self {
        Self {
            id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GH".into(),
            partner_no: "270316485912".into(),
            reference: Some("shop-17".into()),
            name: "Tea House".into(),
            mode: Mode::Test,
            status: Status::Active,
            allow_addresses: vec!["192.0.2.0/24".into()],
            created_at: Timestamp::of(1_790_000_000_000),
        }
    }
}

impl From<&merchant::Model> for Merchant {
    fn from(row: &merchant::Model) -> Self {
        Self {
            id: row.id.clone(),
            partner_no: row.partner_no.clone(),
            reference: row.reference.clone(),
            name: row.name.clone(),
            mode: row.mode,
            status: match row.status.as_str() {
                _ if row.offboarded_at.is_some() => Status::Offboarded,
                "suspended" => Status::Suspended,
                _ => Status::Active,
            },
            allow_addresses: row
                .allowed_addresses
                .iter()
                .flat_map(|list| list.split(','))
                .map(str::to_owned)
                .collect(),
            created_at: Timestamp::of(row.created_at),
        }
    }
}

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
        let Change { name, reference: Settable(reference), allow_addresses } = &body.value;
        let allowed_addresses = allow_addresses.as_deref().map(networks::parse).transpose();
        let allowed_addresses =
            allowed_addresses.map_err(|error| Error::invalid("/allowAddresses", error.to_string()))?;
        let patch =
            Patch { name: name.clone(), reference: reference.clone(), allowed_addresses, ..Patch::default() };
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
