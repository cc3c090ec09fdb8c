//! Facts that differ from what was asked, whichever gate they came to: what is kept of them, told, and left for a
//! person.

use serde_json::{Value, json};

use super::tell;
use crate::attention::{self, Matter};
use crate::chance::Chance;
use crate::entity::{order, quarantine, refund, submission};
use crate::ledger::Changes;

/// Where a fact does not agree: field, asked, told.
pub(super) type Difference = (&'static str, Value, Value);

/// The same as it is kept and shown.
pub(super) fn listed(differences: &[Difference]) -> Value {
    differences
        .iter()
        .map(|(field, asked, told)| json!({"field": field, "asked": asked, "told": told}))
        .collect()
}

/// A fact to be kept aside.
pub(super) struct Held<'a> {
    /// Of its journal entry.
    pub id: &'a str,
    pub at: i64,
    pub source: &'a str,
    /// Where the event has it from.
    pub confirmed_by: &'a str,
    /// As [`listed`].
    pub differences: Value,
    /// What it would make of the order.
    pub claim: Option<&'static str>,
    /// The refund it is about, if it is about one.
    pub refund: Option<&'a refund::Model>,
}

impl Held<'_> {
    /// Keep it: `order` stays as it is, but for the count of what is told of it.
    pub fn keep(
        self,
        order: &mut order::Model,
        submission: &submission::Model,
        changes: &mut Changes,
        chance: &Chance,
    ) {
        let mut detail = json!({"fact": self.id, "source": self.source, "differences": self.differences});
        if let Some(refund) = self.refund {
            detail["refundNo"] = json!(refund.refund_no);
        }
        let news = tell::News {
            refund: self.refund,
            detail: Some(detail.clone()),
            ..tell::News::new(
                tell::Kind::FactQuarantined,
                format!("quarantined:{}", self.id),
                self.at,
                self.confirmed_by,
            )
        };
        changes.told.push(tell::told(order, news, chance));
        let matter = Matter::FactQuarantined;
        changes.raised.push(attention::of_order(order, matter, self.id, self.at, &detail, chance));
        changes.quarantine = Some(quarantine::Model {
            id: self.id.to_owned(),
            order_id: order.id.clone(),
            submission_id: submission.id.clone(),
            platform_id: order.platform_id.clone(),
            merchant_id: order.merchant_id.clone(),
            source: self.source.to_owned(),
            differences: self.differences.to_string(),
            state: "held".to_owned(),
            held_at: self.at,
            ended_at: None,
            ended_by: None,
            reason: None,
            claim: self.claim.map(str::to_owned),
        });
    }
}
