//! One payment. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;
use shared::order::OrderStatus;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: String,
    pub merchant_id: String,
    pub store_id: String,
    pub number: String,
    pub product: String,
    pub wallet: Option<String>,
    pub currency: String,
    pub amount: i64,
    pub title: Option<String>,
    pub notify_url: Option<String>,
    pub return_url: Option<String>,
    pub content_hash: Vec<u8>,
    pub status: String,
    pub late: bool,
    pub paid: i64,
    pub refund_reserved: i64,
    pub refunded: i64,
    pub submission_id: String,
    pub submissions: i64,
    pub answer_due_at: i64,
    pub pay_url: Option<String>,
    pub answer_extra: Option<String>,
    pub code: Option<i64>,
    pub upstream_order_no: Option<String>,
    pub paid_wallet: Option<String>,
    pub buyer: Option<String>,
    pub buyer_id: Option<String>,
    pub pay_time: Option<String>,
    pub sign_key_id: String,
    pub events: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: i64,
    pub look_at: Option<i64>,
    pub looks: i64,
    pub reference: Option<String>,
    pub paid_twice: bool,
    pub refunded_elsewhere: i64,
    pub notice_due_at: Option<i64>,
    pub second_payments: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn status(&self) -> OrderStatus {
        OrderStatus::parse(&self.status).expect("a CHECK lets no other status in")
    }
}

impl Entity {
    /// The merchant's order under its own number.
    pub fn of(merchant_id: &str, number: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id)).filter(Column::Number.eq(number))
    }

    /// The merchant's orders under the number the upstream gave.
    pub fn of_upstream_no(merchant_id: &str, upstream_order_no: &str) -> Select<Self> {
        Self::find()
            .filter(Column::MerchantId.eq(merchant_id))
            .filter(Column::UpstreamOrderNo.eq(upstream_order_no))
    }

    /// The merchant's orders for one purchase.
    pub fn of_reference(merchant_id: &str, reference: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id)).filter(Column::Reference.eq(reference))
    }

    /// All of the merchant's orders.
    pub fn all_of(merchant_id: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id))
    }

    /// Any tenant's orders. For callers that hold the ids from rows that already proved the tenant.
    pub fn by_ids_across_tenants(ids: &[&str]) -> Select<Self> {
        Self::find().filter(Column::Id.is_in(ids.iter().copied()))
    }

    /// Any tenant's order. For callers that hold the id from a row or token that already proved the tenant.
    pub fn by_id_across_tenants(id: &str) -> Select<Self> {
        Self::find().filter(Column::Id.eq(id))
    }
}
