//! One HTTP request and its answer: plain or over TLS, never sent twice, bounded in time and size.

use std::error::Error;
use std::io;
use std::time::Duration;

use anyhow::{Chain, Context, anyhow};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::request::Builder;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use url::Url;

/// Longer than a gateway waits for its own upstream, so that its answer is seen rather than cut off.
const TIMEOUT: Duration = Duration::from_secs(40);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: usize = 1024 * 1024;

pub(super) struct Request {
    pub(super) address: Url,
    pub(super) document: String,
}

#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// Why there is no answer, by what it leaves open.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing reached the other side.
    NotSent(anyhow::Error),
    /// It may have been received and carried out.
    NoAnswer(anyhow::Error),
}

pub(super) async fn send(request: &Request) -> Result<Received, Failure> {
    let outgoing = http::Request::post(request.address.as_str());
    call(outgoing, &request.address, request.document.clone()).await
}

/// Send `document` with the method and headers of `outgoing`, whose address is `address`.
pub(super) async fn call(outgoing: Builder, address: &Url, document: String) -> Result<Received, Failure> {
    call_within(TIMEOUT, outgoing, address, document).await
}

/// The same, with another patience.
pub(super) async fn call_within(
    timeout: Duration,
    outgoing: Builder,
    address: &Url,
    document: String,
) -> Result<Received, Failure> {
    let attempt = exchange(outgoing, address, document);
    tokio::time::timeout(timeout, attempt).await.unwrap_or_else(|_| {
        Err(Failure::NoAnswer(anyhow!("no answer from {} within {} s", place(address), timeout.as_secs())))
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "it calls what its user typed, from the user's own machine: there is no tenant to guard against"
)]
async fn exchange(outgoing: Builder, address: &Url, document: String) -> Result<Received, Failure> {
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_nodelay(true);
    plain.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .context("TLS cannot be set up")
        .map_err(Failure::NotSent)?
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain);
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
    let outgoing = outgoing
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("scangate-client/", env!("CARGO_PKG_VERSION")))
        .body(Full::from(document))
        .context("the address cannot be called")
        .map_err(Failure::NotSent)?;

    let answer = client.request(outgoing).await.map_err(|error| {
        if error.is_connect() {
            Failure::NotSent(unreachable(&error, address))
        } else {
            Failure::NoAnswer(lost(&error, address))
        }
    })?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await.map_err(|error| {
        Failure::NoAnswer(anyhow!("HTTP {status}, but the answer broke off: {}", chain(error.as_ref())))
    })?;
    Ok(Received { status, body: body.to_bytes() })
}

fn unreachable(error: &(dyn Error + 'static), address: &Url) -> anyhow::Error {
    let place = place(address);
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => {
            anyhow!("nothing listens at {place} (connection refused); is it running there?")
        }
        Some(io::ErrorKind::TimedOut) => {
            anyhow!("{place} cannot be reached (no connection within {} s)", CONNECT_TIMEOUT.as_secs())
        }
        _ => anyhow!("{place} cannot be reached: {}", chain(error)),
    }
}

fn lost(error: &(dyn Error + 'static), address: &Url) -> anyhow::Error {
    anyhow!("{} took the call and gave no answer: {}", place(address), chain(error))
}

fn place(address: &Url) -> String {
    let host = address.host_str().unwrap_or_default();
    address.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    Chain::new(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// What an error and its causes say, each once: many repeat their cause's text.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    for text in Chain::new(error).map(ToString::to_string) {
        if !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}
