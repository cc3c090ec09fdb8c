use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use http::{Method, StatusCode};
use poem::{EndpointExt, Route, get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::LogFormat;
use crate::lifecycle;
use crate::telemetry::capture::Captured;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(100);
const LIMITS: Limits =
    Limits { max_body: 1000, larger_bodies: &[], body_timeout: LONG, request_timeout: LONG };
const ID: &str = "01HZX3J8Q0T4W6Y8A0C2E4G6J8";

fn signed(rejection: Rejection) -> Response {
    let mut response =
        Response::builder().content_type("application/json").body(format!("signed {rejection:?}"));
    response.set_data(Remark { code: Some(5), ..Remark::default() });
    response
}

#[derive(Debug, thiserror::Error)]
#[error("the outside")]
struct Layered(#[source] io::Error);

fn layered() -> Layered {
    Layered(io::Error::other("the inside"))
}

/// Routes that do what the tests need.
fn routes() -> impl Endpoint<Output = Response> {
    let echo = || {
        poem::endpoint::make(|mut request: Request| async move {
            Ok::<_, poem::Error>(request.take_body().into_bytes().await?.to_vec())
        })
    };
    // As extractors do: the reason becomes a text.
    let swallowed = poem::endpoint::make(|mut request: Request| async move {
        let body = request.take_body().into_bytes().await;
        body.map(|_| "read")
            .map_err(|error| poem::Error::from_string(error.to_string(), StatusCode::BAD_REQUEST))
    });
    let own = poem::endpoint::make_sync(|_| {
        let mut error = poem::Error::from_response(problem(StatusCode::CONFLICT, "taken", "It is taken."));
        error.set_data(Remark::failure(Some(31), &layered()));
        Err::<(), _>(error)
    });
    let broken = || poem::endpoint::make_sync(|_| Err::<(), _>(poem::error::InternalServerError(layered())));
    let page = poem::endpoint::make_sync(|_| {
        Response::builder()
            .header(header::CONTENT_SECURITY_POLICY, "script-src 'nonce-x'")
            .header("X-Request-Id", "the handler's")
            .body("page")
    });
    let panics = || poem::endpoint::make_sync(|_| -> &'static str { panic!("the inside") });
    let never = || poem::endpoint::make(|_| async { std::future::pending::<poem::Result<()>>().await });
    let id = poem::endpoint::make_sync(|request| {
        request.data::<RequestId>().map(|id| id.0.to_string()).unwrap_or_default()
    });
    Route::new()
        .at("/id", get(id))
        .at("/page", get(page))
        .at("/echo", post(echo()))
        .at("/swallowed", post(swallowed))
        .at("/own", get(own))
        .at("/broken", get(broken()))
        .at("/panic/:token", get(panics()))
        .at("/never/:token", get(never()))
        .at("/callback/notify/:token", post(echo()))
        .nest("/nested", Route::new().at("/:number", get(poem::endpoint::make_sync(|_| "nested"))))
        .at("/:platform/api/offline/qrcode", post(echo()))
        .at("/:platform/api/offline/broken", post(broken()))
        .at("/:platform/api/offline/panic", post(panics()))
        .at("/:platform/api/offline/never", post(never()))
        .map_to_response()
}

fn table() -> RouteTable {
    let get = ["/panic/{token}", "/never/{token}", "/echo"].map(|pattern| (pattern, Method::GET));
    let post = ["/echo", "/callback/notify/{token}"].map(|pattern| (pattern, Method::POST));
    RouteTable::new(get.into_iter().chain(post))
}

fn app(limits: Limits) -> impl Endpoint<Output = Response> {
    routes().with(Edge::new(limits, table(), || ID.to_owned(), signed))
}

async fn call(limits: Limits, method: Method, path: &str, body: &'static str) -> Response {
    let request = Request::builder().method(method).uri_str(path).body(body);
    app(limits).call(request).await.expect("the edge answers everything")
}

async fn text(response: Response) -> String {
    response.into_body().into_string().await.expect("the body is text")
}

async fn document(response: Response) -> serde_json::Value {
    assert_eq!(response.content_type(), Some("application/problem+json"));
    serde_json::from_str(&text(response).await).expect("the body is JSON")
}

/// Sends the bytes to a real server and reads until it closes the connection. `drip` sends one byte after another
/// for as long as the server listens.
async fn over_a_socket(limits: Limits, request: Vec<u8>, drip: bool) -> String {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = lifecycle::bind(address, "--listen").await.expect("port 0 is always free");
    let address = listener.local_addr().expect("it is bound");
    let settings = lifecycle::Settings {
        max_connections: 4,
        header_timeout: LONG,
        idle_timeout: LONG,
        shutdown_grace: LONG,
    };
    let stop = CancellationToken::new();
    let served = tokio::spawn(lifecycle::serve(listener, app(limits), settings, stop.clone()));
    let (mut reader, mut writer) = TcpStream::connect(address).await.expect("it listens").into_split();
    let send = async {
        writer.write_all(&request).await.expect("the server reads");
        let mut tick = tokio::time::interval(SHORT / 10);
        while drip && writer.write_all(b"x").await.is_ok() {
            tick.tick().await;
        }
    };
    let mut answer = Vec::new();
    let receive = async {
        // The connection is reset where the drip meets its end.
        let _ = reader.read_to_end(&mut answer).await;
    };
    tokio::time::timeout(LONG, async { tokio::join!(send, receive) }).await.expect("the server closes");
    stop.cancel();
    served.await.expect("serving does not panic");
    String::from_utf8(answer).expect("answers are text")
}

fn post_of(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn every_answer_carries_our_id_which_the_handler_knows_and_never_the_clients() {
    let request = Request::builder().uri_str("/id").header("X-Request-Id", "the client's").finish();
    let response = app(LIMITS).call(request).await.expect("the edge answers everything");
    assert_eq!(response.header("x-request-id"), Some(ID));
    assert_eq!(text(response).await, ID);
    assert_eq!(call(LIMITS, Method::GET, "/nothing", "").await.header("x-request-id"), Some(ID));
    assert_eq!(call(LIMITS, Method::GET, "/page", "").await.header("x-request-id"), Some(ID));
}

#[tokio::test]
async fn browsers_are_told_to_be_careful_and_a_pages_own_policy_stands() {
    let response = call(LIMITS, Method::GET, "/id", "").await;
    for (name, value) in HEADERS {
        assert_eq!(response.headers().get(&name), Some(&value), "{name}");
    }
    let response = call(LIMITS, Method::GET, "/page", "").await;
    assert_eq!(response.header("content-security-policy"), Some("script-src 'nonce-x'"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn what_no_route_takes_is_a_problem_document_and_405_names_the_methods() {
    let response = call(LIMITS, Method::GET, "/nothing", "").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let problem = document(response).await;
    assert_eq!((&problem["status"], &problem["code"]), (&404.into(), &"not_found".into()));

    let response = call(LIMITS, Method::DELETE, "/echo", "").await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.header("allow"), Some("GET, HEAD, POST"));
    assert_eq!(document(response).await["code"], "method_not_allowed");
}

#[tokio::test]
async fn the_signed_api_refuses_in_its_own_shape_with_status_200() {
    let hasty = Limits { request_timeout: SHORT, ..LIMITS };
    for (limits, method, path, rejection) in [
        (LIMITS, Method::POST, "/api/offline/nothing", "NotFound"),
        (LIMITS, Method::POST, "/a/b/c/api/offline/qrcode", ""),
        (LIMITS, Method::GET, "/demo/api/offline/qrcode", "MethodNotAllowed"),
        (LIMITS, Method::POST, "/demo/api/offline/broken", "Failed"),
        (LIMITS, Method::POST, "/demo/api/offline/panic", "Panic"),
        (hasty, Method::POST, "/demo/api/offline/never", "OutOfTime"),
        (Limits { max_body: 3, ..LIMITS }, Method::POST, "/demo/api/offline/qrcode", "TooLarge"),
    ] {
        let response = call(limits, method, path, "body").await;
        if rejection.is_empty() {
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            continue;
        }
        assert_eq!((response.status(), response.header("allow")), (StatusCode::OK, None), "{path}");
        assert_eq!(text(response).await, format!("signed {rejection}"), "{path}");
    }
}

#[test]
fn a_path_is_the_signed_apis_by_its_group_with_or_without_a_platform() {
    for path in
        ["/api/offline/qrcode", "/demo/api/common/payQuery", "/api/jspay/create/x", "/api/api/online/x"]
    {
        assert!(is_signed(path), "{path}");
    }
    for path in
        ["/", "", "/api", "/api/offline", "/api/v1/offline", "/demo/api/offline", "/x/y/api/offline/qrcode"]
    {
        assert!(!is_signed(path), "{path}");
    }
}

#[tokio::test]
async fn a_panic_and_a_failure_tell_nothing_of_the_inside() {
    for path in ["/panic/secret", "/broken"] {
        let response = call(LIMITS, Method::GET, path, "").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let problem = document(response).await;
        assert_eq!(problem["code"], "internal");
        assert!(!problem.to_string().contains("side"), "{problem}");
    }
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_answered_504() {
    let response = call(Limits { request_timeout: SHORT, ..LIMITS }, Method::GET, "/never/secret", "").await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(document(response).await["code"], "out_of_time");
}

#[tokio::test]
async fn an_error_with_an_answer_of_its_own_is_left_as_it_is() {
    let response = call(LIMITS, Method::GET, "/own", "").await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(document(response).await["code"], "taken");
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_byte_more_is_refused() {
    for limit in [4, 3] {
        let response = call(Limits { max_body: limit, ..LIMITS }, Method::POST, "/echo", "body").await;
        let expected = if limit == 4 { StatusCode::OK } else { StatusCode::PAYLOAD_TOO_LARGE };
        assert_eq!(response.status(), expected);
    }
}

#[tokio::test]
async fn what_an_extractor_makes_of_the_reason_does_not_change_it() {
    let response = call(Limits { max_body: 3, ..LIMITS }, Method::POST, "/swallowed", "body").await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(document(response).await["code"], "too_large");
}

#[tokio::test]
async fn an_oversize_body_is_refused_with_an_answer_the_client_can_read() {
    let body = "x".repeat(500_000);
    let declared = post_of("/echo", "Content-Length: 500000", &body);
    let chunked = post_of("/echo", "Transfer-Encoding: chunked", &format!("7a120\r\n{body}\r\n0\r\n\r\n"));
    for request in [declared, chunked] {
        let answer = over_a_socket(LIMITS, request, false).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("too_large"), "{answer}");
    }
    let announced = post_of("/echo", "Content-Length: 50000000", "");
    assert!(over_a_socket(LIMITS, announced, false).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_that_drips_is_refused_when_its_time_is_over() {
    let hasty = Limits { body_timeout: SHORT, ..LIMITS };
    for (path, expected) in [("/echo", "HTTP/1.1 408"), ("/demo/api/offline/qrcode", "HTTP/1.1 200")] {
        let answer = over_a_socket(hasty, post_of(path, "Content-Length: 900", ""), true).await;
        assert!(answer.starts_with(expected), "{answer}");
        assert!(answer.contains("too_slow") || answer.contains("signed TooSlow"), "{answer}");
    }
}

#[tokio::test]
async fn one_line_tells_of_a_request_by_its_pattern_and_never_by_its_path() {
    let (log, _guard) = Captured::start(LogFormat::Json, "info");
    call(LIMITS, Method::POST, "/callback/notify/secret?query=secret", "body").await;
    call(LIMITS, Method::GET, "/nested/secret", "").await;
    call(LIMITS, Method::GET, "/secret", "").await;
    call(Limits { request_timeout: SHORT, ..LIMITS }, Method::GET, "/never/secret", "").await;
    call(LIMITS, Method::from_bytes(b"SECRET").expect("a token"), "/api/offline/secret", "").await;
    let lines = log.lines();
    let told: Vec<_> =
        lines.iter().map(|line| format!("{} {} {}", line["method"], line["route"], line["status"])).collect();
    assert_eq!(
        told,
        [
            r#""POST" "/callback/notify/{token}" 200"#,
            r#""GET" "/nested/:number" 200"#,
            r#""GET" "unmatched" 404"#,
            r#""GET" "/never/{token}" 504"#,
            r#""other" "unmatched" 200"#,
        ]
    );
    assert!(!log.text().to_lowercase().contains("secret"), "{}", log.text());
    assert_eq!((&lines[0]["id"], &lines[0]["target"]), (&ID.into(), &"request".into()));
    assert_eq!((&lines[0]["received"], &lines[0]["sent"]), (&4.into(), &4.into()));
    assert!(lines[0]["duration_us"].is_u64());
    assert_eq!(lines[4]["code"], 5);
}

#[tokio::test]
async fn a_failure_is_logged_once_with_all_its_causes() {
    let (log, _guard) = Captured::start(LogFormat::Json, "info");
    call(LIMITS, Method::GET, "/broken", "").await;
    call(LIMITS, Method::POST, "/demo/api/offline/broken", "").await;
    call(LIMITS, Method::GET, "/own", "").await;
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in &lines {
        assert_eq!((&line["level"], &line["cause"]), (&"ERROR".into(), &"the outside: the inside".into()));
    }
    assert_eq!((&lines[1]["code"], &lines[2]["code"]), (&5.into(), &31.into()));
}

#[tokio::test]
async fn what_a_handler_logs_carries_the_requests_id() {
    let (log, _guard) = Captured::start(LogFormat::Json, "info");
    let speaks = poem::endpoint::make_sync(|_| tracing::info!("inside"));
    let app = speaks.with(Edge::new(LIMITS, RouteTable::default(), || ID.to_owned(), signed));
    app.call(Request::default()).await.expect("the edge answers everything");
    assert_eq!(log.lines()[0]["span"]["id"], ID);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_its_line_too() {
    let (log, _guard) = Captured::start(LogFormat::Json, "info");
    let going = call(LIMITS, Method::GET, "/never/secret", "");
    tokio::select! {
        biased;
        _ = going => panic!("it never answers"),
        () = std::future::ready(()) => {}
    }
    let line = log.lines().remove(0);
    assert_eq!((&line["status"], &line["route"]), (&499.into(), &"/never/{token}".into()));
}

#[tokio::test]
async fn ids_are_asked_for_once_per_request() {
    let given = Arc::new(Mutex::new(0));
    let count = Arc::clone(&given);
    let ids = move || {
        let mut given = count.lock().expect("no giver panics");
        *given += 1;
        format!("id-{given}")
    };
    let app = routes().with(Edge::new(LIMITS, table(), ids, signed));
    for expected in ["id-1", "id-2"] {
        let response = app.call(Request::builder().uri_str("/id").finish()).await.expect("it answers");
        assert_eq!(response.header("x-request-id"), Some(expected));
    }
    assert_eq!(*given.lock().expect("no giver panics"), 2);
}
