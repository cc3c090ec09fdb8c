//! The promise to bring one event to one endpoint. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    /// Or at it.
    Due,
    /// Until what was promised earlier about the same subject to the same endpoint has ended.
    Waiting,
    /// With the replay that it belongs to.
    Parked,
    Delivered,
    /// The schedule is used up without an acknowledgement.
    Exhausted,
    /// What came after it says more: an order that was closed was paid after all.
    Superseded,
    /// With the replay that it belongs to, or because its endpoint is gone.
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "deliveries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub event_id: String,
    pub endpoint_id: String,
    pub owner_id: String,
    pub platform_id: String,
    pub merchant_id: String,
    pub subject_id: String,
    pub kind: String,
    pub sequence: i64,
    pub replay_id: Option<String>,
    pub bulk: bool,
    pub url: String,
    pub state: State,
    pub attempts: i64,
    pub outcome: Option<String>,
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

impl Model {
    /// Whether it makes what is superseded by a payment not worth telling.
    pub fn overtakes(&self) -> bool {
        self.kind == "order.paid" && self.replay_id.is_none()
    }

    /// Whether it says what is wrong once the order is paid.
    pub fn is_superseded_by_paid(&self) -> bool {
        SUPERSEDED_BY_PAID.contains(&self.kind.as_str())
    }
}

/// Kinds of events that are not worth telling once the order is paid after all.
pub const SUPERSEDED_BY_PAID: [&str; 2] = ["order.failed", "order.closed"];
