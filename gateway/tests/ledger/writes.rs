//! Writes to hand to a ledger, and how many rows of what then stand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gateway::chance::Chance;
use gateway::deliveries::promise::implicit_endpoint;
use gateway::entity::{attempt, delivery, event, journal, order, submission};
use gateway::ledger::{
    Changes, Claim, Current, DeliveryMove, LedgerError, NewOrder, Placement, Promise, RowStatement, Seen,
    Target, Told,
};
use sea_orm::{EntityTrait, PaginatorTrait, QueryOrder};
use shared::order::OrderStatus;

use crate::kit::{NOW, Rig};

/// How many rows a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub orders: u64,
    pub submissions: u64,
    pub journal: u64,
    pub events: u64,
    pub deliveries: u64,
    pub attempts: u64,
}

impl Rig {
    pub async fn tally(&self) -> Tally {
        async fn count<E: EntityTrait<Model: Sync>>(rig: &Rig) -> u64 {
            E::find().count(&rig.store.read).await.expect("the store is read")
        }
        Tally {
            orders: count::<order::Entity>(self).await,
            submissions: count::<submission::Entity>(self).await,
            journal: count::<journal::Entity>(self).await,
            events: count::<event::Entity>(self).await,
            deliveries: count::<delivery::Entity>(self).await,
            attempts: count::<attempt::Entity>(self).await,
        }
    }

    /// The merchant's numbers of all orders, sorted.
    pub async fn numbers(&self) -> Vec<String> {
        let orders = order::Entity::find().order_by_asc(order::Column::Number).all(&self.store.read).await;
        orders.expect("the store is read").into_iter().map(|order| order.number).collect()
    }

    pub async fn standing(&self, order_id: &str) -> Option<order::Model> {
        order::Entity::by_id_across_tenants(order_id).one(&self.store.read).await.expect("the store is read")
    }

    pub async fn events(&self) -> Vec<event::Model> {
        event::Entity::find()
            .order_by_asc(event::Column::Id)
            .all(&self.store.read)
            .await
            .expect("the store is read")
    }

    pub async fn delivery(&self, id: &str) -> delivery::Model {
        let found = delivery::Entity::find_by_id(id).one(&self.store.read).await.expect("the store is read");
        found.unwrap_or_else(|| panic!("no delivery {id}"))
    }

    pub fn order(&self, number: impl Into<String>) -> NewOrder {
        let (id, submission_id) = (self.chance.id(), self.chance.id());
        let order = order::Model {
            id: id.clone(),
            platform_id: "platform".into(),
            merchant_id: "merchant".into(),
            store_id: "store".into(),
            number: number.into(),
            product: "qrcode".into(),
            wallet: Some("Alipay".into()),
            currency: "HKD".into(),
            amount: 2100,
            title: Some("Consume".into()),
            notify_url: Some("https://shop.example/notify".into()),
            return_url: None,
            content_hash: vec![7; 32],
            status: "submitting".into(),
            late: false,
            paid: 0,
            refund_reserved: 0,
            refunded: 0,
            submission_id: submission_id.clone(),
            submissions: 1,
            answer_due_at: NOW + 20_000,
            pay_url: None,
            answer_extra: None,
            code: None,
            upstream_order_no: None,
            paid_wallet: None,
            buyer: None,
            buyer_id: None,
            pay_time: None,
            sign_key_id: "key".into(),
            events: 0,
            created_at: NOW,
            updated_at: NOW,
            expires_at: NOW + 86_400_000,
            look_at: None,
            looks: 0,
            reference: None,
            paid_twice: false,
            refunded_elsewhere: 0,
            notice_due_at: None,
            second_payments: 0,
        };
        let submission = submission::Model {
            id: submission_id.clone(),
            order_id: id.clone(),
            account_id: "account".into(),
            partner_no: "90001".into(),
            upstream_store_no: "900010000000002".into(),
            product: "qrcode".into(),
            wallet: Some("Alipay".into()),
            currency: "HKD".into(),
            amount: 2100,
            notify_hash: vec![1; 32],
            return_hash: vec![2; 32],
            account_key_id: "key".into(),
            state: submission::State::Sent,
            created_at: NOW,
            answer_due_at: NOW + 20_000,
            answered_at: None,
            code: None,
            pay_url: None,
            upstream_order_no: None,
            missed_at: None,
            own_number: None,
            imported_at: None,
            second_paid: 0,
            second_reserved: 0,
            second_refunded: 0,
            second_elsewhere: 0,
            second_pay_time: None,
        };
        let journal = entry(self.chance.id(), &id, "placed");
        NewOrder { order, submission, journal }
    }

