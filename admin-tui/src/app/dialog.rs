//! What is laid over the screen, and what is typed there.

use shared::money::Currency;
use shared::ops::{Moment, Replay};
use zeroize::Zeroizing;

use crate::effects::Act;
use crate::theme::Meaning;

/// What the gateway takes: 90 days.
const MAX_OVERLAP_HOURS: u32 = 2_160;

pub enum Dialog {
    Help {
        scroll: u16,
    },
    Palette {
        typed: String,
    },
    /// A change waits for a reason, or only for a yes.
    Confirm {
        act: Act,
        reason: String,
    },
    /// What the list is narrowed to, and which of the earlier ones is shown.
    Filter {
        typed: String,
        recalled: Option<usize>,
    },
    /// Any number.
    Find {
        typed: String,
    },
    Refund(MoneyForm),
    Rotate(KeyForm),
    /// A preview waits for its count to be typed, or only for a yes.
    Start {
        replay: Box<Replay>,
        typed: String,
    },
}

/// A refund as it is typed.
pub struct MoneyForm {
    pub order_id: String,
    pub number: String,
    pub currency: Currency,
    /// What may be refunded at most, as far as is known here.
    pub left: i64,
    pub amount: String,
    pub reason: String,
    pub is_at_reason: bool,
}

impl MoneyForm {
    /// In the currency's smallest unit, or why it is none.
    pub fn minor(&self) -> Result<i64, String> {
        let minor = crate::text::minor(&self.amount, self.currency)
            .ok_or_else(|| format!("an amount such as {}", self.currency.format(self.left)))?;
        match minor {
            1.. if minor <= self.left => Ok(minor),
            _ => Err(format!("more than nothing, and {} at most", self.currency.format(self.left))),
        }
    }
}

/// A rotation of a merchant's sign key as it is typed.
pub struct KeyForm {
    pub merchant_id: String,
    pub partner_no: String,
    pub name: String,
    /// Until when a version of an earlier rotation is good, which ends at once.
    pub earlier_ends_at: Option<Moment>,
    pub hours: String,
    pub reason: String,
    pub is_at_reason: bool,
}

impl KeyForm {
    /// How many hours the version before is good still, or what is expected instead.
    pub fn overlap_hours(&self) -> Result<u32, &'static str> {
        let hours = self.hours.trim().parse().ok().filter(|hours| *hours <= MAX_OVERLAP_HOURS);
        hours.ok_or("expected 0 to 2160 hours")
    }
}

/// The form at the beginning.
#[derive(Default)]
pub struct LoginForm {
    pub name: String,
    pub password: Zeroizing<String>,
    pub is_at_password: bool,
    pub is_waiting: bool,
}

pub struct Message {
    pub text: String,
    pub meaning: Meaning,
}
