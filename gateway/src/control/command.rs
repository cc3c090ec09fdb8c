//! The commands that write, and what they do to the store.

use std::sync::Arc;

use anyhow::{Context, ensure};
use migrations::Migrator;
use sea_orm_migration::MigratorTrait;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::directory::acts::Actor;
use crate::directory::operators::{self, Listed, NewOperator};
use crate::directory::setup::{self, Made, Workshop};
use crate::directory::{master, tokens};
use crate::orders::asking::Said;
use crate::statements::sweep;

/// Operators shown at most.
const LISTED: u64 = 10_000;

/// A command as it goes over the socket. Holds secrets: never logged.
#[derive(Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Make what a description names and the store lacks.
    Apply {
        toml: String,
    },
    /// Bring the schema up to date.
    Migrate,
    AddOperator(NewOperator),
    SetPassword {
        name: String,
        password: String,
    },
    DisableOperator {
        name: String,
    },
    EnableOperator {
        name: String,
    },
    ListOperators,
    /// Sign tokens with a new key.
    RotateTokenKey,
    /// Seal with a new master key.
    RotateMasterKey,
    /// Let go of master keys that seal nothing any more.
    DropPreviousKeys,
    /// Ask ScanForPay about orders, by their ids.
    Ask {
        orders: Vec<String>,
    },
}

/// What a command says to the person who gave it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Made(Made),
    /// The schema has all of these steps.
    Schema(Vec<String>),
    /// There is no more to say than the command said.
    Done,
    Operators(Vec<Listed>),
    /// Its id.
    TokenKey(String),
    /// Its id.
    MasterKey(String),
    /// How many.
    KeysDropped(usize),
    Asked(Vec<Said>),
}

impl Command {
    /// For the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "apply",
            Self::Migrate => "migrate",
            Self::AddOperator(_) => "operator add",
            Self::SetPassword { .. } => "operator passwd",
            Self::DisableOperator { .. } => "operator disable",
            Self::EnableOperator { .. } => "operator enable",
            Self::ListOperators => "operator list",
            Self::RotateTokenKey => "key rotate-token",
            Self::RotateMasterKey => "key rotate-master",
            Self::DropPreviousKeys => "key drop-previous",
            Self::Ask { .. } => "statement check",
        }
    }

    /// Do it, with the store open and everybody loaded.
    pub async fn carry_out(self, app: &Arc<App>) -> anyhow::Result<Outcome> {
        match self {
            Self::Apply { toml } => {
                let made = Workshop::of(app).make(&setup::read(&toml)?).await?;
                // What was made stands, and its keys are shown once: a failure from here on must not hide them.
                if let Err(error) = app.reload().await {
                    tracing::error!(error = %format!("{error:#}"), "what was made is not in use yet");
                }
                Ok(Outcome::Made(made))
            }
            // Opening the store has done it.
            Self::Migrate => Ok(schema()),
            Self::AddOperator(new) => {
                operators::add(app, new, &Actor::Command).await?;
                Ok(Outcome::Done)
            }
            Self::SetPassword { name, password } => {
                operators::set_password(app, &name, password, &Actor::Command).await?;
                Ok(Outcome::Done)
            }
            Self::DisableOperator { name } => {
                operators::disable(app, &name, None, &Actor::Command).await?;
                Ok(Outcome::Done)
            }
            Self::EnableOperator { name } => {
                operators::enable(app, &name, None, &Actor::Command).await?;
                Ok(Outcome::Done)
            }
            Self::ListOperators => Ok(Outcome::Operators(operators::list(app, LISTED).await?)),
            Self::RotateTokenKey => Ok(Outcome::TokenKey(tokens::rotate(app, Some(&Actor::Command)).await?)),
            Self::RotateMasterKey => Ok(Outcome::MasterKey(master::rotate(app).await?)),
            Self::DropPreviousKeys => Ok(Outcome::KeysDropped(master::drop_previous(app).await?)),
            Self::Ask { orders } => Ok(Outcome::Asked(sweep::ask_all(app, orders).await?)),
        }
    }
}

/// The steps that this program knows, which are those of every store it has opened.
pub fn schema() -> Outcome {
    Outcome::Schema(Migrator::migrations().iter().map(|step| step.name().to_owned()).collect())
}

/// A gateway of an older version has not done what a newer one's `migrate` asks for.
pub fn check_schema(outcome: &Outcome) -> anyhow::Result<()> {
    let Outcome::Schema(steps) = outcome else { return Ok(()) };
    let known = Migrator::migrations();
    let last = known.last().context("there is a schema")?.name();
    ensure!(
        steps.iter().any(|step| step == last),
        "the running gateway is older and does not know step {last}; stop it first"
    );
    Ok(())
}
