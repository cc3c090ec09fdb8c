//! What a caller may ask to hear of.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseFromParameter, ParseResult, ToJSON, Type};
use serde_json::Value;

use crate::orders::tell::Kind;

const NAME: &str = "EventType";

/// A type of event, such as `order.paid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventType(pub Kind);

impl Type for EventType {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        NAME.into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Reference(NAME.to_owned())
    }

    fn register(registry: &mut Registry) {
        registry.create_schema::<Self, _>(NAME.to_owned(), |_| MetaSchema {
            description: Some("A type of event. What each has in it: the guide's chapter on events."),
            enum_items: Kind::ALL.iter().map(|kind| kind.as_str().into()).collect(),
            ..MetaSchema::new("string")
        });
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

fn parse(word: &str) -> ParseResult<EventType> {
    Kind::parse(word).map(EventType).ok_or_else(|| {
        let all = Kind::ALL.map(Kind::as_str).join(", ");
        ParseError::custom(format!("'{word}' is no type of event. They are {all}"))
    })
}

impl ParseFromParameter for EventType {
    fn parse_from_parameter(word: &str) -> ParseResult<Self> {
        parse(word)
    }
}

impl ParseFromJSON for EventType {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let value = value.unwrap_or_default();
        let word = value.as_str().ok_or_else(|| ParseError::expected_type(value.clone()))?;
        parse(word)
    }
}

impl ToJSON for EventType {
    fn to_json(&self) -> Option<Value> {
        Some(self.0.as_str().into())
    }
}
