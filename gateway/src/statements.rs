//! Reconciliation: what ScanForPay says it took and gave back, from a statement of its own or by asking order by order,
//! beside what is in our books. Nothing here changes an order: what is missing here is asked about, and ScanForPay's
//! answer passes the one gate (`docs/MONEY.md`). A statement may have a million lines: they lie in a private file on
//! disk, and a few hundred at a time are looked at.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub mod columns;
pub mod command;
mod compare;
mod ours;
mod read;
pub mod report;
mod scratch;
pub mod sweep;

pub use columns::Columns;
pub use compare::check;
pub use scratch::Scratch;

/// What cannot be read: the person's to mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// In what two books can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// ScanForPay's line names an order that is not here.
    MissingHere,
    /// An order was paid, and ScanForPay's books do not have it.
    MissingThere,
    Amount,
    Status,
    Currency,
    /// ScanForPay lists one payment twice.
    Duplicate,
    /// A refund that is in one of the books only, or with another amount.
    Refund,
}

impl Difference {
    pub const ALL: [Self; 7] = [
        Self::MissingHere,
        Self::MissingThere,
        Self::Amount,
        Self::Status,
        Self::Currency,
        Self::Duplicate,
        Self::Refund,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingHere => "missing_here",
            Self::MissingThere => "missing_there",
            Self::Amount => "amount",
            Self::Status => "status",
            Self::Currency => "currency",
            Self::Duplicate => "duplicate",
            Self::Refund => "refund",
        }
    }

    /// What to do about it.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::MissingHere => {
                "look for it under another account; an order of before the move can be imported, any other is for ScanForPay to explain"
            }
            Self::MissingThere => {
                "ask ScanForPay (--query); what it took and does not list is to be claimed from it"
            }
            Self::Amount => "look at the order's held facts; settle the difference with ScanForPay",
            Self::Status => {
                "ask ScanForPay (--query): its answer settles the order; a paid order is never taken back"
            }
            Self::Currency => "compare the store's currency here and at ScanForPay",
            Self::Duplicate => "ask ScanForPay which line is wrong; if the payer paid twice, refund one",
            Self::Refund => {
                "look at the order's refunds; what was refunded elsewhere is told by a query (--query)"
            }
        }
    }
}

/// A difference, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    #[serde(rename = "type")]
    pub kind: Difference,
    /// Of the statement, from 1, its header not counted; `None`: it is not in the statement.
    pub line: Option<i64>,
    /// The merchant's number.
    pub number: Option<String>,
    pub sent_number: Option<String>,
    pub order_no: Option<String>,
    pub refund_no: Option<String>,
    /// As it is here, in words.
    pub here: String,
    /// As ScanForPay has it, in words.
    pub there: String,
    pub next: String,
    #[serde(skip)]
    pub order_id: Option<String>,
}

impl Found {
    pub fn new(kind: Difference, here: impl Into<String>, there: impl Into<String>) -> Self {
        Self {
            kind,
            line: None,
            number: None,
            sent_number: None,
            order_no: None,
            refund_no: None,
            here: here.into(),
            there: there.into(),
            next: kind.next_step().to_owned(),
            order_id: None,
        }
    }
}

/// What was compared, and how it went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub lines: u64,
    pub payments: u64,
    pub refunds: u64,
    /// Payments and refunds of ours that the statement should have.
    pub ours: u64,
    /// Of ours, those that may come in a later statement still.
    pub pending: u64,
    /// Orders about which ScanForPay was asked and did not say.
    pub unanswered: u64,
    pub differences: u64,
}

impl Summary {
    pub fn agrees(&self) -> bool {
        self.differences == 0 && self.unanswered == 0
    }
}

/// Which of our payments are looked for.
#[derive(Debug, Clone)]
pub struct Period {
    /// Of our payments: the first day, and the last day that the statement covers.
    pub from: Date,
    pub through: Date,
    pub zone: TimeZone,
    /// How many days later than paid a payment may be listed.
    pub settlement_days: i64,
}

impl Period {
    pub fn new(from: Date, through: Date, columns: &Columns) -> Result<Self, Unreadable> {
        let zone = TimeZone::get(&columns.time_zone)
            .map_err(|_| Unreadable(format!("{} is no time zone that is known", columns.time_zone)))?;
        if through < from {
            return Err(Unreadable("the last day is before the first".to_owned()));
        }
        let settlement_days = columns.settlement_days.into();
        Ok(Self { from, through, zone, settlement_days })
    }

    /// Unix milliseconds: its first moment, and the first one behind it.
    pub fn span_ms(&self) -> anyhow::Result<(i64, i64)> {
        let start = |date: Date| anyhow::Ok(date.to_zoned(self.zone.clone())?.timestamp().as_millisecond());
        Ok((start(self.from)?, start(self.through.tomorrow()?)?))
    }

    pub fn holds(&self, day: Date) -> bool {
        (self.from..=self.through).contains(&day)
    }

    /// Whether what was paid on `day` must be in a statement up to the last day.
    pub fn is_due(&self, day: Date) -> bool {
        jiff::Span::new()
            .try_days(self.settlement_days)
            .and_then(|days| day.checked_add(days))
            .is_ok_and(|listed| listed <= self.through)
    }

    pub fn day_of(&self, unix_ms: i64) -> Date {
        jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default().to_zoned(self.zone.clone()).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_due_when_its_settlement_is_within_the_statement() {
        let columns = Columns { settlement_days: 2, ..Columns::default() };
        let day = |day| Date::constant(2026, 9, day);
        let period = Period::new(day(19), day(21), &columns).expect("a period");
        assert_eq!([18, 19, 20, 21, 22].map(|on| period.is_due(day(on))), [true, true, false, false, false]);
        assert_eq!([18, 19, 20, 21, 22].map(|on| period.holds(day(on))), [false, true, true, true, false]);
        assert!(Period::new(day(21), day(19), &columns).is_err());
        // Midnight in Hong Kong is 16:00 in UTC.
        assert_eq!(period.day_of(1_789_920_000_000 - 1), day(20));
        assert_eq!(period.day_of(1_789_920_000_000), day(21));
        assert_eq!(period.span_ms().expect("a span"), (1_789_747_200_000, 1_790_006_400_000));
    }
}
