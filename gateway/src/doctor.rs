//! Why a signature does not verify. Given a failing document and the keys of its own sender, it says what was
//! hashed here and which usual mistake makes the signature right. Pure and bounded; its answer holds neither a
//! key nor a right signature, and no key of another tier is ever tried: it has only those it is handed.

mod excerpt;
mod given;
pub mod kept;
mod keys;
mod mistake;
mod rewrite;
mod search;
mod texts;

use shared::envelope::{Envelope, EnvelopeError, Side};

use excerpt::{Blotter, difference};
pub use excerpt::{Difference, Excerpt};
use given::Given;
pub use given::Signature;
pub use keys::{Key, KeyRole};
pub use mistake::Mistake;
use search::{Found, Search};
pub use search::{MAX_BYTES, MAX_MISTAKES, MAX_TRIALS, Work};
use texts::Sources;

/// The longest document that is looked at.
pub const MAX_DOCUMENT: usize = 256 * 1024;

/// What there is to go by.
pub struct Case<'a> {
    /// The document's bytes as they were sent.
    pub document: &'a [u8],
    /// The number its sender has, where that is known.
    pub partner_no: Option<&'a str>,
    /// The sender's own; the current one first.
    pub keys: Vec<Key<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// `None` where the document cannot be read.
    pub hashed: Option<Hashed>,
    /// What the document's signature looks like; `None` where it has none.
    pub signature: Option<Signature>,
    pub verdict: Verdict,
    /// What else is wrong with it.
    pub remarks: Vec<Remark>,
    pub work: Work,
}

/// What is hashed here, the key behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// Offsets of its first byte and of the one behind its last, in the document.
    pub from: usize,
    pub to: usize,
    pub text: Excerpt,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is right, under this key.
    Verifies(KeyRole),
    /// It would be right but for these.
    Mistaken(Explanation),
    /// No usual mistake explains it: most likely another key was used, or the text was changed in a way of its own.
    Unexplained,
    /// The signature is no hash in any usual spelling.
    NoHash,
    /// The document is no envelope; no signature was looked at.
    Unreadable(Unreadable),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Never empty; what the document itself has wrong first, then text, joint, key, spelling.
    pub mistakes: Vec<Mistake>,
    /// By which it verifies then; `None` where no key was hashed at all.
    pub key: Option<KeyRole>,
    /// What its sender hashed, where that is not what was sent.
    pub instead: Option<Instead>,
}

/// The text that was hashed in place of the one that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    pub text: Excerpt,
    /// Where the two part; `None` where the text is another part of the document.
    pub difference: Option<Difference>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    TooLong,
    /// What it seems to be in place of an envelope.
    Looks(Look),
    Envelope(EnvelopeError),
}

/// What senders mistake for the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Empty,
    /// Two bytes per character, as some editors and shells write files.
    Utf16,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// The whole HTTP message, headers included.
    HttpMessage,
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// The header names another `partnerNo` than the sender's own, so another's keys are tried.
    OtherPartnerNo,
    NoPartnerNo,
    /// A sign key stands in the document. Whoever sees the document can sign with it.
    KeyInDocument,
}

