//! Secrets at rest: AES-256-GCM under a master key, each sealed to the row it belongs to. The master key comes
//! from the environment or from a file that the first start makes for its owner's eyes only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use anyhow::{Context, bail};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::chance;

const NONCE: usize = 12;

/// Seals and opens under one master key.
pub struct Vault {
    cipher: Aes256Gcm,
    key_id: String,
    decoy: Zeroizing<[u8; 32]>,
    fingerprints: Zeroizing<[u8; 32]>,
}

impl Vault {
    /// From 64 hex digits.
    pub fn new(master_key: &str) -> anyhow::Result<Self> {
        let bytes =
            Zeroizing::new(HEXLOWER.decode(master_key.trim().to_lowercase().as_bytes()).unwrap_or_default());
        let key: &[u8; 32] =
            bytes.as_slice().try_into().ok().context("the master key must be 64 hex digits")?;
        Ok(Self {
            cipher: Aes256Gcm::new(key.into()),
            key_id: HEXLOWER.encode(&Sha256::digest(key)[..8]),
            decoy: Zeroizing::new(derived(key, b"decoy")),
            fingerprints: Zeroizing::new(derived(key, b"fingerprints")),
        })
    }

    /// From a file; made with a new key where there is none and `make` allows it.
    pub fn from_file(path: &Path, make: bool) -> anyhow::Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && make => make_file(path)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "the master key file {} is missing, and the store holds secrets sealed under it; put the file back from your escrow",
                path.display()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("reading the master key file {}", path.display()));
            }
        };
        Self::new(&text).with_context(|| format!("the master key file {}", path.display()))
    }

    /// Tells which master key sealed a secret; says nothing about the key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Seal `secret` for the row `owner`; it opens for no other.
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Vec<u8> {
        let nonce = chance::bytes::<NONCE>();
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let sealed =
            self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a short text under a full nonce");
        [nonce.as_slice(), &sealed].concat()
    }

    pub fn open(&self, owner: &str, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE>() else {
            bail!("a sealed secret of {owner} is too short to be one");
        };
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        match self.cipher.decrypt(&Nonce::from(*nonce), payload) {
            Ok(secret) => Ok(Zeroizing::new(secret)),
            Err(_) => bail!(
                "a secret of {owner} does not open under master key {}; is this the key the store was made with?",
                self.key_id
            ),
        }
    }

    /// Tells whether two secrets are the same, and nothing else of them: not even a weak one can be found by trying.
    pub fn fingerprint(&self, secret: &[u8]) -> String {
        HEXLOWER.encode(&derived(&self.fingerprints, secret)[..8])
    }

    /// The key under which a stranger who claims `partner_no` is answered: stable, and nobody's.
    pub fn decoy_key(&self, partner_no: &str) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&derived(&self.decoy, partner_no.as_bytes())))
    }
}

fn derived(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

fn make_file(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = Zeroizing::new(format!("{}\n", HEXLOWER.encode(&chance::bytes::<32>())));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("making the master key file {}", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(digit: char) -> Vault {
        Vault::new(&digit.to_string().repeat(64)).expect("64 digits")
    }

    #[test]
    fn a_secret_opens_only_under_its_key_for_its_row_and_untouched() {
        let sealed = vault('a').seal("row", b"secret");
        assert_eq!(&**vault('a').open("row", &sealed).expect("opens"), b"secret");
        assert!(vault('a').open("other", &sealed).is_err());
        assert!(vault('b').open("row", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut touched = sealed.clone();
            touched[place] ^= 1;
            assert!(vault('a').open("row", &touched).is_err(), "byte {place}");
        }
        assert!(vault('a').open("row", &sealed[..5]).is_err());
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        assert_ne!(vault('a').seal("row", b"secret"), vault('a').seal("row", b"secret"));
    }

    #[test]
    fn a_master_key_is_64_hex_digits() {
        assert!(Vault::new("abc").is_err());
        assert!(Vault::new(&"g".repeat(64)).is_err());
        assert!(Vault::new(&format!("{}\n", "A0".repeat(32))).is_ok());
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys/master.key");
        assert!(Vault::from_file(&path, false).is_err());
        let first = Vault::from_file(&path, true).expect("made");
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(Vault::from_file(&path, true).expect("read").key_id(), first.key_id());
    }
}