    fn target(&self, of: &NewOrder) -> Target {
        Target {
            order_id: of.order.id.clone(),
            submission_id: Some(of.submission.id.clone()),
            digest: None,
            key: self.chance.id(),
            seen: None,
            refunds: false,
        }
    }

    /// The order was paid: moves it, tells of it once and promises the event under a lease of `node`. Yields the
    /// event's id, or nothing where the order was paid before.
    pub fn pay(
        &self,
        of: &NewOrder,
        decisions: &Arc<AtomicUsize>,
    ) -> (Target, impl FnMut(&Current<'_>) -> (Changes, Option<String>) + Send + Sync + 'static) {
        let target = self.target(of);
        let (key, chance, decisions) = (target.key.clone(), self.chance.clone(), decisions.clone());
        let decide = move |current: &Current<'_>| {
            decisions.fetch_add(1, Ordering::SeqCst);
            let journal = vec![entry(key.clone(), &current.order.id, "notice")];
            if current.order.status().has_money() {
                return (Changes { journal, ..Changes::default() }, None);
            }
            let order = order::Model {
                status: "paid".into(),
                paid: current.order.amount,
                events: current.order.events + 1,
                ..current.order.clone()
            };
            let submission = current
                .submission
                .map(|submission| submission::Model { state: submission::State::Paid, ..submission.clone() });
            let told = told(&order, &chance);
            let event_id = told.event.id.clone();
            let changes =
                Changes { order: Some(order), submission, journal, told: vec![told], ..Changes::default() };
            (changes, Some(event_id))
        };
        (target, decide)
    }

    /// The upstream's answer to the call made with `of`, by who wrote these rows a moment ago. Yields the status and
    /// the latest submission it was decided on.
    pub fn open(
        &self,
        of: &NewOrder,
        decisions: &Arc<AtomicUsize>,
    ) -> (Target, impl FnMut(&Current<'_>) -> (Changes, (String, String)) + Send + Sync + 'static) {
        let seen = Seen { order: of.order.clone(), submission: of.submission.clone() };
        let target = Target { seen: Some(Arc::new(seen)), ..self.target(of) };
        let (key, decisions) = (target.key.clone(), decisions.clone());
        let decide = move |current: &Current<'_>| {
            decisions.fetch_add(1, Ordering::SeqCst);
            let mut order = current.order.clone();
            if order.status().may_become(OrderStatus::Awaiting) {
                OrderStatus::Awaiting.as_str().clone_into(&mut order.status);
            }
            let journal = vec![entry(key.clone(), &order.id, "answer")];
            let decided_on = (current.order.status.clone(), current.order.submission_id.clone());
            (Changes { order: Some(order), journal, ..Changes::default() }, decided_on)
        };
        (target, decide)
    }

