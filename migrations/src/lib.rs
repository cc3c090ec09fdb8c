//! ScanGate's schema. One SQL text per step serves both stores: `sql/*.sql` is written with `{int}`,
//! `{bytes}`, `{bool}` and `{strict}`, which each store spells in its own way, so the two cannot drift apart.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

mod m0001_first;
mod m0002_rest;
mod m0003_access;
mod m0004_limits;
mod m0005_merchant;
mod m0006_moving;
mod m0007_keeping;
mod m0008_life;
mod m0011_refunds;
mod m0012_reconcile;
mod m0013_facts;
mod m0020_fanout;
mod m0021_second_payment;
mod m0023_leases;
mod m0024_endpoints;
mod m0025_replays;
mod m0026_console;
mod m0027_given_up;
mod m0028_replay_places;
mod m0029_event_numbers;
mod m0030_endpoint_life;
mod m0031_unsendable;

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first::Migration),
            Box::new(m0002_rest::Migration),
            Box::new(m0003_access::Migration),
            Box::new(m0004_limits::Migration),
            Box::new(m0005_merchant::Migration),
            Box::new(m0006_moving::Migration),
            Box::new(m0007_keeping::Migration),
            Box::new(m0008_life::Migration),
            Box::new(m0011_refunds::Migration),
            Box::new(m0012_reconcile::Migration),
            Box::new(m0013_facts::Migration),
            Box::new(m0020_fanout::Migration),
            Box::new(m0021_second_payment::Migration),
            Box::new(m0023_leases::Migration),
            Box::new(m0024_endpoints::Migration),
            Box::new(m0025_replays::Migration),
            Box::new(m0026_console::Migration),
            Box::new(m0027_given_up::Migration),
            Box::new(m0028_replay_places::Migration),
            Box::new(m0029_event_numbers::Migration),
            Box::new(m0030_endpoint_life::Migration),
            Box::new(m0031_unsendable::Migration),
        ]
    }
}

/// `template` in the words of `backend`.
fn dialect(template: &str, backend: DbBackend) -> String {
    let words: [(&str, &str); 4] = match backend {
        DbBackend::Sqlite => {
            [("{int}", "INTEGER"), ("{bytes}", "BLOB"), ("{bool}", "INTEGER"), ("{strict}", "STRICT")]
        }
        _ => [("{int}", "BIGINT"), ("{bytes}", "BYTEA"), ("{bool}", "BOOLEAN"), ("{strict}", "")],
    };
    words.iter().fold(template.to_owned(), |text, (word, spelled)| text.replace(word, spelled))
}
