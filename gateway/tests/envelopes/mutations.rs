//! Envelopes with something wrong about them, in every way that a client, a line or an attacker can do it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::fields::{Author, Operation, pick, quoted};
use crate::harness::PLATFORM;
use crate::wire::{Framing, Request};

/// Largest body that is read, as the gateway is set by default.
pub const MAX_BODY: usize = 64 * 1024;

pub struct Case {
    /// What was done to it.
    pub what: &'static str,
    pub request: Request,
    /// The operation's own path, or a neighbouring one of the signed API where nothing is.
    pub is_routed: bool,
}

pub struct Mutator {
    chance: StdRng,
    author: Author,
}

impl Mutator {
    pub fn new(seed: u64, author: Author) -> Self {
        Self { chance: StdRng::seed_from_u64(seed), author }
    }

    /// Nothing wrong with it.
    pub fn plain(&mut self) -> Case {
        let (operation, document) = self.author.plain(&mut self.chance);
        case("plain", post(operation, document.into_bytes()))
    }

    /// Well signed, odd in its content.
    pub fn odd(&mut self) -> Case {
        let (operation, document) = self.author.odd(&mut self.chance);
        case("odd content", post(operation, document.into_bytes()))
    }

    /// Anything.
    pub fn any(&mut self) -> Case {
        let kind = self.chance.random_range(0..19);
        if kind == 0 {
            return self.odd();
        }
        let (operation, document) = self.author.plain(&mut self.chance);
        let chance = &mut self.chance;
        let plain = document.clone().into_bytes();
        let plainly = |what, body: Vec<u8>| case(what, post(operation, body));
        match kind {
            1..4 => plainly("bytes changed", changed(plain, chance)),
            4 => plainly("cut off", plain[..chance.random_range(0..plain.len())].to_vec()),
            5 => plainly("deep nesting", nested(&document, chance).into_bytes()),
            6 => plainly("huge numbers", with_member(&document, &huge_number(chance)).into_bytes()),
            7 => plainly("invalid UTF-8", not_utf8(plain, chance)),
            8 => plainly("duplicate key", duplicated(&document, chance).into_bytes()),
            9 => plainly("too large", oversize(&document, chance)),
            10 => {
                case("content type", Request { content_type: content_type(chance), ..post(operation, plain) })
            }
            11 => case("method", Request { method: method(chance), ..post(operation, plain) }),
            12 => {
                let body = if chance.random() { plain } else { changed(plain, chance) };
                let framing = Framing::Chunks(chance.random_range(1..=body.len().max(1)));
                case("chunked", Request { framing, ..post(operation, body) })
            }
            13 => plainly("soup", soup(chance)),
            14 => plainly("spliced", spliced(&plain, self.author.plain(chance).1.as_bytes(), chance)),
            15 => plainly("many members", with_member(&document, &many_members(chance)).into_bytes()),
            16 => plainly("odd strings", with_member(&document, &odd_string(chance)).into_bytes()),
            17 => {
                let request = Request { path: elsewhere(chance), ..post(operation, plain) };
                Case { is_routed: false, ..case("path", request) }
            }
            _ => {
                let framing = if chance.random() { Framing::CutShort } else { Framing::BadChunk };
                case("broken off", Request { framing, ..post(operation, plain) })
            }
        }
    }
}

fn post(operation: Operation, body: Vec<u8>) -> Request {
    Request {
        method: "POST",
        path: format!("/{PLATFORM}{}", operation.path()),
        content_type: Some("application/json"),
        body,
        framing: Framing::Length,
    }
}

fn case(what: &'static str, request: Request) -> Case {
    Case { what, request, is_routed: true }
}

/// One to eight bytes replaced, inserted or deleted.
fn changed(mut body: Vec<u8>, chance: &mut StdRng) -> Vec<u8> {
    for _ in 0..chance.random_range(1..=8) {
        let at = chance.random_range(0..body.len());
        match chance.random_range(0..4) {
            0 => body[at] = chance.random(),
            1 => body.insert(at, chance.random()),
            2 => body[at] = pick(b"{}[]:,\"\\ 0", chance),
            _ => drop(body.remove(at)),
        }
    }
    body
}

fn nested(document: &str, chance: &mut StdRng) -> String {
    let depth = pick(&[20, 33, 100, 1000, 30_000], chance);
    let (open, close) = pick(&[("[", "]"), ("{\"a\":", "}")], chance);
    let depth = depth.min(60_000 / open.len());
    match chance.random_range(0..3) {
        0 => open.repeat(depth),
        1 => [&open.repeat(depth), "1", &close.repeat(depth)].concat(),
        _ => {
            let depth = depth.min(60_000 / (open.len() + close.len()));
            with_member(document, &format!("\"deep\":{}1{}", open.repeat(depth), close.repeat(depth)))
        }
    }
}

