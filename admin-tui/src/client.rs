//! Calls to the operators' listener.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shared::ops::{Login, Problem, Rows, Session};
use url::Url;
use zeroize::Zeroizing;

/// From the first byte sent to the last one read.
const DEADLINE: Duration = Duration::from_secs(10);
/// The same of a change: the gateway asks ScanForPay for some, and has 40 s for that (`server.request_timeout`).
const CHANGE_DEADLINE: Duration = Duration::from_secs(45);
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The gateway could not be reached, or broke off.
    #[error("the gateway cannot be reached: {0}")]
    Lost(String),
    /// A change was sent, and no answer came.
    #[error("whether it was done is not known: {0}")]
    InDoubt(String),
    #[error("you are not logged in")]
    LoggedOut,
    #[error("{}", problem.detail)]
    Refused { problem: Problem },
    #[error("the gateway's answer cannot be read: {0}")]
    Unreadable(String),
}

/// Rows of a list, and where it goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Path and query of the next page.
    pub next: Option<String>,
}

pub struct Client {
    base: Url,
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    token: Mutex<Option<Zeroizing<String>>>,
}

impl Failure {
    /// The same of a call that is simply made again.
    #[must_use]
    pub fn of_no_change(self) -> Self {
        match self {
            Self::InDoubt(why) => Self::Lost(why),
            other => other,
        }
    }
}

