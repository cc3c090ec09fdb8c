//! Against real listeners on loopback that behave well, badly, or not at all.

mod closing;
mod dialling;
mod leaving;
mod peer;
mod tls;

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use self::peer::Peer;
use super::*;

const SUCCESS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsuccess";

/// Far more than any test here needs; what is to run out has a time of its own.
const AMPLE: Limits = Limits { timeout: Duration::from_secs(30), max_body: 4096, overlong: Overlong::Cut };

const fn within(millis: u64) -> Limits {
    Limits { timeout: Duration::from_millis(millis), ..AMPLE }
}

fn url(text: &str) -> Url {
    text.parse().expect("a URL")
}

fn allowing(net: &str) -> AddressPolicy {
    AddressPolicy::new(vec![net.parse().expect("a network")], Vec::new())
}

/// Gives each answer once, in turn; after the last one names no longer resolve.
fn answering(answers: impl IntoIterator<Item = Vec<SocketAddr>>) -> Lookup {
    let answers: Mutex<VecDeque<_>> = Mutex::new(answers.into_iter().collect());
    Arc::new(move |_, _| {
        let answer = answers.lock().expect("nothing panics while it holds this").pop_front();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    })
}

async fn post(url: &Url, limits: Limits) -> Result<Reply, SendError> {
    Outgoing::for_upstream().post(url, &[], Bytes::from_static(b"{}"), limits).await
}

#[tokio::test]
async fn a_request_arrives_as_given_and_its_answer_comes_back() {
    let peer =
        Peer::saying("HTTP/1.1 503 Busy\r\nretry-after: 120\r\ncontent-length: 9\r\n\r\nnot today").await;
    let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let url = url(&format!("http://{}/notify/a?b=c&d=%20#fragment", peer.address));
    let reply = Outgoing::for_upstream().post(&url, &headers, Bytes::from_static(b"{\"a\":1}"), AMPLE).await;

    let expected = Reply {
        status: 503,
        retry_after: Some("120".to_owned()),
        body: Bytes::from_static(b"not today"),
        truncated: false,
    };
    assert_eq!(reply, Ok(expected));
    let [request] = &peer.requests()[..] else { panic!("one request") };
    let mut lines: Vec<&str> = request.lines().collect();
    assert_eq!(lines.remove(0), "POST /notify/a?b=c&d=%20 HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", peer.address);
    assert_eq!(lines, ["", "content-length: 7", "content-type: application/json", &host, "{\"a\":1}"]);
}

