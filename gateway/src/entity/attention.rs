//! What waits for a person. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attention")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub kind: String,
    pub subject_id: String,
    pub platform_id: String,
    pub merchant_id: String,
    pub store_id: String,
    pub count: i64,
    pub detail: String,
    pub raised_at: i64,
    pub seen_at: i64,
    pub ended_at: Option<i64>,
    pub ended_by: Option<String>,
    pub reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// What waits, of one platform.
    pub fn waiting_of(platform_id: &str) -> Select<Self> {
        Self::waiting().filter(Column::PlatformId.eq(platform_id))
    }

    /// What waits, of all tenants: for operators without a platform of their own, and for the workers.
    pub fn waiting() -> Select<Self> {
        Self::find().filter(Column::EndedAt.is_null())
    }
}
