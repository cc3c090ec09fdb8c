//! Commands that write, carried out where the store is. While a gateway serves a SQLite store nobody else may write
//! it, so they go to that gateway, through a socket beside the file that only the file's owner can use: one line of
//! JSON each way. Where nobody serves, and on PostgreSQL, this process opens the store for itself.

mod call;
mod command;
mod line;
mod listen;
pub mod operator;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub use self::command::{Command, Outcome};
pub use self::listen::Control;
use crate::app::{App, Opened};
use crate::clock::Clock;
use crate::config::{Config, StoreUrl};
use crate::store::{Access, Opening, Store};

/// Where the gateway that serves `store` listens for commands.
pub fn socket_path(store: &Path) -> PathBuf {
    store.with_extension("sock")
}

/// Carry `command` out, wherever that has to be done.
pub async fn run(config: Config, command: Command) -> anyhow::Result<Outcome> {
    if let StoreUrl::Sqlite(store) = &config.store.url
        && let Some(gateway) = call::reach(store).await?
    {
        return gateway.ask(&command).await;
    }
    match command {
        // Opening brings the schema up to date, and needs no master key for it.
        Command::Migrate => {
            let opening =
                Opening { url: config.store.url.clone(), readers: config.store.readers, access: Access::Own };
            Store::open(&opening).await?;
            Ok(command::schema())
        }
        command => alone(config, command).await,
    }
}

/// Whether a gateway serves this SQLite store.
pub async fn is_served(store: &Path) -> anyhow::Result<bool> {
    Ok(call::reach(store).await?.is_some())
}

/// Have the gateway that serves the store carry `command` out.
pub async fn ask(store: &Path, command: &Command) -> anyhow::Result<Outcome> {
    let gateway = call::reach(store).await?;
    gateway.context("the gateway that served the store is gone; start again")?.ask(command).await
}

async fn alone(config: Config, command: Command) -> anyhow::Result<Outcome> {
    let Opened { app, worker, writers } = App::open(config, Clock::system(), Vec::new()).await?;
    drop(worker);
    let outcome = command.carry_out(&app).await;
    // Made keys are shown whatever comes of closing.
    drop(app.store.read.close_by_ref().await);
    writers.finish().await;
    outcome
}
