//! Who has not proven who they are: only failures count, by address, and nobody's limits are shown to them.

use http::Method;

use super::kit::{QUERY, Told, post};
use crate::harness::merchant::signed;
use crate::harness::web::{exchange, get};
use crate::harness::{MERCHANT_KEY, PARTNER_NO, Stage};
use crate::on_both;
use serde_json::json;

const WRONG: &str = "somebody's";

/// What a stranger hears: code, and how it was signed with the key that is nobody's.
async fn knock(stage: &Stage, partner_no: &str) -> Told {
    let document = signed(partner_no, WRONG, "", &json!({"orderNo": "1"}), stage.app().clock.now());
    let decoy = stage.app().pepper.decoy_key(partner_no);
    post(stage.node(), QUERY, document, &decoy).await
}

on_both!(
    an_address_that_fails_too_often_is_told_to_wait_whoever_it_claims_to_be,
    [("limits.failed_authentications", "2/1h")],
    async |stage: &mut Stage| {
        for partner_no in [PARTNER_NO, "99999"] {
            let told = knock(stage, partner_no).await;
            assert_eq!((told.code, told.genuine), (8, true));
            assert_eq!((told.limit, told.policy, told.retry_after), (None, None, None));
        }
        let [known, unknown] = [knock(stage, PARTNER_NO).await, knock(stage, "99999").await];
        for told in [&known, &unknown] {
            assert_eq!((told.code, told.genuine, told.retry_after), (9, true, Some(1800)));
            assert_eq!(told.limit.as_deref(), Some(r#""address";r=0;t=1800"#));
            assert_eq!(told.policy.as_deref(), Some(r#""address";q=2;w=3600"#));
        }
        assert_eq!(known.msg, unknown.msg);
    }
);

on_both!(
    whoever_proves_who_they_are_is_served_from_an_address_that_failed,
    [("limits.failed_authentications", "1/1h"), ("limits.merchant", "2/1h")],
    async |stage: &mut Stage| {
        for _ in 0..5 {
            knock(stage, PARTNER_NO).await;
        }
        let told = stage.place(&stage.order("p1")).await;
        assert_eq!(
            (told.code, told.left("merchant")),
            (1, Some(1)),
            "strangers have drawn nothing: {told:?}"
        );
        stage.look_up("p1").await.assert_within();
        stage.look_up("p1").await.assert_over("merchant");
        let told = knock(stage, PARTNER_NO).await;
        assert_eq!(told.left("merchant"), None, "the merchant's limit is not theirs to see");
    }
);

on_both!(
    tokens_that_are_nobodys_count_as_failures,
    [("limits.failed_authentications", "2/1h")],
    async |stage: &mut Stage| {
        let url = stage.node().url(&format!("/callback/notify/{}", "A".repeat(52)));
        assert_eq!(stage.post_to(&url, "{}").await.0, 404);
        let url = stage.node().url("/callback/return/x");
        assert_eq!(get(&url).await.status, 404);
        let reply = get(&url).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1800")));
        assert_eq!(reply.header("ratelimit"), Some(r#""address";r=0;t=1800"#));
    }
);

on_both!(
    a_valid_token_is_exempt_up_to_the_cap_for_all,
    [("limits.failed_authentications", "1/1h"), ("limits.callbacks", "2/1h")],
    async |stage: &mut Stage| {
        for number in ["p1", "p2", "p3"] {
            stage.open(number).await;
        }
        let url = stage.node().url("/callback/return/x");
        for _ in 0..2 {
            get(&url).await;
        }
        for number in ["p1", "p2"] {
            let submission = stage.submission_no(number).await;
            stage.pay(&submission);
            stage.notify(&submission).await;
        }
        let submission = stage.submission_no("p3").await;
        stage.pay(&submission);
        let outcome = stage.upstream().notify_now(&submission).await.expect("a notice is sent");
        assert!(!outcome.acknowledged, "it comes again: {outcome:?}");
        assert_eq!(stage.row("p3").await.status, "awaiting");

        let order = stage.upstream().order(&submission).expect("it is there");
        let back = order.content.return_url.expect("we always give one");
        let back = stage.node().url(url::Url::parse(&back).expect("a URL").path());
        let reply = exchange(Method::POST, &back, &[], bytes::Bytes::new()).await;
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1800")));
        stage.advance(std::time::Duration::from_mins(30));
        stage.notify(&submission).await;
    }
);

on_both!(
    what_is_signed_with_the_merchants_key_only_goes_to_the_merchant,
    [("limits.failed_authentications", "1/1h")],
    async |stage: &mut Stage| {
        let document = signed(PARTNER_NO, WRONG, "", &json!({"orderNo": "1"}), stage.app().clock.now());
        for code in [8, 9] {
            let told = post(stage.node(), QUERY, document.clone(), MERCHANT_KEY).await;
            assert_eq!((told.code, told.genuine), (code, false));
        }
    }
);
