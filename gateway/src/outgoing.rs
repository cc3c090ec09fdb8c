//! Outgoing HTTP: one request to one URL, within a time and a size, and what is known afterwards.
//!
//! Two clients are made of it: one for URLs that tenants choose, which asks the address policy about every address
//! it dials, and one for the upstream, whose base URLs are the operator's. Neither follows redirects or sends a request
//! a second time. Both leave this machine by the same [`Way`]. Errors say whether the request may have left ([`SendError::sent`]), because
//! that decides whether money may have moved; their texts carry no path, token, header or body.

mod connect;
mod pieces;
mod proxy;
#[cfg(test)]
mod tests;
mod way;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;
use url::Url;

use self::connect::Connector;
pub use self::connect::{Lookup, system_lookup};
pub use self::pieces::Pieces;
pub use self::way::{Way, check_proxy};
use crate::deliveries::address::{AddressPolicy, Refusal};

/// An idle connection is closed after this long. Below the 5 s after which common servers close theirs, so that a
/// request seldom meets a connection that is just being closed; and short because a connection in the pool is not
/// asked about again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Idle connections kept for one host.
const IDLE_PER_HOST: usize = 512;

/// The most that an answer's status line and headers may take, and the size of a read.
const READ_BUFFER: usize = 32 * 1024;

/// The longest `Retry-After` that is passed on; a date takes 29 characters.
const RETRY_AFTER_MAX: usize = 64;

/// What is sent: all at once, or piece by piece.
type Payload = Either<Full<Bytes>, Pieces>;

/// Sends requests. Clones share one pool of connections.
#[derive(Clone)]
pub struct Outgoing {
    client: Client<Connector, Payload>,
}

/// What one request may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For everything from resolving the name to the last byte of the answer.
    pub timeout: Duration,
    /// In bytes of the answer's body.
    pub max_body: usize,
    pub overlong: Overlong,
}

/// What to do with an answer whose body is longer than the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlong {
    /// Keep what fits, close the connection, say [`Reply::truncated`].
    Cut,
    /// [`SendError::BodyTooLong`].
    Refuse,
}

/// An answer, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// The `Retry-After` header as sent, if it is short plain text.
    pub retry_after: Option<String>,
    pub body: Bytes,
    pub truncated: bool,
}

/// Why there is no answer. `reason` is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the URL cannot be requested")]
    Url,
    #[error(transparent)]
    Refused(Refusal),
    #[error("the host name did not resolve: {reason}")]
    Resolve { reason: String },
    #[error("no connection: {reason}")]
    Connect { reason: String },
    #[error("no TLS connection: {reason}")]
    Tls { reason: String },
    #[error("no complete answer in time")]
    TimedOut { sent: bool },
    #[error("the connection broke: {reason}")]
    Broken { sent: bool, reason: String },
    #[error("the answer is longer than {limit} bytes")]
    BodyTooLong { limit: usize },
}

impl SendError {
    /// May the other side have received any of the request? `false` only where it is certain that not a byte of it
    /// left this machine.
    pub fn sent(&self) -> bool {
        match self {
            Self::Url | Self::Refused(_) | Self::Resolve { .. } | Self::Connect { .. } | Self::Tls { .. } => {
                false
            }
            Self::TimedOut { sent } | Self::Broken { sent, .. } => *sent,
            Self::BodyTooLong { .. } => true,
        }
    }
}

impl Outgoing {
    /// For URLs that tenants choose.
    pub fn for_tenants(policy: AddressPolicy, way: Way) -> Self {
        Self::for_tenants_with(policy, system_lookup(), way)
    }

    /// As [`Outgoing::for_tenants`], with names resolved by `lookup`.
    pub fn for_tenants_with(policy: AddressPolicy, lookup: Lookup, way: Way) -> Self {
        Self::over(Connector::new(Some(Arc::new(policy)), lookup, way))
    }

    /// For base URLs that the operator wrote down: any address is called, straight.
    pub fn for_upstream() -> Self {
        Self::for_upstream_by(Way::default())
    }

    /// The same by another way.
    pub fn for_upstream_by(way: Way) -> Self {
        Self::over(Connector::new(None, system_lookup(), way))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one outgoing client")]
    fn over(connector: Connector) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(READ_BUFFER)
            // Not a second sending: it moves a request to another connection only if it came back untouched from
            // the queue of one that was found closed, and a body that was once taken for writing is gone. Without
            // it, every server that closes idle connections would cost a failed order now and then.
            .retry_canceled_requests(true)
            .build(connector);
        Self { client }
    }

