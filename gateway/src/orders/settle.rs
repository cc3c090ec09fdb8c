//! The one gate: what a fact does to an order. A pure function of what stands and what was said; the ledger
//! runs it inside the transaction that writes its outcome. To be checked against `docs/MONEY.md`.

mod moves;
mod told;

use serde_json::{Value, json};
use shared::order::OrderStatus;

use self::told::calmed;
use super::buyer;
use super::ending::Ending;
use super::fact::{self, Claim, Fact, Source};
use super::held::{self, Difference, Held};
use super::journal::{self, Kind};
use super::refund::books::All;
use super::refund::settle as refund_settle;
use super::schedule::Pace;
use super::{barcode, refund};
use crate::chance::Chance;
use crate::entity::{self, order, submission};
use crate::ledger::{Changes, Current};

/// What became of a fact.
#[derive(Debug, Clone)]
pub struct Settled {
    pub order: order::Model,
    /// Kept aside: it did not agree with what was asked.
    pub held: bool,
    /// The held fact that this one was to let in was let in.
    pub released: bool,
    /// The refund of a late payment, to be made at once.
    pub begun: Option<entity::refund::Model>,
}

impl Settled {
    /// `order` as it stands, with nothing set off.
    fn of(order: order::Model, held: bool) -> Self {
        Self { order, held, released: false, begun: None }
    }
}

/// What is set for the order's store.
#[derive(Debug, Clone)]
pub struct Policy {
    pub pace: Pace,
    /// A payment that comes late is refunded at once.
    pub refunds_late: bool,
}

/// Apply `fact`, which was addressed to the current submission.
pub fn settle(current: &Current<'_>, fact: &Fact, policy: &Policy, chance: &Chance) -> (Changes, Settled) {
    let unchanged = |held| Settled::of(current.order.clone(), held);
    let Some(submission) = current.submission else {
        return (Changes::default(), unchanged(false)); // the ledger found no such submission: nothing to do
    };
    if current.repeated {
        // The answer to a query has the digest of a held one where it differs, and only there.
        return (Changes::default(), unchanged(fact.source == Source::Query));
    }
    let differences = differences(submission, fact);
    if !differences.is_empty() {
        let (changes, order) = hold(current.order, submission, fact, &differences, chance);
        return (changes, Settled::of(order, true));
    }
    let mut after = After {
        order: current.order.clone(),
        submission: submission.clone(),
        refunds: current.refunds,
        paid_again: false,
        all_refunded: All::default(),
    };
    after.take(fact);
    after.look_next(current.order, fact, &policy.pace);
    after.conclude(current, fact, policy, chance)
}

/// By which the ledger tells that this fact was kept before.
pub fn digest(submission: &submission::Model, fact: &Fact) -> Option<Vec<u8>> {
    let held = || fact.digest_of_held().filter(|_| !differences(submission, fact).is_empty());
    fact.digest().or_else(held)
}

/// Where a fact does not agree with what was asked.
fn differences(submission: &submission::Model, fact: &Fact) -> Vec<Difference> {
    let (said, whole) = match &fact.told {
        fact::Told::State(said) => (said, true),
        // Neither an answer to create nor one that only has a code need repeat what was asked; what they do repeat
        // must agree.
        fact::Told::Opened(said) | fact::Told::Refused(said) | fact::Told::Closed(said) => (said, false),
        fact::Told::Nothing { .. } | fact::Told::NoSuchOrder | fact::Told::Overdue | fact::Told::Expired => {
            return Vec::new();
        }
    };
    // A state beside a code that is not success is no state to go by.
    let code = if whole { json!(1) } else { json!(said.code) };
    let checks = [
        ("code", code, json!(said.code), true),
        ("partnerNo", json!(submission.partner_no), json!(said.partner_no), true),
        ("partnerOrderNo", json!(submission.sent_number()), json!(said.partner_order_no), whole),
        ("orderAmount", json!(submission.amount), json!(said.amount), whole),
        ("currency", json!(submission.currency), json!(said.currency), whole),
    ];
    checks
        .into_iter()
        .filter(|(_, asked, told, must)| asked != told && (*must || !told.is_null()))
        .map(|(field, asked, told, _)| (field, asked, told))
        .collect()
}

/// Keep the fact aside. The order stays as it is, but for the count of what is told of it.
fn hold(
    order: &order::Model,
    submission: &submission::Model,
    fact: &Fact,
    differences: &[Difference],
    chance: &Chance,
) -> (Changes, order::Model) {
    let differences = held::listed(differences);
    let mut entry = journal_entry(order, submission, fact, &json!({"held": differences}));
    entry.digest = fact.digest().or_else(|| fact.digest_of_held());
    let mut after = order.clone();
    let mut changes = Changes { journal: vec![entry], ..Changes::default() };
    let source = fact.source.kind().as_str();
    let held = Held {
        id: &fact.id,
        at: fact.at,
        source,
        confirmed_by: source,
        differences,
        claim: fact.claim().map(Claim::as_str),
        refund: None,
    };
    held.keep(&mut after, submission, &mut changes, chance);
    changes.order = Some(after.clone());
    (changes, after)
}

