//! The states of an order and the moves between them, to be checked against `docs/MONEY.md`, Order states.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Sent to the upstream, or about to be; no answer yet.
    Submitting,
    /// No trustworthy answer. Never retried blindly; asked later.
    Unknown,
    /// Opened; the payer has not paid yet.
    Awaiting,
    /// The upstream said no to opening it.
    Refused,
    Failed,
    /// We stopped expecting a payment.
    Closed,
    Paid,
    PartiallyRefunded,
    Refunded,
}

impl OrderStatus {
    pub const ALL: [Self; 9] = [
        Self::Submitting,
        Self::Unknown,
        Self::Awaiting,
        Self::Refused,
        Self::Failed,
        Self::Closed,
        Self::Paid,
        Self::PartiallyRefunded,
        Self::Refunded,
    ];

    pub fn may_become(self, next: Self) -> bool {
        use OrderStatus::{
            Awaiting, Closed, Failed, Paid, PartiallyRefunded, Refunded, Refused, Submitting, Unknown,
        };
        matches!(
            (self, next),
            (Submitting, Awaiting | Unknown | Refused | Failed)
                | (Unknown, Submitting | Awaiting | Refused | Failed | Closed)
                | (Awaiting, Failed | Closed)
                | (Refused, Submitting)
                | (Submitting | Unknown | Awaiting | Refused | Failed | Closed, Paid) // money wins
                | (Paid, PartiallyRefunded | Refunded)
                | (PartiallyRefunded, Refunded)
        )
    }

    /// Whether a payment was seen, refunded since or not.
    pub fn has_money(self) -> bool {
        matches!(self, Self::Paid | Self::PartiallyRefunded | Self::Refunded)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitting => "submitting",
            Self::Unknown => "unknown",
            Self::Awaiting => "awaiting",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Closed => "closed",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::OrderStatus::{Paid, Refunded};
    use super::*;

    #[test]
    fn money_wins_and_nothing_moves_a_paid_order_back() {
        for status in OrderStatus::ALL {
            assert_eq!(status.may_become(Paid), !status.has_money(), "{status:?}");
            assert!(!status.may_become(status), "{status:?}");
            assert!(
                !(status.has_money()
                    && OrderStatus::ALL.iter().any(|next| status.may_become(*next) && !next.has_money()))
            );
        }
        assert!(OrderStatus::ALL.iter().all(|next| !Refunded.may_become(*next)));
    }

    #[test]
    fn the_moves_are_those_of_the_drawn_list() {
        let drawn = "submitting: unknown awaiting refused failed paid
            unknown: submitting awaiting refused failed closed paid
            awaiting: failed closed paid
            refused: submitting paid
            failed: paid
            closed: paid
            paid: partially_refunded refunded
            partially_refunded: refunded
            refunded:";
        for line in drawn.lines() {
            let (from, to) = line.trim().split_once(':').expect("a colon in each line");
            let from = OrderStatus::parse(from).expect("a state");
            let allowed: Vec<&str> = OrderStatus::ALL
                .iter()
                .filter(|next| from.may_become(**next))
                .map(|next| next.as_str())
                .collect();
            assert_eq!(allowed, to.split_whitespace().collect::<Vec<_>>(), "{from:?}");
        }
    }
}