impl Client {
    #[expect(
        clippy::disallowed_methods,
        reason = "the policy is for addresses that tenants name; this one is the operator's own"
    )]
    pub fn new(base: Url) -> anyhow::Result<Self> {
        let provider = rustls::crypto::ring::default_provider();
        let connect = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)?
            .https_or_http()
            .enable_http1()
            .build();
        let http = Http::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_timer(TokioTimer::new())
            .build(connect);
        Ok(Self { base, http, token: Mutex::new(None) })
    }

    pub fn base(&self) -> &Url {
        &self.base
    }

    pub fn set_token(&self, token: Option<String>) {
        *self.token.lock().expect("nobody panics holding it") = token.map(Zeroizing::new);
    }

    pub async fn log_in(&self, login: &Login) -> Result<Session, Failure> {
        let answer = self.send(Method::POST, "/ops/v1/login", Some(login)).await;
        answer.map(|(session, _)| session).map_err(Failure::of_no_change)
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.send(Method::GET, path, None::<&()>).await.map(|(answer, _)| answer)
    }

    pub async fn page<T: DeserializeOwned>(&self, path: &str) -> Result<Page<T>, Failure> {
        let (answer, next) = self.send::<Rows<T>>(Method::GET, path, None::<&()>).await?;
        Ok(Page { rows: answer.rows, next })
    }

    /// The answer is not looked at: what changed is read anew.
    pub async fn post(&self, path: &str, body: Option<&(impl Serialize + Sync)>) -> Result<(), Failure> {
        self.send::<serde_json::Value>(Method::POST, path, body).await.map(|_| ())
    }

    /// As the gateway wrote it.
    pub async fn text(&self, path: &str) -> Result<String, Failure> {
        let raw: Box<serde_json::value::RawValue> = self.get(path).await?;
        Ok(raw.get().to_owned())
    }

    /// What it answers counts.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, Failure> {
        self.send(Method::POST, path, body).await.map(|(answer, _)| answer)
    }

    pub async fn patch(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<(), Failure> {
        self.send::<serde_json::Value>(Method::PATCH, path, Some(body)).await.map(|_| ())
    }

    /// A stream of events, from behind the one of this id on. It ends when the gateway ends it.
    pub async fn stream(&self, path: &str, last_id: Option<&str>) -> Result<Incoming, Failure> {
        let mut request = self.request(&Method::GET, path)?.header(header::ACCEPT, "text/event-stream");
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Full::default()).map_err(|error| lost(&error))?;
        let answer = tokio::time::timeout(DEADLINE, self.http.request(request)).await.map_err(|_| late())?;
        let answer = answer.map_err(|error| lost(&error))?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let (status, body) = (answer.status(), answer.into_body());
        let read = tokio::time::timeout(DEADLINE, Limited::new(body, MAX_ANSWER).collect()).await;
        let read = read.map_err(|_| late())?.map_err(|error| Failure::Lost(error.to_string()))?;
        Err(refusal(status, &read.to_bytes()))
    }

    /// The paths that this server has.
    pub async fn paths(&self) -> Result<BTreeSet<String>, Failure> {
        let document: serde_json::Value = self.get("/ops/openapi.json").await?;
        let paths = document["paths"].as_object();
        let paths = paths.ok_or_else(|| Failure::Unreadable("its contract has no paths".to_owned()))?;
        Ok(paths.keys().cloned().collect())
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<(T, Option<String>), Failure> {
        let is_change = method != Method::GET;
        let deadline = if is_change { CHANGE_DEADLINE } else { DEADLINE };
        let call = tokio::time::timeout(deadline, self.exchange(method, path, body));
        let (status, next, bytes) = call.await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", deadline.as_secs());
            Err(if is_change { Failure::InDoubt(why) } else { Failure::Lost(why) })
        })?;
        if !status.is_success() {
            return Err(refusal(status, &bytes));
        }
        let answer =
            serde_json::from_slice(&bytes).map_err(|error| Failure::Unreadable(error.to_string()))?;
        Ok((answer, next))
    }

    fn request(&self, method: &Method, path: &str) -> Result<http::request::Builder, Failure> {
        let uri = self.base.join(path).map_err(|error| lost(&error))?;
        let mut request = Request::builder().method(method).uri(uri.as_str());
        if let Some(token) = &*self.token.lock().expect("nobody panics holding it") {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.as_str()));
        }
        Ok(request)
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<(StatusCode, Option<String>, Bytes), Failure> {
        let mut request = self.request(&method, path)?;
        let bytes = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(body).map_err(|error| lost(&error))?)
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(bytes)).map_err(|error| lost(&error))?;
        let is_change = method != Method::GET;
        let broken = |error: &dyn std::error::Error| {
            let why = innermost(error);
            if is_change { Failure::InDoubt(why) } else { Failure::Lost(why) }
        };
        let answer = self.http.request(request).await;
        let answer =
            answer.map_err(|error| if error.is_connect() { lost(&error) } else { broken(&error) })?;
        let status = answer.status();
        let next =
            answer.headers().get_all(header::LINK).iter().find_map(|link| next_of(link.to_str().ok()?));
        let read = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        Ok((status, next, read.map_err(|error| broken(&*error))?.to_bytes()))
    }
}

fn lost(error: &dyn std::error::Error) -> Failure {
    Failure::Lost(innermost(error))
}

fn late() -> Failure {
    Failure::Lost(format!("no answer within {} s", DEADLINE.as_secs()))
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) if status == StatusCode::UNAUTHORIZED && problem.code != "login_refused" => {
            Failure::LoggedOut
        }
        Ok(problem) => Failure::Refused { problem },
        Err(_) => Failure::Unreadable(format!("HTTP {status}, not from a gateway")),
    }
}

/// The cause behind all the layers that only say that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Path and query of `<…>; rel="next"`.
fn next_of(link: &str) -> Option<String> {
    let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
    let uri: http::Uri = address.parse().ok().filter(|_| relation.contains("rel=\"next\""))?;
    Some(uri.path_and_query()?.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_asked_for_at_the_same_server() {
        let link = "<https://elsewhere.example/ops/v1/audit?limit=2&cursor=x>; rel=\"next\"";
        assert_eq!(next_of(link).as_deref(), Some("/ops/v1/audit?limit=2&cursor=x"));
        assert_eq!(next_of("</ops/v1/audit>; rel=\"prev\""), None);
    }
}
