//! Deliveries made again. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

use crate::directory::access::{Mode, Tenant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum State {
    /// Nothing is sent until somebody who has seen the count starts it.
    Preview,
    Running,
    Paused,
    Done,
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "replays")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: Option<String>,
    pub merchant_id: Option<String>,
    pub mode: Option<Mode>,
    pub asked_by: String,
    pub reason: String,
    pub wanted: String,
    pub until_id: String,
    pub skip: bool,
    pub rate: i64,
    pub state: State,
    pub total: i64,
    pub merchants: i64,
    pub endpoints: i64,
    pub oldest_at: Option<i64>,
    pub newest_at: Option<i64>,
    pub after_id: String,
    pub is_through: bool,
    pub refused: i64,
    pub skipped: i64,
    pub version: i64,
    pub lease: Option<String>,
    pub leased_until: Option<i64>,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub behind: String,
    pub brought_forward: i64,
    pub unsendable: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Those that the tenant asked for in this mode: a platform's are its own and its merchants'.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        let own = match tenant {
            Tenant::Platform { platform_id } => Column::PlatformId.eq(platform_id.as_str()),
            Tenant::Merchant { merchant_id, .. } => Column::MerchantId.eq(merchant_id.as_str()),
        };
        Self::find().filter(own).filter(Column::Mode.eq(mode))
    }

    /// All of them, or those about one platform.
    pub fn in_scope(platform_id: Option<&str>) -> Select<Self> {
        match platform_id {
            Some(id) => Self::find().filter(Column::PlatformId.eq(id)),
            None => Self::find(),
        }
    }
}
