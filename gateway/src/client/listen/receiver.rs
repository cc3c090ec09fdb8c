//! The program that events are posted to, and how they are signed for it.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::feed::Event;
use crate::chance;
use crate::client::Usage;
use crate::client::exchange::{self, Failure, Received};
use crate::client::target::{key_in, variable};
use crate::clock::Clock;
use crate::webhook::{self, Message};

const SECRET_VARIABLE: &str = "SCANGATE_CLIENT_WEBHOOK_SECRET";
/// As long as a gateway waits for an endpoint unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
const SECRET_BYTES: usize = 32;

pub(super) struct Receiver {
    pub(super) url: Url,
    pub(super) secret: Secret,
    pub(super) clock: Clock,
}

/// What came of one posting.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status, or why there is none.
    status: Result<u16, String>,
    took: Duration,
}

impl Receiver {
    /// Post it as an endpoint is sent it. An error: nothing of it has reached the receiver.
    pub(super) async fn post(&self, event: &Event) -> anyhow::Result<Answer> {
        let timestamp = self.clock.now().unix_timestamp();
        let message = Message { id: &event.id, timestamp, body: event.text.as_bytes() };
        let outgoing = http::Request::post(self.url.as_str())
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", message.v1(&self.secret.bytes));
        let began = Instant::now();
        let status = match exchange::call_within(TIMEOUT, outgoing, &self.url, event.text.clone()).await {
            Ok(Received { status, .. }) => Ok(status),
            Err(Failure::NoAnswer(error)) => Err(format!("{error:#}")),
            Err(Failure::NotSent(error)) => return Err(error),
        };
        Ok(Answer { status, took: began.elapsed() })
    }
}

impl Answer {
    /// What a registered endpoint's answer has to be unless it says otherwise.
    pub(super) fn is_acknowledgement(&self) -> bool {
        matches!(self.status, Ok(200..=299))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let took = self.took.as_millis();
        let mark = if self.is_acknowledgement() { "" } else { "  NOT ACKNOWLEDGED" };
        match &self.status {
            Ok(status) => write!(f, "{status} in {took} ms{mark}"),
            Err(why) => write!(f, "{why}{mark}"),
        }
    }
}

/// Signs what is forwarded.
#[derive(Clone)]
pub(super) struct Secret {
    bytes: Vec<u8>,
    /// Made here, for nothing else, and not known to its user yet.
    is_made: bool,
}

impl Secret {
    /// From its file, or the environment.
    pub(super) fn given(file: Option<&Path>) -> Result<Option<Self>, Usage> {
        let (text, place) = match file {
            Some(file) => (key_in(file)?.reveal().to_owned(), file.display().to_string()),
            None => match variable(SECRET_VARIABLE) {
                Some(text) => (text.trim().to_owned(), SECRET_VARIABLE.to_owned()),
                None => return Ok(None),
            },
        };
        match webhook::secret_of(&text) {
            Some(bytes) if !bytes.is_empty() => Ok(Some(Self { bytes, is_made: false })),
            _ => Err(Usage(format!("{place}: this is no secret; one is `whsec_` and base64 behind it"))),
        }
    }

    pub(super) fn made() -> Self {
        Self { bytes: chance::bytes::<SECRET_BYTES>().to_vec(), is_made: true }
    }

    /// One that was made here, as it was kept.
    pub(super) fn kept(text: &str) -> Option<Self> {
        webhook::secret_of(text).map(|bytes| Self { bytes, is_made: true })
    }

    pub(super) fn text(&self) -> String {
        webhook::secret_text(&self.bytes)
    }

    /// For its user: a secret that was brought along is not shown.
    pub(super) fn told(&self) -> String {
        if self.is_made {
            format!("{} (made for this command, good nowhere else)", self.text())
        } else {
            "the secret that was given".to_owned()
        }
    }
}

/// Where events can be posted to.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("is no address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must start with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_was_brought_along_is_not_shown_and_one_made_here_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        std::fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("the folder is ours");
        let Ok(Some(given)) = Secret::given(Some(&file)) else { panic!("a secret") };
        assert_eq!(given.text(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(given.told(), "the secret that was given");
        let made = Secret::made();
        assert!(made.told().starts_with(&made.text()) && made.bytes.len() == SECRET_BYTES);
        for wrong in ["whsec_", "whsec_!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            std::fs::write(&file, wrong).expect("the folder is ours");
            let Err(Usage(why)) = Secret::given(Some(&file)) else { panic!("{wrong} is no secret") };
            assert!(why.contains("this is no secret") && !why.contains("MfKQ"), "{why}");
        }
    }

    #[test]
    fn only_a_status_of_200_to_299_acknowledges() {
        let answer = |status| Answer { status, took: Duration::from_millis(12) };
        assert_eq!(answer(Ok(204)).to_string(), "204 in 12 ms");
        assert_eq!(answer(Ok(302)).to_string(), "302 in 12 ms  NOT ACKNOWLEDGED");
        assert_eq!(answer(Err("no answer".to_owned())).to_string(), "no answer  NOT ACKNOWLEDGED");
    }

    #[test]
    fn events_are_posted_to_web_addresses_only() {
        assert!(url("http://127.0.0.1:3000/webhooks?shop=1").is_ok());
        for wrong in ["127.0.0.1:3000", "ftp://h/", "http://a:b@h/", "webhooks"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }
}
