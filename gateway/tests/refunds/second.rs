//! An order that was paid through two of its calls: each payment is given back by itself, and neither in the other's
//! place.

use std::time::Duration;

use futures_util::future::join_all;
use gateway::directory::operators::Role;
use gateway::entity::refund::State;
use gateway::entity::{attention, submission};
use sandbox::{Fault, Operation, RefundState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::operators::Ops;
use crate::harness::Stage;
use crate::harness::side::Side;
use crate::harness::web::Reply;
use crate::on_both;

const LOST: Fault = Fault::HangUp { took_effect: true };

/// The calls that brought an order's payments.
struct Calls {
    counted: String,
    second: String,
}

/// An order of two calls of 21.00 HKD, each of which can be paid. The earlier call and the later one.
async fn called_twice(stage: &Stage, number: &str) -> [String; 2] {
    stage.fault(Operation::Create, Fault::HangUp { took_effect: true });
    assert_eq!(stage.create(&stage.order(number)).await.code, 21);
    let first = stage.submission_no(number).await;
    stage.open(number).await;
    let second = stage.submission_no(number).await;
    assert_ne!(first, second);
    [first, second]
}

/// Both are paid; the order counts the one that was heard of first.
async fn paid_twice(stage: &Stage, number: &str) -> Calls {
    let [second, counted] = called_twice(stage, number).await;
    for call in [&counted, &second] {
        stage.pay(call);
        stage.notify(call).await;
    }
    assert_eq!(
        (stage.submission_no(number).await, stage.row(number).await.second_payments),
        (counted.clone(), 1)
    );
    Calls { counted, second }
}

impl Stage {
    async fn refund_of(&self, number: &str, payment: Option<&str>, refund_no: &str, amount: i64) -> Reply {
        let path = format!("/v1/orders/{number}/refunds?merchant={}", self.merchant_id());
        let mut body = json!({ "refundNo": refund_no, "amount": amount });
        if let Some(payment) = payment {
            body["payment"] = json!(payment);
        }
        self.post(&path, body).await
    }

    async fn call(&self, id: &str) -> submission::Model {
        let found = submission::Entity::find_by_id(id).one(&self.app().store.read).await;
        found.expect("the store is read").expect("it is there")
    }

    /// What is given back and kept back of a second payment.
    async fn second_books(&self, id: &str) -> (i64, i64) {
        let call = self.call(id).await;
        assert_eq!(call.second_paid, call.amount);
        (call.second_refunded, call.second_reserved)
    }

    /// What the upstream has given back of what was paid through a call.
    fn given_back_upstream(&self, call: &str) -> Vec<i64> {
        let order = self.upstream().order(call).expect("it arrived upstream");
        let done = order.refunds.into_iter().filter(|refund| refund.state == RefundState::Refunded);
        done.map(|refund| refund.amount).collect()
    }

    /// The detail of the matter about a second payment that waits.
    async fn paid_again(&self, call: &str) -> Option<Value> {
        let open = attention::Entity::waiting()
            .filter(attention::Column::Kind.eq("order.paid_again"))
            .filter(attention::Column::SubjectId.eq(call));
        let open = open.one(&self.app().store.read).await.expect("the store is read");
        open.map(|open| serde_json::from_str(&open.detail).expect("JSON"))
    }
}

fn problem(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn conflict(code: &str) -> (u16, String) {
    (409, code.to_owned())
}

fn paid() -> (String, i64, i64) {
    ("paid".to_owned(), 0, 0)
}

on_both!(the_second_payment_is_given_back_whole_and_the_order_stays_paid, async |stage: &mut Stage| {
    let Calls { counted, second } = paid_twice(stage, "p1").await;
    let unnamed = stage.refund_of("p1", None, "r1", 2100).await;
    assert_eq!(problem(&unnamed), conflict("several_payments"), "{}", unnamed.text());
    assert_eq!(unnamed.json()["errors"][0]["pointer"], "/payment");
    assert_eq!(stage.refund_calls(), 0);

    let shown = stage.get(&format!("/v1/orders/p1?merchant={}", stage.merchant_id())).await.json();
    let payments: Vec<(&Value, &Value, &Value)> = shown["payments"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|payment| (&payment["id"], &payment["isCounted"], &payment["leftAmount"]))
        .collect();
    let all = json!(2100);
    assert_eq!(payments, [(&json!(counted), &json!(true), &all), (&json!(second), &json!(false), &all)]);

    let detail = stage.paid_again(&second).await.expect("it waits for a person");
    assert_eq!(detail["refund"], json!({ "payment": second, "amount": 2100 }));
    let waiting = stage.get("/v1/attention").await.json();
    let subject = &waiting["data"][0]["subject"];
    assert_eq!((&subject["kind"], &subject["number"]), (&json!("payment"), &json!("p1")));
    let made = stage.refund_of("p1", Some(&second), "r1", 2100).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!((&made.json()["payment"], &made.json()["leftAmount"]), (&json!(second), &json!(0)));

    assert_eq!(
        (stage.given_back_upstream(&second), stage.given_back_upstream(&counted)),
        (vec![2100], vec![])
    );
    assert_eq!((stage.books("p1").await, stage.second_books(&second).await), (paid(), (2100, 0)));
    assert_eq!(stage.query("p1").await.body["status"], 1, "the order keeps what it counts");
    assert_eq!(stage.paid_again(&second).await, None);
    assert_eq!(stage.told("p1").await, ["order.paid", "order.paid_twice", "refund.succeeded"]);
    let event = stage.events_of_kind("p1", "refund.succeeded").await.remove(0);
    let content: Value = serde_json::from_str(&event.content).expect("JSON");
    assert_eq!((&content["refund"]["payment"], &content["status"]), (&json!(second), &json!("paid")));

    // The same again, named or not, is the same refund; of the other payment it is another one.
    for payment in [Some(second.as_str()), None] {
        assert_eq!(stage.refund_of("p1", payment, "r1", 2100).await.json()["id"], made.json()["id"]);
    }
    let other = stage.refund_of("p1", Some(&counted), "r1", 2100).await;
    assert_eq!(problem(&other), conflict("refund_no_taken"));
    assert_eq!(stage.refund("p1", "r1", 2100).await.code, 31, "the protocol's word is about the other");
    let more = stage.refund_of("p1", Some(&second), "r2", 1).await;
    assert_eq!(problem(&more), conflict("more_than_refundable"));
    // Whoever does not know that the second one went back gives back nothing.
    assert_eq!(problem(&stage.refund_of("p1", None, "r3", 2100).await), conflict("several_payments"));

    assert_eq!(stage.refund("p1", "r4", 2100).await.body["status"], 1, "what the order counts");
    assert_eq!(stage.given_back_upstream(&counted), [2100]);
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
    assert_eq!(stage.query("p1").await.body["status"], 3);
    assert_eq!(stage.deliver_due().await, 1, "the notifyUrl hears that it was paid, and nothing else");
});

on_both!(either_payment_is_given_back_in_parts, async |stage: &mut Stage| {
    let Calls { counted, second } = paid_twice(stage, "p1").await;
    assert_eq!(stage.refund_of("p1", Some(&second), "s1", 600).await.json()["leftAmount"], 1500);
    assert_eq!(stage.refund_of("p1", Some(&counted), "f1", 600).await.json()["leftAmount"], 1500);
    assert_eq!(stage.refund("p1", "f2", 100).await.body["status"], 1);
    assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 700, 0));
    assert_eq!(
        problem(&stage.refund_of("p1", Some(&second), "s2", 1501).await),
        conflict("more_than_refundable")
    );
    let rounded = stage.refund_of("p1", Some(&second), "s3", 1499).await.json();
    assert_eq!((&rounded["leftAmount"], &rounded["remainder"]), (&json!(1), &json!(1)));
    assert!(stage.paid_again(&second).await.is_some(), "not all of it is given back");
    assert_eq!(stage.refund_of("p1", Some(&second), "s4", 1).await.status, 201);
    assert_eq!((stage.paid_again(&second).await, stage.second_books(&second).await), (None, (2100, 0)));
    assert_eq!(stage.given_back_upstream(&second), [600, 1499, 1]);
    assert_eq!(stage.given_back_upstream(&counted), [600, 100]);
    assert_eq!(stage.books("p1").await, ("partially_refunded".to_owned(), 700, 0));
    let listed = stage.get(&format!("/v1/orders/p1/refunds?merchant={}", stage.merchant_id())).await.json();
    let left: Vec<_> =
        listed["data"].as_array().expect("a list").iter().map(|row| &row["leftAmount"]).collect();
    assert_eq!(left, [0, 0, 1400, 1400, 0], "each of its own payment");
});

