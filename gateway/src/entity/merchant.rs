//! A shop of a platform. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "merchants")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: String,
    pub partner_no: String,
    pub reference: Option<String>,
    pub name: String,
    pub mode: Mode,
    pub status: String,
    pub freshness_ms: Option<i64>,
    pub freshness_mode: Option<String>,
    pub created_at: i64,
    pub version: i64,
    pub offboarded_at: Option<i64>,
    pub allowed_addresses: Option<String>,
    pub limit_count: Option<i64>,
    pub limit_window_ms: Option<i64>,
    pub reference_pattern: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The merchants a tenant may know of: a platform's own, or the merchant itself.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        let merchants =
            Self::find().filter(Column::PlatformId.eq(tenant.platform_id())).filter(Column::Mode.eq(mode));
        match tenant.merchant_id() {
            Some(merchant_id) => merchants.filter(Column::Id.eq(merchant_id)),
            None => merchants,
        }
    }
}
