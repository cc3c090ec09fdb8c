//! What events to a registered endpoint are signed with, sealed. Columns and what they hold: `migrations/sql`.

use sea_orm::entity::prelude::*;

/// How it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Kind {
    /// HMAC-SHA256; the receiver has the same secret.
    Hmac,
    /// The receiver has the public key.
    #[sea_orm(string_value = "ed25519")]
    Ed25519,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoint_secrets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub endpoint_id: String,
    pub kind: Kind,
    pub sealed: Vec<u8>,
    pub master_key_id: String,
    pub created_at: i64,
    pub ends_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
