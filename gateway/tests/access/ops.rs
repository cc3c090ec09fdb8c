//! `/ops/v1`: who may do what there, and that it is nowhere else.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use gateway::api;
use gateway::directory::acts::Actor;
use gateway::directory::operators::lockout::FREE_FAILURES;
use gateway::directory::operators::{Role, disable};
use gateway::directory::tokens::{Audience, Grant, LIFETIME};
use http::Method;
use sandbox::Twist;
use serde_json::{Value, json};

use crate::harness::people::OTHER_PLATFORM;
use crate::harness::web::{Reply, exchange};
use crate::harness::{PLATFORM, Stage};
use crate::on_both;
use crate::operating::{Ops, PASSWORD, someone};

/// An id that nothing has.
const NOBODYS: &str = "01KXVZ5B8M3Q0V6T9YJ2C4E7GH";

pub fn code(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["code"].as_str().unwrap_or_default().to_owned())
}

/// Every operation that takes a token.
fn guarded() -> Vec<(String, Method)> {
    let document = api::ops::document();
    let paths = document["paths"].as_object().expect("there are paths").clone();
    let operations = paths.into_iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("an object by method").clone();
        operations.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
    });
    let guarded = operations.filter(|(.., operation)| operation["security"][0].is_object());
    guarded
        .map(|(path, method, _)| {
            (
                path.replace("{name}", "anna")
                    .replace("{factId}", NOBODYS)
                    .replace("{entryId}", NOBODYS)
                    .replace("{id}", NOBODYS),
                method.to_uppercase().parse().expect("a method"),
            )
        })
        .collect()
}

fn body(path: &str, method: &Method) -> Value {
    match (method.as_str(), path) {
        ("POST", "/ops/v1/operators") => json!({ "name": "new", "password": PASSWORD, "role": "viewer" }),
        ("POST", "/ops/v1/platforms") => json!({ "slug": "new" }),
        ("POST", path) if path.starts_with("/ops/v1/quarantine/") => json!({ "reason": "a test" }),
        ("POST", path) if path.ends_with("/refunds") => json!({ "amount": 1, "reason": "cold" }),
        ("POST", path) if path.ends_with("/approve") => json!({}),
        ("POST", path) if path.ends_with("/decline") => json!({ "reason": "no" }),
        ("POST", path) if path.ends_with("/resolve") => json!({ "outcome": "failed", "reason": "no" }),
        ("POST", path) if path.starts_with("/ops/v1/endpoints/") => json!({ "reason": "a test" }),
        ("POST", path) if path.ends_with("/query") || path.starts_with("/ops/v1/merchants/") => {
            json!({ "reason": "a test" })
        }
        ("POST", "/ops/v1/replays") => json!({ "orderId": NOBODYS, "reason": "a test" }),
        ("POST", path) if path.ends_with("/start") => json!({ "total": 0 }),
        ("PATCH", path) if path.starts_with("/ops/v1/replays/") => json!({ "rate": 7 }),
        ("POST", path) if path.ends_with("/end") => json!({ "reason": "seen to" }),
        ("PATCH", _) => json!({ "limit": { "count": 1, "window": "1s" } }),
        _ => Value::Null,
    }
}

on_both!(whoever_logs_in_is_told_who_that_is_until_logging_out, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    someone(stage, "ben", Role::Viewer, Some(PLATFORM)).await;
    let reply = ops.try_login("ben", PASSWORD).await;
    let session = reply.json();
    assert_eq!(session["operator"], json!({ "name": "ben", "role": "viewer", "platform": PLATFORM }));
    assert_eq!(session["expiresIn"], LIFETIME.as_secs());
    let token = session["token"].as_str().expect("a token");
    let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).expect("three parts").as_bytes());
    let claims: Value = serde_json::from_slice(&claims.expect("base64url")).expect("JSON");
    assert_eq!((&claims["role"], &claims["scope"]), (&json!("viewer"), &json!("platform:demo")));
    assert_eq!(ops.get("/ops/v1/me", token).await.json(), session["operator"]);
    assert_eq!(
        ops.get("/ops/v1/me", &ops.login("anna").await).await.json(),
        json!({ "name": "anna", "role": "admin" })
    );

    assert_eq!(ops.post("/ops/v1/logout", token, Value::Null).await.status, 200);
    assert_eq!(code(&ops.get("/ops/v1/me", token).await), (401, "unauthorized".to_owned()));
    let again = ops.login("ben").await;
    assert_eq!(ops.get("/ops/v1/me", &again).await.status, 200);
});

