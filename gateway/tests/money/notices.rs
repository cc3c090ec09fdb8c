//! One gate: what notices do, and what they cannot do.

use std::time::Duration;

use sandbox::{Fault, Operation, Twist};
use serde_json::json;

use crate::harness::acts::soon;
use crate::harness::people::upstream_partner;
use crate::harness::side::Side;
use crate::harness::{ACCOUNT_KEY, Stage, UPSTREAM_PARTNER_NO};
use crate::on_both;

on_both!(a_notice_is_acknowledged_only_after_the_commit, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let mut side = Side::open(stage).await;
    side.hold_orders().await;

    let control = stage.upstream().clone();
    let mut notice = Box::pin(control.notify_now(&number));
    // Nothing can be committed now, so nothing may be acknowledged, however long one waits.
    let early = tokio::time::timeout(Duration::from_millis(300), &mut notice).await;
    assert!(early.is_err(), "acknowledged before the commit: {early:?}");
    assert_eq!(stage.row("p1").await.status, "awaiting");

    side.release().await;
    let outcome = soon(notice).await.expect("a notice was sent");
    assert!(outcome.acknowledged, "{outcome:?}");
    assert_eq!(stage.row("p1").await.status, "paid");
});

on_both!(a_notice_that_cannot_be_kept_is_not_acknowledged_and_may_come_again, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let notice = stage.upstream().notice(&number, None).expect("a notice");
    let mut side = Side::open(stage).await;
    side.run(
        "CREATE TRIGGER no_notices BEFORE INSERT ON journal WHEN NEW.kind = 'notice'
         BEGIN SELECT RAISE(ABORT, 'refused by the test'); END",
        "CREATE FUNCTION no_notices() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF NEW.kind = 'notice' THEN RAISE EXCEPTION 'refused by the test'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER no_notices BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION no_notices()",
    )
    .await;
    assert_eq!(stage.post_notice(&number, &notice).await, (503, "try again later".to_owned()));
    assert_eq!(stage.row("p1").await.status, "awaiting");
    assert_eq!(stage.deliver_due().await, 0, "nothing is told that is not on record");

    side.run("DROP TRIGGER no_notices", "DROP TRIGGER no_notices ON journal").await;
    assert_eq!(stage.post_notice(&number, &notice).await, (200, "success".to_owned()));
    assert_eq!(stage.row("p1").await.status, "paid");
    assert_eq!(stage.deliver_due().await, 1);
});

on_both!(a_repeated_notice_is_acknowledged_and_changes_nothing, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let notice = stage.upstream().notice(&number, None).expect("a notice");
    assert_eq!(stage.post_notice(&number, &notice).await, (200, "success".to_owned()));
    let (order, deliveries) = (stage.row("p1").await, stage.deliveries(&stage.row("p1").await.id).await);
    let journal = stage.journal(&order.id).await;

    for _ in 0..3 {
        assert_eq!(stage.post_notice(&number, &notice).await, (200, "success".to_owned()));
    }
    assert_eq!(stage.journal(&order.id).await, journal, "the same bytes are known");
    // With an id and time of its own it is another message, and says nothing new.
    stage.advance(Duration::from_secs(1));
    stage.notify(&number).await;
    assert_eq!(stage.journal(&order.id).await.len(), journal.len() + 1);

    assert_eq!(stage.row("p1").await, order);
    assert_eq!(stage.paid_events(&order.id).await.len(), 1);
    assert_eq!(stage.deliveries(&order.id).await, deliveries);
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().received_now().len(), 1);
});

on_both!(notices_at_the_same_moment_are_all_acknowledged_and_told_once, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let notice = stage.upstream().notice(&number, None).expect("a notice");
    let same = || stage.post_notice(&number, &notice);
    let (a, b, c, ()) = tokio::join!(same(), same(), same(), stage.notify(&number));
    for answer in [a, b, c] {
        assert_eq!(answer, (200, "success".to_owned()));
    }
    assert_eq!(stage.paid_events(&stage.row("p1").await.id).await.len(), 1);
    assert_eq!(stage.deliver_due().await, 1);
});

