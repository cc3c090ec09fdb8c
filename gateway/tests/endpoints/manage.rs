//! Made, shown, changed and proven.

use serde_json::{Value, json};

use super::kit::{Registered, verifying};
use crate::harness::Stage;
use crate::harness::receiver::Receiver;
use crate::harness::side::Side;
use crate::on_both;

on_both!(nothing_is_sent_before_the_url_has_echoed_the_challenge, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.register(&receiver, json!({})).await;
    assert_eq!(endpoint.shown["status"], json!("unproven"));
    assert!(endpoint.secret.starts_with("whsec_"));
    stage.pay_one_order("p1").await;
    stage.deliver_due().await;
    assert!(receiver.heard().is_empty(), "nothing was promised");

    receiver.echoes(false);
    receiver.answer(200, "hello");
    let refused = stage.post(&endpoint.path("/verify"), Value::Null).await;
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(refused.json()["code"], json!("not_proven"));
    assert!(
        refused.text().contains("answered 200 without the challenge's text: hello"),
        "{}",
        refused.text()
    );
    receiver.answer(500, "");
    let refused = stage.post(&endpoint.path("/verify"), Value::Null).await;
    assert!(refused.text().contains("it answered 500"), "{}", refused.text());
    for (path, code) in [("/pause", "not_proven"), ("/resume", "not_proven"), ("/test", "not_proven")] {
        let refused = stage.post(&endpoint.path(path), Value::Null).await;
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!(code)), "{path}");
    }

    receiver.echoes(true);
    receiver.answer(200, "");
    let proven = stage.post(&endpoint.path("/verify"), Value::Null).await;
    assert_eq!(proven.status, 200, "{}", proven.text());
    assert_eq!(proven.json()["status"], json!("active"));
    stage.pay_one_order("p2").await;
    stage.deliver_due().await;
    let told: Vec<_> = receiver.events().iter().map(crate::harness::receiver::Heard::told).collect();
    assert_eq!(told, [("order.paid".to_owned(), "p2".to_owned())]);
});

on_both!(another_url_is_proven_anew_and_what_is_due_waits_and_goes_there, async |stage: &mut Stage| {
    let (old, new) = (Receiver::open().await, Receiver::open().await);
    let endpoint = stage.endpoint_at(&old, json!({})).await;
    stage.pay_one_order("p1").await;
    let changed = stage.patch(&endpoint.path(""), json!({ "url": new.url("/moved") })).await;
    assert_eq!(changed.json()["status"], json!("unproven"), "{}", changed.text());
    stage.deliver_due().await;
    assert!(old.events().is_empty() && new.events().is_empty());
    let same = stage.patch(&endpoint.path(""), json!({ "description": "moved" })).await;
    assert_eq!(same.json()["status"], json!("unproven"));
    stage.post(&endpoint.path("/verify"), Value::Null).await;
    stage.deliver_due().await;
    assert!(old.events().is_empty());
    assert_eq!(new.events()[0].path, "/moved");
});

on_both!(settings_are_shown_as_they_were_given_and_taken_back_with_null, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let store = stage.store_id();
    let settings = json!({
        "description": "ERP 收银台", "eventTypes": ["order.paid", "refund.failed"], "storeIds": [store],
        "wallets": ["Alipay"], "acknowledgement": { "kind": "field", "at": "/code", "equals": "0" },
        "schedule": ["5s", "1m 30s"], "timeout": "2s", "rate": 7, "concurrency": 2,
        "headers": { "Authorization": "Bearer a-secret-of-theirs", "X-Shop": "7" },
    });
    let endpoint = stage.register(&receiver, settings.clone()).await;
    let shown = stage.shown(&endpoint).await;
    for name in ["description", "eventTypes", "storeIds", "wallets", "acknowledgement", "schedule", "timeout"]
    {
        assert_eq!(shown[name], settings[name], "{name}");
    }
    assert_eq!((&shown["rate"], &shown["concurrency"]), (&json!(7), &json!(2)));
    assert_eq!(shown["headerNames"], json!(["Authorization", "X-Shop"]));
    let cleared = stage
        .patch(
            &endpoint.path(""),
            json!({ "eventTypes": null, "storeIds": null, "wallets": null, "schedule": null, "timeout": null,
                    "rate": null, "concurrency": null, "description": null, "headers": {} }),
        )
        .await;
    let cleared = cleared.json();
    for name in
        ["eventTypes", "storeIds", "wallets", "schedule", "timeout", "rate", "concurrency", "description"]
    {
        assert!(cleared.get(name).is_none(), "{name}: {cleared}");
    }
    assert_eq!(cleared["headerNames"], json!([]));
    assert_eq!(cleared["acknowledgement"], settings["acknowledgement"], "what is absent stays");
    let usual = stage.patch(&endpoint.path(""), json!({ "acknowledgement": null })).await.json();
    assert_eq!(usual["acknowledgement"], json!({ "kind": "any_success" }), "{usual}");

    let audit = stage.get("/v1/audit").await;
    assert!(audit.text().contains("endpoint.created") && audit.text().contains("endpoint.changed"));
    let created = audit.json()["data"]
        .as_array()
        .expect("entries")
        .iter()
        .find(|entry| entry["action"] == "endpoint.created")
        .cloned();
    let after = created.expect("it is there")["after"].clone();
    assert_eq!(
        (&after["acknowledgement"]["field"]["at"], &after["wallets"]),
        (&json!("/code"), &json!(["Alipay"])),
        "{after}"
    );
    let everything = Side::open(stage).await.everything().await;
    for secret in ["a-secret-of-theirs", &endpoint.secret] {
        assert!(!audit.text().contains(secret) && !everything.contains(secret), "{secret}");
    }
});

