//! Secrets at rest: AES-256-GCM under a master key, each sealed to the row it belongs to. What was sealed under any
//! known key opens; the newest seals. Keys come from the configuration or from a file that the first start makes for
//! its owner's eyes only. How a new key comes in and an old one goes: `directory::master`.

mod file;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use anyhow::{Context, bail, ensure};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::chance;

const NONCE: usize = 12;
/// Master keys known at one time.
pub const MAX_KEYS: usize = 8;

/// Seals under the newest master key and opens under all that are known.
pub struct Vault {
    ring: RwLock<Arc<Ring>>,
    /// Where the newest key is kept; `None`: the configuration gave it.
    file: Option<PathBuf>,
    /// Known besides, from the configuration.
    given: Vec<Zeroizing<String>>,
    /// Held while the file is changed.
    changing: Mutex<()>,
}

/// Newest first, and never empty.
struct Ring(Vec<MasterKey>);

struct MasterKey {
    id: String,
    cipher: Aes256Gcm,
}

/// A sealed secret, and which master key opens it.
pub struct Sealed {
    pub bytes: Vec<u8>,
    pub master_key_id: String,
}

impl Vault {
    /// From 64 hex digits, and other keys that may have sealed something.
    pub fn new(master_key: &str, previous: &[&str]) -> anyhow::Result<Self> {
        let ring = Ring::of(std::iter::once(master_key).chain(previous.iter().copied()))?;
        Ok(Self::with(ring, None, previous))
    }

    /// From a file of keys, newest first; made with a new key where there is none and `make` allows it.
    pub fn from_file(path: &Path, make: bool, previous: &[&str]) -> anyhow::Result<Self> {
        let text = file::read_or_make(path, make)?;
        let ring = Ring::of(file::keys(&text).chain(previous.iter().copied()))
            .with_context(|| format!("the master key file {}", path.display()))?;
        Ok(Self::with(ring, Some(path.to_owned()), previous))
    }

    fn with(ring: Ring, file: Option<PathBuf>, previous: &[&str]) -> Self {
        let given = previous.iter().map(|key| Zeroizing::new((*key).to_owned())).collect();
        Self { ring: RwLock::new(Arc::new(ring)), file, given, changing: Mutex::new(()) }
    }

    /// Tells which master key seals; says nothing about the key.
    pub fn key_id(&self) -> String {
        self.ring().newest().id.clone()
    }

    /// The known keys that no longer seal.
    pub fn previous_ids(&self) -> Vec<String> {
        self.ring().0.iter().skip(1).map(|key| key.id.clone()).collect()
    }

    /// Seal `secret` for the row `owner`; it opens for no other.
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Sealed {
        let ring = self.ring();
        let key = ring.newest();
        let nonce = chance::bytes::<NONCE>();
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let sealed =
            key.cipher.encrypt(&Nonce::from(nonce), payload).expect("a short text under a full nonce");
        Sealed { bytes: [nonce.as_slice(), &sealed].concat(), master_key_id: key.id.clone() }
    }

    /// The secret of the row `owner`, which was sealed under the master key of that id.
    pub fn open(
        &self,
        master_key_id: &str,
        owner: &str,
        sealed: &[u8],
    ) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE>() else {
            bail!("a sealed secret of {owner} is too short to be one");
        };
        let payload = Payload { msg: sealed, aad: owner.as_bytes() };
        let ring = self.ring();
        let key = ring.0.iter().find(|key| key.id == master_key_id);
        match key.map(|key| key.cipher.decrypt(&Nonce::from(*nonce), payload)) {
            Some(Ok(secret)) => Ok(Zeroizing::new(secret)),
            Some(Err(_)) => {
                bail!("a secret of {owner} does not open under master key {master_key_id}: it is damaged")
            }
            None => bail!(
                "a secret of {owner} does not open under master key {}, but under {master_key_id}; is this the key the store was made with?",
                ring.newest().id
            ),
        }
    }

    /// Make a new key, keep it in the file with the one before, and seal with it from now on. Returns its id.
    pub fn rotate(&self) -> anyhow::Result<String> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.file else {
            bail!(
                "the master key comes from secrets.master_key; set a new one there (64 hex digits) and the old one in secrets.previous_master_keys, then start the gateway again"
            );
        };
        let text = file::read(path)?;
        let keys: Vec<&str> = file::keys(&text).collect();
        ensure!(
            keys.len() < 2,
            "the master key was rotated before and the previous one is there still; `scangate key drop-previous` ends that"
        );
        let new = file::new_key();
        let all = || std::iter::once(&**new).chain(keys.iter().copied());
        // What would not be read again is not written.
        Ring::of(all().chain(self.given.iter().map(|key| &***key)))?;
        file::replace(path, all())?;
        self.read_again(path)?;
        Ok(self.key_id())
    }

    /// Keep only the newest key in the file; what an older one sealed never opens again. Returns how many went.
    pub fn drop_previous(&self) -> anyhow::Result<usize> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.file else { return Ok(0) };
        let text = file::read(path)?;
        let before = file::keys(&text).count();
        if before > 1 {
            file::replace(path, file::keys(&text).take(1))?;
            self.read_again(path)?;
        }
        Ok(before.saturating_sub(1))
    }

    /// Take over what another process has changed in the file.
    pub fn catch_up(&self) -> anyhow::Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.file.as_deref().map_or(Ok(()), |path| self.read_again(path))
    }

    fn read_again(&self, path: &Path) -> anyhow::Result<()> {
        let text = file::read(path)?;
        let ring = Ring::of(file::keys(&text).chain(self.given.iter().map(|key| &***key)))
            .with_context(|| format!("the master key file {}", path.display()))?;
        let known = self.ring();
        // Another store's file, put there by mistake, must not seal this store's secrets.
        ensure!(
            ring.0.iter().any(|key| key.id == known.newest().id),
            "the master key file {} has lost the key {} that is in use",
            path.display(),
            known.newest().id
        );
        if !ring.0.iter().map(|key| &key.id).eq(known.0.iter().map(|key| &key.id)) {
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        }
        Ok(())
    }

    fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Ring {
    /// Newest first; one that is named twice counts once.
    fn of<'a>(keys: impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut ring: Vec<MasterKey> = Vec::new();
        for key in keys {
            let key = MasterKey::new(key)?;
            if ring.iter().all(|known| known.id != key.id) {
                ring.push(key);
            }
        }
        ensure!(!ring.is_empty(), "there is no master key in it");
        ensure!(ring.len() <= MAX_KEYS, "there are more than {MAX_KEYS} master keys");
        Ok(Self(ring))
    }

    fn newest(&self) -> &MasterKey {
        &self.0[0]
    }
}