on_both!(an_operator_sends_what_the_matter_says, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    let anna = ops.person(stage, "anna", Role::Operator, None).await;
    let Calls { counted, second } = paid_twice(stage, "p1").await;
    let detail = stage.paid_again(&second).await.expect("it waits for a person");
    let refunds = format!("/orders/{}/refunds", detail["order"].as_str().expect("an id"));
    let mut body = detail["refund"].clone();
    body["reason"] = json!("paid twice");
    let (status, made) = ops.post(&anna, &refunds, body).await;
    assert_eq!(
        (status, &made["state"], &made["payment"]),
        (200, &json!("refunded"), &json!(second)),
        "{made}"
    );
    assert_eq!(
        (stage.given_back_upstream(&second), stage.given_back_upstream(&counted)),
        (vec![2100], vec![])
    );
    assert_eq!((stage.books("p1").await, stage.paid_again(&second).await), (paid(), None));
    let (status, unnamed) = ops.post(&anna, &refunds, json!({ "amount": 1, "reason": "cold" })).await;
    assert_eq!((status, &unnamed["code"]), (409, &json!("several_payments")));
});

on_both!(fifty_refunds_at_once_exceed_neither_payment, async |stage: &mut Stage| {
    let Calls { counted, second } = paid_twice(stage, "p1").await;
    let numbers: Vec<String> = (0..50).map(|number| format!("r{number}")).collect();
    let asked = numbers.iter().zip(150..).map(|(number, amount)| {
        let payment = if amount % 2 == 0 { &second } else { &counted };
        stage.refund_of("p1", Some(payment), number, amount)
    });
    let replies = join_all(asked).await;
    let (order, call) = (stage.row("p1").await, stage.call(&second).await);
    assert_eq!((order.refund_reserved, call.second_reserved), (0, 0));
    for (payment, refunded) in [(&counted, order.refunded), (&second, call.second_refunded)] {
        assert!(refunded > 1800 && refunded <= 2100, "{refunded} of {payment}");
        let ours = stage.refunds("p1").await.into_iter().filter(|refund| refund.submission_id == *payment);
        assert_eq!(ours.map(|refund| refund.amount).sum::<i64>(), refunded);
        assert_eq!(
            stage.given_back_upstream(payment).iter().sum::<i64>(),
            refunded,
            "both sides' books agree"
        );
    }
    let refused = replies.iter().filter(|reply| reply.status != 201);
    assert!(refused.clone().count() > 10);
    for reply in refused {
        assert_eq!(problem(reply), conflict("more_than_refundable"));
    }
    let mut side = Side::open(stage).await;
    let too_much = "UPDATE submissions SET second_refunded = second_refunded + 2101 WHERE second_paid > 0";
    assert!(side.try_run(too_much).await.is_err(), "the store itself lets no more go");
});

