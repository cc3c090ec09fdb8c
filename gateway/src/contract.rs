//! The published contract. poem-openapi writes `openapi: 3.0.0` with 3.1's `webhooks` and `summary` in it,
//! which validators refuse as either; here it becomes a proper 3.1.1. This file rewrites the document and its
//! operations, `schema` the schemas in them.

mod schema;

use poem::http::StatusCode;
use serde_json::{Map, Value, json};

const VERSION: &str = "3.1.1";

/// The document's members in reading order.
const MEMBERS: [&str; 8] =
    ["openapi", "info", "servers", "tags", "paths", "webhooks", "components", "externalDocs"];

/// The tags that a shop's developer reads.
const SHOP_TAGS: [&str; 1] = ["Signed API"];

/// Who reads the tags, in the order in which they are shown. Viewers put the messages behind the last one.
const READERS: [&str; 4] = ["Shop developer", "Platform", "Operator", "What you are sent"];

/// poem-openapi spells every header in upper case, which loses these.
const HEADER_SPELLINGS: [&str; 4] = ["ETag", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"];

/// The 3.1.1 document that says what poem-openapi's `spec_3_0` means.
pub fn document(spec_3_0: Value) -> Value {
    let Value::Object(mut spec) = spec_3_0 else { return spec_3_0 };
    spec.insert("openapi".into(), VERSION.into());
    if let Some(license) = spec.get_mut("info").and_then(|info| info.get_mut("license")) {
        keep_one_license_reference(license);
    }
    if spec.get("servers").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("servers".into(), json!([{ "url": "/" }]));
    }
    for place in ["paths", "webhooks"] {
        spec.get_mut(place).into_iter().flat_map(operations_mut).for_each(operation);
    }
    close_bodies(&mut spec);
    for schema in members_mut(spec.get_mut("components").and_then(|parts| parts.get_mut("schemas"))) {
        schema::convert(schema);
    }
    order_tags(&mut spec);
    group_tags(&mut spec);
    in_reading_order(spec)
}

/// The document as YAML: what `openapi.yaml` holds.
pub fn yaml(document: &Value) -> String {
    serde_yaml_ng::to_string(document).expect("every JSON value can be written as YAML")
}

/// Unknown fields are refused in every body that is held against its schema: all but the signed API's, which passes
/// them on, and forms, in which OAuth 2 wants them ignored.
fn close_bodies(spec: &mut Map<String, Value>) {
    for name in bodies_of(spec) {
        let schemas = spec.get_mut("components").and_then(|parts| parts.get_mut("schemas"));
        if let Some(schema) = schemas.and_then(|schemas| schemas.get_mut(&name))
            && schema["type"] == "object"
            && schema.get("additionalProperties").is_none()
        {
            schema["additionalProperties"] = Value::Bool(false);
        }
    }
}

/// The names of the schemas of `/v1`'s request bodies, and of those within them.
pub fn bodies(document: &Value) -> Vec<String> {
    document.as_object().map(bodies_of).unwrap_or_default()
}

fn bodies_of(spec: &Map<String, Value>) -> Vec<String> {
    let paths = spec.get("paths").and_then(Value::as_object).into_iter().flatten();
    let rest = paths.filter(|(path, _)| path.starts_with("/v1/") || path.starts_with("/ops/"));
    let rest = rest.filter_map(|(_, path)| path.as_object());
    let taken = rest.flat_map(Map::values).filter_map(|operation| operation.get("requestBody"));
    let taken = taken.filter(|body| body["content"].get("application/x-www-form-urlencoded").is_none());
    let mut open: Vec<String> = taken.flat_map(references).collect();
    let mut found: Vec<String> = Vec::new();
    while let Some(name) = open.pop() {
        if !found.contains(&name) {
            let schema = spec.get("components").and_then(|parts| parts.get("schemas")?.get(&name));
            open.extend(schema.into_iter().flat_map(references));
            found.push(name);
        }
    }
    found
}

