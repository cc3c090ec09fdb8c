//! The signed document around every body, for the contract: `docs/PROTOCOL.md`, Envelope.

use poem_openapi::Object;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef,
};
use poem_openapi::types::{Example, ParseFromJSON, ToJSON, Type};
use shared::signature;

use super::{answer, text};

/// The examples in the contract are really signed, with this key over their compact form.
const EXAMPLE_KEY: &str = "123456";

/// A signed request.
#[derive(Object, Debug)]
#[oai(example)]
pub struct RequestEnvelope<T: ParseFromJSON + ToJSON + Example> {
    /// What is signed: exactly the bytes of this value as sent.
    pub request: RequestContent<T>,
    /// `String(64)`, required. Lower-case hex of SHA-256 over the bytes of `request`'s value followed by the
    /// sign key.
    #[oai(validator(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$"))]
    pub signature: String,
}

/// The signed part of a request.
#[derive(Object, Debug)]
pub struct RequestContent<T: ParseFromJSON + ToJSON + Example> {
    pub header: RequestHeader,
    pub body: T,
}

/// Who asks, and when. One of `reqTime` and `requestTime` is needed.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct RequestHeader {
    /// `String(6)`, required. The protocol's version, `1.0`.
    #[oai(validator(min_length = 1, max_length = 6))]
    pub version: String,
    /// `String(15)`, required. The merchant's number.
    #[oai(validator(min_length = 1, max_length = 15))]
    pub partner_no: String,
    /// `String(64)`, optional. The request's own number. Where it is not empty it may come again only with
    /// exactly the same bytes.
    #[oai(validator(max_length = 64))]
    pub req_msg_id: Option<String>,
    /// `String(25)`, required without `requestTime`. The sender's time, RFC 3339 with offset; it may differ
    /// from the gateway's by 15 minutes, unless the merchant has agreed on something else.
    #[oai(validator(max_length = 25))]
    pub req_time: Option<String>,
    /// `String(25)`, required without `reqTime`. The same under its other name.
    #[oai(validator(max_length = 25))]
    pub request_time: Option<String>,
    /// `String(10)`, optional. How the request is signed; `SHA256`, which is the default.
    #[oai(validator(max_length = 10))]
    pub sign_type: Option<String>,
}

/// A signed answer, or a notification.
#[derive(Object, Debug)]
#[oai(example)]
pub struct ResponseEnvelope<T: ParseFromJSON + ToJSON + Example> {
    /// What is signed: exactly the bytes of this value as sent.
    pub response: ResponseContent<T>,
    /// `String(64)`, always there. Lower-case hex of SHA-256 over the bytes of `response`'s value followed by
    /// the sign key. Always the last member.
    #[oai(validator(min_length = 64, max_length = 64, pattern = "^[0-9a-f]{64}$"))]
    pub signature: String,
}

/// The signed part of an answer.
#[derive(Object, Debug)]
pub struct ResponseContent<T: ParseFromJSON + ToJSON + Example> {
    pub header: ResponseHeader,
    pub body: T,
}

/// Whom the answer is for, and when it was given.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example)]
pub struct ResponseHeader {
    /// `String(6)`, always there. The protocol's version, `1.0`.
    #[oai(validator(max_length = 6))]
    pub version: String,
    /// `String(15)`, always there. The merchant's number.
    #[oai(validator(max_length = 15))]
    pub partner_no: String,
    /// `String(64)`, always there. The answer's own number.
    #[oai(validator(max_length = 64))]
    pub resp_msg_id: String,
    /// `String(64)`, always there. The same under its other name.
    #[oai(validator(max_length = 64))]
    pub req_msg_id: String,
    /// `String(25)`, always there. The gateway's time, RFC 3339 with offset.
    #[oai(validator(max_length = 25))]
    pub resp_time: String,
    /// `String(10)`, always there. `SHA256`.
    #[oai(validator(max_length = 10))]
    pub sign_type: String,
}

impl<T: ParseFromJSON + ToJSON + Example> RequestEnvelope<T> {
    /// The contract's request body of an operation that takes `T`.
    pub fn request_meta() -> MetaRequest {
        MetaRequest { description: Some(text::REQUEST), content: vec![json::<Self>()], required: true }
    }
}

impl<T: ParseFromJSON + ToJSON + Example> ResponseEnvelope<T> {
    /// The contract's answers of an operation that answers with `T`.
    pub fn responses_meta() -> MetaResponses {
        let answered = MetaResponse {
            headers: vec![rate_limit(), rate_limit_policy(), retry_after()],
            ..answer(Some(200), text::ANSWERED, vec![json::<Self>()])
        };
        MetaResponses { responses: vec![answered, answer(None, text::UNANSWERED, Vec::new())] }
    }
}

