//! Facts that are held: shown beside what was asked, let in when ScanForPay bears them out, turned away, or ended by a
//! later fact that agrees.

use gateway::entity::attention;
use sandbox::{Fault, Operation, Twist};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::harness::rest::operations;
use crate::harness::{Stage, UPSTREAM_PARTNER_NO};
use crate::on_both;

/// What waits for a person because of this fact.
async fn matter(stage: &Stage, fact: &str) -> attention::Model {
    let found = attention::Entity::find().filter(attention::Column::SubjectId.eq(fact));
    found.one(&stage.app().store.read).await.expect("the store is read").expect("it was raised")
}

/// A paid order whose notice came with another amount, while ScanForPay cannot be asked; and the fact's id.
async fn held(stage: &Stage, number: &str, twist: Twist) -> String {
    stage.deafen();
    stage.open(number).await;
    let submission = stage.submission_no(number).await;
    stage.pay(&submission);
    assert!(stage.notify_twisted(&submission, twist).await.acknowledged);
    stage.idle().await;
    stage.held().await.pop().expect("it is held").id
}

fn reason() -> Value {
    json!({ "reason": "seen on the bill" })
}

on_both!(a_held_fact_is_shown_with_what_was_asked_beside_what_came, async |stage: &mut Stage| {
    let id = held(stage, "p1", Twist::WrongAmount).await;
    let listed = stage.get("/v1/quarantine?state=held").await.json();
    let fact = &listed["data"][0];
    assert_eq!((&fact["id"], &fact["number"], &fact["source"]), (&json!(id), &json!("p1"), &json!("notice")));
    assert_eq!((&fact["claim"], &fact["state"]), (&json!("paid"), &json!("held")));
    let differs = json!([{ "field": "orderAmount", "asked": 2100, "told": 2101, "differs": true }]);
    assert_eq!(fact["differences"], differs);
    assert_eq!(stage.get("/v1/quarantine?state=rejected").await.json()["data"], json!([]));

    let whole = stage.get(&format!("/v1/quarantine/{id}")).await.json();
    let field = |name: &str| {
        let fields = whole["fields"].as_array().expect("a list");
        fields.iter().find(|field| field["field"] == name).cloned().unwrap_or_default()
    };
    let submission = stage.submission_no("p1").await;
    assert_eq!(field("orderAmount"), differs[0]);
    let same =
        |name: &str, value: &str| json!({ "field": name, "asked": value, "told": value, "differs": false });
    assert_eq!(field("partnerOrderNo"), same("partnerOrderNo", &submission));
    assert_eq!(field("partnerNo"), same("partnerNo", UPSTREAM_PARTNER_NO));
    assert_eq!(field("status"), json!({ "field": "status", "told": 1, "differs": false }));
    assert_eq!((&whole["orderStatus"], &whole["sentNumber"]), (&json!("awaiting"), &json!(submission)));
    assert!(!whole.to_string().contains("buyerId"), "who paid is shown by the masked account alone");
    // No key of a merchant's may have the scopes.
    for scope in ["facts:read", "facts:write"] {
        let body = json!({ "name": "own", "scopes": [scope], "merchantId": stage.merchant_id() });
        assert_eq!(stage.post("/v1/api-keys", body).await.status, 422);
    }
    assert!(operations().iter().any(|(path, ..)| *path == "/v1/quarantine/{factId}/release"));
});

on_both!(a_held_fact_is_released_only_if_scanforpay_bears_it_out, async |stage: &mut Stage| {
    let id = held(stage, "p1", Twist::WrongAmount).await;
    let (order, path) = (stage.row("p1").await, format!("/v1/quarantine/{id}/release"));
    let refused = stage.post(&path, reason()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("in_doubt")), "nothing was said");
    stage.stands("p1", &order, "no answer").await;

    stage.upstream().clear_faults();
    let fields = |fields: Value| Fault::Fields(fields.as_object().expect("an object").clone());
    // Neither an answer that differs from what was asked, nor one that says otherwise, lets it in.
    for (answer, says) in
        [(json!({ "orderAmount": 2101 }), "paid, 2101 HKD"), (json!({ "status": 0 }), "to be paid, 2100 HKD")]
    {
        stage.fault(Operation::Query, fields(answer));
        let refused = stage.post(&path, reason()).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("fact_disagrees")));
        let detail = refused.json()["detail"].as_str().expect("text").to_owned();
        assert!(detail.contains(says), "{detail}");
        stage.stands("p1", &order, says).await;
        assert_eq!(matter(stage, &id).await.ended_at, None);
    }
    assert_eq!(stage.deliver_due().await, 0);

    let released = stage.post(&path, reason()).await;
    assert_eq!(released.status, 200, "{}", released.text());
    let released = released.json();
    assert_eq!((&released["state"], &released["reason"]), (&json!("released"), &reason()["reason"]));
    let by = released["endedBy"].as_str().expect("a name").to_owned();
    assert!(by.starts_with("api_key:"), "{by}");
    // What counts is the answer, not what was held.
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.paid), ("paid", 2100));
    assert_eq!(
        stage.notes("p1", "released").await,
        [json!({ "fact": id, "by": by, "reason": "seen on the bill" })]
    );
    let (matter, paid) = (matter(stage, &id).await, stage.paid_events(&order.id).await);
    assert_eq!((matter.ended_by.as_deref(), paid.len()), (Some(&*by), 1));
    assert_eq!(stage.deliver_due().await, 1);
    let audit = stage.get("/v1/audit?action=fact.released").await.json();
    assert_eq!(
        (&audit["data"][0]["subject"]["id"], audit["data"].as_array().map(Vec::len)),
        (&json!(id), Some(1))
    );

    // The same again is answered again; another decision comes too late.
    let queries = stage.queries();
    assert_eq!(stage.post(&path, reason()).await.status, 200);
    let late = stage.post(&format!("/v1/quarantine/{id}/reject"), reason()).await;
    assert_eq!((late.status, &late.json()["code"]), (409, &json!("not_held")));
    assert_eq!(stage.queries(), queries);
});

