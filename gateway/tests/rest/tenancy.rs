//! Every route of the contract under `/v1`, called by everybody who may not: nobody, keys that are no good, another
//! platform, another merchant, the other mode. The routes come from the document, so that a new one is walked or
//! fails for want of a row here.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway::directory::access::{Mode, Scope};
use gateway::directory::api_keys::new_key;
use http::Method;
use sandbox::Twist;
use serde_json::{Value, json};

use crate::harness::rest::guarded;
use crate::harness::web::Reply;
use crate::harness::{HKD_STORE, Stage};
use crate::on_both;

/// An id that nothing has.
const NOBODYS: &str = "01KXVZ5B8M3Q0V6T9YJ2C4E7GH";

/// What to send to each operation so that it would be done if the caller might.
fn body(operation_id: &str) -> Value {
    match operation_id {
        "createMerchant" => json!({ "name": "A" }),
        "changeMerchant" => json!({ "name": "B" }),
        "createAccount" => json!({ "partnerNo": "91919", "signKey": "0123456789abcdef" }),
        "changeAccount" => json!({ "numbersOf": null }),
        "rotateAccountSignKey" => json!({ "signKey": "fedcba9876543210" }),
        "rotateSignKey" | "checkEndpoint" | "rotateEndpointSecret" => json!({}),
        "createStore" => json!({
            "merchantId": NOBODYS, "accountId": NOBODYS, "upstreamStoreNo": "1", "currency": "HKD", "wallets": ["Alipay"],
        }),
        "changeStore" => json!({ "wallets": ["Alipay"] }),
        "onboardMerchants" => json!({ "rows": [{ "name": "A" }] }),
        "importOrders" => json!({ "rows": [{
            "number": "old-1", "storeNo": HKD_STORE, "amount": 2100, "currency": "HKD", "status": "paid",
            "createdAt": "2026-09-20T14:13:21Z",
        }] }),
        "createEndpoint" => json!({ "url": "http://shop.example/events", "merchantId": NOBODYS }),
        "changeEndpoint" => json!({ "description": "walked" }),
        "createApiKey" => json!({ "name": "n", "scopes": ["orders:read"] }),
        "placeOrder" => {
            json!({ "product": "qrcode", "number": "walk-17", "storeNo": HKD_STORE, "wallet": "Alipay",
            "currency": "HKD", "amount": 2100 })
        }
        "releaseFact" | "rejectFact" => json!({ "reason": "a test" }),
        "refundOrder" => json!({ "refundNo": "walk-refund-18", "amount": 1 }),
        "diagnoseSignature" => json!({ "document": "no envelope" }),
        "eraseBuyer"
        | "listFacts"
        | "getFact"
        | "listOrderEvents"
        | "checkStatement"
        | "listOrders"
        | "listOrderRefunds"
        | "listRefunds"
        | "getRefund"
        | "getOrder"
        | "getOrderTimeline"
        | "getTimelineRaw"
        | "getStatement"
        | "listSignatureFailures"
        | "offboardMerchant"
        | "exportMerchant"
        | "listAccounts"
        | "getAccount"
        | "listAccountSignKeys"
        | "listSignKeys"
        | "listStores"
        | "getStore"
        | "disableStore"
        | "enableStore"
        | "checkStore"
        | "listMerchants"
        | "getMerchant"
        | "suspendMerchant"
        | "resumeMerchant"
        | "listApiKeys"
        | "getApiKey"
        | "revokeApiKey"
        | "listAudit"
        | "listAttention"
        | "makeAccountNoticeUrl"
        | "fetchEvents"
        | "getService"
        | "listEndpoints"
        | "getEndpoint"
        | "deleteEndpoint"
        | "verifyEndpoint"
        | "pauseEndpoint"
        | "resumeEndpoint"
        | "testEndpoint" => Value::Null,
        other => panic!("{other} is new: say here what to send to it"),
    }
}

