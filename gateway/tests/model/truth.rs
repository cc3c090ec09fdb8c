//! What must hold after every step: the upstream's orders, the store's rows and the shops' messages against each
//! other and against what merchants and the upstream were promised.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gateway::entity::refund::State as RefundState;
use gateway::entity::{attempt, attention, delivery, event, journal, order, quarantine, refund, submission};
use gateway::orders::tell::Content;
use sandbox::shop::Received;
use sea_orm::{
    AccessMode, ColumnTrait, DatabaseConnection, DbBackend, EntityTrait, IsolationLevel, QueryFilter,
    QueryOrder, TransactionTrait,
};
use serde_json::Value;
use shared::envelope::{Envelope, Side};
use shared::order::OrderStatus;

use crate::play::was_paid;
use crate::steps::Who;

/// What was promised so far.
#[derive(Default)]
pub struct Promised {
    /// Payments upstream whose notice was answered with `success`, by the number they have there.
    pub taken: BTreeSet<String>,
    /// Orders that a query was told to be paid.
    pub told: BTreeSet<Who>,
    /// Notices that did not agree and were acknowledged.
    pub held: usize,
    /// Refunds that their merchant was told to be made.
    pub refunded: BTreeSet<String>,
    /// How each order stood when it was last looked at.
    stood: HashMap<String, Stood>,
}

struct Stood {
    status: OrderStatus,
    /// Amount paid and the event that tells of it.
    money: Option<(i64, String)>,
}

/// The store as it stood at one moment.
pub struct Rows {
    orders: Vec<order::Model>,
    submissions: Vec<submission::Model>,
    refunds: Vec<refund::Model>,
    journal: Vec<journal::Model>,
    quarantine: Vec<quarantine::Model>,
    events: Vec<event::Model>,
    deliveries: Vec<delivery::Model>,
    attempts: Vec<attempt::Model>,
    /// What waits for a person about payments.
    waiting: Vec<attention::Model>,
}

impl Rows {
    pub async fn read(store: &DatabaseConnection) -> Self {
        // One snapshot: a query that nobody waits for may be writing.
        let isolation =
            (store.get_database_backend() == DbBackend::Postgres).then_some(IsolationLevel::RepeatableRead);
        let access = isolation.is_some().then_some(AccessMode::ReadOnly);
        let look = store.begin_with_config(isolation, access).await.expect("the store is read");
        let why = "the store is read";
        Self {
            orders: order::Entity::find().order_by_asc(order::Column::Id).all(&look).await.expect(why),
            submissions: submission::Entity::find()
                .order_by_asc(submission::Column::Id)
                .all(&look)
                .await
                .expect(why),
            refunds: refund::Entity::find().order_by_asc(refund::Column::Id).all(&look).await.expect(why),
            journal: journal::Entity::find().order_by_asc(journal::Column::Id).all(&look).await.expect(why),
            quarantine: quarantine::Entity::find().all(&look).await.expect(why),
            events: event::Entity::find().all(&look).await.expect(why),
            deliveries: delivery::Entity::find().all(&look).await.expect(why),
            attempts: attempt::Entity::find().all(&look).await.expect(why),
            waiting: attention::Entity::waiting()
                .filter(attention::Column::Kind.eq("order.paid_again"))
                .all(&look)
                .await
                .expect(why),
        }
    }
}

/// A merchant's system.
pub struct Shop {
    pub merchant_id: String,
    /// All sign keys that it ever had.
    pub keys: Vec<String>,
    pub received: Vec<Received>,
}

/// Everything there is to compare. Taken in this order, so that what grows from one to the next is never ahead.
pub struct Evidence {
    pub shops: Vec<Shop>,
    pub rows: Rows,
    pub upstream: Vec<sandbox::Order>,
}

impl Evidence {
    pub fn hold_against(&self, promised: &mut Promised) {
        for order in &self.rows.orders {
            self.order(order, promised);
        }
        self.calls();
        self.deliveries();
        for shop in &self.shops {
            self.messages(shop);
        }
        self.promises(promised);
    }