    /// Count one more event of the order. Yields how many there were before.
    pub fn count(
        &self,
        of: &NewOrder,
    ) -> (Target, impl FnMut(&Current<'_>) -> (Changes, i64) + Send + Sync + 'static) {
        self.alter(of, |order| order.events += 1)
    }

    /// Change the order in some way. Yields how many events it had before.
    pub fn alter(
        &self,
        of: &NewOrder,
        alter: impl Fn(&mut order::Model) + Send + Sync + 'static,
    ) -> (Target, impl FnMut(&Current<'_>) -> (Changes, i64) + Send + Sync + 'static) {
        let target = self.target(of);
        let key = target.key.clone();
        let decide = move |current: &Current<'_>| {
            let mut order = current.order.clone();
            alter(&mut order);
            let journal = vec![entry(key.clone(), &order.id, "altered")];
            (Changes { order: Some(order), journal, ..Changes::default() }, current.order.events)
        };
        (target, decide)
    }

    /// A delivery that is due and that nobody holds.
    pub fn due(&self) -> delivery::Model {
        delivery::Model {
            id: self.chance.id(),
            event_id: self.chance.id(),
            endpoint_id: "endpoint".into(),
            owner_id: "merchant".into(),
            platform_id: "platform".into(),
            merchant_id: "merchant".into(),
            subject_id: self.chance.id(),
            kind: "order.paid".into(),
            sequence: 1,
            replay_id: None,
            bulk: false,
            url: "https://shop.example/notify".into(),
            state: delivery::State::Due,
            attempts: 0,
            outcome: None,
            due_at: NOW,
            lease: None,
            leased_until: None,
            sign_key_id: "key".into(),
            created_at: NOW,
            ended_at: None,
        }
    }

    /// An attempt under `lease` that failed; the delivery is due again in an hour.
    pub fn failed_attempt(&self, delivery_id: &str, lease: &str) -> DeliveryMove {
        DeliveryMove {
            delivery_id: delivery_id.to_owned(),
            lease: lease.to_owned(),
            outcome: Some("refused".into()),
            is_superseded_by_paid: false,
            attempt: Some(attempt::Model {
                id: self.chance.id(),
                delivery_id: delivery_id.to_owned(),
                started_at: NOW,
                duration_ms: 12,
                outcome: "status".into(),
                http_status: Some(500),
                excerpt: None,
                sign_key_id: "key".into(),
            }),
            state: delivery::State::Due,
            attempts: 1,
            due_at: NOW + 3_600_000,
            ended_at: None,
            sign_key_id: "key".into(),
        }
    }
}

/// Of the endpoint that everything here is due to.
pub fn claim(lease: &str) -> Claim {
    claim_of(lease, &[("endpoint", 100)])
}

/// Of these endpoints, so many at most.
pub fn claim_of(lease: &str, shares: &[(&str, u32)]) -> Claim {
    let shares = shares.iter().map(|(endpoint, most)| ((*endpoint).to_owned(), *most)).collect();
    Claim { lease: lease.into(), now: NOW, lease_ms: 60_000, shares }
}

pub fn insert<E>(rows: &[E::Model]) -> Vec<RowStatement>
where
    E: EntityTrait,
    E::Model: sea_orm::ModelTrait<Entity = E>,
{
    vec![gateway::ledger::insert_rows::<E>(rows)]
}

pub fn is_new(placement: &Result<Placement, LedgerError>) -> bool {
    matches!(placement, Ok(Placement::New))
}

fn entry(id: String, order_id: &str, kind: &str) -> journal::Model {
    journal::Model {
        id,
        order_id: order_id.into(),
        submission_id: None,
        at: NOW,
        kind: kind.into(),
        note: "{}".into(),
        raw: None,
        digest: None,
    }
}

fn told(order: &order::Model, chance: &Chance) -> Told {
    let event = event::Model {
        id: chance.id(),
        subject_id: order.id.clone(),
        merchant_id: order.merchant_id.clone(),
        kind: "order.paid".into(),
        r#move: "paid".into(),
        sequence: order.events,
        content: "{}".into(),
        created_at: NOW,
        platform_id: order.platform_id.clone(),
        audience: event::Audience::All,
        position: 0,
    };
    let url = "https://shop.example/notify";
    let endpoint = implicit_endpoint(&order.platform_id, &order.merchant_id, url, NOW);
    let delivery = delivery::Model {
        id: chance.id(),
        event_id: event.id.clone(),
        endpoint_id: endpoint.id.clone(),
        owner_id: order.merchant_id.clone(),
        platform_id: order.platform_id.clone(),
        merchant_id: order.merchant_id.clone(),
        subject_id: order.id.clone(),
        kind: event.kind.clone(),
        sequence: event.sequence,
        replay_id: None,
        bulk: false,
        url: "https://shop.example/notify".into(),
        state: delivery::State::Due,
        attempts: 0,
        outcome: None,
        due_at: NOW,
        lease: Some("node".into()),
        leased_until: Some(60_000),
        sign_key_id: "key".into(),
        created_at: NOW,
        ended_at: None,
    };
    Told { event, promises: vec![Promise { delivery, implicit: Some(endpoint) }] }
}