/// A member more at the end of the body; the signature is not made again.
fn with_member(document: &str, member: &str) -> String {
    document.replacen("}},\"signature\"", &format!(",{member}}}}},\"signature\""), 1)
}

fn huge_number(chance: &mut StdRng) -> String {
    let digits = "9".repeat(chance.random_range(1..20_000));
    let number = match chance.random_range(0..4) {
        0 => digits,
        1 => format!("-{digits}.{digits}"),
        2 => format!("1e{digits}"),
        _ => format!("0.{}1E-{digits}", "0".repeat(digits.len())),
    };
    format!("\"huge\":{number}")
}

fn not_utf8(mut body: Vec<u8>, chance: &mut StdRng) -> Vec<u8> {
    // A lone byte that only follows, one that only begins, an overlong slash, a surrogate, beyond the last character.
    const BYTES: [&[u8]; 6] = [b"\x80", b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"];
    let at = chance.random_range(0..=body.len());
    body.splice(at..at, pick(&BYTES, chance).iter().copied());
    body
}

fn duplicated(document: &str, chance: &mut StdRng) -> String {
    const KEYS: [&str; 6] = ["request", "signature", "header", "body", "partnerNo", "storeNo"];
    let key = pick(&KEYS, chance);
    let spelled =
        if chance.random() { quoted(key) } else { format!("\"\\u{:04x}{}\"", key.as_bytes()[0], &key[1..]) };
    document.replacen(&format!("\"{key}\":"), &format!("{spelled}:{{}},\"{key}\":"), 1)
}

fn oversize(document: &str, chance: &mut StdRng) -> Vec<u8> {
    let size = pick(&[MAX_BODY + 1, MAX_BODY + 2, 100_000, 256 * 1024], chance);
    let missing = size - document.len();
    // A right document behind or before blanks, and one that is too large by its content.
    match chance.random_range(0..3) {
        0 => [" ".repeat(missing).as_str(), document].concat().into_bytes(),
        1 => [document, &" ".repeat(missing)].concat().into_bytes(),
        _ => with_member(document, &format!("\"x\":\"{}\"", "x".repeat(size))).into_bytes(),
    }
}

fn content_type(chance: &mut StdRng) -> Option<&'static str> {
    const TYPES: [&str; 8] = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/json; charset=utf-16",
        "application/problem+json",
        "nonsense",
        "*/*",
    ];
    let place = chance.random_range(0..=TYPES.len());
    TYPES.get(place).copied()
}

fn method(chance: &mut StdRng) -> &'static str {
    pick(&["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "post"], chance)
}

fn soup(chance: &mut StdRng) -> Vec<u8> {
    const TOKENS: [&str; 16] = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\"request\"",
        "\"signature\"",
        "\"header\"",
        "\"body\"",
        "1e5",
        "null",
        " ",
        "\\ud800",
    ];
    let length = chance.random_range(0..200);
    match chance.random_range(0..3) {
        0 => (0..length).map(|_| chance.random()).collect(),
        1 => b" \t\r\n".iter().copied().cycle().take(length).collect(),
        _ => (0..length).flat_map(|_| pick(&TOKENS, chance).bytes()).collect(),
    }
}

fn spliced(one: &[u8], other: &[u8], chance: &mut StdRng) -> Vec<u8> {
    let (to, from) = (chance.random_range(0..=one.len()), chance.random_range(0..=other.len()));
    [&one[..to], &other[from..]].concat()
}

fn many_members(chance: &mut StdRng) -> String {
    let members: Vec<String> = (0..chance.random_range(30..4000)).map(|n| format!("\"k{n}\":{n}")).collect();
    members.join(",")
}

fn odd_string(chance: &mut StdRng) -> String {
    const STRINGS: [&str; 8] =
        ["\\ud800", "\\udc00\\ud800", "\\u0000", "\\x41", "\\u12", "\u{0}", "\n", "\\"];
    format!("\"odd\":\"{}\"", pick(&STRINGS, chance).repeat(chance.random_range(1..50)))
}

/// Where nothing is, below the signed API.
fn elsewhere(chance: &mut StdRng) -> String {
    const PATHS: [&str; 9] = [
        "/nobody/api/offline/qrcode",
        "/demo/api/offline/nothing",
        "/demo/api/offline/qrcode/",
        "/demo/api/common/payQuery%00",
        "/%ff%fe/api/offline/qrcode",
        "/demo/api/jspay/nothing",
        "/demo/api/online/..%2f..%2f",
        "/demo/api/common/payQuery/x?y=%zz",
        "/-/api/offline/qrcode?x=1",
    ];
    pick(&PATHS, chance).to_owned()
}