on_both!(no_route_takes_a_token_that_is_no_good_and_all_are_answered_alike, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    someone(stage, "ben", Role::Admin, None).await;
    let app = stage.app();
    let expired = ops.login("anna").await;
    stage.advance(LIFETIME);
    let revoked = ops.login("anna").await;
    ops.post("/ops/v1/logout", &revoked, Value::Null).await;
    let disabled = ops.login("ben").await;
    disable(app, "ben", None, &Actor::Command).await.expect("disabled");
    let good = ops.login("anna").await;
    let parts: Vec<&str> = good.split('.').collect();
    let none = BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
    let claims = BASE64URL_NOPAD.decode(parts[1].as_bytes()).expect("base64url");
    let claims = String::from_utf8(claims).expect("text").replace("admin", "viewer");
    let api_token = Grant {
        audience: Audience::Api,
        credential: "key".to_owned(),
        scope: "orders:read".to_owned(),
        role: Some("admin".to_owned()),
        auth_time: None,
    };
    let api_token = app.tokens.make(api_token, &app.chance, app.clock.now_ms()).expect("made").0;
    let bad = [
        None,
        Some(String::new()),
        Some(expired),
        Some(revoked),
        Some(disabled),
        Some(format!("{none}.{}.", parts[1])),
        Some(format!("{}.{}.{}", parts[0], BASE64URL_NOPAD.encode(claims.as_bytes()), parts[2])),
        Some(api_token),
        Some(stage.world.keys.test.clone()),
    ];
    let mut answers = Vec::new();
    assert_eq!(guarded().len(), 50);
    for (path, method) in guarded() {
        for token in &bad {
            let reply = ops.call(method.clone(), &path, token.as_deref(), body(&path, &method)).await;
            assert_eq!(reply.status, 401, "{method} {path} with {token:?}");
            assert!(reply.header("www-authenticate").is_some());
            answers.push(reply.text().to_owned());
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(ops.get("/ops/v1/me", &good).await.status, 200);
});

on_both!(each_role_does_what_it_may_within_its_scope, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    someone(stage, "bound", Role::Admin, Some(PLATFORM)).await;
    someone(stage, "clerk", Role::Operator, None).await;
    someone(stage, "viewer", Role::Viewer, None).await;
    for name in ["clerk", "viewer"] {
        let token = ops.login(name).await;
        // What is listened to does not end.
        let beside = ["/ops/v1/logout", "/ops/v1/live"];
        for (path, method) in guarded().into_iter().filter(|(path, _)| !beside.contains(&path.as_str())) {
            let reply = ops.call(method.clone(), &path, Some(&token), body(&path, &method)).await;
            match path.as_str() {
                "/ops/v1/me" | "/ops/v1/renew" | "/ops/v1/overview" => {
                    assert_eq!(reply.status, 200, "{name} {method} {path}");
                }
                "/ops/v1/find" => assert_eq!(reply.status, 422, "{name} {method} {path}"),
                "/ops/v1/replays" if name == "clerk" && method == Method::POST => {
                    assert_eq!(reply.status, 201, "{name} {method} {path}");
                }
                path if path.ends_with("/sign-keys") => {
                    assert_eq!(code(&reply), (403, "role_missing".to_owned()), "{name} {method} {path}");
                }
                // Of nobody's id: looked for by whoever may.
                path if ["orders", "deliveries", "replays", "merchants"]
                    .iter()
                    .any(|what| path.starts_with(&format!("/ops/v1/{what}/")))
                    && (name == "clerk" || method == Method::GET) =>
                {
                    assert_eq!(code(&reply), (404, "not_found".to_owned()), "{name} {method} {path}");
                }
                path if path == format!("/ops/v1/platforms/{NOBODYS}") && method == Method::GET => {
                    assert_eq!(reply.status, 404, "{name} {path}");
                }
                "/ops/v1/platforms" | "/ops/v1/quarantine" | "/ops/v1/attention" | "/ops/v1/endpoints"
                | "/ops/v1/orders" | "/ops/v1/deliveries" | "/ops/v1/replays" | "/ops/v1/merchants"
                    if method == Method::GET =>
                {
                    assert_eq!(reply.status, 200, "{name} {method} {path}");
                }
                path if path.starts_with("/ops/v1/endpoints/") && name == "clerk" => {
                    assert_eq!(code(&reply), (404, "not_found".to_owned()), "{name} {method} {path}");
                }
                // For everybody to look at, for operators to decide about; and there is none of this id.
                path if path.starts_with("/ops/v1/quarantine/")
                    && (method == Method::GET || name == "clerk") =>
                {
                    assert_eq!(code(&reply), (404, "not_found".to_owned()), "{name} {method} {path}");
                }
                path if path.ends_with("/end") && name == "clerk" => assert_eq!(reply.status, 404),
                // Nobody's order and refund: looked for by whoever may.
                path if path.contains("/refunds") && (name == "clerk" || method == Method::GET) => {
                    assert_eq!(code(&reply), (404, "not_found".to_owned()), "{name} {method} {path}");
                }
                _ => assert_eq!(code(&reply), (403, "role_missing".to_owned()), "{name} {method} {path}"),
            }
        }
    }
    let names = |reply: &Reply, member: &str| -> Vec<String> {
        let items = reply.json()["data"].as_array().expect("a list").clone();
        items.iter().map(|item| item[member].as_str().expect("a name").to_owned()).collect()
    };
    let anna = ops.login("anna").await;
    let bound = ops.login("bound").await;
    let platforms = ops.get("/ops/v1/platforms", &anna).await;
    assert_eq!(names(&platforms, "slug"), [OTHER_PLATFORM, PLATFORM]);
    assert_eq!(names(&ops.get("/ops/v1/platforms", &bound).await, "slug"), [PLATFORM]);
    let page = ops.get("/ops/v1/platforms?limit=1", &anna).await;
    let next =
        page.header("link").and_then(|link| link.strip_prefix('<')?.split_once('>')).expect("a next page").0;
    assert_eq!(names(&page, "slug"), [OTHER_PLATFORM]);
    assert_eq!(names(&ops.get(next, &anna).await, "slug"), [PLATFORM]);
    let operators = ops.get("/ops/v1/operators", &anna).await;
    assert_eq!(names(&operators, "name"), ["viewer", "clerk", "bound", "anna"]);
    assert_eq!(names(&ops.get("/ops/v1/operators", &bound).await, "name"), ["bound"]);

    let new = |name: &str, platform: Value| json!({ "name": name, "password": PASSWORD, "role": "viewer", "platform": platform });
    for platform in [json!(OTHER_PLATFORM), json!("nowhere")] {
        let reply = ops.post("/ops/v1/operators", &bound, new("x", platform)).await;
        assert_eq!(code(&reply), (403, "bound_to_platform".to_owned()));
    }
    assert_eq!(ops.post("/ops/v1/operators", &bound, new("ours", json!(PLATFORM))).await.status, 201);
    assert_eq!(code(&ops.post("/ops/v1/platforms", &bound, json!({ "slug": "x" })).await).0, 403);
    let of_others = ops.post("/ops/v1/operators/viewer/disable", &bound, Value::Null).await;
    let of_nobody = ops.post("/ops/v1/operators/nobody/disable", &bound, Value::Null).await;
    assert_eq!((of_others.status, of_others.text()), (404, of_nobody.text()));
    for (method, path) in [(Method::POST, "/enable"), (Method::GET, "")] {
        let call = async |name: &str| {
            let path = format!("/ops/v1/operators/{name}{path}");
            ops.call(method.clone(), &path, Some(&bound), Value::Null).await
        };
        let (others, nobody) = (call("viewer").await, call("nobody").await);
        assert_eq!((others.status, others.text()), (404, nobody.text()));
    }
    for platform in ops.get("/ops/v1/platforms", &anna).await.json()["data"].as_array().expect("a list") {
        let path = format!("/ops/v1/platforms/{}", platform["id"].as_str().expect("an id"));
        assert_eq!(ops.get(&path, &anna).await.json(), *platform);
        let status = if platform["slug"] == PLATFORM { 200 } else { 404 };
        assert_eq!(ops.get(&path, &bound).await.status, status);
    }
    assert_eq!(ops.post("/ops/v1/operators/ours/disable", &bound, Value::Null).await.status, 200);
    assert_eq!(
        code(&ops.post("/ops/v1/operators/anna/disable", &anna, Value::Null).await),
        (409, "own_operator".to_owned())
    );
});

