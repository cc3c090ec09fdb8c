//! What ScanForPay issued to a platform: where it is reached and under which partnerNo. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: String,
    pub name: String,
    pub base_url: String,
    pub partner_no: String,
    pub created_at: i64,
    pub version: i64,
    pub mode: Mode,
    pub numbers_of: Option<String>,
    pub limit_count: Option<i64>,
    pub limit_window_ms: Option<i64>,
    pub notice_hash: Option<Vec<u8>>,
    pub notice_made_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// A platform's accounts. A merchant has none of its own.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        let accounts =
            Self::find().filter(Column::PlatformId.eq(tenant.platform_id())).filter(Column::Mode.eq(mode));
        match tenant.merchant_id() {
            Some(_) => accounts.filter(Column::Id.is_null()),
            None => accounts,
        }
    }
}
