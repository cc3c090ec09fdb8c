//! One HTTP exchange on a connection of its own, with all that came back: the gateway's own outgoing client posts
//! only, and shows little of an answer's headers.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use url::Url;

use super::acts::soon;

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header is text"))
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {:?}", self.body))
    }
}

pub async fn get(url: &str) -> Reply {
    exchange(Method::GET, url, &[], Bytes::new()).await
}

pub async fn post_json(url: &str, document: impl Into<Bytes>) -> Reply {
    exchange(Method::POST, url, &[("content-type", "application/json")], document.into()).await
}

pub async fn exchange(method: Method, url: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
    let url = Url::parse(url).expect("a URL");
    soon(async {
        let address = url.socket_addrs(|| None).expect("an address")[0];
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(header::HOST, address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body)).expect("a request");
        let answer = sender.send_request(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes();
        connection.abort();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    })
    .await
}