    /// Post `body` to `url`. `Host` and `Content-Length` are added. Dropping the future abandons the request, which
    /// may by then have been received.
    pub async fn post(
        &self,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        limits: Limits,
    ) -> Result<Reply, SendError> {
        self.send(Method::POST, url, headers, Either::Left(Full::new(body)), limits).await
    }

    /// The same, with the body sent piece by piece.
    pub async fn post_slowly(
        &self,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: Pieces,
        limits: Limits,
    ) -> Result<Reply, SendError> {
        self.send(Method::POST, url, headers, Either::Right(body), limits).await
    }

    pub async fn get(
        &self,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        limits: Limits,
    ) -> Result<Reply, SendError> {
        self.send(Method::GET, url, headers, Either::Left(Full::default()), limits).await
    }

    async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        payload: Payload,
        limits: Limits,
    ) -> Result<Reply, SendError> {
        let request = Request::builder().method(method).uri(requestable(url)?);
        let mut request = request.body(payload).map_err(|_| SendError::Url)?;
        request.headers_mut().extend(headers.iter().cloned());
        let connection = capture_connection(&mut request);
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| failure(&error, &connection))?;
            read(answer, limits).await
        };
        match timeout(limits.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(SendError::TimedOut { sent: was_given_a_connection(&connection) }),
        }
    }
}

fn requestable(url: &Url) -> Result<Uri, SendError> {
    let plain =
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if !plain {
        return Err(SendError::Url);
    }
    url.as_str().parse().map_err(|_| SendError::Url)
}

/// The client marks the request with its connection right before it hands it over for writing: without the mark
/// nothing was written.
fn was_given_a_connection(connection: &CaptureConnection) -> bool {
    connection.connection_metadata().is_some()
}

fn failure(error: &legacy::Error, connection: &CaptureConnection) -> SendError {
    if let Some(dialling) = error.source().and_then(|source| source.downcast_ref::<SendError>()) {
        return dialling.clone();
    }
    if error.is_connect() {
        return SendError::Connect { reason: reason(error) };
    }
    // hyper says 'canceled' only together with handing back the request as it was given.
    let untouched = error
        .source()
        .and_then(|source| source.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_canceled);
    SendError::Broken { sent: was_given_a_connection(connection) && !untouched, reason: reason(error) }
}

async fn read(answer: Response<Incoming>, limits: Limits) -> Result<Reply, SendError> {
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(short_text);
    let (body, truncated) = read_body(answer.into_body(), limits).await?;
    Ok(Reply { status, retry_after, body, truncated })
}

fn short_text(value: &HeaderValue) -> Option<String> {
    value.to_str().ok().filter(|text| text.len() <= RETRY_AFTER_MAX).map(str::to_owned)
}

/// The body, and whether it was cut. A body that is left half read closes its connection.
async fn read_body(mut body: Incoming, limits: Limits) -> Result<(Bytes, bool), SendError> {
    let too_long = SendError::BodyTooLong { limit: limits.max_body };
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if limits.overlong == Overlong::Refuse && announced > limits.max_body {
        return Err(too_long);
    }
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| SendError::Broken { sent: true, reason: reason(&error) })?;
        let Some(data) = frame.data_ref() else { continue };
        let room = limits.max_body - kept.len();
        if data.len() <= room {
            kept.extend_from_slice(data);
            continue;
        }
        return match limits.overlong {
            Overlong::Refuse => Err(too_long),
            Overlong::Cut => {
                kept.extend_from_slice(&data[..room]);
                Ok((kept.freeze(), true))
            }
        };
    }
    Ok((kept.freeze(), false))
}

/// The longest reason. A peer has a say in some (a certificate's names).
const REASON_MAX: usize = 200;

/// What an error and its causes say, in one line fit for a log.
fn reason(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect()
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, retry_after, body, truncated } = self;
        f.debug_struct("Reply")
            .field("status", status)
            .field("retry_after", retry_after)
            .field("body", &format_args!("{} bytes", body.len()))
            .field("truncated", truncated)
            .finish()
    }
}
