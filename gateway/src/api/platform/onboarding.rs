//! `/v1/onboarding`: many merchants at once, from JSON or CSV, with a result per row.

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use poem::web::Data;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{Example, ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, Enum, ExtractParamOptions, Object, OpenApi};
use serde_json::{Map, Value, json};

use super::merchants::Merchant;
use super::stores::{Described, Store};
use crate::api::rest::{
    Answer, ChangeError, Changed, Group, Once, Planned, Problem, Schemas, ShownSecret, change,
};
use crate::app::App;
use crate::directory::access::{Caller, Scope};
use crate::directory::onboarding::{self, MAX_ROWS, Onboarded, PART, WantedMerchant};
use crate::error::{Error, FieldProblem};

/// The columns of a CSV file, each with the field it fills.
const COLUMNS: [(&str, &str); 13] = [
    ("name", "/name"),
    ("reference", "/reference"),
    ("upstreamStoreNo", "/store/upstreamStoreNo"),
    ("storeNo", "/store/storeNo"),
    ("currency", "/store/currency"),
    ("wallets", "/store/wallets"),
    ("timeZone", "/store/timeZone"),
    ("latePayment", "/store/latePayment"),
    ("accountId", "/store/accountId"),
    ("accountName", "/store/account/name"),
    ("accountBaseUrl", "/store/account/baseUrl"),
    ("accountPartnerNo", "/store/account/partnerNo"),
    ("accountSignKey", "/store/account/signKey"),
];

const CSV: &str = "A header line with the columns it uses of: name, reference, upstreamStoreNo, storeNo, currency, \
    wallets (separated by blanks), timeZone, latePayment, accountId, accountName, accountBaseUrl, accountPartnerNo, \
    accountSignKey; then a line per merchant. An empty cell is an absent field.";

/// A merchant to be made, perhaps with a store.
#[derive(Object)]
#[oai(rename = "OnboardingRow", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Row {
    /// Its name, for people.
    #[oai(validator(min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub name: String,
    /// Your own name for it, unique among your merchants. With it a row that is sent again is not made again.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f]*$"))]
    pub reference: Option<String>,
    /// Its first store.
    pub store: Option<Described>,
}

/// Merchants to be made.
#[derive(Object)]
#[oai(rename = "OnboardingRequest")]
pub struct Sent {
    #[oai(validator(min_items = 1, max_items = 1000))]
    pub rows: Vec<Row>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename_all = "lowercase")]
pub enum RowStatus {
    Created,
    /// `problem` says why. Nothing of the row was made; only with its code `in_doubt` that is not known.
    Refused,
}

/// What became of a row.
#[derive(Object, Debug, Clone)]
#[oai(rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct RowResult {
    /// From 1.
    pub row: i64,
    pub status: RowStatus,
    pub merchant: Option<Merchant>,
    /// The key that the merchant signs with.
    pub sign_key: Option<ShownSecret>,
    pub store: Option<Store>,
    /// Pointers are into the row.
    pub problem: Option<Problem>,
}

/// What became of all rows, in their order.
#[derive(Object, Debug, Clone)]
pub struct Onboarding {
    pub created: i64,
    pub refused: i64,
    #[oai(validator(max_items = 1000))]
    pub results: Vec<RowResult>,
}

impl Example for Row {
    fn example() -> Self {
        Self {
            name: "Tea House".into(),
            reference: Some("shop-17".into()),
            store: Some(Described::example()),
        }
    }
}

/// The rows of a request, each read or with what is wrong with it.
pub struct Rows {
    rows: Vec<Result<WantedMerchant, Error>>,
    raw: Bytes,
}