on_both!(what_is_out_of_bounds_is_refused_by_its_pointer, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let merchant = stage.merchant_id();
    for (settings, pointer) in [
        (json!({ "url": "ftp://shop.example/" }), "/url"),
        (json!({ "url": "http://user:secret@shop.example/" }), "/url"),
        (json!({ "url": "http://shop.example/#part" }), "/url"),
        (json!({ "storeIds": ["01KXVZ5B8M3Q0V6T9YJ2C4E7GH"] }), "/storeIds/0"),
        (json!({ "schedule": ["1s", "25h"] }), "/schedule/1"),
        (json!({ "schedule": ["soon"] }), "/schedule/0"),
        (json!({ "timeout": "10m" }), "/timeout"),
        (json!({ "rate": 100_000 }), "/rate"),
        (json!({ "concurrency": 100_000 }), "/concurrency"),
        (json!({ "headers": { "webhook-id": "x" } }), "/headers/webhook-id"),
        (json!({ "headers": { "x/y": "x" } }), "/headers/x~1y"),
        (json!({ "headers": { "x-key": "1", "X-Key": "1" } }), "/headers/x-key"),
        (json!({ "eventTypes": ["order.paid", "fact.quarantined"] }), "/eventTypes/1"),
        (json!({ "headers": { "x-key": "a\nb" } }), "/headers/x-key"),
        (json!({ "acknowledgement": { "kind": "field", "at": "/code" } }), "/acknowledgement"),
        (
            json!({ "acknowledgement": { "kind": "success", "at": "/code", "equals": "0" } }),
            "/acknowledgement",
        ),
        (json!({ "format": "scanforpay", "eventTypes": ["order.closed"] }), "/eventTypes"),
        (json!({ "format": "scanforpay", "keyPair": true }), "/keyPair"),
        (json!({ "merchantId": "01KXVZ5B8M3Q0V6T9YJ2C4E7GH" }), "/merchantId"),
    ] {
        let mut body = json!({ "url": receiver.url("/"), "merchantId": merchant });
        for (name, value) in settings.as_object().expect("settings") {
            body[name] = value.clone();
        }
        let refused = stage.post("/v1/endpoints", body).await;
        assert_eq!(refused.status, 422, "{settings}: {}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], json!(pointer), "{settings}: {}", refused.text());
    }
    let own = json!({ "url": receiver.url("/"), "format": "scanforpay" });
    let refused = stage.post("/v1/endpoints", own).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], json!("/format"), "a platform has no sign key");
});

on_both!(an_owner_has_twenty_at_most_and_a_platform_as_many_for_itself, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    for _ in 0..20 {
        stage.register(&receiver, json!({})).await;
    }
    let body = json!({ "url": receiver.url("/"), "merchantId": stage.merchant_id() });
    let refused = stage.post("/v1/endpoints", body.clone()).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("too_many_endpoints")));
    let own = stage.post("/v1/endpoints", json!({ "url": receiver.url("/") })).await;
    assert_eq!(own.status, 201, "{}", own.text());
    assert!(own.json().get("merchantId").is_none());
    let list = stage.get("/v1/endpoints?limit=100").await.json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 21);
    let one = list["data"][1]["id"].as_str().expect("an id");
    assert_eq!(stage.delete(&format!("/v1/endpoints/{one}")).await.status, 200);
    assert_eq!(stage.post("/v1/endpoints", body).await.status, 201, "there is room again");
});

