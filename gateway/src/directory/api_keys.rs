//! API keys: their form, proving a caller by one, and when each was last used. A key is
//! `sg_test_` or `sg_live_`, 32 characters that nobody can guess, and 8 that check the others, so that a key that was
//! mistyped is known without looking for it. Only its hash is kept.

pub mod manage;

use std::net::IpAddr;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::access::{Caller, Credential, Mode, Scopes, Tenant, Unproven};
use super::usage::LastUse;
use crate::chance;
use crate::entity::api_key;
use crate::limits::{Bucket, Limits};

const SECRET_CHARACTERS: usize = 32;
const CHECK_CHARACTERS: usize = 8;
/// How much of a key is shown, by which people tell theirs apart: the mode and 4 characters.
const SHOWN_CHARACTERS: usize = "sg_test_".len() + 4;

pub type KeyHash = [u8; 32];

/// A key as it is known in memory.
pub struct ApiKey {
    pub id: String,
    pub tenant: Tenant,
    pub mode: Mode,
    pub scopes: Scopes,
    pub hash: KeyHash,
    /// Empty: from anywhere.
    addresses: Vec<IpNet>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    pub last_use: LastUse,
    pub diagnoses: Arc<Bucket>,
}

/// A new key and what of it is kept.
pub struct NewKey {
    pub text: Zeroizing<String>,
    pub prefix: String,
    pub hash: KeyHash,
}

/// Make a key of `mode`.
pub fn new_key(mode: Mode) -> NewKey {
    let secret = BASE32_NOPAD.encode(&chance::bytes::<20>()).to_lowercase();
    let body = Zeroizing::new(format!("sg_{}_{secret}", mode.as_str()));
    let text = Zeroizing::new(format!("{}{}", &*body, check(&body)));
    let hash = Sha256::digest(text.as_bytes()).into();
    NewKey { prefix: shown(&text), hash, text }
}

/// The start of a key, by which it is known to people.
pub fn shown(key: &str) -> String {
    key.chars().take(SHOWN_CHARACTERS).collect()
}

/// The hash under which a key would be known, if it can be one at all.
pub fn hash_of(text: &str) -> Result<KeyHash, Unproven> {
    let secret = ["sg_live_", "sg_test_"].into_iter().find_map(|start| text.strip_prefix(start));
    let secret = secret.ok_or(Unproven::Foreign)?;
    if secret.len() != SECRET_CHARACTERS + CHECK_CHARACTERS || !secret.is_ascii() {
        return Err(Unproven::Mistyped);
    }
    let (body, given) = text.split_at(text.len() - CHECK_CHARACTERS);
    if check(body) == given { Ok(Sha256::digest(text.as_bytes()).into()) } else { Err(Unproven::Mistyped) }
}

fn check(body: &str) -> String {
    BASE32_NOPAD.encode(&Sha256::digest(body.as_bytes())[..5]).to_lowercase()
}

impl ApiKey {
    /// From its row. Networks that cannot be read let nobody in.
    pub fn of(row: api_key::Model, limits: &Limits) -> anyhow::Result<Self> {
        use anyhow::Context;
        let hash = row.hash.as_slice().try_into().with_context(|| format!("the hash of key {}", row.id))?;
        let addresses = row.addresses.split_ascii_whitespace().map(str::parse::<IpNet>);
        let addresses = addresses.collect::<Result<_, _>>();
        Ok(Self {
            diagnoses: limits.key_diagnoses(&row.platform_id, &row.id),
            tenant: Tenant::new(&row.platform_id, row.merchant_id.as_deref()),
            addresses: addresses.with_context(|| format!("the networks of key {}", row.id))?,
            id: row.id,
            mode: row.mode,
            scopes: Scopes::parse(&row.scopes),
            hash,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_use: LastUse::new(row.last_used_at),
        })
    }

    /// The caller that the key proves, if it does so now and from there.
    pub fn proves(&self, address: IpAddr, now: i64) -> Result<Caller, Unproven> {
        if self.revoked_at.is_some() {
            return Err(Unproven::Revoked);
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            return Err(Unproven::Expired);
        }
        let address = address.to_canonical();
        if !self.addresses.is_empty() && !self.addresses.iter().any(|network| network.contains(&address)) {
            return Err(Unproven::Elsewhere);
        }
        self.last_use.note(now);
        Ok(Caller {
            tenant: self.tenant.clone(),
            mode: self.mode,
            scopes: self.scopes,
            credential: Credential::ApiKey(self.id.clone()),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::{Config, Sources};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn key(addresses: &str, expires_at: Option<i64>) -> ApiKey {
        let row = api_key::Model {
            id: "k".into(),
            platform_id: "p".into(),
            merchant_id: None,
            name: "n".into(),
            mode: Mode::Test,
            prefix: "sg_test_aaaa".into(),
            hash: vec![0; 32],
            scopes: "merchants:read".into(),
            addresses: addresses.into(),
            created_at: 0,
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        let (clock, settings) = (Clock::system(), Config::load_from(&Sources::default()));
        let limits = Limits::new(&settings.expect("the defaults").limits, &clock, None);
        ApiKey::of(row, &limits).expect("a key")
    }

    #[test]
    fn a_key_is_known_by_its_hash_and_any_change_of_one_character_is_noticed() {
        let made = new_key(Mode::Test);
        let text: &str = &made.text;
        assert_eq!(hash_of(text), Ok(made.hash));
        assert_eq!((text.len(), &*made.prefix), (48, &text[..12]));
        for place in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).expect("letters");
            assert!(hash_of(&changed).is_err(), "{place}");
        }
        for wrong in ["", "sg_test_", &text[..47], &format!("{text}a"), &text.to_uppercase()] {
            assert!(hash_of(wrong).is_err());
        }
        assert!(new_key(Mode::Live).text.starts_with("sg_live_"));
    }

    #[test]
    fn a_key_ends_at_its_moment() {
        let key = key("", Some(1000));
        assert!(key.proves(HERE, 999).is_ok());
        assert_eq!(key.proves(HERE, 1000).err(), Some(Unproven::Expired));
    }

    #[test]
    fn a_key_for_some_addresses_is_good_from_there_only() {
        let key = key("127.0.0.0/30 2001:db8::/64", None);
        let from = |address: &str| key.proves(address.parse().expect("an address"), 0).is_ok();
        assert!(from("127.0.0.3") && from("::ffff:127.0.0.1") && from("2001:db8::5"));
        assert!(!from("127.0.0.4") && !from("2001:db8:0:1::5"));
    }
}
