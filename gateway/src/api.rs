//! The route table of both listeners and the order of middleware, nothing else.

use std::sync::Arc;

use http::Method;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, Route, get, post};
use poem_openapi::{LicenseObject, OpenApiService};
use serde_json::Value;

pub mod callback;
pub mod caller;
pub mod docs;
pub mod edge;
pub mod freshness;
pub mod health;
pub mod merchant;
pub mod metrics;
pub mod ops;
pub mod platform;
pub mod rest;
pub mod scanforpay;
pub mod signed;
pub mod token;
mod webhooks;

use crate::app::App;
use crate::contract;
use edge::{Edge, Limits, Parameters, Rejection, RouteTable, address};
use merchant::deliveries::DeliveriesApi;
use merchant::endpoints::EndpointsApi;
use merchant::erase::EraseApi;
use merchant::events::EventsApi;
use merchant::feed::FeedApi;
use merchant::orders::OrdersApi;
use merchant::refunds::RefundsApi;
use merchant::replays::ReplaysApi;
use merchant::selfcheck::SelfCheckApi;
use merchant::service::ServiceApi;
use merchant::signature::SignatureApi;
use merchant::statement::StatementApi;
use merchant::timeline::TimelineApi;
use platform::accounts::AccountsApi;
use platform::api_keys::ApiKeysApi;
use platform::attention::AttentionApi;
use platform::audit::AuditApi;
use platform::export::ExportApi;
use platform::imports::ImportsApi;
use platform::merchants::MerchantsApi;
use platform::onboarding::OnboardingApi;
use platform::quarantine::QuarantineApi;
use platform::sign_keys::SignKeysApi;
use platform::statements::StatementsApi;
use platform::stores::StoresApi;
use token::TokenApi;
use webhooks::Webhooks;

/// Routes beside those of the contract and of the documentation: pattern, methods, and the name they are counted by.
const PUBLIC: [(&str, &[Method], &str); 5] = [
    ("/callback/account/{token}", &[Method::POST], "account_notice"),
    ("/callback/notify/{token}", &[Method::POST], "notice"),
    ("/callback/return/{token}", &[Method::GET, Method::POST], "return"),
    ("/health/live", &[Method::GET], "health"),
    ("/health/ready", &[Method::GET], "health"),
];

/// Routes beside those of the operators' document, all of them `GET`: pattern and name.
const OPERATORS: [(&str, &str); 3] =
    [("/health", "health"), ("/metrics", "metrics"), ("/ops/openapi.json", "docs")];

/// A thousand rows take more than other bodies.
const LARGER_BODIES: &[(&str, usize)] = &[
    ("/v1/onboarding", 2 * 1024 * 1024),
    ("/v1/merchants/{merchantId}/imports", 2 * 1024 * 1024),
    ("/v1/statements/check", 16 * 1024 * 1024),
];

/// All that the contract is made of.
type Apis = (
    signed::SignedApi,
    OrdersApi,
    (EraseApi, RefundsApi),
    (TimelineApi, EventsApi, FeedApi),
    (EndpointsApi, DeliveriesApi, ReplaysApi, ServiceApi),
    (StatementApi, SignatureApi, SelfCheckApi),
    TokenApi,
    MerchantsApi,
    SignKeysApi,
    OnboardingApi,
    ExportApi,
    ImportsApi,
    StoresApi,
    AccountsApi,
    ApiKeysApi,
    WatchApis,
);

/// Who changed what, and what does not add up. A tuple takes sixteen.
type WatchApis = (AuditApi, QuarantineApi, AttentionApi, StatementsApi);

/// What merchants, payers' browsers and the upstream reach.
pub fn public(app: &Arc<App>) -> impl IntoEndpoint<Endpoint = impl Endpoint + use<>> + use<> {
    let document = document();
    let table = Route::new()
        .at("/callback/account/:token", post(callback::account))
        .at("/callback/notify/:token", post(callback::notify))
        .at("/callback/return/:token", get(callback::come_back).post(callback::come_back))
        .at("/health/live", get(health::live))
        .at("/health/ready", get(health::ready));
    let library = docs::Library::about(&document);
    let known = routes(&document, library.paths());
    let routes = library.add_to(table).nest("/", service());
    let bare = app.config.server.bare_platform.clone();
    routes
        .around(rest::limited::said)
        .data(app.clone())
        .data(Arc::new(rest::Schemas::of(&document)))
        .before(move |request| std::future::ready(Ok(with_platform(request, &bare))))
        .before(address::find(&app.config.server))
        .with(edge(app, known).taking(Parameters::of(&document)))
}