on_both!(an_operator_decides_about_held_facts_of_its_platforms, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "clerk", Role::Operator, Some(PLATFORM)).await;
    someone(stage, "stranger", Role::Operator, Some(OTHER_PLATFORM)).await;
    someone(stage, "anna", Role::Admin, None).await;
    stage.deafen();
    for number in ["p1", "p2"] {
        stage.open(number).await;
        let submission = stage.submission_no(number).await;
        stage.pay(&submission);
        stage.notify_twisted(&submission, Twist::WrongAmount).await;
    }
    stage.idle().await;
    let (clerk, stranger) = (ops.login("clerk").await, ops.login("stranger").await);
    let listed = ops.get("/ops/v1/quarantine?state=held", &clerk).await.json();
    let ids: Vec<&str> =
        listed["data"].as_array().expect("a list").iter().filter_map(|fact| fact["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{listed}");
    assert_eq!(ops.get("/ops/v1/quarantine", &stranger).await.json()["data"], json!([]));
    let (path, reason) = (format!("/ops/v1/quarantine/{}", ids[1]), json!({ "reason": "seen on the bill" }));
    someone(stage, "viewer", Role::Viewer, None).await;
    let seen = ops.get(&path, &ops.login("viewer").await).await;
    let whole = ops.get(&path, &clerk).await;
    assert!(whole.text().contains("\"buyer\"") && !seen.text().contains("buyer"), "{}", seen.text());
    assert!(seen.text().contains("orderAmount"), "{}", seen.text());
    for decision in ["release", "reject"] {
        let reply = ops.post(&format!("{path}/{decision}"), &stranger, reason.clone()).await;
        assert_eq!(code(&reply), (404, "not_found".to_owned()));
    }
    let in_doubt = ops.post(&format!("{path}/release"), &clerk, reason.clone()).await;
    assert_eq!(code(&in_doubt), (409, "in_doubt".to_owned()));
    stage.upstream().clear_faults();
    let released = ops.post(&format!("{path}/release"), &clerk, reason.clone()).await;
    assert_eq!(released.status, 200, "{}", released.text());
    let released = released.json();
    assert_eq!((&released["state"], &released["endedBy"]), (&json!("released"), &json!("operator:clerk")));
    assert_eq!((&released["number"], &released["orderStatus"]), (&json!("p1"), &json!("paid")));
    let rejected = ops.post(&format!("/ops/v1/quarantine/{}/reject", ids[0]), &clerk, reason).await;
    assert_eq!((rejected.status, &rejected.json()["orderStatus"]), (200, &json!("awaiting")));

    let acts = ops.get("/ops/v1/audit", &ops.login("anna").await).await.json();
    let acts: Vec<(&Value, &Value)> = acts["data"].as_array().expect("a list")[..2]
        .iter()
        .map(|act| (&act["action"], &act["after"]["reason"]))
        .collect();
    let reason = json!("seen on the bill");
    assert_eq!(acts, [(&json!("fact.rejected"), &reason), (&json!("fact.released"), &reason)]);
});

