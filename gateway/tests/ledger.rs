//! What the ledger promises about failures, on real stores: `docs/MONEY.md`, The ledger's contract.

mod harness;

#[path = "ledger/kit.rs"]
#[macro_use]
mod kit;
#[path = "ledger/proxy.rs"]
mod proxy;
#[path = "ledger/writes.rs"]
mod writes;

#[path = "ledger/bad_rows.rs"]
mod bad_rows;
#[path = "ledger/commit.rs"]
mod commit;
#[path = "ledger/leases.rs"]
mod leases;
#[path = "ledger/one_order.rs"]
mod one_order;
#[path = "ledger/queue.rs"]
mod queue;
#[path = "ledger/store_fails.rs"]
mod store_fails;
#[path = "ledger/superseded.rs"]
mod superseded;
#[path = "ledger/two_ledgers.rs"]
mod two_ledgers;
#[path = "ledger/unreachable.rs"]
mod unreachable;