/// The names of the schemas that a part of the document refers to.
fn references(part: &Value) -> Vec<String> {
    match part {
        Value::Object(members) => {
            let own =
                members.get("$ref").and_then(Value::as_str).and_then(|target| target.rsplit('/').next());
            own.map(str::to_owned).into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// 3.1 allows the SPDX identifier or the URL, not both.
fn keep_one_license_reference(license: &mut Value) {
    if let Value::Object(license) = license
        && license.contains_key("identifier")
    {
        license.shift_remove("url");
    }
}

fn operations_mut(paths: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    members_mut(Some(paths)).flat_map(|path| members_mut(Some(path))).filter_map(Value::as_object_mut)
}

fn members_mut(object: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    object.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
}

fn operation(operation: &mut Map<String, Value>) {
    // Said aloud that no credentials are needed: poem-openapi leaves it out, and a reader cannot tell that
    // from forgotten.
    operation.entry("security").or_insert_with(|| json!([]));
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        convert_parameter(parameter);
    }
    if let Some(request) = operation.get_mut("requestBody").and_then(Value::as_object_mut) {
        convert_content(request);
    }
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for (status, response) in responses.into_iter().flatten() {
        if let Value::Object(response) = response {
            convert_response(status, response);
        }
    }
}

fn convert_parameter(parameter: &mut Value) {
    let Value::Object(parameter) = parameter else { return };
    drop_defaults(parameter);
    if parameter.get("in").is_some_and(|place| place == "header")
        && let Some(Value::String(name)) = parameter.get_mut("name")
    {
        *name = header_name(name);
    }
    parameter.get_mut("schema").into_iter().for_each(schema::convert);
}

/// Members poem-openapi writes although they only repeat the default.
fn drop_defaults(parameter: &mut Map<String, Value>) {
    for (member, default) in [("deprecated", false), ("explode", true)] {
        if parameter.get(member).is_some_and(|value| value == default) {
            parameter.shift_remove(member);
        }
    }
}

fn convert_response(status: &str, response: &mut Map<String, Value>) {
    if response.get("description").is_none_or(|description| description == "") {
        response.insert("description".into(), reason(status).into());
    }
    if let Some(Value::Object(headers)) = response.get_mut("headers") {
        *headers = std::mem::take(headers).into_iter().map(|(name, h)| (header_name(&name), h)).collect();
        for header in headers.values_mut().filter_map(Value::as_object_mut) {
            drop_defaults(header);
            header.get_mut("schema").into_iter().for_each(schema::convert);
        }
    }
    convert_content(response);
}

fn reason(status: &str) -> &'static str {
    let status = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.and_then(|status| status.canonical_reason()).unwrap_or("Any other outcome")
}

/// `RETRY-AFTER` → `Retry-After`; a name with lower case in it was spelled by hand and stays.
fn header_name(name: &str) -> String {
    if name.chars().any(|letter| letter.is_ascii_lowercase()) {
        return name.to_owned();
    }
    if let Some(spelling) = HEADER_SPELLINGS.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
        return spelling.to_owned();
    }
    let mut starts_word = true;
    let spelled = name.chars().map(|letter| {
        let spelled = if starts_word { letter } else { letter.to_ascii_lowercase() };
        starts_word = letter == '-';
        spelled
    });
    spelled.collect()
}

/// Rewrite the `content` of a request body or a response.
fn convert_content(owner: &mut Map<String, Value>) {
    let Some(Value::Object(content)) = owner.get_mut("content") else { return };
    *content = std::mem::take(content)
        .into_iter()
        .map(|(media_type, mut medium)| {
            // JSON is UTF-8 by its own standard, and with the parameter clients miss the plain name.
            let media_type = media_type.trim_end_matches("; charset=utf-8").to_owned();
            if let Some(schema) = medium.get_mut("schema") {
                if media_type == "text/event-stream" {
                    schema::describe_one_event(schema);
                }
                schema::convert(schema);
            }
            (media_type, medium)
        })
        .collect();
}

/// Tags as the operations first name them; poem-openapi sorts them by name.
fn order_tags(spec: &mut Map<String, Value>) {
    let mut named: Vec<String> = Vec::new();
    for place in ["paths", "webhooks"] {
        for operation in spec.get_mut(place).into_iter().flat_map(operations_mut) {
            let tags = operation.get("tags").and_then(Value::as_array).into_iter().flatten();
            named.extend(tags.filter_map(Value::as_str).map(str::to_owned));
        }
    }
    if let Some(Value::Array(tags)) = spec.get_mut("tags") {
        let place =
            |tag: &Value| named.iter().position(|name| tag["name"] == name.as_str()).unwrap_or(usize::MAX);
        tags.sort_by_key(place);
    }
}

/// The extension by which viewers group tags, here by who reads them.
fn group_tags(spec: &mut Map<String, Value>) {
    let tags = spec.get("tags").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = tags.filter_map(|tag| tag["name"].as_str()).collect();
    let groups: Vec<Value> = READERS
        .iter()
        .map(|reader| {
            (reader, names.iter().filter(|tag| reader_of(spec, tag) == *reader).collect::<Vec<_>>())
        })
        .filter(|(_, tags)| !tags.is_empty())
        .map(|(reader, tags)| json!({ "name": reader, "tags": tags }))
        .collect();
    if !groups.is_empty() {
        spec.insert("x-tagGroups".into(), groups.into());
    }
}

fn reader_of(spec: &Map<String, Value>, tag: &str) -> &'static str {
    let [shop, platform, operator, told] = READERS;
    let has_tag = |operation: &Value| {
        operation["tags"].as_array().is_some_and(|tags| tags.iter().any(|one| one == tag))
    };
    let mut paths = spec.get("paths").and_then(Value::as_object).into_iter().flatten();
    let path = paths.find(|(_, path)| path.as_object().is_some_and(|path| path.values().any(has_tag)));
    match path {
        _ if SHOP_TAGS.contains(&tag) => shop,
        Some((path, _)) if path.starts_with("/ops/") => operator,
        Some(_) => platform,
        None => told,
    }
}

fn in_reading_order(mut spec: Map<String, Value>) -> Value {
    let mut ordered: Map<String, Value> = MEMBERS
        .into_iter()
        .filter_map(|name| spec.shift_remove(name).map(|member| (name.to_owned(), member)))
        .collect();
    ordered.append(&mut spec);
    Value::Object(ordered)
}

#[cfg(test)]
mod tests;
