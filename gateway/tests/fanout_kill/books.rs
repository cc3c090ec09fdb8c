//! What must be true when everything has come to rest: the store's rows and the receivers' logs against each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gateway::entity::{attempt, delivery, event, order};
use gateway::store::Store;
use sea_orm::EntityTrait;
use shared::envelope::{Envelope, Side};

use crate::harness::MERCHANT_KEY;
use crate::kit::verifying;
use crate::receiver::{Came, Entry, Manner, Receiver};

/// Everything that was told, by order and sequence.
pub type Told = BTreeMap<String, BTreeMap<i64, event::Model>>;

/// Each order was told of three times, in its sequence: paid, and given back in two parts.
pub async fn every_event_is_on_record(store: &Store, placed: &[String]) -> Told {
    let orders = order::Entity::find().all(&store.read).await.expect("the store is read");
    let number_of: HashMap<String, String> =
        orders.into_iter().map(|order| (order.id, order.number)).collect();
    let mut told = Told::new();
    for event in event::Entity::find().all(&store.read).await.expect("the store is read") {
        let of_order = told.entry(number_of[&event.subject_id].clone()).or_default();
        let before = of_order.insert(event.sequence, event);
        assert!(before.is_none(), "one event for each place of a sequence: {before:?}");
    }
    for (number, events) in &told {
        let told: Vec<(i64, &str)> = events.iter().map(|(place, event)| (*place, &*event.kind)).collect();
        assert_eq!(told, [(1, "order.paid"), (2, "refund.succeeded"), (3, "refund.succeeded")], "{number}");
    }
    let numbers: BTreeSet<&String> = told.keys().collect();
    assert_eq!(numbers, placed.iter().collect(), "every order was told of");
    assert!(placed.len() > 20, "there was load: {}", placed.len());
    told
}

fn wanted<'a>(receiver: &'a Receiver, told: &'a Told) -> impl Iterator<Item = &'a event::Model> {
    told.values().flat_map(BTreeMap::values).filter(|event| receiver.hears.contains(&&*event.kind))
}

/// All that a receiver should hear it has acknowledged, and it heard nothing else.
pub fn everything_was_acknowledged(receiver: &Receiver, told: &Told) {
    let log = receiver.log();
    let acknowledged = log.entries.iter().filter_map(|entry| match entry {
        Entry::Acknowledged(came) => Some(log.came[*came].event_id.as_str()),
        Entry::Came(_) => None,
    });
    let acknowledged: BTreeSet<&str> = acknowledged.collect();
    let wanted: BTreeSet<&str> = wanted(receiver, told).map(|event| event.id.as_str()).collect();
    let untold: Vec<_> = wanted.difference(&acknowledged).collect();
    assert!(untold.is_empty(), "{}: never acknowledged {untold:?}", receiver.name);
    let came: BTreeSet<&str> = log.came.iter().map(|came| came.event_id.as_str()).collect();
    let foreign: Vec<_> = came.difference(&wanted).collect();
    assert!(foreign.is_empty(), "{}: not for it {foreign:?}", receiver.name);
}

/// However often it came, an event had one id and one content, and was signed for its receiver.
pub fn each_event_is_one_message(receiver: &Receiver, told: &Told) {
    let events: HashMap<&str, (&String, &event::Model)> = told
        .iter()
        .flat_map(|(number, events)| events.values().map(move |event| (&*event.id, (number, event))))
        .collect();
    let log = receiver.log();
    let mut contents: HashMap<&str, String> = HashMap::new();
    for came in &log.came {
        let (number, event) = events[came.event_id.as_str()];
        assert_eq!((&came.number, &came.kind), (number, &event.kind), "{}", receiver.name);
        let content = content(receiver, came);
        let first = contents.entry(&came.event_id).or_insert_with(|| content.clone());
        assert_eq!(*first, content, "{}: {number}", receiver.name);
    }
}

/// What a message says besides when it was said; its signature is good.
fn content(receiver: &Receiver, came: &Came) -> String {
    if let Some(registered) = receiver.registered.get() {
        assert_eq!(came.heard.header("webhook-id"), came.event_id, "{}", receiver.name);
        assert_eq!(verifying(&came.heard, &registered.secret), 1, "{}", receiver.name);
        return String::from_utf8(came.heard.body.to_vec()).expect("text");
    }
    let envelope = Envelope::read(&came.heard.body, Side::Response).expect("an envelope");
    assert!(envelope.verifies(MERCHANT_KEY), "{}", receiver.name);
    came.heard.json()["response"]["body"].to_string()
}

