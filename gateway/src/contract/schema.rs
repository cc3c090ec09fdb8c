//! Schemas: the dialect of version 3.0, as poem-openapi writes it, turned into JSON Schema 2020-12.

use serde_json::{Map, Number, Value, json};

/// Rewrite a schema and every schema within it. Walks by keyword, so that a *property* called `example` or
/// `nullable` stays what it is.
pub fn convert(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    unwrap_reference(schema);
    share_example(schema);
    convert_parts(schema);
    if schema.get("format").is_some_and(|format| format == "binary") {
        // Raw bytes have no type in JSON Schema; the media type says what they are.
        schema.retain(|keyword, _| keyword != "type" && keyword != "format");
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        join_exclusive_bound(schema, bound, exclusive);
    }
    if schema.get("type").is_some_and(|kind| kind == "integer") {
        spell_integers(schema);
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.shift_remove("default");
    }
    if let Some(example) = schema.shift_remove("example") {
        schema.insert("examples".into(), Value::Array(vec![example]));
    }
    if schema.shift_remove("nullable") == Some(Value::Bool(true)) {
        admit_null(schema);
    }
}

/// Server-sent events: poem-openapi describes the stream as an array of payloads. Readers of contracts take
/// the schema to describe *one event*, whose `data` is the payload as text.
pub fn describe_one_event(stream: &mut Value) {
    let payload = stream.get_mut("items").map_or_else(|| json!({}), Value::take);
    *stream = json!({
        "type": "object",
        "required": ["data"],
        "properties": {
            "id": { "type": "string" },
            "event": { "type": "string" },
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": payload,
            },
        },
    });
}

fn convert_parts(schema: &mut Map<String, Value>) {
    for (keyword, part) in schema {
        match keyword.as_str() {
            "properties" => part.as_object_mut().into_iter().flat_map(Map::values_mut).for_each(convert),
            "allOf" | "anyOf" | "oneOf" => part.as_array_mut().into_iter().flatten().for_each(convert),
            "items" | "additionalProperties" | "not" | "contentSchema" => convert(part),
            _ => {}
        }
    }
}

/// 3.0 ignores what stands beside `$ref`, so poem-openapi writes a described reference as
/// `allOf: [{$ref}, {description}]` with the description outside once more. 3.1 reads both side by side.
fn unwrap_reference(schema: &mut Map<String, Value>) {
    let Some([reference, repeated]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) else {
        return;
    };
    let Some(target) = reference.get("$ref").cloned() else { return };
    let says_more = repeated
        .as_object()
        .is_none_or(|repeated| repeated.iter().any(|(keyword, value)| schema.get(keyword) != Some(value)));
    if !says_more {
        schema.shift_remove("allOf");
        schema.shift_insert(0, "$ref".into(), target);
    }
}

/// Give each property its value from the object's example: poem-openapi knows examples of objects only, and
/// one written once cannot contradict itself. A property that refers to another schema has that one's.
fn share_example(schema: &mut Map<String, Value>) {
    let Some(Value::Object(example)) = schema.get("example").cloned() else { return };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if let (Some(value), Value::Object(property)) = (example.get(name), property)
            && !["$ref", "allOf", "example"].iter().any(|keyword| property.contains_key(*keyword))
        {
            property.insert("example".into(), value.clone());
        }
    }
}

/// 3.0: `minimum: 5, exclusiveMinimum: true`. 3.1: `exclusiveMinimum: 5`.
fn join_exclusive_bound(schema: &mut Map<String, Value>, bound: &str, exclusive: &str) {
    match schema.get(exclusive) {
        Some(Value::Bool(true)) => match schema.shift_remove(bound) {
            Some(limit) => schema.insert(exclusive.into(), limit),
            None => schema.shift_remove(exclusive),
        },
        Some(Value::Bool(false)) => schema.shift_remove(exclusive),
        _ => None,
    };
}

