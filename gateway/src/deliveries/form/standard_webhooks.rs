//! Standard Webhooks 1.0: the event's JSON as `GET /v1/events` has it, signed with every secret that is good.

use http::{HeaderName, HeaderValue};
use poem_openapi::types::ToJSON;

use super::{Letter, Original, Unwritable};
use crate::app::App;
use crate::directory::endpoints::Endpoint;
use crate::entity::event::Audience;
use crate::entity::{delivery, event};
use crate::told::Event;
use crate::webhook::Message;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

pub fn letter(
    app: &App,
    endpoint: &Endpoint,
    delivery: &delivery::Model,
    original: &Original,
) -> Result<Letter, Unwritable> {
    let event = event::Model {
        id: delivery.event_id.clone(),
        subject_id: delivery.subject_id.clone(),
        merchant_id: delivery.merchant_id.clone(),
        kind: delivery.kind.clone(),
        r#move: String::new(),
        sequence: delivery.sequence,
        content: original.content.clone(),
        created_at: original.at,
        platform_id: delivery.platform_id.clone(),
        audience: Audience::All,
        position: 0,
    };
    let body = Event::of(event).map_err(|_| "unreadable_event")?.to_json_string();
    Ok(sealed(app, endpoint, &delivery.event_id, body))
}

/// `body` under this id, which is the same at every attempt. A challenge to an endpoint in ScanForPay's form, which has no
/// secret of its own, is not signed.
pub fn sealed(app: &App, endpoint: &Endpoint, id: &str, body: String) -> Letter {
    let now = app.clock.now_ms();
    let message = Message { id, timestamp: now.div_euclid(1_000), body: body.as_bytes() };
    let signatures = endpoint.secrets.signatures(message, now);
    let timestamp = message.timestamp;
    let mut letter = Letter::json(body, endpoint.secrets.newest_id());
    let signed = (!signatures.is_empty()).then_some((SIGNATURE, signatures.as_str()));
    for (name, value) in [(ID, id), (TIMESTAMP, &timestamp.to_string())].into_iter().chain(signed) {
        let value = HeaderValue::try_from(value).expect("ids, numbers and base64 are plain text");
        letter.headers.push((name, value));
    }
    letter
}
