//! What the state asks of the world. `run` does it and answers with an event.

use shared::ops::RefundOutcome;
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
    /// The first page of a screen, or the one at this path and query.
    Load {
        tab: Tab,
        next: Option<String>,
    },
    LoadFact(String),
    Do {
        act: Act,
        reason: String,
    },
    Copy(String),
    Export {
        name: &'static str,
        csv: String,
    },
    Suspend,
    Quit,
}

/// A change at the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    EndMatter { id: String },
    ReleaseFact { id: String },
    RejectFact { id: String },
    ApproveRefund { id: String },
    DeclineRefund { id: String },
    ResolveRefund { id: String, outcome: RefundOutcome },
    SetOperator { name: String, is_enabled: bool },
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
        }
    }

    /// Characters of the reason at most; absent: the gateway takes none.
    pub fn reason_limit(&self) -> Option<usize> {
        match self {
            Self::EndMatter { .. } | Self::ReleaseFact { .. } | Self::RejectFact { .. } => Some(500),
            Self::DeclineRefund { .. } | Self::ResolveRefund { .. } => Some(200),
            Self::ApproveRefund { .. } | Self::SetOperator { .. } => None,
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
        }
    }
}
