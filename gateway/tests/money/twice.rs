//! The watch for purchases that are paid more than once.

use gateway::entity::{attention, order, purchase_check};
use gateway::orders::twice;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::harness::side::Side;
use crate::harness::{Backend, HKD_STORE, Stage};
use crate::on_both;

/// The public client's: a time, and its own order id.
const PATTERN: &str = r"^\d{12}(.+)$";

async fn with_pattern(stage: &Stage) {
    let path = format!("/v1/merchants/{}", stage.merchant_id());
    let changed = stage.patch(&path, json!({ "referencePattern": PATTERN })).await;
    assert_eq!((changed.status, &changed.json()["referencePattern"]), (200, &json!(PATTERN)));
}

async fn paid(stage: &Stage, number: &str) -> order::Model {
    stage.open(number).await;
    let submission = stage.submission_no(number).await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    stage.idle().await;
    stage.row(number).await
}

/// The numbers that events of the order say it was paid beside, in their sequence.
async fn beside(stage: &Stage, order: &order::Model) -> Vec<Value> {
    let events = stage.events(&order.id).await;
    let told = events.iter().filter(|event| event.kind == "order.paid_twice");
    told.map(|event| serde_json::from_str::<Value>(&event.content).expect("JSON")["detail"]["number"].clone())
        .collect()
}

async fn matters(stage: &Stage) -> Vec<attention::Model> {
    let open = attention::Entity::waiting().filter(attention::Column::Kind.eq("order.paid_twice"));
    open.all(&stage.app().store.read).await.expect("the store is read")
}

async fn checks(stage: &Stage) -> usize {
    purchase_check::Entity::find().all(&stage.app().store.read).await.expect("the store is read").len()
}

on_both!(two_orders_for_one_purchase_that_are_both_paid_are_flagged_once_each, async |stage: &mut Stage| {
    with_pattern(stage).await;
    let (first, other) = (paid(stage, "260921141320wc-7").await, paid(stage, "260921141320wc-8").await);
    assert_eq!(
        (first.reference.as_deref(), first.paid_twice, other.paid_twice),
        (Some("wc-7"), false, false)
    );
    let second = paid(stage, "260921150000wc-7").await;
    let first = stage.row(&first.number).await;
    assert!(first.paid_twice && second.paid_twice && !stage.row(&other.number).await.paid_twice);
    assert_eq!(beside(stage, &first).await, [json!("260921150000wc-7")]);
    assert_eq!(beside(stage, &second).await, [json!("260921141320wc-7")]);
    let matter = matters(stage).await;
    assert_eq!((matter.len(), &matter[0].subject_id), (1, &second.id), "one matter for the two");
    let detail: Value = serde_json::from_str(&matter[0].detail).expect("JSON");
    let named: Vec<(&Value, &Value)> = detail["orders"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|order| (&order["number"], &order["refundable"]))
        .collect();
    let all = json!(2100);
    assert_eq!(named, [(&json!("260921150000wc-7"), &all), (&json!("260921141320wc-7"), &all)]);
    assert_eq!(stage.journal_kinds(&first.id).await, ["placed", "answer", "notice", "paid_twice"]);
    assert_eq!(checks(stage).await, 0);

    // A third is told of both, and both of it; nobody is told of anybody twice, and notifyUrl hears of payments alone.
    let third = paid(stage, "260921160000wc-7").await;
    stage.notify(&third.submission_id).await;
    twice::sweep(stage.app()).await.expect("swept");
    assert_eq!(beside(stage, &third).await, [json!("260921150000wc-7"), json!("260921141320wc-7")]);
    assert_eq!(beside(stage, &first).await, [json!("260921150000wc-7"), json!("260921160000wc-7")]);
    assert_eq!(stage.deliver_due().await, 4);
    assert_eq!(stage.shop().received_now().len(), 4);

    let listed = async |query: &str| -> Vec<String> {
        let list = stage.get(&format!("/v1/orders?merchant={}&{query}", stage.merchant_id())).await.json();
        let rows = list["data"].as_array().expect("a list").clone();
        rows.iter().map(|row| row["number"].as_str().expect("text").to_owned()).collect()
    };
    let three = ["260921160000wc-7", "260921150000wc-7", "260921141320wc-7"];
    assert_eq!(listed("reference=wc-7").await, three);
    assert_eq!(listed("paidTwice=true").await, three);
    assert_eq!(listed("paidTwice=false").await, ["260921141320wc-8"]);
    assert_eq!(listed("reference=wc-7&paidTwice=false").await, Vec::<String>::new());
});