    fn submissions_of(&self, order: &order::Model) -> Vec<&submission::Model> {
        self.rows.submissions.iter().filter(|submission| submission.order_id == order.id).collect()
    }

    fn order(&self, order: &order::Model, promised: &mut Promised) {
        let number = &order.number;
        let submissions = self.submissions_of(order);
        let newest = submissions.last().expect("no order without a call");
        let current = submissions.iter().find(|submission| submission.id == order.submission_id);
        let current = current.unwrap_or_else(|| panic!("{number}: its submission is not there"));
        assert_eq!(order.submissions, i64::try_from(submissions.len()).expect("few"), "{number}");
        self.refunds(order);
        assert_eq!((order.amount, &order.currency), (current.amount, &current.currency), "{number}");

        let paid =
            submissions.iter().filter(|submission| submission.state == submission::State::Paid).count();
        let paid_events = self.told(order);
        let money = if order.status().has_money() {
            assert_eq!(
                current.state,
                submission::State::Paid,
                "{number}: the money came through its submission"
            );
            assert_eq!(order.paid, order.amount, "{number}");
            let [event] = paid_events[..] else {
                panic!("{number}: told by one event, not {}", paid_events.len())
            };
            told_as_it_is(event, order);
            Some((order.paid, event.id.clone()))
        } else {
            assert_eq!((paid, order.paid, paid_events.len()), (0, 0, 0), "{number}: without money");
            assert_eq!(current.id, newest.id, "{number}");
            None
        };
        self.journal(order, submissions.len(), paid);
        Self::moves(order, money, promised);
    }

