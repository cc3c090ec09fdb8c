//! One call to the upstream for an order. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

/// Where one call to the upstream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    Sent,
    Opened,
    Refused,
    Unknown,
    /// Two queries, long enough after the call, knew no such order.
    NeverArrived,
    /// It failed or was closed: the upstream expects no payment of it.
    Failed,
    Paid,
}

impl State {
    /// Whether money could still come through it without the upstream having said otherwise.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Opened | Self::Unknown)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "submissions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub order_id: String,
    pub account_id: String,
    pub partner_no: String,
    pub upstream_store_no: String,
    pub product: String,
    pub wallet: Option<String>,
    pub currency: String,
    pub amount: i64,
    pub notify_hash: Vec<u8>,
    pub return_hash: Vec<u8>,
    pub account_key_id: String,
    pub state: State,
    pub created_at: i64,
    pub answer_due_at: i64,
    pub answered_at: Option<i64>,
    pub code: Option<i64>,
    pub pay_url: Option<String>,
    pub upstream_order_no: Option<String>,
    pub missed_at: Option<i64>,
    pub own_number: Option<String>,
    pub imported_at: Option<i64>,
    pub second_paid: i64,
    pub second_reserved: i64,
    pub second_refunded: i64,
    pub second_elsewhere: i64,
    pub second_pay_time: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The order number that the upstream was given.
    pub fn sent_number(&self) -> &str {
        self.own_number.as_deref().unwrap_or(&self.id)
    }
}

impl Entity {
    /// Of orders that their tenant's finder gave.
    pub fn by_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Select<Self> {
        Self::find().filter(Column::Id.is_in(ids))
    }

    /// Those through which an order was paid beside the payment that it counts. In the words of their index.
    pub fn second_payments() -> Select<Self> {
        Self::find().filter(sea_orm::sea_query::Expr::cust("\"submissions\".\"second_paid\" > 0"))
    }

    /// All submissions of an order, newest first.
    pub fn of_order(order_id: &str) -> Select<Self> {
        use sea_orm::QueryOrder;
        Self::find().filter(Column::OrderId.eq(order_id)).order_by_desc(Column::Id)
    }
}
