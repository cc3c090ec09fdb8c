//! One HTTP request of a delivery. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: String,
    pub started_at: i64,
    pub duration_ms: i64,
    pub outcome: String,
    pub http_status: Option<i64>,
    pub excerpt: Option<String>,
    pub sign_key_id: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// To tell of an order that its tenant's finder gave.
    pub fn of_order(order_id: &str) -> Select<Self> {
        use sea_orm::sea_query::Query;

        use super::delivery;
        let deliveries = Query::select()
            .column(delivery::Column::Id)
            .from(delivery::Entity)
            .and_where(delivery::Column::SubjectId.eq(order_id))
            .to_owned();
        Self::find().filter(Column::DeliveryId.in_subquery(deliveries))
    }
}