impl<'a> ApiExtractor<'a> for Rows {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Sent::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let csv = MetaSchema { description: Some(CSV), ..MetaSchema::new("string") };
        let content = vec![
            MetaMediaType { content_type: "application/json", schema: Sent::schema_ref() },
            MetaMediaType { content_type: "text/csv", schema: MetaSchemaRef::Inline(Box::new(csv)) },
        ];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind =
            content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_lowercase();
        let schemas: &Arc<Schemas> = request.data().expect("every route of /v1 is given the schemas");
        let read = match kind.as_str() {
            "application/json" => json_rows,
            "text/csv" => csv_rows,
            _ => return Err(Error::ContentType("application/json or text/csv").into()),
        };
        let raw = body.take()?.into_bytes().await?;
        let rows = read(&raw)?;
        if !(1..=MAX_ROWS).contains(&rows.len()) {
            return Err(Error::invalid("/rows", format!("must have 1 to {MAX_ROWS} entries")).into());
        }
        let rows = rows.into_iter().map(|row| wanted(schemas, row)).collect();
        Ok(Self { rows, raw })
    }
}

fn json_rows(raw: &[u8]) -> Result<Vec<Value>, Error> {
    let mut sent = Schemas::json(raw)?;
    let fields = sent.as_object().into_iter().flat_map(Map::keys).filter(|name| *name != "rows");
    let unknown = fields.map(|name| FieldProblem::body(&format!("/{name}"), "there is no such field"));
    let unknown: Vec<FieldProblem> = unknown.collect();
    if !unknown.is_empty() {
        return Err(Error::Invalid(unknown));
    }
    match sent["rows"].take() {
        Value::Array(rows) => Ok(rows),
        Value::Null => Err(Error::invalid("/rows", "is required")),
        _ => Err(Error::invalid("/rows", "must be of type array")),
    }
}

