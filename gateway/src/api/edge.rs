//! What happens to every request before its route and after it: an id, a bounded body, a deadline, one log line,
//! headers that browsers want, and one shape for everything that is refused without a handler's doing. Routes of
//! the signed API are refused in its own shape, which the signed API supplies.

pub mod address;
mod body;
mod line;
mod parameters;
mod rejection;
mod routes;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use hyper::body::Body as _;
use poem::{Body, Endpoint, IntoResponse, Middleware, PathPattern, Request, Response};
use poem_openapi::error::ParseParamError;
use tracing::Instrument;

use self::body::{BoxBody, CappedBody, Watch};
use self::line::{RequestLine, chain};
pub use self::parameters::Parameters;
pub use self::rejection::{Rejection, problem, problem_type};
pub use self::routes::RouteTable;
use crate::config;
use crate::metrics::Operations;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Set where a handler has not set them itself. A page that shows something brings its own policy.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    ),
];

/// Which request this is, in our log and in the answer's `X-Request-Id`. Handlers find it in the request's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// What a handler wants said in the request's log line. Put into the data of the answer, or of the error.
#[derive(Clone, Debug, Default)]
pub struct Remark {
    /// The signed API's code, since its HTTP status tells nothing.
    pub code: Option<i32>,
    /// The inside of a failure of ours, never told to the client.
    pub cause: Option<Arc<str>>,
    /// Why a client was refused, where it is told less.
    pub reason: Option<Arc<str>>,
}

impl Remark {
    /// With the whole chain of causes.
    pub fn failure(code: Option<i32>, error: &(dyn std::error::Error + 'static)) -> Self {
        Self { code, cause: Some(chain(error).into()), reason: None }
    }

    pub fn refusal(reason: &str) -> Self {
        Self { reason: Some(reason.into()), ..Self::default() }
    }
}

/// Header fields that go with the answer to a request, whatever shape that gets. Put into the data of the error.
#[derive(Clone, Debug)]
pub struct Besides(pub HeaderMap);

impl Besides {
    /// Where the answer does not say it itself.
    pub fn put(self, response: &mut Response) {
        for (name, value) in &self.0 {
            response.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// What a request may take. The manual, `config/default.toml`, explains them under `[server]`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In bytes.
    pub max_body: usize,
    /// Routes that take more, by their patterns.
    pub larger_bodies: &'static [(&'static str, usize)],
    pub body_timeout: Duration,
    pub request_timeout: Duration,
}

impl From<&config::Server> for Limits {
    fn from(server: &config::Server) -> Self {
        Self {
            max_body: server.max_body,
            larger_bodies: &[],
            body_timeout: server.body_timeout,
            request_timeout: server.request_timeout,
        }
    }
}

/// The middleware; outermost around all routes of a listener.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    limits: Limits,
    routes: RouteTable,
    ids: Box<dyn Fn() -> String + Send + Sync>,
    signed: Box<dyn Fn(Rejection) -> Response + Send + Sync>,
    /// What requests are counted by.
    operations: Option<Operations>,
    parameters: Parameters,
}

impl Edge {
    /// `ids` makes request ids; `signed` answers rejections on routes of the signed API.
    pub fn new(
        limits: Limits,
        routes: RouteTable,
        ids: impl Fn() -> String + Send + Sync + 'static,
        signed: impl Fn(Rejection) -> Response + Send + Sync + 'static,
    ) -> Self {
        let (ids, signed) = (Box::new(ids), Box::new(signed));
        let parameters = Parameters::default();
        Self(Arc::new(Inner { limits, routes, ids, signed, operations: None, parameters }))
    }

    /// Count requests by these.
    #[must_use]
    pub fn counting(mut self, operations: Operations) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("it is not put around anything yet");
        inner.operations = Some(operations);
        self
    }

    /// Hold queries against these.
    #[must_use]
    pub fn taking(mut self, parameters: Parameters) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("it is not put around anything yet");
        inner.parameters = parameters;
        self
    }
}

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = AtEdge<E>;

    fn transform(&self, inner: E) -> Self::Output {
        AtEdge { edge: Arc::clone(&self.0), inner }
    }
}

pub struct AtEdge<E> {
    edge: Arc<Inner>,
    inner: E,
}

impl<E: Endpoint> Endpoint for AtEdge<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let id: Arc<str> = (self.edge.ids)().into();
        request.set_data(RequestId(Arc::clone(&id)));
        let place = Place::of(&request, &self.edge.routes);
        let watch = self.edge.cap_body(&mut request, &place);
        let line =
            RequestLine::begin(Arc::clone(&id), request.method(), place.route.clone(), Arc::clone(&watch))
                .counted(self.edge.operations.clone());

        let span = tracing::info_span!("request", id = &*id);
        let refusal = self.edge.refusal(&request, &place);
        let call = async {
            match refusal {
                Some(answer) => Ok(answer),
                None => self.inner.call(request).await.map(IntoResponse::into_response),
            }
        };
        let call = AssertUnwindSafe(call).catch_unwind();
        let outcome = tokio::time::timeout(self.edge.limits.request_timeout, call).instrument(span).await;
        let mut response = match outcome {
            Ok(Ok(Ok(answer))) => answer,
            Ok(Ok(Err(error))) => self.edge.refuse(error, &watch, &place),
            Ok(Err(_panic)) => self.edge.reject(Rejection::Panic, None, &place),
            Err(_elapsed) => self.edge.reject(Rejection::OutOfTime, None, &place),
        };
        let length = put_headers(&mut response, &id);
        line.end(&response, length);
        Ok(response)
    }
}

