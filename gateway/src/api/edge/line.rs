//! The one log line of a request. It names the route's pattern and never the path, which holds tokens and numbers;
//! no query string, header or body either. Its target is `request`, so that it can be filtered by that name.
//!
//! | field | what |
//! | --- | --- |
//! | `id` | as in the answer's `X-Request-Id` |
//! | `method`, `route` | the route's pattern, or `unmatched` |
//! | `status` | HTTP status; 499: the client was gone before the answer |
//! | `code` | the signed API's code, where there is one |
//! | `duration_us` | until the answer was ready to be sent |
//! | `received`, `sent` | bytes of the bodies; `sent` is missing for an answer of unknown length |
//! | `cause` | why our side failed |
//! | `reason` | why the client was refused, where it was told less |

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use http::Method;
use poem::{PathPattern, Response};

use super::Remark;
use super::body::Watch;
use crate::metrics::Operations;

/// nginx's number for a client that has gone.
const CLIENT_GONE: u16 = 499;

/// Written when it ends, or when it is dropped because the client has gone.
pub struct RequestLine {
    id: Arc<str>,
    method: &'static str,
    route: Option<Arc<str>>,
    watch: Arc<Watch>,
    began: Instant,
    is_written: bool,
    operations: Option<Operations>,
}

impl RequestLine {
    pub fn begin(id: Arc<str>, method: &Method, route: Option<Arc<str>>, watch: Arc<Watch>) -> Self {
        let (method, began) = (known(method), Instant::now());
        Self { id, method, route, watch, began, is_written: false, operations: None }
    }

    /// Also counted when it ends, by these.
    pub fn counted(mut self, operations: Option<Operations>) -> Self {
        if let Some(operations) = &operations {
            operations.begun();
        }
        self.operations = operations;
        self
    }

    pub fn end(mut self, response: &Response, sent: Option<u64>) {
        if self.route.is_none() {
            self.route = response.data::<PathPattern>().map(|pattern| Arc::clone(&pattern.0));
        }
        let remark = response.data::<Remark>().cloned().unwrap_or_default();
        self.write(response.status().as_u16(), sent, &remark);
    }

    fn write(&mut self, status: u16, sent: Option<u64>, remark: &Remark) {
        self.is_written = true;
        let route = self.route.as_deref().unwrap_or("unmatched");
        let took = self.began.elapsed();
        if let Some(operations) = &self.operations {
            operations.ended(route, self.method, status, remark.code, took);
        }
        let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let (id, method, received) = (&*self.id, self.method, self.watch.received());
        let (code, cause) = (remark.code, remark.cause.as_deref());
        if status >= 500 || cause.is_some() {
            tracing::error!(target: "request", id, method, route, status, code, duration_us, received, sent, cause);
        } else {
            let reason = remark.reason.as_deref();
            tracing::info!(target: "request", id, method, route, status, code, duration_us, received, sent, reason);
        }
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        if !self.is_written {
            self.write(CLIENT_GONE, None, &Remark::default());
        }
    }
}

/// A method is any text a client likes; only the usual ones are logged.
fn known(method: &Method) -> &'static str {
    const KNOWN: [(Method, &str); 7] = [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::PATCH, "PATCH"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
        (Method::OPTIONS, "OPTIONS"),
    ];
    KNOWN.iter().find(|(known, _)| known == method).map_or("other", |(_, name)| name)
}

/// An error with all its causes, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        // Many errors repeat their cause in their own text.
        if !text.ends_with(&said) {
            write!(text, ": {said}").expect("a String takes everything");
        }
        next = cause.source();
    }
    text
}
