//! JSON read by position. Signatures cover the bytes as sent, so values are handed out as slices of the
//! original text and nothing is ever re-serialised. Grammar is RFC 8259, strictly: UTF-8, no duplicate key
//! at any depth (two readers of one document must not see two documents), bounded nesting.

mod integer;
mod scanner;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use self::integer::{IntegerError, MAX_INTEGER, integer};
use self::scanner::Scanner;

/// Deepest nesting of objects and arrays that is read; an envelope with a flat body needs 3.
pub const MAX_DEPTH: usize = 32;

/// Why a document was not read, and where (byte offset into it).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("not UTF-8 at byte {0}")]
    NotUtf8(usize),
    #[error("not JSON at byte {0}")]
    Syntax(usize),
    #[error("ends too early, at byte {0}")]
    Truncated(usize),
    #[error("nested deeper than {MAX_DEPTH} levels at byte {0}")]
    TooDeep(usize),
    #[error("the same key twice in one object, at byte {0}")]
    DuplicateKey(usize),
    #[error("not a JSON object")]
    NotAnObject,
}

/// A key and its value, as they stand in the document.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The key with its escapes resolved.
    pub key: Cow<'a, str>,
    /// The value's text without the blanks around it.
    pub value: &'a str,
    /// The value's text from behind the colon to the comma or brace, blanks included.
    pub padded: &'a str,
}

impl<'a> Member<'a> {
    /// The value as text, if it is a JSON string.
    pub fn string(&self) -> Option<Cow<'a, str>> {
        self.value.starts_with('"').then(|| decode(self.value)).flatten()
    }

    /// The value as an integer, exactly: `2100.0` and `21e2` are 2100.
    pub fn integer(&self) -> Result<i64, IntegerError> {
        integer(self.value)
    }

    /// The value's own members, if it is an object.
    pub fn object(&self) -> Option<Object<'a>> {
        Object::of_checked(self.value)
    }

    pub fn is_null(&self) -> bool {
        self.value == "null"
    }
}

/// An object's members in the order they were sent.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> Object<'a> {
    /// Read a whole document that must be one object. Everything in it is checked, at every depth.
    pub fn parse(raw: &'a [u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(raw).map_err(|e| JsonError::NotUtf8(e.valid_up_to()))?;
        let members = Scanner::new(text).document()?;
        Ok(Self { members })
    }

    /// Members of a value that a surrounding `parse` has checked already.
    fn of_checked(value: &'a str) -> Option<Self> {
        if !value.starts_with('{') {
            return None;
        }
        Scanner::new(value).document().ok().map(|members| Self { members })
    }

    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    pub fn get(&self, key: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.key == key)
    }
}

/// The text of a JSON string literal, escapes resolved; `None` for lone surrogates.
fn decode(literal: &str) -> Option<Cow<'_, str>> {
    let inner = &literal[1..literal.len() - 1];
    if inner.contains('\\') {
        serde_json::from_str::<String>(literal).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}
