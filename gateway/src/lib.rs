//! A multi-tenant payment gateway in front of ScanForPay. Start reading at `api` (the routes), `orders` (what
//! happens to an order) and `ledger` (how it is written); the pages under `docs/` tell the rules.

pub mod alone;
pub mod api;
pub mod app;
pub mod attention;
pub mod backup;
pub mod callback;
pub mod chance;
pub mod client;
pub mod clock;
pub mod config;
pub mod contract;
pub mod control;
pub mod deliveries;
pub mod demo;
pub mod directory;
pub mod disk;
pub mod doctor;
pub mod entity;
pub mod error;
pub mod ledger;
pub mod lifecycle;
pub mod limits;
pub mod metrics;
pub mod orders;
pub mod outgoing;
pub mod product;
pub mod redis;
pub mod retention;
pub mod server;
pub mod statements;
pub mod store;
pub mod telemetry;
pub mod troubles;
pub mod upstream;
pub mod waiting;
