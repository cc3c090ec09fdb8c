//! What two crates must agree on byte for byte: the envelope and its signature, the order's states and
//! their moves, response codes, wallets and money. Nothing else lives here.

pub mod code;
pub mod envelope;
pub mod json;
pub mod money;
pub mod order;
pub mod signature;
pub mod wallet;
