//! One answer for a script: rows as text, JSON or CSV, and an exit code that says how it went.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use shared::ops::FactInFull;
use unicode_width::UnicodeWidthStr;

use crate::app::Tab;
use crate::args::{Args, Command, Format, Output};
use crate::client::{Client, Failure};
use crate::effects::Act;
use crate::environment;
use crate::run::effect::{enter, perform, segment};
use crate::session::Target;
use crate::tables::{self, Table};

const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Why it ended otherwise than well.
#[derive(Debug)]
pub struct Ended {
    pub code: u8,
    pub said: String,
}

impl Ended {
    pub fn usage(said: &str) -> Self {
        Self { code: 2, said: said.to_owned() }
    }

    pub fn failed(error: &anyhow::Error) -> Self {
        Self { code: 1, said: format!("{error:#}") }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        let code = match &failure {
            Failure::LoggedOut => 3,
            Failure::Refused { problem } if problem.code == "login_refused" => 3,
            Failure::Lost(_) => 4,
            Failure::Refused { .. } => 5,
            Failure::Unreadable(_) => 1,
        };
        Self { code, said: failure.to_string() }
    }
}

impl From<anyhow::Error> for Ended {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(&error)
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        // Whoever read had enough.
        let code = u8::from(error.kind() != io::ErrorKind::BrokenPipe);
        Self { code, said: format!("writing: {error}") }
    }
}

pub async fn run(args: &Args) -> Result<(), Ended> {
    let Some(command) = &args.command else { return Ok(()) };
    let target = Target::of(&args.server)?;
    let client = Client::new(target.url.clone())?;
    match (target.kept(environment::now_ms()), &target.login) {
        (_, Some(login)) => {
            enter(&client, &target, login).await?;
        }
        (Some(kept), None) => client.set_token(Some(kept.token)),
        (None, None) => {
            let said = "you are not logged in: start scangate-admin once in a terminal, or give --name and --password-file";
            return Err(Ended { code: 3, said: said.to_owned() });
        }
    }
    match command {
        Command::Attention(output) => list(&client, Tab::Attention, *output).await,
        Command::Platforms(output) => list(&client, Tab::Platforms, *output).await,
        Command::Operators(output) => list(&client, Tab::Operators, *output).await,
        Command::Audit(output) => list(&client, Tab::Audit, *output).await,
        Command::Health(output) => list(&client, Tab::Health, *output).await,
        Command::Fact { id, output } => {
            again(*output, async || {
                let raw: Value = client.get(&format!("/ops/v1/quarantine/{}", segment(id))).await?;
                let fact: FactInFull = read(raw.clone())?;
                write(&[raw], &tables::fact(&fact), output.format())
            })
            .await
        }
        Command::End { .. } if args.read_only => Err(Ended::usage("--read-only changes nothing")),
        Command::End { id, reason } => {
            perform(&client, &Act::EndMatter { id: id.clone() }, reason.trim()).await?;
            Ok(())
        }
    }
}

async fn list(client: &Client, tab: Tab, output: Output) -> Result<(), Ended> {
    again(output, async || {
        let rows = rows(client, tab, output.limit).await?;
        let table = table(tab, &rows)?;
        write(&rows, &table, output.format())
    })
    .await
}

/// Once, or until it is stopped.
async fn again(output: Output, once: impl AsyncFn() -> Result<(), Ended>) -> Result<(), Ended> {
    loop {
        once().await?;
        if !output.watch {
            return Ok(());
        }
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

/// As the gateway wrote them, page after page.
async fn rows(client: &Client, tab: Tab, limit: u32) -> Result<Vec<Value>, Ended> {
    if tab == Tab::Health {
        return Ok(vec![client.get(tab.path()).await?]);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    let mut next = Some(format!("{}?limit={}", tab.path(), limit.min(100)));
    while let Some(path) = next.filter(|_| rows.len() < limit) {
        let page = client.page::<Value>(&path).await?;
        rows.extend(page.rows);
        next = page.next;
    }
    rows.truncate(limit);
    Ok(rows)
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Ended> {
    serde_json::from_value(value).map_err(|error| Failure::Unreadable(error.to_string()).into())
}

fn table(tab: Tab, rows: &[Value]) -> Result<Table, Ended> {
    let all = Value::from(rows.to_vec());
    let now_ms = environment::now_ms();
    Ok(match tab {
        Tab::Attention => tables::attention(&read::<Vec<_>>(all)?, now_ms),
        Tab::Platforms => tables::platforms(&read::<Vec<_>>(all)?),
        Tab::Operators => tables::operators(&read::<Vec<_>>(all)?),
        Tab::Audit => tables::audit(&read::<Vec<_>>(all)?),
        Tab::Health => tables::health(&read(all[0].clone())?, now_ms),
    })
}

fn write(rows: &[Value], table: &Table, format: Format) -> Result<(), Ended> {
    let mut out = io::stdout().lock();
    match format {
        Format::Json => rows.iter().try_for_each(|row| writeln!(out, "{row}"))?,
        Format::Csv => out.write_all(csv(table).map_err(|error| Ended::failed(&error))?.as_bytes())?,
        Format::Text => out.write_all(aligned(table).as_bytes())?,
    }
    out.flush()?;
    Ok(())
}

pub fn csv(table: &Table) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&table.columns)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(|cell| harmless(&cell.text)))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// A spreadsheet takes a cell that begins so for a formula.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '@', '\t']) || (text.starts_with('-') && text != "-") {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn aligned(table: &Table) -> String {
    let widths: Vec<usize> = (0..table.columns.len())
        .map(|column| {
            let cells = table.rows.iter().map(|row| row[column].text.width());
            cells.chain([table.columns[column].width()]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: Vec<&str>| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(text, width)| format!("{text}{}", " ".repeat(width - text.width())));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rows = table.rows.iter().map(|row| line(row.iter().map(|cell| cell.text.as_str()).collect()));
    std::iter::once(line(table.columns.clone())).chain(rows).collect()
}