on_both!(
    a_second_payments_refund_in_doubt_is_followed_and_leaves_the_first_alone,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let Calls { counted, second } = paid_twice(stage, "p1").await;
        stage.fault(Operation::Refund, LOST);
        assert_eq!(stage.refund_of("p1", Some(&second), "s1", 2100).await.status, 202);
        assert_eq!((stage.books("p1").await, stage.second_books(&second).await), (paid(), (0, 2100)));
        let clerk = stage.refund_of("p1", Some(&second), "s2", 2100).await;
        assert_eq!(problem(&clerk), conflict("refund_open"));
        // As much of the other payment is another matter.
        stage.fault(Operation::Refund, LOST);
        assert_eq!(stage.refund_of("p1", Some(&counted), "f1", 2100).await.status, 202);
        stage.restart().await;
        // The counted one's answer is looked for first: it says nothing of the second one's.
        stage.notify(&counted).await;
        assert_eq!(stage.refund_state("p1", "f1").await, State::Refunded);
        assert_eq!(stage.refund_state("p1", "s1").await, State::Unknown);
        assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
        assert_eq!(stage.follow_after(Duration::from_secs(5)).await, 1);
        assert_eq!(stage.refund_state("p1", "s1").await, State::Refunded, "a query said status 3 of it");
        assert_eq!((stage.second_books(&second).await, stage.paid_again(&second).await), ((2100, 0), None));
        let told = ["order.paid", "order.paid_twice", "refund.succeeded", "refund.succeeded"];
        assert_eq!(stage.told("p1").await, told, "nothing was refunded elsewhere");
        assert_eq!(stage.refund_calls(), 2);
    }
);

