//! The grammar of RFC 8259, followed byte by byte. It cuts slices of the text and builds nothing; strings
//! are decoded only to see that they can be, and that no key comes twice in another spelling.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{JsonError, MAX_DEPTH, Member, decode};

/// A place in a text that moves on as far as the grammar holds.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The members of the one object that is all of the text.
    pub(super) fn document(mut self) -> Result<Vec<Member<'a>>, JsonError> {
        self.blanks();
        match self.peek() {
            Some(b'{') => {}
            Some(_) => return Err(JsonError::NotAnObject),
            None => return Err(JsonError::Truncated(self.at)),
        }
        let members = self.object(1)?;
        self.blanks();
        if self.at < self.text.len() { Err(JsonError::Syntax(self.at)) } else { Ok(members) }
    }

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
fn is_repeated<'a>(members: &[Member<'a>], many: &mut HashSet<Cow<'a, str>>, key: &str) -> bool {
    const SMALL: usize = 32;
    if members.len() < SMALL {
        return members.iter().any(|member| member.key == key);
    }
    many.extend(members[many.len()..].iter().map(|member| member.key.clone()));
    many.contains(key)
}
