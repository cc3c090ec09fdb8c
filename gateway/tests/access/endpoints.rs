//! Operators and endpoints: seen within the scope, paused, resumed and disabled with a reason.

use gateway::directory::operators::Role;
use gateway::entity::endpoint::{Format, Status};
use gateway::entity::{attention, delivery, operator_act};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use shared::ops;

use super::ops::code;
use crate::harness::people::OTHER_PLATFORM;
use crate::harness::{PLATFORM, Stage};
use crate::on_both;
use crate::operating::{Ops, someone};

/// Ids as the gateway makes them, in their order.
const FIRST: &str = "01KXVZ5B8M3Q0V6T9YJ2C4E701";
const SECOND: &str = "01KXVZ5B8M3Q0V6T9YJ2C4E702";

fn because(reason: &str) -> Value {
    json!({ "reason": reason })
}

fn action(id: &str, word: &str) -> String {
    format!("/ops/v1/endpoints/{id}/{word}")
}

async fn listed(ops: &Ops, query: &str, token: &str) -> Vec<ops::Endpoint> {
    let reply = ops.get(&format!("/ops/v1/endpoints{query}"), token).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let rows: ops::Rows<ops::Endpoint> =
        serde_json::from_value(reply.json()).expect("as the console reads it");
    let written = json!(rows.rows);
    assert_eq!(members(&reply.json()["data"]), members(&written), "and not a member more");
    rows.rows
}

/// Names of members, within members too.
fn members(value: &Value) -> Vec<String> {
    match value {
        Value::Object(all) => {
            let within = all.iter().flat_map(|(name, value)| {
                let own = std::iter::once(name.clone());
                own.chain(members(value).into_iter().map(move |inner| format!("{name}.{inner}")))
            });
            within.collect()
        }
        Value::Array(all) => all.iter().flat_map(members).collect(),
        _ => Vec::new(),
    }
}

async fn acts(stage: &Stage) -> Vec<(String, Option<String>)> {
    let acts = operator_act::Entity::find()
        .filter(operator_act::Column::Action.starts_with("endpoint."))
        .all(&stage.app().store.read)
        .await
        .expect("the store is read");
    acts.into_iter().map(|act| (act.action, act.state_after)).collect()
}

on_both!(
    what_an_operator_pauses_waits_and_goes_out_when_it_is_resumed_and_all_of_it_is_on_record,
    async |stage: &mut Stage| {
        let ops = Ops::of(stage).await;
        someone(stage, "anna", Role::Operator, None).await;
        let token = ops.login("anna").await;
        stage
            .endpoint(FIRST, |row| {
                row.url = row.url.as_ref().map(|url| format!("{url}?key=geheim"));
                row.concurrency = Some(1);
            })
            .await;
        let owner = stage.merchant_id();

        let paused = ops.post(&action(FIRST, "pause"), &token, because("咖啡 ☕ moves")).await;
        assert_eq!(paused.status, 200, "{}", paused.text());
        assert_eq!(
            (&paused.json()["status"], &paused.json()["statusReason"]),
            (&json!("paused"), &json!("咖啡 ☕ moves"))
        );
        stage.due(FIRST, &owner, &["a".to_owned(), "b".to_owned()]).await;
        assert_eq!(stage.deliver_due().await, 0);
        let rows = listed(&ops, "", &token).await;
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            (row.kind.as_str(), row.platform.as_str(), row.merchant_id.as_ref()),
            ("registered", PLATFORM, Some(&owner))
        );
        assert_eq!((row.status, row.service.backlog), (ops::EndpointStatus::Paused, 2));
        assert!(row.service.oldest_at.is_some() && !row.url.contains("geheim"), "{row:?}");

        let again = ops.post(&action(FIRST, "pause"), &token, because("again")).await;
        assert_eq!(
            (again.status, &again.json()["statusReason"]),
            (200, &json!("咖啡 ☕ moves")),
            "it is so already"
        );
        let resumed = ops.post(&action(FIRST, "resume"), &token, because("it has moved")).await;
        assert_eq!((&resumed.json()["status"], resumed.json().get("statusReason")), (&json!("active"), None));
        assert_eq!(stage.deliver_due().await, 2);
        assert_eq!(stage.heard(), ["a", "b"], "in order");

        let acts = acts(stage).await;
        let [(one, why), (other, _)] = &acts[..] else { panic!("{acts:?}") };
        assert_eq!((one.as_str(), other.as_str()), ("endpoint.paused", "endpoint.resumed"));
        assert!(why.as_ref().is_some_and(|state| state.contains("咖啡")), "{why:?}");
    }
);

