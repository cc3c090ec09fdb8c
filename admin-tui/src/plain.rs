//! One answer for a script: rows as text, JSON or CSV, and an exit code that says how it went.

mod replay;
mod rotate;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use shared::ops::{EntryBytes, FactInFull, OrderRow, OrderWhole, Overview};
use unicode_width::UnicodeWidthStr;

use crate::app::Tab;
use crate::args::{Args, Command, Format, Output};
use crate::client::{Client, Failure, Page};
use crate::effects::Act;
use crate::environment;
use crate::filters::Narrowed;
use crate::raw;
use crate::run::effect::{enter, segment};
use crate::run::perform::perform;
use crate::session::Target;
use crate::tables::{self, Look, Table};
use crate::text;

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
            Failure::Lost(_) | Failure::InDoubt(_) => 4,
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
    let all = Narrowed::default();
    match command {
        Command::Overview { day, output } => {
            again(*output, async || {
                let path = all.first_page(Tab::Overview, *day, environment::now_ms(), 0);
                let raw: Value = client.get(&path).await?;
                let overview: Overview = read(raw.clone())?;
                write(&[raw], &tables::overview(&overview, look(args)), output.format())
            })
            .await
        }
        Command::Orders { filter, output } => {
            list(&client, Tab::Orders, *output, &narrowed(Tab::Orders, filter)?, look(args)).await
        }
        Command::Deliveries { filter, output } => {
            list(&client, Tab::Deliveries, *output, &narrowed(Tab::Deliveries, filter)?, look(args)).await
        }
        Command::Merchants { filter, output } => {
            list(&client, Tab::Merchants, *output, &narrowed(Tab::Merchants, filter)?, look(args)).await
        }
        Command::Order { number, output } => {
            again(*output, async || {
                let id = order_id(&client, number).await?;
                let raw: Value = client.get(&format!("/ops/v1/orders/{}", segment(&id))).await?;
                let order: OrderWhole = read(raw.clone())?;
                if output.format() == Format::Text {
                    say(&text::told(&order.stands, look(args).zone))?;
                }
                write(&[raw], &tables::timeline(&order, look(args)), output.format())
            })
            .await
        }
        Command::Entry { number, id, exact, json } => {
            let order = order_id(&client, number).await?;
            let path = format!("/ops/v1/orders/{}/entries/{}", segment(&order), segment(id));
            let raw: Value = client.get(&path).await?;
            let bytes: EntryBytes = read(raw.clone())?;
            let said = match (json, exact) {
                (true, _) => format!("{raw}\n"),
                (_, true) => bytes.text,
                _ => raw::pretty(&bytes.text).join("\n") + "\n",
            };
            io::stdout().lock().write_all(said.as_bytes())?;
            Ok(())
        }
        Command::End { .. } | Command::Replay(_) | Command::Rotate(_) if args.read_only => {
            Err(Ended::usage("--read-only changes nothing"))
        }
        Command::Replay(what) => replay::run(&client, what, look(args)).await,
        Command::Rotate(what) => rotate::run(&client, &target, what, look(args)).await,
        Command::Endpoints(output) => list(&client, Tab::Endpoints, *output, &all, look(args)).await,
        Command::Replays(output) => list(&client, Tab::Replays, *output, &all, look(args)).await,
        Command::Attention(output) => list(&client, Tab::Attention, *output, &all, look(args)).await,
        Command::Platforms(output) => list(&client, Tab::Platforms, *output, &all, look(args)).await,
        Command::Operators(output) => list(&client, Tab::Operators, *output, &all, look(args)).await,
        Command::Audit(output) => list(&client, Tab::Audit, *output, &all, look(args)).await,
        Command::Health(output) => list(&client, Tab::Health, *output, &all, look(args)).await,
        Command::Fact { id, output } => {
            again(*output, async || {
                let raw: Value = client.get(&format!("/ops/v1/quarantine/{}", segment(id))).await?;
                let fact: FactInFull = read(raw.clone())?;
                write(&[raw], &tables::fact(&fact), output.format())
            })
            .await
        }
        Command::End { id, reason } => {
            perform(&client, &Act::EndMatter { id: id.clone() }, reason.trim()).await?;
            Ok(())
        }
    }
}

fn look(args: &Args) -> Look {
    Look { now_ms: environment::now_ms(), zone: args.zone.unwrap_or_default() }
}

fn narrowed(tab: Tab, filter: &str) -> Result<Narrowed, Ended> {
    let mut narrowed = Narrowed::default();
    match narrowed.set(tab, filter) {
        Ok(()) => Ok(narrowed),
        Err(error) => {
            let before = filter.get(..error.start).map_or(0, UnicodeWidthStr::width);
            let said = format!("{filter}\n{}^ expected {}", " ".repeat(before), error.expected);
            Err(Ended::usage(&format!("the filter cannot be read:\n{said}")))
        }
    }
}

/// Of the one order that has this number.
async fn order_id(client: &Client, number: &str) -> Result<String, Ended> {
    let page: Page<OrderRow> = client.page(&format!("/ops/v1/find?number={}", segment(number))).await?;
    match page.rows.as_slice() {
        [row] => Ok(row.id.clone()),
        [] => Err(Ended { code: 5, said: format!("no order has the number {number}") }),
        rows => {
            let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            let said = format!("several orders have the number {number}; their ids: {}", ids.join(" "));
            Err(Ended { code: 5, said })
        }
    }
}

fn say(text: &str) -> Result<(), Ended> {
    writeln!(io::stdout().lock(), "{}\n", crate::text::clean(text))?;
    Ok(())
}

async fn list(
    client: &Client,
    tab: Tab,
    output: Output,
    narrowed: &Narrowed,
    look: Look,
) -> Result<(), Ended> {
    again(output, async || {
        let look = Look { now_ms: environment::now_ms(), ..look };
        let rows = rows(client, tab, output.limit, narrowed).await?;
        let table = table(tab, &rows, look)?;
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
async fn rows(client: &Client, tab: Tab, limit: u32, narrowed: &Narrowed) -> Result<Vec<Value>, Ended> {
    if tab == Tab::Health {
        return Ok(vec![client.get(tab.path()).await?]);
    }
    let first = narrowed.first_page(tab, false, environment::now_ms(), limit.min(100));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows = Vec::new();
    let mut next = Some(first);
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

fn table(tab: Tab, rows: &[Value], look: Look) -> Result<Table, Ended> {
    let all = Value::from(rows.to_vec());
    Ok(match tab {
        Tab::Overview => tables::overview(&read(all[0].clone())?, look),
        Tab::Orders => tables::orders(&read::<Vec<_>>(all)?, true, look),
        Tab::Deliveries => tables::deliveries(&read::<Vec<_>>(all)?, &BTreeSet::new(), look),
        Tab::Endpoints => tables::endpoints(&read::<Vec<_>>(all)?, look),
        Tab::Replays => tables::replays(&read::<Vec<_>>(all)?, look),
        Tab::Merchants => tables::merchants(&read::<Vec<_>>(all)?, look),
        Tab::Attention => tables::attention(&read::<Vec<_>>(all)?, look),
        Tab::Platforms => tables::platforms(&read::<Vec<_>>(all)?, look),
        Tab::Operators => tables::operators(&read::<Vec<_>>(all)?, look),
        Tab::Audit => tables::audit(&read::<Vec<_>>(all)?, look),
        Tab::Health => tables::health(&read(all[0].clone())?, look),
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
