//! The terminal console over a gateway's operators' listener. Everything that happens is an event in one channel; a key
//! becomes a command, a command changes the state and asks for effects, and the screen is drawn from the state.

pub mod app;
pub mod args;
pub mod client;
pub mod commands;
pub mod draw;
pub mod effects;
pub mod environment;
pub mod event;
pub mod filters;
pub mod plain;
pub mod raw;
pub mod record;
pub mod run;
pub mod session;
pub mod sse;
pub mod tables;
pub mod terminal;
pub mod text;
pub mod theme;
pub mod update;
