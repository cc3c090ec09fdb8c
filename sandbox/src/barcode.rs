//! The payer's code as a till scans it: whose wallet shows it and what its holder does, both to be read off the
//! number, so that a test knows beforehand.

use shared::wallet::Wallet;

/// What the payer does when the merchant has scanned the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtTheTill {
    /// Small amounts need no PIN: paid at once.
    Pays,
    /// The wallet asks for the PIN; the answer is code 21, not known yet.
    TypesPin,
    /// The same, and the answer says so: code 1, status 0.
    TypesPinToldAsAwaiting,
    /// Not enough money: failed at once.
    Declined,
}

impl AtTheTill {
    /// By the code's last two digits.
    pub(crate) const ENDINGS: [(&'static str, Self, &'static str); 3] = [
        ("01", Self::TypesPin, "the payer is asked for the PIN: code 21, then as the payer decides"),
        ("02", Self::TypesPinToldAsAwaiting, "the same, answered with code 1 and status 0"),
        ("03", Self::Declined, "declined: code 1 and status 2"),
    ];

    pub(crate) fn of(barcode: &str) -> Self {
        let known = Self::ENDINGS.iter().find(|(ending, ..)| barcode.ends_with(ending));
        known.map_or(Self::Pays, |(_, act, _)| *act)
    }
}

/// Wallets number their codes apart: WeChat Pay begins with 10 to 15, Alipay with 25 to 30. AlipayHK's look like
/// Alipay's; where a store has only that one, it is meant.
pub(crate) fn wallet_of(barcode: &str, of_store: &[Wallet]) -> Option<Wallet> {
    let is_code = (16..=20).contains(&barcode.len()) && barcode.bytes().all(|byte| byte.is_ascii_digit());
    let start: u32 = barcode.get(..2).filter(|_| is_code)?.parse().ok()?;
    match start {
        10..=15 => Some(Wallet::Wechat),
        25..=30 if of_store.contains(&Wallet::Alipay) => Some(Wallet::Alipay),
        25..=30 => Some(Wallet::AlipayHK),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_tells_its_wallet_and_its_holder() {
        let all = Wallet::ALL;
        assert_eq!(wallet_of("284447106610060508", &all), Some(Wallet::Alipay));
        assert_eq!(wallet_of("284447106610060508", &[Wallet::AlipayHK]), Some(Wallet::AlipayHK));
        assert_eq!(wallet_of("134447106610060508", &all), Some(Wallet::Wechat));
        for none in ["", "28", "994447106610060508", "28444710661006050x", "284447106610060508284"] {
            assert_eq!(wallet_of(none, &all), None, "{none}");
        }
        assert_eq!(AtTheTill::of("284447106610060508"), AtTheTill::Pays);
        assert_eq!(AtTheTill::of("284447106610060501"), AtTheTill::TypesPin);
        assert_eq!(AtTheTill::of("284447106610060502"), AtTheTill::TypesPinToldAsAwaiting);
        assert_eq!(AtTheTill::of("284447106610060503"), AtTheTill::Declined);
    }
}
