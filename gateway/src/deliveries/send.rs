//! One attempt: post the event in the receiver's form, and say what came of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderName, HeaderValue};
use sea_orm::EntityTrait;
use url::Url;

use super::form::{self, Letter, Original};
use super::{Said, promise, schedule};
use crate::app::App;
use crate::directory::endpoints::{Acknowledgement, Endpoint};
use crate::entity::{attempt, delivery, endpoint};
use crate::ledger::DeliveryMove;
use crate::outgoing::{Limits, Overlong, Reply, SendError};

/// Characters of an answer that are kept for people to see.
const EXCERPT: usize = 500;
/// What stands in an excerpt for a sealed header's value, and how long one is that tells anything.
const LEFT_OUT: &str = "[left out]";
const TELLING: usize = 6;
/// Until a registered endpoint is looked for again that this node does not know yet.
const UNKNOWN: Duration = Duration::from_secs(2);
/// The outcome of an attempt that was answered 410.
pub const GONE: &str = "gone";
/// Who we are, to receivers: firewalls turn away who does not say.
const AGENT: &str = concat!("ScanGate/", env!("CARGO_PKG_VERSION"));
/// Of one that was answered 429 or 503.
const BUSY: &str = "busy";

/// To whom it goes.
enum Receiver {
    /// An order's notifyUrl.
    Implicit,
    Registered(Arc<Endpoint>),
    /// It was paused, disabled or given another URL since the delivery was taken.
    Closed,
    /// Its owner has taken it away.
    Deleted,
    /// Another node has made it just now.
    NotLoaded,
}

/// What came of an attempt.
pub struct Made {
    /// What is to be written of it.
    pub step: DeliveryMove,
    /// `None`: the receiver was not asked.
    pub said: Option<Said>,
}

impl From<DeliveryMove> for Made {
    fn from(step: DeliveryMove) -> Self {
        Self { step, said: None }
    }
}

/// Make the next attempt of `delivery`.
pub async fn attempt(app: &App, delivery: &delivery::Model, original: &Original) -> Made {
    let started_at = app.clock.now_ms();
    let endpoint = match receiver(app, delivery).await {
        Receiver::Implicit => None,
        Receiver::Registered(endpoint) => Some(endpoint),
        Receiver::Closed => return unmoved(delivery).into(),
        Receiver::Deleted => return ended_unsent(app, delivery).into(),
        Receiver::NotLoaded => return put_off(app, delivery).into(),
    };
    let endpoint = endpoint.as_deref();
    let letter = match form::letter(app, endpoint, delivery, original) {
        Ok(letter) => letter,
        Err(why) => {
            let own = Outcome::failed(why);
            return concluded(app, delivery, endpoint, started_at, String::new(), own).into();
        }
    };
    let url = endpoint.map_or(delivery.url.as_str(), |endpoint| endpoint.url.as_str());
    let key_id = letter.key_id.clone();
    let outcome = post(app, url, letter, &Terms::of(app, endpoint)).await;
    let said = Said {
        since: endpoint.map(|endpoint| endpoint.heard_since),
        acknowledged: outcome.acknowledged,
        leave_alone: wait(app, &outcome).filter(|_| outcome.word == BUSY),
    };
    Made { step: concluded(app, delivery, endpoint, started_at, key_id, outcome), said: Some(said) }
}

/// How long the receiver wants to be left alone, as far as it is heeded.
fn wait(app: &App, outcome: &Outcome) -> Option<Duration> {
    outcome.retry_after.map(|wait| wait.min(app.config.deliveries.longest_retry_after))
}

async fn receiver(app: &App, delivery: &delivery::Model) -> Receiver {
    if let Some(endpoint) = app.directory.endpoint(&delivery.endpoint_id) {
        let is_open = endpoint.status == endpoint::Status::Active && endpoint.is_proven;
        return if is_open { Receiver::Registered(endpoint) } else { Receiver::Closed };
    }
    if promise::implicit_id(&delivery.merchant_id, &delivery.url) == delivery.endpoint_id {
        return Receiver::Implicit;
    }
    match endpoint::Entity::find_by_id(delivery.endpoint_id.as_str()).one(&app.store.read).await {
        Ok(Some(row)) if row.kind == endpoint::Kind::Implicit => Receiver::Implicit,
        Ok(Some(row)) if row.deleted_at.is_none() => Receiver::NotLoaded,
        Ok(_) => Receiver::Deleted,
        Err(error) => {
            tracing::warn!(%error, "an endpoint could not be looked up");
            Receiver::NotLoaded
        }
    }
}

