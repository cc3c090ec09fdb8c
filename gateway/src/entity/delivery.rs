//! The promise to bring one event to one endpoint. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Due,
    Delivered,
    /// The schedule is used up without an acknowledgement.
    Exhausted,
    Parked,
    Superseded,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub event_id: String,
    pub endpoint_id: String,
    pub order_id: String,
    pub merchant_id: String,
    pub replay_id: Option<String>,
    pub url: String,
    pub state: State,
    pub attempts: i64,
    pub due_at: i64,
    pub lease: Option<String>,
    pub leased_until: Option<i64>,
    pub sign_key_id: String,
    pub created_at: i64,
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