on_both!(a_platform_that_an_admin_makes_can_be_used_at_once, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    let anna = ops.login("anna").await;
    let made = ops.post("/ops/v1/platforms", &anna, json!({ "slug": "acme", "name": "Acme" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let location = made.header("location").expect("a created platform has a place").to_owned();
    let made = made.json();
    assert_eq!(ops.get(&location, &anna).await.json()["id"], made["id"]);
    assert_eq!((&made["slug"], &made["name"]), (&json!("acme"), &json!("Acme")));
    let key = made["apiKey"].as_str().expect("it is shown");
    assert_eq!(stage.get_as(key, "/v1/merchants").await.json()["data"], json!([]));
    let again = ops.post("/ops/v1/platforms", &anna, json!({ "slug": "acme" })).await;
    assert_eq!(code(&again), (409, "slug_taken".to_owned()));
    for (body, status) in [
        (json!({ "slug": "docs" }), 422),
        (json!({ "slug": "Acme" }), 422),
        (json!({ "slug": "x".repeat(41) }), 422),
        (json!({ "slug": "x", "nmae": "X" }), 422),
        (json!({}), 422),
        (json!([]), 400),
    ] {
        let reply = ops.post("/ops/v1/platforms", &anna, body.clone()).await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
    }
});

on_both!(a_platforms_limit_is_in_force_at_once_and_null_takes_it_back, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    someone(stage, "bound", Role::Admin, Some(PLATFORM)).await;
    let (anna, bound) = (ops.login("anna").await, ops.login("bound").await);
    let id = stage.app().directory.merchant_by_id(&stage.merchant_id()).expect("there").platform_id.clone();
    let path = format!("/ops/v1/platforms/{id}");
    let change =
        async |token: &str, path: &str, body: Value| ops.call(Method::PATCH, path, Some(token), body).await;
    let limit = json!({ "count": 2, "window": "1h" });
    let refused = change(&bound, &path, json!({ "limit": limit })).await;
    assert_eq!(code(&refused), (403, "bound_to_platform".to_owned()));
    assert_eq!(change(&anna, "/ops/v1/platforms/nobody", json!({ "limit": limit })).await.status, 404);
    let wrong = change(&anna, &path, json!({ "limit": { "count": 1, "window": "often" } })).await;
    assert_eq!((wrong.status, &wrong.json()["errors"][0]["pointer"]), (422, &json!("/limit/window")));

    let changed = change(&anna, &path, json!({ "limit": limit })).await;
    assert_eq!((changed.status, &changed.json()["limit"]), (200, &limit), "{}", changed.text());
    assert_eq!(change(&anna, &path, json!({})).await.json(), changed.json());
    for _ in 0..2 {
        assert_eq!(stage.get("/v1/merchants").await.status, 200);
    }
    assert_eq!(stage.get("/v1/merchants").await.status, 429);
    let others = stage.world.keys.other.clone();
    assert_eq!(stage.get_as(&others, "/v1/merchants").await.status, 200, "another platform has its own");
    let taken_back = change(&anna, &path, json!({ "limit": null })).await;
    assert_eq!((taken_back.status, taken_back.json().get("limit")), (200, None));
    assert_eq!(stage.get("/v1/merchants").await.status, 200);

    let log = ops.get("/ops/v1/audit", &anna).await.json();
    let acts: Vec<_> = log["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|act| act["action"] == "platform.limited")
        .map(|act| (&act["before"]["limit"], &act["after"]["limit"]))
        .collect();
    assert_eq!(acts, [(&json!("2/1h"), &Value::Null), (&Value::Null, &json!("2/1h"))]);
});

on_both!(operators_are_added_disabled_and_enabled_over_the_api, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    let anna = ops.login("anna").await;
    let ben = json!({ "name": "ben", "password": PASSWORD, "role": "operator" });
    let reply = ops.post("/ops/v1/operators", &anna, ben.clone()).await;
    assert_eq!((reply.status, reply.json()), (201, json!({ "name": "ben", "role": "operator" })));
    assert_eq!(reply.header("location"), Some("/ops/v1/operators/ben"));
    assert_eq!(code(&ops.post("/ops/v1/operators", &anna, ben).await), (409, "name_taken".to_owned()));
    for wrong in [
        json!({ "name": "x", "password": "short", "role": "viewer" }),
        json!({ "name": "x y", "password": PASSWORD, "role": "viewer" }),
        json!({ "name": "x", "password": PASSWORD, "role": "root" }),
        json!({ "name": "x", "password": PASSWORD, "role": "viewer", "platform": "nowhere" }),
    ] {
        let reply = ops.post("/ops/v1/operators", &anna, wrong.clone()).await;
        assert_eq!(reply.status, 422, "{wrong}");
        assert!(!reply.text().contains(PASSWORD) && !reply.text().contains("short\""), "{}", reply.text());
    }
    let token = ops.login("ben").await;
    stage.advance(Duration::from_millis(1));
    assert_eq!(ops.post("/ops/v1/operators/ben/disable", &anna, Value::Null).await.status, 200);
    assert_eq!(ops.get("/ops/v1/me", &token).await.status, 401);
    assert_eq!(ops.try_login("ben", PASSWORD).await.status, 401);
    assert!(ops.get("/ops/v1/operators/ben", &anna).await.json()["disabledAt"].is_string());

    for _ in 0..2 {
        assert_eq!(ops.post("/ops/v1/operators/ben/enable", &anna, Value::Null).await.status, 200);
    }
    stage.advance(Duration::from_millis(1));
    assert_eq!(ops.get("/ops/v1/me", &token).await.status, 401, "an old token stays ended");
    let token = ops.login("ben").await;
    assert_eq!(ops.get("/ops/v1/me", &token).await.status, 200);
    let ben = ops.get("/ops/v1/operators/ben", &anna).await.json();
    assert_eq!((&ben["name"], ben.get("disabledAt")), (&json!("ben"), None));
    let log = ops.get("/ops/v1/audit", &anna).await.json();
    let acts = log["data"].as_array().expect("a list").iter();
    assert_eq!(acts.filter(|act| act["action"] == "operator.enabled").count(), 1);
});

on_both!(what_operators_and_commands_change_is_kept_without_secrets, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    someone(stage, "bound", Role::Admin, Some(PLATFORM)).await;
    let (anna, bound) = (ops.login("anna").await, ops.login("bound").await);
    let ben = json!({ "name": "ben", "password": PASSWORD, "role": "viewer", "platform": PLATFORM });
    ops.post("/ops/v1/operators", &bound, ben).await;
    ops.post("/ops/v1/operators/ben/disable", &anna, Value::Null).await;
    let made = ops.post("/ops/v1/platforms", &anna, json!({ "slug": "acme" })).await.json();
    let reply = ops.get("/ops/v1/audit", &anna).await;
    let all = reply.json()["data"].as_array().expect("a list").clone();
    let actions: Vec<&str> = all.iter().map(|act| act["action"].as_str().expect("an action")).collect();
    let expected = [
        "directory.made",
        "operator.disabled",
        "operator.added",
        "operator.added",
        "operator.added",
        "directory.made",
    ];
    assert_eq!(actions[..6], expected);
    assert_eq!((&all[0]["after"]["platforms"], &all[0]["address"]), (&json!(["acme"]), &json!("127.0.0.1")));
    assert_eq!(all[2]["after"], json!({ "name": "ben", "role": "viewer", "scope": "platform:demo" }));
    assert!(
        all[3].get("operatorId").is_none() && all[3].get("address").is_none(),
        "by a command: {}",
        all[3]
    );
    for secret in [PASSWORD, "argon2", made["apiKey"].as_str().expect("shown")] {
        assert!(!reply.text().contains(secret), "{secret} is in {}", reply.text());
    }
    let own = ops.get("/ops/v1/audit", &bound).await.json()["data"].clone();
    let own: Vec<&str> =
        own.as_array().expect("a list").iter().filter_map(|act| act["action"].as_str()).collect();
    assert_eq!(own, ["operator.disabled", "operator.added", "operator.added"]);
});

