//! The parameters that operations of the REST APIs take, from the contract: what a query has besides is refused instead of
//! ignored, and what cannot be read is told in words.

use std::collections::HashMap;

use http::Method;
use poem::Response;
use serde_json::Value;

use super::rejection;

/// By the route's pattern and the method.
#[derive(Default)]
pub struct Parameters(HashMap<(String, Method), Vec<Parameter>>);

struct Parameter {
    name: String,
    is_of_query: bool,
    /// What its value must be.
    must_be: String,
}

impl Parameters {
    /// Of all operations of `document` (OpenAPI 3.1) that say of a wrong parameter what is wrong.
    pub fn of(document: &Value) -> Self {
        let paths = document["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(pattern, operations)| {
            operations.as_object().into_iter().flatten().map(move |(method, it)| (pattern, method, it))
        });
        let table = operations.filter_map(|(pattern, method, operation)| {
            operation["responses"].get("422")?;
            let method = method.to_uppercase().parse().ok()?;
            let listed = operation["parameters"].as_array().into_iter().flatten();
            let parameters = listed.map(|parameter| Parameter::of(document, parameter)).collect();
            Some(((pattern.clone(), method), parameters))
        });
        Self(table.collect())
    }

    /// The answer to a query with a parameter that the operation does not take.
    pub fn refusal(&self, pattern: &str, method: &Method, query: &str) -> Option<Response> {
        let takes = self.get(pattern, method)?;
        let mut of_query = takes.iter().filter(|parameter| parameter.is_of_query);
        let given = url::form_urlencoded::parse(query.as_bytes());
        let mut unknown = given.filter(|(name, _)| !of_query.clone().any(|takes| takes.name == *name));
        let (name, _) = unknown.next()?;
        let names: Vec<&str> = of_query.by_ref().map(|parameter| parameter.name.as_str()).collect();
        let detail = match &names[..] {
            [] => "is no parameter of this call, which takes none".to_owned(),
            names => format!("is no parameter of this call, which takes {}", names.join(", ")),
        };
        Some(rejection::wrong_parameter(&name, &detail))
    }

    /// The answer where the framework could not read a parameter.
    pub fn unreadable(&self, pattern: &str, method: &Method, name: &str) -> Option<Response> {
        let parameter = self.get(pattern, method)?.iter().find(|parameter| parameter.name == name)?;
        Some(rejection::wrong_parameter(name, &parameter.must_be))
    }

    fn get(&self, pattern: &str, method: &Method) -> Option<&Vec<Parameter>> {
        // The framework answers HEAD wherever it answers GET.
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        self.0.get(&(pattern.to_owned(), method))
    }
}

impl Parameter {
    fn of(document: &Value, parameter: &Value) -> Self {
        Self {
            name: parameter["name"].as_str().unwrap_or_default().to_owned(),
            is_of_query: parameter["in"] == "query",
            must_be: format!("must be {}", form(document, &parameter["schema"])),
        }
    }
}

/// What a schema takes, in words.
fn form(document: &Value, schema: &Value) -> String {
    let name = schema["$ref"].as_str().and_then(|target| target.rsplit('/').next());
    if let Some(name) = name {
        return form(document, &document["components"]["schemas"][name]);
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", words.join(", "));
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("array"), _) => form(document, &schema["items"]),
        (Some("integer" | "number"), _) => match (&schema["minimum"], &schema["maximum"]) {
            (Value::Null, _) | (_, Value::Null) => "a number".to_owned(),
            (least, most) => format!("a number from {least} to {most}"),
        },
        (Some("boolean"), _) => "true or false".to_owned(),
        (_, Some("date-time")) => "a time as RFC 3339 has it, such as 2026-01-31T08:00:00Z".to_owned(),
        (_, Some("date")) => "a day, such as 2026-01-31".to_owned(),
        _ => match (&schema["minLength"], &schema["maxLength"]) {
            (_, Value::Null) => "as the contract says".to_owned(),
            (Value::Null, most) => {
                format!("text of at most {most} characters, none of which controls anything")
            }
            (least, most) => {
                format!("text of {least} to {most} characters, none of which controls anything")
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameters() -> Parameters {
        let time = json!({ "type": "string", "format": "date-time" });
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 100 });
        let kinds = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Kind" } });
        let query = |name: &str, schema: &Value| json!({ "name": name, "in": "query", "schema": schema });
        Parameters::of(&json!({
            "paths": {
                "/v1/events": { "get": {
                    "responses": { "422": {} },
                    "parameters": [query("limit", &limit), query("type", &kinds), query("from", &time)],
                }},
                "/health": { "get": { "responses": {}, "parameters": [] } },
                "/v1/reset": { "post": { "responses": { "422": {} } } },
            },
            "components": { "schemas": { "Kind": { "type": "string", "enum": ["a.b", "c.d"] } } },
        }))
    }

    async fn said(answer: Option<Response>) -> Option<String> {
        let body = answer?.take_body().into_string().await.expect("text");
        let document: Value = serde_json::from_str(&body).expect("JSON");
        let wrong = &document["errors"][0];
        Some(format!("{} {}", wrong["parameter"].as_str()?, wrong["detail"].as_str()?))
    }

    #[tokio::test]
    async fn what_a_call_does_not_take_is_refused_with_what_it_takes() {
        let parameters = parameters();
        let refusal = |pattern, method, query| said(parameters.refusal(pattern, &method, query));
        let events = "/v1/events";
        let expected = "merchantId is no parameter of this call, which takes limit, type, from";
        assert_eq!(refusal(events, Method::GET, "limit=1&merchantId=x").await.as_deref(), Some(expected));
        assert_eq!(refusal(events, Method::HEAD, "merchantId=x").await.as_deref(), Some(expected));
        let expected = "x is no parameter of this call, which takes none";
        assert_eq!(refusal("/v1/reset", Method::POST, "x").await.as_deref(), Some(expected));
        for (pattern, query) in [(events, ""), (events, "type=a.b&type=c.d&%66rom=x"), ("/health", "x=1")] {
            assert_eq!(refusal(pattern, Method::GET, query).await, None, "{pattern}?{query}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_told_in_words() {
        let parameters = parameters();
        let unreadable = |name| said(parameters.unreadable("/v1/events", &Method::GET, name));
        for (name, expected) in [
            ("limit", "limit must be a number from 1 to 100"),
            ("type", "type must be one of a.b, c.d"),
            ("from", "from must be a time as RFC 3339 has it, such as 2026-01-31T08:00:00Z"),
        ] {
            assert_eq!(unreadable(name).await.as_deref(), Some(expected));
        }
        assert_eq!(unreadable("other").await, None);
    }
}
