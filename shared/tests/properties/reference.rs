//! What `Object::parse` must accept, decided by `serde_json` token by token: strict grammar, keys and strings that can
//! be decoded, no key twice in one object, nesting within the limit.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use shared::json::MAX_DEPTH;

pub fn accepts(raw: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(raw) else { return false };
    serde_json::from_str::<&RawValue>(text)
        .is_ok_and(|value| value.get().starts_with('{') && is_sound(value, 1))
}

fn is_sound(value: &RawValue, depth: usize) -> bool {
    let text = value.get();
    match text.as_bytes()[0] {
        b'{' if depth <= MAX_DEPTH => members(text).is_some_and(|members| {
            let mut keys = HashSet::new();
            members.into_iter().all(|(key, value)| keys.insert(key) && is_sound(value, depth + 1))
        }),
        b'[' if depth <= MAX_DEPTH => serde_json::from_str::<Vec<&RawValue>>(text)
            .is_ok_and(|values| values.into_iter().all(|value| is_sound(value, depth + 1))),
        b'{' | b'[' => false,
        b'"' => serde_json::from_str::<String>(text).is_ok(),
        _ => true,
    }
}

/// All members, also those whose key comes again.
fn members(text: &str) -> Option<Vec<(String, &RawValue)>> {
    struct All;
    impl<'de> Visitor<'de> for All {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_map(All).ok()
}
