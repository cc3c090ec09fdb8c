//! Versions of the merchant's sign key: which are good, and which one an answer or a notice is signed with.

use std::time::Duration;

use gateway::directory::setup::{Description, Workshop};
use gateway::entity::delivery::State;

use super::told::delivery;
use crate::harness::{Order, PLATFORM, Stage};
use crate::on_both;

const NEW_KEY: &str = "1f3870be274f6c49b3e31a0c6728957f1f3870be274f6c49b3e31a0c6728957f";

on_both!(
    a_previous_key_is_good_until_its_end_and_answers_are_signed_with_the_one_that_verified,
    async |stage: &mut Stage| {
        let old = |number: &str| stage.order(number);
        let new = |number: &str| Order { key: NEW_KEY.to_owned(), ..stage.order(number) };
        assert_eq!(stage.create(&new("p1")).await.code, 8, "not known yet");
        stage.rotate_merchant_key(NEW_KEY, 60_000).await;
        // `create` verifies the answer with the key that signed the request.
        for (number, order) in [("p1", old("p1")), ("p2", new("p2"))] {
            let answer = stage.create(&order).await;
            assert_eq!((answer.code, answer.genuine), (1, true), "{number}");
        }
        stage.advance(Duration::from_millis(59_999));
        assert_eq!(stage.create(&old("p3")).await.code, 1);
        stage.advance(Duration::from_millis(1));
        let ended = stage.create(&old("p4")).await;
        assert_eq!((ended.code, ended.genuine), (8, false));
        assert_eq!(stage.create(&new("p4")).await.code, 1);
    }
);

on_both!(a_notice_is_signed_with_the_version_last_used_and_once_with_the_other, async |stage: &mut Stage| {
    stage.open("p1").await;
    let old = stage.row("p1").await.sign_key_id;
    let new = stage.rotate_merchant_key(NEW_KEY, 7_200_000).await;
    // The shop has not changed its key yet, and did not sign anything since.
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    for wait in [15, 15, 30, 180] {
        stage.shop().answer_next(200, "fail");
        assert_eq!(stage.deliver_due().await, 1);
        stage.advance(Duration::from_secs(wait));
    }
    let verified: Vec<bool> = stage.shop().received_now().iter().map(|notice| notice.verified).collect();
    assert_eq!(verified, [true, false, true, true]);
    let attempts = stage.attempts(&delivery(stage, "p1").await.id).await;
    let keys: Vec<&str> = attempts.iter().map(|attempt| attempt.sign_key_id.as_str()).collect();
    assert_eq!(keys, [&*old, &*new, &*old, &*old], "every attempt says which version it used");

    // Now it has.
    let with_new = |number: &str| Order { key: NEW_KEY.to_owned(), ..stage.order(number) };
    assert_eq!(stage.create(&with_new("p2")).await.code, 1);
    let submission = stage.submission_no("p2").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    stage.shop().set_sign_key(NEW_KEY);
    assert_eq!(stage.deliver_due().await, 2);
    let attempts = stage.attempts(&delivery(stage, "p2").await.id).await;
    assert_eq!(attempts[0].sign_key_id, new);
    for number in ["p1", "p2"] {
        assert_eq!(delivery(stage, number).await.state, State::Delivered, "{number}");
    }
});

on_both!(the_version_an_order_was_placed_with_is_remembered_over_a_restart, async |stage: &mut Stage| {
    stage.open("p1").await;
    let old = stage.row("p1").await.sign_key_id;
    stage.rotate_merchant_key(NEW_KEY, 7_200_000).await;
    stage.restart().await;
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    let notice = stage.upstream().notice(&submission, None).expect("a notice");
    assert_eq!(stage.post_notice(&submission, &notice).await.0, 200);
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.attempts(&delivery(stage, "p1").await.id).await[0].sign_key_id, old);
    assert_eq!(stage.shop().paid_now().len(), 1);
});

on_both!(the_version_last_used_is_remembered_when_merchants_are_loaded_again, async |stage: &mut Stage| {
    stage.open("p1").await;
    let new = stage.rotate_merchant_key(NEW_KEY, 7_200_000).await;
    assert_eq!(stage.create(&Order { key: NEW_KEY.to_owned(), ..stage.order("p2") }).await.code, 1);
    stage.set_freshness_ms(600_000).await;
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.attempts(&delivery(stage, "p1").await.id).await[0].sign_key_id, new);
});

on_both!(a_notice_is_not_signed_with_a_version_that_has_ended, async |stage: &mut Stage| {
    stage.open("p1").await;
    let new = stage.rotate_merchant_key(NEW_KEY, 60_000).await;
    stage.shop().set_sign_key(NEW_KEY);
    stage.advance(Duration::from_mins(1));
    let submission = stage.submission_no("p1").await;
    stage.pay(&submission);
    stage.notify(&submission).await;
    assert_eq!(stage.deliver_due().await, 1);
    assert_eq!(stage.attempts(&delivery(stage, "p1").await.id).await[0].sign_key_id, new);
    assert_eq!(stage.shop().paid_now().len(), 1);
});

on_both!(a_key_brought_along_has_128_bits_at_least_and_one_of_ours_has_256, async |stage: &mut Stage| {
    let merchant = |partner_no: &str, key: &str| -> Description {
        let text = format!(
            "[[platform]]\nslug = \"{PLATFORM}\"\n[[platform.merchant]]\nname = \"New\"\npartner_no = \"{partner_no}\"\nmode = \"test\"\n{key}"
        );
        toml::from_str(&text).expect("a description")
    };
    let workshop = Workshop::of(stage.app());
    let short = merchant("30001", "sign_key = \"123456789012345\"");
    let refused = workshop.make(&short).await.err().expect("it is refused");
    assert!(format!("{refused:#}").contains("128 bits"), "{refused:#}");
    let long = merchant("30001", "sign_key = \"1234567890123456\"");
    assert_eq!(workshop.make(&long).await.expect("it is taken").merchants[0].sign_key, None);
    let made = workshop.make(&merchant("30002", "")).await.expect("it is made");
    let key = made.merchants[0].sign_key.as_deref().expect("it is shown once");
    assert!(key.len() == 64 && key.bytes().all(|b| b.is_ascii_hexdigit()), "{} characters", key.len());
});
