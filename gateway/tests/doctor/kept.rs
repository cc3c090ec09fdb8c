//! Requests that do not verify are kept for the merchant whose number they name, and for nobody else.

use std::time::Duration;

use gateway::doctor::kept::{KEPT_MS, PER_MERCHANT};
use gateway::doctor::{self, Case, Key, KeyRole, Mistake, Verdict};
use serde_json::json;
use shared::envelope::{Side, request_header, seal};

use crate::harness::merchant::{post, signed};
use crate::harness::people::{NEIGHBOUR_NO, OTHER_PLATFORM};
use crate::harness::{MERCHANT_KEY, Order, PARTNER_NO, PLATFORM, Stage};
use crate::on_both;

on_both!(a_request_that_does_not_verify_is_kept_for_its_merchant_alone, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let now = stage.app().clock.now();
    let url = stage.node().url(&format!("/{PLATFORM}/api/common/payQuery"));
    let right = signed(PARTNER_NO, MERCHANT_KEY, "", &json!({"orderNo": "http://1"}), now);
    let wrong = right.replace('/', "\\/");
    post(&url, right, MERCHANT_KEY).await;
    post(&url, wrong.clone(), MERCHANT_KEY).await;
    post(&url, signed("99999", "somebody's", "", &json!({}), now), MERCHANT_KEY).await;

    let app = stage.app();
    let kept = app.failures.of(&stage.merchant_id(), app.clock.now_ms());
    assert_eq!(kept.len(), 1, "the one that verified is not kept");
    assert_eq!(kept[0].document.as_ref(), wrong.as_bytes());
    assert!(kept[0].is_whole());
    let keys = vec![Key { role: KeyRole::Current, text: MERCHANT_KEY }];
    let case = Case { document: &kept[0].document, partner_no: Some(PARTNER_NO), keys };
    let Verdict::Mistaken(found) = doctor::diagnose(&case).verdict else { panic!("not found") };
    assert_eq!(found.mistakes, [Mistake::SlashesPlain]);

    for (platform, number) in [(PLATFORM, NEIGHBOUR_NO), (OTHER_PLATFORM, PARTNER_NO)] {
        let other = app.directory.merchant(platform, number).expect("they moved in");
        assert_eq!(app.failures.of(&other.id, app.clock.now_ms()), []);
    }
    stage.advance(Duration::from_millis(u64::try_from(KEPT_MS).expect("not negative")));
    assert_eq!(app.failures.of(&stage.merchant_id(), app.clock.now_ms()), []);
});

on_both!(only_the_last_twenty_are_kept_and_no_key_with_them, async |stage: &mut Stage| {
    let app = stage.app();
    for n in 0..=PER_MERCHANT {
        let order = Order { key: "wrong".to_owned(), ..stage.order(&format!("p{n}")) };
        assert_eq!(stage.create(&order).await.code, 8);
    }
    let kept = app.failures.of(&stage.merchant_id(), app.clock.now_ms());
    assert_eq!(kept.len(), PER_MERCHANT);
    assert!(!kept.iter().any(|failure| failure.document.windows(5).any(|text| text == b"\"p0\",")));

    let header = request_header(PARTNER_NO, "", app.clock.now());
    let careless = seal(Side::Request, &header, &json!({"key": MERCHANT_KEY}).to_string(), "wrong");
    post(&stage.node().url(&format!("/{PLATFORM}/api/common/payQuery")), careless, MERCHANT_KEY).await;
    let kept = app.failures.of(&stage.merchant_id(), app.clock.now_ms());
    assert!(kept[0].held_key);
    let text = String::from_utf8_lossy(&kept[0].document);
    assert!(!text.contains(MERCHANT_KEY) && text.contains("***"), "{text}");
});
