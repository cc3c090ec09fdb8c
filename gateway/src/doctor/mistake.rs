//! The usual mistakes: a stable code for programs, and for people what was done and what to do about it.

/// One thing that was done otherwise than `docs/PROTOCOL.md`, Signature, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mistake {
    DocumentMarked,
    WholeDocument,
    EmptySignatureInDocument,
    ValueWithItsName,
    BodyOnly,
    HeaderOnly,
    Compact,
    Spaced,
    Pretty,
    UnixLineEnds,
    WindowsLineEnds,
    SortedKeys,
    SlashesEscaped,
    SlashesPlain,
    NonAsciiEscaped,
    NonAsciiPlain,
    HtmlEscaped,
    HtmlPlain,
    TrailingNewline,
    ByteOrderMark,
    KeyBeforeText,
    Hmac,
    HmacSwapped,
    KeyAsParameter,
    NoKey,
    ExpiredKey,
    OtherModesKey,
    BlanksAroundKey,
    QuotedKey,
    KeyInOtherCase,
    DecodedKey,
    Md5,
    Sha1,
    Sha512,
    UpperCaseHex,
    Base64,
    Base64OfHex,
    SignaturePadded,
}

/// What is said of a mistake.
struct Words {
    code: &'static str,
    what: &'static str,
    advice: &'static str,
}

const SAME_STRING: &str = "serialise once, sign that very string, and send that very string";
const PLAIN_HASH: &str =
    "take a plain hash of the text with the key appended: SHA256(text + key), in lower-case hex";
const VALUE_ONLY: &str =
    "sign the value alone: from its opening brace to its closing brace, as it stands in the document";
const KEY_AS_GIVEN: &str = "use the key exactly as it was given out, as text; trim what is read from a file";

impl Mistake {
    pub const ALL: [Self; 38] = [
        Self::DocumentMarked,
        Self::WholeDocument,
        Self::EmptySignatureInDocument,
        Self::ValueWithItsName,
        Self::BodyOnly,
        Self::HeaderOnly,
        Self::Compact,
        Self::Spaced,
        Self::Pretty,
        Self::UnixLineEnds,
        Self::WindowsLineEnds,
        Self::SortedKeys,
        Self::SlashesEscaped,
        Self::SlashesPlain,
        Self::NonAsciiEscaped,
        Self::NonAsciiPlain,
        Self::HtmlEscaped,
        Self::HtmlPlain,
        Self::TrailingNewline,
        Self::ByteOrderMark,
        Self::KeyBeforeText,
        Self::Hmac,
        Self::HmacSwapped,
        Self::KeyAsParameter,
        Self::NoKey,
        Self::ExpiredKey,
        Self::OtherModesKey,
        Self::BlanksAroundKey,
        Self::QuotedKey,
        Self::KeyInOtherCase,
        Self::DecodedKey,
        Self::Md5,
        Self::Sha1,
        Self::Sha512,
        Self::UpperCaseHex,
        Self::Base64,
        Self::Base64OfHex,
        Self::SignaturePadded,
    ];

