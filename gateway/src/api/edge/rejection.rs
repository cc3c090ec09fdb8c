//! What is refused without a handler's doing, and the RFC 9457 document that says so.

use http::{HeaderValue, StatusCode, header};
use poem::Response;
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    /// The body is larger than allowed.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The request is not what the route reads.
    Unreadable,
    /// Refused with another status of the 400s.
    Refused(StatusCode),
    Busy,
    /// No answer in time. What the request began may still go on.
    OutOfTime,
    Panic,
    /// Any other failure of our own.
    Failed,
}

impl From<StatusCode> for Rejection {
    fn from(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::REQUEST_TIMEOUT => Self::TooSlow,
            StatusCode::BAD_REQUEST => Self::Unreadable,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Self::Busy,
            StatusCode::GATEWAY_TIMEOUT => Self::OutOfTime,
            status if status.is_client_error() => Self::Refused(status),
            _ => Self::Failed,
        }
    }
}

impl Rejection {
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Refused(status) => status,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::OutOfTime => StatusCode::GATEWAY_TIMEOUT,
            Self::Panic | Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Unreadable => "unreadable",
            Self::Refused(StatusCode::UNAUTHORIZED) => "unauthorized",
            Self::Refused(StatusCode::FORBIDDEN) => "forbidden",
            Self::Refused(_) => "refused",
            Self::Busy => "busy",
            Self::OutOfTime => "out_of_time",
            Self::Panic | Self::Failed => "internal",
        }
    }

    /// For people. Tells nothing about the inside.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this path.",
            Self::MethodNotAllowed => "This path does not take this method.",
            Self::UnsupportedMediaType => "This path does not take this content type.",
            Self::TooLarge => "The body is too large.",
            Self::TooSlow => "The body did not arrive in time.",
            Self::Unreadable => "The request cannot be read.",
            Self::Refused(_) => "The request is refused.",
            Self::Busy => "The gateway is busy. Try again in a moment.",
            Self::OutOfTime => {
                "There was no answer in time. The request may still take effect: ask for its result before repeating it."
            }
            Self::Panic | Self::Failed => {
                "The gateway has failed. The request may have taken effect: ask for its result before repeating it."
            }
        }
    }

    /// The document for this; `detail`, where there is one, says more than the usual text.
    pub fn problem(self, detail: Option<String>) -> Response {
        let detail = match self {
            Self::Unreadable | Self::Refused(_) | Self::UnsupportedMediaType => detail,
            _ => None,
        };
        let mut response = problem(self.status(), self.code(), detail.as_deref().unwrap_or(self.text()));
        if self == Self::Busy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// What an RFC 9457 document calls its kind; stable.
pub fn problem_type(code: &str) -> String {
    format!("urn:scangate:problem:{code}")
}

/// An RFC 9457 document. `code` is for programs, `detail` for people.
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let document = json!({
        "type": problem_type(code),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    as_problem(status, &document)
}

/// The same for a parameter of a REST API: which, and what is wrong with it.
pub fn wrong_parameter(name: &str, detail: &str) -> Response {
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let document = json!({
        "type": problem_type("invalid"),
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": "invalid",
        "detail": "The request has fields that are wrong.",
        "errors": [{ "parameter": name, "detail": detail }],
    });
    as_problem(status, &document)
}

fn as_problem(status: StatusCode, document: &serde_json::Value) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/problem+json")
        .body(document.to_string())
}
