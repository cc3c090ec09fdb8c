//! The search for the fewest mistakes that make a signature right: texts, keys and ways to join them, in a bounded
//! number of trials over a bounded number of bytes.

use std::collections::HashSet;

use hmac::{KeyInit, Mac, SimpleHmac};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::digest::common::BlockSizeUser;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::Mistake;
use super::given::{Given, Hash};
use super::keys::{self, Key, KeyRole, Trial};
use super::texts::{Sources, Variant};

/// The most hashes taken for one document.
pub const MAX_TRIALS: usize = 10_000;
/// The most bytes written and hashed for one document.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// The most mistakes at one time that are looked for, those in the signature's spelling not counted.
pub const MAX_MISTAKES: usize = 3;

/// What a search took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    pub trials: usize,
    pub bytes: usize,
    /// It ended at a limit; not everything was tried.
    pub cut_short: bool,
}

impl Work {
    /// Whether another trial over so many bytes is within the limits; then it counts.
    fn admits(&mut self, trials: usize, bytes: usize) -> bool {
        let fits = self.trials + trials <= MAX_TRIALS && self.bytes + bytes <= MAX_BYTES;
        if fits {
            self.trials += trials;
            self.bytes += bytes;
        } else {
            self.cut_short = true;
        }
        fits
    }
}

/// How text and key come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    KeyBehind,
    KeyBefore,
    Hmac,
    HmacSwapped,
    /// `&key=` and the key.
    Parameter,
}

impl Join {
    const ALL: [Self; 5] = [Self::KeyBehind, Self::KeyBefore, Self::Hmac, Self::HmacSwapped, Self::Parameter];

    pub(super) fn mistake(self) -> Option<Mistake> {
        match self {
            Self::KeyBehind => None,
            Self::KeyBefore => Some(Mistake::KeyBeforeText),
            Self::Hmac => Some(Mistake::Hmac),
            Self::HmacSwapped => Some(Mistake::HmacSwapped),
            Self::Parameter => Some(Mistake::KeyAsParameter),
        }
    }
}

/// What makes the signature right.
pub(super) struct Found {
    pub(super) variant: Variant,
    pub(super) text: String,
    pub(super) join: Join,
    pub(super) role: Option<KeyRole>,
    key_mistakes: Vec<Mistake>,
}

impl Found {
    pub(super) fn key_mistakes(&self) -> impl Iterator<Item = Mistake> {
        self.key_mistakes.iter().copied()
    }
}

/// A key, how it is joined, and how many mistakes that takes.
struct Pair {
    join: Join,
    /// Place in `Search::keys`.
    key: usize,
    cost: usize,
}

pub(super) struct Search<'a> {
    given: &'a Given,
    keys: Vec<Trial>,
    pairs: Vec<Pair>,
    work: Work,
}

impl<'a> Search<'a> {
    pub(super) fn new(given: &'a Given, keys: &[Key<'_>]) -> Self {
        let keys = keys::trials(keys);
        let mut pairs = Vec::new();
        for join in Join::ALL {
            for (key, trial) in keys.iter().enumerate() {
                let cost = usize::from(join.mistake().is_some()) + trial.mistakes().count();
                // Without a key there is nothing to join.
                if cost <= MAX_MISTAKES && (join == Join::KeyBehind || !trial.bytes.is_empty()) {
                    pairs.push(Pair { join, key, cost });
                }
            }
        }
        pairs.sort_by_key(|pair| pair.cost);
        Self { given, keys, pairs, work: Work::default() }
    }

    pub(super) fn run(mut self, sources: &Sources<'_>) -> (Option<Found>, Work) {
        let found = match self.given.hash {
            Hash::Md5 => self.fewest::<Md5>(sources),
            Hash::Sha1 => self.fewest::<Sha1>(sources),
            Hash::Sha256 => self.fewest::<Sha256>(sources),
            Hash::Sha512 => self.fewest::<Sha512>(sources),
        };
        (found, self.work)
    }

    /// Texts come with rising cost: one that alone costs as much as what was found cannot be better.
    fn fewest<D: Digest + BlockSizeUser + Clone>(&mut self, sources: &Sources<'_>) -> Option<Found> {
        let mut best: Option<(usize, Found)> = None;
        let mut seen: HashSet<[u8; 32]> = HashSet::new();
        for variant in sources.variants() {
            let most = best.as_ref().map_or(MAX_MISTAKES + 1, |(cost, _)| *cost);
            if variant.cost() >= most {
                break;
            }
            let Some(text) = sources.text(&variant) else { continue };
            // Written, told apart and hashed.
            if !self.work.admits(0, 3 * text.len()) {
                break;
            }
            if !seen.insert(Sha256::digest(&text).into()) {
                continue;
            }
            if let Some(place) = self.pair_for::<D>(&text, most - variant.cost()) {
                let pair = &self.pairs[place];
                let trial = &self.keys[pair.key];
                let found = Found {
                    variant,
                    text,
                    join: pair.join,
                    role: trial.role,
                    key_mistakes: trial.mistakes().collect(),
                };
                best = Some((variant.cost() + pair.cost, found));
            }
        }
        best.map(|(_, found)| found)
    }

    /// The pair of less than this cost by which `text` gives the signature.
    fn pair_for<D: Digest + BlockSizeUser + Clone>(&mut self, text: &str, below: usize) -> Option<usize> {
        let behind_text = D::new_with_prefix(text);
        for place in 0..self.pairs.len() {
            let Pair { join, key, cost } = self.pairs[place];
            if cost >= below {
                break;
            }
            let key = &self.keys[key].bytes;
            let anew = !matches!(join, Join::KeyBehind | Join::Parameter);
            if !self.work.admits(1, key.len() + if anew { text.len() } else { 0 }) {
                break;
            }
            let digest = joined::<D>(&behind_text, join, text.as_bytes(), key);
            if bool::from(digest.as_slice().ct_eq(&self.given.digest)) {
                return Some(place);
            }
        }
        None
    }
}

fn joined<D: Digest + BlockSizeUser + Clone>(
    behind_text: &D,
    join: Join,
    text: &[u8],
    key: &[u8],
) -> Vec<u8> {
    let hmac = |key: &[u8], text: &[u8]| {
        let mac = SimpleHmac::<D>::new_from_slice(key).expect("an HMAC takes keys of any length");
        mac.chain_update(text).finalize().into_bytes().to_vec()
    };
    match join {
        Join::KeyBehind => behind_text.clone().chain_update(key).finalize().to_vec(),
        Join::Parameter => behind_text.clone().chain_update("&key=").chain_update(key).finalize().to_vec(),
        Join::KeyBefore => D::new().chain_update(key).chain_update(text).finalize().to_vec(),
        Join::Hmac => hmac(key, text),
        Join::HmacSwapped => hmac(text, key),
    }
}