on_both!(a_merchants_own_key_sees_and_makes_its_own_and_no_others, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let merchant = stage.merchant_id();
    let (_, own) = stage.api_key(&["events:read", "endpoints:write"], Some(&merchant)).await;
    let platforms = stage.post("/v1/endpoints", json!({ "url": receiver.url("/") })).await.json();
    let made = stage.post_as(&own, "/v1/endpoints", json!({ "url": receiver.url("/") })).await;
    assert_eq!(made.json()["merchantId"], json!(merchant), "{}", made.text());
    let list = stage.get_as(&own, "/v1/endpoints").await.json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 1);
    let path = format!("/v1/endpoints/{}", platforms["id"].as_str().expect("an id"));
    assert_eq!(stage.get_as(&own, &path).await.status, 404);
    let reading = stage.api_key(&["events:read"], Some(&merchant)).await.1;
    let refused = stage.post_as(&reading, "/v1/endpoints", json!({ "url": receiver.url("/") })).await;
    assert_eq!(refused.status, 403);
});

on_both!(a_repeat_of_the_registration_shows_no_secret, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let body = json!({ "url": receiver.url("/"), "merchantId": stage.merchant_id(), "keyPair": true });
    let first = stage.post_once("key-1", "/v1/endpoints", body.clone()).await;
    let again = stage.post_once("key-1", "/v1/endpoints", body).await;
    assert_eq!((first.status, again.status), (201, 201));
    let (first, again) = (first.json(), again.json());
    assert_eq!(first["id"], again["id"]);
    assert!(first["publicKey"].as_str().expect("it is shown").starts_with("whpk_"));
    assert_eq!(first["publicKey"], again["publicKey"]);
    assert!(first["secret"]["secret"].is_string() && again["secret"].get("secret").is_none(), "{again}");
    assert!(again["secret"]["notice"].as_str().expect("words").contains("Rotate it"));
});

on_both!(a_test_event_is_sent_at_once_and_its_outcome_told, async |stage: &mut Stage| {
    let receiver = Receiver::open().await;
    let endpoint = stage.endpoint_at(&receiver, json!({})).await;
    let sent = stage.post(&endpoint.path("/test"), Value::Null).await.json();
    assert_eq!((&sent["acknowledged"], &sent["outcome"]), (&json!(true), &json!("delivered")));
    let heard = receiver.events().remove(0);
    assert_eq!(heard.json()["type"], json!("endpoint.test"));
    assert_eq!(verifying(&heard, &endpoint.secret), 1);
    receiver.answer(503, "not now");
    let sent = stage.post(&endpoint.path("/test"), Value::Null).await.json();
    assert_eq!((&sent["httpStatus"], &sent["excerpt"]), (&json!(503), &json!("not now")));
    assert_eq!(stage.shown(&endpoint).await["status"], json!("active"), "it was no delivery");
    for _ in 0..10 {
        stage.post(&endpoint.path("/test"), Value::Null).await;
    }
    let limited = stage.post(&endpoint.path("/test"), Value::Null).await;
    assert_eq!(limited.status, 429);
    assert!(limited.text().contains("endpoint"), "{}", limited.text());

    let other = stage.endpoint_at(&receiver, json!({ "format": "scanforpay" })).await;
    let refused = stage.post(&other.path("/test"), Value::Null).await;
    assert_eq!(refused.json()["code"], json!("wrong_format"));
    let refused = stage.post(&other.path("/secrets"), json!({})).await;
    assert_eq!(refused.json()["code"], json!("no_secret"));
});

on_both!(a_live_endpoint_is_https_and_gets_no_fiction, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let live = stage.world.keys.live.clone();
    let plain = stage.post_as(&live, "/v1/endpoints", json!({ "url": "http://shop.example/" })).await;
    assert_eq!(plain.json()["errors"][0]["pointer"], json!("/url"), "{}", plain.text());
    let made = stage.post_as(&live, "/v1/endpoints", json!({ "url": "https://shop.example/" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let endpoint = Registered {
        id: made.json()["id"].as_str().expect("an id").to_owned(),
        secret: String::new(),
        shown: Value::Null,
    };
    let refused = stage.post_as(&live, &endpoint.path("/test"), Value::Null).await;
    assert_eq!(refused.json()["code"], json!("test_only"));
    assert_eq!(stage.get(&endpoint.path("")).await.status, 404, "a test key knows nothing of it");
});
