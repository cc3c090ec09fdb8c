//! The resources by which a platform runs its merchants.

pub mod api_keys;
pub mod audit;
pub mod merchants;
