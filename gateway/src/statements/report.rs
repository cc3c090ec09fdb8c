//! How a check went, as a table for people, CSV for spreadsheets and JSON for programs; the latter two written page by
//! page, however much differs.

use std::io::Write;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::{Found, Scratch};

/// Differences read at a time.
const PAGE: usize = 500;
/// Columns of a table: what its cells hold is broken there.
const WIDTH: u16 = 160;
/// Differences in a table at most; the other forms have them all.
const TABLE: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    Csv,
    Json,
}

const CELLS: [&str; 9] =
    ["type", "line", "number", "sentNumber", "orderNo", "refundNo", "here", "there", "next"];

fn cells(found: &Found) -> [String; 9] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    [
        found.kind.as_str().to_owned(),
        found.line.map(|line| line.to_string()).unwrap_or_default(),
        text(&found.number),
        text(&found.sent_number),
        text(&found.order_no),
        text(&found.refund_no),
        found.here.clone(),
        found.there.clone(),
        found.next.clone(),
    ]
}

pub fn write(scratch: &mut Scratch, format: Format, mut out: impl Write) -> anyhow::Result<()> {
    match format {
        Format::Table => table(scratch, &mut out),
        Format::Csv => csv(scratch, &mut out),
        Format::Json => json(scratch, &mut out),
    }
}

/// The summary, with how many differences there are of each kind.
pub fn summary(scratch: &mut Scratch) -> anyhow::Result<Value> {
    let counts = scratch.counts()?.into_iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count)));
    let mut summary = serde_json::to_value(&scratch.summary)?;
    summary["agrees"] = json!(scratch.summary.agrees());
    summary["byType"] = Value::Object(counts.collect());
    Ok(summary)
}

fn each(scratch: &mut Scratch, mut take: impl FnMut(Found) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let page = scratch.differences_after(after, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = *last;
        for (_, found) in page {
            take(found)?;
        }
    }
}

fn table(scratch: &mut Scratch, out: &mut impl Write) -> anyhow::Result<()> {
    let shown = scratch.differences_after(0, TABLE)?;
    if !shown.is_empty() {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_BORDERS_ONLY)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(WIDTH);
        table.set_header(["", "line", "order", "sent as", "here", "ScanForPay", "next"]);
        for (_, found) in &shown {
            let [kind, line, number, sent_number, order_no, refund_no, here, there, next] = cells(found);
            let sent = [sent_number, order_no, refund_no].into_iter().find(|text| !text.is_empty());
            table.add_row([kind, line, number, sent.unwrap_or_default(), here, there, next].map(printable));
        }
        writeln!(out, "{table}")?;
    }
    let summary = scratch.summary.clone();
    if summary.differences > shown.len() as u64 {
        writeln!(out, "… and {} more; --format csv has them all", summary.differences - shown.len() as u64)?;
    }
    for (kind, count) in scratch.counts()?.into_iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "{count:>9} {}", kind.as_str())?;
    }
    writeln!(
        out,
        "{}: {} lines ({} payments, {} refunds) beside {} of ours; {} not due yet, {} without an answer",
        if summary.agrees() { "agrees" } else { "differs" },
        summary.lines,
        summary.payments,
        summary.refunds,
        summary.ours,
        summary.pending,
        summary.unanswered
    )?;
    Ok(())
}

fn csv(scratch: &mut Scratch, out: &mut impl Write) -> anyhow::Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(out);
    writer.write_record(CELLS)?;
    each(scratch, |found| {
        Ok(writer.write_record(cells(&found).map(crate::api::merchant::statement::defused))?)
    })?;
    writer.flush()?;
    Ok(())
}

fn json(scratch: &mut Scratch, out: &mut impl Write) -> anyhow::Result<()> {
    write!(out, "{{\"summary\":{},\"differences\":[", summary(scratch)?)?;
    let mut is_first = true;
    each(scratch, |found| {
        let comma = if std::mem::take(&mut is_first) { "" } else { "," };
        Ok(write!(out, "{comma}\n{}", serde_json::to_string(&found)?)?)
    })?;
    writeln!(out, "]}}")?;
    Ok(())
}

/// What a statement says must not speak to the terminal.
fn printable(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
    } else {
        text
    }
}
