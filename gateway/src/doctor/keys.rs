//! The keys that may have been used, and how they come to be spelled otherwise than they were given out.

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

use super::Mistake;

/// A sign key of the document's sender.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    pub role: KeyRole,
    pub text: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    Current,
    /// The version before; still accepted.
    Previous,
    /// A version that is accepted no more.
    Expired,
    /// The sender's key of the other kind: of test for a live request, of live for one to test.
    OtherMode,
}

impl KeyRole {
    /// Whether a request signed with it is taken.
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Current | Self::Previous)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Expired => "expired",
            Self::OtherMode => "other_mode",
        }
    }

    fn mistake(self) -> Option<Mistake> {
        match self {
            Self::Current | Self::Previous => None,
            Self::Expired => Some(Mistake::ExpiredKey),
            Self::OtherMode => Some(Mistake::OtherModesKey),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    AsIs,
    NewlineBehind,
    CrLfBehind,
    BlankBehind,
    BlankBefore,
    Quoted,
    Upper,
    Lower,
    /// The bytes that its hex digits stand for.
    Decoded,
    /// Nothing was hashed as a key.
    Absent,
}

impl Form {
    const OF_A_KEY: [Self; 9] = [
        Self::AsIs,
        Self::NewlineBehind,
        Self::CrLfBehind,
        Self::BlankBehind,
        Self::BlankBefore,
        Self::Quoted,
        Self::Upper,
        Self::Lower,
        Self::Decoded,
    ];

    fn mistake(self) -> Option<Mistake> {
        match self {
            Self::AsIs => None,
            Self::NewlineBehind | Self::CrLfBehind | Self::BlankBehind | Self::BlankBefore => {
                Some(Mistake::BlanksAroundKey)
            }
            Self::Quoted => Some(Mistake::QuotedKey),
            Self::Upper | Self::Lower => Some(Mistake::KeyInOtherCase),
            Self::Decoded => Some(Mistake::DecodedKey),
            Self::Absent => Some(Mistake::NoKey),
        }
    }

    fn spell(self, key: &str) -> Option<Vec<u8>> {
        match self {
            Self::AsIs => Some(key.into()),
            Self::NewlineBehind => Some(format!("{key}\n").into()),
            Self::CrLfBehind => Some(format!("{key}\r\n").into()),
            Self::BlankBehind => Some(format!("{key} ").into()),
            Self::BlankBefore => Some(format!(" {key}").into()),
            Self::Quoted => Some(format!("\"{key}\"").into()),
            Self::Upper => Some(key.to_uppercase().into()),
            Self::Lower => Some(key.to_lowercase().into()),
            Self::Decoded => HEXLOWER_PERMISSIVE.decode(key.as_bytes()).ok(),
            Self::Absent => Some(Vec::new()),
        }
    }
}

/// Bytes to hash as the key.
pub(super) struct Trial {
    pub(super) role: Option<KeyRole>,
    form: Form,
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Trial {
    pub(super) fn mistakes(&self) -> impl Iterator<Item = Mistake> + use<> {
        self.role.and_then(KeyRole::mistake).into_iter().chain(self.form.mistake())
    }
}

/// What may have been hashed as a key, each different text once, those with the fewest mistakes first.
pub(super) fn trials(keys: &[Key<'_>]) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    for form in Form::OF_A_KEY {
        for key in keys {
            let Some(bytes) = form.spell(key.text) else { continue };
            if !trials.iter().any(|trial| *trial.bytes == bytes) {
                trials.push(Trial { role: Some(key.role), form, bytes: Zeroizing::new(bytes) });
            }
        }
    }
    trials.push(Trial { role: None, form: Form::Absent, bytes: Zeroizing::default() });
    trials.sort_by_key(|trial| trial.mistakes().count());
    trials
}
