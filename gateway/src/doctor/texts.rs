//! The texts that may have been hashed in place of the value as it was sent.

use std::ops::Range;

use shared::envelope::Side;
use shared::json::Object;

use super::rewrite::{Escapes, Layout, Style, rewrite};
use super::{MAX_MISTAKES, Mistake};

/// The longest text that is tried.
const MAX_TEXT: usize = 512 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Value,
    /// `{"request":…}`
    Document,
    /// The document as sent, with nothing between the signature's quotation marks.
    EmptySignature,
    /// `"request":…`
    Named,
    Body,
    Header,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Bare,
    Newline,
    CrLf,
    Mark,
}

const SCOPES: [Scope; 6] =
    [Scope::Value, Scope::Document, Scope::EmptySignature, Scope::Named, Scope::Body, Scope::Header];
const LAYOUTS: [Layout; 9] = [
    Layout::AsSent,
    // Before the printers, which write LF as well: the smaller change is the likelier one.
    Layout::UnixLines,
    Layout::WindowsLines,
    Layout::Compact,
    Layout::Spaced,
    Layout::Pretty("  "),
    Layout::Pretty("    "),
    Layout::Pretty("\t"),
    Layout::PrettyJackson,
];
const SLASHES: [Escapes; 3] = [Escapes::AsSent, Escapes::Escaped, Escapes::Plain];
const NON_ASCII: [Escapes; 4] = [Escapes::AsSent, Escapes::Escaped, Escapes::Plain, Escapes::EscapedUpper];
const HTML: [Escapes; 3] = [Escapes::AsSent, Escapes::Escaped, Escapes::Plain];
const FRAMES: [Frame; 4] = [Frame::Bare, Frame::Newline, Frame::CrLf, Frame::Mark];

/// One way to get the text wrong, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variant {
    scope: Scope,
    style: Style,
    frame: Frame,
}

impl Variant {
    /// How many mistakes it takes.
    pub(super) fn cost(&self) -> usize {
        let style = &self.style;
        usize::from(self.scope != Scope::Value)
            + usize::from(style.layout != Layout::AsSent)
            + usize::from(style.sorted)
            + [style.slashes, style.non_ascii, style.html].iter().filter(|e| **e != Escapes::AsSent).count()
            + usize::from(self.frame != Frame::Bare)
    }

    pub(super) fn is_of_the_value(&self) -> bool {
        self.scope == Scope::Value
    }

    fn mistakes(&self) -> Vec<Mistake> {
        let scope = match self.scope {
            Scope::Value => None,
            Scope::Document => Some(Mistake::WholeDocument),
            Scope::EmptySignature => Some(Mistake::EmptySignatureInDocument),
            Scope::Named => Some(Mistake::ValueWithItsName),
            Scope::Body => Some(Mistake::BodyOnly),
            Scope::Header => Some(Mistake::HeaderOnly),
        };
        let layout = match self.style.layout {
            Layout::AsSent => None,
            Layout::UnixLines => Some(Mistake::UnixLineEnds),
            Layout::WindowsLines => Some(Mistake::WindowsLineEnds),
            Layout::Compact => Some(Mistake::Compact),
            Layout::Spaced => Some(Mistake::Spaced),
            Layout::Pretty(_) | Layout::PrettyJackson => Some(Mistake::Pretty),
        };
        let sorted = self.style.sorted.then_some(Mistake::SortedKeys);
        let slashes = escapes(self.style.slashes, Mistake::SlashesEscaped, Mistake::SlashesPlain);
        let non_ascii = escapes(self.style.non_ascii, Mistake::NonAsciiEscaped, Mistake::NonAsciiPlain);
        let html = escapes(self.style.html, Mistake::HtmlEscaped, Mistake::HtmlPlain);
        let frame = match self.frame {
            Frame::Bare => None,
            Frame::Newline | Frame::CrLf => Some(Mistake::TrailingNewline),
            Frame::Mark => Some(Mistake::ByteOrderMark),
        };
        [scope, layout, sorted, slashes, non_ascii, html, frame].into_iter().flatten().collect()
    }
}

fn escapes(escapes: Escapes, escaped: Mistake, plain: Mistake) -> Option<Mistake> {
    match escapes {
        Escapes::AsSent => None,
        Escapes::Plain => Some(plain),
        Escapes::Escaped | Escapes::EscapedUpper => Some(escaped),
    }
}

/// The document and its parts, from which the texts are made.
pub(super) struct Sources<'a> {
    document: &'a str,
    name: &'static str,
    value: &'a str,
    header: &'a str,
    body: &'a str,
    /// Of the signature's literal in the document.
    signature: Range<usize>,
}