/// poem-openapi keeps every limit as a float: `100.0` → `100`.
fn spell_integers(schema: &mut Map<String, Value>) {
    for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"] {
        let Some(limit) = schema.get_mut(keyword) else { continue };
        if let Some(float) = limit.as_f64().filter(|_| limit.is_f64())
            && float.fract() == 0.0
            && let Ok(integer) = format!("{float:.0}").parse::<i64>()
        {
            *limit = Value::Number(Number::from(integer));
        }
    }
}

/// 3.1 has no `nullable`; null is a type like the others.
fn admit_null(schema: &mut Map<String, Value>) {
    let null_type = json!({ "type": "null" });
    if let Some(kind @ Value::String(_)) = schema.get_mut("type") {
        *kind = json!([kind.take(), "null"]);
        if let Some(Value::Array(allowed)) = schema.get_mut("enum") {
            allowed.push(Value::Null);
        }
        return;
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = schema.get_mut(choice) {
            choices.push(null_type);
            return;
        }
    }
    for keyword in ["$ref", "allOf"] {
        if let Some(part) = schema.shift_remove(keyword) {
            schema.insert("anyOf".into(), json!([{ keyword: part }, null_type]));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(mut schema: Value) -> Value {
        convert(&mut schema);
        schema
    }

    #[test]
    fn an_exclusive_bound_becomes_the_bound_itself() {
        assert_eq!(
            converted(
                json!({ "type": "number", "minimum": 0.5, "exclusiveMinimum": true, "maximum": 2.5, "exclusiveMaximum": true })
            ),
            json!({ "type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 2.5 })
        );
    }

    #[test]
    fn a_bound_that_is_not_exclusive_stays_a_plain_bound() {
        assert_eq!(
            converted(json!({ "type": "number", "minimum": 0.5, "exclusiveMinimum": false })),
            json!({ "type": "number", "minimum": 0.5 })
        );
    }

    #[test]
    fn limits_of_integers_are_integers_up_to_two_to_the_53() {
        let limits = json!({ "type": "integer", "minimum": 1.0, "maximum": 9_007_199_254_740_992.0_f64 });
        let text = serde_json::to_string(&converted(limits)).expect("a value serialises");
        assert_eq!(text, r#"{"type":"integer","minimum":1,"maximum":9007199254740992}"#);
    }

    #[test]
    fn limits_of_other_numbers_stay_as_they_are() {
        let text = serde_json::to_string(&converted(json!({ "type": "number", "minimum": 1.0 })));
        assert_eq!(text.expect("a value serialises"), r#"{"type":"number","minimum":1.0}"#);
    }

    #[test]
    fn an_example_becomes_a_list_of_one() {
        assert_eq!(
            converted(json!({ "type": "string", "example": "p1" })),
            json!({ "type": "string", "examples": ["p1"] })
        );
    }

    #[test]
    fn an_object_shares_its_example_with_its_properties() {
        let object = json!({
            "type": "object",
            "properties": {
                "storeNo": { "type": "string" },
                "wallet": { "$ref": "#/components/schemas/Wallet" },
                "header": { "allOf": [{ "$ref": "#/components/schemas/Header" }, {}] },
                "note": { "type": "string", "example": "its own" },
                "unsaid": { "type": "string" },
            },
            "example": { "storeNo": "1", "wallet": "Alipay", "header": {}, "note": "the object's" },
        });
        let properties = converted(object)["properties"].take();
        assert_eq!(properties["storeNo"]["examples"], json!(["1"]));
        assert_eq!(properties["wallet"], json!({ "$ref": "#/components/schemas/Wallet" }));
        assert_eq!(properties["header"], json!({ "$ref": "#/components/schemas/Header" }));
        assert_eq!(properties["note"]["examples"], json!(["its own"]));
        assert_eq!(properties["unsaid"], json!({ "type": "string" }));
    }

    #[test]
    fn a_property_named_like_a_keyword_stays_a_property() {
        let object = json!({
            "type": "object",
            "properties": { "example": { "type": "string" }, "nullable": { "type": "boolean" } },
        });
        assert_eq!(converted(object.clone()), object);
    }

    #[test]
    fn an_example_is_left_alone_inside() {
        let example = json!({ "nullable": true, "default": null, "format": "binary", "example": 1 });
        let schema = converted(json!({ "type": "object", "example": example }));
        assert_eq!(schema["examples"], json!([example]));
    }

    #[test]
    fn a_default_of_null_goes_and_others_stay() {
        assert_eq!(converted(json!({ "type": "string", "default": null })), json!({ "type": "string" }));
        let defaulted = json!({ "type": "string", "default": "SHA256" });
        assert_eq!(converted(defaulted.clone()), defaulted);
    }

    #[test]
    fn nullable_is_one_more_type() {
        assert_eq!(
            converted(json!({ "type": "string", "enum": ["a"], "nullable": true })),
            json!({ "type": ["string", "null"], "enum": ["a", null] })
        );
        assert_eq!(converted(json!({ "type": "string", "nullable": false })), json!({ "type": "string" }));
    }

    #[test]
    fn a_nullable_reference_is_a_choice() {
        // As poem-openapi writes a described, nullable reference.
        let schema = json!({
            "description": "d", "nullable": true,
            "allOf": [{ "$ref": "#/x" }, { "description": "d", "nullable": true }],
        });
        assert_eq!(
            converted(schema),
            json!({ "description": "d", "anyOf": [{ "$ref": "#/x" }, { "type": "null" }] })
        );
    }

    #[test]
    fn a_nullable_choice_or_combination_admits_null() {
        assert_eq!(
            converted(json!({ "oneOf": [{ "$ref": "#/x" }], "nullable": true })),
            json!({ "oneOf": [{ "$ref": "#/x" }, { "type": "null" }] })
        );
        assert_eq!(
            converted(json!({ "allOf": [{ "$ref": "#/x" }], "nullable": true })),
            json!({ "anyOf": [{ "allOf": [{ "$ref": "#/x" }] }, { "type": "null" }] })
        );
    }

    #[test]
    fn a_described_reference_keeps_its_description_beside_it() {
        let schema = json!({ "description": "d", "allOf": [{ "$ref": "#/x" }, { "description": "d" }] });
        assert_eq!(converted(schema), json!({ "$ref": "#/x", "description": "d" }));
    }

    #[test]
    fn a_combination_that_says_more_stays_one() {
        let schema = json!({ "allOf": [{ "$ref": "#/x" }, { "required": ["id"] }] });
        assert_eq!(converted(schema.clone()), schema);
    }

    #[test]
    fn raw_bytes_have_no_type() {
        assert_eq!(
            converted(json!({ "type": "string", "format": "binary", "description": "d" })),
            json!({ "description": "d" })
        );
    }

    #[test]
    fn schemas_within_schemas_are_converted() {
        let old = json!({ "type": "string", "example": 1 });
        let new = json!({ "type": "string", "examples": [1] });
        for keyword in ["items", "additionalProperties", "not"] {
            assert_eq!(converted(json!({ keyword: old })), json!({ keyword: new }), "{keyword}");
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            assert_eq!(converted(json!({ keyword: [old] })), json!({ keyword: [new] }), "{keyword}");
        }
        assert_eq!(converted(json!({ "properties": { "p": old } })), json!({ "properties": { "p": new } }));
    }

    #[test]
    fn an_event_stream_is_described_by_one_event() {
        let mut stream = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Change" } });
        describe_one_event(&mut stream);
        assert_eq!(stream["type"], "object");
        assert_eq!(stream["required"], json!(["data"]));
        assert_eq!(
            stream["properties"]["data"],
            json!({
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": { "$ref": "#/components/schemas/Change" },
            })
        );
    }
}
