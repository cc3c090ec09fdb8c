//! Everything that happens to the console. One channel carries them all.

use std::collections::{BTreeMap, BTreeSet};

use crossterm::event::{KeyEvent, MouseEvent};
use shared::ops::{
    Change, Delivery, Endpoint, EntryBytes, FactInFull, Health, Live, Matter, Me, Merchant, MerchantWhole,
    Operator, OrderRow, OrderWhole, Overview, Platform, Replay,
};

use crate::app::Tab;
use crate::client::{Failure, Page};
use crate::effects::Act;
use crate::run::rotate::{NotRotated, Rotated};
use crate::theme::Meaning;

pub enum Event {
    Key(KeyEvent),
    /// Pasted at once.
    Paste(String),
    Mouse(MouseEvent),
    Resize(u16, u16),
    /// Time has passed: milliseconds since 1970.
    Tick(i64),
    Answer(Answer),
    /// Of the stream that was asked for as the so-many-th.
    Stream(u64, Word),
    /// SIGTSTP.
    Suspend,
    /// SIGTERM or SIGHUP.
    Stop,
}

impl Event {
    /// Somebody waits to see what it does.
    pub fn is_an_operators(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Paste(_) | Self::Mouse(_) | Self::Resize(..))
    }
}

/// What the stream of changes says.
pub enum Word {
    /// It is there: from where it broke off, or from now on.
    Opened,
    /// A sign of life.
    Beat,
    Changed(Box<Live>),
    /// It is tried again by itself.
    Broken(Failure),
}

/// What became of an effect.
pub enum Answer {
    LoggedIn(Result<LoggedIn, Failure>),
    LoggedOut,
    Loaded {
        tab: Tab,
        /// What was asked for.
        path: String,
        is_more: bool,
        result: Result<Loaded, Failure>,
    },
    Fact(Result<Box<FactInFull>, Failure>),
    Bytes {
        entry_id: String,
        result: Result<EntryBytes, Failure>,
    },
    Opened {
        id: String,
        result: Result<Opened, Failure>,
    },
    /// The orders of a number.
    Found {
        number: String,
        result: Result<Vec<OrderRow>, Failure>,
    },
    Previewed(Result<Box<Replay>, Failure>),
    Done(Act, Result<Option<Told>, Failure>),
    Rotated(Result<Rotated, NotRotated>),
    /// What was copied, as it is told.
    Copied(Result<String, String>),
    Exported(Result<String, String>),
    Filters(BTreeMap<String, Vec<String>>),
}

/// What came of a change, where that is not the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub text: &'static str,
    pub meaning: Meaning,
}

pub struct LoggedIn {
    pub me: Me,
    /// What the server can be asked.
    pub paths: BTreeSet<String>,
    /// Milliseconds since 1970.
    pub expires_at: i64,
    /// Whether the console can log in again by itself.
    pub can_renew: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Loaded {
    Overview(Box<Overview>),
    Orders(Page<OrderRow>),
    Deliveries(Page<Delivery>),
    Endpoints(Page<Endpoint>),
    Replays(Page<Replay>),
    Attention(Page<Matter>),
    Merchants(Page<Merchant>),
    Platforms(Page<Platform>),
    Operators(Page<Operator>),
    Audit(Page<Change>),
    Health(Box<Health>),
}

/// A row with everything about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    pub whole: Whole,
    /// As the gateway wrote it.
    pub raw: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Whole {
    Order(Box<OrderWhole>),
    Delivery(Box<Delivery>),
    Merchant(Box<MerchantWhole>),
}
