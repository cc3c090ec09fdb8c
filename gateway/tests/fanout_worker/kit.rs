//! Endpoints of the shop's, and what is due to them, written as it would be.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;

use gateway::deliveries::promise::implicit_endpoint;
use gateway::directory::access::Mode;
use gateway::directory::change::Refresh;
use gateway::entity::event::Audience;
use gateway::entity::{delivery, endpoint, event};
use gateway::ledger::{RowStatement, insert_rows};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ActiveEnum, EntityTrait};
use serde_json::json;

use crate::harness::Stage;

/// Rows in one statement.
const AT_ONCE: usize = 500;

impl Stage {
    /// A registered endpoint of the merchant's at the shop, seen to by `tune`.
    pub async fn endpoint(&self, id: &str, tune: impl FnOnce(&mut endpoint::Model)) -> endpoint::Model {
        let (app, merchant) = (self.app(), self.merchant());
        let (url, now) = (self.shop().notify_url(), app.clock.now_ms());
        let mut row = endpoint::Model {
            id: id.to_owned(),
            kind: endpoint::Kind::Registered,
            mode: Some(Mode::Test),
            url: Some(url.clone()),
            proven_at: Some(now),
            first_proven_at: Some(now),
            heard_since: Some(now),
            ..implicit_endpoint(&merchant.platform_id, &merchant.id, &url, now)
        };
        tune(&mut row);
        self.write(vec![insert_rows::<endpoint::Entity>(std::slice::from_ref(&row))]).await;
        self.refresh(id).await;
        row
    }

    pub fn merchant(&self) -> std::sync::Arc<gateway::directory::Merchant> {
        self.app().directory.merchant_by_id(&self.merchant_id()).expect("the merchant is there")
    }

    async fn refresh(&self, id: &str) {
        let (app, what) = (self.app(), Refresh::Endpoint(id.to_owned()));
        app.directory.refresh(&app.store.read, &app.vault, &what).await.expect("it is loaded");
        app.deliveries.wake();
    }

    pub async fn set_status(&self, id: &str, status: endpoint::Status) {
        let update = Query::update()
            .table(endpoint::Entity)
            .value(endpoint::Column::Status, status.to_value())
            .and_where(Expr::col(endpoint::Column::Id).eq(id))
            .to_owned();
        self.write(vec![RowStatement::Update(update)]).await;
        self.refresh(id).await;
    }

    pub async fn set_held(&self, id: &str, held: bool) {
        let update = Query::update()
            .table(endpoint::Entity)
            .value(endpoint::Column::Held, held)
            .and_where(Expr::col(endpoint::Column::Id).eq(id))
            .to_owned();
        self.write(vec![RowStatement::Update(update)]).await;
        self.refresh(id).await;
    }

    pub async fn endpoint_row(&self, id: &str) -> endpoint::Model {
        let found = endpoint::Entity::find_by_id(id).one(&self.app().store.read).await;
        found.expect("the store is read").expect("it is there")
    }

    /// What is due to the endpoint since now: an event for each number, the first one longest.
    pub async fn due(&self, endpoint_id: &str, owner_id: &str, numbers: &[String]) {
        let first = self.app().clock.now_ms() - i64::try_from(numbers.len()).expect("few");
        let rows: Vec<_> = numbers
            .iter()
            .zip(first..)
            .map(|(number, due_at)| self.told(endpoint_id, owner_id, number, number, (1, due_at)))
            .collect();
        self.write_told(&rows).await;
    }

    /// With the endpoint that they go to, where it is none that was registered.
    pub async fn write_told(&self, rows: &[(event::Model, delivery::Model)]) {
        let ids: BTreeSet<&str> = rows.iter().map(|(_, delivery)| delivery.endpoint_id.as_str()).collect();
        let (merchant, now) = (self.merchant(), self.app().clock.now_ms());
        let endpoints: Vec<_> = ids
            .into_iter()
            .map(|id| endpoint::Model {
                id: id.to_owned(),
                origin: id.to_owned(),
                ..implicit_endpoint(&merchant.platform_id, &merchant.id, &self.shop().notify_url(), now)
            })
            .collect();
        let mut insert = insert_rows::<endpoint::Entity>(&endpoints);
        if let RowStatement::Insert(insert) = &mut insert {
            insert.on_conflict(OnConflict::new().do_nothing().to_owned());
        }
        self.write(vec![insert]).await;
        for rows in rows.chunks(AT_ONCE) {
            let events: Vec<_> = rows.iter().map(|(event, _)| event.clone()).collect();
            let deliveries: Vec<_> = rows.iter().map(|(_, delivery)| delivery.clone()).collect();
            self.write(vec![
                insert_rows::<event::Entity>(&events),
                insert_rows::<delivery::Entity>(&deliveries),
            ])
            .await;
        }
        self.app().deliveries.wake();
    }

    /// An `order.paid` of `number`, and the promise to bring it to the endpoint.
    pub fn told(
        &self,
        endpoint_id: &str,
        owner_id: &str,
        subject_id: &str,
        number: &str,
        (sequence, due_at): (i64, i64),
    ) -> (event::Model, delivery::Model) {
        let merchant = self.merchant();
        let event = event::Model {
            id: self.app().chance.id(),
            subject_id: subject_id.to_owned(),
            merchant_id: merchant.id.clone(),
            kind: "order.paid".to_owned(),
            r#move: format!("paid {sequence} {endpoint_id}"),
            sequence,
            content: json!({ "number": number, "amount": 2100, "currency": "HKD", "late": false })
                .to_string(),
            created_at: due_at,
            platform_id: merchant.platform_id.clone(),
            audience: Audience::All,
            position: 0,
        };
        let delivery = delivery::Model {
            id: self.app().chance.id(),
            event_id: event.id.clone(),
            endpoint_id: endpoint_id.to_owned(),
            owner_id: owner_id.to_owned(),
            platform_id: merchant.platform_id.clone(),
            merchant_id: merchant.id.clone(),
            subject_id: subject_id.to_owned(),
            kind: event.kind.clone(),
            sequence,
            replay_id: None,
            bulk: false,
            url: self.shop().notify_url(),
            state: delivery::State::Due,
            attempts: 0,
            outcome: None,
            due_at,
            lease: None,
            leased_until: None,
            sign_key_id: merchant.current_key().id.clone(),
            created_at: due_at,
            ended_at: None,
        };
        (event, delivery)
    }

    /// The numbers of what the shop was told of, in the order in which it came.
    pub fn heard(&self) -> Vec<String> {
        self.shop().received_now().into_iter().map(|notice| notice.partner_order_no).collect()
    }
}

/// `prefix0`, `prefix1`, …
pub fn numbers(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}