on_both!(a_reference_over_rest_goes_before_the_pattern_and_is_content, async |stage: &mut Stage| {
    with_pattern(stage).await;
    let path = format!("/v1/orders?merchant={}", stage.merchant_id());
    let body = |number: &str, reference: Value| {
        json!({ "product": "qrcode", "number": number, "storeNo": HKD_STORE, "wallet": "Alipay", "currency": "HKD",
            "amount": 2100, "reference": reference })
    };
    let placed = stage.post(&path, body("260921141320wc-7", json!("cart-1"))).await;
    assert_eq!((placed.status, &placed.json()["reference"]), (201, &json!("cart-1")));
    assert_eq!(placed.json()["paidTwice"], false);
    assert_eq!(stage.post(&path, body("260921141320wc-7", json!("cart-1"))).await.status, 201);
    let other = stage.post(&path, body("260921141320wc-7", json!("cart-2"))).await;
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("number_taken")));
    for wrong in ["", &"x".repeat(65), "a\nb"] {
        let refused = stage.post(&path, body("p2", json!(wrong))).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/reference")));
    }
    let merchant = format!("/v1/merchants/{}", stage.merchant_id());
    for wrong in ["(", "no group", &format!("({})", "(a{1000}){1000}")] {
        let refused = stage.patch(&merchant, json!({ "referencePattern": wrong })).await;
        assert_eq!(
            (refused.status, &refused.json()["errors"][0]["pointer"]),
            (422, &json!("/referencePattern"))
        );
    }
    let without = stage.patch(&merchant, json!({ "referencePattern": null })).await;
    assert_eq!((without.status, without.json().get("referencePattern")), (200, None));
    stage.open("260921141320wc-9").await;
    assert_eq!(stage.row("260921141320wc-9").await.reference, None);
});

on_both!(an_order_that_was_given_back_is_no_second_payment_and_ends_the_matter, async |stage: &mut Stage| {
    with_pattern(stage).await;
    let first = paid(stage, "260921141320wc-7").await;
    stage.upstream().refund(&first.submission_id).expect("it is refunded");
    stage.notify(&first.submission_id).await;
    let second = paid(stage, "260921150000wc-7").await;
    assert!(!second.paid_twice, "the first was given back before");

    let third = paid(stage, "260921160000wc-7").await;
    assert!(third.paid_twice && stage.row(&second.number).await.paid_twice);
    assert_eq!(matters(stage).await.len(), 1);
    stage.upstream().refund(&second.submission_id).expect("it is refunded");
    stage.notify(&second.submission_id).await;
    stage.idle().await;
    assert_eq!(stage.row(&second.number).await.status, "refunded");
    assert_eq!(matters(stage).await, [], "one keeps its money");
    assert!(stage.row(&third.number).await.paid_twice, "what was stays said");
});

on_both!(a_check_that_could_not_be_made_is_made_after_a_restart, async |stage: &mut Stage| {
    with_pattern(stage).await;
    let mut side = Side::open(stage).await;
    side.run(
        "CREATE TRIGGER no_twice BEFORE INSERT ON events WHEN NEW.kind = 'order.paid_twice'
         BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
        "CREATE FUNCTION no_twice() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.kind = 'order.paid_twice' THEN RAISE EXCEPTION 'refused by the test'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER no_twice BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION no_twice()",
    )
    .await;
    let (first, second) = (paid(stage, "260921141320wc-7").await, paid(stage, "260921150000wc-7").await);
    assert!(!second.paid_twice, "it cannot be written");
    assert_eq!(checks(stage).await, 1, "what is to be looked at stays on record");
    stage.restart().await;
    side.run("DROP TRIGGER no_twice", "DROP TRIGGER no_twice ON events").await;
    assert_eq!(twice::sweep(stage.app()).await.expect("swept"), 1);
    assert_eq!(beside(stage, &first).await.len(), 1);
    assert_eq!(beside(stage, &second).await.len(), 1);
    assert_eq!((twice::sweep(stage.app()).await.expect("swept"), matters(stage).await.len()), (0, 1));
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_take_both_payments_at_once_flag_them_once() {
    let stage = Stage::set(Backend::Postgres).await;
    with_pattern(&stage).await;
    let other = stage.world.node().await;
    for pair in 0..10 {
        let numbers = [format!("260921141320wc-{pair}"), format!("260921150000wc-{pair}")];
        for number in &numbers {
            stage.open(number).await;
        }
        let rows = [stage.row(&numbers[0]).await, stage.row(&numbers[1]).await];
        let notices = rows.each_ref().map(|row| {
            stage.pay(&row.submission_id);
            let notice = stage.upstream().notice(&row.submission_id, None).expect("a notice");
            let placed = stage.upstream().order(&row.submission_id).expect("it is there");
            let url = url::Url::parse(&placed.content.notify_url.expect("given")).expect("a URL");
            (url.path().to_owned(), notice)
        });
        let urls = [stage.node().url(&notices[0].0), other.url(&notices[1].0)];
        let (one, two) =
            tokio::join!(stage.post_to(&urls[0], &notices[0].1), stage.post_to(&urls[1], &notices[1].1));
        assert_eq!((one.0, two.0), (200, 200));
        // Both nodes look at whatever waits, at the same time.
        let (one, two) = tokio::join!(twice::sweep(stage.app()), twice::sweep(&other.app));
        one.and(two).expect("swept");
    }
    stage.idle().await;
    other.app.tasks.close();
    other.app.tasks.wait().await;
    twice::sweep(stage.app()).await.expect("swept");
    for row in stage.rows().await {
        assert!(row.paid_twice, "{}", row.number);
        assert_eq!(beside(&stage, &row).await.len(), 1, "{}", row.number);
    }
    assert_eq!((matters(&stage).await.len(), checks(&stage).await), (10, 0));
    other.stop().await;
    stage.strike().await;
}
