//! A fact that did not agree with what was asked. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use super::merchant;
use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "quarantine")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub order_id: String,
    pub submission_id: String,
    pub platform_id: String,
    pub merchant_id: String,
    pub source: String,
    pub differences: String,
    pub state: String,
    pub held_at: i64,
    pub ended_at: Option<i64>,
    pub ended_by: Option<String>,
    pub reason: Option<String>,
    pub claim: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The facts about the orders of the tenant's merchants.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        use sea_orm::{QuerySelect, QueryTrait};
        let merchants = merchant::Entity::of(tenant, mode).select_only().column(merchant::Column::Id);
        Self::of_platform(tenant.platform_id()).filter(Column::MerchantId.in_subquery(merchants.into_query()))
    }

    /// All of a platform's, live and test. For operators who are bound to it.
    pub fn of_platform(platform_id: &str) -> Select<Self> {
        Self::find().filter(Column::PlatformId.eq(platform_id))
    }
}
