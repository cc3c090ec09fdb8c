//! An entry of the audit log. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub at: i64,
    pub platform_id: String,
    pub merchant_id: Option<String>,
    pub mode: Mode,
    pub actor_kind: String,
    pub actor_id: String,
    pub address: Option<String>,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: String,
    pub state_before: Option<String>,
    pub state_after: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// What was changed of the tenant: for a platform, of itself and of its merchants.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        let entries =
            Self::find().filter(Column::PlatformId.eq(tenant.platform_id())).filter(Column::Mode.eq(mode));
        match tenant.merchant_id() {
            Some(merchant_id) => entries.filter(Column::MerchantId.eq(merchant_id)),
            None => entries,
        }
    }
}
