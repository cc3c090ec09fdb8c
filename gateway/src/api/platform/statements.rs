//! `/v1/statements/check`: a statement of ScanForPay's beside our books.

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use jiff::civil::Date;
use poem::web::Data;
use poem::{Request, RequestBody};
use poem_openapi::param::Query;
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions, Object, OpenApi};
use sea_orm::{ColumnTrait, QueryFilter};

use crate::api::rest::{ChangeError, Found, Group, Once};
use crate::app::App;
use crate::directory::access::{Caller, Scope, is_id};
use crate::entity::account;
use crate::error::{Error, FieldProblem};
use crate::statements::{self, Columns, Period, Scratch, Unreadable};

/// Differences in an answer at most.
const SHOWN: usize = 1000;

const CSV: &str = "The statement, of 16 MiB at most, with a line of column names first.";

/// A CSV file as it was sent.
pub struct Csv {
    bytes: Bytes,
    is_csv: bool,
}

impl<'a> ApiExtractor<'a> for Csv {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let csv = MetaSchema { description: Some(CSV), ..MetaSchema::new("string") };
        let schema = MetaSchemaRef::Inline(Box::new(csv));
        let content = vec![MetaMediaType { content_type: "text/csv", schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
        // Told after it is known whose account it is about.
        let is_csv = kind.trim().eq_ignore_ascii_case("text/csv");
        Ok(Self { bytes: body.take()?.into_bytes().await?, is_csv })
    }
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "snake_case")]
pub enum DifferenceType {
    /// The statement names an order that is not here.
    MissingHere,
    /// An order was paid, and the statement does not have it.
    MissingThere,
    Amount,
    Status,
    Currency,
    /// The statement lists one payment twice.
    Duplicate,
    /// A refund that is in one of the books only, or with another amount.
    Refund,
}

/// What differs.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct StatementDifference {
    #[oai(rename = "type")]
    pub kind: DifferenceType,
    /// The statement's line, from 1 behind its header; absent: it has none.
    pub line: Option<i64>,
    /// The merchant's order number.
    pub number: Option<String>,
    pub sent_number: Option<String>,
    pub order_no: Option<String>,
    pub refund_no: Option<String>,
    /// As it is here, in words.
    pub here: String,
    /// As ScanForPay has it, in words.
    pub there: String,
    /// What to do about it.
    pub next: String,
}

/// How a statement and our books compare.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase")]
pub struct CheckedStatement {
    pub agrees: bool,
    pub lines: u64,
    pub payments: u64,
    pub refunds: u64,
    /// Payments and refunds of ours in the period.
    pub ours: u64,
    /// Of these, those that are not listed and not due yet.
    pub pending: u64,
    /// All differences, shown or not.
    pub differing: u64,
    /// The first 1,000 of them; `scangate statement check` has them all.
    #[oai(validator(max_items = 1000))]
    pub differences: Vec<StatementDifference>,
}

impl From<statements::Difference> for DifferenceType {
    fn from(kind: statements::Difference) -> Self {
        match kind {
            statements::Difference::MissingHere => Self::MissingHere,
            statements::Difference::MissingThere => Self::MissingThere,
            statements::Difference::Amount => Self::Amount,
            statements::Difference::Status => Self::Status,
            statements::Difference::Currency => Self::Currency,
            statements::Difference::Duplicate => Self::Duplicate,
            statements::Difference::Refund => Self::Refund,
        }
    }
}

impl From<statements::Found> for StatementDifference {
    fn from(found: statements::Found) -> Self {
        Self {
            kind: found.kind.into(),
            line: found.line,
            number: found.number,
            sent_number: found.sent_number,
            order_no: found.order_no,
            refund_no: found.refund_no,
            here: found.here,
            there: found.there,
            next: found.next,
        }
    }
}

pub struct StatementsApi;

#[OpenApi(tag = "Group::Facts")]
impl StatementsApi {
    /// Check a statement of ScanForPay's
    ///
    /// Compares it with the orders and refunds that went through the account, and changes nothing. Lines are compared
    /// with the orders that they name, whenever those were paid; payments of the period that no line names are
    /// `missing_there`, unless they may be listed later.
    #[oai(path = "/v1/statements/check", method = "post", operation_id = "checkStatement")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the contract")]
    async fn check(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::FactsRead")] caller: Caller,
        #[oai(name = "Idempotency-Key")] _once: Once,
        /// The account's id.
        #[oai(validator(max_length = 64))]
        account: Query<String>,
        /// The day on which the payments were made, such as `2026-09-21`; the first one, with `through`.
        #[oai(validator(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
        day: Query<String>,
        /// The last day that the statement covers; absent: the day.
        #[oai(validator(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
        through: Query<Option<String>>,
        /// A payment may be listed so many days later: 2 for T+2.
        #[oai(name = "settlementDays", validator(minimum(value = "0"), maximum(value = "30")))]
        settlement_days: Query<Option<u8>>,
        /// How the columns are named, as TOML; `scangate statement columns` prints the defaults.
        #[oai(validator(max_length = 4000))]
        columns: Query<Option<String>>,
        body: Csv,
    ) -> Result<Found<CheckedStatement>, ChangeError> {
        caller.may(Scope::FactsRead)?;
        if !is_id(&account.0) {
            return Err(Error::NotFound.into());
        }
        let found =
            account::Entity::of(&caller.tenant, caller.mode).filter(account::Column::Id.eq(&account.0));
        let account = found.one(&app.store.read).await.map_err(Error::from)?.ok_or(Error::NotFound)?;
        if !body.is_csv {
            return Err(Error::ContentType("text/csv").into());
        }
        let mut names = Columns::read(columns.0.as_deref().unwrap_or_default())
            .map_err(|error| wrong("columns", error.to_string()))?;
        names.settlement_days = settlement_days.0.unwrap_or(names.settlement_days);
        let day = date("day", &day.0)?;
        let through = through.0.as_deref().map_or(Ok(day), |text| date("through", text))?;
        let period =
            Period::new(day, through, &names).map_err(|error| wrong("through", error.to_string()))?;
        let read_as = names.clone();
        let loading = tokio::task::spawn_blocking(move || {
            let mut scratch = Scratch::new()?;
            scratch.load(&*body.bytes, &read_as)?;
            anyhow::Ok(scratch)
        });
        let mut scratch = loading.await.map_err(|error| Error::Failed(error.into()))?.map_err(told)?;
        statements::check(&app.store.read, account, &period, &names, &mut scratch).await.map_err(told)?;
        Ok(Found(checked(&mut scratch).map_err(told)?))
    }
}

fn checked(scratch: &mut Scratch) -> anyhow::Result<CheckedStatement> {
    let differences = scratch.differences_after(0, SHOWN)?;
    let summary = &scratch.summary;
    Ok(CheckedStatement {
        agrees: summary.agrees(),
        lines: summary.lines,
        payments: summary.payments,
        refunds: summary.refunds,
        ours: summary.ours,
        pending: summary.pending,
        differing: summary.differences,
        differences: differences.into_iter().map(|(_, found)| found.into()).collect(),
    })
}

fn told(error: anyhow::Error) -> Error {
    match error.downcast::<Unreadable>() {
        Ok(unreadable) => Error::NotCsv(unreadable.0),
        Err(error) => Error::Failed(error),
    }
}

fn date(parameter: &'static str, text: &str) -> Result<Date, Error> {
    text.parse().map_err(|_| wrong(parameter, "must be a date such as 2026-09-21"))
}

fn wrong(parameter: &'static str, why: impl Into<String>) -> Error {
    Error::Invalid(vec![FieldProblem::parameter(parameter, why)])
}
