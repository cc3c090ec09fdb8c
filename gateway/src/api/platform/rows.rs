//! Requests of many rows, read from JSON or CSV. A row that is wrong is told in its result and spoils no other.

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value, json};

use crate::api::rest::Schemas;
use crate::error::{Error, FieldProblem};

/// A row, and how it is written.
pub trait Row: ParseFromJSON + Send + Sync + 'static {
    /// The request as JSON, with all `rows`.
    type Sent: Type;
    /// What is made of a row.
    type Wanted: Send;
    /// The columns of a CSV file, each with the field it fills.
    const COLUMNS: &'static [(&'static str, &'static str)];
    /// What a CSV file has to look like, for people.
    const CSV: &'static str;
    /// Rows of one request at most.
    const MOST: usize;

    /// A cell as a field's value.
    fn cell(pointer: &str, cell: &str) -> Value;
    fn wanted(self) -> Result<Self::Wanted, Error>;
}

/// The rows of a request, each read or with what is wrong with it.
pub struct Rows<R: Row> {
    pub read: Vec<Result<R::Wanted, Error>>,
    /// As it was sent.
    pub raw: Bytes,
}

impl<'a, R: Row> ApiExtractor<'a> for Rows<R> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        R::Sent::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let csv = MetaSchema { description: Some(R::CSV), ..MetaSchema::new("string") };
        let content = vec![
            MetaMediaType { content_type: "application/json", schema: R::Sent::schema_ref() },
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
            "text/csv" => csv_rows::<R>,
            _ => return Err(Error::ContentType("application/json or text/csv").into()),
        };
        let raw = body.take()?.into_bytes().await?;
        let rows = read(&raw)?;
        if !(1..=R::MOST).contains(&rows.len()) {
            return Err(Error::invalid("/rows", format!("must have 1 to {} entries", R::MOST)).into());
        }
        let rows = rows.into_iter().map(|row| wanted::<R>(schemas, row)).collect();
        Ok(Self { read: rows, raw })
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

fn csv_rows<R: Row>(raw: &[u8]) -> Result<Vec<Value>, Error> {
    let unreadable = |error: csv::Error| Error::NotCsv(error.to_string());
    // A spreadsheet's mark of UTF-8 is no part of the first column's name.
    let raw = raw.strip_prefix(b"\xef\xbb\xbf").unwrap_or(raw);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(raw);
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut pointers = Vec::new();
    for name in &header {
        let known = R::COLUMNS.iter().find(|(column, _)| *column == name);
        let Some((column, pointer)) = known else {
            return Err(Error::NotCsv(format!("there is no column {name:?}")));
        };
        if pointers.contains(&(column, pointer)) {
            return Err(Error::NotCsv(format!("the column {name:?} is there twice")));
        }
        pointers.push((column, pointer));
    }
    let mut rows = Vec::new();
    for record in reader.records().take(R::MOST + 1) {
        let record = record.map_err(unreadable)?;
        let mut row = json!({});
        for ((_, pointer), cell) in pointers.iter().zip(&record).filter(|(_, cell)| !str::is_empty(cell)) {
            put(&mut row, pointer, R::cell(pointer, cell));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Put a cell where its pointer says.
fn put(row: &mut Value, pointer: &str, value: Value) {
    let mut at = row;
    for step in pointer.split('/').skip(1) {
        at = &mut at[step];
    }
    *at = value;
}

fn wanted<R: Row>(schemas: &Schemas, row: Value) -> Result<R::Wanted, Error> {
    schemas.check::<R>(&row).map_err(Error::Invalid)?;
    let row = R::parse_from_json(Some(row)).map_err(|error| Error::invalid("", error.into_message()))?;
    row.wanted()
}