impl Look {
    /// Such as `the document is empty`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Empty => "the document is empty",
            Self::Utf16 => "the document is in UTF-16; write it as UTF-8",
            Self::Form => "the document is a form; send JSON with Content-Type application/json",
            Self::HttpMessage => "this is a whole HTTP message; give its body only",
            Self::Html => "this is a page of HTML",
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Look into `case`. Takes as long as [`MAX_BYTES`] of hashing at most: not for a thread that serves requests.
pub fn diagnose(case: &Case<'_>) -> Diagnosis {
    if case.document.len() > MAX_DOCUMENT {
        return unreadable(Unreadable::TooLong);
    }
    let marked = case.document.strip_prefix(BYTE_ORDER_MARK);
    let document = marked.unwrap_or(case.document);
    let (side, envelope) = match read(document) {
        Ok(read) => read,
        Err(reason) => return unreadable(reason),
    };
    let blotter = Blotter::new(&case.keys);
    let before = case.document.len() - document.len();
    let from = before + offset(document, envelope.signed);
    let given = Given::read(&envelope.signature);
    let (mut verdict, work) = match &given {
        Some(given) => verdict(document, side, &envelope, given, case, &blotter),
        None => (Verdict::NoHash, Work::default()),
    };
    if marked.is_some() {
        verdict = with_mark(verdict);
    }
    Diagnosis {
        hashed: Some(Hashed {
            from,
            to: from + envelope.signed.len(),
            text: blotter.excerpt(envelope.signed),
        }),
        signature: Some(Signature::of(&envelope.signature, given.as_ref())),
        verdict,
        remarks: remarks(case, &envelope, &blotter),
        work,
    }
}

fn unreadable(reason: Unreadable) -> Diagnosis {
    Diagnosis {
        hashed: None,
        signature: None,
        verdict: Verdict::Unreadable(reason),
        remarks: Vec::new(),
        work: Work::default(),
    }
}

/// The document as the one or the other kind of envelope: merchants look into our messages to them as well.
fn read(document: &[u8]) -> Result<(Side, Envelope<'_>), Unreadable> {
    let error = match Envelope::read(document, Side::Request) {
        Ok(envelope) => return Ok((Side::Request, envelope)),
        Err(error) => error,
    };
    if error == EnvelopeError::Missing(Side::Request.word())
        && let Ok(envelope) = Envelope::read(document, Side::Response)
    {
        return Ok((Side::Response, envelope));
    }
    // None of those it may look like is JSON.
    Err(look(document).map_or(Unreadable::Envelope(error), Unreadable::Looks))
}

fn look(document: &[u8]) -> Option<Look> {
    let start = &document[..document.len().min(16)];
    let text = document.trim_ascii_start();
    if text.is_empty() {
        Some(Look::Empty)
    } else if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") || start.contains(&0) {
        Some(Look::Utf16)
    } else if text.starts_with(b"POST ") || text.starts_with(b"HTTP/") {
        Some(Look::HttpMessage)
    } else if text.starts_with(b"<") {
        Some(Look::Html)
    } else {
        let name = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
        name.is_some_and(|end| end > 0 && text[end] == b'=').then_some(Look::Form)
    }
}

fn verdict(
    document: &[u8],
    side: Side,
    envelope: &Envelope<'_>,
    given: &Given,
    case: &Case<'_>,
    blotter: &Blotter<'_>,
) -> (Verdict, Work) {
    let accepted = |key: &&Key<'_>| key.role.is_accepted() && envelope.verifies(key.text);
    if let Some(key) = case.keys.iter().find(accepted) {
        return (Verdict::Verifies(key.role), Work::default());
    }
    let Some(sources) = Sources::new(document, side) else { return (Verdict::Unexplained, Work::default()) };
    let (found, work) = Search::new(given, &case.keys).run(&sources);
    let verdict = match found {
        Some(found) => {
            let text = sources.mistakes(&found.variant);
            Verdict::Mistaken(explain(&found, text, given, envelope, blotter))
        }
        None => Verdict::Unexplained,
    };
    (verdict, work)
}

fn explain(
    found: &Found,
    mut mistakes: Vec<Mistake>,
    given: &Given,
    envelope: &Envelope<'_>,
    blotter: &Blotter<'_>,
) -> Explanation {
    mistakes.extend(found.join.mistake());
    mistakes.extend(found.key_mistakes());
    mistakes.extend(given.mistakes());
    let instead = (found.text != envelope.signed).then(|| Instead {
        text: blotter.excerpt(&found.text),
        difference: found
            .variant
            .is_of_the_value()
            .then(|| difference(&blotter.blot(envelope.signed), &blotter.blot(&found.text))),
    });
    Explanation { mistakes, key: found.role, instead }
}

/// The gateway does not read a document that begins with a byte order mark, whatever its signature.
fn with_mark(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Verifies(role) => Verdict::Mistaken(Explanation {
            mistakes: vec![Mistake::DocumentMarked],
            key: Some(role),
            instead: None,
        }),
        Verdict::Mistaken(mut explanation) => {
            explanation.mistakes.insert(0, Mistake::DocumentMarked);
            Verdict::Mistaken(explanation)
        }
        other => other,
    }
}

fn remarks(case: &Case<'_>, envelope: &Envelope<'_>, blotter: &Blotter<'_>) -> Vec<Remark> {
    let mut remarks = Vec::new();
    match (envelope.header_text(&["partnerNo"]), case.partner_no) {
        (None, _) => remarks.push(Remark::NoPartnerNo),
        (Some(named), Some(own)) if named != own => remarks.push(Remark::OtherPartnerNo),
        _ => {}
    }
    if std::str::from_utf8(case.document).is_ok_and(|document| blotter.finds_a_key(document)) {
        remarks.push(Remark::KeyInDocument);
    }
    remarks
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &[u8], part: &str) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}
