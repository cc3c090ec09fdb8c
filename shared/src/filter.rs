//! The language that lists are filtered in: `status:unknown merchant:10001 wallet:alipay amount>=100000 since:2h "text"`.
//!
//! Words are parted by spaces and all have to hold; of the same name given twice, either may. Amounts are in the
//! currency's smallest unit. A text in quotes is looked for in numbers and titles; `\"` and `\\` stand for themselves in it.

mod complete;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

pub use complete::{Completions, complete};
pub use parse::MAX_LENGTH;

use crate::money::Currency;
use crate::order::OrderStatus;
use crate::wallet::Wallet;

/// What of a list is wanted. Empty: all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    Status(OrderStatus),
    Wallet(Wallet),
    Currency(Currency),
    /// A platform's slug.
    Platform(String),
    /// A merchant's partner number.
    Merchant(String),
    /// A store's number.
    Store(String),
    Amount(Comparison, i64),
    /// No older than so many seconds.
    Since(Span),
    /// At least so many seconds old.
    Before(Span),
    /// In a number or the title, in any case.
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
}

impl Comparison {
    const ALL: [(&'static str, Self); 5] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        (">", Self::Above),
        ("<", Self::Below),
        ("=", Self::Equal),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, one)| *one == self).expect("all are listed").0
    }

    pub fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::AtLeast => left >= right,
            Self::AtMost => left <= right,
            Self::Above => left > right,
            Self::Below => left < right,
            Self::Equal => left == right,
        }
    }
}

/// A length of time as it is written: `90s`, `30m`, `2h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    count: u32,
    unit: char,
}

impl Span {
    pub fn seconds(self) -> u64 {
        let unit = match self.unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => 86_400,
        };
        u64::from(self.count) * unit
    }
}

/// What cannot be read, and what could stand there instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {}: expected {expected}", start + 1)]
pub struct FilterError {
    /// Bytes before what is wrong.
    pub start: usize,
    /// Bytes up to its end.
    pub end: usize,
    /// Such as `a number of the currency's smallest unit`.
    pub expected: String,
}

impl Filter {
    /// Every word, or the first that cannot be read.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::filter(text)
    }
}

impl fmt::Display for Filter {
    /// As `parse` reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status:{}", status.as_str()),
            Self::Wallet(wallet) => write!(f, "wallet:{}", wallet.as_str().to_lowercase()),
            Self::Currency(currency) => write!(f, "currency:{currency}"),
            Self::Platform(slug) => write!(f, "platform:{slug}"),
            Self::Merchant(number) => write!(f, "merchant:{number}"),
            Self::Store(number) => write!(f, "store:{number}"),
            Self::Amount(comparison, minor) => write!(f, "amount{}{minor}", comparison.as_str()),
            Self::Since(span) => write!(f, "since:{}{}", span.count, span.unit),
            Self::Before(span) => write!(f, "before:{}{}", span.count, span.unit),
            Self::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
        }
    }
}
