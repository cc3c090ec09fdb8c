//! What operators do about refunds.

use std::net::SocketAddr;

use bytes::Bytes;
use gateway::directory::acts::Actor;
use gateway::directory::operators::{NewOperator, Role, add};
use gateway::entity::operator_act;
use gateway::entity::refund::State;
use gateway::{api, lifecycle};
use http::Method;
use sandbox::{Fault, Operation};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::people::OTHER_PLATFORM;
use crate::harness::web::{Reply, exchange};
use crate::harness::{PLATFORM, Stage};
use crate::on_both;

const PASSWORD: &str = "correct horse battery";

/// The operators' listener of the stage's gateway.
pub struct Ops {
    address: SocketAddr,
    _stop: DropGuard,
}

/// Somebody who is logged in.
pub struct Person(String);

impl Ops {
    pub async fn of(stage: &Stage) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, stop) = (listener.local_addr().expect("an address"), CancellationToken::new());
        let settings = lifecycle::Settings::from(&stage.app().config.server);
        tokio::spawn(lifecycle::serve(listener, api::operators(stage.app()), settings, stop.clone()));
        Self { address, _stop: stop.drop_guard() }
    }

    pub async fn person(&self, stage: &Stage, name: &str, role: Role, platform: Option<&str>) -> Person {
        let platform = platform.map(str::to_owned);
        let new = NewOperator { name: name.to_owned(), password: PASSWORD.to_owned(), role, platform };
        add(stage.app(), new, &Actor::Command).await.expect("added");
        let login = json!({ "name": name, "password": PASSWORD });
        let reply = self.call(Method::POST, "/login", None, login).await;
        Person(reply.json()["token"].as_str().expect("a token").to_owned())
    }

    async fn call(&self, method: Method, path: &str, person: Option<&Person>, body: Value) -> Reply {
        let bearer = person.map(|Person(token)| format!("Bearer {token}"));
        let mut headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        if !body.is_empty() {
            headers.push(("content-type", "application/json"));
        }
        exchange(method, &format!("http://{}/ops/v1{path}", self.address), &headers, body).await
    }

    pub async fn post(&self, person: &Person, path: &str, body: Value) -> (u16, Value) {
        let reply = self.call(Method::POST, path, Some(person), body).await;
        (reply.status, reply.json())
    }
}

fn code(reply: &(u16, Value)) -> (u16, &str) {
    (reply.0, reply.1["code"].as_str().unwrap_or_default())
}

async fn logged(stage: &Stage) -> Vec<String> {
    let acts = operator_act::Entity::find().all(&stage.app().store.read).await.expect("the store is read");
    acts.into_iter().filter(|act| act.action.starts_with("refund.")).map(|act| act.action).collect()
}

on_both!(
    more_than_one_operator_may_refund_alone_takes_a_second_one,
    [("orders.refund_second_operator_above", "[\"1000 HKD\"]")],
    async |stage: &mut Stage| {
        let ops = Ops::of(stage).await;
        let anna = ops.person(stage, "anna", Role::Operator, None).await;
        let ben = ops.person(stage, "ben", Role::Admin, Some(PLATFORM)).await;
        stage.pay_one_order("p1").await;
        let order = stage.row("p1").await;
        let refunds = format!("/orders/{}/refunds", order.id);
        let ask =
            |amount: i64| json!({ "amount": amount, "reason": "cold cup", "refundNo": format!("o{amount}") });

        let (status, alone) = ops.post(&anna, &refunds, ask(600)).await;
        assert_eq!(
            (status, &alone["state"], &alone["askedBy"]),
            (200, &json!("refunded"), &json!("operator:anna"))
        );
        // Small refunds of one order count together.
        let (status, proposed) = ops.post(&anna, &refunds, ask(500)).await;
        assert_eq!((status, &proposed["state"]), (200, &json!("proposed")), "{proposed}");
        assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 600, 0), "nothing is reserved");
        let id = proposed["id"].as_str().expect("an id").to_owned();
        assert_eq!(stage.waiting().await, [("refund.proposed".to_owned(), id.clone())]);
        let approve = format!("/refunds/{id}/approve");
        let own = ops.post(&anna, &approve, json!({})).await;
        assert_eq!(code(&own), (409, "own_refund"));
        let (status, approved) = ops.post(&ben, &approve, json!({})).await;
        assert_eq!((status, &approved["state"]), (200, &json!("refunded")), "{approved}");
        assert_eq!(approved["approvedBy"], "operator:ben");
        assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 1100, 0));
        assert_eq!(stage.waiting().await, []);
        assert_eq!(code(&ops.post(&ben, &approve, json!({})).await), (409, "refund_not_waiting"));
        assert_eq!(stage.refund_calls(), 2);

        let (_, proposed) = ops.post(&ben, &refunds, ask(1000)).await;
        let id = proposed["id"].as_str().expect("an id").to_owned();
        let declined = ops.post(&anna, &format!("/refunds/{id}/decline"), json!({ "reason": "no" })).await;
        assert_eq!((declined.0, &declined.1["state"]), (200, &json!("declined")), "{}", declined.1);
        assert_eq!((stage.waiting().await, stage.refund_calls()), (Vec::new(), 2));

        let notes = stage.notes("p1", "refund_asked").await;
        assert_eq!((&notes[0]["by"], &notes[0]["reason"]), (&json!("operator:anna"), &json!("cold cup")));
        assert_eq!(
            (&notes[1]["by"], &notes[1]["decidedBy"]),
            (&json!("operator:anna"), &json!("operator:ben"))
        );
        assert_eq!(stage.notes("p1", "refund_declined").await[0]["decidedBy"], "operator:anna");
        let acts = logged(stage).await;
        for act in ["refund.asked", "refund.approved", "refund.declined"] {
            assert!(acts.iter().any(|logged| logged == act), "{act} in {acts:?}");
        }
        // A merchant does not learn who of the staff it was.
        let timeline = format!("/v1/orders/p1/timeline?merchant={}", stage.merchant_id());
        let timeline = stage.get(&timeline).await;
        assert!(!timeline.text().contains("anna") && timeline.text().contains("refund_asked"));
    }
);

