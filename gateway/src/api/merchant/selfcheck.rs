//! `/v1/selfcheck`: what a test merchant's endpoint makes of notices that come twice, changed, or signed by somebody
//! else.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};

use super::merchant_of;
use crate::api::rest::{Body, ChangeError, Found, Group};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::error::Error;
use crate::selfcheck::{self, Came, Finding, Wanted};

/// What to check.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct SelfCheck {
    /// The endpoint. Without it, the `notifyUrl` of the order.
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub url: Option<String>,
    /// The merchant's own number of the order that the drills are about: a test order of its own. The shop marks it
    /// paid. Without it, the newest order that has this endpoint as its `notifyUrl`.
    #[oai(validator(min_length = 1, max_length = 32, pattern = r"^[^\x00]*$"))]
    pub number: Option<String>,
}

impl Example for SelfCheck {
    fn example() -> Self {
        Self { url: None, number: Some("p20180725180605466813".into()) }
    }
}

/// What came of a self-check.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase")]
pub struct SelfCheckReport {
    /// The endpoint that was called.
    pub url: String,
    /// The merchant's own number of the order that the drills were about.
    pub number: String,
    /// How that order stands; a self-check does not change it.
    pub order_status: String,
    /// Of 100: what the passed drills are worth together.
    pub score: u32,
    /// In the order in which they were sent.
    pub drills: Vec<DrillFinding>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "DrillVerdict", rename_all = "snake_case")]
pub enum Verdict {
    Passed,
    Failed,
    /// The answer does not tell.
    Unclear,
}

/// What came of one drill.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct DrillFinding {
    /// For programs. Stable: `unsigned`, `wrong_signature`, `wrong_amount`, `unpaid`, `unknown_order`, `get_probe`, `paid`,
    /// `duplicate`, `at_once`, `slow`, `out_of_order`.
    pub drill: String,
    pub verdict: Verdict,
    /// What it added to the score.
    pub points: u32,
    /// The most it could add.
    pub worth: u32,
    /// What was sent, in words.
    pub sent: String,
    /// Whether the shop has to answer it with `success`.
    pub to_be_acknowledged: bool,
    /// What came back, in the order of what was sent; empty where it was not sent.
    pub answers: Vec<DrillAnswer>,
    /// What is wrong.
    pub fault: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// What came back.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct DrillAnswer {
    /// HTTP 200 and the text `success`.
    pub acknowledged: bool,
    pub http_status: Option<u16>,
    /// Its first characters.
    pub text: Option<String>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// From resolving the name to the last byte.
    pub duration_ms: u64,
}

pub struct SelfCheckApi;

#[OpenApi(tag = "Group::SelfCheck")]
impl SelfCheckApi {
    /// Check a test merchant's endpoint
    ///
    /// Sends eleven drills to the endpoint, about one of the merchant's own test orders and signed with its own test key:
    /// notices that are true, that come twice, at once, slowly or in the wrong order, and such as have to be refused. Each
    /// carries the header `ScanGate-Drill` with its name. Says what the shop's answers mean, and what to do about them. The
    /// order stays as it is at the gateway; the shop takes it for paid. Answered within half a minute. For test merchants
    /// only; one self-check of a merchant at a time, and six in a minute unless the gateway's operator has set another limit.
    #[oai(path = "/v1/selfcheck", method = "post", operation_id = "checkEndpoint")]
    async fn check(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::OrdersWrite")] caller: Caller,
        /// With a platform's key: the id of the merchant.
        #[oai(validator(max_length = 64))]
        merchant: Query<Option<String>>,
        body: Body<SelfCheck>,
    ) -> Result<Found<SelfCheckReport>, ChangeError> {
        caller.may(Scope::OrdersWrite)?;
        let merchant = merchant_of(app.0, &caller, merchant.0.as_deref())?;
        app.limits.selfcheck(&merchant).await.map_err(Error::Limited)?;
        let wanted = Wanted { url: body.value.url, number: body.value.number };
        let report = selfcheck::run(app.0, &merchant, &wanted).await?;
        Ok(Found(report.into()))
    }
}

impl From<selfcheck::Report> for SelfCheckReport {
    fn from(report: selfcheck::Report) -> Self {
        Self {
            score: report.score(),
            url: report.url,
            number: report.number,
            order_status: report.order_status.to_owned(),
            drills: report.findings.into_iter().map(DrillFinding::from).collect(),
        }
    }
}

impl From<Finding> for DrillFinding {
    fn from(finding: Finding) -> Self {
        Self {
            drill: finding.drill.code().to_owned(),
            verdict: match finding.verdict {
                selfcheck::Verdict::Passed => Verdict::Passed,
                selfcheck::Verdict::Failed => Verdict::Failed,
                selfcheck::Verdict::Unclear => Verdict::Unclear,
            },
            points: finding.points(),
            worth: finding.drill.worth(),
            sent: finding.drill.sent().to_owned(),
            to_be_acknowledged: finding.drill.is_acknowledged(),
            answers: finding.answers.into_iter().map(DrillAnswer::from).collect(),
            fault: finding.fault,
            remedy: finding.remedy.map(str::to_owned),
        }
    }
}

impl From<selfcheck::Answer> for DrillAnswer {
    fn from(answer: selfcheck::Answer) -> Self {
        let duration_ms = u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX);
        match answer.came {
            Came::Reply { status, acknowledged, excerpt } => Self {
                acknowledged,
                http_status: Some(status),
                text: Some(excerpt),
                error: None,
                duration_ms,
            },
            Came::Nothing(error) => Self {
                acknowledged: false,
                http_status: None,
                text: None,
                error: Some(error.to_string()),
                duration_ms,
            },
        }
    }
}
