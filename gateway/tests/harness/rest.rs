//! A platform's system: calls the REST API with an API key. Whatever is answered is held against the contract.

use std::sync::LazyLock;

use bytes::Bytes;
use gateway::api;
use gateway::directory::access::Mode;
use gateway::directory::api_keys::new_key;
use http::Method;
use serde_json::Value;

use super::Stage;
use super::web::{self, Reply};

static CONTRACT: LazyLock<Value> = LazyLock::new(api::document);

/// API keys of this test's platforms.
pub struct Keys {
    pub test: String,
    pub live: String,
    /// The other platform's, for testing.
    pub other: String,
}

impl Default for Keys {
    fn default() -> Self {
        let key = |mode| new_key(mode).text.to_string();
        Self { test: key(Mode::Test), live: key(Mode::Live), other: key(Mode::Test) }
    }
}

impl Stage {
    pub async fn get(&self, path: &str) -> Reply {
        self.get_as(&self.world.keys.test, path).await
    }

    pub async fn get_as(&self, key: &str, path: &str) -> Reply {
        self.rest(Method::GET, path, &[("authorization", &format!("Bearer {key}"))], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.post_as(&self.world.keys.test, path, body).await
    }

    pub async fn post_as(&self, key: &str, path: &str, body: Value) -> Reply {
        self.rest(Method::POST, path, &[("authorization", &format!("Bearer {key}"))], Some(body)).await
    }

    /// With an `Idempotency-Key`.
    pub async fn post_once(&self, once: &str, path: &str, body: Value) -> Reply {
        let bearer = format!("Bearer {}", self.world.keys.test);
        self.rest(Method::POST, path, &[("authorization", &bearer), ("idempotency-key", once)], Some(body))
            .await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        let bearer = format!("Bearer {}", self.world.keys.test);
        self.rest(Method::PATCH, path, &[("authorization", &bearer)], Some(body)).await
    }

    /// One call of the REST API; `Value::Null` is no body.
    pub async fn rest(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let mut headers = headers.to_vec();
        let body = body.filter(|body| !body.is_null()).map(|body| body.to_string());
        if body.is_some() && headers.iter().all(|(name, _)| *name != "content-type") {
            headers.push(("content-type", "application/json"));
        }
        let body = Bytes::from(body.unwrap_or_default());
        let reply = web::exchange(method.clone(), &self.node().url(path), &headers, body).await;
        assert_keeps(&method, path, &reply);
        reply
    }

    /// A new API key of the platform's test key, with these scopes; for one of its merchants, if one is named.
    pub async fn api_key(&self, scopes: &[&str], merchant_id: Option<&str>) -> (String, String) {
        let mut body = serde_json::json!({ "name": "another", "scopes": scopes });
        if let Some(id) = merchant_id {
            body["merchantId"] = id.into();
        }
        let made = self.post("/v1/api-keys", body).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&made["id"]), text(&made["key"]["secret"]))
    }
}

/// Every operation under `/v1`: its path, its method, what the contract says of it.
pub fn operations() -> Vec<(&'static str, Method, &'static Value)> {
    let paths = CONTRACT["paths"].as_object().expect("there are paths");
    let rest = paths.iter().filter(|(path, _)| path.starts_with("/v1/"));
    let operations = rest.flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("an object by method");
        operations.iter().map(|(method, operation)| {
            (path.as_str(), method.to_uppercase().parse().expect("a method"), operation)
        })
    });
    operations.collect()
}

/// Those that take a credential.
pub fn guarded() -> Vec<(&'static str, Method, &'static Value)> {
    operations().into_iter().filter(|(.., operation)| operation["security"][0].is_object()).collect()
}

fn is_at(pattern: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(&path).all(|(expected, part)| expected.starts_with('{') || expected == part)
}

/// The answer is one that the contract names, with the content, the headers and the schema it names.
fn assert_keeps(method: &Method, path: &str, reply: &Reply) {
    let all = operations();
    let mut found: Vec<_> = all.iter().filter(|(at, by, _)| by == method && is_at(at, path)).collect();
    found.sort_by_key(|(at, ..)| at.matches('{').count());
    let Some((_, _, operation)) = found.first() else {
        return assert!([404, 405].contains(&reply.status), "{method} {path} is not in the contract");
    };
    let responses = &operation["responses"];
    let response = match &responses[reply.status.to_string()] {
        Value::Null if reply.status >= 400 => &responses["default"],
        response => response,
    };
    assert!(
        response.is_object(),
        "{method} {path} answers {}, which the contract does not name",
        reply.status
    );
    let content_type = reply.header("content-type").expect("every answer has a content type");
    let schema = &response["content"][content_type]["schema"];
    assert!(schema.is_object(), "{method} {path} answers {} as {content_type}", reply.status);
    if ["application/json", "application/problem+json"].contains(&content_type) {
        let mut schema = schema.clone();
        schema["components"] = CONTRACT["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).expect("the contract's schemas are schemas");
        let answer = reply.json();
        let breaches: Vec<_> = validator
            .iter_errors(&answer)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(breaches.is_empty(), "{method} {path} {}: {breaches:?} in {answer}", reply.status);
    }
    for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        let is_required = response["headers"][name]["required"] == true;
        assert!(!is_required || reply.header(&name.to_lowercase()).is_some(), "{method} {path} lacks {name}");
    }
}