on_both!(a_second_payments_refund_that_fails_is_reserved_no_longer, async |stage: &mut Stage| {
    let Calls { second, .. } = paid_twice(stage, "p1").await;
    stage.fault(Operation::Refund, Fault::Code { code: 43, took_effect: false });
    assert_eq!(problem(&stage.refund_of("p1", Some(&second), "s1", 2100).await), conflict("refund_failed"));
    assert_eq!((stage.books("p1").await, stage.second_books(&second).await), (paid(), (0, 0)));
    assert!(stage.paid_again(&second).await.is_some(), "it waits still");
    let differs = json!({ "refundNo": "another" });
    stage.fault(Operation::Refund, Fault::Fields(differs.as_object().expect("an object").clone()));
    assert_eq!(stage.refund_of("p1", Some(&second), "s2", 700).await.status, 202, "the answer is held");
    assert_eq!((stage.held().await.len(), stage.held().await[0].submission_id.clone()), (1, second.clone()));
    assert_eq!(stage.second_books(&second).await, (0, 700), "and the amount kept back");
    assert_eq!(stage.refund_of("p1", Some(&second), "s3", 1400).await.status, 201);
    assert_eq!((stage.books("p1").await, stage.second_books(&second).await), (paid(), (1400, 700)));
});

on_both!(
    a_second_payment_that_was_given_back_elsewhere_is_told_and_the_order_stays_paid,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let Calls { counted, second } = paid_twice(stage, "p1").await;
        assert_eq!(stage.refund_of("p1", Some(&second), "s1", 600).await.status, 201);
        stage.upstream().refund(&second).expect("it may be refunded");
        for _ in 0..2 {
            stage.notify(&second).await;
        }
        assert_eq!((stage.books("p1").await, stage.second_books(&second).await), (paid(), (2100, 0)));
        let told = ["order.paid", "order.paid_twice", "refund.succeeded", "order.refunded_externally"];
        assert_eq!(stage.told("p1").await, told);
        let event = stage.events_of_kind("p1", "order.refunded_externally").await.remove(0);
        let content: Value = serde_json::from_str(&event.content).expect("JSON");
        assert_eq!(content["detail"], json!({ "amount": 1500, "payment": second }));
        assert_eq!(stage.waiting().await, [], "it was waited for to go back");
        let more = stage.refund_of("p1", Some(&second), "s2", 1).await;
        assert_eq!(problem(&more), conflict("refunded_externally"));
        assert_eq!(
            stage.refund_of("p1", Some(&counted), "f1", 1).await.status,
            201,
            "the other is untouched"
        );

        // The first that is heard of a second payment is that it went back.
        let [second, counted] = called_twice(stage, "p2").await;
        stage.pay(&counted);
        stage.notify(&counted).await;
        stage.pay(&second);
        stage.upstream().refund(&second).expect("it may be refunded");
        stage.notify(&second).await;
        assert_eq!(stage.told("p2").await, ["order.paid", "order.paid_twice", "order.refunded_externally"]);
        assert_eq!((stage.books("p2").await, stage.waiting().await), (paid(), vec![]));
    }
);