on_both!(a_proposal_that_came_too_late_is_refused_when_it_is_approved, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    let anna = ops.person(stage, "anna", Role::Operator, None).await;
    stage.pay_one_order("p1").await;
    let order = stage.row("p1").await;
    let refunds = format!("/orders/{}/refunds", order.id);
    let (status, made) = ops.post(&anna, &refunds, json!({ "amount": 2000, "reason": "cold" })).await;
    assert_eq!((status, &made["state"]), (200, &json!("refunded")), "no bound, no second operator: {made}");
    let more = ops.post(&anna, &refunds, json!({ "amount": 101, "reason": "cold" })).await;
    assert_eq!(code(&more), (409, "more_than_refundable"));
    let unreasoned = ops.post(&anna, &refunds, json!({ "amount": 1 })).await;
    assert_eq!(unreasoned.0, 422, "{}", unreasoned.1);
});

on_both!(
    nobody_refunds_without_the_role_or_outside_of_the_scope,
    [("orders.refund_second_operator_above", "[\"0 HKD\"]")],
    async |stage: &mut Stage| {
        stage.others_move_in().await;
        let ops = Ops::of(stage).await;
        let viewer = ops.person(stage, "vera", Role::Viewer, None).await;
        let stranger = ops.person(stage, "olga", Role::Admin, Some(OTHER_PLATFORM)).await;
        let anna = ops.person(stage, "anna", Role::Operator, None).await;
        stage.pay_one_order("p1").await;
        let order = stage.row("p1").await;
        let refunds = format!("/orders/{}/refunds", order.id);
        let body = json!({ "amount": 700, "reason": "cold" });
        assert_eq!(code(&ops.post(&viewer, &refunds, body.clone()).await), (403, "role_missing"));
        assert_eq!(code(&ops.post(&stranger, &refunds, body.clone()).await), (404, "not_found"));
        let (_, proposed) = ops.post(&anna, &refunds, body).await;
        let id = proposed["id"].as_str().expect("an id");
        for (path, body) in [
            ("approve", json!({})),
            ("decline", json!({ "reason": "no" })),
            ("resolve", json!({ "outcome": "failed", "reason": "no" })),
        ] {
            let path = format!("/refunds/{id}/{path}");
            assert_eq!(code(&ops.post(&viewer, &path, body.clone()).await), (403, "role_missing"));
            assert_eq!(code(&ops.post(&stranger, &path, body).await), (404, "not_found"));
        }
        assert_eq!(stage.refund_calls(), 0);
        let listed = ops.call(Method::GET, &refunds, Some(&viewer), Value::Null).await.json();
        assert_eq!(listed["data"][0]["state"], "proposed");
    }
);

on_both!(an_operator_who_has_looked_ends_a_refund_in_doubt, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    let anna = ops.person(stage, "anna", Role::Operator, None).await;
    for (number, outcome, state, books, event) in [
        ("p1", "refunded", State::Refunded, ("partially_refunded", 700, 0), "refund.succeeded"),
        ("p2", "failed", State::Failed, ("paid", 0, 0), "refund.failed"),
    ] {
        stage.pay_one_order(number).await;
        stage.fault(Operation::Refund, Fault::HangUp { took_effect: outcome == "refunded" });
        assert_eq!(stage.refund(number, "r1", 700).await.body["status"], 0);
        let refund = stage.refund_row(number, "r1").await;
        let path = format!("/refunds/{}/resolve", refund.id);
        let body = json!({ "outcome": outcome, "reason": "their statement" });
        let (status, resolved) = ops.post(&anna, &path, body.clone()).await;
        assert_eq!((status, &resolved["state"]), (200, &json!(outcome)), "{resolved}");
        assert_eq!(stage.refund_state(number, "r1").await, state);
        assert_eq!(stage.books(number).await, (books.0.to_owned(), books.1, books.2));
        assert_eq!(stage.told(number).await, ["order.paid", event]);
        let note = stage.notes(number, "refund_word").await.remove(0);
        assert_eq!((&note["by"], &note["reason"]), (&json!("operator:anna"), &json!("their statement")));
        assert_eq!(code(&ops.post(&anna, &path, body).await), (409, "refund_not_waiting"));
    }
});
