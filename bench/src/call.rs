//! Calls of the gateway's REST APIs, one connection each, that no clock runs for.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http1;

/// The answer's JSON; an error where it is no success.
pub async fn get(server: SocketAddr, path: &str, token: &str) -> anyhow::Result<Value> {
    json_of(path, &call(server, "GET", path, token, "").await?)
}

/// The same for a POST of JSON, or of nothing.
pub async fn post(server: SocketAddr, path: &str, token: &str, body: &str) -> anyhow::Result<Value> {
    json_of(path, &call(server, "POST", path, token, body).await?)
}

/// Whether it is answered with a success.
pub async fn is_well(server: SocketAddr, path: &str) -> bool {
    call(server, "GET", path, "", "").await.is_ok()
}

fn json_of(path: &str, body: &str) -> anyhow::Result<Value> {
    serde_json::from_str(body).with_context(|| format!("{path} was answered {body}"))
}

async fn call(
    server: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(request(method, path, token, body).as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let status = http1::status(&answer);
    let text = String::from_utf8_lossy(&answer);
    ensure!((200..300).contains(&status), "{method} {path} was answered {text}");
    Ok(text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// A whole request, after whose answer the connection is closed.
pub fn request(method: &str, path: &str, token: &str, body: &str) -> String {
    let token = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\n{token}content-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    )
}
