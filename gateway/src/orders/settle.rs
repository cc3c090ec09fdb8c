//! The one gate: what a fact does to an order. A pure function of what stands and what was said; the ledger
//! runs it inside the transaction that writes its outcome. To be checked against `docs/MONEY.md`.

use serde_json::{Value, json};
use shared::order::OrderStatus;

use super::buyer;
use super::ending::Ending;
use super::fact::{self, Claim, Fact, Source};
use super::held::{self, Difference, Held};
use super::journal::{self, Kind};
use super::refund::books::{self, All};
use super::refund::settle as refund_settle;
use super::schedule::Pace;
use super::{barcode, refund, tell};
use crate::attention::{self, Matter};
use crate::chance::Chance;
use crate::entity::submission::State;
use crate::entity::{self, order, submission};
use crate::ledger::{Calmed, Changes, Current, Told};
use crate::product;
use crate::upstream::Said;

/// What became of a fact.
#[derive(Debug, Clone)]
pub struct Settled {
    pub order: order::Model,
    /// Kept aside: it did not agree with what was asked.
    pub held: bool,
    /// The held fact that this one was to let in was let in.
    pub released: bool,
    /// Deliveries that were promised by it, to be sent at once.
    pub promised: Vec<tell::Promised>,
    /// The refund of a late payment, to be made at once.
    pub begun: Option<entity::refund::Model>,
}

impl Settled {
    /// `order` as it stands, with nothing set off.
    fn of(order: order::Model, held: bool) -> Self {
        Self { order, held, released: false, promised: Vec::new(), begun: None }
    }
}

/// How new deliveries are begun.
#[derive(Debug, Clone)]
pub struct Telling {
    /// Under this lease by this node, for so long; `None` leaves them to whoever looks for due ones first.
    pub lease: Option<(String, i64)>,
    /// Version of the merchant's sign key to begin with.
    pub sign_key_id: String,
    /// The store's policy: a payment that comes late is refunded at once.
    pub refunds_late: bool,
}

