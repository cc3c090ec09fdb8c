//! `scangate client selfcheck`: asks the gateway's REST API for a self-check of a test merchant's endpoint, and shows
//! the report.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::Usage;
use super::exchange::{self, Failure, Received};
use super::report::{excerpt, printable};
use super::target::{SignKey, base, key_in, read_demo, variable};

const KEY_VARIABLE: &str = "SCANGATE_CLIENT_API_KEY";
/// The endpoint did not stand every drill.
const FOUND: u8 = 3;
/// Of a shop's answer in the table.
const ANSWER_SHOWN: usize = 60;

#[derive(Debug, Args)]
pub struct SelfCheckArgs {
    /// Check the running demo's shop: address, API key and merchant come from its demo.json
    #[arg(long, conflicts_with_all = ["base", "merchant", "key", "key_file"])]
    demo: bool,
    /// The demo's folder
    #[arg(long, value_name = "DIR", default_value = "scangate-data", conflicts_with = "base")]
    data: PathBuf,
    /// The gateway's address, without a platform's name: `https://pay.example.com`
    #[arg(long, value_name = "URL", required_unless_present = "demo", value_parser = base)]
    base: Option<Url>,
    /// An API key for testing (`sg_test_…`). Other users of this machine can read it in the process list, and the shell
    /// keeps it in its history: --key-file, or the environment variable `SCANGATE_CLIENT_API_KEY`, is better
    #[arg(long, value_name = "K", conflicts_with = "key_file")]
    key: Option<SignKey>,
    /// A file that holds the API key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With a platform's API key: the id of the merchant
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
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
    base: Url,
    key: SignKey,
    merchant: Option<Of>,
    body: String,
    json: bool,
}

/// Which of a platform's merchants.
enum Of {
    Id(String),
    PartnerNo(String),
}

/// The part of `demo.json` that is needed here.
#[derive(Deserialize)]
struct Demo {
    gateway: DemoGateway,
    platform: DemoPlatform,
    merchant: DemoMerchant,
}

#[derive(Deserialize)]
struct DemoGateway {
    base_url: String,
}

#[derive(Deserialize)]
struct DemoPlatform {
    api_key: String,
}

#[derive(Deserialize)]
struct DemoMerchant {
    partner_no: String,
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
        let (base, key, merchant) = if self.demo {
            let demo: Demo = read_demo(&self.data)?;
            let key = demo.platform.api_key.parse().map_err(|why| Usage(format!("demo.json: {why}")))?;
            let base = base(&demo.gateway.base_url)
                .map_err(|why| Usage(format!("demo.json: gateway.base_url {why}")))?;
            (base, key, Some(Of::PartnerNo(demo.merchant.partner_no)))
        } else {
            let base = self.base.ok_or_else(|| Usage("--base is needed, or --demo".to_owned()))?;
            let key = match (self.key, &self.key_file) {
                (Some(key), _) => key,
                (None, Some(file)) => key_in(file)?,
                (None, None) => from_environment()?,
            };
            (base, key, self.merchant.map(Of::Id))
        };
        let given = [("url", self.url), ("number", self.number)];
        let given = given.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into())));
        let body = Value::Object(given.collect::<Map<_, _>>()).to_string();
        Ok(Question { base, key, merchant, body, json: self.json })
    }
}

fn from_environment() -> Result<SignKey, Usage> {
    let text = variable(KEY_VARIABLE).unwrap_or_default();
    text.trim()
        .parse()
        .map_err(|_| Usage(format!("no API key: set {KEY_VARIABLE}, or name a file with --key-file")))
}

/// Have it checked and show the report. Exit code 0 for the full score, 3 for less, 1 where there is no report.
pub(super) async fn ask(question: &Question, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let report = match report(question).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error:#}");
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

async fn report(question: &Question) -> anyhow::Result<Value> {
    let mut address = at(&question.base, "/v1/selfcheck");
    if let Some(merchant) = &question.merchant {
        let id = match merchant {
            Of::Id(id) => id.clone(),
            Of::PartnerNo(partner_no) => id_of(question, partner_no).await?,
        };
        address.query_pairs_mut().append_pair("merchant", &id);
    }
    call(question, http::Method::POST, &address, question.body.clone()).await
}

/// The id of the merchant of this number.
async fn id_of(question: &Question, partner_no: &str) -> anyhow::Result<String> {
    let mut address = at(&question.base, "/v1/merchants");
    address.query_pairs_mut().append_pair("q", partner_no).append_pair("limit", "100");
    let page = call(question, http::Method::GET, &address, String::new()).await?;
    let merchants = page["data"].as_array().into_iter().flatten();
    let mut found = merchants.filter(|merchant| merchant["partnerNo"] == partner_no);
    let id = found.next().and_then(|merchant| merchant["id"].as_str());
    id.map(str::to_owned)
        .ok_or_else(|| anyhow!("the gateway has no test merchant with the number {partner_no}"))
}

fn at(base: &Url, path: &str) -> Url {
    let mut address = base.clone();
    address.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    address
}

async fn call(
    question: &Question,
    method: http::Method,
    address: &Url,
    body: String,
) -> anyhow::Result<Value> {
    let outgoing = http::Request::builder()
        .method(method)
        .uri(address.as_str())
        .header(AUTHORIZATION, format!("Bearer {}", question.key.reveal()));
    let answer = exchange::call(outgoing, address, body).await;
    let Received { status, body } = answer.map_err(|failure| match failure {
        Failure::NotSent(error) | Failure::NoAnswer(error) => error,
    })?;
    let Ok(answer) = serde_json::from_slice::<Value>(&body) else {
        return Err(anyhow!("HTTP {status}, and what came is no JSON: {}", excerpt(&body)));
    };
    if status == 200 { Ok(answer) } else { Err(refused(status, &answer)) }
}

/// What a problem says.
fn refused(status: u16, problem: &Value) -> anyhow::Error {
    let text = |value: &Value| value.as_str().map(printable).unwrap_or_default();
    let fields = problem["errors"].as_array().into_iter().flatten();
    let fields = fields.map(|field| {
        let place = [&field["pointer"], &field["parameter"]].map(text).concat();
        format!("\n  {place} {}", text(&field["detail"]))
    });
    let detail = text(&problem["detail"]);
    anyhow!("HTTP {status} {}: {detail}{}", text(&problem["code"]), fields.collect::<String>())
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