on_both!(
    an_endpoint_that_an_operator_disables_is_told_of_to_its_owners_others_until_it_is_resumed,
    async |stage: &mut Stage| {
        let ops = Ops::of(stage).await;
        someone(stage, "anna", Role::Operator, None).await;
        let token = ops.login("anna").await;
        stage.endpoint(FIRST, |_| {}).await;
        stage
            .endpoint(SECOND, |row| (row.format, row.status) = (Format::StandardWebhooks, Status::Paused))
            .await;
        let waiting = async |stage: &Stage| {
            let rows = attention::Entity::waiting().all(&stage.app().store.read).await.expect("it is read");
            rows.into_iter().map(|row| (row.kind, row.subject_id)).collect::<Vec<_>>()
        };

        for _ in 0..2 {
            let disabled = ops.post(&action(FIRST, "disable"), &token, because("floods a bank")).await;
            assert_eq!(
                (disabled.status, &disabled.json()["status"]),
                (200, &json!("disabled")),
                "{}",
                disabled.text()
            );
        }
        let told = delivery::Entity::find().filter(delivery::Column::Kind.eq("endpoint.disabled"));
        let told = told.all(&stage.app().store.read).await.expect("the store is read");
        assert_eq!(told.iter().map(|row| row.endpoint_id.as_str()).collect::<Vec<_>>(), [SECOND], "once");
        assert_eq!(waiting(stage).await, [("endpoint.disabled".to_owned(), FIRST.to_owned())]);
        let pause = ops.post(&action(FIRST, "pause"), &token, because("x")).await;
        assert_eq!(code(&pause), (409, "endpoint_disabled".to_owned()));
        // As if the gateway had disabled it: an operator makes that hold.
        stage.set_held(FIRST, false).await;
        let held = ops.post(&action(FIRST, "disable"), &token, because("for good")).await;
        assert_eq!((held.status, &held.json()["statusReason"]), (200, &json!("for good")));
        let told = delivery::Entity::find().filter(delivery::Column::Kind.eq("endpoint.disabled"));
        assert_eq!(told.all(&stage.app().store.read).await.expect("the store is read").len(), 1, "told once");

        ops.post(&action(FIRST, "resume"), &token, because("it has stopped")).await;
        assert_eq!(
            (waiting(stage).await, stage.endpoint_row(FIRST).await.status),
            (Vec::new(), Status::Active)
        );
        assert_eq!(acts(stage).await.len(), 3);
    }
);

on_both!(what_an_operator_stops_its_owner_does_not_start, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Operator, None).await;
    let token = ops.login("anna").await;
    for (id, word) in [(FIRST, "pause"), (SECOND, "disable")] {
        let own = format!("/v1/endpoints/{id}");
        stage.endpoint(id, |row| row.status = Status::Paused).await;
        // Also where its owner has paused it before.
        let stopped = ops.post(&action(id, word), &token, because("floods a bank")).await;
        assert_eq!(stopped.status, 200, "{}", stopped.text());
        let refused = stage.post(&format!("{own}/resume"), json!(null)).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("held_by_operator")));
        assert!(refused.text().contains("floods a bank"), "{}", refused.text());
        let moved = stage.patch(&own, json!({ "url": stage.shop().notify_url() + "?moved" })).await.json();
        assert_eq!((&moved["held"], moved.get("provenAt")), (&json!(true), None), "{moved}");
        ops.post(&action(id, "resume"), &token, because("it has stopped")).await;
        let row = stage.endpoint_row(id).await;
        assert_eq!((row.status, row.held), (Status::Unproven, false), "its URL is another by now");
    }
});

on_both!(only_operators_of_the_scope_may_and_only_what_makes_sense, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Operator, None).await;
    someone(stage, "ben", Role::Viewer, None).await;
    someone(stage, "carl", Role::Admin, Some(OTHER_PLATFORM)).await;
    let [anna, ben, carl] = [ops.login("anna").await, ops.login("ben").await, ops.login("carl").await];
    stage.endpoint(FIRST, |_| {}).await;
    stage.pay_one_order("p1").await;
    stage
        .endpoint(SECOND, |row| {
            (row.status, row.proven_at, row.merchant_id) = (Status::Unproven, None, None);
        })
        .await;

    assert_eq!(listed(&ops, "", &ben).await.len(), 3);
    assert_eq!(listed(&ops, "?kind=implicit", &ben).await[0].kind, "implicit");
    assert_eq!(listed(&ops, "?status=unproven", &ben).await[0].id, SECOND);
    let of_merchant =
        listed(&ops, &format!("?merchantId={}&kind=registered", stage.merchant_id()), &ben).await;
    assert_eq!(of_merchant.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), [FIRST]);
    assert_eq!(listed(&ops, "", &carl).await, [], "another platform's are not seen");
    let page = ops.get("/ops/v1/endpoints?limit=2", &ben).await;
    let next = page.json()["next"].as_str().expect("there is more").to_owned();
    assert_eq!(listed(&ops, &format!("?limit=2&cursor={next}"), &ben).await.len(), 1);

    let implicit = listed(&ops, "?kind=implicit", &anna).await[0].id.clone();
    for (id, word, token, expected) in [
        (FIRST, "pause", &ben, (403, "role_missing")),
        (FIRST, "pause", &carl, (404, "not_found")),
        ("no id", "pause", &anna, (404, "not_found")),
        (SECOND, "pause", &anna, (409, "not_proven")),
        (SECOND, "disable", &anna, (409, "not_proven")),
        (&implicit, "disable", &anna, (409, "not_registered")),
    ] {
        let refused = ops.post(&action(&id.replace(' ', "-"), word), token, because("a test")).await;
        assert_eq!(code(&refused), (expected.0, expected.1.to_owned()), "{id} {word}");
    }
    for reason in ["", "  ", &"x".repeat(501)] {
        let refused = ops.post(&action(FIRST, "pause"), &anna, because(reason)).await;
        assert_eq!(refused.status, 422, "{reason}");
    }
    assert_eq!((stage.endpoint_row(FIRST).await.status, acts(stage).await), (Status::Active, Vec::new()));
});