fn json<T: Type>() -> MetaMediaType {
    MetaMediaType { content_type: "application/json", schema: T::schema_ref() }
}

fn rate_limit() -> MetaHeader {
    let example = r#""merchant";r=199;t=1, "store";r=99;t=1"#;
    let description = "To a verified caller: how much of each limit is left (`r`) and in how many seconds it is \
whole again (`t`). With code 9: the limit that was reached. IETF draft ratelimit-headers-10.";
    text_header("RateLimit", description, example)
}

fn rate_limit_policy() -> MetaHeader {
    let example = r#""merchant";q=200;w=1, "store";q=100;w=1"#;
    let description = "The limits that `RateLimit` names: so many at once (`q`), all of them new again after so \
many seconds (`w`).";
    text_header("RateLimit-Policy", description, example)
}

fn text_header(name: &str, description: &str, example: &str) -> MetaHeader {
    let text = MetaSchema { example: Some(example.into()), ..MetaSchema::new("string") };
    MetaHeader {
        name: name.into(),
        description: Some(description.into()),
        required: false,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(text)),
    }
}

fn retry_after() -> MetaHeader {
    let seconds = MetaSchema { minimum: Some(0.0), example: Some(2.into()), ..MetaSchema::new("integer") };
    MetaHeader {
        name: "Retry-After".into(),
        description: Some("With code 9: how many seconds to wait before the next try.".into()),
        required: false,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(seconds)),
    }
}

impl<T: ParseFromJSON + ToJSON + Example> Example for RequestEnvelope<T> {
    fn example() -> Self {
        let request = RequestContent { header: RequestHeader::example(), body: T::example() };
        Self { signature: signature::sign(&request.to_json_string(), EXAMPLE_KEY), request }
    }
}

impl<T: ParseFromJSON + ToJSON + Example> Example for ResponseEnvelope<T> {
    fn example() -> Self {
        let response = ResponseContent { header: ResponseHeader::example(), body: T::example() };
        Self { signature: signature::sign(&response.to_json_string(), EXAMPLE_KEY), response }
    }
}

impl Example for RequestHeader {
    fn example() -> Self {
        Self {
            version: "1.0".into(),
            partner_no: "10001".into(),
            req_msg_id: Some("fd03f269-3180-4575-8af0-8f6cf324fb0f".into()),
            req_time: Some("2018-07-25T18:06:05+08:00".into()),
            request_time: None,
            sign_type: Some("SHA256".into()),
        }
    }
}

impl Example for ResponseHeader {
    fn example() -> Self {
        Self {
            version: "1.0".into(),
            partner_no: "10001".into(),
            resp_msg_id: "01CK8WVB60M5T2Z9X4R7Q3N1HD".into(),
            req_msg_id: "01CK8WVB60M5T2Z9X4R7Q3N1HD".into(),
            resp_time: "2018-07-25T18:06:12+08:00".into(),
            sign_type: "SHA256".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::envelope::{Envelope, Side};

    use super::*;
    use crate::api::scanforpay::{OrderState, PayQuery, PlaceQrcode, Placed};

    fn assert_verifies(example: &impl ToJSON, side: Side) {
        let text = example.to_json_string();
        let envelope = Envelope::read(text.as_bytes(), side).expect("an example is an envelope");
        assert!(envelope.verifies(EXAMPLE_KEY), "{text}");
    }

    #[test]
    fn the_examples_are_signed_with_the_key_the_introduction_names() {
        assert_verifies(&RequestEnvelope::<PlaceQrcode>::example(), Side::Request);
        assert_verifies(&RequestEnvelope::<PayQuery>::example(), Side::Request);
        assert_verifies(&ResponseEnvelope::<Placed>::example(), Side::Response);
        assert_verifies(&ResponseEnvelope::<OrderState>::example(), Side::Response);
        assert!(text::INTRODUCTION.contains(&format!("sign key `{EXAMPLE_KEY}`")));
    }

    #[test]
    fn the_header_examples_spell_the_keys_as_the_wire_does() {
        let keys = |header: &dyn Fn() -> Option<serde_json::Value>| match header() {
            Some(serde_json::Value::Object(header)) => header.keys().cloned().collect::<Vec<_>>(),
            other => panic!("a header is an object, not {other:?}"),
        };
        assert_eq!(
            keys(&|| RequestHeader::example().to_json()),
            ["version", "partnerNo", "reqMsgId", "reqTime", "signType"]
        );
        assert_eq!(
            keys(&|| ResponseHeader::example().to_json()),
            ["version", "partnerNo", "respMsgId", "reqMsgId", "respTime", "signType"]
        );
    }
}
