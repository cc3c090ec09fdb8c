//! A request's JSON body, held against the very schema that the contract publishes for it, so that the two cannot
//! drift apart. Everything that is wrong is told at once, with JSON pointers, and no value is repeated: it may be a
//! secret.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header;
use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::types::JsonType;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Value, json};
use shared::json::Object;

use crate::contract;
use crate::error::{Error, FieldProblem};

const JSON: &str = "application/json";
/// Below this every integer has a float of its own: 2^53.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// A body that keeps to the schema of `T`.
pub struct Body<T> {
    pub value: T,
    /// As it was sent.
    pub raw: Bytes,
}

impl<'a, T: ParseFromJSON + Send> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let schemas: &Arc<Schemas> = request.data().expect("every route of /v1 is given the schemas");
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let is_json = content_type.and_then(|value| value.to_str().ok()).is_some_and(is_json);
        if !is_json && content_type.is_some() {
            return Err(Error::ContentType(JSON).into());
        }
        let raw = body.take()?.into_bytes().await?;
        // Who has nothing to say may say nothing, where nothing is required.
        if !is_json && raw.is_empty() && schemas.check::<T>(&json!({})).is_ok() {
            return Ok(Self { value: schemas.read::<T>(b"{}")?, raw });
        }
        if !is_json {
            return Err(Error::ContentType(JSON).into());
        }
        Ok(Self { value: schemas.read::<T>(&raw)?, raw })
    }
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON))
}

/// The contract's schemas of request bodies, ready to hold bodies against.
pub struct Schemas(HashMap<String, Validator>);

impl Schemas {
    /// Those of `/v1` that the document's operations take as JSON, and those within them.
    pub fn of(document: &Value) -> Self {
        let validators = contract::bodies(document).into_iter().map(|name| {
            let reference = format!("#/components/schemas/{name}");
            let schema = json!({ "$ref": reference, "components": document["components"] });
            let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
            let validator = validator.expect("the contract's schemas are schemas");
            (name, validator)
        });
        Self(validators.collect())
    }

    /// JSON text as a value. Twice the same key, or nesting without end, is not for `serde_json` to judge.
    pub fn json(raw: &[u8]) -> Result<Value, Error> {
        Object::parse(raw).map_err(|error| Error::NotJson(error.to_string()))?;
        let mut value = serde_json::from_slice(raw).map_err(|error| Error::NotJson(error.to_string()))?;
        spell_integers(&mut value);
        Ok(value)
    }

    /// A `T` from JSON text that keeps to its schema.
    pub fn read<T: ParseFromJSON>(&self, raw: &[u8]) -> Result<T, Error> {
        let value = Self::json(raw)?;
        self.check::<T>(&value).map_err(Error::Invalid)?;
        T::parse_from_json(Some(value)).map_err(|error| Error::invalid("", error.into_message()))
    }

    /// What is wrong with a value that is to become a `T`.
    pub fn check<T: Type>(&self, value: &Value) -> Result<(), Vec<FieldProblem>> {
        let validator = &self.0[&*T::name()];
        let problems: Vec<FieldProblem> = validator.iter_errors(value).flat_map(|e| problems(&e)).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

/// `2.0` is an integer to JSON Schema and none to serde: from here on it is `2`.
fn spell_integers(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT_INTEGERS);
            if let Some(integer) = float.and_then(|float| format!("{float:.0}").parse::<i64>().ok()) {
                *value = integer.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_integers),
        Value::Object(members) => members.values_mut().for_each(spell_integers),
        _ => {}
    }
}

