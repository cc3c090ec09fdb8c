//! What the state asks of the world. `run` does it and answers with an event.

use std::collections::BTreeMap;

use shared::ops::{KeyToRotate, RefundOutcome, ReplayToMake};
use zeroize::Zeroizing;

use crate::app::Tab;

pub enum Effect {
    LogIn {
        name: String,
        password: Zeroizing<String>,
    },
    /// Log in again with what the console was given.
    Renew,
    LogOut,
    /// A page of a screen.
    Load {
        tab: Tab,
        path: String,
        is_more: bool,
    },
    /// A row with everything about it.
    LoadWhole {
        tab: Tab,
        id: String,
    },
    LoadFact(String),
    /// The bytes of an entry of an order's timeline, which the gateway notes.
    LoadBytes {
        order_id: String,
        entry_id: String,
    },
    /// The orders of a number, whoever gave it.
    Find(String),
    /// Hear the changes at this path, as the so-many-th stream; the one before is heard no more. Absent: hear none.
    Listen {
        stream: u64,
        path: Option<String>,
    },
    /// Count what a replay would deliver.
    Preview(Box<ReplayToMake>),
    Do {
        act: Act,
        reason: String,
    },
    /// A new sign key for a merchant, into a file.
    Rotate {
        merchant_id: String,
        partner_no: String,
        asked: KeyToRotate,
    },
    Copy {
        text: String,
        /// What is said to have been copied.
        told: String,
    },
    Export {
        name: &'static str,
        /// Of the file.
        extension: &'static str,
        text: String,
    },
    /// What lists were narrowed to, for the next run.
    KeepFilters(BTreeMap<String, Vec<String>>),
    Suspend,
    Quit,
}

/// A change at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    EndMatter {
        id: String,
    },
    ReleaseFact {
        id: String,
    },
    RejectFact {
        id: String,
    },
    ApproveRefund {
        id: String,
    },
    DeclineRefund {
        id: String,
    },
    ResolveRefund {
        id: String,
        outcome: RefundOutcome,
    },
    SetOperator {
        name: String,
        is_enabled: bool,
    },
    QueryOrder {
        id: String,
        number: String,
    },
    Refund {
        order_id: String,
        /// In the currency's smallest unit.
        amount: i64,
    },
    /// Nothing is sent by it: it only counts.
    Preview {
        what: Box<ReplayToMake>,
        told: String,
    },
    StartReplay {
        id: String,
        total: i64,
    },
    MoveReplay {
        id: String,
        how: ReplayMove,
    },
    PaceReplay {
        id: String,
        rate: u32,
    },
    MoveEndpoint {
        id: String,
        url: String,
        how: EndpointMove,
    },
    MoveMerchant {
        id: String,
        name: String,
        is_suspension: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMove {
    Pause,
    Resume,
    Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointMove {
    Pause,
    Resume,
    Disable,
}

impl ReplayMove {
    /// The last part of its path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }
}

impl EndpointMove {
    /// The last part of its path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Disable => "disable",
        }
    }
}

