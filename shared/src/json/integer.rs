//! JSON numbers read exactly: `2100`, `2100.0` and `21e2` are the same number, and nothing goes through floating
//! point on the way.

/// Largest integer that every JSON reader represents exactly.
pub const MAX_INTEGER: i64 = 1 << 53;

/// Why a number is not an integer we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntegerError {
    #[error("is not a number")]
    NotANumber,
    #[error("is not a whole number")]
    NotWhole,
    #[error("is out of range")]
    OutOfRange,
}

/// Read a JSON number's text exactly, without going through floating point.
pub fn integer(text: &str) -> Result<i64, IntegerError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(IntegerError::NotANumber);
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let exponent: i64 = exponent.parse().map_err(|_| {
        if exponent.starts_with('-') { IntegerError::NotWhole } else { IntegerError::OutOfRange }
    })?;
    // The value is `significant` × 10^power.
    let power = i64::try_from(trailing)
        .unwrap_or(i64::MAX)
        .saturating_add(exponent)
        .saturating_sub(i64::try_from(fraction.len()).unwrap_or(i64::MAX));
    if power < 0 {
        return Err(IntegerError::NotWhole);
    }
    if significant.len() > 16 || power > 16 {
        return Err(IntegerError::OutOfRange);
    }
    let factor = 10_i64.checked_pow(u32::try_from(power).map_err(|_| IntegerError::OutOfRange)?);
    let value =
        significant.parse::<i64>().ok().zip(factor).and_then(|(value, factor)| value.checked_mul(factor));
    match value {
        Some(value) if value <= MAX_INTEGER => Ok(if negative { -value } else { value }),
        _ => Err(IntegerError::OutOfRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, value) in [
            ("2100", 2100),
            ("2100.0", 2100),
            ("2100.000", 2100),
            ("21e2", 2100),
            ("2.1E3", 2100),
            ("210000e-2", 2100),
            ("0", 0),
            ("-0", 0),
            ("0.0", 0),
            ("0e999999999999999999999", 0),
            ("-7", -7),
            ("9007199254740992", MAX_INTEGER),
            ("9007199254740992.0", MAX_INTEGER),
        ] {
            assert_eq!(integer(text), Ok(value), "{text}");
        }
        for (text, error) in [
            ("21.5", IntegerError::NotWhole),
            ("1e-1", IntegerError::NotWhole),
            ("1e-99999999999999999999", IntegerError::NotWhole),
            ("1e400", IntegerError::OutOfRange),
            ("1e99999999999999999999", IntegerError::OutOfRange),
            ("9007199254740993", IntegerError::OutOfRange),
            ("99999999999999999999999", IntegerError::OutOfRange),
            ("9007199254740992.5", IntegerError::NotWhole),
            ("\"2100\"", IntegerError::NotANumber),
            ("true", IntegerError::NotANumber),
        ] {
            assert_eq!(integer(text), Err(error), "{text}");
        }
    }
}