#[tokio::test]
async fn a_retry_after_that_is_long_or_not_text_is_left_out() {
    let long = "9".repeat(RETRY_AFTER_MAX + 1);
    for (value, passed) in [(&long[..], false), (&long[1..], true), ("f\u{fc}nf", false)] {
        let answer = format!("HTTP/1.1 429 No\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let reply = post(&Peer::saying(&answer).await.url(), AMPLE).await.expect("an answer");
        assert_eq!(reply.retry_after.is_some(), passed, "{value}");
    }
}

#[tokio::test]
async fn one_connection_serves_requests_that_follow_each_other() {
    let peer = Peer::saying(SUCCESS).await;
    let outgoing = Outgoing::for_upstream();
    for _ in 0..3 {
        let reply = outgoing.post(&peer.url(), &[], Bytes::new(), AMPLE).await.expect("an answer");
        assert_eq!(&reply.body[..], b"success");
    }
    assert_eq!((peer.connections(), peer.requests().len()), (1, 3));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Peer::saying(SUCCESS).await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url();
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let reply = post(&Peer::saying(&answer).await.url(), AMPLE).await.expect("an answer");
        assert_eq!(reply.status, status);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_peer_that_never_answers_leaves_a_request_that_was_sent() {
    let peer = Peer::start(|mut peer| async move { peer.linger().await }).await;
    assert_eq!(post(&peer.url(), within(500)).await, Err(SendError::TimedOut { sent: true }));
}

#[tokio::test]
async fn a_peer_that_answers_byte_by_byte_runs_out_of_the_same_time() {
    for start in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"] {
        let peer = Peer::start(move |mut peer| async move {
            peer.hear().await;
            peer.say(start).await;
            let mut drip = tokio::time::interval(Duration::from_millis(5));
            for byte in "HTTP/1.1 200 OK\r\nx: ".chars().chain(std::iter::repeat('x')) {
                drip.tick().await;
                if !peer.say(&byte.to_string()).await {
                    return;
                }
            }
        })
        .await;
        assert_eq!(post(&peer.url(), within(500)).await, Err(SendError::TimedOut { sent: true }));
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_in_time_leaves_nothing_sent() {
    let lookup: Lookup = Arc::new(|_, _| Box::pin(std::future::pending()));
    let outgoing = Outgoing::for_tenants_with(AddressPolicy::default(), lookup, Way::default());
    let outcome = outgoing.post(&url("http://shop.example/"), &[], Bytes::new(), within(50)).await;
    assert_eq!(outcome, Err(SendError::TimedOut { sent: false }));
}

#[tokio::test]
async fn a_tls_handshake_that_never_ends_leaves_nothing_sent() {
    let peer = Peer::start(|mut peer| async move { peer.linger().await }).await;
    let outcome = post(&url(&format!("https://{}/", peer.address)), within(500)).await;
    assert_eq!(outcome, Err(SendError::TimedOut { sent: false }));
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a_peer_that_hangs_up_may_have_received_the_request() {
    let beginnings = [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nsucc",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsucc\r\n",
        "220 mail.example ESMTP\r\n",
    ];
    for beginning in beginnings {
        let peer = Peer::start(move |mut peer| async move {
            peer.hear().await;
            peer.say(beginning).await;
        })
        .await;
        let error = post(&peer.url(), AMPLE).await.expect_err("no whole answer");
        assert!(matches!(error, SendError::Broken { sent: true, .. }), "{beginning:?}: {error:?}");
        assert_eq!(peer.requests().len(), 1, "{beginning:?}");
    }
}

#[tokio::test]
async fn headers_without_end_are_given_up() {
    let peer = Peer::start(|mut peer| async move {
        peer.hear().await;
        peer.say("HTTP/1.1 200 OK\r\n").await;
        while peer.say("x: and so on\r\n").await {}
    })
    .await;
    let error = post(&peer.url(), AMPLE).await.expect_err("no whole answer");
    assert!(matches!(error, SendError::Broken { sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_is_a_failed_connection_with_nothing_sent() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free loopback port");
    let address = free.local_addr().expect("a bound address");
    drop(free);
    let error = post(&url(&format!("http://{address}/")), AMPLE).await.expect_err("nobody there");
    assert!(matches!(error, SendError::Connect { .. }), "{error:?}");
    assert!(!error.sent());
}

#[tokio::test]
async fn a_name_without_an_address_is_told_from_a_failed_connection() {
    for answers in [vec![], vec![vec![]]] {
        let outgoing =
            Outgoing::for_tenants_with(AddressPolicy::default(), answering(answers), Way::default());
        let error = outgoing.post(&url("http://shop.example/"), &[], Bytes::new(), AMPLE).await;
        assert!(matches!(error, Err(SendError::Resolve { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_or_refused_at_the_limit() {
    for start in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n"] {
        let peer = Peer::start(move |mut peer| async move {
            peer.hear().await;
            peer.say(start).await;
            while peer.say("and so on, ").await {}
        })
        .await;
        let cut = post(&peer.url(), AMPLE).await.expect("an answer");
        assert_eq!((cut.status, cut.body.len(), cut.truncated), (200, AMPLE.max_body, true));
        let refused = post(&peer.url(), Limits { overlong: Overlong::Refuse, ..AMPLE }).await;
        assert_eq!(refused, Err(SendError::BodyTooLong { limit: AMPLE.max_body }));
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole_and_one_byte_more_is_not() {
    for framing in
        ["content-length: 7\r\n\r\nsuccess", "transfer-encoding: chunked\r\n\r\n7\r\nsuccess\r\n0\r\n\r\n"]
    {
        let peer = Peer::saying(&format!("HTTP/1.1 200 OK\r\n{framing}")).await;
        for (max_body, body, whole) in [(7, "success", true), (6, "succes", false), (0, "", false)] {
            let cut = post(&peer.url(), Limits { max_body, ..AMPLE }).await.expect("an answer");
            assert_eq!((&cut.body[..], cut.truncated), (body.as_bytes(), !whole), "{framing} {max_body}");
            let strict = post(&peer.url(), Limits { max_body, overlong: Overlong::Refuse, ..AMPLE }).await;
            assert_eq!(strict.is_ok(), whole, "{framing} {max_body}");
        }
    }
}

#[tokio::test]
async fn a_url_that_is_no_plain_http_is_not_requested() {
    for text in
        ["ftp://127.0.0.1/", "http://user@127.0.0.1/", "http://:pass@127.0.0.1/", "http://a\"b/", "data:,x"]
    {
        assert_eq!(post(&url(text), AMPLE).await, Err(SendError::Url), "{text}");
    }
}

#[tokio::test]
async fn no_error_names_path_token_header_body_or_answer() {
    let hung_up = Peer::start(|mut peer| async move {
        peer.hear().await;
        peer.say("HTTP/1.1 secret\r\nsecret\r\n\r\nsecret").await;
    })
    .await;
    let silent = Peer::start(|mut peer| async move { peer.linger().await }).await;
    let long = Peer::saying(SUCCESS).await;
    let lookup = answering([]);
    let outgoing = Outgoing::for_tenants_with(allowing("127.0.0.1/32"), lookup, Way::default());
    let header = [(HeaderName::from_static("x-key"), HeaderValue::from_static("secret"))];
    let limits = Limits { max_body: 3, overlong: Overlong::Refuse, ..within(200) };
    let hosts = [
        format!("http://{}", hung_up.address),
        format!("http://{}", silent.address),
        format!("http://{}", long.address),
        format!("https://{}", long.address),
        "http://127.0.0.1:1".to_owned(),
        "http://10.0.0.1".to_owned(),
        "http://unknown.example".to_owned(),
        "http://secret:secret@127.0.0.1".to_owned(),
    ];
    for host in hosts {
        let url = url(&format!("{host}/callback/notify/secret?key=secret"));
        let body = Bytes::from_static(b"secret");
        let error = outgoing.post(&url, &header, body, limits).await.expect_err("each fails in its own way");
        let told = format!("{error} {error:?} {:?}", error.source());
        assert!(!told.contains("secret") && !told.contains("notify"), "{host}: {told}");
    }
    let reply = post(&long.url(), AMPLE).await.expect("an answer");
    assert!(!format!("{reply:?}").contains("success"), "{reply:?}");
}

#[test]
fn a_reason_is_one_short_line() {
    let error = io::Error::other(format!("line\nbreak\u{1b}[31m{}", "x".repeat(500)));
    let reason = reason(&error);
    assert!(reason.starts_with("linebreak[31mxxx"), "{reason}");
    assert_eq!(reason.chars().count(), REASON_MAX);
}