impl Act {
    /// What is about to be done, for whoever has to agree.
    pub fn question(&self) -> String {
        match self {
            Self::EndMatter { .. } => "End this matter: somebody has seen to it".to_owned(),
            Self::ReleaseFact { .. } => {
                "Release the fact: ScanForPay is asked first, and its answer counts".to_owned()
            }
            Self::RejectFact { .. } => "Reject the fact: it stays without effect for good".to_owned(),
            Self::ApproveRefund { .. } => "Approve the refund: the money is given back".to_owned(),
            Self::DeclineRefund { .. } => "Decline the refund".to_owned(),
            Self::ResolveRefund { outcome: RefundOutcome::Refunded, .. } => {
                "ScanForPay's books show that it was given back".to_owned()
            }
            Self::ResolveRefund { .. } => {
                "ScanForPay's books show that nothing was given back; it can be refunded anew".to_owned()
            }
            Self::SetOperator { name, is_enabled: true } => format!("Let {name} in again"),
            Self::SetOperator { name, .. } => format!("Let {name} in no more, and log them out everywhere"),
            Self::QueryOrder { number, .. } => format!("Ask ScanForPay now how {number} stands"),
            Self::Refund { .. } => "Refund".to_owned(),
            Self::Preview { told, .. } => {
                format!("Count what would be delivered again of {told}; nothing is sent yet")
            }
            Self::StartReplay { total, .. } => format!("Deliver {total} again"),
            Self::MoveReplay { how: ReplayMove::Pause, .. } => "Pause the replay".to_owned(),
            Self::MoveReplay { how: ReplayMove::Resume, .. } => "Go on with the replay".to_owned(),
            Self::MoveReplay { .. } => "Cancel the replay: what has not been sent stays unsent".to_owned(),
            Self::PaceReplay { rate, .. } => format!("Let it deliver {rate} a second at most"),
            Self::MoveEndpoint { url, how: EndpointMove::Pause, .. } => {
                format!("Pause {url}: its events are kept until it goes on")
            }
            Self::MoveEndpoint { url, how: EndpointMove::Resume, .. } => {
                format!("Go on delivering to {url}")
            }
            Self::MoveEndpoint { url, .. } => format!("Disable {url}"),
            Self::MoveMerchant { name, is_suspension: true, .. } => {
                format!("Suspend {name}: no new orders; refunds, notices and deliveries go on")
            }
            Self::MoveMerchant { name, .. } => format!("Let {name} place orders again"),
        }
    }

    /// Characters of the reason at most; absent: the gateway takes none.
    pub fn reason_limit(&self) -> Option<usize> {
        match self {
            Self::EndMatter { .. }
            | Self::ReleaseFact { .. }
            | Self::RejectFact { .. }
            | Self::QueryOrder { .. }
            | Self::Preview { .. }
            | Self::MoveEndpoint { .. }
            | Self::MoveMerchant { .. } => Some(500),
            Self::DeclineRefund { .. } | Self::ResolveRefund { .. } | Self::Refund { .. } => Some(200),
            Self::ApproveRefund { .. }
            | Self::SetOperator { .. }
            | Self::StartReplay { .. }
            | Self::MoveReplay { .. }
            | Self::PaceReplay { .. } => None,
        }
    }

    /// What is said once it is done.
    pub fn done(&self) -> &'static str {
        match self {
            Self::EndMatter { .. } => "The matter is ended.",
            Self::ReleaseFact { .. } => "The fact is released.",
            Self::RejectFact { .. } => "The fact is rejected.",
            Self::ApproveRefund { .. } => "The refund is approved.",
            Self::DeclineRefund { .. } => "The refund is declined.",
            Self::ResolveRefund { .. } => "How the refund ended is noted.",
            Self::SetOperator { .. } => "The operator is changed.",
            Self::QueryOrder { .. } => "ScanForPay was asked.",
            Self::Refund { .. } => "The refund is made.",
            Self::Preview { .. } => "Counted.",
            Self::StartReplay { .. } => "The replay runs.",
            Self::MoveReplay { how: ReplayMove::Pause, .. } => "The replay is paused.",
            Self::MoveReplay { how: ReplayMove::Resume, .. } => "The replay goes on.",
            Self::MoveReplay { .. } => "The replay is cancelled.",
            Self::PaceReplay { .. } => "The replay's pace is changed.",
            Self::MoveEndpoint { how: EndpointMove::Pause, .. } => "The endpoint is paused.",
            Self::MoveEndpoint { how: EndpointMove::Resume, .. } => "The endpoint is delivered to again.",
            Self::MoveEndpoint { .. } => "The endpoint is disabled.",
            Self::MoveMerchant { is_suspension: true, .. } => "The merchant is suspended.",
            Self::MoveMerchant { .. } => "The merchant is served again.",
        }
    }
}
