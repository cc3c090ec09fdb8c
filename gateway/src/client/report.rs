//! What the caller sees: the answer with its codes explained, whether it can be trusted, the payment page's
//! address and its QR code, and on request the bytes themselves.

use std::io::{self, Write};

use shared::code::Code;
use shared::envelope::{Envelope, EnvelopeError, Side};
use shared::json::{Member, Object};
use shared::money::Currency;

use super::exchange::{Received, Request};
use super::qr::{self, Screen};
use crate::product::Product;

/// What the call was about.
pub(super) enum Subject {
    Order { number: String, product: &'static Product },
    Query,
    Refund { refund_no: String },
}

impl Subject {
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Order { product, .. } => product.path,
            Self::Query => "/api/common/payQuery",
            Self::Refund { .. } => "/api/common/refund",
        }
    }
}

/// An answer as far as a caller needs it.
#[derive(Debug)]
pub(super) struct Answer {
    code: Option<Code>,
    verified: bool,
    /// The body's members in the order they came, as text fit for a terminal.
    fields: Vec<(String, String)>,
    /// What leads the payer to the payment: an address, or a code's text.
    way: Option<String>,
}

impl Answer {
    pub(super) fn read(raw: &[u8], sign_key: &str) -> Result<Self, EnvelopeError> {
        let envelope = Envelope::read(raw, Side::Response)?;
        let body = &envelope.body;
        let code = member(body, "code").and_then(|code| code.integer().ok());
        Ok(Self {
            code: code.and_then(|code| i32::try_from(code).ok()).map(Code),
            verified: envelope.verifies(sign_key),
            fields: fields(body),
            way: ["payUrl", "qrCode"]
                .into_iter()
                .find_map(|name| member(body, name).and_then(Member::string))
                .map(|way| printable(&way)),
        })
    }

    /// Success, said by someone who holds the key.
    pub(super) fn accepted(&self) -> bool {
        self.verified && self.code == Some(Code::SUCCESS)
    }

    /// Whether there is, or may be, an order to ask about.
    pub(super) fn leaves_an_order(&self) -> bool {
        self.accepted() || (self.verified && self.code == Some(Code::RESULT_UNKNOWN))
    }

    /// What must not be missed, for stderr.
    pub(super) fn warnings(&self) -> Vec<&'static str> {
        let mut lines = Vec::new();
        if self.verified {
            return lines;
        }
        lines.push("");
        lines.push(
            "SIGNATURE NOT VERIFIED: the answer is not signed with this sign key. Trust nothing in it.",
        );
        if self.code == Some(Code::BAD_SIGNATURE) {
            lines.push(
                "Code 8 means the request's own signature was not accepted, and whoever is not known by it \
                 cannot be answered under their key either: check the partner number and the key. With --raw \
                 you see the bytes that were signed.",
            );
        }
        lines
    }
}

/// The upstream's own samples have a key with a blank behind it (`docs/PROTOCOL.md`, Where the sources disagree).
fn member<'a, 'b>(body: &'b Object<'a>, name: &str) -> Option<&'b Member<'a>> {
    body.members().iter().find(|member| member.key.trim() == name)
}

fn fields(body: &Object<'_>) -> Vec<(String, String)> {
    let currency = member(body, "currency").and_then(Member::string);
    let currency = currency.and_then(|text| Currency::parse(&text));
    body.members()
        .iter()
        .map(|member| {
            let key = printable(member.key.trim());
            let value = printable(&member.string().unwrap_or_else(|| member.value.into()));
            let meaning = match (key.as_str(), member.integer()) {
                ("code", Ok(code)) => code_meaning(code).map(str::to_owned),
                // Of an order; in a refund's answer another thing is said by it.
                ("status", Ok(status)) => {
                    let meaning =
                        if is_refund(body) { refund_meaning(status) } else { status_meaning(status) };
                    meaning.map(str::to_owned)
                }
                ("orderAmount", Ok(amount)) => currency.map(|code| format!("{} {code}", code.format(amount))),
                _ => None,
            };
            let value = meaning.map_or_else(|| value.clone(), |meaning| format!("{value} ({meaning})"));
            (key, value)
        })
        .collect()
}

fn code_meaning(code: i64) -> Option<&'static str> {
    i32::try_from(code).ok().and_then(|code| Code(code).meaning())
}

/// Only a refund's answer has its number.
fn is_refund(body: &Object<'_>) -> bool {
    member(body, "refundNo").is_some()
}

fn refund_meaning(status: i64) -> Option<&'static str> {
    match status {
        0 => Some("in progress"),
        1 => Some("refunded"),
        2 => Some("failed"),
        _ => None,
    }
}

fn status_meaning(status: i64) -> Option<&'static str> {
    match status {
        0 => Some("to be paid"),
        1 => Some("paid"),
        2 => Some("failed"),
        3 => Some("refunded"),
        _ => None,
    }
}

pub(super) fn show(
    out: &mut impl Write,
    answer: &Answer,
    subject: &Subject,
    screen: Option<Screen>,
) -> io::Result<()> {
    let mut rows: Vec<(&str, &str)> = Vec::new();
    if let Subject::Order { number, .. } = subject {
        rows.push(("number", number));
    }
    if let Subject::Refund { refund_no } = subject
        && !answer.fields.iter().any(|(key, _)| key == "refundNo")
    {
        rows.push(("refundNo", refund_no));
    }
    rows.extend(answer.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    rows.push(("signature", if answer.verified { "verified" } else { "NOT VERIFIED" }));
    let width = rows.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    for (key, value) in rows {
        writeln!(out, "{key:width$}  {value}")?;
    }
    match (&answer.way, screen) {
        (Some(way), Some(screen)) if answer.accepted() => show_code(out, way, screen),
        _ => Ok(()),
    }
}

fn show_code(out: &mut impl Write, way: &str, screen: Screen) -> io::Result<()> {
    writeln!(out)?;
    match qr::picture(way, screen) {
        Ok(picture) => picture.lines.iter().try_for_each(|line| writeln!(out, "{line}")),
        Err(reason) => writeln!(out, "({reason})"),
    }
}

pub(super) fn raw_sent(out: &mut impl Write, request: &Request, terminal: bool) -> io::Result<()> {
    writeln!(out, "> POST {}\n> content-type: application/json", request.address)?;
    raw_bytes(out, request.document.as_bytes(), terminal)
}

pub(super) fn raw_received(out: &mut impl Write, received: &Received, terminal: bool) -> io::Result<()> {
    writeln!(out, "< HTTP {}", received.status)?;
    raw_bytes(out, &received.body, terminal)
}

/// Exactly the bytes; on a terminal, control characters that would steer it are shown as escapes instead.
fn raw_bytes(out: &mut impl Write, bytes: &[u8], terminal: bool) -> io::Result<()> {
    if terminal {
        for line in String::from_utf8_lossy(bytes).split('\n') {
            writeln!(out, "{}", printable(line))?;
        }
    } else {
        out.write_all(bytes)?;
        writeln!(out)?;
    }
    writeln!(out)
}

/// The start of a body that was no envelope, on one line.
pub(super) fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        "(empty)".to_owned()
    } else {
        printable(&line.chars().take(200).collect::<String>())
    }
}

/// Text from elsewhere without anything that steers a terminal.
pub(super) fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}
