//! Positions of events that go on when a dump is loaded into another PostgreSQL cluster.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0029_event_numbers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // A SQLite file numbers its own: they go where it goes.
        if manager.get_database_backend() == DbBackend::Sqlite {
            return Ok(());
        }
        let sql = include_str!("../sql/0029_event_numbers.sql");
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }

    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("this step is not taken back; restore a backup instead".into()))
    }
}
