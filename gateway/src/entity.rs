//! Rows as the store holds them, and the finders by which they are reached. A finder that serves a tenant
//! takes the tenant; the few that do not say so in their names.

pub mod account;
pub mod api_key;
pub mod attempt;
pub mod attention;
pub mod audit_entry;
pub mod delivery;
pub mod directory_change;
pub mod directory_version;
pub mod endpoint;
pub mod endpoint_secret;
pub mod event;
pub mod journal;
pub mod kept_answer;
pub mod login_failure;
pub mod merchant;
pub mod operator;
pub mod operator_act;
pub mod order;
pub mod platform;
pub mod purchase_check;
pub mod quarantine;
pub mod refund;
pub mod replay;
pub mod setting;
pub mod sign_key;
pub mod store;
pub mod submission;
pub mod token_key;
pub mod token_revocation;