fn csv_rows(raw: &[u8]) -> Result<Vec<Value>, Error> {
    let unreadable = |error: csv::Error| Error::NotCsv(error.to_string());
    // A spreadsheet's mark of UTF-8 is no part of the first column's name.
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(raw);
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut pointers = Vec::new();
    for name in &header {
        let known = COLUMNS.iter().find(|(column, _)| *column == name);
        let Some((column, pointer)) = known else {
            return Err(Error::NotCsv(format!("there is no column {name:?}")));
        };
        if pointers.contains(&(column, pointer)) {
            return Err(Error::NotCsv(format!("the column {name:?} is there twice")));
        }
        pointers.push((column, pointer));
    }
    let mut rows = Vec::new();
    for record in reader.records().take(MAX_ROWS + 1) {
        let record = record.map_err(unreadable)?;
        let mut row = json!({});
        for ((_, pointer), cell) in pointers.iter().zip(&record).filter(|(_, cell)| !str::is_empty(cell)) {
            put(&mut row, pointer, cell);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Put a cell where its pointer says.
fn put(row: &mut Value, pointer: &str, cell: &str) {
    let mut at = row;
    for step in pointer.split('/').skip(1) {
        at = &mut at[step];
    }
    *at = match pointer {
        "/store/wallets" => cell.split_ascii_whitespace().collect(),
        _ => cell.into(),
    };
}

fn wanted(schemas: &Schemas, row: Value) -> Result<WantedMerchant, Error> {
    schemas.check::<Row>(&row).map_err(Error::Invalid)?;
    let row = Row::parse_from_json(Some(row)).map_err(|error| Error::invalid("", error.into_message()))?;
    let store = row.store.as_ref().map(|store| store.wanted("/store")).transpose()?;
    Ok(WantedMerchant { name: row.name, reference: row.reference, store })
}

impl RowResult {
    fn made(row: i64, caller: &Caller, made: &Onboarded) -> Self {
        Self {
            row,
            status: RowStatus::Created,
            merchant: Some(Merchant::from(&made.merchant)),
            sign_key: Some(ShownSecret::new(&made.key.id, &made.sign_key)),
            store: made.store.as_ref().map(|store| Store::shown_to(caller, &store.row)),
            problem: None,
        }
    }

    fn refused(row: i64, error: &Error) -> Self {
        Self {
            row,
            status: RowStatus::Refused,
            merchant: None,
            sign_key: None,
            store: None,
            problem: Some(Problem::of(error)),
        }
    }

    fn repeated(self) -> Self {
        let made = self.merchant.as_ref().zip(self.sign_key.as_ref());
        let sign_key = made.map(|(merchant, key)| {
            let instead = format!("POST /v1/merchants/{}/sign-keys makes a new one.", merchant.id);
            key.repeated(merchant.created_at.unix_ms, &instead)
        });
        Self { sign_key, ..self }
    }
}

impl Onboarding {
    fn of(results: Vec<RowResult>) -> Self {
        let created = results.iter().filter(|result| result.status == RowStatus::Created).count();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Self { created: count(created), refused: count(results.len() - created), results }
    }
}

pub struct OnboardingApi;

#[OpenApi(tag = "Group::Merchants")]
impl OnboardingApi {
    /// Onboard many merchants
    ///
    /// Up to 1,000 merchants, each perhaps with its first store, from JSON or CSV. Each row is made whole or not at
    /// all, and has its own result; the answer is 200 whatever became of them. Sent again with the same
    /// `Idempotency-Key` after a lost answer, rows that were made are not made again.
    #[oai(path = "/v1/onboarding", method = "post", operation_id = "onboardMerchants")]
    async fn onboard(
        &self,
        app: Data<&Arc<App>>,
        #[oai(scope = "Scope::MerchantsWrite")] caller: Caller,
        #[oai(name = "Idempotency-Key")] once: Once,
        body: Rows,
    ) -> Result<Changed<Onboarding>, ChangeError> {
        for scope in [Scope::MerchantsWrite, Scope::StoresWrite, Scope::AccountsWrite] {
            caller.may(scope)?;
        }
        let mut results = Vec::new();
        for (number, rows) in body.rows.chunks(PART).enumerate() {
            let first = number * PART + 1;
            match part(app.0, &caller, once.part(number), &body.raw, first, rows).await {
                Ok(mut part) => results.append(&mut part),
                Err(error @ (Error::KeyReused | Error::KeyRunning)) => return Err(error.into()),
                // The rows before are made: their results must not be lost.
                Err(error) => results.extend((first..).zip(rows).map(|(row, _)| {
                    RowResult::refused(i64::try_from(row).unwrap_or(i64::MAX), &error)
                        .to_json()
                        .unwrap_or_default()
                })),
            }
        }
        Ok(summed(&results).into())
    }
}

/// One part of the rows as one change; its results as JSON.
async fn part(
    app: &Arc<App>,
    caller: &Caller,
    once: Once,
    raw: &Bytes,
    first: usize,
    rows: &[Result<WantedMerchant, Error>],
) -> Result<Vec<Value>, Error> {
    let plan = || async {
        let good: Vec<&WantedMerchant> = rows.iter().filter_map(|row| row.as_ref().ok()).collect();
        let (plan, made) = onboarding::plan(app, caller, &good).await?;
        let mut made = made.iter();
        let results = rows.iter().zip(first..).map(|(row, number)| {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            match row.as_ref().map(|_| made.next()) {
                Ok(Some(Ok(made))) => RowResult::made(number, caller, made),
                Ok(Some(Err(error))) | Err(error) => RowResult::refused(number, error),
                Ok(None) => unreachable!("every good row has an outcome"),
            }
        });
        let answer = Onboarding::of(results.collect());
        let repeat = Onboarding::of(answer.results.iter().cloned().map(RowResult::repeated).collect());
        Ok(Planned::changed(plan, answer).repeated_as(repeat))
    };
    let answer = change(app, caller, once, raw, plan).await?;
    let mut answer: Value =
        serde_json::from_str(&answer.body).map_err(|error| Error::Failed(error.into()))?;
    match answer["results"].take() {
        Value::Array(results) => Ok(results),
        _ => Err(Error::Failed(anyhow::anyhow!("a part of an onboarding was kept without results"))),
    }
}

fn summed(results: &[Value]) -> Answer {
    let created = results.iter().filter(|result| result["status"] == "created").count();
    let answer = json!({ "created": created, "refused": results.len() - created, "results": results });
    Answer { status: http::StatusCode::OK, location: None, body: answer.to_string() }
}
