//! What waits for a person: raised once by whoever sees it, ended by a person or by what comes to pass.

pub mod list;

use serde_json::Value;

use crate::chance::Chance;
use crate::entity::{attention, order};

/// Why something waits. The words are stored and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    /// What ScanForPay said differs from what was asked. About the fact.
    FactQuarantined,
    /// The same was paid with another order too. About the order.
    OrderPaidTwice,
    /// One order was paid through a second call. About that payment.
    OrderPaidAgain,
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
    /// Nothing was acknowledged for so long that it will be disabled. About the endpoint.
    EndpointFailing,
    /// The same, and it was. About the endpoint.
    EndpointDisabled,
}

impl Matter {
    pub const ALL: [Self; 11] = [
        Self::FactQuarantined,
        Self::OrderPaidTwice,
        Self::OrderPaidAgain,
        Self::OrderRefundedExternally,
        Self::OrderUnknown,
        Self::RefundUnknown,
        Self::RefundProposed,
        Self::StoreCredentialsFailing,
        Self::StoreNoticesMissing,
        Self::EndpointFailing,
        Self::EndpointDisabled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::FactQuarantined => "fact.quarantined",
            Self::OrderPaidTwice => "order.paid_twice",
            Self::OrderPaidAgain => "order.paid_again",
            Self::OrderRefundedExternally => "order.refunded_externally",
            Self::OrderUnknown => "order.unknown",
            Self::RefundUnknown => "refund.unknown",
            Self::RefundProposed => "refund.proposed",
            Self::StoreCredentialsFailing => "store.credentials_failing",
            Self::StoreNoticesMissing => "store.notices_missing",
            Self::EndpointFailing => "endpoint.failing",
            Self::EndpointDisabled => "endpoint.disabled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|matter| matter.as_str() == text)
    }

    /// What it is about.
    pub fn subject(self) -> &'static str {
        match self {
            Self::FactQuarantined => "fact",
            Self::OrderPaidTwice | Self::OrderRefundedExternally | Self::OrderUnknown => "order",
            Self::OrderPaidAgain => "payment",
            Self::RefundUnknown | Self::RefundProposed => "refund",
            Self::StoreCredentialsFailing | Self::StoreNoticesMissing => "store",
            Self::EndpointFailing | Self::EndpointDisabled => "endpoint",
        }
    }

    /// What is the likely cause, and what to do next: for people.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::FactQuarantined => (
                "ScanForPay said something else than what was asked for: another amount, currency, number or partner.",
                "Compare what was asked with what came, then release the fact or reject it.",
            ),
            Self::OrderPaidTwice => (
                "The payer paid again, with another order of the same purchase.",
                "Ask the merchant, and refund one of the orders.",
            ),
            Self::OrderPaidAgain => (
                "The payer paid the same order again, through a page of an earlier or later call.",
                "Ask the merchant, then refund the order's second payment: `refund` in the detail is what to send.",
            ),
            Self::OrderRefundedExternally => (
                "Somebody refunded in ScanForPay's own back office, or before the shop moved in.",
                "Ask the merchant who did it; refund nothing more before that is known.",
            ),
            Self::OrderUnknown => (
                "ScanForPay gave no answer about the order for as long as it was asked.",
                "Look the order up at ScanForPay by its order number, and query it again once ScanForPay answers.",
            ),
            Self::RefundUnknown => (
                "ScanForPay took the refund and did not say what became of it.",
                "Look the refund up at ScanForPay by its refund number; its amount stays reserved until that is known.",
            ),
            Self::RefundProposed => (
                "The amount is above what one operator may refund alone.",
                "A second operator looks at the order and agrees or declines.",
            ),
            Self::StoreCredentialsFailing => (
                "The sign key was changed at ScanForPay, or ScanForPay closed the account.",
                "Compare partner number and key with ScanForPay's, rotate the account's key here, then check the store.",
            ),
            Self::StoreNoticesMissing => (
                "ScanForPay cannot reach this gateway's public address, or does not send notices for this store.",
                "See from outside whether the public address answers, then ask ScanForPay. Orders are asked about more often meanwhile.",
            ),
            Self::EndpointFailing => (
                "The endpoint's owner does not answer, or does not acknowledge what it is sent.",
                "Look at the endpoint's last attempts and talk to its owner; it is disabled when the time is over.",
            ),
            Self::EndpointDisabled => (
                "It acknowledged nothing for too long, answered that it is gone, or was stopped by an operator: the reason says which.",
                "Once its owner has repaired it, let it be enabled again: what is due to it was kept and goes out in order.",
            ),
        }
    }

    /// Where ending it by hand would leave something undone: what ends it instead.
    pub fn ended_otherwise(self) -> Option<&'static str> {
        match self {
            Self::FactQuarantined => Some("it ends when the fact is released or rejected"),
            Self::RefundProposed => {
                Some("it ends when a second operator agrees to the refund or declines it")
            }
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_matter_is_read_as_it_is_written_and_says_what_to_do() {
        for matter in Matter::ALL {
            assert_eq!(Matter::parse(matter.as_str()), Some(matter));
            let (cause, next_step) = matter.words();
            assert!(cause.ends_with('.') && next_step.ends_with('.'), "{matter:?}");
        }
        assert_eq!(Matter::parse("order.mislaid"), None);
    }
}