/// What a request may take, what its answer must be, and what of an answer nobody is shown.
struct Terms<'a> {
    timeout: Duration,
    acknowledgement: &'a Acknowledgement,
    /// The owner's own headers, which may hold what opens the receiver to us.
    sealed: &'a [(HeaderName, HeaderValue)],
}

impl<'a> Terms<'a> {
    fn of(app: &App, endpoint: Option<&'a Endpoint>) -> Self {
        let own = app.config.deliveries.timeout;
        Self {
            timeout: endpoint.and_then(|endpoint| endpoint.timeout).map_or(own, |timeout| timeout.min(own)),
            acknowledgement: endpoint.map_or(&Acknowledgement::Success, |endpoint| &endpoint.acknowledgement),
            sealed: endpoint.map_or(&[], |endpoint| &endpoint.headers),
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub acknowledged: bool,
    pub word: &'static str,
    pub http_status: Option<u16>,
    pub excerpt: Option<String>,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Outcome {
    fn failed(word: &'static str) -> Self {
        Self { acknowledged: false, word, http_status: None, excerpt: None, retry_after: None }
    }
}

/// Post to an endpoint what is no delivery: a challenge, or a test event.
pub async fn try_out(app: &App, endpoint: &Endpoint, letter: Letter) -> (Outcome, Option<Bytes>) {
    let terms = Terms::of(app, Some(endpoint));
    match request(app, endpoint.url.as_str(), &letter.headers, letter.body, terms.timeout).await {
        Ok(reply) => (judged(app, &reply, &terms), Some(reply.body)),
        Err(outcome) => (outcome, None),
    }
}

async fn post(app: &App, url: &str, letter: Letter, terms: &Terms<'_>) -> Outcome {
    match request(app, url, &letter.headers, letter.body, terms.timeout).await {
        Ok(reply) => judged(app, &reply, terms),
        Err(outcome) => outcome,
    }
}

async fn request(
    app: &App,
    url: &str,
    headers: &[(HeaderName, HeaderValue)],
    body: Bytes,
    timeout: Duration,
) -> Result<Reply, Outcome> {
    let Ok(url) = Url::parse(url) else {
        return Err(Outcome::failed("bad_url"));
    };
    let limits = Limits { timeout, max_body: app.config.deliveries.max_body, overlong: Overlong::Cut };
    let mut headers = headers.to_vec();
    headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    app.outgoing.post(&url, &headers, body, limits).await.map_err(|error| {
        Outcome::failed(match error {
            SendError::Url => "bad_url",
            SendError::Refused(_) => "address_refused",
            SendError::Resolve { .. } => "name_not_resolved",
            SendError::Connect { .. } => "no_connection",
            SendError::Tls { .. } => "no_tls",
            SendError::TimedOut { .. } => "timed_out",
            SendError::Broken { .. } => "connection_broke",
            SendError::BodyTooLong { .. } => "answer_too_long",
        })
    })
}

fn judged(app: &App, reply: &Reply, terms: &Terms<'_>) -> Outcome {
    let acknowledged = terms.acknowledgement.is_given_by(reply);
    let word = match (acknowledged, reply.status) {
        (true, _) => "delivered",
        (false, 200..=299) => "not_acknowledged",
        (false, 300..=399) => "redirected",
        (false, 410) => GONE,
        (false, 429 | 503) => BUSY,
        _ => "refused",
    };
    let excerpt = excerpt(&reply.body, terms.sealed);
    let now = app.clock.now();
    let wanted = reply.retry_after.as_deref().filter(|_| !acknowledged);
    let retry_after = wanted.and_then(|text| schedule::retry_after(text, now));
    Outcome { acknowledged, word, http_status: Some(reply.status), excerpt: Some(excerpt), retry_after }
}

/// The beginning of an answer. A receiver may send back what it was sent: the values of sealed headers are left out.
fn excerpt(body: &[u8], sealed: &[(HeaderName, HeaderValue)]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    let values = sealed.iter().filter_map(|(_, value)| value.to_str().ok());
    // `Bearer abc` may come back as `abc`.
    for part in values.flat_map(|value| std::iter::once(value).chain(value.split_whitespace())) {
        if part.len() >= TELLING {
            text = text.replace(part, LEFT_OUT);
        }
    }
    // U+0000 cannot be kept in a text column.
    text.chars().filter(|c| *c != '\0').take(EXCERPT).collect()
}

/// The attempt and the delivery's next state.
fn concluded(
    app: &App,
    delivery: &delivery::Model,
    endpoint: Option<&Endpoint>,
    started_at: i64,
    key_id: String,
    outcome: Outcome,
) -> DeliveryMove {
    let now = app.clock.now_ms();
    let made = delivery.attempts + 1;
    let config = &app.config.deliveries;
    let own = endpoint.and_then(|endpoint| endpoint.schedule.as_deref());
    let swing = f64::from(i32::from(crate::chance::bytes::<1>()[0]) - 128) / 128.0;
    let next = schedule::next_due(own.unwrap_or(&config.schedule), config.jitter, swing, made, now);
    let wanted = wait(app, &outcome).map_or(now, |wait| now + i64::try_from(wait.as_millis()).unwrap_or(0));
    let has_left = outcome.word == GONE && endpoint.is_none();
    let (state, due_at, ended_at) = match (outcome.acknowledged, next) {
        (true, _) => (delivery::State::Delivered, delivery.due_at, Some(now)),
        (false, Some(due_at)) if !has_left => (delivery::State::Due, due_at.max(wanted), None),
        (false, _) => (delivery::State::Exhausted, delivery.due_at, Some(now)),
    };
    DeliveryMove {
        attempt: Some(attempt::Model {
            id: app.chance.id(),
            delivery_id: delivery.id.clone(),
            started_at,
            duration_ms: (now - started_at).max(0),
            outcome: outcome.word.to_owned(),
            http_status: outcome.http_status.map(i64::from),
            excerpt: outcome.excerpt,
            sign_key_id: key_id,
        }),
        outcome: Some(outcome.word.to_owned()),
        state,
        attempts: made,
        due_at,
        ended_at,
        ..unmoved(delivery)
    }
}

/// Its endpoint is gone: it is not sent, and ends.
fn ended_unsent(app: &App, delivery: &delivery::Model) -> DeliveryMove {
    let ended_at = Some(app.clock.now_ms());
    DeliveryMove { state: delivery::State::Cancelled, ended_at, ..unmoved(delivery) }
}

fn put_off(app: &App, delivery: &delivery::Model) -> DeliveryMove {
    let wait = i64::try_from(UNKNOWN.as_millis()).expect("seconds");
    DeliveryMove { due_at: app.clock.now_ms() + wait, ..unmoved(delivery) }
}

/// Given back as it was.
pub fn unmoved(delivery: &delivery::Model) -> DeliveryMove {
    DeliveryMove {
        delivery_id: delivery.id.clone(),
        outcome: delivery.outcome.clone(),
        is_superseded_by_paid: delivery.is_superseded_by_paid(),
        lease: delivery.lease.clone().unwrap_or_default(),
        attempt: None,
        state: delivery::State::Due,
        attempts: delivery.attempts,
        due_at: delivery.due_at,
        ended_at: None,
        sign_key_id: delivery.sign_key_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_the_beginning_without_what_the_owner_has_sealed() {
        let header = |value| (HeaderName::from_static("authorization"), HeaderValue::from_static(value));
        let sealed = [header("Bearer opensesame"), header("1")];
        let echoed = br#"{"authorization": "Bearer opensesame", "token": "opensesame", "n": 1}"#;
        let shown = r#"{"authorization": "[left out]", "token": "[left out]", "n": 1}"#;
        assert_eq!(excerpt(echoed, &sealed), shown);
        let (long, over) = ("x".repeat(EXCERPT - 3), "opensesame".repeat(9));
        assert!(!excerpt(format!("{long}{over}").as_bytes(), &sealed).contains("ope"), "cut after it");
        assert_eq!(excerpt(b"a\0b\xff", &[]), "ab\u{fffd}");
    }
}