    /// Stable, for programs.
    pub fn code(self) -> &'static str {
        self.words().code
    }

    /// What was done.
    pub fn what(self) -> &'static str {
        self.words().what
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        self.words().advice
    }

    fn words(self) -> Words {
        self.of_the_part().or_else(|| self.of_the_text()).unwrap_or_else(|| self.of_key_and_hash())
    }

    /// The wrong part of the document.
    fn of_the_part(self) -> Option<Words> {
        let (code, what, advice) = match self {
            Self::DocumentMarked => (
                "document_starts_with_bom",
                "the document starts with a byte order mark, which JSON does not allow",
                "send UTF-8 without a byte order mark",
            ),
            Self::WholeDocument => {
                ("whole_document_signed", "the whole document was hashed, less its signature", VALUE_ONLY)
            }
            Self::EmptySignatureInDocument => (
                "whole_document_with_empty_signature_signed",
                "the whole document was hashed, with an empty signature in it",
                VALUE_ONLY,
            ),
            Self::ValueWithItsName => {
                ("value_signed_with_its_name", "the value was hashed together with its name", VALUE_ONLY)
            }
            Self::BodyOnly => ("body_only_signed", "only the body was hashed", VALUE_ONLY),
            Self::HeaderOnly => ("header_only_signed", "only the header was hashed", VALUE_ONLY),
            _ => return None,
        };
        Some(Words { code, what, advice })
    }

    /// Another text than was sent.
    fn of_the_text(self) -> Option<Words> {
        let (code, what, advice) = match self {
            Self::Compact => {
                ("compact_json_signed", "a compact form was hashed, without the blanks sent", SAME_STRING)
            }
            Self::Spaced => (
                "spaced_json_signed",
                "a form with a blank after each comma and colon was hashed",
                SAME_STRING,
            ),
            Self::Pretty => {
                ("pretty_json_signed", "a pretty-printed form was hashed, and another one sent", SAME_STRING)
            }
            Self::UnixLineEnds => (
                "unix_line_ends_signed",
                "the text was hashed with line ends LF and sent with CR LF",
                "sign the bytes that are sent, and send them as binary",
            ),
            Self::WindowsLineEnds => (
                "windows_line_ends_signed",
                "the text was hashed with line ends CR LF and sent with LF",
                "sign the bytes that are sent, and send them as binary",
            ),
            Self::SortedKeys => (
                "sorted_keys_signed",
                "the keys were hashed in alphabetical order and sent in another",
                SAME_STRING,
            ),
            Self::SlashesEscaped => {
                ("slashes_escaped_when_signed", "slashes were hashed as \\/ and sent as /", SAME_STRING)
            }
            Self::SlashesPlain => {
                ("slashes_unescaped_when_signed", "slashes were hashed as / and sent as \\/", SAME_STRING)
            }
            Self::NonAsciiEscaped => (
                "non_ascii_escaped_when_signed",
                "characters outside ASCII were hashed as \\u escapes and sent otherwise",
                SAME_STRING,
            ),
            Self::NonAsciiPlain => (
                "non_ascii_unescaped_when_signed",
                "characters outside ASCII were hashed as they are and sent as \\u escapes",
                SAME_STRING,
            ),
            Self::HtmlEscaped => (
                "html_escaped_when_signed",
                "<, > and & were hashed as \\u escapes and sent as they are",
                SAME_STRING,
            ),
            Self::HtmlPlain => (
                "html_unescaped_when_signed",
                "<, > and & were hashed as they are and sent as \\u escapes",
                SAME_STRING,
            ),
            Self::TrailingNewline => (
                "trailing_newline_signed",
                "a line end behind the text was hashed with it",
                "sign without it: `printf '%s'` instead of `echo`, and trim what is read from a file",
            ),
            Self::ByteOrderMark => (
                "byte_order_mark_signed",
                "a byte order mark before the text was hashed with it",
                "encode as UTF-8 without a byte order mark",
            ),
            _ => return None,
        };
        Some(Words { code, what, advice })
    }

    /// Joined, keyed, hashed or spelled otherwise.
    fn of_key_and_hash(self) -> Words {
        let (code, what, advice) = match self {
            Self::KeyBeforeText => ("key_before_text", "the key was hashed before the text", PLAIN_HASH),
            Self::Hmac => ("hmac", "an HMAC was made with the key", PLAIN_HASH),
            Self::HmacSwapped => (
                "hmac_arguments_swapped",
                "an HMAC of the key was made, with the text as its key",
                PLAIN_HASH,
            ),
            Self::KeyAsParameter => ("key_as_parameter", "the key was appended as &key=…", PLAIN_HASH),
            Self::NoKey => ("no_key", "the text was hashed without any key", PLAIN_HASH),
            Self::ExpiredKey => (
                "expired_key",
                "an earlier version of the key was used, which is accepted no more",
                "use the current key",
            ),
            Self::OtherModesKey => (
                "key_of_other_mode",
                "the key of the other kind was used: test for live, or live for test",
                "use number and key of the same kind",
            ),
            Self::BlanksAroundKey => {
                ("blanks_around_key", "a blank or a line end was hashed with the key", KEY_AS_GIVEN)
            }
            Self::QuotedKey => ("quoted_key", "quotation marks were hashed with the key", KEY_AS_GIVEN),
            Self::KeyInOtherCase => (
                "key_in_other_case",
                "the key's letters were changed to capitals, or from them",
                KEY_AS_GIVEN,
            ),
            Self::DecodedKey => {
                ("decoded_key", "the bytes that the key's hex digits stand for were hashed", KEY_AS_GIVEN)
            }
            Self::Md5 => ("md5", "the hash is MD5", PLAIN_HASH),
            Self::Sha1 => ("sha1", "the hash is SHA-1", PLAIN_HASH),
            Self::Sha512 => ("sha512", "the hash is SHA-512", PLAIN_HASH),
            Self::UpperCaseHex => {
                ("upper_case_hex", "the signature is written with capitals", "write it in lower case")
            }
            Self::Base64 => ("base64", "the signature is written in base64", "write it as lower-case hex"),
            Self::Base64OfHex => (
                "base64_of_hex",
                "the hex digits were encoded in base64 once more",
                "send the hex digits themselves",
            ),
            _ => (
                "blanks_around_signature",
                "there are blanks or line ends around the signature",
                "send the 64 hex digits and nothing else",
            ),
        };
        Words { code, what, advice }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_mistake_has_a_code_of_its_own_and_says_what_to_do() {
        let codes: HashSet<&str> = Mistake::ALL.iter().map(|mistake| mistake.code()).collect();
        assert_eq!(codes.len(), Mistake::ALL.len());
        let mistakes: HashSet<Mistake> = Mistake::ALL.into_iter().collect();
        assert_eq!(mistakes.len(), Mistake::ALL.len());
        assert_eq!(Mistake::SignaturePadded.code(), "blanks_around_signature");
        assert!(codes.iter().all(|code| {
            code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
        }));
    }
}
