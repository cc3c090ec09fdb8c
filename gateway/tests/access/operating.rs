//! The operators' listener, and operators who call it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;

use bytes::Bytes;
use gateway::directory::acts::Actor;
use gateway::directory::operators::{NewOperator, Role, add};
use gateway::{api, lifecycle};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::Stage;
use crate::harness::web::{Reply, exchange};

pub const PASSWORD: &str = "correct horse battery";

/// The operators' listener of the stage's gateway.
pub struct Ops {
    address: SocketAddr,
    stop: CancellationToken,
}

impl Ops {
    pub async fn of(stage: &Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, stop) = (listener.local_addr().expect("an address"), CancellationToken::new());
        let settings = lifecycle::Settings::from(&stage.app().config.server);
        tokio::spawn(lifecycle::serve(listener, api::operators(stage.app()), settings, stop.clone()));
        Self { address, stop }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Value) -> Reply {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", &**bearer)).collect();
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        exchange(method, &format!("http://{}{path}", self.address), &headers, body).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.call(Method::GET, path, Some(token), Value::Null).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(token), body).await
    }

    pub async fn try_login(&self, name: &str, password: &str) -> Reply {
        let body = json!({ "name": name, "password": password });
        self.call(Method::POST, "/ops/v1/login", None, body).await
    }

    /// The token of an operator who logs in.
    pub async fn login(&self, name: &str) -> String {
        let reply = self.try_login(name, PASSWORD).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["token"].as_str().expect("a token").to_owned()
    }
}

impl Drop for Ops {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn someone(stage: &Stage, name: &str, role: Role, platform: Option<&str>) {
    let new = NewOperator {
        name: name.to_owned(),
        password: PASSWORD.to_owned(),
        role,
        platform: platform.map(str::to_owned),
    };
    add(stage.app(), new, &Actor::Command).await.expect("added");
}
