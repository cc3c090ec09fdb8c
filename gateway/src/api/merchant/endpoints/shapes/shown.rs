//! Endpoints as the contract shows them.

use std::time::Duration;

use humantime_serde::re::humantime::format_duration;
use poem_openapi::Object;

use super::{Format, Profile, Standing};
use crate::api::merchant::service::LeftAlone;
use crate::api::rest::{ShownSecret, Timestamp};
use crate::app::App;
use crate::directory::endpoints::Acknowledgement;
use crate::directory::endpoints::{manage, settings};
use crate::entity::endpoint;
use crate::error::Error;

/// Where events are sent.
#[derive(Object, Debug, Clone)]
#[oai(rename = "Endpoint", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct Shown {
    pub id: String,
    /// Absent: the platform's own, which hears of all its merchants.
    pub merchant_id: Option<String>,
    pub url: String,
    pub format: Format,
    pub description: Option<String>,
    /// Absent: everything that its owner may hear.
    pub event_types: Option<Vec<String>>,
    pub store_ids: Option<Vec<String>>,
    pub wallets: Option<Vec<String>>,
    pub acknowledgement: Profile,
    pub schedule: Option<Vec<String>>,
    pub timeout: Option<String>,
    pub rate: Option<i64>,
    pub concurrency: Option<i64>,
    /// Of the headers that are sent besides.
    pub header_names: Vec<String>,
    /// With a key pair: what its signatures are verified with.
    pub public_key: Option<String>,
    pub status: Standing,
    /// Why it is disabled; of a pause, what the operator said who made it.
    pub status_reason: Option<String>,
    /// An operator of the gateway has paused or disabled it: only an operator resumes it.
    pub held: bool,
    /// When its URL echoed the challenge.
    pub proven_at: Option<Timestamp>,
    /// Since when nothing was acknowledged.
    pub failing_since: Option<Timestamp>,
    /// As the gateway that answers sees it; absent: it has had nothing to do with it lately.
    pub breaker: Option<LeftAlone>,
    /// Nothing is sent to it until then, because it fails or asked for it; `resume` ends that.
    pub left_alone_until: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// An endpoint that was registered, with its secret.
#[derive(Object, Debug, Clone)]
#[oai(rename = "MadeEndpoint", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct MadeEndpoint {
    #[oai(flatten)]
    pub endpoint: Shown,
    /// What its events are signed with, `whsec_…`; absent in ScanForPay's form, which takes the merchant's sign key.
    pub secret: Option<ShownSecret>,
}

impl Shown {
    pub fn of(app: &App, row: &endpoint::Model) -> Result<Self, Error> {
        let words = |listed: &Option<String>| {
            listed.as_ref().map(|listed| listed.split(',').map(str::to_owned).collect::<Vec<_>>())
        };
        let acknowledgement: Acknowledgement =
            serde_json::from_str(&row.acknowledgement).map_err(|error| Error::Failed(error.into()))?;
        let waits: Option<Vec<u64>> = row
            .schedule
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| Error::Failed(error.into()))?;
        let text = |ms: u64| format_duration(Duration::from_millis(ms)).to_string();
        let standing = app.deliveries.state_of(app, &row.id);
        Ok(Self {
            id: row.id.clone(),
            merchant_id: row.merchant_id.clone(),
            url: row.url.clone().unwrap_or_default(),
            format: row.format.into(),
            description: row.description.clone(),
            event_types: words(&row.event_kinds),
            store_ids: words(&row.store_ids),
            wallets: words(&row.wallets),
            acknowledgement: Profile::of(acknowledgement),
            schedule: waits.map(|waits| waits.into_iter().map(text).collect()),
            timeout: row.timeout_ms.map(|ms| text(ms.unsigned_abs())),
            rate: row.rate,
            concurrency: row.concurrency,
            header_names: settings::header_names(row, &app.vault)?,
            public_key: app.directory.endpoint(&row.id).and_then(|endpoint| endpoint.secrets.public_key()),
            status: row.status.into(),
            status_reason: row.status_reason.clone(),
            held: row.held,
            proven_at: row.proven_at.map(Timestamp::of),
            failing_since: row.failing_since.map(Timestamp::of),
            breaker: standing.map(|standing| standing.breaker.into()),
            left_alone_until: standing.and_then(|standing| standing.left_alone_until).map(Timestamp::of),
            created_at: Timestamp::of(row.created_at),
        })
    }
}

impl MadeEndpoint {
    /// With what is shown once.
    pub fn of(app: &App, new: &manage::New) -> Result<Self, Error> {
        let mut endpoint = Shown::of(app, &new.row)?;
        let mut secret = None;
        for made in &new.secrets {
            match made.row.kind {
                crate::entity::endpoint_secret::Kind::Hmac => {
                    secret = Some(ShownSecret::new(&made.row.id, &made.shown));
                }
                crate::entity::endpoint_secret::Kind::Ed25519 => {
                    endpoint.public_key = Some(made.shown.clone());
                }
            }
        }
        Ok(Self { endpoint, secret })
    }

    /// What a repeat of the request is told.
    #[must_use]
    pub fn repeated(&self, at: i64) -> Self {
        let secret = self.secret.as_ref().map(|secret| secret.repeated(at, "Rotate it for a new one."));
        Self { endpoint: self.endpoint.clone(), secret }
    }
}