fn problems(error: &jsonschema::ValidationError<'_>) -> Vec<FieldProblem> {
    let at = error.instance_path().as_str();
    let below = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    let detail = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let unknown =
                unexpected.iter().map(|name| FieldProblem::body(&below(name), "there is no such field"));
            return unknown.collect();
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            return vec![FieldProblem::body(&below(name), "is required")];
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(kinds) } => {
            format!(
                "must be of type {}",
                kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(" or ")
            )
        }
        ValidationErrorKind::Enum { options } => format!("must be one of {}", listed(options)),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} entries"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} entries"),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::Pattern { pattern } => format!("must match {pattern}"),
        // What may be null: what is wrong is told of what it is if it is not null.
        ValidationErrorKind::AnyOf { context } => {
            let is_null = |errors: &&Vec<jsonschema::ValidationError<'_>>| {
                matches!(errors.as_slice(), [error]
                    if matches!(error.kind(), ValidationErrorKind::Type { kind: TypeKind::Single(JsonType::Null) }))
            };
            let told: Vec<FieldProblem> =
                context.iter().filter(|errors| !is_null(errors)).flatten().flat_map(problems).collect();
            if !told.is_empty() {
                return told;
            }
            error.masked_with("the value").to_string()
        }
        ValidationErrorKind::Format { format } if format == "date-time" => {
            "must be a time as RFC 3339 has it, such as 2026-01-31T08:00:00Z".to_owned()
        }
        ValidationErrorKind::UniqueItems => "must have no entry twice".to_owned(),
        _ => error.masked_with("the value").to_string(),
    };
    vec![FieldProblem::body(at, detail)]
}

fn listed(options: &Value) -> String {
    let names = options.as_array().into_iter().flatten().map(|option| match option {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use poem_openapi::Object;

    use super::*;
    use crate::error::Place;

    #[derive(Object, Debug)]
    #[oai(rename_all = "camelCase")]
    struct Sample {
        name: String,
        count: Option<i64>,
    }

    fn schemas() -> Schemas {
        Schemas::of(&json!({
            "paths": { "/v1/samples": { "post": { "requestBody": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Sample" } } } } } } },
            "components": { "schemas": { "Sample": {
                "type": "object", "required": ["name"], "additionalProperties": false,
                "properties": { "name": { "type": "string", "maxLength": 3 }, "count": { "type": "integer", "minimum": 1 } },
            } } },
        }))
    }

    fn told(body: &str) -> Vec<(String, String)> {
        match schemas().read::<Sample>(body.as_bytes()) {
            Err(Error::Invalid(fields)) => fields
                .into_iter()
                .map(|field| match field.place {
                    Place::Body(pointer) => (pointer, field.detail),
                    Place::Parameter(name) => panic!("{name} is no field"),
                })
                .collect(),
            other => panic!("{other:?}"),
        }
    }

    fn pair(pointer: &str, detail: &str) -> (String, String) {
        (pointer.to_owned(), detail.to_owned())
    }

    #[test]
    fn a_body_that_keeps_to_its_schema_is_read() {
        let sample = schemas().read::<Sample>(br#"{"name":"abc","count":1}"#).expect("is read");
        assert_eq!((sample.name.as_str(), sample.count), ("abc", Some(1)));
    }

    #[test]
    fn an_integer_is_one_however_it_is_spelled() {
        for (spelled, integer) in [("1.0", 1), ("12e1", 120), ("9007199254740991.0", 9_007_199_254_740_991)] {
            let body = format!(r#"{{"name":"abc","count":{spelled}}}"#);
            let sample = schemas().read::<Sample>(body.as_bytes()).expect("is read");
            assert_eq!(sample.count, Some(integer), "{spelled}");
        }
        assert_eq!(told(r#"{"name":"abc","count":1.5}"#), [pair("/count", "must be of type integer")]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_no_value_is_repeated() {
        let mut all = told(r#"{"name":"secret","count":0,"a/b":"secret"}"#);
        all.sort();
        assert_eq!(
            all,
            [
                pair("/a~1b", "there is no such field"),
                pair("/count", "must be at least 1"),
                pair("/name", "must have at most 3 characters"),
            ]
        );
        assert_eq!(told("{}"), [pair("/name", "is required")]);
        assert_eq!(told(r#"{"name":null}"#), [pair("/name", "must be of type string")]);
    }

    #[test]
    fn a_text_that_two_readers_would_read_differently_is_not_json() {
        for body in ["", "[]", r#"{"name":"a","name":"b"}"#, "{\"name\":\"\u{7f}", r#"{"name":"a"}x"#] {
            assert!(matches!(schemas().read::<Sample>(body.as_bytes()), Err(Error::NotJson(_))), "{body}");
        }
    }

    #[test]
    fn json_is_told_by_its_content_type_whatever_its_parameters() {
        assert!(is_json("application/json") && is_json("Application/JSON; charset=utf-8"));
        assert!(!is_json("application/json-patch+json") && !is_json("text/json"));
    }
}