on_both!(who_guesses_a_password_is_told_to_wait_whether_the_name_exists_or_not, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    let mut told = Vec::new();
    for name in ["anna", "nobody"] {
        for _ in 0..FREE_FAILURES {
            let reply = ops.try_login(name, "another password").await;
            assert_eq!(code(&reply), (401, "login_refused".to_owned()));
            told.push(reply.text().to_owned());
        }
        let locked = ops.try_login(name, PASSWORD).await;
        assert_eq!(code(&locked), (429, "too_many_failures".to_owned()));
        assert_eq!(locked.header("retry-after"), Some("30"));
    }
    told.dedup();
    assert_eq!(told.len(), 1);
});

on_both!(
    bad_tokens_count_by_their_address_on_every_api_and_good_ones_are_served,
    [("limits.failed_authentications", "3/1h")],
    async |stage: &mut Stage| {
        let ops = Ops::of(stage).await;
        someone(stage, "anna", Role::Admin, None).await;
        let anna = ops.login("anna").await;
        for bad in [Some("nonsense"), None, Some(&*stage.world.keys.test)] {
            let reply = ops.call(Method::GET, "/ops/v1/me", bad, Value::Null).await;
            assert_eq!(code(&reply), (401, "unauthorized".to_owned()));
        }
        let refused = ops.get("/ops/v1/me", "nonsense").await;
        assert_eq!(code(&refused), (429, "limited".to_owned()));
        assert_eq!(refused.header("retry-after"), Some("1200"));
        assert!(refused.header("ratelimit").is_some_and(|said| said.starts_with("\"address\"")));
        assert_eq!(stage.get_as("sg_test_nonsense", "/v1/merchants").await.status, 429);
        assert_eq!(ops.get("/ops/v1/me", &anna).await.status, 200);
    }
);

