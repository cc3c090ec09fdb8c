//! Endpoints registered over the REST API, as a platform would.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::json;

use crate::{call, cast};

/// So many of the platform's, each at a path of its own of the shops, proven; their ids.
pub async fn register(gateway: SocketAddr, shops: SocketAddr, count: u32) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::new();
    for number in 1..=count {
        let new = json!({
            "url": format!("http://{shops}/hooks/{number}"),
            "format": "standard-webhooks",
            "eventTypes": ["order.paid"],
        });
        let made = call::post(gateway, "/v1/endpoints", cast::API_KEY, &new.to_string()).await?;
        let id = made["id"].as_str().context("an endpoint without an id")?.to_owned();
        call::post(gateway, &format!("/v1/endpoints/{id}/verify"), cast::API_KEY, "").await?;
        ids.push(id);
    }
    Ok(ids)
}