/// Order and submission as the fact leaves them.
struct After<'a> {
    order: order::Model,
    submission: submission::Model,
    refunds: &'a [entity::refund::Model],
    paid_again: bool,
    all_refunded: All,
}

impl After<'_> {
    fn conclude(
        mut self,
        current: &Current<'_>,
        fact: &Fact,
        policy: &Policy,
        chance: &Chance,
    ) -> (Changes, Settled) {
        let changed = self.order != *current.order || Some(&self.submission) != current.submission;
        let ending = Ending::of(current, fact, chance);
        if matches!(fact.source, Source::Query | Source::Expiry) && !changed && ending.rows.is_empty() {
            // Shops poll: an answer that brings nothing new is not worth a write.
            return (Changes::default(), Settled::of(self.order, false));
        }
        let (from, to) = (current.order.status(), self.order.status());
        let mut note = json!({"from": from.as_str(), "to": to.as_str()});
        if self.paid_again {
            note["paid_again"] = json!(true);
        }
        if !ending.by_itself.is_empty() {
            note["released"] = json!(ending.by_itself);
        }
        if self.all_refunded.elsewhere > 0 {
            note["refunded_elsewhere"] = json!(self.all_refunded.elsewhere);
        }
        let mut entry = journal_entry(current.order, &self.submission, fact, &note);
        entry.digest = fact.digest();

        let mut calmed = calmed(current.order, to, fact, &policy.pace);
        let (told, raised) = self.tell(from, fact, chance);
        let ended = self.all_refunded.ended.iter();
        calmed.extend(ended.map(|ended| refund_settle::calmed(ended, fact.at, ended.state)));
        if self.is_given_back_by_it() {
            let by = fact.source.kind().as_str();
            calmed.extend(refund_settle::given_back(&self.order, &self.submission, fact.at, by));
        }
        let (begun, begins) = self.refund_late(from, fact, policy, chance).unzip();
        if self.order != *current.order {
            self.order.updated_at = self.order.updated_at.max(fact.at);
        }
        let mut changes = Changes {
            order: (self.order != *current.order).then(|| self.order.clone()),
            submission: Some(self.submission),
            refunds: self.all_refunded.ended,
            new_refund: begun.clone(),
            journal: std::iter::once(entry).chain(begins).collect(),
            told,
            raised,
            calmed,
            ..Changes::default()
        };
        let released = ending.is_released;
        ending.add_to(&mut changes);
        (changes, Settled { order: self.order, held: false, released, begun })
    }

    /// Whether anything of the payment that the fact is about was given back by it.
    fn is_given_back_by_it(&self) -> bool {
        !self.all_refunded.ended.is_empty() || self.all_refunded.elsewhere > 0
    }

    /// The refund of a payment that came late, where the store wants it so, and what the journal says of it.
    fn refund_late(
        &mut self,
        from: OrderStatus,
        fact: &Fact,
        policy: &Policy,
        chance: &Chance,
    ) -> Option<(entity::refund::Model, entity::journal::Model)> {
        let is_late_payment =
            !from.has_money() && self.order.status() == OrderStatus::Paid && self.order.late;
        if !(is_late_payment && policy.refunds_late) {
            return None;
        }
        let refund = refund::of_late_payment(&chance.id(), &mut self.order, &mut self.submission, fact.at);
        let note = json!({"refundNo": refund.refund_no, "amount": refund.amount, "by": refund.asked_by});
        let kind = Kind::RefundAsked;
        let entry = journal::entry(chance.id(), &self.order.id, &self.submission.id, fact.at, kind, &note);
        Some((refund, entry))
    }
}

fn journal_entry(
    order: &order::Model,
    submission: &submission::Model,
    fact: &Fact,
    note: &Value,
) -> crate::entity::journal::Model {
    let mut note = note.clone();
    match &fact.told {
        fact::Told::Opened(said)
        | fact::Told::Refused(said)
        | fact::Told::Closed(said)
        | fact::Told::State(said) => {
            note["code"] = json!(said.code);
            if let Some(status) = said.status {
                note["status"] = json!(status);
            }
        }
        fact::Told::Nothing { why, code } => {
            note["why"] = json!(why);
            note["code"] = json!(code);
        }
        fact::Told::NoSuchOrder => note["code"] = json!(30),
        fact::Told::Overdue | fact::Told::Expired => {}
    }
    if let Some(took) = fact.took_ms {
        note["took_ms"] = json!(took);
    }
    let kind = if matches!(fact.told, fact::Told::Overdue) { Kind::Overdue } else { fact.source.kind() };
    let mut entry = journal::entry(fact.id.clone(), &order.id, &submission.id, fact.at, kind, &note);
    entry.raw = fact
        .raw
        .as_ref()
        .map(|raw| buyer::keep_out(order, barcode::keep_out(submission, raw.clone()).into_bytes()));
    entry
}
