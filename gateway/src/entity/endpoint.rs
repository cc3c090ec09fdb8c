//! Where events go. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;

use crate::directory::access::{Mode, Tenant};

/// How it came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// By orders' `notifyUrl`s.
    Implicit,
    Registered,
}

/// Whether it is sent anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Status {
    /// Nobody there has echoed our challenge since its URL was set.
    Unproven,
    Active,
    /// By its owner or an operator.
    Paused,
    /// By the gateway, because nothing was acknowledged for long.
    Disabled,
}

/// In whose words it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "kebab-case")]
pub enum Format {
    /// The signed envelope of ScanForPay's notices. It can say that an order was paid, and nothing else.
    #[sea_orm(string_value = "scanforpay")]
    ScanForPay,
    StandardWebhooks,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub platform_id: String,
    pub merchant_id: Option<String>,
    pub kind: Kind,
    pub origin: String,
    pub mode: Option<Mode>,
    pub url: Option<String>,
    pub description: Option<String>,
    pub format: Format,
    pub event_kinds: Option<String>,
    pub store_ids: Option<String>,
    pub wallets: Option<String>,
    pub acknowledgement: String,
    pub schedule: Option<String>,
    pub timeout_ms: Option<i64>,
    pub rate: Option<i64>,
    pub concurrency: Option<i64>,
    pub headers: Option<Vec<u8>>,
    pub master_key_id: Option<String>,
    pub status: Status,
    pub status_reason: Option<String>,
    pub proven_at: Option<i64>,
    pub failing_since: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
    /// Raised by every change of its owner's.
    pub version: i64,
    pub deleted_at: Option<i64>,
    /// Paused or disabled by an operator: only an operator resumes it.
    pub held: bool,
    /// From then on events are promised to it.
    pub first_proven_at: Option<i64>,
    /// What is heard of it counts since then: proven, or resumed.
    pub heard_since: Option<i64>,
    /// It asked to be left alone until then.
    pub quiet_until: Option<i64>,
}

impl Model {
    /// What was heard of it so far counts no more.
    pub fn begin_anew(&mut self, now: i64) {
        let before = self.heard_since.unwrap_or(0);
        self.heard_since = Some(now.max(before + 1));
        (self.failing_since, self.quiet_until) = (None, None);
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// The tenant's registered ones of this mode: a platform's are its own and its merchants'.
    pub fn of(tenant: &Tenant, mode: Mode) -> Select<Self> {
        let own = match tenant {
            Tenant::Platform { platform_id } => Column::PlatformId.eq(platform_id.as_str()),
            Tenant::Merchant { merchant_id, .. } => Column::MerchantId.eq(merchant_id.as_str()),
        };
        registered().filter(own).filter(Column::Mode.eq(mode))
    }

    /// Those that a merchant has registered.
    pub fn of_merchant(merchant_id: &str) -> Select<Self> {
        registered().filter(Column::MerchantId.eq(merchant_id))
    }

    /// Those of a merchant's orders' notifyUrls.
    pub fn implicit_of(merchant_id: &str) -> Select<Self> {
        Self::find().filter(Column::MerchantId.eq(merchant_id)).filter(Expr::cust("kind = 'implicit'"))
    }

    /// Those that a platform has registered for itself.
    pub fn of_platform(platform_id: &str) -> Select<Self> {
        registered().filter(Column::PlatformId.eq(platform_id)).filter(Column::MerchantId.is_null())
    }

    /// Those that it had, too, and has deleted: events about them stand.
    pub fn ever_of_platform(platform_id: &str, mode: Mode) -> Select<Self> {
        Self::find()
            .filter(Expr::cust("kind = 'registered'"))
            .filter(Column::PlatformId.eq(platform_id))
            .filter(Column::MerchantId.is_null())
            .filter(Column::Mode.eq(mode))
    }

    /// All that anybody has registered, for the directory.
    pub fn registered_across_tenants() -> Select<Self> {
        registered()
    }
}

/// The kind is no parameter: an index of some rows is of use only where the statement says that it is about those.
fn registered() -> Select<Entity> {
    Entity::find().filter(Expr::cust("kind = 'registered'")).filter(Column::DeletedAt.is_null())
}
