//! The commands of the real binary: what a newcomer, a script and an operator meet.

mod harness;

#[path = "commands/backups.rs"]
mod backups;
#[path = "commands/demo.rs"]
mod demo;
#[path = "endpoints/kit.rs"]
mod kit;
#[path = "commands/listen.rs"]
mod listen;
#[path = "commands/program.rs"]
mod program;
#[path = "commands/refusals.rs"]
mod refusals;
#[path = "commands/relay.rs"]
mod relay;
#[path = "commands/sandbox.rs"]
mod sandbox_alone;
#[path = "commands/selfcheck.rs"]
mod selfcheck;
#[path = "commands/settings.rs"]
mod settings;
#[path = "commands/statements.rs"]
mod statements;
