//! A fact that did not agree with what was asked. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
