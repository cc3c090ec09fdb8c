//! Who may come in: operators and their passwords, tokens, the control socket, and where callers come from.

mod harness;

#[path = "access/addresses.rs"]
mod addresses;
#[path = "access/api_tokens.rs"]
mod api_tokens;
#[path = "access/control.rs"]
mod control;
#[path = "access/endpoints.rs"]
mod endpoints;
#[path = "fanout_worker/kit.rs"]
mod kit;
#[path = "access/metrics.rs"]
mod metrics;
#[path = "access/operating.rs"]
mod operating;
#[path = "access/operators.rs"]
mod operators;
#[path = "access/ops.rs"]
mod ops;
#[path = "commands/program.rs"]
mod program;
#[path = "access/tokens.rs"]
mod tokens;
