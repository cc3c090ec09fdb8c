//! A key that opens the REST API, by its hash. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: String,
    pub merchant_id: Option<String>,
    pub name: String,
    pub mode: Mode,
    pub prefix: String,
    pub hash: Vec<u8>,
    pub scopes: String,
    pub addresses: String,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The tenant's keys: a platform's are its own and its merchants'.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        let keys =
            Self::find().filter(Column::PlatformId.eq(tenant.platform_id())).filter(Column::Mode.eq(mode));
        match tenant.merchant_id() {
            Some(merchant_id) => keys.filter(Column::MerchantId.eq(merchant_id)),
            None => keys,
        }
    }
}
