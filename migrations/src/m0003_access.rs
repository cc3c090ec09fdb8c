//! Access: failed logins, token keys and revocations, merchants' address allow lists.

use sea_orm_migration::prelude::*;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_access"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// SQLite runs migrations without a transaction unless told otherwise.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = crate::dialect(include_str!("../sql/0003_access.sql"), manager.get_database_backend());
        manager.get_connection().execute_unprepared(&sql).await.map(drop)
    }

    /// What was revoked must stay so: going back means restoring a backup.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("this step is not taken back; restore a backup instead".into()))
    }
}
