//! The first schema: who (platforms to keys), what (orders, submissions, refunds), what was said (journal,
//! quarantine) and who is told (events to attempts).

use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_first"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// SQLite runs migrations without a transaction unless told otherwise; half a schema helps nobody.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = crate::dialect(include_str!("../sql/0001_first.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    /// Money is never migrated away: going back means restoring a backup.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("the first schema is not taken back; restore a backup instead".into()))
    }
}