/// What operators reach, on a listener of its own.
pub fn operators(app: &Arc<App>) -> impl IntoEndpoint<Endpoint = impl Endpoint + use<>> + use<> {
    let document = ops::document();
    let beside = OPERATORS.map(|(pattern, name)| (pattern.to_owned(), Method::GET, name.to_owned()));
    let known = contract_routes(&document).chain(beside).collect();
    Route::new()
        .at("/health", get(health::detail))
        .at("/metrics", get(metrics::metrics))
        .at("/ops/openapi.json", get(ops::openapi))
        .nest("/", ops::service())
        .data(app.clone())
        .data(Arc::new(rest::Schemas::of(&document)))
        .before(address::find(&app.config.server))
        .with(plain_edge(app, known).taking(Parameters::of(&document)))
}

/// The contract as OpenAPI 3.1.
pub fn document() -> Value {
    let spec = serde_json::from_str(&service().spec()).expect("poem-openapi writes JSON");
    contract::document(spec)
}

fn service() -> OpenApiService<Apis, Webhooks> {
    let apis: Apis = (
        signed::SignedApi,
        OrdersApi,
        (EraseApi, RefundsApi),
        (TimelineApi, EventsApi, FeedApi),
        (EndpointsApi, DeliveriesApi, ReplaysApi, ServiceApi),
        (StatementApi, SignatureApi, SelfCheckApi),
        TokenApi,
        MerchantsApi,
        SignKeysApi,
        OnboardingApi,
        ExportApi,
        ImportsApi,
        StoresApi,
        AccountsApi,
        ApiKeysApi,
        (AuditApi, QuarantineApi, AttentionApi, StatementsApi),
    );
    OpenApiService::new(apis, "ScanGate", env!("CARGO_PKG_VERSION"))
        .summary("WeChat Pay, Alipay and AlipayHK by QR code, for many merchants")
        .description(scanforpay::INTRODUCTION)
        .license(LicenseObject::new("Apache-2.0").identifier("Apache-2.0"))
        .webhooks::<Webhooks>()
}

/// Pattern, method, and the name it is counted by.
type Known = (String, Method, String);

/// Every route: the contract's, those beside it, and the documentation's files.
fn routes<'a>(document: &'a Value, files: impl Iterator<Item = &'a str>) -> Vec<Known> {
    let beside = PUBLIC.iter().flat_map(|(pattern, methods, name)| {
        methods.iter().map(|method| ((*pattern).to_owned(), method.clone(), (*name).to_owned()))
    });
    let files = files.map(|path| (path.to_owned(), Method::GET, "docs".to_owned()));
    contract_routes(document).chain(beside).chain(files).collect()
}

fn contract_routes(document: &Value) -> impl Iterator<Item = Known> {
    document["paths"].as_object().into_iter().flatten().flat_map(|(pattern, operations)| {
        operations.as_object().into_iter().flatten().filter_map(move |(method, operation)| {
            let name = operation["operationId"].as_str()?.to_owned();
            Some((pattern.clone(), method.to_uppercase().parse().ok()?, name))
        })
    })
}

fn table(known: &[Known]) -> RouteTable {
    RouteTable::new(known.iter().map(|(pattern, method, _)| (pattern.clone(), method.clone())))
}

/// `/api/…` is the one platform's that the operator named for it.
fn with_platform(mut request: Request, platform: &str) -> Request {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    if platform.is_empty() || !path.starts_with("/api/") {
        return request;
    }
    if let Ok(uri) = format!("/{platform}{path}").parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn edge(app: &Arc<App>, known: Vec<Known>) -> Edge {
    let routes = table(&known);
    let operations = app.metrics.requests.of(known);
    let (ids, app) = (app.chance.clone(), app.clone());
    let limits = Limits { larger_bodies: LARGER_BODIES, ..Limits::from(&app.config.server) };
    Edge::new(limits, routes, move || ids.id(), move |rejection| refused(&app, rejection))
        .counting(operations)
}

/// Of a listener that has no signed API.
fn plain_edge(app: &Arc<App>, known: Vec<Known>) -> Edge {
    let routes = table(&known);
    let operations = app.metrics.requests.of(known);
    let ids = app.chance.clone();
    let limits = Limits::from(&app.config.server);
    Edge::new(limits, routes, move || ids.id(), |rejection| rejection.problem(None)).counting(operations)
}

/// The signed API's answer to what no handler has seen.
fn refused(app: &App, rejection: Rejection) -> Response {
    use poem::IntoResponse;
    match rejection {
        // It may have been done: that must not read as a failure.
        Rejection::OutOfTime | Rejection::Panic | Rejection::Failed => caller::unheard(app).into_response(),
        _ => caller::stranger(app, "").into_response(),
    }
}
