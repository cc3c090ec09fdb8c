//! `scangate operator …`: from the words of the command line to a command, and where a password comes from.

use std::borrow::Cow;
use std::io::{BufRead, IsTerminal};

use anyhow::{Context, ensure};
use clap::Subcommand;
use zeroize::Zeroizing;

use super::{Command, Outcome};
use crate::chance;
use crate::directory::operators::password::LONGEST;
use crate::directory::operators::{Listed, NewOperator, Role, check_name, check_password};

#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Add somebody; the password is asked for, or read from standard input
    Add {
        name: String,
        /// What they may do
        #[arg(long, value_enum)]
        role: Role,
        /// The slug of the only platform they are to see; all without it
        #[arg(long)]
        platform: Option<String>,
        /// Make a password and print it
        #[arg(long)]
        generate: bool,
    },
    /// Give somebody another password; ends what they are logged in to, and a lock after wrong passwords
    Passwd {
        name: String,
        /// Make a password and print it
        #[arg(long)]
        generate: bool,
    },
    /// Let somebody in no more; ends what they are logged in to
    Disable { name: String },
    /// Let somebody in again who was disabled, with the password there was
    Enable { name: String },
    /// Show everybody
    List,
}

/// A command to give, and what to print when it was carried out.
pub struct Given {
    pub command: Command,
    pub done: Zeroizing<String>,
}

impl OperatorCommand {
    pub fn read(self) -> anyhow::Result<Given> {
        let given = |command, done: String| Given { command, done: Zeroizing::new(done) };
        Ok(match self {
            Self::Add { name, role, platform, generate } => {
                check_name(&name)?;
                let (password, shown) = password(generate)?;
                let scope =
                    platform.as_deref().map_or("all platforms".to_owned(), |slug| format!("platform {slug}"));
                let done = format!("added      {name} ({}, {scope})\n{shown}", role.as_str());
                given(Command::AddOperator(NewOperator { name, password, role, platform }), done)
            }
            Self::Passwd { name, generate } => {
                let (password, shown) = password(generate)?;
                let done = format!("changed    {name}\n{shown}");
                given(Command::SetPassword { name, password }, done)
            }
            Self::Disable { name } => {
                let done = format!("disabled   {name}\n");
                given(Command::DisableOperator { name }, done)
            }
            Self::Enable { name } => {
                let done = format!("enabled    {name}\n");
                given(Command::EnableOperator { name }, done)
            }
            Self::List => given(Command::ListOperators, String::new()),
        })
    }
}

/// What to print: the list where one was asked for, else what was to be said when it was `done`.
pub fn told<'a>(outcome: &Outcome, done: &'a str) -> Cow<'a, str> {
    match outcome {
        Outcome::Operators(operators) => table(operators).into(),
        _ => done.into(),
    }
}

/// A line each: name, role, scope, and whether they are let in.
fn table(operators: &[Listed]) -> String {
    let width = operators.iter().map(|operator| operator.name.len()).max().unwrap_or_default();
    let line = |operator: &Listed| {
        let platform = operator.platform.as_deref().unwrap_or("all platforms");
        let state = if operator.disabled_at.is_some() { "disabled" } else { "active" };
        format!("{:width$}  {:8}  {state:8}  {platform}\n", operator.name, operator.role.as_str())
    };
    operators.iter().map(line).collect()
}

/// A new password, and the line that shows it where it was made here.
fn password(generate: bool) -> anyhow::Result<(String, String)> {
    if generate {
        let password = chance::secret_text();
        let shown = format!("password   {password}\n");
        return Ok((password, shown));
    }
    let password =
        if std::io::stdin().is_terminal() { asked()? } else { read_line(std::io::stdin().lock())? };
    check_password(&password)?;
    Ok((password, String::new()))
}

/// Twice, since it is not seen.
fn asked() -> anyhow::Result<String> {
    let first = Zeroizing::new(rpassword::prompt_password("Password: ").context("asking for the password")?);
    let again = Zeroizing::new(rpassword::prompt_password("Again: ").context("asking for the password")?);
    ensure!(*first == *again, "the two are not the same");
    Ok(first.to_string())
}

/// The first line, without its end.
fn read_line(input: impl BufRead) -> anyhow::Result<String> {
    let limit = u64::try_from(LONGEST).expect("a few hundred") + 2;
    let mut line = Zeroizing::new(String::new());
    input.take(limit).read_line(&mut line).context("reading the password from standard input")?;
    ensure!(!line.is_empty(), "there is no password on standard input; give one there, or use --generate");
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_of_standard_input_and_no_more_is_read_than_one_may_have() {
        assert_eq!(read_line(&b"correct horse\nbattery\n"[..]).expect("a line"), "correct horse");
        assert_eq!(read_line(&b"correct horse \r\n"[..]).expect("a line"), "correct horse ");
        assert!(read_line(&b""[..]).is_err());
        assert_eq!(read_line(&vec![b'x'; 10_000][..]).expect("a line").len(), LONGEST + 2);
    }
}
