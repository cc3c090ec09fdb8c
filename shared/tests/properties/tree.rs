//! Any JSON value, and any way to write it.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;
use shared::json::Object;

/// A JSON value. Numbers are kept as written, because to a signature they are text.
#[derive(Debug, Clone)]
pub enum Tree {
    Null,
    Truth(bool),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Members(Vec<(String, Tree)>),
}

/// Texts with everything in them that makes trouble: quotes, escapes, control characters, characters of every length
/// in UTF-8 and UTF-16, and the words that clients search documents for.
pub fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(String::from),
        4 => "[a-zA-Z0-9 ]{1,6}",
        2 => prop::sample::select(vec!["\"", "\\", "/", "\u{8}", "\u{c}", "\n", "\r", "\t", "\0", "\u{1f}", "\u{7f}"])
            .prop_map(str::to_owned),
        2 => prop::sample::select(vec!["response", "signature", "request", "esponse", "\\response", "u0072esponse"])
            .prop_map(str::to_owned),
        1 => prop::sample::select(vec!["{", "}", "\":", "},\"signature\":\"", "咖啡", "🍜", "\u{2028}", "\u{feff}"])
            .prop_map(str::to_owned),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?"
}

/// Any value, up to four levels deep.
pub fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Truth),
        number().prop_map(Tree::Number),
        text().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![vec(inner.clone(), 0..6).prop_map(Tree::List), members_of(inner).prop_map(Tree::Members)]
    })
}

/// Any object's members, in any order; no key comes twice.
pub fn members() -> impl Strategy<Value = Vec<(String, Tree)>> {
    members_of(tree())
}

fn members_of(value: impl Strategy<Value = Tree>) -> impl Strategy<Value = Vec<(String, Tree)>> {
    vec((text(), value), 0..6).prop_map(|mut members: Vec<(String, Tree)>| {
        let mut seen = std::collections::HashSet::new();
        members.retain(|(key, _)| seen.insert(key.clone()));
        members
    })
}

/// How a value is written: every choice is a throw of these dice, which start again when they are used up. Dice that
/// show nothing but 0 write the plainest way.
#[derive(Debug, Clone)]
pub struct Hand {
    dice: Vec<u8>,
    thrown: usize,
    /// Whether white space may stand between tokens.
    blanks: bool,
}

pub fn hand(blanks: bool) -> impl Strategy<Value = Hand> {
    vec(any::<u8>(), 1..64).prop_map(move |dice| Hand { dice, thrown: 0, blanks })
}

impl Hand {
    /// No blanks, no escapes but those that must be.
    pub fn plain() -> Self {
        Self { dice: vec![0], thrown: 0, blanks: false }
    }

    fn throw(&mut self) -> u8 {
        self.thrown += 1;
        self.dice[(self.thrown - 1) % self.dice.len()]
    }

    /// White space, or none.
    pub fn blank(&mut self) -> &'static str {
        const BLANKS: [&str; 8] = ["", "", "", " ", "\n    ", "\t", "\r\n", " \t\r\n "];
        if self.blanks { BLANKS[usize::from(self.throw() % 8)] } else { "" }
    }

    /// `value` as JSON, without blanks around it.
    pub fn write(&mut self, value: &Tree) -> String {
        match value {
            Tree::Null => "null".to_owned(),
            Tree::Truth(truth) => truth.to_string(),
            Tree::Number(number) => number.clone(),
            Tree::Text(text) => self.string(text),
            Tree::List(values) => {
                let parts: Vec<String> = values.iter().map(|value| self.write(value)).collect();
                self.enclosed('[', &parts, ']')
            }
            Tree::Members(members) => self.object(members),
        }
    }

    pub fn object(&mut self, members: &[(String, Tree)]) -> String {
        let written: Vec<(String, String)> =
            members.iter().map(|(key, value)| (self.string(key), self.write(value))).collect();
        self.object_of(&written)
    }

    /// An object of keys and values that are written already.
    pub fn object_of(&mut self, members: &[(String, String)]) -> String {
        let parts: Vec<String> = members
            .iter()
            .map(|(key, value)| [key, self.blank(), ":", self.blank(), value].concat())
            .collect();
        self.enclosed('{', &parts, '}')
    }

    fn enclosed(&mut self, open: char, parts: &[String], close: char) -> String {
        let mut text = String::from(open);
        text.push_str(self.blank());
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                text.push(',');
                text.push_str(self.blank());
            }
            text.push_str(part);
            text.push_str(self.blank());
        }
        text.push(close);
        text
    }

    /// `text` as a JSON string; any character may come as an escape.
    pub fn string(&mut self, text: &str) -> String {
        let mut literal = String::from('"');
        for c in text.chars() {
            let must = matches!(c, '"' | '\\' | '\0'..='\u{1f}');
            match (self.throw() % 8, short_escape(c)) {
                (0..=4, _) if !must => literal.push(c),
                (0..=5, Some(short)) => literal.extend(['\\', short]),
                (throw, _) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        let hex =
                            if throw % 2 == 0 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") };
                        literal.push_str(&hex);
                    }
                }
            }
        }
        literal.push('"');
        literal
    }
}

fn short_escape(c: char) -> Option<char> {
    Some(match c {
        '"' | '\\' | '/' => c,
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        _ => return None,
    })
}

/// Whether the text `raw` says `value`, with members in the same order.
pub fn says(raw: &str, value: &Tree) -> bool {
    match value {
        Tree::Null => raw == "null",
        Tree::Truth(truth) => raw == truth.to_string(),
        Tree::Number(number) => raw == number,
        Tree::Text(text) => serde_json::from_str::<String>(raw).is_ok_and(|said| said == *text),
        Tree::List(values) => serde_json::from_str::<Vec<&RawValue>>(raw).is_ok_and(|said| {
            said.len() == values.len() && said.iter().zip(values).all(|(said, value)| says(said.get(), value))
        }),
        Tree::Members(members) => Object::parse(raw.as_bytes()).is_ok_and(|said| object_says(&said, members)),
    }
}

pub fn object_says(object: &Object<'_>, members: &[(String, Tree)]) -> bool {
    let said = object.members();
    said.len() == members.len()
        && said.iter().zip(members).all(|(said, (key, value))| said.key == *key && says(said.value, value))
}
