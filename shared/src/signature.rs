//! ScanForPay's signature: lower-case hex of SHA-256 over the signed text followed by the sign key.
//! See `docs/PROTOCOL.md`, Signature.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// 64 lower-case hex digits over `text` as sent and `sign_key` behind it.
pub fn sign(text: &str, sign_key: &str) -> String {
    HEXLOWER.encode(&digest(text, sign_key))
}

/// Whether `signature` is exactly what `sign` gives, compared in constant time.
pub fn verify(text: &str, sign_key: &str, signature: &str) -> bool {
    sign(text, sign_key).as_bytes().ct_eq(signature.as_bytes()).into()
}

fn digest(text: &str, sign_key: &str) -> [u8; 32] {
    Sha256::new().chain_update(text).chain_update(sign_key).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"header":{"version":"1.0","partnerNo":"10001","reqMsgId":"m1","reqTime":"2018-07-25T18:06:05+08:00","signType":"SHA256"},"body":{"storeNo":"100010000000002","partnerOrderNo":"p1"}}"#;
    const SIGNATURE: &str = "ebd49f26dcefb62cf444daeeed4c464c9021ef2d407eecd74157f823fb1a60f4";

    #[test]
    fn the_worked_example_of_the_protocol_page_holds() {
        assert_eq!(sign(TEXT, "123456"), SIGNATURE);
        assert!(verify(TEXT, "123456", SIGNATURE));
    }

    #[test]
    fn another_key_case_or_length_fails() {
        assert!(!verify(TEXT, "123457", SIGNATURE));
        assert!(!verify(TEXT, "123456", &SIGNATURE.to_uppercase()));
        assert!(!verify(TEXT, "123456", &SIGNATURE[..63]));
        assert!(!verify(TEXT, "123456", ""));
    }
}
