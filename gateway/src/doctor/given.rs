//! The signature that came with a document: which hash it is and how it is spelled can be read off it, so neither
//! has to be tried.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding, HEXLOWER_PERMISSIVE};

use super::Mistake;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    LowerHex,
    /// Capitals among the digits.
    UpperHex,
    Base64,
    /// The hex digits' own text in base64.
    Base64OfHex,
}

/// A signature understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) hash: Hash,
    pub(super) digest: Vec<u8>,
    spelling: Spelling,
    /// Blanks or line ends around it.
    padded: bool,
}

/// What a signature looks like. Not the signature: by a mistake put right it may be valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// In characters.
    pub length: usize,
    /// In words, such as `64 hex digits in lower case: SHA-256`.
    pub form: String,
}

impl Given {
    pub(super) fn read(signature: &str) -> Option<Self> {
        let text = signature.trim();
        let padded = text.len() != signature.len();
        if let Some((hash, digest)) = of_hex(text) {
            let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
            let spelling = if upper { Spelling::UpperHex } else { Spelling::LowerHex };
            return Some(Self { hash, digest, spelling, padded });
        }
        let decoded = [BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
            .iter()
            .find_map(|encoding: &Encoding| encoding.decode(text.as_bytes()).ok())?;
        if let Some((hash, digest)) = std::str::from_utf8(&decoded).ok().and_then(of_hex) {
            return Some(Self { hash, digest, spelling: Spelling::Base64OfHex, padded });
        }
        let hash = of_length(decoded.len())?;
        Some(Self { hash, digest: decoded, spelling: Spelling::Base64, padded })
    }

    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let hash = match self.hash {
            Hash::Md5 => Some(Mistake::Md5),
            Hash::Sha1 => Some(Mistake::Sha1),
            Hash::Sha256 => None,
            Hash::Sha512 => Some(Mistake::Sha512),
        };
        let spelling = match self.spelling {
            Spelling::LowerHex => None,
            Spelling::UpperHex => Some(Mistake::UpperCaseHex),
            Spelling::Base64 => Some(Mistake::Base64),
            Spelling::Base64OfHex => Some(Mistake::Base64OfHex),
        };
        let padded = self.padded.then_some(Mistake::SignaturePadded);
        hash.into_iter().chain(spelling).chain(padded).collect()
    }
}

fn of_hex(text: &str) -> Option<(Hash, Vec<u8>)> {
    let digest = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
    Some((of_length(digest.len())?, digest))
}

fn of_length(bytes: usize) -> Option<Hash> {
    match bytes {
        16 => Some(Hash::Md5),
        20 => Some(Hash::Sha1),
        32 => Some(Hash::Sha256),
        64 => Some(Hash::Sha512),
        _ => None,
    }
}

impl Signature {
    pub(super) fn of(text: &str, given: Option<&Given>) -> Self {
        let length = text.chars().count();
        let Some(given) = given else {
            let form = match length {
                0 => "empty".to_owned(),
                _ => "neither hex nor base64 of a usual hash's length".to_owned(),
            };
            return Self { length, form };
        };
        let hash = match given.hash {
            Hash::Md5 => "MD5",
            Hash::Sha1 => "SHA-1",
            Hash::Sha256 => "SHA-256",
            Hash::Sha512 => "SHA-512",
        };
        let digits = given.digest.len() * 2;
        let form = match given.spelling {
            Spelling::LowerHex => format!("{digits} hex digits in lower case: {hash}"),
            Spelling::UpperHex => format!("{digits} hex digits with capitals: {hash}"),
            Spelling::Base64 => format!("base64 of {} bytes: {hash}", given.digest.len()),
            Spelling::Base64OfHex => format!("base64 of {digits} hex digits: {hash}"),
        };
        Self { length, form: if given.padded { format!("{form}, with blanks around it") } else { form } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_and_spelling_are_read_off() {
        let hex = "ebd49f26dcefb62cf444daeeed4c464c9021ef2d407eecd74157f823fb1a60f4";
        let mistakes = |text: &str| Given::read(text).map(|given| given.mistakes());
        assert_eq!(mistakes(hex), Some(vec![]));
        assert_eq!(mistakes(&hex.to_uppercase()), Some(vec![Mistake::UpperCaseHex]));
        assert_eq!(mistakes(&format!("{hex}\n")), Some(vec![Mistake::SignaturePadded]));
        assert_eq!(mistakes(&hex[..32]), Some(vec![Mistake::Md5]));
        assert_eq!(mistakes(&hex[..40].to_uppercase()), Some(vec![Mistake::Sha1, Mistake::UpperCaseHex]));
        assert_eq!(mistakes(&[hex, hex].concat()), Some(vec![Mistake::Sha512]));
        assert_eq!(mistakes("69SfJtzvtiz0RNru7UxGTJAh7y1AfuzXQVf4I/saYPQ="), Some(vec![Mistake::Base64]));
        assert_eq!(mistakes("69SfJtzvtiz0RNru7UxGTJAh7y1AfuzXQVf4I_saYPQ"), Some(vec![Mistake::Base64]));
        for text in ["", "xyz", &hex[1..], "SHA256"] {
            assert_eq!(mistakes(text), None, "{text}");
        }
    }

    #[test]
    fn its_look_is_told_and_not_its_digits() {
        let text = "ab".repeat(32);
        let look = Signature::of(&text, Given::read(&text).as_ref());
        assert_eq!((look.length, look.form.as_str()), (64, "64 hex digits in lower case: SHA-256"));
        assert_eq!(Signature::of("", None).form, "empty");
    }
}