on_both!(each_listener_has_its_own_routes_and_neither_the_others, async |stage: &mut Stage| {
    let ops = Ops::of(stage).await;
    someone(stage, "anna", Role::Admin, None).await;
    let anna = ops.login("anna").await;
    for path in ["/ops/v1/me", "/ops/v1/platforms", "/ops/openapi.json", "/health", "/metrics"] {
        assert_eq!(ops.get(path, &anna).await.status, 200, "{path}");
        let bearer = format!("Bearer {anna}");
        let public =
            exchange(Method::GET, &stage.node().url(path), &[("authorization", &bearer)], Bytes::new()).await;
        assert_eq!(public.status, 404, "{path}");
    }
    let get = |path: &'static str| ops.get(path, &stage.world.keys.test);
    for path in ["/v1/merchants", "/docs", "/openapi.json", "/demo/api/common/payQuery"] {
        assert_eq!(get(path).await.status, 404, "{path}");
    }
    assert_eq!(
        ops.call(Method::DELETE, "/ops/v1/me", Some(&anna), Value::Null).await.header("allow"),
        Some("GET, HEAD")
    );
    let document = get("/ops/openapi.json").await.json();
    assert_eq!((document["openapi"].as_str(), &document), (Some("3.1.1"), &api::ops::document()));
    assert_eq!(
        stage.get_as(&anna, "/v1/merchants").await.status,
        401,
        "an operator's token is none for tenants"
    );
});