impl<'a> Sources<'a> {
    /// Of a document that has been read as an envelope.
    pub(super) fn new(document: &'a [u8], side: Side) -> Option<Self> {
        let text = std::str::from_utf8(document).ok()?;
        let object = Object::parse(document).ok()?;
        let value = object.get(side.word())?;
        let parts = value.object()?;
        let signature = object.get("signature")?.value;
        let from = super::offset(document, signature);
        Some(Self {
            document: text,
            name: side.word(),
            value: value.value,
            header: parts.get("header")?.value,
            body: parts.get("body")?.value,
            signature: from..from + signature.len(),
        })
    }

    /// All that may have been hashed, those with the fewest mistakes first. What cannot differ here is left out.
    pub(super) fn variants(&self) -> Vec<Variant> {
        let has = |needles: &[&str]| needles.iter().any(|needle| self.document.contains(needle));
        let only = |relevant: bool, all: &'static [Escapes]| if relevant { all } else { &all[..1] };
        let slashes = only(has(&["/"]), &SLASHES);
        let non_ascii = only(!self.document.is_ascii() || has(&["\\u"]), &NON_ASCII);
        let html = only(has(&["<", ">", "&", "\\u00"]), &HTML);
        let mut variants = Vec::new();
        let styles = styles(has(&["\n"]), slashes, non_ascii, html);
        for scope in SCOPES {
            for style in &styles {
                for frame in FRAMES {
                    let variant = Variant { scope, style: *style, frame };
                    if variant.cost() <= MAX_MISTAKES {
                        variants.push(variant);
                    }
                }
            }
        }
        variants.sort_by_key(Variant::cost);
        variants
    }

    /// What `variant` gets wrong: a layout that the sent text has itself is none of it.
    pub(super) fn mistakes(&self, variant: &Variant) -> Vec<Mistake> {
        let style = Style { layout: variant.style.layout, ..Style::AS_SENT };
        let laid_out = Variant { scope: variant.scope, style, frame: Frame::Bare };
        let as_sent = Variant { style: Style::AS_SENT, ..laid_out };
        let mut variant = *variant;
        if variant.cost() > 1 && self.text(&laid_out) == self.text(&as_sent) {
            variant.style.layout = Layout::AsSent;
        }
        variant.mistakes()
    }

    /// `None` where it would be too long.
    pub(super) fn text(&self, variant: &Variant) -> Option<String> {
        let rewritten = |text: &str| rewrite(text, &variant.style, MAX_TEXT);
        let text = match variant.scope {
            Scope::Value => rewritten(self.value)?,
            Scope::Document => rewritten(&format!("{{\"{}\":{}}}", self.name, self.value))?,
            Scope::EmptySignature => {
                let (before, behind) =
                    (&self.document[..self.signature.start], &self.document[self.signature.end..]);
                rewritten(&[before, "\"\"", behind].concat())?
            }
            Scope::Named => format!("\"{}\":{}", self.name, rewritten(self.value)?),
            Scope::Body => rewritten(self.body)?,
            Scope::Header => rewritten(self.header)?,
        };
        Some(match variant.frame {
            Frame::Bare => text,
            Frame::Newline => text + "\n",
            Frame::CrLf => text + "\r\n",
            Frame::Mark => format!("\u{feff}{text}"),
        })
    }
}

fn styles(has_lines: bool, slashes: &[Escapes], non_ascii: &[Escapes], html: &[Escapes]) -> Vec<Style> {
    let mut styles = Vec::new();
    for layout in LAYOUTS {
        let of_lines = matches!(layout, Layout::UnixLines | Layout::WindowsLines);
        if of_lines && !has_lines {
            continue;
        }
        let re_serialised = !of_lines && layout != Layout::AsSent;
        for sorted in [false, true].into_iter().take(1 + usize::from(re_serialised)) {
            for slashes in slashes {
                for non_ascii in non_ascii {
                    for html in html {
                        styles.push(Style {
                            layout,
                            sorted,
                            slashes: *slashes,
                            non_ascii: *non_ascii,
                            html: *html,
                        });
                    }
                }
            }
        }
    }
    styles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_costs_as_much_as_it_has_mistakes_and_the_right_one_comes_first() {
        let document = r#"{"request":{"header":{},"body":{"a":"/<é"}}, "signature":"x"}"#;
        let sources = Sources::new(document.as_bytes(), Side::Request).expect("an envelope");
        let variants = sources.variants();
        assert_eq!(variants[0].cost(), 0);
        assert_eq!(sources.text(&variants[0]).as_deref(), Some(r#"{"header":{},"body":{"a":"/<é"}}"#));
        for variant in &variants {
            assert_eq!(variant.cost(), variant.mistakes().len(), "{variant:?}");
            assert!(variant.cost() <= MAX_MISTAKES);
        }
    }
}
