//! What stands in the store, read as it is.

use gateway::entity::{attempt, delivery, event, journal, order, quarantine, submission};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::Stage;

impl Stage {
    pub async fn row(&self, number: &str) -> order::Model {
        let found =
            order::Entity::find().filter(order::Column::Number.eq(number)).one(&self.app().store.read).await;
        found.expect("the store is read").unwrap_or_else(|| panic!("no order {number}"))
    }

    pub async fn rows(&self) -> Vec<order::Model> {
        order::Entity::find()
            .order_by_asc(order::Column::Id)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }

    /// Oldest first.
    pub async fn submissions(&self, order_id: &str) -> Vec<submission::Model> {
        submission::Entity::find()
            .filter(submission::Column::OrderId.eq(order_id))
            .order_by_asc(submission::Column::Id)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }

    pub async fn journal(&self, order_id: &str) -> Vec<journal::Model> {
        journal::Entity::find()
            .filter(journal::Column::OrderId.eq(order_id))
            .order_by_asc(journal::Column::Id)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }

    pub async fn journal_kinds(&self, order_id: &str) -> Vec<String> {
        self.journal(order_id).await.into_iter().map(|entry| entry.kind).collect()
    }

    /// That the order is as it was, but for how often it was told of and what waits for a person.
    pub async fn stands(&self, number: &str, as_it_was: &order::Model, why: &str) {
        let now = self.row(number).await;
        let told = order::Model {
            events: now.events,
            paid_twice: now.paid_twice,
            second_payments: now.second_payments,
            updated_at: now.updated_at,
            ..as_it_was.clone()
        };
        assert_eq!(now, told, "{why}");
    }

    /// Everything that is told of an order, in its sequence.
    pub async fn events(&self, order_id: &str) -> Vec<event::Model> {
        event::Entity::find()
            .filter(event::Column::SubjectId.eq(order_id))
            .order_by_asc(event::Column::Sequence)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }

    /// That it was paid, as it is told.
    pub async fn paid_events(&self, order_id: &str) -> Vec<event::Model> {
        let mut events = self.events(order_id).await;
        events.retain(|event| event.kind == "order.paid");
        events
    }

    pub async fn deliveries(&self, order_id: &str) -> Vec<delivery::Model> {
        delivery::Entity::find()
            .filter(delivery::Column::SubjectId.eq(order_id))
            .order_by_asc(delivery::Column::Id)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }

    pub async fn attempts(&self, delivery_id: &str) -> Vec<attempt::Model> {
        attempt::Entity::find()
            .filter(attempt::Column::DeliveryId.eq(delivery_id))
            .order_by_asc(attempt::Column::Id)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }

    pub async fn held(&self) -> Vec<quarantine::Model> {
        quarantine::Entity::find()
            .order_by_asc(quarantine::Column::Id)
            .all(&self.app().store.read)
            .await
            .expect("the store is read")
    }
}