    /// The events that tell of a payment, after a look at all of the order's: none is missing in their sequence.
    fn told(&self, order: &order::Model) -> Vec<&event::Model> {
        let of_order = self.rows.events.iter().filter(|event| event.subject_id == order.id);
        let mut events: Vec<_> = of_order.collect();
        events.sort_by_key(|event| event.sequence);
        let sequence: Vec<i64> = events.iter().map(|event| event.sequence).collect();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(sequence, (1..=order.events).collect::<Vec<_>>(), "{}: {kinds:?}", order.number);
        events.retain(|event| event.kind == "order.paid");
        assert!(events.iter().all(|event| event.r#move == "paid"), "{}", order.number);
        events
    }

    /// What is given back and kept back is what the refunds say, never more than was paid, and each end told once.
    fn refunds(&self, order: &order::Model) {
        let number = &order.number;
        let refunds: Vec<_> = self.rows.refunds.iter().filter(|refund| refund.order_id == order.id).collect();
        let sum = |call: &submission::Model, of: fn(RefundState) -> bool| -> i64 {
            let of_it = refunds.iter().filter(|refund| refund.submission_id == call.id && of(refund.state));
            of_it.map(|refund| refund.amount).sum()
        };
        let mut second = 0;
        for call in self.submissions_of(order) {
            let back = sum(call, |state| state == RefundState::Refunded);
            let kept_back = sum(call, RefundState::is_open);
            let is_counted = call.id == order.submission_id;
            if is_counted {
                assert_eq!((order.refunded, order.refund_reserved), (back, kept_back), "{number}");
            }
            let is_second = !is_counted && order.paid > 0 && call.state == submission::State::Paid;
            second += i64::from(is_second);
            let expected = if is_second { (back, kept_back, call.amount) } else { (0, 0, 0) };
            let kept = (call.second_refunded, call.second_reserved, call.second_paid);
            assert_eq!(kept, expected, "{number}, {}", call.id);
            let paid = if is_counted { order.paid } else { call.second_paid };
            assert!(back + kept_back <= paid, "{number}, {}: {back} and {kept_back} of {paid}", call.id);
            assert_eq!(call.second_elsewhere, 0, "{number}: nobody refunds elsewhere");
            let waits = self.rows.waiting.iter().any(|matter| matter.subject_id == call.id);
            assert_eq!(waits, is_second && back < call.amount, "{number}, {}: a person's to decide", call.id);
        }
        assert_eq!(order.second_payments, second, "{number}");
        assert_eq!(order.refunded_elsewhere, 0, "{number}: nobody refunds elsewhere");
        for refund in refunds {
            let events =
                self.rows.events.iter().filter(|event| event.r#move.ends_with(&format!(":{}", refund.id)));
            let told: Vec<&str> = events.map(|event| event.kind.as_str()).collect();
            let expected: &[&str] = match refund.state {
                RefundState::Refunded => &["refund.succeeded"],
                RefundState::Failed => &["refund.failed"],
                _ => &[],
            };
            assert_eq!(told, expected, "{number}, {}", refund.refund_no);
        }
    }

    /// At the end: both sides' books of refunds are the same.
    fn refund_books(&self) {
        let made = |state: &str| state == sandbox::RefundState::Refunded.as_str();
        let upstream = self.upstream.iter().flat_map(|order| &order.refunds);
        let theirs: BTreeMap<&str, i64> = upstream
            .filter(|refund| made(refund.state.as_str()))
            .map(|refund| (refund.refund_no.as_str(), refund.amount))
            .collect();
        let refunds = self.rows.refunds.iter();
        let ours: BTreeMap<&str, i64> = refunds
            .filter(|refund| refund.state == RefundState::Refunded)
            .map(|refund| (refund.id.as_str(), refund.amount))
            .collect();
        assert_eq!(ours, theirs, "what went back is the same on both sides");
        assert!(self.rows.refunds.iter().all(|refund| !refund.state.is_open()), "no refund stays in doubt");
    }

    /// A refund that nobody knows the end of.
    pub fn has_open_refund(&self) -> bool {
        self.rows.refunds.iter().any(|refund| refund.state.is_open())
    }

    /// Placed once, placed again for each further call, and every payment beyond the first flagged.
    fn journal(&self, order: &order::Model, submissions: usize, paid: usize) {
        let entries: Vec<_> = self.rows.journal.iter().filter(|entry| entry.order_id == order.id).collect();
        let count = |kind: &str| entries.iter().filter(|entry| entry.kind == kind).count();
        assert_eq!((count("placed"), count("resubmitted") + 1), (1, submissions), "{}", order.number);
        let note =
            |entry: &journal::Model| serde_json::from_str::<Value>(&entry.note).expect("a note is JSON");
        let again = entries.iter().filter(|entry| note(entry)["paid_again"] == true).count();
        assert_eq!(again, paid.saturating_sub(1), "{}: second payments are flagged", order.number);
    }

    /// Only by moves of the table, and never away from money.
    fn moves(order: &order::Model, money: Option<(i64, String)>, promised: &mut Promised) {
        let now = order.status();
        let from = promised.stood.get(&order.id).map_or(OrderStatus::Submitting, |stood| stood.status);
        assert!(leads_to(from, now), "{}: from {} to {}", order.number, from.as_str(), now.as_str());
        if let Some(Stood { money: Some(before), .. }) = promised.stood.get(&order.id) {
            assert_eq!(Some(before), money.as_ref(), "{}: money stays", order.number);
        }
        promised.stood.insert(order.id.clone(), Stood { status: now, money });
    }

    /// What the upstream has was on record before, as it was asked; what we call paid is paid.
    fn calls(&self) {
        let rows: HashMap<&str, &submission::Model> =
            self.rows.submissions.iter().map(|submission| (submission.id.as_str(), submission)).collect();
        let upstream: HashMap<&str, &sandbox::Order> =
            self.upstream.iter().map(|order| (order.content.partner_order_no.as_str(), order)).collect();
        for submission in self.rows.submissions.iter().filter(|row| row.state == submission::State::Paid) {
            let order = upstream.get(submission.id.as_str());
            assert!(order.is_some_and(|order| was_paid(order)), "{} is called paid", submission.id);
        }
        let refunds: HashMap<&str, i64> =
            self.rows.refunds.iter().map(|refund| (refund.id.as_str(), refund.amount)).collect();
        for refund in self.upstream.iter().flat_map(|order| &order.refunds) {
            let kept = refunds.get(refund.refund_no.as_str());
            assert_eq!(kept, Some(&refund.amount), "{} was refunded and is not on record", refund.refund_no);
        }
        for refund in self.rows.refunds.iter().filter(|refund| refund.state == RefundState::Refunded) {
            let order = upstream.get(refund.submission_id.as_str());
            let made = order.and_then(|order| order.refunds.iter().find(|one| one.refund_no == refund.id));
            let state = made.map(|refund| refund.state);
            assert_eq!(state, Some(sandbox::RefundState::Refunded), "{} is called refunded", refund.id);
        }
        for (number, order) in upstream {
            let submission =
                rows.get(number).unwrap_or_else(|| panic!("{number} was placed and is not on record"));
            let asked = (order.content.amount, order.content.currency.as_str());
            assert_eq!((submission.amount, submission.currency.as_str()), asked, "{number}");
        }
    }

    /// One delivery for each event, with its attempts.
    fn deliveries(&self) {
        let paid = self.rows.events.iter().filter(|event| event.kind == "order.paid");
        assert_eq!(self.rows.deliveries.len(), paid.count(), "one delivery for each payment");
        let events: HashMap<&str, &event::Model> =
            self.rows.events.iter().map(|event| (event.id.as_str(), event)).collect();
        for delivery in &self.rows.deliveries {
            let event = events[delivery.event_id.as_str()];
            assert_eq!(event.kind, "order.paid", "a notifyUrl hears of nothing else");
            assert_eq!(
                (&delivery.subject_id, &delivery.merchant_id),
                (&event.subject_id, &event.merchant_id)
            );
            let attempts: Vec<_> =
                self.rows.attempts.iter().filter(|attempt| attempt.delivery_id == delivery.id).collect();
            assert!(
                attempts.len() >= usize::try_from(delivery.attempts).expect("few"),
                "no attempt goes unrecorded"
            );
            let arrived = attempts.iter().any(|attempt| attempt.outcome == "delivered");
            assert!(arrived || delivery.state != delivery::State::Delivered, "delivered by an attempt");
            let going_on = matches!(delivery.state, delivery::State::Due | delivery::State::Delivered);
            assert!(going_on, "{:?}: the schedule is long enough", delivery.state);
        }
    }

    /// A shop hears of its own orders, of each under one id that the store holds, of the money that came.
    fn messages(&self, Shop { merchant_id, keys, received }: &Shop) {
        for message in received {
            let number = &message.partner_order_no;
            let envelope = Envelope::read(&message.raw, Side::Response).expect("every message is one");
            // While keys rotate, with a version that the shop may not know yet, or no more.
            let is_signed = keys.iter().any(|key| envelope.verifies(key));
            assert!(
                is_signed,
                "signed with a key of the merchant's: {}",
                String::from_utf8_lossy(&message.raw)
            );
            assert_eq!((message.code, message.status), (Some(1), Some(1)), "{number}");
            let mine = |order: &&order::Model| order.merchant_id == *merchant_id && order.number == *number;
            let order = self
                .rows
                .orders
                .iter()
                .find(mine)
                .unwrap_or_else(|| panic!("{number} is not this merchant's"));
            assert!(order.status().has_money(), "{number}: told, and not paid");
            assert_eq!((message.amount, &message.currency), (Some(order.paid), &order.currency), "{number}");
            let id = envelope.header_text(&["respMsgId"]).expect("every message has one");
            let paid = |event: &&event::Model| event.subject_id == order.id && event.kind == "order.paid";
            let event = self.rows.events.iter().find(paid);
            assert_eq!(
                event.map(|event| event.id.as_str()),
                Some(&*id),
                "{number}: told under its event's id"
            );
        }
    }

    /// What was acknowledged or answered stays.
    fn promises(&self, promised: &Promised) {
        for number in &promised.taken {
            let submission = self.rows.submissions.iter().find(|submission| submission.id == *number);
            let state = submission.map(|submission| submission.state);
            assert_eq!(state, Some(submission::State::Paid), "{number}: its notice was acknowledged");
        }
        for who in &promised.told {
            let order = self.find(*who).unwrap_or_else(|| panic!("{who:?} is gone"));
            assert!(order.status().has_money(), "{who:?} was told to be paid");
        }
        for id in &promised.refunded {
            let refund = self.rows.refunds.iter().find(|refund| refund.id == *id);
            let state = refund.map(|refund| refund.state);
            assert_eq!(state, Some(RefundState::Refunded), "{id}: its merchant was told that it was made");
        }
        assert_eq!(
            self.rows.quarantine.len(),
            promised.held,
            "every fact that differed is held, and no other"
        );
    }

    /// Something is still to be delivered.
    pub fn is_open(&self) -> bool {
        self.rows.deliveries.iter().any(|delivery| delivery.state == delivery::State::Due)
    }

    fn find(&self, who: Who) -> Option<&order::Model> {
        let Shop { merchant_id, .. } = &self.shops[who.merchant];
        self.rows.orders.iter().find(|order| order.merchant_id == *merchant_id && order.number == who.name())
    }

    /// At the end: told is what was paid, for each merchant, no more and no less.
    pub fn settle_accounts(&self) {
        for (merchant, Shop { merchant_id, received, .. }) in self.shops.iter().enumerate() {
            let told: BTreeMap<&str, i64> = received
                .iter()
                .map(|message| (message.partner_order_no.as_str(), message.amount.expect("an amount")))
                .collect();
            let payments = || {
                self.upstream.iter().filter(|order| was_paid(order) && Who::of(order).merchant == merchant)
            };
            let paid: BTreeSet<String> = payments().map(|order| Who::of(order).name()).collect();
            let told_numbers: BTreeSet<String> = told.keys().map(ToString::to_string).collect();
            assert_eq!(told_numbers, paid, "merchant {merchant} was told of what was paid");

            // A second payment of an order is flagged and not told again.
            let orders = self.rows.orders.iter().filter(|order| order.merchant_id == *merchant_id);
            let flagged: i64 = orders.flat_map(|order| self.flagged(order)).sum();
            let total: i64 = payments().map(|order| order.content.amount).sum();
            assert_eq!(
                told.values().sum::<i64>() + flagged,
                total,
                "merchant {merchant}: money told is money paid"
            );
        }
        self.refund_books();
        let open =
            self.rows.deliveries.iter().filter(|delivery| delivery.state != delivery::State::Delivered);
        assert_eq!(open.count(), 0, "everything is delivered");
        let in_flight = self.rows.orders.iter().filter(|order| order.status() == OrderStatus::Submitting);
        assert_eq!(in_flight.count(), 0, "nothing is under way for ever");
    }

    /// Amounts of the payments of `order` beyond the one that was told.
    fn flagged(&self, order: &order::Model) -> Vec<i64> {
        let submissions = self.submissions_of(order).into_iter();
        let others =
            submissions.filter(|row| row.state == submission::State::Paid && row.id != order.submission_id);
        others.map(|row| row.amount).collect()
    }
}

/// The event says what is so.
fn told_as_it_is(event: &event::Model, order: &order::Model) {
    let content: Content = serde_json::from_str(&event.content).expect("an event's content is JSON");
    assert_eq!(
        (content.number, content.amount, content.currency),
        (order.number.clone(), order.paid, order.currency.clone())
    );
    assert_eq!(content.late, order.late);
}

/// Whether the moves of the table lead from one state to another.
fn leads_to(from: OrderStatus, to: OrderStatus) -> bool {
    let mut reached = vec![from];
    let mut place = 0;
    while let Some(status) = reached.get(place).copied() {
        place += 1;
        let next = OrderStatus::ALL.into_iter().filter(|next| status.may_become(*next));
        let new: Vec<_> = next.filter(|next| !reached.contains(next)).collect();
        reached.extend(new);
    }
    reached.contains(&to)
}
