//! The gate of what is learned about a refund itself: the upstream's answer to it, that none came, or an operator's
//! word. What a query tells of the order passes `orders::settle`. A pure function, run by the ledger inside the
//! transaction that writes its outcome.

use serde_json::{Value, json};

use super::meaning::{Meaning, meaning};
use super::sums::{Sums, is_counted};
use super::{books, schedule};
use crate::attention::Matter;
use crate::chance::Chance;
use crate::entity::refund::State;
use crate::entity::{order, refund, submission};
use crate::ledger::{Calmed, Changes, Current};
use crate::orders::held::{self, Difference, Held};
use crate::orders::journal::{self, Kind};
use crate::orders::{buyer, tell};
use crate::upstream::Said;

/// Anything that was learned about one refund.
#[derive(Debug, Clone)]
pub struct Fact {
    /// Of the journal entry that keeps it.
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    pub refund_id: String,
    pub told: Told,
    /// The signed text as it came.
    pub raw: Option<String>,
    pub took_ms: Option<i64>,
}

#[derive(Debug, Clone)]
pub enum Told {
    /// The upstream's answer. `is_repeat`: the number was sent before.
    Said { said: Box<Said>, is_repeat: bool },
    /// Nothing that can be relied on.
    Nothing { why: String },
    /// Not a byte of the first call left this machine.
    NotSent { why: String },
    /// We waited long enough for an answer.
    Overdue,
    /// An operator has looked at ScanForPay's own books.
    Word { refunded: bool, by: String, reason: String },
}

impl Told {
    fn meaning(&self) -> Meaning {
        match self {
            Self::Said { said, is_repeat } => meaning(said.code, said.status, *is_repeat),
            Self::Nothing { .. } | Self::Overdue => Meaning::Unknown,
            Self::NotSent { .. } | Self::Word { refunded: false, .. } => Meaning::Failed,
            Self::Word { refunded: true, .. } => Meaning::Refunded,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Overdue => Kind::RefundOverdue,
            Self::Word { .. } => Kind::RefundWord,
            _ => Kind::RefundAnswer,
        }
    }

    /// Where the events have it from.
    fn confirmed_by(&self) -> &'static str {
        match self {
            Self::Word { .. } => "operator",
            _ => "answer",
        }
    }
}

/// What became of a fact.
#[derive(Debug, Clone)]
pub struct Settled {
    pub order: order::Model,
    /// `None`: there is no such refund of the order.
    pub refund: Option<refund::Model>,
    /// Kept aside: it did not agree with what was asked.
    pub held: bool,
}

pub fn settle(current: &Current<'_>, fact: &Fact, chance: &Chance) -> (Changes, Settled) {
    let found = current.refunds.iter().find(|refund| refund.id == fact.refund_id);
    let (Some(refund), Some(submission)) = (found, current.submission) else {
        let settled = Settled { order: current.order.clone(), refund: None, held: false };
        return (Changes::default(), settled);
    };
    let differences = differences(submission, refund, fact);
    let held = !differences.is_empty();
    let mut after = After {
        order: current.order.clone(),
        call: submission.clone(),
        refund: refund.clone(),
        changes: Changes::default(),
    };
    let mut entry = entry(refund, fact, &differences);
    entry.raw = fact.raw.as_ref().map(|raw| buyer::keep_out(current.order, raw.clone().into_bytes()));
    after.changes.journal.push(entry);
    if held {
        after.hold(submission, fact, &differences, chance);
    } else if let Told::Said { said, .. } = &fact.told {
        after.refund.code = Some(i64::from(said.code));
    }
    // What has ended stays as it ended; that something else was said is on record.
    if refund.state.is_open() {
        let meaning = if held { Meaning::Unknown } else { fact.told.meaning() };
        after.take(meaning, fact, chance);
    }
    after.conclude((current.order, submission, refund), fact, held)
}

/// Where a fact does not agree with what was asked. What an answer repeats must agree.
fn differences(submission: &submission::Model, refund: &refund::Model, fact: &Fact) -> Vec<Difference> {
    let Told::Said { said, .. } = &fact.told else { return Vec::new() };
    let checks = [
        ("partnerNo", json!(submission.partner_no), json!(said.partner_no)),
        ("partnerOrderNo", json!(submission.sent_number()), json!(said.partner_order_no)),
        ("refundNo", json!(refund.id), json!(said.refund_no)),
        ("orderAmount", json!(refund.amount), json!(said.amount)),
        ("currency", json!(refund.currency), json!(said.currency)),
    ];
    let differs = |(field, asked, told): &(&str, Value, Value)| {
        asked != told && (*field == "partnerNo" || !told.is_null())
    };
    checks.into_iter().filter(differs).collect()
}