/// Where a request was addressed to.
struct Place {
    /// The route's pattern, if the table knows it.
    route: Option<Arc<str>>,
    method: Method,
    is_signed: bool,
    /// For `Allow`.
    methods: Option<HeaderValue>,
}

impl Place {
    fn of(request: &Request, routes: &RouteTable) -> Self {
        let path = request.uri().path();
        let route = routes.find(path);
        Self {
            route: route.map(|route| Arc::clone(&route.pattern)),
            method: request.method().clone(),
            is_signed: is_signed(path),
            methods: route.map(|route| route.allow.clone()),
        }
    }
}

/// Whether the path belongs to the signed API: `/api/…` or `/{platform}/api/…`, then a group and an operation.
fn is_signed(path: &str) -> bool {
    let is_group = |group: &str| matches!(group, "offline" | "online" | "jspay" | "common");
    let mut segments = path.strip_prefix('/').unwrap_or(path).splitn(4, '/');
    let segments = [(); 4].map(|()| segments.next());
    match segments {
        [Some("api"), Some(group), Some(_), _] if is_group(group) => true,
        [Some(_), Some("api"), Some(group), Some(_)] => is_group(group),
        _ => false,
    }
}

impl Inner {
    fn cap_body(&self, request: &mut Request, place: &Place) -> Arc<Watch> {
        let watch = Arc::new(Watch::default());
        let body = request.take_body();
        if !body.is_empty() {
            let Limits { max_body, larger_bodies, body_timeout, .. } = self.limits;
            let larger = larger_bodies.iter().find(|(pattern, _)| place.route.as_deref() == Some(*pattern));
            let max_body = larger.map_or(max_body, |(_, larger)| max_body.max(*larger));
            let capped = CappedBody::new(body.into(), max_body, body_timeout, Arc::clone(&watch));
            request.set_body(Body::from(BoxBody::new(capped)));
        }
        watch
    }

    /// To a query with a parameter that its operation does not take.
    fn refusal(&self, request: &Request, place: &Place) -> Option<Response> {
        let query = request.uri().query()?;
        self.parameters.refusal(place.route.as_deref()?, &place.method, query)
    }

    /// To a parameter that the framework could not read.
    fn unreadable(&self, error: &poem::Error, place: &Place) -> Option<Response> {
        let ParseParamError { name, .. } = error.downcast_ref()?;
        self.parameters.unreadable(place.route.as_deref()?, &place.method, name)
    }

    /// An error that brings an answer of its own is answered with it; the framework's bare ones are put into shape.
    fn refuse(&self, error: poem::Error, watch: &Watch, place: &Place) -> Response {
        let status = error.status();
        let cause = status.is_server_error().then(|| match error.source() {
            Some(source) => chain(source),
            None => error.to_string(),
        });
        let detail = (!status.is_server_error()).then(|| error.to_string());
        let unreadable = self.unreadable(&error, place);
        let is_own = error.is_from_response();
        let answer = error.into_response();
        let pattern = answer.data::<PathPattern>().cloned();
        let besides = answer.data::<Besides>().cloned();
        let remark = answer.data::<Remark>().cloned().unwrap_or_default();
        let mut response = match (unreadable, watch.fault()) {
            (Some(unreadable), _) => unreadable,
            _ if is_own || has_document(&answer) => answer,
            (None, Some(fault)) => self.reject(fault.into(), None, place),
            (None, None) => self.reject(status.into(), detail, place),
        };
        if let Some(pattern) = pattern {
            response.set_data(pattern);
        }
        if let Some(besides) = besides {
            besides.put(&mut response);
        }
        let code = response.data::<Remark>().and_then(|remark| remark.code).or(remark.code);
        response.set_data(Remark { code, cause: remark.cause.or(cause.map(Into::into)), ..remark });
        response
    }

    /// `detail` is the framework's own text about a request it could not read.
    fn reject(&self, rejection: Rejection, detail: Option<String>, place: &Place) -> Response {
        if place.is_signed {
            return (self.signed)(rejection);
        }
        let mut response = rejection.problem(detail);
        if let (Rejection::MethodNotAllowed, Some(methods)) = (rejection, &place.methods) {
            response.headers_mut().insert(header::ALLOW, methods.clone());
        }
        response
    }
}

/// Whether an answer is more than the plain text that poem makes of its errors.
fn has_document(answer: &Response) -> bool {
    let content_type = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| !content_type.starts_with("text/plain"))
}

/// Returns how long the body is, if that is known before it is sent.
fn put_headers(response: &mut Response, id: &str) -> Option<u64> {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    let id = HeaderValue::try_from(id).expect("an id is letters and digits");
    headers.insert(&X_REQUEST_ID, id);
    let body: BoxBody = response.take_body().into();
    let length = body.size_hint().exact();
    response.set_body(Body::from(body));
    length
}
