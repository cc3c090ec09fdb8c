//! One small document per rewrite rule of the document and its operations.

use super::*;

/// A document with one operation, `POST /orders`.
fn with_operation(operation: &Value) -> Value {
    json!({ "openapi": "3.0.0", "info": {}, "servers": [], "tags": [], "paths": { "/orders": { "post": operation } } })
}

/// That operation after the conversion.
fn converted(operation: &Value) -> Value {
    document(with_operation(operation))["paths"]["/orders"]["post"].take()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_version_is_said_first_and_paths_come_before_webhooks() {
    let spec =
        json!({ "webhooks": {}, "x-more": 1, "paths": {}, "components": {}, "info": {}, "openapi": "3.0.0" });
    let document = document(spec);
    assert_eq!(document["openapi"], "3.1.1");
    assert_eq!(keys(&document), ["openapi", "info", "servers", "paths", "webhooks", "components", "x-more"]);
}

#[test]
fn a_licence_keeps_its_identifier_and_loses_the_url() {
    let licensed =
        |license: Value| document(json!({ "info": { "license": license } }))["info"]["license"].take();
    let (name, url) = ("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0");
    assert_eq!(
        licensed(json!({ "name": name, "identifier": name, "url": url })),
        json!({ "name": name, "identifier": name })
    );
    assert_eq!(licensed(json!({ "name": name, "url": url })), json!({ "name": name, "url": url }));
}

#[test]
fn without_servers_the_document_is_about_its_own() {
    assert_eq!(document(json!({ "servers": [] }))["servers"], json!([{ "url": "/" }]));
    let named = json!([{ "url": "https://pay.example.com" }]);
    assert_eq!(document(json!({ "servers": named }))["servers"], named);
}

#[test]
fn a_public_operation_says_that_it_is_public() {
    assert_eq!(converted(&json!({ "responses": {} }))["security"], json!([]));
}

#[test]
fn a_guarded_operation_keeps_its_guard() {
    let guarded = json!({ "responses": {}, "security": [{ "key": [] }] });
    assert_eq!(converted(&guarded)["security"], json!([{ "key": [] }]));
}

#[test]
fn webhooks_are_converted_as_operations_are() {
    let spec =
        json!({ "webhooks": { "paid": { "post": { "responses": { "200": { "description": "" } } } } } });
    let webhook = document(spec)["webhooks"]["paid"]["post"].take();
    assert_eq!(webhook["security"], json!([]));
    assert_eq!(webhook["responses"]["200"]["description"], "OK");
}

#[test]
fn an_empty_description_of_an_answer_is_filled_in() {
    let responses = json!({ "responses": {
        "200": { "description": "Placed" },
        "404": { "description": "" },
        "default": { "description": "" },
    } });
    let responses = converted(&responses)["responses"].take();
    assert_eq!(responses["200"]["description"], "Placed");
    assert_eq!(responses["404"]["description"], "Not Found");
    assert_eq!(responses["default"]["description"], "Any other outcome");
}

#[test]
fn media_types_lose_the_charset_in_bodies_and_answers() {
    let content =
        json!({ "application/json; charset=utf-8": { "schema": { "type": "string", "example": "a" } } });
    let plain = json!({ "application/json": { "schema": { "type": "string", "examples": ["a"] } } });
    let operation = json!({
        "requestBody": { "content": content },
        "responses": { "200": { "description": "d", "content": content } },
    });
    let operation = converted(&operation);
    assert_eq!(operation["requestBody"]["content"], plain);
    assert_eq!(operation["responses"]["200"]["content"], plain);
}

#[test]
fn an_event_stream_loses_its_array() {
    let content = json!({ "text/event-stream": { "schema": { "type": "array", "items": { "type": "string", "example": "a" } } } });
    let operation = converted(&json!({ "responses": { "200": { "description": "d", "content": content } } }));
    let schema = &operation["responses"]["200"]["content"]["text/event-stream"]["schema"];
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["properties"]["data"]["contentSchema"], json!({ "type": "string", "examples": ["a"] }));
}

