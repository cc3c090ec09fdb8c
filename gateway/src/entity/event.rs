//! What merchants are told. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

/// Who hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Audience {
    /// The merchant and its platform.
    All,
    /// The platform alone.
    Platform,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub subject_id: String,
    pub merchant_id: String,
    pub kind: String,
    pub r#move: String,
    pub sequence: i64,
    pub content: String,
    pub created_at: i64,
    pub platform_id: String,
    pub audience: Audience,
    /// Given by the ledger when it is written.
    pub position: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// All that was told about the merchant's orders. For its platform.
    pub fn of_all_audiences(merchant_id: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id))
    }

    /// All that was told about the platform's merchants. For the platform.
    pub fn of_platform(platform_id: &str) -> Select<Self> {
        Self::find().filter(Column::PlatformId.eq(platform_id))
    }

    /// What the merchant was told.
    pub fn of(merchant_id: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id)).filter(Column::Audience.eq(Audience::All))
    }
}
