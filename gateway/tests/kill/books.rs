//! What must be true when everything has come to rest: the sandbox's orders, the store's rows and the shop's
//! messages against each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::PoisonError;

use futures_util::{StreamExt, stream};
use gateway::entity::{event, order, submission};
use gateway::store::Store;
use sandbox::shop::{Payment, Received};
use sandbox::{Control, PaymentState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use shared::envelope::{Envelope, Side};

use crate::load::Load;

/// Requests made at a time.
const AT_A_TIME: usize = 8;

/// What payers paid: number to amount. Nobody paid twice.
pub fn paid(upstream: &Control) -> BTreeMap<String, i64> {
    let mut paid = BTreeMap::new();
    for order in upstream.orders().into_iter().filter(|order| order.state == PaymentState::Paid) {
        let number = order.content.title.expect("every order has one");
        let before = paid.insert(number.clone(), order.content.amount);
        assert!(before.is_none(), "{number} was offered to its payer twice and paid twice");
    }
    paid
}

/// Every notice of a payment was answered with `success`.
pub fn all_acknowledged(upstream: &Control) -> bool {
    upstream.orders().iter().all(|order| order.state != PaymentState::Paid || order.acknowledged)
}

pub fn untold(paid: &BTreeMap<String, i64>, told: &[Payment]) -> Vec<String> {
    let told: BTreeSet<&str> = told.iter().map(|payment| payment.partner_order_no.as_str()).collect();
    paid.keys().filter(|number| !told.contains(number.as_str())).cloned().collect()
}

/// Every create that was answered with code 1 is there: the same create gets the same answer, other content is
/// another order's, and the query knows it.
pub async fn every_acknowledged_order_is_there(load: &Load, paid: &BTreeMap<String, i64>) {
    let told = std::mem::take(&mut *load.told.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(told.len() > 100, "there was load: {}", told.len());
    stream::iter(&told)
        .for_each_concurrent(AT_A_TIME, |(number, told)| async move {
            let again = load.create(&told.body).await.expect("the gateway answers");
            assert_eq!(again.code, 1, "{number}: {}", again.body);
            assert_eq!(again.pay_url(), told.pay_url, "{number}");
            assert_eq!(again.body["orderNo"], told.order_no.as_str(), "{number}");
            let mut dearer = told.body.clone();
            dearer["orderAmount"] = (told.body["orderAmount"].as_i64().expect("a number") + 1).into();
            assert_eq!(load.create(&dearer).await.expect("the gateway answers").code, 31, "{number}");
            let state = load.query(number).await.expect("the gateway answers");
            assert_eq!(state.code, 1, "{number}: {}", state.body);
            assert_eq!(state.body["status"], i64::from(paid.contains_key(number)), "{number}");
            assert_eq!(state.body["orderAmount"], told.body["orderAmount"], "{number}");
        })
        .await;
}

/// The shop was told of what was paid, all of it and nothing else, each under one id, and nothing that the store
/// does not know of.
pub async fn what_was_told_is_what_was_paid(
    store: &Store,
    received: &[Received],
    paid: &BTreeMap<String, i64>,
) {
    let orders = order::Entity::find().all(&store.read).await.expect("the store is read");
    let events: Vec<event::Model> = event::Entity::find()
        .filter(event::Column::Kind.eq("order.paid"))
        .all(&store.read)
        .await
        .expect("the store is read");
    let number_of: HashMap<&str, &str> =
        orders.iter().map(|order| (order.id.as_str(), order.number.as_str())).collect();
    let event_of: BTreeMap<&str, &str> =
        events.iter().map(|event| (number_of[event.subject_id.as_str()], event.id.as_str())).collect();
    assert_eq!(event_of.len(), events.len(), "one event for each order");

    let in_store: BTreeMap<String, i64> = orders
        .iter()
        .filter(|order| order.paid > 0)
        .map(|order| (order.number.clone(), order.paid))
        .collect();
    assert_eq!(in_store, *paid, "the store knows of what was paid");

    let mut told = BTreeMap::new();
    for message in received {
        let number = message.partner_order_no.as_str();
        assert!(message.verified, "signed with the shop's key: {}", String::from_utf8_lossy(&message.raw));
        assert_eq!((message.code, message.status), (Some(1), Some(1)), "{number}");
        let envelope = Envelope::read(&message.raw, Side::Response).expect("it verified");
        let id = envelope.header_text(&["respMsgId"]).expect("every message has one");
        assert_eq!(
            event_of.get(number).copied(),
            Some(&*id),
            "{number} was told under an id that the store does not hold"
        );
        told.insert(number.to_owned(), message.amount.expect("an amount"));
    }
    assert_eq!(told, *paid, "the shop knows of what was paid");
}

/// Nothing was asked of the upstream that was not on record first.
pub async fn every_call_was_on_record(store: &Store, upstream: &Control) {
    let submissions = submission::Entity::find().all(&store.read).await.expect("the store is read");
    let on_record: BTreeSet<(String, i64)> =
        submissions.into_iter().map(|row| (row.id, row.amount)).collect();
    for order in upstream.orders() {
        let call = (order.content.partner_order_no, order.content.amount);
        assert!(on_record.contains(&call), "{call:?} was placed and is not on record");
    }
}
