//! JSON read by position. Signatures cover the bytes as sent, so values are handed out as slices of the
//! original text and nothing is ever re-serialised. Grammar is RFC 8259, strictly: UTF-8, no duplicate key
//! at any depth (two readers of one document must not see two documents), bounded nesting.

use std::borrow::Cow;
use std::collections::HashSet;

/// Deepest nesting of objects and arrays that is read; an envelope with a flat body needs 3.
pub const MAX_DEPTH: usize = 32;

/// Largest integer that every JSON reader represents exactly.
pub const MAX_INTEGER: i64 = 1 << 53;

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

/// Why a number is not an integer we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntegerError {
    #[error("is not a number")]
    NotANumber,
    #[error("is not a whole number")]
    NotWhole,
    #[error("is out of range")]
    OutOfRange,
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
        let mut scanner = Scanner { text, at: 0 };
        scanner.blanks();
        if scanner.peek() != Some(b'{') {
            return Err(if text.trim_start_matches(is_blank).is_empty() {
                JsonError::Truncated(text.len())
            } else {
                JsonError::NotAnObject
            });
        }
        let members = scanner.object(1)?;
        scanner.blanks();
        if scanner.at < text.len() {
            return Err(JsonError::Syntax(scanner.at));
        }
        Ok(Self { members })
    }

    /// Members of a value that a surrounding `parse` has checked already.
    fn of_checked(value: &'a str) -> Option<Self> {
        if !value.starts_with('{') {
            return None;
        }
        Scanner { text: value, at: 0 }.object(1).ok().map(|members| Self { members })
    }

    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    pub fn get(&self, key: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.key == key)
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
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

/// Read a JSON number's text exactly, without going through floating point.
pub fn integer(text: &str) -> Result<i64, IntegerError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(IntegerError::NotANumber);
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let exponent: i64 = exponent.parse().map_err(|_| {
        if exponent.starts_with('-') { IntegerError::NotWhole } else { IntegerError::OutOfRange }
    })?;
    // The value is `significant` × 10^power.
    let power = i64::try_from(trailing)
        .unwrap_or(i64::MAX)
        .saturating_add(exponent)
        .saturating_sub(i64::try_from(fraction.len()).unwrap_or(i64::MAX));
    if power < 0 {
        return Err(IntegerError::NotWhole);
    }
    if significant.len() > 16 || power > 16 {
        return Err(IntegerError::OutOfRange);
    }
    let factor = 10_i64.checked_pow(u32::try_from(power).map_err(|_| IntegerError::OutOfRange)?);
    let value =
        significant.parse::<i64>().ok().zip(factor).and_then(|(value, factor)| value.checked_mul(factor));
    match value {
        Some(value) if value <= MAX_INTEGER => Ok(if negative { -value } else { value }),
        _ => Err(IntegerError::OutOfRange),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// What is wrong at the present place: too short, or something else than was needed.
    fn wrong(&self) -> JsonError {
        if self.at >= self.text.len() { JsonError::Truncated(self.at) } else { JsonError::Syntax(self.at) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    fn object(&mut self, depth: usize) -> Result<Vec<Member<'a>>, JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep(self.at));
        }
        self.expect(b'{')?;
        let mut members: Vec<Member<'a>> = Vec::new();
        let mut many = HashSet::new();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(members);
        }
        loop {
            self.blanks();
            let key_at = self.at;
            let literal = self.string()?;
            let key = decode(literal).ok_or(JsonError::Syntax(key_at))?;
            if is_repeated(&members, &mut many, &key) {
                return Err(JsonError::DuplicateKey(key_at));
            }
            self.blanks();
            self.expect(b':')?;
            let padded_from = self.at;
            self.blanks();
            let from = self.at;
            self.value(depth)?;
            let to = self.at;
            self.blanks();
            members.push(Member {
                key,
                value: &self.text[from..to],
                padded: &self.text[padded_from..self.at],
            });
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(members);
                }
                _ => return Err(self.wrong()),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > MAX_DEPTH {
            return Err(JsonError::TooDeep(self.at));
        }
        self.expect(b'[')?;
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.blanks();
            self.value(depth)?;
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wrong()),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'{') => self.object(depth + 1).map(drop),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => {
                let at = self.at;
                let literal = self.string()?;
                decode(literal).map(drop).ok_or(JsonError::Syntax(at))
            }
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.wrong()),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), JsonError> {
        for byte in word.bytes() {
            self.expect(byte)?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong());
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// A string literal with its quotes. Escapes are checked for form here and resolved by `decode`.
    fn string(&mut self) -> Result<&'a str, JsonError> {
        let from = self.at;
        self.expect(b'"')?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[from..self.at]);
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) | None => return Err(self.wrong()),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.expect(b'\\')?;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.wrong());
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(self.wrong()),
        }
    }
}