/// What to put behind the path: routes of a merchant's own are told whose by a platform.
fn query(pattern: &str) -> &'static str {
    if pattern == "/v1/statements/check" {
        "?account={accountId}&day=2026-09-21"
    } else if pattern == "/v1/statement" {
        "?merchant={merchantId}&day=2026-09-21&store=100010000000002"
    } else if ["/v1/orders", "/v1/refunds", "/v1/events", "/v1/service", "/v1/signature", "/v1/selfcheck"]
        .iter()
        .any(|path| pattern.starts_with(path))
    {
        "?merchant={merchantId}"
    } else {
        ""
    }
}

/// Ids of things of the first platform's, by the names of path parameters.
struct Ours {
    ids: BTreeMap<&'static str, String>,
}

impl Ours {
    async fn of(stage: &Stage) -> Self {
        let merchant = stage.merchant_id();
        let (api_key, _) = stage.api_key(&["orders:read"], Some(&merchant)).await;
        let number = "walk-order-17".to_owned();
        stage.open(&number).await;
        let order = stage.row(&number).await;
        let entry = stage.journal(&order.id).await.remove(0).id;
        stage.pay(&order.submission_id);
        stage.notify(&order.submission_id).await;
        let refund_no = "walk-refund-17".to_owned();
        let path = format!("/v1/orders/{number}/refunds?merchant={merchant}");
        let refund = stage.post(&path, json!({ "refundNo": refund_no, "amount": 2 })).await;
        assert_eq!(refund.status, 201, "{}", refund.text());
        stage.deafen();
        stage.notify_twisted(&order.submission_id, Twist::WrongAmount).await;
        let fact = stage.held().await.remove(0).id;
        let wanted = json!({ "url": "http://shop.example/events", "merchantId": merchant });
        let endpoint = stage.post("/v1/endpoints", wanted).await.json()["id"].clone();
        let ids = [
            ("endpointId", endpoint.as_str().expect("an id").to_owned()),
            ("merchantId", merchant),
            ("apiKeyId", api_key),
            ("accountId", stage.account_id()),
            ("storeId", stage.store_id()),
            ("number", number),
            ("entryId", entry),
            ("factId", fact),
            ("refundNo", refund_no),
        ];
        Self { ids: BTreeMap::from(ids) }
    }

    /// The path with our ids in it, and with nobody's.
    fn paths(&self, pattern: &str) -> (String, String) {
        let pattern = format!("{pattern}{}", query(pattern));
        let (mut ours, mut nobodys) = (pattern.clone(), pattern.clone());
        for (name, id) in &self.ids {
            ours = ours.replace(&format!("{{{name}}}"), id);
            nobodys = nobodys.replace(&format!("{{{name}}}"), NOBODYS);
        }
        assert!(!ours.contains('{'), "{pattern} has a parameter that is new: give it an id here");
        (ours, nobodys)
    }

    fn are_in(&self, text: &str) -> bool {
        self.ids.values().any(|id| text.contains(id.as_str()))
    }
}

async fn call(stage: &Stage, method: &Method, path: &str, authorization: Option<&str>, body: Value) -> Reply {
    let headers: Vec<(&str, &str)> = authorization.iter().map(|value| ("authorization", *value)).collect();
    stage.rest(method.clone(), path, &headers, Some(body)).await
}

fn scope_of(operation: &Value) -> Scope {
    let scope = operation.pointer("/security/0/apiKey/0").and_then(Value::as_str);
    let scope = scope.unwrap_or_else(|| panic!("{} names no scope", operation["operationId"]));
    Scope::parse(scope).expect("a scope that is known")
}

