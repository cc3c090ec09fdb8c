//! What operators' consoles are told beyond the rows that everybody sees: orders with everything about them and a sentence
//! on top, a stream of changes, and how the gateway is doing.

pub mod bytes;
pub mod live;
pub mod pulse;
pub mod rows;
pub mod stands;
pub mod whole;