/// Nothing of an order came before what is in front of it was acknowledged, nor anything after what is behind it.
pub fn sequence_was_kept(receiver: &Receiver, told: &Told) {
    let log = receiver.log();
    let mut acknowledged: BTreeSet<&str> = BTreeSet::new();
    let mut furthest: HashMap<&str, i64> = HashMap::new();
    for entry in &log.entries {
        let came = match entry {
            Entry::Acknowledged(came) => {
                acknowledged.insert(&log.came[*came].event_id);
                continue;
            }
            Entry::Came(came) => &log.came[*came],
        };
        let events = &told[&came.number];
        let (place, _) = events.iter().find(|(_, event)| event.id == came.event_id).expect("it was told");
        for (_, earlier) in events.range(..place).filter(|(_, event)| receiver.hears.contains(&&*event.kind))
        {
            assert!(
                acknowledged.contains(&*earlier.id),
                "{}: of {} came {place} before {} was acknowledged",
                receiver.name,
                came.number,
                earlier.sequence
            );
        }
        let furthest = furthest.entry(&came.number).or_insert(*place);
        assert!(*place >= *furthest, "{}: of {} came {place} again", receiver.name, came.number);
        *furthest = *place;
    }
}

/// Each promise was kept once as the store has it, and the store claims nothing that a receiver does not know of.
pub async fn records_are_the_receivers_own(store: &Store, receivers: &[Receiver]) {
    let deliveries = delivery::Entity::find().all(&store.read).await.expect("the store is read");
    let attempts = attempt::Entity::find().all(&store.read).await.expect("the store is read");
    let mut of_delivery: HashMap<&str, Vec<&attempt::Model>> = HashMap::new();
    for attempt in &attempts {
        of_delivery.entry(&attempt.delivery_id).or_default().push(attempt);
    }
    let by_id: HashMap<&str, &Receiver> = receivers
        .iter()
        .filter_map(|receiver| Some((receiver.registered.get()?.id.as_str(), receiver)))
        .collect();
    let mut promised = BTreeSet::new();
    for delivery in &deliveries {
        let receiver = by_id.get(delivery.endpoint_id.as_str()).copied().unwrap_or(&receivers[0]);
        let is_first = promised.insert((receiver.name, delivery.event_id.as_str()));
        assert!(is_first, "{}: {} was promised twice", receiver.name, delivery.event_id);
        assert_eq!(delivery.state, delivery::State::Delivered);
        let attempts = of_delivery.get(delivery.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let answered = attempts.iter().filter(|attempt| attempt.http_status.is_some()).count();
        let delivered = attempts.iter().filter(|attempt| attempt.outcome == "delivered").count();
        let (came, acknowledged) = counts(receiver, &delivery.event_id);
        assert!(delivered >= 1, "{}: no attempt is on record that was acknowledged", delivery.id);
        assert!(
            delivered <= acknowledged && answered <= came && attempts.len() >= delivered,
            "{}: {delivered} of {answered} answers on record acknowledged {}, and of {came} requests {acknowledged} were",
            receiver.name,
            delivery.event_id
        );
    }
    let heard: usize = receivers.iter().map(|receiver| receiver.log().came.len()).sum();
    assert!(heard > deliveries.len(), "something came again");
}

/// How often an event came, and was acknowledged.
fn counts(receiver: &Receiver, event_id: &str) -> (usize, usize) {
    let log = receiver.log();
    let is_it = |came: usize| log.came[came].event_id == event_id;
    log.entries.iter().fold((0, 0), |(came, acknowledged), entry| match entry {
        Entry::Came(at) => (came + usize::from(is_it(*at)), acknowledged),
        Entry::Acknowledged(at) => (came, acknowledged + usize::from(is_it(*at))),
    })
}

/// Every bad manner was met with.
pub fn everything_went_wrong(receivers: &[Receiver]) {
    for manner in Manner::ALL {
        let met: usize =
            receivers.iter().map(|receiver| receiver.log().manners.get(&manner).copied().unwrap_or(0)).sum();
        assert!(met > 0, "{manner:?} never happened");
    }
}
