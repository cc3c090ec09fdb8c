//! The contract's document: finding operations and schemas in it, and holding values against them.

use std::collections::BTreeSet;

use gateway::api;
use serde_json::{Map, Value};

pub struct Contract(Value);

/// An operation; all of the signed API are POSTs.
pub struct Post<'a> {
    pub path: &'a str,
    pub id: String,
    pub operation: &'a Value,
    /// Schemas of the request's and of the answer's document.
    pub request: &'a Value,
    pub answer: &'a Value,
}

impl Contract {
    pub fn published() -> Self {
        Self(api::document())
    }

    /// The signed API's, in the order of the document.
    pub fn posts(&self) -> Vec<Post<'_>> {
        let paths = self.0["paths"].as_object().expect("there are paths");
        let signed = paths.iter().filter(|(path, _)| !path.starts_with("/v1/"));
        let posts = signed.flat_map(|(path, operations)| {
            let operations = operations.as_object().expect("an object by method");
            operations.iter().map(move |(method, operation)| {
                assert_eq!(method, "post", "{path}: the signed API has POSTs only");
                let schema = |owner: &'_ str| {
                    operation.pointer(owner).unwrap_or_else(|| panic!("{path} has no {owner}"))
                };
                Post {
                    path,
                    id: operation["operationId"].as_str().expect("an id").to_owned(),
                    operation,
                    request: schema("/requestBody/content/application~1json/schema"),
                    answer: schema("/responses/200/content/application~1json/schema"),
                }
            })
        });
        posts.collect()
    }

    pub fn webhook(&self, name: &str) -> &Value {
        &self.0["webhooks"][name]["post"]
    }

    /// The schema that a reference leads to, or the schema itself.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(reference) => {
                self.0.pointer(reference.trim_start_matches('#')).expect("references lead somewhere")
            }
            None => schema,
        }
    }

    /// The first example of a schema.
    pub fn sample<'a>(&'a self, schema: &'a Value) -> &'a Value {
        &self.resolved(schema)["examples"][0]
    }

    /// An object's properties, references followed.
    pub fn properties(&self, schema: &Value) -> Map<String, Value> {
        let properties = self.resolved(schema)["properties"].as_object().expect("an object's schema");
        properties.iter().map(|(name, schema)| (name.clone(), self.resolved(schema).clone())).collect()
    }

    pub fn required(&self, schema: &Value) -> BTreeSet<String> {
        let required = self.resolved(schema)["required"].as_array().into_iter().flatten();
        required.map(|name| name.as_str().expect("a name").to_owned()).collect()
    }

    /// The table of codes, as readers see it.
    pub fn codes(&self) -> BTreeSet<i64> {
        let text = self.0["info"]["description"].as_str().expect("an introduction");
        let codes: BTreeSet<i64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split(' ').next()?.parse().ok())
            .collect();
        assert!(codes.contains(&1) && codes.contains(&44), "the table was found");
        codes
    }

    pub fn keeps(&self, schema: &Value, value: &Value) -> bool {
        self.breaches(schema, value).is_empty()
    }

    pub fn assert_keeps(&self, schema: &Value, value: &Value, about: &str) {
        let breaches = self.breaches(schema, value);
        assert!(breaches.is_empty(), "{about}: {breaches:?} in {value}");
    }

    fn breaches(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::draft202012::new(&schema).expect("the contract's schemas are schemas");
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}
