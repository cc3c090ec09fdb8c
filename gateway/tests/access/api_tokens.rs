//! `POST /v1/token`: a token does what its API key does, no more and no longer.

use data_encoding::BASE64;
use gateway::directory::tokens::{self, Audience, Grant, LIFETIME};
use http::Method;
use serde_json::{Value, json};

use crate::harness::Stage;
use crate::harness::rest::guarded;
use crate::harness::web::{Reply, exchange};
use crate::on_both;

const SCOPES: [&str; 3] = ["merchants:read", "merchants:write", "keys:read"];

impl Stage {
    async fn ask_token(&self, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let form = ("content-type", "application/x-www-form-urlencoded");
        let headers = [headers, &[form]].concat();
        let reply = exchange(Method::POST, &self.node().url("/v1/token"), &headers, body.into()).await;
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        reply
    }

    async fn token(&self, id: &str, key: &str, scope: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", key),
            ("scope", scope),
        ];
        let reply = self.ask_token(&form, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }
}

fn refused(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"].as_str().expect("an error").to_owned())
}

on_both!(a_token_does_what_its_key_does_for_a_quarter_of_an_hour, async |stage: &mut Stage| {
    let (id, key) = stage.api_key(&SCOPES, None).await;
    let form = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &key)];
    let reply = stage.ask_token(&form, &[]).await;
    let granted = reply.json();
    assert_eq!((reply.status, &granted["token_type"]), (200, &json!("Bearer")));
    assert_eq!((&granted["expires_in"], &granted["scope"]), (&json!(900), &json!(SCOPES.join(" "))));
    let token = granted["access_token"].as_str().expect("a token");
    let merchants = stage.get_as(token, "/v1/merchants").await;
    assert_eq!(merchants.json(), stage.get_as(&key, "/v1/merchants").await.json());
    let made = stage.post_as(token, "/v1/merchants", json!({ "name": "A" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(stage.get_as(token, "/v1/audit").await.status, 403);

    let basic = format!("Basic {}", BASE64.encode(format!("{id}:{key}").as_bytes()));
    let form = [("grant_type", "client_credentials")];
    assert_eq!(stage.ask_token(&form, &[("authorization", &basic)]).await.status, 200);
    stage.advance(LIFETIME);
    assert_eq!(stage.get_as(token, "/v1/merchants").await.status, 401);
    assert_eq!(stage.get_as(&key, "/v1/merchants").await.status, 200);
});

on_both!(a_token_has_the_scopes_it_was_asked_for_and_never_more_than_its_key, async |stage: &mut Stage| {
    let (id, key) = stage.api_key(&SCOPES, None).await;
    let token = stage.token(&id, &key, "merchants:read").await;
    assert_eq!(stage.get_as(&token, "/v1/merchants").await.status, 200);
    assert_eq!(stage.post_as(&token, "/v1/merchants", json!({ "name": "A" })).await.status, 403);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &*id),
        ("client_secret", &*key),
        ("scope", "merchants:read audit:read"),
    ];
    assert_eq!(refused(&stage.ask_token(&form, &[]).await), (400, "invalid_scope".to_owned()));
    // One that says more than its key may, however it came by it.
    let app = stage.app();
    let grant = Grant {
        audience: Audience::Api,
        credential: id,
        scope: "audit:read keys:read".to_owned(),
        role: None,
        auth_time: None,
    };
    let (token, _) = app.tokens.make(grant, &app.chance, app.clock.now_ms()).expect("made");
    assert_eq!(stage.get_as(&token, "/v1/audit").await.status, 403);
    assert_eq!(stage.get_as(&token, "/v1/api-keys").await.status, 200);
});

on_both!(a_token_ends_with_its_key, async |stage: &mut Stage| {
    let (id, key) = stage.api_key(&SCOPES, None).await;
    let token = stage.token(&id, &key, "").await;
    assert_eq!(stage.get_as(&token, "/v1/merchants").await.status, 200);
    assert_eq!(stage.post(&format!("/v1/api-keys/{id}/revoke"), Value::Null).await.status, 200);
    let of_token = stage.get_as(&token, "/v1/merchants").await;
    let of_key = stage.get_as(&key, "/v1/merchants").await;
    assert_eq!((of_token.status, of_token.text()), (401, of_key.text()));
    let form = [("grant_type", "client_credentials"), ("client_id", &*id), ("client_secret", &*key)];
    assert_eq!(refused(&stage.ask_token(&form, &[]).await), (401, "invalid_client".to_owned()));
});

