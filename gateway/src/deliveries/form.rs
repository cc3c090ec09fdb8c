//! An event in its receiver's form, signed anew for each attempt.

pub mod scanforpay;
pub mod standard_webhooks;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use crate::app::App;
use crate::directory::endpoints::Endpoint;
use crate::entity::delivery;
use crate::entity::endpoint::Format;

/// Which replay a delivery belongs to, where it is one.
const REPLAY: HeaderName = HeaderName::from_static("scangate-replay");

/// What is told, as it was when it came to be.
#[derive(Debug, Clone)]
pub struct Original {
    /// Unix milliseconds.
    pub at: i64,
    /// The event's, in nobody's format.
    pub content: String,
}

/// A request ready to go out.
#[derive(Debug)]
pub struct Letter {
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    /// What it is signed with.
    pub key_id: String,
}

impl Letter {
    fn json(body: String, key_id: &str) -> Self {
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { headers: vec![json], body: Bytes::from(body), key_id: key_id.to_owned() }
    }
}

/// Why there is none, in a word.
pub type Unwritable = &'static str;

/// The letter of an attempt. `endpoint`: `None`, where it is an order's notifyUrl.
pub fn letter(
    app: &App,
    endpoint: Option<&Endpoint>,
    delivery: &delivery::Model,
    original: &Original,
) -> Result<Letter, Unwritable> {
    let format = endpoint.map_or(Format::ScanForPay, |endpoint| endpoint.format);
    let mut letter = match (format, endpoint) {
        (Format::StandardWebhooks, Some(endpoint)) => {
            standard_webhooks::letter(app, endpoint, delivery, original)?
        }
        _ => scanforpay::letter(app, delivery, original)?,
    };
    letter.headers.extend(endpoint.into_iter().flat_map(|endpoint| endpoint.headers.iter().cloned()));
    if let Some(id) = delivery.replay_id.as_deref().and_then(|id| HeaderValue::try_from(id).ok()) {
        letter.headers.push((REPLAY, id));
    }
    Ok(letter)
}
