//! What happened to an order, never changed. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "journal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: String,
    pub submission_id: Option<String>,
    pub at: i64,
    pub kind: String,
    pub note: String,
    pub raw: Option<Vec<u8>>,
    pub digest: Option<Vec<u8>>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Of an order that its tenant's finder gave.
    pub fn of_order(order_id: &str) -> Select<Self> {
        Self::find().filter(Column::OrderId.eq(order_id))
    }
}
