//! The one source of ids and secrets. Ids are ULIDs, rising within this process even inside a millisecond, so
//! that the entries of a journal keep their order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use rand::Rng;

use crate::clock::Clock;

#[derive(Clone)]
pub struct Chance {
    clock: Clock,
    generator: Arc<Mutex<ulid::Generator>>,
}

impl Chance {
    pub fn new(clock: Clock) -> Self {
        Self { clock, generator: Arc::new(Mutex::new(ulid::Generator::new())) }
    }

    /// 26 characters that sort by time and are unique across tenants and nodes.
    pub fn id(&self) -> String {
        let now = u64::try_from(self.clock.now_ms()).unwrap_or_default();
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(now);
        let mut generator = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        match generator.generate_from_datetime(at) {
            Ok(id) => id.to_string(),
            Err(overflow) => overflow.commit_overflow_random().to_string(),
        }
    }
}

/// An id that sorts where one of that moment would.
pub fn id_at(unix_ms: i64) -> String {
    let random = u128::from_le_bytes(bytes());
    ulid::Ulid::from_parts(u64::try_from(unix_ms).unwrap_or_default(), random).to_string()
}

/// 128 bits that nobody can guess, as 26 characters A–Z and 2–7.
pub fn secret_text() -> String {
    BASE32_NOPAD.encode(&bytes::<16>())
}

/// A new sign key: 256 bits as 64 hex digits.
pub fn sign_key() -> String {
    HEXLOWER.encode(&bytes::<32>())
}

#[expect(clippy::disallowed_methods, reason = "this is the place the ban points to")]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
