//! Calls to the gateway's REST API: where to, with which API key, and what its refusals say.

use std::path::PathBuf;

use anyhow::anyhow;
use bytes::Bytes;
use clap::Args;
use http::Method;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::Usage;
use super::exchange::{self, Failure, Received};
use super::report::{excerpt, printable};
use super::target::{SignKey, base, key_in, read_demo, variable};

const KEY_VARIABLE: &str = "SCANGATE_CLIENT_API_KEY";

#[derive(Debug, Args)]
pub struct RestArgs {
    /// Call the running demo: address, API key and merchant come from its demo.json
    #[arg(long, conflicts_with_all = ["base", "merchant", "key", "key_file"])]
    demo: bool,
    /// The demo's folder
    #[arg(long, value_name = "DIR", default_value = "scangate-data", conflicts_with = "base")]
    data: PathBuf,
    /// The gateway's address, without a platform's name: `https://pay.example.com`
    #[arg(long, value_name = "URL", required_unless_present = "demo", value_parser = base)]
    base: Option<Url>,
    /// An API key (`sg_test_…`). Other users of this machine can read it in the process list, and the shell keeps it in its
    /// history: --key-file, or the environment variable `SCANGATE_CLIENT_API_KEY`, is better
    #[arg(long, value_name = "K", conflicts_with = "key_file")]
    key: Option<SignKey>,
    /// A file that holds the API key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// With a platform's API key: the id of the merchant
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
}

/// A gateway, and as whom it is called.
pub(super) struct Rest {
    pub(super) base: Url,
    key: SignKey,
    merchant: Option<Of>,
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

/// Why there is no answer to work with.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It may pass: nobody answered, or somebody who could not.
    Away(anyhow::Error),
    /// The same call is refused the next time, too.
    Refused(anyhow::Error),
}

impl From<Trouble> for anyhow::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away(error) | Trouble::Refused(error) => error,
        }
    }
}

impl RestArgs {
    pub(super) fn resolve(self) -> Result<Rest, Usage> {
        if self.demo {
            let demo: Demo = read_demo(&self.data)?;
            let key = demo.platform.api_key.parse().map_err(|why| Usage(format!("demo.json: {why}")))?;
            let base = base(&demo.gateway.base_url)
                .map_err(|why| Usage(format!("demo.json: gateway.base_url {why}")))?;
            return Ok(Rest { base, key, merchant: Some(Of::PartnerNo(demo.merchant.partner_no)) });
        }
        let base = self.base.ok_or_else(|| Usage("--base is needed, or --demo".to_owned()))?;
        let key = match (self.key, &self.key_file) {
            (Some(key), _) => key,
            (None, Some(file)) => key_in(file)?,
            (None, None) => from_environment()?,
        };
        Ok(Rest { base, key, merchant: self.merchant.map(Of::Id) })
    }
}

fn from_environment() -> Result<SignKey, Usage> {
    let text = variable(KEY_VARIABLE).unwrap_or_default();
    text.trim()
        .parse()
        .map_err(|_| Usage(format!("no API key: set {KEY_VARIABLE}, or name a file with --key-file")))
}

impl Rest {
    pub(super) fn at(&self, path: &str) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        address
    }

    /// As it was named.
    pub(super) fn merchant(&self) -> Option<&str> {
        match self.merchant.as_ref()? {
            Of::Id(name) | Of::PartnerNo(name) => Some(name),
        }
    }

    /// The id of the merchant, if one is named.
    pub(super) async fn merchant_id(&self) -> Result<Option<String>, Trouble> {
        match &self.merchant {
            None => Ok(None),
            Some(Of::Id(id)) => Ok(Some(id.clone())),
            Some(Of::PartnerNo(partner_no)) => self.id_of(partner_no).await.map(Some),
        }
    }

    /// The id of the merchant of this number.
    async fn id_of(&self, partner_no: &str) -> Result<String, Trouble> {
        let mut address = self.at("/v1/merchants");
        address.query_pairs_mut().append_pair("q", partner_no).append_pair("limit", "100");
        let page = json(&self.call(Method::GET, &address, String::new()).await?)?;
        let merchants = page["data"].as_array().into_iter().flatten();
        let mut found = merchants.filter(|merchant| merchant["partnerNo"] == partner_no);
        let id = found.next().and_then(|merchant| merchant["id"].as_str());
        id.map(str::to_owned).ok_or_else(|| {
            Trouble::Refused(anyhow!("the gateway has no test merchant with the number {partner_no}"))
        })
    }

    /// The JSON of an answer of status 200.
    pub(super) async fn call(&self, method: Method, address: &Url, body: String) -> Result<Bytes, Trouble> {
        let outgoing = http::Request::builder()
            .method(method)
            .uri(address.as_str())
            .header(AUTHORIZATION, format!("Bearer {}", self.key.reveal()));
        let answer = exchange::call(outgoing, address, body).await;
        let Received { status, body } = answer.map_err(|failure| match failure {
            Failure::NotSent(error) | Failure::NoAnswer(error) => Trouble::Away(error),
        })?;
        if status == 200 {
            return Ok(body);
        }
        let error = match serde_json::from_slice(&body) {
            Ok(problem) => refused(status, &problem),
            Err(_) => no_json(status, &body),
        };
        Err(if is_passing(status) { Trouble::Away(error) } else { Trouble::Refused(error) })
    }
}

pub(super) fn json(body: &[u8]) -> Result<Value, Trouble> {
    serde_json::from_slice(body).map_err(|_| Trouble::Away(no_json(200, body)))
}

fn no_json(status: u16, body: &[u8]) -> anyhow::Error {
    anyhow!("HTTP {status}, and what came is no JSON: {}", excerpt(body))
}

/// Too many requests, or a server that cannot.
fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
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
