//! `scangate client selfcheck`: asks the gateway's REST API for a self-check of a test merchant's endpoint, and shows
//! the report.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Usage;
use super::report::printable;
use super::rest::{self, Rest, RestArgs, Trouble};

/// The endpoint did not stand every drill.
const FOUND: u8 = 3;
/// Of a shop's answer in the table.
const ANSWER_SHOWN: usize = 60;

#[derive(Debug, Args)]
pub struct SelfCheckArgs {
    #[command(flatten)]
    rest: RestArgs,
    /// The endpoint; the order's notifyUrl unless given
    #[arg(long, value_name = "U")]
    url: Option<String>,
    /// The shop's number of the test order that the drills are about, and that the shop marks paid; the newest one that is
    /// told at the endpoint unless given
    #[arg(long, value_name = "N")]
    number: Option<String>,
    /// Print the report as the API gives it
    #[arg(long)]
    json: bool,
}

/// What is to be checked, and where that is asked for.
pub(super) struct Question {
    rest: Rest,
    body: String,
    json: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    url: String,
    number: String,
    order_status: String,
    score: u32,
    drills: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    drill: String,
    verdict: String,
    points: u32,
    worth: u32,
    sent: String,
    answers: Vec<Answered>,
    fault: Option<String>,
    remedy: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    http_status: Option<u16>,
    text: Option<String>,
    error: Option<String>,
    duration_ms: u64,
}

impl SelfCheckArgs {
    pub(super) fn prepare(self) -> Result<Question, Usage> {
        let rest = self.rest.resolve()?;
        let given = [("url", self.url), ("number", self.number)];
        let given = given.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
        let body = Value::Object(given.collect::<Map<_, _>>()).to_string();
        Ok(Question { rest, body, json: self.json })
    }
}

/// Have it checked and show the report. Exit code 0 for the full score, 3 for less, 1 where there is no report.
pub(super) async fn ask(question: &Question, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let report = match report(question).await {
        Ok(report) => report,
        Err(trouble) => {
            eprintln!("error: {:#}", anyhow::Error::from(trouble));
            return Ok(ExitCode::FAILURE);
        }
    };
    let read: Report = serde_json::from_value(report.clone()).context("the gateway's answer is no report")?;
    if question.json {
        writeln!(out, "{report:#}")?;
    } else {
        show(&read, out)?;
    }
    out.flush()?;
    Ok(if read.score == 100 { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

async fn report(question: &Question) -> Result<Value, Trouble> {
    let rest = &question.rest;
    let mut address = rest.at("/v1/selfcheck");
    if let Some(id) = rest.merchant_id().await? {
        address.query_pairs_mut().append_pair("merchant", &id);
    }
    rest::json(&rest.call(http::Method::POST, &address, question.body.clone()).await?)
}

fn show(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "endpoint  {}", printable(&report.url))?;
    writeln!(out, "order     {} ({})", printable(&report.number), printable(&report.order_status))?;
    writeln!(out, "score     {} of 100\n", report.score)?;
    let width = report.drills.iter().map(|finding| finding.drill.chars().count()).max().unwrap_or_default();
    for finding in &report.drills {
        let points = format!("{}/{}", finding.points, finding.worth);
        let answers: Vec<String> = finding.answers.iter().map(answered).collect();
        let drill = printable(&finding.drill);
        writeln!(out, "{:<7}  {points:>5}  {drill:<width$}  {}", finding.verdict, answers.join("; "))?;
    }
    for finding in &report.drills {
        let Some(fault) = &finding.fault else { continue };
        writeln!(out, "\n{}: {}", printable(&finding.drill), printable(fault))?;
        writeln!(out, "  sent  {}", printable(&finding.sent))?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "  do    {}", printable(remedy))?;
        }
    }
    Ok(())
}

fn answered(answer: &Answered) -> String {
    let what = match (answer.http_status, &answer.text, &answer.error) {
        (Some(status), Some(text), _) => {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let shown: String = line.chars().take(ANSWER_SHOWN).collect();
            format!("{status} {}", printable(&shown))
        }
        (_, _, Some(error)) => printable(error),
        _ => "nothing".to_owned(),
    };
    format!("{} in {} ms", what.trim_end(), answer.duration_ms)
}
