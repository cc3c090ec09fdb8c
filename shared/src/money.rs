//! Money: integers in a currency's smallest unit, and how people read them.

use std::fmt;

use crate::json::MAX_INTEGER;

/// Largest amount taken, in minor units.
pub const MAX_AMOUNT: i64 = MAX_INTEGER;

/// An ISO 4217 code: three upper-case letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of exactly this spelling; the list of issued codes is ISO's to change, so form is what is checked.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters are let in")
    }

    /// Digits behind the point, by ISO 4217: 2 but for the listed ones.
    pub fn minor_digits(self) -> usize {
        match &self.0 {
            b"JPY" | b"KRW" | b"VND" | b"CLP" | b"ISK" | b"XAF" | b"XOF" | b"PYG" | b"UGX" | b"RWF" => 0,
            b"BHD" | b"KWD" | b"OMR" | b"JOD" | b"TND" | b"IQD" | b"LYD" => 3,
            _ => 2,
        }
    }

    /// `2100` is `21.00` in HKD and `2100` in JPY.
    pub fn format(self, minor: i64) -> String {
        let digits = self.minor_digits();
        if digits == 0 {
            return minor.to_string();
        }
        let text = format!("{:0>width$}", minor.unsigned_abs(), width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        format!("{}{whole}.{fraction}", if minor < 0 { "-" } else { "" })
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        let show = |minor, code| Currency::parse(code).expect("a code").format(minor);
        assert_eq!(show(2100, "HKD"), "21.00");
        assert_eq!(show(5, "CNY"), "0.05");
        assert_eq!(show(-150, "CNY"), "-1.50");
        assert_eq!(show(2100, "JPY"), "2100");
        assert_eq!(show(2100, "KWD"), "2.100");
    }

    #[test]
    fn a_currency_is_three_capitals() {
        for text in ["hkd", "HK", "HKDD", "H1D", ""] {
            assert_eq!(Currency::parse(text), None, "{text}");
        }
    }
}
