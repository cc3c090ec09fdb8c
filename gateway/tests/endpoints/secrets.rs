//! What events are signed with, while owners and operators change it.

use std::time::Duration;

use gateway::directory::master;
use serde_json::{Value, json};

use super::kit::verifying;
use crate::harness::Stage;
use crate::harness::receiver::Receiver;
use crate::on_both;

on_both!(the_secrets_before_and_after_a_rotation_both_sign_for_a_while, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({ "keyPair": true })).await;
    let old_public = endpoint.shown["publicKey"].as_str().expect("a key").to_owned();
    let rotated = stage.post(&endpoint.path("/secrets"), json!({ "previousForHours": 2 })).await;
    assert_eq!(rotated.status, 201, "{}", rotated.text());
    let rotated = rotated.json();
    let new = rotated["secret"]["secret"].as_str().expect("a secret").to_owned();
    let new_public = rotated["publicKey"].as_str().expect("a key").to_owned();
    assert_ne!((&new, &new_public), (&endpoint.secret, &old_public));
    assert_eq!(stage.shown(&endpoint).await["publicKey"], json!(new_public));

    let keys = [&endpoint.secret, &old_public, &new, &new_public];
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let heard = receiver.events().remove(0);
    assert_eq!(keys.map(|key| verifying(&heard, key)), [1, 1, 1, 1]);
    stage.advance(Duration::from_hours(2));
    stage.pay_one_order("p2").await;
    stage.deliver_due().await;
    let heard = receiver.events().remove(1);
    assert_eq!(keys.map(|key| verifying(&heard, key)), [0, 0, 1, 1], "the old ones have ended");
    let bare = stage.post(&endpoint.path("/secrets"), Value::Null).await;
    assert_eq!(bare.status, 201, "all of the body is optional: {}", bare.text());
    let at_once = stage.post(&endpoint.path("/secrets"), json!({ "previousForHours": 0 })).await.json();
    stage.pay_one_order("p3").await;
    stage.deliver_due().await;
    let heard = receiver.events().remove(2);
    assert_eq!(verifying(&heard, &new), 0);
    assert_eq!(verifying(&heard, at_once["secret"]["secret"].as_str().expect("a secret")), 1);
});

on_both!(a_few_sign_at_once_and_a_shorter_overlap_ends_earlier_ones_sooner, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({})).await;
    let mut secrets = vec![endpoint.secret.clone()];
    let rotate = async |stage: &Stage, hours: u32| {
        stage.post(&endpoint.path("/secrets"), json!({ "previousForHours": hours })).await
    };
    let signing = async |stage: &mut Stage, number: &str, secrets: &[String]| {
        stage.pay_one_order(number).await;
        stage.deliver_due().await;
        let heard = receiver.events().pop().expect("an event");
        secrets.iter().map(|secret| verifying(&heard, secret)).collect::<Vec<_>>()
    };
    for _ in 0..4 {
        let made = rotate(stage, 10).await.json();
        secrets.push(made["secret"]["secret"].as_str().expect("a secret").to_owned());
        stage.advance(Duration::from_secs(1));
    }
    assert_eq!(signing(stage, "p1", &secrets).await, [1, 1, 1, 1, 1]);
    let sixth = rotate(stage, 10).await;
    assert_eq!((sixth.status, &sixth.json()["code"]), (409, &json!("too_many_secrets")));
    assert!(sixth.text().contains("the first of them ends at 2026-"), "{}", sixth.text());

    stage.advance(Duration::from_hours(10));
    assert_eq!(signing(stage, "p2", &secrets).await, [0, 0, 0, 0, 1]);
    let made = rotate(stage, 10).await.json();
    secrets.push(made["secret"]["secret"].as_str().expect("a secret").to_owned());
    let made = rotate(stage, 1).await.json();
    secrets.push(made["secret"]["secret"].as_str().expect("a secret").to_owned());
    assert_eq!(signing(stage, "p3", &secrets).await, [0, 0, 0, 0, 1, 1, 1]);
    stage.advance(Duration::from_hours(1));
    assert_eq!(
        signing(stage, "p4", &secrets).await,
        [0, 0, 0, 0, 0, 0, 1],
        "none longer than the latest overlap"
    );
});

on_both!(a_new_master_key_seals_secrets_and_headers_anew_and_they_go_on, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({ "headers": { "X-Key": "theirs" } })).await;
    master::rotate(stage.app()).await.expect("a new key");
    assert!(master::left(stage.app()).await.expect("it is counted") >= 2);
    master::sweep(stage.app()).await.expect("sealed anew");
    assert_eq!(master::left(stage.app()).await.expect("it is counted"), 0);
    assert_eq!(master::drop_previous(stage.app()).await.expect("dropped"), 1);
    stage.restart().await;
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    let heard = receiver.events().remove(0);
    assert_eq!((verifying(&heard, &endpoint.secret), heard.header("x-key")), (1, "theirs"));
    assert_eq!(stage.post(&endpoint.path("/test"), Value::Null).await.status, 200);
});
