//! What each kind of event tells and when: one table, for the guide and for whoever reads events.

use std::fmt::Write;

use super::tell::Kind;
use crate::entity::event::Audience;

/// A kind of event, in words.
struct Row {
    kind: Kind,
    /// What happened.
    when: &'static str,
    /// How often it can be told of one order.
    once: &'static str,
    /// What it has beside how the order stands.
    beside: &'static str,
}

const ROWS: [Row; 12] = [
    Row {
        kind: Kind::OrderPaid,
        when: "The order is paid. `late`: it had been refused, failed or closed before.",
        once: "once",
        beside: "–",
    },
    Row {
        kind: Kind::OrderFailed,
        when: "ScanForPay says that the payment failed.",
        once: "once",
        beside: "–",
    },
    Row {
        kind: Kind::OrderClosed,
        when: "No payment is expected any more; one that still comes is told as `order.paid`.",
        once: "once",
        beside: "–",
    },
    Row {
        kind: Kind::OrderRefused,
        when: "ScanForPay did not open the order.",
        once: "once for each time that it was sent to ScanForPay",
        beside: "–",
    },
    Row {
        kind: Kind::OrderPaidTwice,
        when: "The purchase was paid with another order of the same `reference` too, or this order through two calls \
            to ScanForPay.",
        once: "once for each other order or call",
        beside: "`detail`: `reference`, and of the other order `number`, `paid`, `refunded`, `currency`; or \
            of the other payment `payment`, `amount`, `currency`, `orderNo`, `payTime`",
    },
    Row {
        kind: Kind::OrderRefundedExternally,
        when: "More was refunded than was asked for here.",
        once: "once for each amount that is found",
        beside: "`detail`: `amount`; `payment` where it is not the one that the order counts",
    },
    Row {
        kind: Kind::FactQuarantined,
        when: "What ScanForPay said differs from what it was asked. It is held and changes nothing.",
        once: "once for each fact",
        beside: "`detail`: `fact`, its id in `/v1/quarantine`; `source`; `differences` with `field`, `asked`, `told`",
    },
    Row {
        kind: Kind::RefundSucceeded,
        when: "A refund is done.",
        once: "once for each refund",
        beside: "`refund`: `refundNo`, `amount`, `code`, `reason`; `payment` where it is not the one that the order counts",
    },
    Row {
        kind: Kind::RefundFailed,
        when: "A refund is known to have failed; its amount can be refunded again.",
        once: "once for each refund",
        beside: "`refund`: `refundNo`, `amount`, `code`, `reason`; `payment` where it is not the one that the order counts",
    },
    Row {
        kind: Kind::StoreCredentialsFailing,
        when: "ScanForPay refuses the credentials of the store's account.",
        once: "once until they are good again",
        beside: "of the store, not of an order",
    },
    Row {
        kind: Kind::EndpointFailing,
        when: "Another endpoint acknowledges nothing and will be disabled.",
        once: "after 50, 70 and 90 % of the time until then",
        beside: "of the endpoint, not of an order: `endpointId`, `failingSince`; `detail`: `percent`",
    },
    Row {
        kind: Kind::EndpointDisabled,
        when: "Another endpoint has acknowledged nothing for too long and is sent nothing more. What is due to it is kept.",
        once: "each time",
        beside: "of the endpoint, not of an order: `endpointId`, `failingSince`; `detail`: `reason`",
    },
];

/// The table in Markdown.
pub fn table() -> String {
    let mut table =
        "| event | when | how often | beside the order | for |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for Row { kind, when, once, beside } in &ROWS {
        let whom = match kind.audience() {
            Audience::All => "merchant and platform",
            Audience::Platform => "platform",
        };
        writeln!(table, "| `{}` | {when} | {once} | {beside} | {whom} |", kind.as_str())
            .expect("a string takes everything");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        assert_eq!(ROWS.each_ref().map(|row| row.kind), Kind::ALL);
    }
}
