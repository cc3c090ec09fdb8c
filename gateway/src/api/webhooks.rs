//! What the gateway sends, for the contract.

use poem_openapi::param::Header;
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaResponse, MetaResponses, MetaWebhook, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, Webhook};

use super::rest::Timestamp;
use super::scanforpay::{Group, PaymentNotification};
use crate::told::Event;

/// All of it. The derived ones are one for each method.
pub struct Webhooks;

impl Webhook for Webhooks {
    fn meta() -> Vec<MetaWebhook> {
        let all = [
            <&dyn PaymentNotification as Webhook>::meta(),
            <&dyn EventNotification as Webhook>::meta(),
            <&dyn EndpointChallenge as Webhook>::meta(),
        ];
        all.into_iter().flatten().collect()
    }

    fn register(registry: &mut Registry) {
        <&dyn PaymentNotification as Webhook>::register(registry);
        <&dyn EventNotification as Webhook>::register(registry);
        <&dyn EndpointChallenge as Webhook>::register(registry);
    }
}

/// An event to a registered endpoint.
#[Webhook]
pub trait EventNotification {
    /// Something was told
    ///
    /// Sent to registered endpoints in the format `standard-webhooks`, signed as Standard Webhooks 1.0 has it. Take it if
    /// one of the signatures verifies over the id, the timestamp and the body's bytes, with full stops between them, and if the
    /// timestamp is near. The id is the event's, the same at every attempt: what was seen before is a repeat.
    ///
    /// What counts as an acknowledgement is the endpoint's own setting; unless it says otherwise, a status from 200 to 299 within
    /// 10 seconds. Without one it comes again on the endpoint's schedule. `Retry-After` is honoured; after 410 nothing more is
    /// sent until the endpoint is resumed. Redirects are not followed.
    #[oai(
        name = "eventNotification",
        method = "post",
        operation_id = "eventNotification",
        tag = "Group::Notices"
    )]
    fn told(
        &self,
        /// The event's id.
        #[oai(name = "webhook-id")]
        id: Header<String>,
        /// When this attempt was signed, in Unix seconds.
        #[oai(name = "webhook-timestamp")]
        timestamp: Header<i64>,
        /// With every secret that is good, blanks between them: `v1,` and the HMAC-SHA256 as base64; with a key pair also
        /// `v1a,` and the Ed25519 signature.
        #[oai(name = "webhook-signature")]
        signature: Header<String>,
        /// The id of the replay that it is sent for again, where it is.
        #[oai(name = "scangate-replay")]
        replay: Header<Option<String>>,
        message: Json<Event>,
    ) -> Taken;
}

/// What an endpoint has to echo before it is sent events.
#[derive(Object, Debug)]
#[oai(rename_all = "camelCase", example)]
pub struct Challenge {
    /// `endpoint.challenge`.
    #[oai(rename = "type")]
    pub kind: String,
    pub endpoint_id: String,
    /// To be sent back.
    #[oai(rename = "challenge")]
    pub text: String,
    pub created_at: Timestamp,
}

impl Example for Challenge {
    fn example() -> Self {
        Self {
            kind: "endpoint.challenge".into(),
            endpoint_id: "01KXVZ5B8M3Q0V6T9YJ2C4E7GE".into(),
            text: "3VXW5YJ7Q2M4N6P8R9T1".into(),
            created_at: Timestamp::of(1_790_000_000_000),
        }
    }
}

/// The question whether an endpoint wants our events.
#[Webhook]
pub trait EndpointChallenge {
    /// An endpoint is to be verified
    ///
    /// Sent when `POST /v1/endpoints/{endpointId}/verify` asks for it, signed like an event. Answer with a status from 200 to
    /// 299 and, as the body, the text in `challenge`, or JSON with it in a field of that name.
    #[oai(
        name = "endpointChallenge",
        method = "post",
        operation_id = "endpointChallenge",
        tag = "Group::Notices"
    )]
    fn asked(
        &self,
        #[oai(name = "webhook-id")] id: Header<String>,
        #[oai(name = "webhook-timestamp")] timestamp: Header<i64>,
        #[oai(name = "webhook-signature")] signature: Header<String>,
        message: Json<Challenge>,
    ) -> Echoed;
}

/// A receiver's answer to an event.
pub struct Taken;

impl ApiResponse for Taken {
    fn meta() -> MetaResponses {
        answers(&[
            (Some(200), "Taken, if that is what the endpoint's acknowledgement asks for."),
            (Some(410), "Not wanted any more: nothing is sent until the endpoint is resumed."),
            (None, "Not taken; the message comes again."),
        ])
    }

    fn register(_: &mut Registry) {}
}

/// A receiver's answer to a challenge.
pub struct Echoed;

impl ApiResponse for Echoed {
    fn meta() -> MetaResponses {
        answers(&[
            (Some(200), "With the challenge in it: the endpoint is verified."),
            (None, "The endpoint stays as it is; who asked for it is told what came."),
        ])
    }

    fn register(_: &mut Registry) {}
}

/// Status, and what it means; `None`: any other.
fn answers(all: &[(Option<u16>, &'static str)]) -> MetaResponses {
    let answer = |(status, description): &(Option<u16>, &'static str)| MetaResponse {
        description,
        status: *status,
        status_range: None,
        content: Vec::new(),
        headers: Vec::new(),
    };
    MetaResponses { responses: all.iter().map(answer).collect() }
}
