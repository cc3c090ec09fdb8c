//! Answers that succeed: what was found, what was changed, what was made.

use std::marker::PhantomData;

use http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};

const JSON: &str = "application/json";

/// A finished answer of a change.
pub struct Answer {
    pub status: StatusCode,
    pub location: Option<String>,
    /// JSON.
    pub body: String,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status).content_type(JSON).body(self.body);
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// What was asked for.
pub struct Found<T>(pub T);

impl<T: ToJSON + Send> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        Response::builder().content_type(JSON).body(self.0.to_json_string())
    }
}

impl<T: Type> ApiResponse for Found<T> {
    fn meta() -> MetaResponses {
        answer::<T>(200, "As it stands.", Vec::new())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// The answer to a change of what was there: a `T`.
pub struct Changed<T>(Answer, PhantomData<T>);

/// The answer to the making of a `T`, with its `Location`.
pub struct Created<T>(Answer, PhantomData<T>);

impl<T> From<Answer> for Changed<T> {
    fn from(answer: Answer) -> Self {
        Self(answer, PhantomData)
    }
}

impl<T> From<Answer> for Created<T> {
    fn from(answer: Answer) -> Self {
        Self(answer, PhantomData)
    }
}

impl<T: ToJSON> Created<T> {
    /// `made`, which is from now on at `location`.
    pub fn at(location: String, made: &T) -> Self {
        let body = made.to_json_string();
        Answer { status: StatusCode::CREATED, location: Some(location), body }.into()
    }
}

impl<T: Send> IntoResponse for Changed<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: Send> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl<T: Type> ApiResponse for Changed<T> {
    fn meta() -> MetaResponses {
        answer::<T>(200, "Changed; as it stands now.", Vec::new())
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        located::<T>(&[(201, "Made.")])
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

fn answer<T: Type>(status: u16, description: &'static str, headers: Vec<MetaHeader>) -> MetaResponses {
    MetaResponses { responses: vec![response::<T>(status, description, headers)] }
}

/// What the contract says of answers that are a `T` and name its `Location`: status, and when.
pub fn located<T: Type>(answers: &[(u16, &'static str)]) -> MetaResponses {
    let location = || MetaHeader {
        name: "Location".into(),
        description: Some("Where it is.".into()),
        required: true,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
    };
    let responses =
        answers.iter().map(|(status, description)| response::<T>(*status, description, vec![location()]));
    MetaResponses { responses: responses.collect() }
}

fn response<T: Type>(status: u16, description: &'static str, headers: Vec<MetaHeader>) -> MetaResponse {
    let content = vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers }
}

/// Where the one of this number is, below `collection`. Any text may be a number: what a path may not hold is escaped.
pub fn location(collection: &str, number: &str) -> String {
    let mut url = url::Url::parse("http://h").expect("is a URL");
    url.set_path(collection);
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(number);
    }
    url.path().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_path_whatever_the_number() {
        assert_eq!(location("/v1/orders", "p1"), "/v1/orders/p1");
        assert_eq!(location("/v1/orders", "a/b ?咖#%"), "/v1/orders/a%2Fb%20%3F%E5%92%96%23%25");
    }
}
