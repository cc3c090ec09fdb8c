//! Fields that JSON has no type for: times, lengths of time, and values that `null` takes away.

use std::borrow::Cow;
use std::time::Duration;

use humantime_serde::re::humantime::parse_duration;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::{Iso8601, Rfc3339, iso8601};
use time::macros::offset;

use crate::error::Error;

/// A time: RFC 3339. Ours are in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    pub unix_ms: i64,
}

impl Timestamp {
    pub fn of(unix_ms: i64) -> Self {
        Self { unix_ms }
    }

    pub fn parse(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Self::of)
    }

    pub fn text(self) -> String {
        const FORMAT: iso8601::EncodedConfig = iso8601::Config::DEFAULT
            .set_time_precision(iso8601::TimePrecision::Second {
                decimal_digits: std::num::NonZeroU8::new(3),
            })
            .encode();
        let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.unix_ms) * 1_000_000);
        let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH).to_offset(offset!(UTC));
        time.format(&Iso8601::<FORMAT>).expect("every time we keep can be written")
    }
}

impl Type for Timestamp {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date-time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "date-time")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ParseFromJSON for Timestamp {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let time = value.as_ref().and_then(Value::as_str).and_then(Self::parse);
        time.ok_or_else(|| ParseError::custom("not an RFC 3339 time such as 2026-09-21T14:13:20Z"))
    }
}

impl ToJSON for Timestamp {
    fn to_json(&self) -> Option<Value> {
        Some(self.text().into())
    }
}

/// A length of time such as `1s`, in whole milliseconds. `pointer` leads to it in the body.
pub fn duration(text: &str, pointer: &str) -> Result<Duration, Error> {
    let read = parse_duration(text).ok().filter(|time| time.subsec_nanos() % 1_000_000 == 0);
    read.ok_or_else(|| {
        Error::invalid(pointer, "is no time in whole milliseconds such as 500ms, 1s or 1m 30s")
    })
}

/// A field of a patch. Absent: stays as it is; `null`: taken away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settable<T>(pub Option<Option<T>>);

impl<T: Type> Type for Settable<T> {
    const IS_REQUIRED: bool = false;
    type RawValueType = T::RawValueType;
    type RawElementValueType = T::RawElementValueType;

    fn name() -> Cow<'static, str> {
        format!("settable_{}", T::name()).into()
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref().merge(MetaSchema { nullable: true, ..MetaSchema::ANY })
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        self.0.as_ref()?.as_ref()?.as_raw_value()
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
        match &self.0 {
            Some(Some(value)) => value.raw_element_iter(),
            _ => Box::new(std::iter::empty()),
        }
    }

    fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl<T: ParseFromJSON> ParseFromJSON for Settable<T> {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        match value {
            None => Ok(Self(None)),
            Some(Value::Null) => Ok(Self(Some(None))),
            value => {
                T::parse_from_json(value).map(|value| Self(Some(Some(value)))).map_err(ParseError::propagate)
            }
        }
    }
}

impl<T: ToJSON> ToJSON for Settable<T> {
    fn to_json(&self) -> Option<Value> {
        match &self.0 {
            None => None,
            Some(None) => Some(Value::Null),
            Some(Some(value)) => value.to_json(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_milliseconds_and_read_with_any_offset() {
        let time = Timestamp::of(1_532_513_165_250);
        assert_eq!(time.text(), "2018-07-25T10:06:05.250Z");
        assert_eq!(Timestamp::parse("2018-07-25T18:06:05.25+08:00"), Some(time));
        assert_eq!(Timestamp::of(0).text(), "1970-01-01T00:00:00.000Z");
        assert!(Timestamp::parse("2018-07-25").is_none() && Timestamp::parse("").is_none());
    }

    #[test]
    fn null_is_not_the_same_as_absent() {
        let read = |value: Option<Value>| Settable::<String>::parse_from_json(value).expect("is read").0;
        assert_eq!(read(None), None);
        assert_eq!(read(Some(Value::Null)), Some(None));
        assert_eq!(read(Some("a".into())), Some(Some("a".to_owned())));
    }
}
