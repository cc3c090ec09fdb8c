//! Whatever is refused is refused in one shape.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::harness::web::{self, Reply};
use crate::harness::{Backend, Stage};
use crate::on_both;

fn assert_problem(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let problem = reply.json();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)));
    assert_eq!(problem["type"], format!("urn:scangate:problem:{code}"));
    assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()));
    problem
}

#[tokio::test]
async fn every_refusal_is_a_problem_document() {
    let stage = Stage::set(Backend::Sqlite).await;
    let bearer = format!("Bearer {}", stage.world.keys.test);
    let send = async |method: Method, path: &str, content_type: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("content-type", content_type)];
        web::exchange(method, &stage.node().url(path), &headers, Bytes::from(body.to_owned())).await
    };
    let json = "application/json";
    let post = Method::POST;
    assert_problem(&send(post.clone(), "/v1/nothing", json, "{}").await, 404, "not_found");
    assert_problem(&send(Method::PUT, "/v1/merchants", json, "{}").await, 405, "method_not_allowed");
    assert_problem(
        &send(post.clone(), "/v1/merchants", "text/plain", "{}").await,
        415,
        "unsupported_media_type",
    );
    assert_problem(&send(post.clone(), "/v1/merchants", json, "{").await, 400, "not_json");
    assert_problem(
        &send(post.clone(), "/v1/merchants", json, r#"{"name":"a","name":"b"}"#).await,
        400,
        "not_json",
    );
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    assert_problem(&send(post.clone(), "/v1/merchants", json, &large).await, 413, "too_large");
    assert_problem(&send(post, "/v1/merchants", json, "{}").await, 422, "invalid");
    stage.strike().await;
}

#[tokio::test]
async fn every_wrong_field_is_named_by_its_pointer_and_unknown_ones_are_refused() {
    let stage = Stage::set(Backend::Sqlite).await;
    let long = "x".repeat(101);
    let reply = stage.post("/v1/merchants", json!({ "name": long, "reference": 7, "naem": "secret" })).await;
    let problem = assert_problem(&reply, 422, "invalid");
    let errors = problem["errors"].as_array().expect("a list");
    let mut pointers: Vec<&str> = errors.iter().filter_map(|error| error["pointer"].as_str()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/naem", "/name", "/reference"]);
    assert!(!reply.text().contains(&long) && !reply.text().contains("secret"));
    for (name, status) in
        [("x".repeat(100), 201), ("咖".repeat(100), 201), (String::new(), 422), ("a\0b".into(), 422)]
    {
        assert_eq!(stage.post("/v1/merchants", json!({ "name": name })).await.status, status, "{name}");
    }
    stage.strike().await;
}

on_both!(a_text_that_no_store_can_keep_finds_nothing_and_breaks_nothing, async |stage: &mut Stage| {
    for path in [
        "/v1/merchants/%00",
        "/v1/merchants/%F0%9F%8D%B5",
        "/v1/api-keys/%00",
        "/v1/accounts/%00",
        "/v1/stores/%00",
    ] {
        assert_eq!(stage.get(path).await.status, 404, "{path}");
    }
    for query in [
        "merchants?q=%00",
        "merchants?reference=%00",
        "audit?action=%00",
        "audit?subjectId=%00",
        "api-keys?merchantId=%00",
        "stores?merchantId=%00",
        "accounts?name=%00",
        "merchants?cursor=%00",
    ] {
        let status = stage.get(&format!("/v1/{query}")).await.status;
        assert!([400, 422].contains(&status), "{query}: {status}");
    }
});