on_both!(
    no_route_takes_a_token_that_is_no_good_and_all_are_answered_as_a_bad_key_is,
    async |stage: &mut Stage| {
        let (id, key) = stage.api_key(&SCOPES, None).await;
        let expired = stage.token(&id, &key, "").await;
        stage.advance(LIFETIME);
        let revoked = stage.token(&id, &key, "").await;
        let app = stage.app();
        let claims = app.tokens.check(&revoked, Audience::Api, app.clock.now_ms()).expect("it is good yet");
        tokens::revoke(app, &claims).await.expect("revoked");
        let good = stage.token(&id, &key, "").await;
        let parts: Vec<&str> = good.split('.').collect();
        let none = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
        let mut tampered = good.clone();
        tampered.replace_range(
            good.len() - 20..good.len() - 19,
            if good.as_bytes()[good.len() - 20] == b'A' { "B" } else { "A" },
        );
        let grant = |audience, credential: &str| {
            let grant = Grant {
                audience,
                credential: credential.to_owned(),
                scope: SCOPES.join(" "),
                role: None,
                auth_time: None,
            };
            app.tokens.make(grant, &app.chance, app.clock.now_ms()).expect("made").0
        };
        let operators = grant(Audience::Operators, &id);
        let nobodys = grant(Audience::Api, "nobody");
        let bad = [
            "sg_test_x",
            &expired,
            &revoked,
            &format!("{none}.{}.", parts[1]),
            &tampered,
            &operators,
            &nobodys,
        ];
        let mut answers = Vec::new();
        for (pattern, method, _) in guarded() {
            let path = pattern.replace(['{', '}'], "");
            for token in bad {
                let bearer = format!("Bearer {token}");
                let reply =
                    stage.rest(method.clone(), &path, &[("authorization", &bearer)], Some(json!({}))).await;
                assert_eq!(reply.status, 401, "{method} {path} {token}");
                answers.push(reply.text().to_owned());
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_eq!(stage.get_as(&good, "/v1/merchants").await.status, 200);
    }
);

on_both!(
    whoever_does_not_know_the_key_gets_no_token_and_is_not_heard_for_long,
    [("server.trusted_hops", "1"), ("limits.failed_authentications", "20/200m")],
    async |stage: &mut Stage| {
        let (id, key) = stage.api_key(&SCOPES, None).await;
        let other = stage.world.keys.live.clone();
        let from = [("x-forwarded-for", "192.0.2.1")];
        let ask = async |grant: &str, id: &str, key: &str| {
            let form = [("grant_type", grant), ("client_id", id), ("client_secret", key)];
            refused(&stage.ask_token(&form, &from).await)
        };
        let grant = "client_credentials";
        assert_eq!(ask("password", &id, &key).await, (400, "unsupported_grant_type".to_owned()));
        let form = [("grant_type", grant), ("client_id", &*id)];
        assert_eq!(refused(&stage.ask_token(&form, &from).await), (400, "invalid_request".to_owned()));
        let mut failures = 0;
        for (id, key) in [(&*id, "sg_test_x"), (&*id, &*other), ("nobody", &*key), (&*id, "")] {
            assert_eq!(ask(grant, id, key).await, (401, "invalid_client".to_owned()), "{id}");
            failures += 1;
        }
        let form = [("grant_type", grant), ("client_id", &*id), ("client_secret", &*key)];
        for _ in failures..20 {
            let heard = stage.ask_token(&form, &from).await;
            assert_eq!(heard.status, 200, "{}", heard.text());
            assert_eq!(ask(grant, &id, "sg_test_x").await, (401, "invalid_client".to_owned()));
        }
        let late = stage.ask_token(&form, &from).await;
        assert_eq!((late.status, late.header("retry-after")), (429, Some("600")));
        let elsewhere = stage.ask_token(&form, &[("x-forwarded-for", "192.0.2.2")]).await;
        assert_eq!(elsewhere.status, 200, "{}", elsewhere.text());
    }
);