fn entry(refund: &refund::Model, fact: &Fact, differences: &[Difference]) -> crate::entity::journal::Model {
    let mut note = json!({"refundNo": refund.refund_no, "amount": refund.amount});
    match &fact.told {
        Told::Said { said, is_repeat } => {
            note["code"] = json!(said.code);
            note["status"] = json!(said.status);
            if *is_repeat {
                note["repeat"] = json!(true);
            }
        }
        Told::Nothing { why } | Told::NotSent { why } => note["why"] = json!(why),
        Told::Overdue => {}
        Told::Word { refunded, by, reason } => {
            note["refunded"] = json!(refunded);
            note["by"] = json!(by);
            note["reason"] = json!(reason);
        }
    }
    if !differences.is_empty() {
        note["held"] = held::listed(differences);
    }
    if let Some(took) = fact.took_ms {
        note["took_ms"] = json!(took);
    }
    journal::entry(fact.id.clone(), &refund.order_id, &refund.submission_id, fact.at, fact.told.kind(), &note)
}

/// Order, call and refund as the fact leaves them.
struct After {
    order: order::Model,
    /// Through which the payment came.
    call: submission::Model,
    refund: refund::Model,
    changes: Changes,
}

impl After {
    fn take(&mut self, meaning: Meaning, fact: &Fact, chance: &Chance) {
        match meaning {
            Meaning::Refunded => {
                books::succeed(&mut self.order, &mut self.call, &mut self.refund);
                self.tell(tell::Kind::RefundSucceeded, "succeeded", fact, chance);
            }
            Meaning::Failed => {
                books::fail(&mut self.order, &mut self.call, &mut self.refund);
                self.tell(tell::Kind::RefundFailed, "failed", fact, chance);
            }
            Meaning::InProgress => self.follow(State::InProgress, fact.at),
            // What the upstream was at does not become less known by an answer that is none.
            Meaning::Unknown if self.refund.state == State::InProgress => {}
            Meaning::Unknown => self.follow(State::Unknown, fact.at),
        }
    }

    /// It is open: looked at from now on.
    fn follow(&mut self, state: State, at: i64) {
        if self.refund.state != state {
            self.refund.state = state;
            self.refund.looks = 0;
            self.refund.look_at = schedule::next(0, at);
        }
    }

    fn tell(&mut self, kind: tell::Kind, r#move: &str, fact: &Fact, chance: &Chance) {
        let r#move = format!("refund_{}:{}", r#move, self.refund.id);
        let news = tell::News {
            refund: Some(&self.refund),
            ..tell::News::new(kind, r#move, fact.at, fact.told.confirmed_by())
        };
        self.changes.told.push(tell::told(&mut self.order, news, chance));
        self.changes.calmed.push(calmed(&self.refund, fact.at, self.refund.state));
        self.changes.calmed.extend(given_back(&self.order, &self.call, fact.at, "refund"));
    }

    fn hold(
        &mut self,
        submission: &submission::Model,
        fact: &Fact,
        differences: &[Difference],
        chance: &Chance,
    ) {
        let held = Held {
            id: &fact.id,
            at: fact.at,
            source: fact.told.kind().as_str(),
            confirmed_by: fact.told.confirmed_by(),
            differences: held::listed(differences),
            claim: None,
            refund: Some(&self.refund),
        };
        held.keep(&mut self.order, submission, &mut self.changes, chance);
    }

    fn conclude(
        mut self,
        (order, call, refund): (&order::Model, &submission::Model, &refund::Model),
        fact: &Fact,
        held: bool,
    ) -> (Changes, Settled) {
        if self.refund != *refund {
            self.refund.updated_at = self.refund.updated_at.max(fact.at);
            self.changes.refunds.push(self.refund.clone());
        }
        let sums = Sums::of(&self.order, &self.call);
        if let Some(left) = sums.remainder().filter(|_| self.refund.state == State::Refunded)
            && let Some(entry) = self.changes.journal.first_mut()
        {
            let mut note: Value = serde_json::from_str(&entry.note).unwrap_or_default();
            note["remainder"] = json!(left);
            entry.note = note.to_string();
        }
        if self.call != *call {
            self.changes.submission = Some(self.call.clone());
        }
        if self.order != *order {
            self.order.updated_at = self.order.updated_at.max(fact.at);
            self.changes.order = Some(self.order.clone());
        }
        let settled = Settled { order: self.order, refund: Some(self.refund), held };
        (self.changes, settled)
    }
}

/// Nobody need look after it any more.
pub fn calmed(refund: &refund::Model, at: i64, state: State) -> Calmed {
    let by = if state == State::Failed { "failed" } else { "refunded" };
    Calmed {
        kind: Matter::RefundUnknown.as_str(),
        subject_id: refund.id.clone(),
        at,
        by: by.to_owned(),
        reason: None,
    }
}

/// Of a second payment that has gone back whole: the order keeps no more than it counts.
pub fn given_back(order: &order::Model, call: &submission::Model, at: i64, by: &str) -> Option<Calmed> {
    let is_second = !is_counted(order, call);
    (is_second && Sums::of(order, call).is_given_back()).then(|| Calmed {
        kind: Matter::OrderPaidAgain.as_str(),
        subject_id: call.id.clone(),
        at,
        by: by.to_owned(),
        reason: Some("the second payment was given back".to_owned()),
    })
}