impl MasterKey {
    fn new(text: &str) -> anyhow::Result<Self> {
        let bytes =
            Zeroizing::new(HEXLOWER.decode(text.trim().to_lowercase().as_bytes()).unwrap_or_default());
        let key: &[u8; 32] =
            bytes.as_slice().try_into().ok().context("the master key must be 64 hex digits")?;
        Ok(Self { cipher: Aes256Gcm::new(key.into()), id: HEXLOWER.encode(&Sha256::digest(key)[..8]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn vault(digit: char) -> Vault {
        Vault::new(&key(digit), &[]).expect("64 digits")
    }

    #[test]
    fn a_secret_opens_only_under_its_key_for_its_row_and_untouched() {
        let Sealed { bytes: sealed, master_key_id: id } = vault('a').seal("row", b"secret");
        assert_eq!(&**vault('a').open(&id, "row", &sealed).expect("opens"), b"secret");
        assert!(vault('a').open(&id, "other", &sealed).is_err());
        assert!(vault('b').open(&id, "row", &sealed).is_err());
        assert!(vault('b').open(&vault('b').key_id(), "row", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut touched = sealed.clone();
            touched[place] ^= 1;
            assert!(vault('a').open(&id, "row", &touched).is_err(), "byte {place}");
        }
        assert!(vault('a').open(&id, "row", &sealed[..5]).is_err());
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        assert_ne!(vault('a').seal("row", b"secret").bytes, vault('a').seal("row", b"secret").bytes);
    }

    #[test]
    fn a_master_key_is_64_hex_digits() {
        assert!(Vault::new("abc", &[]).is_err());
        assert!(Vault::new(&key('g'), &[]).is_err());
        assert!(Vault::new(&key('a'), &["abc"]).is_err());
        assert!(Vault::new(&format!("{}\n", "A0".repeat(32)), &[]).is_ok());
    }

    #[test]
    fn as_many_keys_are_known_as_the_limit_and_no_more_and_the_first_seals() {
        let keys: Vec<String> = "0123456789".chars().map(key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let full = Vault::new(keys[0], &keys[..MAX_KEYS]).expect("the first is there twice and counts once");
        assert!(Vault::new(keys[0], &keys[1..=MAX_KEYS]).is_err());
        assert_eq!(full.seal("row", b"secret").master_key_id, vault('0').key_id());
        let old = vault('3').seal("row", b"secret");
        assert_eq!(&**full.open(&old.master_key_id, "row", &old.bytes).expect("opens"), b"secret");
    }

    #[test]
    fn the_file_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys/master.key");
        let mode = || std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777;
        assert!(Vault::from_file(&path, false, &[]).is_err());
        let first = Vault::from_file(&path, true, &[]).expect("made");
        assert_eq!(mode(), 0o600);
        assert_eq!(Vault::from_file(&path, true, &[]).expect("read").key_id(), first.key_id());
        first.rotate().expect("rotated");
        assert_eq!(mode(), 0o600);
    }

    #[test]
    fn a_rotated_file_keeps_the_key_before_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        let (one, other) = (Vault::from_file(&path, true, &[]).expect("made"), |make| {
            Vault::from_file(&path, make, &[]).expect("read")
        });
        let (other, old) = (other(false), one.seal("row", b"secret"));
        // What a rotation that was cut off leaves behind is in nobody's way.
        std::fs::write(folder.path().join("master.key.new"), "cut").expect("the folder is ours");
        let new = one.rotate().expect("rotated");
        assert_ne!(new, old.master_key_id);
        assert_eq!(one.previous_ids(), std::slice::from_ref(&old.master_key_id));
        assert!(one.rotate().is_err(), "one at a time");
        assert_eq!(other.key_id(), old.master_key_id);
        other.catch_up().expect("read again");
        assert_eq!(other.key_id(), new);
        assert!(other.open(&old.master_key_id, "row", &old.bytes).is_ok());
        assert_eq!(one.drop_previous().expect("dropped"), 1);
        assert_eq!(one.drop_previous().expect("nothing to drop"), 0);
        assert!(one.open(&old.master_key_id, "row", &old.bytes).is_err());
        std::fs::write(&path, key('a')).expect("the folder is ours");
        assert!(one.catch_up().is_err(), "another store's file");
        assert_eq!(one.key_id(), new);
    }

    #[test]
    fn a_key_of_the_configuration_is_rotated_there() {
        let refused = vault('a').rotate().expect_err("there is no file").to_string();
        assert!(refused.contains("secrets.previous_master_keys"), "{refused}");
    }
}
