//! The resources by which a platform runs its merchants.

pub mod accounts;
pub mod api_keys;
pub mod attention;
pub mod audit;
pub mod export;
pub mod imports;
pub mod merchants;
pub mod onboarding;
pub mod quarantine;
mod rows;
pub mod sign_keys;
pub mod statements;
pub mod stores;
