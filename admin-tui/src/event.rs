//! Everything that happens to the console. One channel carries them all.

use std::collections::BTreeSet;

use crossterm::event::{KeyEvent, MouseEvent};
use shared::ops::{Change, FactInFull, Health, Matter, Me, Operator, Platform};

use crate::app::Tab;
use crate::client::{Failure, Page};
use crate::effects::Act;

pub enum Event {
    Key(KeyEvent),
    Mouse(MouseEvent),
    Resize(u16, u16),
    /// Time has passed: milliseconds since 1970.
    Tick(i64),
    Answer(Answer),
    /// SIGTSTP.
    Suspend,
    /// SIGTERM or SIGHUP.
    Stop,
}

/// What became of an effect.
pub enum Answer {
    LoggedIn(Result<LoggedIn, Failure>),
    LoggedOut,
    Loaded { tab: Tab, is_more: bool, result: Result<Loaded, Failure> },
    Fact(Result<Box<FactInFull>, Failure>),
    Done(Act, Result<(), Failure>),
    Copied(Result<(), String>),
    Exported(Result<String, String>),
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
    Attention(Page<Matter>),
    Platforms(Page<Platform>),
    Operators(Page<Operator>),
    Audit(Page<Change>),
    Health(Box<Health>),
}