on_both!(
    a_notice_that_differs_from_what_was_asked_is_acknowledged_held_and_changes_nothing,
    async |stage: &mut Stage| {
        stage.open("another").await;
        let another = stage.submission_no("another").await;
        let before = stage.row("another").await;
        let twists = [
            ("orderAmount", Twist::WrongAmount),
            ("currency", Twist::WrongCurrency),
            ("partnerNo", Twist::OtherPartnerNo("90009".to_owned())),
            ("partnerOrderNo", Twist::OtherOrder("p1".to_owned())),
            ("partnerOrderNo", Twist::OtherOrder(another)),
            ("code", Twist::Code(21)),
        ];
        stage.deafen();
        for (place, (field, twist)) in twists.into_iter().enumerate() {
            let number = format!("p{place}");
            stage.open(&number).await;
            let submission = stage.submission_no(&number).await;
            stage.pay(&submission);
            let order = stage.row(&number).await;
            let outcome = stage.notify_twisted(&submission, twist).await;
            assert!(outcome.acknowledged, "{field}: {outcome:?}");

            stage.stands(&number, &order, field).await;
            let held = stage.held().await;
            assert_eq!(held.len(), place + 1);
            assert_eq!(
                (held[place].order_id.as_str(), held[place].source.as_str()),
                (order.id.as_str(), "notice")
            );
            assert!(
                held[place].differences.contains(&format!("\"field\":\"{field}\"")),
                "{}",
                held[place].differences
            );
            assert!(stage.notes(&number, "notice").await[0]["held"].is_array(), "the journal has it");
            assert_eq!(stage.paid_events(&order.id).await, []);
            // It causes a query; unanswered, that changes nothing either.
            soon(stage.upstream().seen_queries(place as u64 + 1)).await;
        }
        assert_eq!(stage.row("another").await, before, "the order it names is as it was");
        assert_eq!(stage.deliver_due().await, 0);

        // The true notice agrees, and settles the order as if nothing had been.
        stage.upstream().clear_faults();
        stage.notify(&stage.submission_no("p0").await).await;
        assert_eq!(stage.row("p0").await.status, "paid");
        assert_eq!(stage.deliver_due().await, 1);
        assert_eq!(stage.shop().paid_now().len(), 1);
    }
);

on_both!(a_held_notice_causes_a_query_that_settles_the_order, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    assert_eq!(stage.query("p1").await.body["status"], 0);
    stage.pay(&number);
    // However lately the order was asked about: that answer did not know of this.
    assert!(stage.notify_twisted(&number, Twist::WrongAmount).await.acknowledged);
    soon(stage.upstream().seen_queries(2)).await;
    stage.idle().await;
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.paid), ("paid", 2100));
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().paid_now()[0].amount, 2100);
    assert_eq!(stage.queries(), 2);
});

on_both!(a_repeat_of_a_held_notice_is_acknowledged_and_held_once, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    let notice = stage.upstream().notice(&number, Some(&Twist::WrongAmount)).expect("a notice");
    for _ in 0..2 {
        assert_eq!(stage.post_notice(&number, &notice).await, (200, "success".to_owned()));
    }
    assert_eq!(stage.held().await.len(), 1);
});

on_both!(a_notice_that_is_not_genuine_is_not_acknowledged_and_nothing_is_kept, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let order = stage.row("p1").await;
    let journal = stage.journal(&order.id).await;

    let outcome = stage.notify_twisted(&number, Twist::WrongKey).await;
    assert_eq!((outcome.status, outcome.acknowledged), (Some(400), false));
    let genuine = stage.upstream().notice(&number, None).expect("a notice");
    let not_genuine = [
        String::new(),
        "success".to_owned(),
        "{}".to_owned(),
        genuine[..genuine.len() - 1].to_owned(),
        genuine.replace("\"orderAmount\":2100", "\"orderAmount\":2101"),
        genuine.replacen("response", "request", 1),
        genuine.replacen('{', "{\"response\":{},", 1),
    ];
    for document in not_genuine {
        let (status, text) = stage.post_notice(&number, &document).await;
        assert_eq!((status, text.as_str()), (400, "not genuine"), "{document}");
    }
    assert_eq!(stage.row("p1").await, order);
    assert_eq!(stage.journal(&order.id).await, journal);
    assert_eq!(stage.held().await, []);
    assert_eq!(stage.queries(), 0);
});

