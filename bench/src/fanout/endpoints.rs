//! Endpoints registered over the REST API, as a platform would.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{cast, http1};

/// So many of the platform's, each at a path of its own of the shops, proven.
pub async fn register(gateway: SocketAddr, shops: SocketAddr, count: u32) -> anyhow::Result<()> {
    for number in 1..=count {
        let new = json!({
            "url": format!("http://{shops}/hooks/{number}"),
            "format": "standard-webhooks",
            "eventTypes": ["order.paid"],
        });
        let made = post(gateway, "/v1/endpoints", &new.to_string()).await?;
        let id = made["id"].as_str().context("an endpoint without an id")?;
        post(gateway, &format!("/v1/endpoints/{id}/verify"), "").await?;
    }
    Ok(())
}

async fn post(gateway: SocketAddr, path: &str, body: &str) -> anyhow::Result<Value> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        cast::API_KEY,
        body.len()
    );
    let mut stream = TcpStream::connect(gateway).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let status = http1::status(&answer);
    let text = String::from_utf8_lossy(&answer);
    ensure!((200..300).contains(&status), "POST {path} was answered {text}");
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    serde_json::from_str(body).with_context(|| format!("POST {path} was answered {text}"))
}
