//! Random numbers for tokens and ids, from the operating system's generator.

use data_encoding::HEXLOWER;
use rand::TryRng;
use rand::rngs::SysRng;

/// 32 hex digits, 128 bits: payment tokens, message ids, nonces.
pub(crate) fn token() -> String {
    HEXLOWER.encode(&bytes::<16>())
}

/// `count` random decimal digits (at most 19).
pub(crate) fn digits(count: u32) -> String {
    let number = u64::from_le_bytes(bytes::<8>()) % 10_u64.pow(count);
    format!("{number:0width$}", width = count as usize)
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).expect("the operating system has a random source");
    bytes
}
