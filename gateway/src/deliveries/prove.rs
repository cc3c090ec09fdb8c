//! Asking an endpoint whether it wants our events, before it is sent any: a random text is posted to it, and has to come
//! back. And a test event on demand.

use std::time::Duration;

use serde_json::{Value, json};

use super::form::{Letter, standard_webhooks};
use super::send::{self, Outcome};
use crate::api::rest::Timestamp;
use crate::app::App;
use crate::chance;
use crate::directory::access::Mode;
use crate::directory::endpoints::Endpoint;
use crate::entity::endpoint::Format;
use crate::error::Error;

/// What came of a request that was no delivery.
#[derive(Debug)]
pub struct Trial {
    pub outcome: Outcome,
    pub took: Duration,
}

/// Whether somebody there echoes our challenge: a success whose body is the text, or JSON with it in `challenge`.
pub async fn challenge(app: &App, endpoint: &Endpoint) -> Result<Trial, Error> {
    app.limits.endpoint_trial(endpoint).await.map_err(Error::Limited)?;
    let text = chance::secret_text();
    let body = json!({
        "type": "endpoint.challenge", "endpointId": endpoint.id, "challenge": text,
        "createdAt": Timestamp::of(app.clock.now_ms()).text(),
    });
    let (mut trial, answer) = tried(app, endpoint, &body).await;
    let answer = answer.unwrap_or_default();
    let is_success = trial.outcome.http_status.is_some_and(|status| (200..300).contains(&status));
    trial.outcome.acknowledged = is_success && echoes(&answer, &text);
    if !trial.outcome.acknowledged && is_success {
        trial.outcome.word = "not_echoed";
    }
    Ok(trial)
}

fn echoes(answer: &[u8], text: &str) -> bool {
    let said = String::from_utf8_lossy(answer);
    let field: Option<Value> = serde_json::from_str(&said).ok();
    said.trim() == text || field.is_some_and(|field| field["challenge"] == *text || field == *text)
}

/// Send a test event. Only a test endpoint gets one: a live key signs no fiction.
pub async fn test(app: &App, endpoint: &Endpoint) -> Result<Trial, Error> {
    let refused =
        |code, detail: &str| Err(Error::Conflict { code, detail: detail.to_owned(), pointer: None });
    if endpoint.mode != Mode::Test {
        return refused(
            "test_only",
            "Only an endpoint of test events is sent one: a live key signs no fiction.",
        );
    }
    if endpoint.format == Format::ScanForPay {
        let detail = "ScanForPay's form can say only that an order was paid, which shops believe: use \
                      POST /v1/selfcheck.";
        return refused("wrong_format", detail);
    }
    if !endpoint.is_proven {
        return refused("not_proven", "Nothing is sent to it before its URL is proven: verify it first.");
    }
    app.limits.endpoint_trial(endpoint).await.map_err(Error::Limited)?;
    let began = app.clock.passed();
    let body = json!({
        "id": app.chance.id(), "type": "endpoint.test", "version": 1, "sequence": 1,
        "createdAt": Timestamp::of(app.clock.now_ms()).text(), "merchantId": endpoint.merchant_id,
        "detail": { "endpointId": endpoint.id },
    });
    let trial = tried(app, endpoint, &body).await.0;
    if trial.outcome.acknowledged {
        app.deliveries.is_back(app, endpoint, began);
    }
    Ok(trial)
}

async fn tried(app: &App, endpoint: &Endpoint, body: &Value) -> (Trial, Option<bytes::Bytes>) {
    let id = body["id"].as_str().map_or_else(|| app.chance.id(), str::to_owned);
    let mut letter: Letter = standard_webhooks::sealed(app, endpoint, &id, body.to_string());
    letter.headers.extend(endpoint.headers.iter().cloned());
    let began = app.clock.passed();
    let (outcome, answer) = send::try_out(app, endpoint, letter).await;
    (Trial { outcome, took: app.clock.passed().saturating_sub(began) }, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_comes_back_as_it_is_or_in_its_field() {
        for good in
            ["abc", " abc\n", r#"{"challenge": "abc"}"#, r#"{"challenge":"abc","ok":true}"#, r#""abc""#]
        {
            assert!(echoes(good.as_bytes(), "abc"), "{good}");
        }
        for bad in ["", "abcd", "success", "{}", r#"{"challenge": "abd"}"#, r#"["abc"]"#] {
            assert!(!echoes(bad.as_bytes(), "abc"), "{bad}");
        }
    }
}