on_both!(what_waits_is_seen_and_ended_within_ones_scope, async |stage: &mut Stage| {
    stage.others_move_in().await;
    let ops = Ops::of(stage).await;
    someone(stage, "clerk", Role::Operator, Some(PLATFORM)).await;
    someone(stage, "other", Role::Admin, Some(OTHER_PLATFORM)).await;
    someone(stage, "anna", Role::Admin, None).await;
    let matter = stage.give_up("p1").await;
    let (clerk, other, anna) = (ops.login("clerk").await, ops.login("other").await, ops.login("anna").await);
    let seen = ops.get("/ops/v1/attention", &clerk).await.json();
    let first = &seen["data"][0];
    assert_eq!((&first["id"], &first["kind"]), (&json!(matter), &json!("order.unknown")), "{seen}");
    assert_eq!((&first["subject"]["kind"], &first["subject"]["number"]), (&json!("order"), &json!("p1")));
    assert!(first["cause"].is_string() && first["nextStep"].is_string(), "{first}");
    assert_eq!(ops.get("/ops/v1/attention", &other).await.json()["data"], json!([]));

    let path = format!("/ops/v1/attention/{matter}/end");
    let reason = json!({ "reason": "ScanForPay says it was never paid" });
    assert_eq!(ops.post(&path, &other, reason.clone()).await.status, 404);
    assert_eq!(ops.post(&path, &clerk, json!({ "reason": "" })).await.status, 422);
    assert_eq!(ops.post(&path, &clerk, reason.clone()).await.status, 200);
    assert_eq!(ops.post(&path, &clerk, reason).await.status, 404, "it waits no longer");
    assert_eq!(ops.get("/ops/v1/attention", &anna).await.json()["data"], json!([]));
    let log = ops.get("/ops/v1/audit", &anna).await.json();
    let acts = log["data"].as_array().expect("a list").iter();
    let acts: Vec<_> = acts.filter(|act| act["action"] == "attention.ended").collect();
    assert_eq!((acts.len(), &acts[0]["subjectId"]), (1, &json!(matter)));
    assert_eq!(acts[0]["after"]["reason"], "ScanForPay says it was never paid");
});