/// Apply `fact`, which was addressed to the current submission.
pub fn settle(
    current: &Current<'_>,
    fact: &Fact,
    telling: &Telling,
    pace: &Pace,
    chance: &Chance,
) -> (Changes, Settled) {
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
    after.look_next(current.order, fact, pace);
    after.conclude(current, fact, (telling, pace), chance)
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
    fn take(&mut self, fact: &Fact) {
        if fact.source == Source::Answer && !matches!(fact.told, fact::Told::Overdue) {
            self.submission.answered_at = Some(fact.at);
        }
        match &fact.told {
            fact::Told::Opened(said) => self.opened(said),
            fact::Told::Refused(said) => self.refused(said),
            fact::Told::Nothing { code, .. } => self.unknown(*code),
            fact::Told::Overdue => self.unknown(None),
            fact::Told::Expired => self.expired(fact.at),
            fact::Told::Closed(said) => self.closed(said),
            fact::Told::NoSuchOrder => self.missed(fact.at),
            fact::Told::State(said) => {
                if fact.source == Source::Answer {
                    self.answered(said);
                }
                self.state(said, fact.at);
            }
        }
    }

    fn is_latest(&self) -> bool {
        self.order.submission_id == self.submission.id
    }

    /// Make the move if it is one; what is not a move is left as it is.
    fn become_(&mut self, next: OrderStatus) {
        if self.order.status().may_become(next) {
            next.as_str().clone_into(&mut self.order.status);
        }
    }

    fn advance(&mut self, next: State) {
        if self.submission.state != State::Paid {
            self.submission.state = next;
        }
    }

    fn opened(&mut self, said: &Said) {
        self.advance(State::Opened);
        self.note_order_no(said);
        self.answered(said);
        if self.is_latest() {
            self.become_(OrderStatus::Awaiting);
        }
    }

    /// What an answer to create carries, for those who ask again.
    fn answered(&mut self, said: &Said) {
        self.submission.code = Some(i64::from(said.code));
        self.submission.pay_url.clone_from(&said.pay_url);
        if self.is_latest() {
            self.order.code = Some(i64::from(said.code));
            self.order.pay_url.clone_from(&said.pay_url);
            self.order.answer_extra = (!said.extra.is_empty()).then(|| json!(said.extra).to_string());
        }
    }

    fn refused(&mut self, said: &Said) {
        self.advance(State::Refused);
        self.submission.code = Some(i64::from(said.code));
        if self.is_latest() {
            self.order.code = Some(i64::from(said.code));
            self.become_(OrderStatus::Refused);
        }
    }

    fn unknown(&mut self, code: Option<i32>) {
        if self.submission.state == State::Sent {
            self.submission.state = State::Unknown;
            self.submission.code = code.map(i64::from);
        }
        if self.is_latest() {
            self.become_(OrderStatus::Unknown);
        }
    }

    fn closed(&mut self, said: &Said) {
        self.advance(State::Failed);
        self.note_order_no(said);
        if self.is_latest() {
            self.become_(OrderStatus::Closed);
        }
    }

    /// We stop expecting money. The submission stays open: the upstream has not said that it ended.
    fn expired(&mut self, at: i64) {
        if self.is_latest() && self.order.status() == OrderStatus::Awaiting && self.order.expires_at <= at {
            self.become_(OrderStatus::Closed);
        }
    }

    /// 'No such order' proves that the call never arrived only twice, the second time long enough after it.
    fn missed(&mut self, at: i64) {
        let doubtful = matches!(self.submission.state, State::Sent | State::Unknown);
        // What the table does not know waits as long as anything does.
        let product = product::named(&self.submission.product).unwrap_or(&product::BARCODE);
        let waited = u128::try_from(at - self.submission.created_at)
            .is_ok_and(|waited| waited >= product.arrival_wait.as_millis());
        match self.submission.missed_at {
            Some(_) if doubtful && waited => {
                self.submission.state = State::NeverArrived;
                if self.is_latest() && self.order.status() == OrderStatus::Unknown {
                    self.order.code = Some(30);
                    self.become_(OrderStatus::Refused);
                }
            }
            None if doubtful => self.submission.missed_at = Some(at),
            _ => {}
        }
    }

    fn state(&mut self, said: &Said, at: i64) {
        self.note_order_no(said);
        match said.status {
            Some(0) => {
                if matches!(self.submission.state, State::Sent | State::Unknown | State::NeverArrived) {
                    self.submission.state = State::Opened;
                }
                if self.is_latest() {
                    self.become_(OrderStatus::Awaiting);
                }
            }
            Some(1) => self.paid(said),
            Some(2) => {
                self.advance(State::Failed);
                if self.is_latest() {
                    self.become_(OrderStatus::Failed);
                }
            }
            // A refunded order was paid before, whether we heard of it or not.
            Some(3) => {
                self.paid(said);
                // That a second payment went back says nothing of the one that counts.
                if self.is_latest() {
                    self.all_refunded = books::refunded_in_full(&mut self.order, self.refunds, at);
                }
            }
            _ => {}
        }
    }

    /// Money wins over every state without money.
    fn paid(&mut self, said: &Said) {
        let paid_before = self.submission.state == State::Paid;
        self.submission.state = State::Paid;
        let before = self.order.status();
        if before.has_money() {
            self.paid_again = !paid_before;
            return;
        }
        self.order.late = matches!(before, OrderStatus::Refused | OrderStatus::Failed | OrderStatus::Closed);
        if !self.is_latest() {
            // The money came through an earlier call: what that one asked for is what was bought, and the later
            // call's payUrl must not be given out again.
            self.order.submission_id.clone_from(&self.submission.id);
            self.order.currency.clone_from(&self.submission.currency);
            self.order.amount = self.submission.amount;
            self.order.wallet.clone_from(&self.submission.wallet);
            self.order.pay_url.clone_from(&self.submission.pay_url);
            self.order.answer_extra = None;
        }
        self.order.paid = self.order.amount;
        self.order.paid_wallet.clone_from(&said.wallet);
        self.order.buyer.clone_from(&said.buyer);
        self.order.buyer_id.clone_from(&said.buyer_id);
        self.order.pay_time.clone_from(&said.pay_time);
        if let Some(order_no) = &self.submission.upstream_order_no {
            self.order.upstream_order_no = Some(order_no.clone());
        }
        self.become_(OrderStatus::Paid);
    }

    fn note_order_no(&mut self, said: &Said) {
        if let Some(order_no) = &said.order_no {
            self.submission.upstream_order_no = Some(order_no.clone());
            if self.is_latest() && !self.order.status().has_money() {
                self.order.upstream_order_no = Some(order_no.clone());
            }
        }
    }

    fn conclude(
        mut self,
        current: &Current<'_>,
        fact: &Fact,
        (telling, pace): (&Telling, &Pace),
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

        let mut calmed = calmed(current.order, to, fact, pace);
        let (told, raised) = self.tell(from, fact, telling, chance);
        let ended = self.all_refunded.ended.iter();
        calmed.extend(ended.map(|ended| refund_settle::calmed(ended, fact.at, ended.state)));
        let (begun, begins) = self.refund_late(from, fact, telling, chance).unzip();
        let promised = told.iter().filter_map(tell::promised).collect();
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
        (changes, Settled { order: self.order, held: false, released, promised, begun })
    }

    /// The refund of a payment that came late, where the store wants it so, and what the journal says of it.
    fn refund_late(
        &mut self,
        from: OrderStatus,
        fact: &Fact,
        telling: &Telling,
        chance: &Chance,
    ) -> Option<(entity::refund::Model, entity::journal::Model)> {
        let is_late_payment =
            !from.has_money() && self.order.status() == OrderStatus::Paid && self.order.late;
        if !(is_late_payment && telling.refunds_late) {
            return None;
        }
        let refund = refund::of_late_payment(&chance.id(), &mut self.order, fact.at);
        let note = json!({"refundNo": refund.refund_no, "amount": refund.amount, "by": refund.asked_by});
        let kind = Kind::RefundAsked;
        let entry = journal::entry(chance.id(), &self.order.id, &self.submission.id, fact.at, kind, &note);
        Some((refund, entry))
    }

    /// When the order is looked after next, and whether a notice of its payment is still to come.
    fn look_next(&mut self, before: &order::Model, fact: &Fact, pace: &Pace) {
        if self.order.status() != before.status() {
            self.order.looks = 0;
            self.order.look_at = pace.first(&self.order, fact.at);
        }
        let is_paid_now = self.order.status().has_money() && !before.status().has_money();
        // What the shop placed itself is notified to the shop.
        let is_notified_here = self.submission.imported_at.is_none();
        if fact.source == Source::Query && is_paid_now && is_notified_here {
            self.order.notice_due_at = Some(fact.at + pace.notice_grace);
        }
        if fact.source == Source::Notice && self.submission.state == State::Paid {
            self.order.notice_due_at = None;
        }
    }

    /// What the move is told as, and what of it waits for a person.
    fn tell(
        &mut self,
        from: OrderStatus,
        fact: &Fact,
        telling: &Telling,
        chance: &Chance,
    ) -> (Vec<Told>, Vec<crate::entity::attention::Model>) {
        let (to, by) = (self.order.status(), fact.source.kind().as_str());
        let (mut told, mut raised) = (Vec::new(), Vec::new());
        let moved = |kind, r#move: String| tell::News::new(kind, r#move, fact.at, by);
        match to {
            _ if from == to => {}
            OrderStatus::Failed => {
                told.push(tell::told(
                    &mut self.order,
                    moved(tell::Kind::OrderFailed, "failed".into()),
                    chance,
                ));
            }
            OrderStatus::Closed => {
                told.push(tell::told(
                    &mut self.order,
                    moved(tell::Kind::OrderClosed, "closed".into()),
                    chance,
                ));
            }
            OrderStatus::Refused => {
                // Another submission may be refused, too.
                let r#move = format!("refused:{}", self.submission.id);
                told.push(tell::told(&mut self.order, moved(tell::Kind::OrderRefused, r#move), chance));
            }
            _ if to.has_money() && !from.has_money() => {
                told.push(tell::paid(&mut self.order, fact.at, by, telling, chance));
            }
            _ => {}
        }
        if self.paid_again {
            self.order.paid_twice = true;
            let detail = json!({"submission": self.submission.id});
            let news = tell::News {
                detail: Some(detail.clone()),
                ..moved(tell::Kind::OrderPaidTwice, format!("paid_twice:{}", self.submission.id))
            };
            told.push(tell::told(&mut self.order, news, chance));
            let matter = Matter::OrderPaidTwice;
            raised.push(attention::of_order(&self.order, matter, &self.order.id, fact.at, &detail, chance));
        }
        self.tell_refunds(fact, chance, &mut told, &mut raised);
        (told, raised)
    }

    /// What the word that all is refunded is told as.
    fn tell_refunds(
        &mut self,
        fact: &Fact,
        chance: &Chance,
        told: &mut Vec<Told>,
        raised: &mut Vec<entity::attention::Model>,
    ) {
        let by = fact.source.kind().as_str();
        for ended in &self.all_refunded.ended {
            let (kind, how) = match ended.state {
                entity::refund::State::Refunded => (tell::Kind::RefundSucceeded, "succeeded"),
                _ => (tell::Kind::RefundFailed, "failed"),
            };
            let news = tell::News {
                refund: Some(ended),
                ..tell::News::new(kind, format!("refund_{how}:{}", ended.id), fact.at, by)
            };
            told.push(tell::told(&mut self.order, news, chance));
        }
        if self.all_refunded.elsewhere > 0 {
            let detail = json!({"amount": self.all_refunded.elsewhere});
            // A second time it is more than before.
            let r#move = format!("refunded_externally:{}", self.order.refunded_elsewhere);
            let news = tell::News {
                detail: Some(detail.clone()),
                ..tell::News::new(tell::Kind::OrderRefundedExternally, r#move, fact.at, by)
            };
            told.push(tell::told(&mut self.order, news, chance));
            let matter = Matter::OrderRefundedExternally;
            raised.push(attention::of_order(&self.order, matter, &self.order.id, fact.at, &detail, chance));
        }
    }
}

/// What waits for a person no longer, now that `order` has become `to`.
fn calmed(order: &order::Model, to: OrderStatus, fact: &Fact, pace: &Pace) -> Vec<Calmed> {
    let from = order.status();
    let calmed = |matter: Matter, subject_id: &str| Calmed {
        kind: matter.as_str(),
        subject_id: subject_id.to_owned(),
        at: fact.at,
        by: fact.source.kind().as_str().to_owned(),
        reason: None,
    };
    let mut all = Vec::new();
    let is_given_up = order.look_at.is_none() && matches!(from, OrderStatus::Unknown | OrderStatus::Awaiting);
    if is_given_up && from != to {
        all.push(calmed(Matter::OrderUnknown, &order.id));
    }
    let is_paid_now = to.has_money() && !from.has_money();
    if pace.unnoticed && is_paid_now && fact.source == Source::Notice {
        all.push(calmed(Matter::StoreNoticesMissing, &order.store_id));
    }
    all
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
