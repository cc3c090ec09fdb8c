//! Money given back, or being given back. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

/// Where a refund stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    /// An operator asks for it; a second one has to agree. Nothing is reserved yet.
    Proposed,
    Declined,
    /// Sent to the upstream, or about to be; no answer yet.
    Submitting,
    /// No trustworthy answer.
    Unknown,
    /// The upstream is at it.
    InProgress,
    Refunded,
    Failed,
}

impl State {
    /// Whether its amount is kept back: it may still come to be refunded.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Submitting | Self::Unknown | Self::InProgress)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refunds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub order_id: String,
    pub submission_id: String,
    pub platform_id: String,
    pub merchant_id: String,
    pub refund_no: String,
    pub amount: i64,
    pub currency: String,
    pub state: State,
    pub asked_by: String,
    pub reason: Option<String>,
    pub approved_by: Option<String>,
    pub operator_id: Option<String>,
    pub terminal_no: Option<String>,
    pub code: Option<i64>,
    pub calls: i64,
    pub answer_due_at: Option<i64>,
    pub look_at: Option<i64>,
    pub looks: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// All refunds of an order that its tenant's finder gave, oldest first.
    pub fn of_order(order_id: &str) -> Select<Self> {
        use sea_orm::QueryOrder;
        Self::find().filter(Column::OrderId.eq(order_id)).order_by_asc(Column::Id)
    }

    /// An order's refund by the number of whoever asked for it.
    pub fn of_number(order_id: &str, refund_no: &str) -> Select<Self> {
        Self::find().filter(Column::OrderId.eq(order_id)).filter(Column::RefundNo.eq(refund_no))
    }

    /// The merchant's refunds.
    pub fn all_of(merchant_id: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id))
    }
}