on_both!(a_rejected_fact_stays_without_effect_and_the_order_goes_on, async |stage: &mut Stage| {
    let id = held(stage, "p1", Twist::WrongCurrency).await;
    let order = stage.row("p1").await;
    let rejected = stage.post(&format!("/v1/quarantine/{id}/reject"), reason()).await.json();
    assert_eq!((&rejected["state"], &rejected["orderStatus"]), (&json!("rejected"), &json!("awaiting")));
    stage.stands("p1", &order, "rejected").await;
    assert_eq!(stage.notes("p1", "rejected").await[0]["reason"], "seen on the bill");
    assert!(matter(stage, &id).await.ended_at.is_some());
    assert_eq!(
        stage.get("/v1/audit?action=fact.rejected").await.json()["data"][0]["subject"]["id"],
        json!(id)
    );
    let merchant = stage.merchant_id();
    let (_, own) = stage.api_key(&["orders:read"], Some(&merchant)).await;
    let timeline = stage.get_as(&own, "/v1/orders/p1/timeline").await.json();
    assert_eq!(
        (&timeline["data"][0]["what"], &timeline["data"][0]["note"]),
        (&json!("rejected"), &json!({ "fact": id })),
        "who of the platform decided is the platform's"
    );

    stage.upstream().clear_faults();
    stage.notify(&order.submission_id).await;
    assert_eq!(stage.row("p1").await.status, "paid");
    assert_eq!(stage.held().await[0].state, "rejected");
});

on_both!(a_later_fact_that_agrees_ends_what_it_bears_out, async |stage: &mut Stage| {
    let amount = held(stage, "p1", Twist::WrongAmount).await;
    let submission = stage.submission_no("p1").await;
    stage.open("p2").await;
    let other = stage.submission_no("p2").await;
    stage.notify_twisted(&submission, Twist::OtherOrder(other)).await;
    stage.idle().await;
    let named = stage.held().await[1].id.clone();

    stage.notify(&submission).await;
    let states: Vec<(String, Option<String>)> =
        stage.held().await.into_iter().map(|fact| (fact.state, fact.ended_by)).collect();
    assert_eq!(states[0], ("released".to_owned(), Some("notice".to_owned())));
    assert_eq!(states[1], ("held".to_owned(), None), "the order it named may have been paid");
    assert!(matter(stage, &amount).await.ended_at.is_some());
    assert_eq!(matter(stage, &named).await.ended_at, None);
    let notes = stage.notes("p1", "notice").await;
    assert_eq!(notes.last().expect("a notice")["released"], json!([amount]));
});

on_both!(of_two_decisions_at_once_one_counts, async |stage: &mut Stage| {
    let id = held(stage, "p1", Twist::WrongAmount).await;
    stage.upstream().clear_faults();
    let (release, reject) = (format!("/v1/quarantine/{id}/release"), format!("/v1/quarantine/{id}/reject"));
    let (one, other) = tokio::join!(stage.post(&release, reason()), stage.post(&reject, reason()));
    let mut codes = [one.status, other.status];
    codes.sort_unstable();
    assert_eq!(codes, [200, 409], "{} {}", one.text(), other.text());
    let kinds = stage.journal_kinds(&stage.row("p1").await.id).await;
    assert_eq!(kinds.iter().filter(|kind| ["released", "rejected"].contains(&kind.as_str())).count(), 1);
    assert_eq!(stage.row("p1").await.status, "paid", "what ScanForPay said counts whoever was quicker");
});

on_both!(
    an_answer_that_keeps_differing_is_held_once_and_another_that_differs_again,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        let amount = |stage: &Stage, amount: i64| {
            let differing = json!({ "orderAmount": amount });
            stage.fault(Operation::Query, Fault::Fields(differing.as_object().expect("an object").clone()));
        };
        stage.open("p1").await;
        for _ in 0..3 {
            amount(stage, 1);
            assert_eq!(stage.query("p1").await.code, 21, "still nothing to go by");
        }
        amount(stage, 2);
        assert_eq!(stage.query("p1").await.code, 21);
        amount(stage, 1);
        stage.restart().await;
        assert_eq!(stage.query("p1").await.code, 21);
        let order = stage.row("p1").await;
        let held = stage.held().await;
        let told: Vec<&str> = held.iter().map(|fact| &*fact.differences).collect();
        assert_eq!(held.len(), 2, "{told:?}");
        let kinds: Vec<String> = stage.events(&order.id).await.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["fact.quarantined"; 2]);
        assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "answer", "query", "query"]);

        // What a person has turned away is not held anew.
        let path = format!("/v1/quarantine/{}/reject", held[0].id);
        assert_eq!(stage.post(&path, reason()).await.status, 200);
        amount(stage, 1);
        assert_eq!(stage.query("p1").await.code, 21);
        assert_eq!(stage.held().await.len(), 2);

        // One that agrees counts as ever, however often another was held.
        stage.pay(&order.submission_id);
        assert_eq!(stage.query("p1").await.body["status"], 1);
    }
);