#[test]
fn headers_get_their_usual_spelling_back() {
    let header = json!({ "deprecated": false, "schema": { "type": "integer", "minimum": 1.0 } });
    let responses = json!({ "200": { "description": "d", "headers": {
        "RETRY-AFTER": header, "RATELIMIT-POLICY": header, "WWW-AUTHENTICATE": header, "x-Mine": header,
    } } });
    let operation = converted(&json!({ "responses": responses }));
    let headers = &operation["responses"]["200"]["headers"];
    assert_eq!(keys(headers), ["Retry-After", "RateLimit-Policy", "WWW-Authenticate", "x-Mine"]);
    assert_eq!(headers["Retry-After"], json!({ "schema": { "type": "integer", "minimum": 1 } }));
}

#[test]
fn parameters_lose_what_only_repeats_the_default() {
    let parameters = json!([
        { "name": "platform", "in": "path", "required": true, "deprecated": false, "explode": true, "schema": { "example": "demo" } },
        { "name": "IDEMPOTENCY-KEY", "in": "header", "deprecated": true, "explode": false },
    ]);
    assert_eq!(
        converted(&json!({ "parameters": parameters, "responses": {} }))["parameters"],
        json!([
            { "name": "platform", "in": "path", "required": true, "schema": { "examples": ["demo"] } },
            { "name": "Idempotency-Key", "in": "header", "deprecated": true, "explode": false },
        ])
    );
}

#[test]
fn tags_come_in_the_order_of_the_operations() {
    let tagged = |tag: &str| json!({ "post": { "tags": [tag], "responses": {} } });
    let spec = json!({
        "tags": [{ "name": "Alpha" }, { "name": "Hooks" }, { "name": "Never" }, { "name": "Zulu" }],
        "webhooks": { "w": tagged("Hooks") },
        "paths": { "/z": tagged("Zulu"), "/a": tagged("Alpha") },
    });
    let document = document(spec);
    let names: Vec<_> = document["tags"].as_array().into_iter().flatten().map(|tag| &tag["name"]).collect();
    assert_eq!(names, ["Zulu", "Alpha", "Hooks", "Never"]);
}

#[test]
fn tags_are_grouped_by_their_readers() {
    let tagged = |tag: &str| json!({ "post": { "tags": [tag], "responses": {} } });
    let names = ["Hooks", "Signed API", "Merchants", "People"];
    let spec = json!({
        "tags": names.map(|name| json!({ "name": name })),
        "paths": { "/{platform}/a": tagged("Signed API"), "/v1/a": tagged("Merchants"), "/ops/v1/a": tagged("People") },
        "webhooks": { "w": tagged("Hooks") },
    });
    assert_eq!(
        document(spec)["x-tagGroups"],
        json!([
            { "name": "Shop developer", "tags": ["Signed API"] },
            { "name": "Platform", "tags": ["Merchants"] },
            { "name": "Operator", "tags": ["People"] },
            { "name": "What you are sent", "tags": ["Hooks"] },
        ])
    );
    assert_eq!(document(json!({ "tags": [] }))["x-tagGroups"], Value::Null);
}

#[test]
fn components_are_converted() {
    let spec = json!({ "components": { "schemas": { "Order": { "type": "object", "example": {} } } } });
    let order = document(spec)["components"]["schemas"]["Order"].take();
    assert_eq!(order, json!({ "type": "object", "examples": [{}] }));
}

#[test]
fn yaml_says_the_same_as_the_document() {
    let document = document(with_operation(
        &json!({ "description": "One.\n\nTwo: `x`", "responses": { "200": { "description": "" } } }),
    ));
    let read: Value = serde_yaml_ng::from_str(&yaml(&document)).expect("what was written can be read");
    assert_eq!(read, document);
}