on_both!(nobody_and_bad_keys_get_one_answer_from_every_route, async |stage: &mut Stage| {
    let ours = Ours::of(stage).await;
    let key = stage.world.keys.test.clone();
    let (revoked_id, revoked) = stage.api_key(&["orders:read"], None).await;
    stage.post(&format!("/v1/api-keys/{revoked_id}/revoke"), Value::Null).await;
    let ends = json!({ "name": "n", "scopes": ["orders:read"], "expiresAt": "2026-09-21T14:13:21Z" });
    let expired =
        stage.post("/v1/api-keys", ends).await.json()["key"]["secret"].as_str().expect("shown").to_owned();
    stage.advance(Duration::from_secs(1));
    let mut tampered = key.clone();
    tampered.replace_range(20..21, if &key[20..21] == "a" { "b" } else { "a" });
    let unknown = new_key(Mode::Test).text.to_string();
    let bad = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some(format!("Basic {key}")),
        Some(key.clone()),
        Some(format!("Bearer {key} {key}")),
        Some("Bearer eyJhbGciOiJub25lIn0.e30.".to_owned()),
        Some(format!("Bearer {tampered}")),
        Some(format!("Bearer {unknown}")),
        Some(format!("Bearer {revoked}")),
        Some(format!("Bearer {expired}")),
    ];
    let mut answers = Vec::new();
    for (pattern, method, operation) in guarded() {
        let (path, _) = ours.paths(pattern);
        let id = operation["operationId"].as_str().expect("an id");
        for authorization in &bad {
            let reply = call(stage, &method, &path, authorization.as_deref(), body(id)).await;
            assert_eq!(reply.status, 401, "{method} {path} as {authorization:?}");
            let mut headers: Vec<String> =
                reply.headers.keys().map(|name| name.as_str().to_owned()).collect();
            headers.sort();
            answers.push((reply.text().to_owned(), headers));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "all are answered alike: {answers:?}");
});

on_both!(what_belongs_to_others_is_like_what_does_not_exist, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ours = Ours::of(stage).await;
    let for_merchants: Vec<&str> =
        Scope::ALL.into_iter().filter(|scope| scope.is_for_merchants()).map(Scope::as_str).collect();
    let (_, neighbour) = stage.api_key(&for_merchants, Some(&stage.neighbour_id())).await;
    let strangers = [
        ("another platform", stage.world.keys.other.clone()),
        ("another merchant", neighbour),
        ("the other mode", stage.world.keys.live.clone()),
    ];
    for (pattern, method, operation) in guarded() {
        let (path, nobodys) = ours.paths(pattern);
        let id = operation["operationId"].as_str().expect("an id");
        for (who, key) in &strangers {
            let bearer = format!("Bearer {key}");
            let reply = call(stage, &method, &path, Some(&bearer), body(id)).await;
            let about = format!("{method} {path} as {who}: {} {}", reply.status, reply.text());
            if *who == "another merchant" && !scope_of(operation).is_for_merchants() {
                assert_eq!(reply.status, 403, "{about}");
            } else if pattern.contains('{') || query(pattern).contains('{') {
                assert_eq!(reply.status, 404, "{about}");
                let nobodys = call(stage, &method, &nobodys, Some(&bearer), body(id)).await;
                assert_eq!((nobodys.status, nobodys.text()), (404, reply.text()), "{about}");
            } else {
                // A body that names nobody's merchant is refused for that.
                let expected =
                    if ["createStore", "createEndpoint"].contains(&id) { 422..423 } else { 200..300 };
                assert!(expected.contains(&reply.status), "{about}");
            }
            assert!(!ours.are_in(reply.text()), "{about}");
        }
    }
});

on_both!(a_key_without_the_scope_is_told_which_it_lacks, async |stage: &mut Stage| {
    let ours = Ours::of(stage).await;
    for (pattern, method, operation) in guarded() {
        let (path, _) = ours.paths(pattern);
        let id = operation["operationId"].as_str().expect("an id");
        let scope = scope_of(operation);
        let others: Vec<&str> =
            Scope::ALL.into_iter().filter(|other| *other != scope).map(Scope::as_str).collect();
        let (_, key) = stage.api_key(&others, None).await;
        let reply = call(stage, &method, &path, Some(&format!("Bearer {key}")), body(id)).await;
        assert_eq!(reply.status, 403, "{method} {path}");
        assert!(reply.json()["detail"].as_str().is_some_and(|text| text.contains(scope.as_str())));
    }
});
