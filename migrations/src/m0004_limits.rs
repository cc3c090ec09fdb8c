//! Limits of one's own, and versions of the directory by which nodes see each other's changes.

use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_limits"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// SQLite runs migrations without a transaction unless told otherwise; half a schema helps nobody.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = crate::dialect(include_str!("../sql/0004_limits.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("this step is not taken back; restore a backup instead".into()))
    }
}
