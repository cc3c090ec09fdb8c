//! A merchant's store, with the account and store number it has at ScanForPay. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use super::merchant;
use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "stores")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: String,
    pub merchant_id: String,
    pub account_id: String,
    pub store_no: String,
    pub upstream_store_no: String,
    pub currency: String,
    pub wallets: String,
    pub time_zone: String,
    pub late_payment: String,
    pub status: String,
    pub created_at: i64,
    pub version: i64,
    pub limit_count: Option<i64>,
    pub limit_window_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The stores of the tenant's merchants.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        use sea_orm::{QuerySelect, QueryTrait};
        let merchants = merchant::Entity::of(tenant, mode).select_only().column(merchant::Column::Id);
        Self::find()
            .filter(Column::PlatformId.eq(tenant.platform_id()))
            .filter(Column::MerchantId.in_subquery(merchants.into_query()))
    }

    /// The merchant's store under the number that it uses.
    pub fn of_number(merchant_id: &str, store_no: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id)).filter(Column::StoreNo.eq(store_no))
    }
}