on_both!(
    a_payment_that_was_not_heard_of_is_asked_about_first,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let [second, counted] = called_twice(stage, "p1").await;
        stage.pay(&counted);
        stage.notify(&counted).await;
        assert_eq!(problem(&stage.refund_of("p1", Some(&second), "s1", 700).await), conflict("not_paid"));
        stage.deafen();
        assert_eq!(
            problem(&stage.refund_of("p1", Some(&second), "s1", 700).await),
            conflict("payment_unknown")
        );
        stage.upstream().clear_faults();
        stage.pay(&second);
        assert_eq!(stage.refund_of("p1", Some(&second), "s1", 700).await.status, 201);
        assert_eq!((stage.books("p1").await, stage.second_books(&second).await), (paid(), (700, 0)));
        let Calls { second: others, .. } = paid_twice(stage, "p2").await;
        for payment in [others.as_str(), "nobody's", "\u{1}"] {
            let none = stage.refund_of("p1", Some(payment), "s2", 1).await;
            assert_eq!(problem(&none), conflict("no_such_payment"), "{payment}");
        }
    }
);

on_both!(a_second_payment_is_never_given_back_by_the_late_payment_policy, async |stage: &mut Stage| {
    let store = format!("/v1/stores/{}", stage.store_id());
    assert_eq!(stage.patch(&store, json!({ "latePayment": "refund" })).await.status, 200);
    let [second, first] = called_twice(stage, "p1").await;
    stage.upstream().fail(&first).expect("it may fail");
    stage.notify(&first).await;
    for call in [&first, &second] {
        stage.pay(call);
        stage.notify(call).await;
        stage.idle().await;
    }
    assert_eq!(stage.books("p1").await, ("refunded".to_owned(), 2100, 0));
    assert_eq!((stage.given_back_upstream(&first), stage.given_back_upstream(&second)), (vec![2100], vec![]));
    assert!(stage.paid_again(&second).await.is_some(), "a person decides about it");
});

on_both!(
    an_order_that_was_paid_twice_before_the_books_had_a_place_for_it_is_refunded,
    async |stage: &mut Stage| {
        let Calls { counted, second } = paid_twice(stage, "p1").await;
        stage.pay_one_order("p2").await;
        // As it was before the step.
        let before = "UPDATE attention SET kind = 'order.paid_twice', detail = '{\"submission\":\"' || subject_id || '\"}',
             subject_id = (SELECT order_id FROM submissions AS s WHERE s.id = subject_id);
         DROP INDEX submissions_second;
         ALTER TABLE submissions DROP COLUMN second_pay_time;
         ALTER TABLE submissions DROP COLUMN second_elsewhere;
         ALTER TABLE submissions DROP COLUMN second_refunded;
         ALTER TABLE submissions DROP COLUMN second_reserved;
         ALTER TABLE submissions DROP COLUMN second_paid;
         ALTER TABLE orders DROP COLUMN second_payments;
         DELETE FROM seaql_migrations WHERE version = 'm0021_second_payment'";
        let mut side = Side::open(stage).await;
        side.run(before, before).await;
        drop(side);
        stage.restart().await;
        assert_eq!((stage.row("p1").await.second_payments, stage.row("p2").await.second_payments), (1, 0));
        assert_eq!((stage.second_books(&second).await, stage.call(&counted).await.second_paid), ((0, 0), 0));
        let detail = stage.paid_again(&second).await.expect("it waits for a person");
        assert_eq!(detail, json!({ "order": stage.row("p1").await.id, "payment": second }));
        assert_eq!(problem(&stage.refund_of("p1", None, "r1", 2100).await), conflict("several_payments"));
        assert_eq!(stage.refund_of("p1", Some(&second), "r1", 2100).await.status, 201);
        assert_eq!((stage.books("p1").await, stage.paid_again(&second).await), (paid(), None));
    }
);