/// Small objects are compared one by one; a large one gets a set, so that its cost stays linear.
fn is_repeated<'a>(members: &[Member<'a>], many: &mut HashSet<Cow<'a, str>>, key: &Cow<'a, str>) -> bool {
    const SMALL: usize = 32;
    if members.len() < SMALL {
        return members.iter().any(|member| member.key == *key);
    }
    if many.is_empty() {
        many.extend(members.iter().map(|member| member.key.clone()));
    }
    !many.insert(key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, value) in [
            ("2100", 2100),
            ("2100.0", 2100),
            ("2100.000", 2100),
            ("21e2", 2100),
            ("2.1E3", 2100),
            ("210000e-2", 2100),
            ("0", 0),
            ("-0", 0),
            ("0.0", 0),
            ("0e999999999999999999999", 0),
            ("-7", -7),
            ("9007199254740992", MAX_INTEGER),
            ("9007199254740992.0", MAX_INTEGER),
        ] {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        for (text, error) in [
            ("21.5", IntegerError::NotWhole),
            ("1e-1", IntegerError::NotWhole),
            ("1e-99999999999999999999", IntegerError::NotWhole),
            ("1e400", IntegerError::OutOfRange),
            ("1e99999999999999999999", IntegerError::OutOfRange),
            ("9007199254740993", IntegerError::OutOfRange),
            ("99999999999999999999999", IntegerError::OutOfRange),
            ("9007199254740992.5", IntegerError::NotWhole),
            ("\"2100\"", IntegerError::NotANumber),
            ("true", IntegerError::NotANumber),
        ] {
            assert_eq!(integer(text), Err(error), "{text}");
        }
    }

    #[test]
    fn duplicate_keys_are_refused_at_every_depth_however_they_are_spelled() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"b":2,"a":3}}"#,
            r#"{"x":[{"y":[{"a":1,"a":1}]}]}"#,
        ] {
            assert!(matches!(Object::parse(text.as_bytes()), Err(JsonError::DuplicateKey(_))), "{text}");
        }
        let many: Vec<String> = (0..100).chain([70]).map(|n| format!("\"k{n}\":{n}")).collect();
        assert!(matches!(
            Object::parse(format!("{{{}}}", many.join(",")).as_bytes()),
            Err(JsonError::DuplicateKey(_))
        ));
    }

    #[test]
    fn nesting_ends_at_the_limit() {
        let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        assert!(Object::parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(matches!(Object::parse(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep(_))));
        assert!(matches!(
            Object::parse(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()),
            Err(JsonError::TooDeep(_))
        ));
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (text, error) in [
            ("", JsonError::Truncated(0)),
            ("  ", JsonError::Truncated(2)),
            ("[1]", JsonError::NotAnObject),
            ("\u{feff}{}", JsonError::NotAnObject),
            ("{", JsonError::Truncated(1)),
            ("{\"a\"", JsonError::Truncated(4)),
            ("{\"a\":}", JsonError::Syntax(5)),
            ("{\"a\":01}", JsonError::Syntax(6)),
            ("{\"a\":1,}", JsonError::Syntax(7)),
            ("{\"a\":1}x", JsonError::Syntax(7)),
            ("{\"a\":\"\\ud800\"}", JsonError::Syntax(5)),
            ("{\"a\":\"\n\"}", JsonError::Syntax(6)),
            ("{\"a\":\"\\x\"}", JsonError::Syntax(7)),
            ("{\"a\":nul}", JsonError::Syntax(8)),
            ("{'a':1}", JsonError::Syntax(1)),
        ] {
            assert_eq!(Object::parse(text.as_bytes()).map(drop), Err(error), "{text}");
        }
        assert_eq!(Object::parse(b"{\"a\":\"\xff\"}").map(drop), Err(JsonError::NotUtf8(6)));
    }

    #[test]
    fn values_keep_their_text_and_the_blanks_around_them() {
        let object =
            Object::parse(b" {\"a\" : \t[1, 2] ,\"\\u0062\":\n{\"c\":\"\\/\"}\n} \n").expect("is JSON");
        let a = object.get("a").expect("is there");
        assert_eq!((a.value, a.padded), ("[1, 2]", " \t[1, 2] "));
        let b = object.get("b").expect("is there");
        assert_eq!((b.value, b.padded), ("{\"c\":\"\\/\"}", "\n{\"c\":\"\\/\"}\n"));
        assert_eq!(
            b.object().expect("is an object").get("c").expect("is there").string().as_deref(),
            Some("/")
        );
    }
}
