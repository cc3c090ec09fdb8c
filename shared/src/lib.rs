//! What two crates must agree on byte for byte: the envelope and its signature, the order's states and
//! their moves, response codes, wallets and money; what the operators' API says, and the language its lists are
//! filtered in. Nothing else lives here.

pub mod code;
pub mod envelope;
pub mod filter;
pub mod json;
pub mod money;
pub mod ops;
pub mod order;
pub mod signature;
pub mod wallet;
