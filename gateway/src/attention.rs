//! What waits for a person: raised once by whoever sees it, ended by a person or by what comes to pass.

use serde_json::Value;

use crate::chance::Chance;
use crate::entity::{attention, order};

/// Why something waits. The words are stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// What ScanForPay said differs from what was asked. About the fact.
    FactQuarantined,
    /// The same was paid more than once. About the order.
    OrderPaidTwice,
    /// More was refunded than we did. About the order.
    OrderRefundedExternally,
    /// Nobody could say what became of it, for as long as we asked. About the order.
    OrderUnknown,
    /// The same of a refund. About the refund.
    RefundUnknown,
    /// A second operator has to agree. About the refund.
    RefundProposed,
    /// ScanForPay refuses the store's credentials. About the store.
    StoreCredentialsFailing,
    /// Payments were found by asking of which no notice came. About the store.
    StoreNoticesMissing,
}

impl Matter {
    pub const ALL: [Self; 8] = [
        Self::FactQuarantined,
        Self::OrderPaidTwice,
        Self::OrderRefundedExternally,
        Self::OrderUnknown,
        Self::RefundUnknown,
        Self::RefundProposed,
        Self::StoreCredentialsFailing,
        Self::StoreNoticesMissing,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::FactQuarantined => "fact.quarantined",
            Self::OrderPaidTwice => "order.paid_twice",
            Self::OrderRefundedExternally => "order.refunded_externally",
            Self::OrderUnknown => "order.unknown",
            Self::RefundUnknown => "refund.unknown",
            Self::RefundProposed => "refund.proposed",
            Self::StoreCredentialsFailing => "store.credentials_failing",
            Self::StoreNoticesMissing => "store.notices_missing",
        }
    }
}

/// A matter of `order`'s.
pub fn of_order(
    order: &order::Model,
    matter: Matter,
    subject_id: &str,
    at: i64,
    detail: &Value,
    chance: &Chance,
) -> attention::Model {
    attention::Model {
        id: chance.id(),
        kind: matter.as_str().to_owned(),
        subject_id: subject_id.to_owned(),
        platform_id: order.platform_id.clone(),
        merchant_id: order.merchant_id.clone(),
        store_id: order.store_id.clone(),
        count: 1,
        detail: detail.to_string(),
        raised_at: at,
        seen_at: at,
        ended_at: None,
        ended_by: None,
        reason: None,
    }
}