on_both!(only_the_notify_token_of_a_submission_takes_its_notices, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    stage.pay(&number);
    let notice = stage.upstream().notice(&number, None).expect("a notice");
    let upstream = stage.upstream().order(&number).expect("it is there");
    let return_url = upstream.content.return_url.expect("we always give one");
    let return_token = return_url.rsplit('/').next().expect("it ends with the token");
    let unknown = format!("{number}{}", gateway::chance::secret_text());
    for token in [return_token, &unknown, &number, "x"] {
        let url = stage.node().url(&format!("/callback/notify/{token}"));
        assert_eq!(stage.post_to(&url, &notice).await, (404, "unknown".to_owned()), "{token}");
    }
    assert_eq!(stage.row("p1").await.status, "awaiting");
    assert_eq!(stage.journal_kinds(&stage.row("p1").await.id).await, ["placed", "answer"]);
});

on_both!(a_notice_may_be_quicker_than_the_answer_to_create, async |stage: &mut Stage| {
    stage.fault(Operation::Create, Fault::PayBeforeAnswer);
    let answer = stage.open("p1").await;
    let upstream = stage.upstream_order("p1");
    assert_eq!(answer.pay_url(), upstream.pay_url);
    assert!(upstream.acknowledged);
    let order = stage.row("p1").await;
    assert_eq!((order.status.as_str(), order.pay_url.as_deref()), ("paid", Some(answer.pay_url())));
    assert!(!order.late);
    assert_eq!(stage.journal_kinds(&order.id).await, ["placed", "notice", "answer"]);
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.shop().received_now().len(), 1);
    assert_eq!(stage.open("p1").await.body, answer.body);
});

on_both!(a_notice_verifies_with_any_key_that_was_valid_since_its_submission, async |stage: &mut Stage| {
    const NEW_KEY: &str = "9c56cc51b374c3ba189210d5b6d4bf579c56cc51b374c3ba189210d5b6d4bf57";
    stage.open("before").await;
    let before = stage.submission_no("before").await;
    let old = stage.upstream().notice(&before, None).expect("a notice");
    stage.advance(Duration::from_secs(1));
    stage.rotate_account_key(NEW_KEY, 60_000).await;
    stage.upstream().set_partner(upstream_partner(NEW_KEY)).expect("the upstream knows the new key");
    stage.advance(Duration::from_mins(2));
    stage.open("after").await;
    let after = stage.submission_no("after").await;

    // The old key has ended, but it was valid when the first order was placed.
    assert_eq!(stage.post_notice(&before, &old).await, (200, "success".to_owned()));
    stage.pay(&before);
    stage.notify(&before).await;
    assert_eq!(stage.row("before").await.status, "paid");

    stage.pay(&after);
    stage.upstream().set_partner(upstream_partner(ACCOUNT_KEY)).expect("the upstream knows the old key");
    let outcome = stage.upstream().notify_now(&after).await.expect("a notice is sent");
    assert_eq!((outcome.status, outcome.acknowledged), (Some(400), false), "it ended before this order");
    stage.upstream().set_partner(upstream_partner(NEW_KEY)).expect("the upstream knows the new key");
    stage.notify(&after).await;
    assert_eq!(stage.row("after").await.status, "paid");
});

on_both!(a_notice_that_the_order_was_closed_closes_it, async |stage: &mut Stage| {
    stage.open("p1").await;
    let number = stage.submission_no("p1").await;
    assert!(stage.notify_twisted(&number, Twist::Code(33)).await.acknowledged);
    assert_eq!(stage.row("p1").await.status, "closed");
    assert_eq!(stage.deliver_due().await, 0, "notifyUrl hears of payments only");
});

on_both!(the_journal_keeps_what_came_in_without_signatures_and_keys, async |stage: &mut Stage| {
    stage.pay_one_order("p1").await;
    let order = stage.row("p1").await;
    let journal = stage.journal(&order.id).await;
    assert_eq!(journal.len(), 3);
    for entry in journal {
        let raw = String::from_utf8(entry.raw.expect("the bytes are kept")).expect("text");
        let value: serde_json::Value = serde_json::from_str(&raw).expect("the signed value as it came");
        let partner_no = if entry.kind == "placed" { json!("10001") } else { json!(UPSTREAM_PARTNER_NO) };
        assert_eq!(value["header"]["partnerNo"], partner_no);
        assert!(!raw.contains("signature") && !raw.contains(ACCOUNT_KEY), "{raw}");
    }
});
