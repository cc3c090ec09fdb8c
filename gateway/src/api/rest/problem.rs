//! Errors as RFC 9457 documents, and what the contract says of them.

use http::{HeaderValue, header};
use poem::Response;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Object};

use crate::api::edge::{Remark, problem_type};
use crate::error::{Error, Place, whole_seconds};

/// What went wrong, as RFC 9457 has it.
#[derive(Object, Debug, Clone)]
#[oai(skip_serializing_if_is_none)]
pub struct Problem {
    /// Stable for each `code`: `urn:scangate:problem:` and the code.
    #[oai(rename = "type")]
    pub kind: String,
    pub title: String,
    /// The HTTP status.
    #[oai(validator(minimum(value = "400"), maximum(value = "599")))]
    pub status: i32,
    /// For programs. Stable.
    pub code: String,
    /// For people.
    pub detail: String,
    /// With code `invalid`: every field that is wrong.
    pub errors: Option<Vec<WrongField>>,
}

/// A field that is wrong.
#[derive(Object, Debug, Clone)]
#[oai(skip_serializing_if_is_none)]
pub struct WrongField {
    /// JSON pointer into the body.
    pub pointer: Option<String>,
    /// The parameter or header.
    pub parameter: Option<String>,
    pub detail: String,
}

impl Problem {
    pub fn of(error: &Error) -> Self {
        let wrong = |place: &Place, detail: String| match place {
            Place::Body(pointer) => WrongField { pointer: Some(pointer.clone()), parameter: None, detail },
            Place::Parameter(name) => {
                WrongField { pointer: None, parameter: Some((*name).to_owned()), detail }
            }
        };
        let errors = match error {
            Error::Invalid(fields) => {
                Some(fields.iter().map(|field| wrong(&field.place, field.detail.clone())).collect())
            }
            Error::Conflict { pointer: Some(pointer), .. } => {
                Some(vec![wrong(&Place::Body(pointer.clone()), error.detail())])
            }
            _ => None,
        };
        let status = error.status();
        Self {
            kind: problem_type(error.code()),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16().into(),
            code: error.code().to_owned(),
            detail: error.detail(),
            errors,
        }
    }
}

impl From<Error> for poem::Error {
    fn from(error: Error) -> Self {
        let mut response = Response::builder()
            .status(error.status())
            .header(header::CONTENT_TYPE, "application/problem+json")
            .body(Problem::of(&error).to_json_string());
        let headers = response.headers_mut();
        match error {
            Error::Unauthorized(_) | Error::LoginRefused => {
                headers
                    .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"scangate\""));
            }
            Error::Limited(refusal) => refusal.put(headers),
            Error::Busy | Error::InDoubt | Error::KeyRunning => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Error::TooManyFailures(wait) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
            }
            _ => {}
        }
        let mut told = Self::from_response(response);
        if let Error::Unauthorized(reason) = &error {
            told.set_data(Remark::refusal(&reason.to_string()));
        } else if error.status().is_server_error() {
            told.set_data(Remark::failure(None, &error));
        }
        told
    }
}

/// The answers of an operation that only looks.
impl ApiResponse for Error {
    fn meta() -> MetaResponses {
        let told = [
            (400, "A parameter cannot be read."),
            (401, "The credential is missing or not good. All reasons are told alike."),
            (403, "The credential is good, but not for this."),
            (404, "There is nothing of this id, or it is not the caller's."),
            (422, "A parameter is wrong; `errors` says which and why."),
        ];
        responses(&told)
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

/// [`Error`], of an operation that changes something.
pub struct ChangeError(Error);

impl<E: Into<Error>> From<E> for ChangeError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<ChangeError> for poem::Error {
    fn from(ChangeError(error): ChangeError) -> Self {
        error.into()
    }
}

impl ApiResponse for ChangeError {
    fn meta() -> MetaResponses {
        let told = [
            (400, "The body is not JSON, or a parameter cannot be read."),
            (401, "The credential is missing or not good. All reasons are told alike."),
            (403, "The credential is good, but not for this."),
            (404, "There is nothing of this id, or it is not the caller's."),
            (
                409,
                "It cannot be done as things stand, or the request with this Idempotency-Key is running still.",
            ),
            (413, "The body is too large."),
            (415, "The body is not JSON by its content type."),
            (
                422,
                "Fields are wrong, each listed in `errors`; or the Idempotency-Key was used for another request.",
            ),
        ];
        responses(&told)
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

fn responses(told: &[(u16, &'static str)]) -> MetaResponses {
    let told = told.iter().map(|(status, description)| response(Some(*status), description));
    MetaResponses { responses: told.chain([any_other()]).collect() }
}

/// What may come of any call, such as 429 or 503.
pub fn any_other() -> MetaResponse {
    response(None, "Any other error.")
}

fn response(status: Option<u16>, description: &'static str) -> MetaResponse {
    let content =
        vec![MetaMediaType { content_type: "application/problem+json", schema: Problem::schema_ref() }];
    let headers = if status.is_none() { vec![retry_after()] } else { Vec::new() };
    MetaResponse { description, status, status_range: None, content, headers }
}

fn retry_after() -> MetaHeader {
    let seconds = MetaSchema { minimum: Some(0.0), ..MetaSchema::new("integer") };
    MetaHeader {
        name: "Retry-After".into(),
        description: Some("With 429 and 503: how many seconds to wait before the next try.".into()),
        required: false,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(seconds)),
    }
}
