//! Values at and beyond every limit that a schema states.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// One field changed in an order that is right otherwise.
#[derive(Debug)]
pub struct Case {
    pub field: String,
    /// `None`: left out.
    value: Option<Value>,
    /// Whether the schema allows it.
    pub within: bool,
    pub expected: Expected,
}

#[derive(Debug)]
pub enum Expected {
    Opened,
    /// Not refused for its length; what it names need not exist.
    NotTooLong,
    Refused(i64),
}

impl Case {
    pub fn change(&self, body: &mut Value) {
        let body = body.as_object_mut().expect("a body is an object");
        match &self.value {
            Some(value) => drop(body.insert(self.field.clone(), value.clone())),
            None => drop(body.shift_remove(&self.field)),
        }
    }
}

/// Fields that name something: a text of the right length is not yet a right one.
const NAMES: [&str; 3] = ["storeNo", "currency", "barcode"];

pub fn cases(properties: &Map<String, Value>, required: &BTreeSet<String>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (field, schema) in properties {
        let mut case = |value: Option<Value>, within: bool, expected: Expected| {
            cases.push(Case { field: field.clone(), value, within, expected });
        };
        if required.contains(field) {
            case(None, false, Expected::Refused(4));
        } else {
            case(None, true, Expected::Opened);
        }
        match schema["type"].as_str().expect("every field has a type") {
            "string" => strings(field, schema, &mut case),
            "integer" => integers(schema, &mut case),
            other => panic!("{field}: how is a limit of {other} tried?"),
        }
    }
    cases
}

fn strings(field: &str, schema: &Value, case: &mut impl FnMut(Option<Value>, bool, Expected)) {
    case(Some(json!(17)), false, Expected::Refused(5));
    if let Some(known) = schema["enum"].as_array() {
        for one in known {
            case(Some(one.clone()), true, Expected::Opened);
        }
        case(Some(json!("Nowhere")), false, Expected::Refused(5));
        return;
    }
    if field == "it_b_pay" {
        for (text, within) in
            [("1m", true), ("15d", true), ("1c", true), ("1.5h", false), ("0m", false), ("2c", false)]
        {
            let expected = if within { Expected::Opened } else { Expected::Refused(5) };
            case(Some(json!(text)), within, expected);
        }
        return;
    }
    if schema["minLength"] == 1 {
        case(Some(json!("")), false, Expected::Refused(4));
    }
    let Some(longest) = schema["maxLength"].as_u64() else {
        assert_eq!(field, "orderTitle", "a text without a limit is one that is cut");
        return case(Some(json!("咖".repeat(101))), true, Expected::Opened);
    };
    let longest = usize::try_from(longest).expect("a length");
    let at_the_limit = if NAMES.contains(&field) { Expected::NotTooLong } else { Expected::Opened };
    case(Some(json!(text(field, longest))), true, at_the_limit);
    case(Some(json!(text(field, longest + 1))), false, Expected::Refused(5));
}

/// A text of so many code points, an address where the field takes one.
fn text(field: &str, length: usize) -> String {
    let start = if field.ends_with("Url") { "http://127.0.0.1:1/" } else { "" };
    // Letters of three bytes: the limit counts code points. An address has to stay one.
    let letter = if start.is_empty() { "咖" } else { "a" };
    format!("{start}{}", letter.repeat(length - start.len()))
}

fn integers(schema: &Value, case: &mut impl FnMut(Option<Value>, bool, Expected)) {
    let (least, most) =
        (schema["minimum"].as_i64().expect("a limit"), schema["maximum"].as_i64().expect("a limit"));
    for (value, within) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
        let expected = if within { Expected::Opened } else { Expected::Refused(5) };
        case(Some(json!(value)), within, expected);
    }
    case(Some(json!(21.5)), false, Expected::Refused(5));
    case(Some(json!("2100")), false, Expected::Refused(5));
    // An integral number is an integer, however it is spelled.
    case(Some(json!(2100.0)), true, Expected::Opened);
}
