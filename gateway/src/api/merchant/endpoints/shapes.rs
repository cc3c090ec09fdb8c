//! Endpoints as the contract takes them; as it shows them: `shown`.

mod shown;

use std::collections::HashMap;
use std::time::Duration;

use poem_openapi::types::Example;
use poem_openapi::{Enum, Object};

pub use self::shown::{MadeEndpoint, Shown};
use crate::api::rest::{EventType, Settable, duration};
use crate::api::scanforpay::Wallet;
use crate::deliveries::prove::Trial;
use crate::directory::endpoints::Acknowledgement;
use crate::directory::endpoints::manage::Wanted;
use crate::directory::endpoints::settings::Settings;
use crate::entity::endpoint::{self, Status};
use crate::error::Error;

/// In whose words it is told: `standard-webhooks`, all events as JSON under the signatures of Standard Webhooks 1.0; or
/// `scanforpay`, `order.paid` alone, in the signed envelope of ScanForPay's notices.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "EndpointFormat")]
pub enum Format {
    #[oai(rename = "standard-webhooks")]
    StandardWebhooks,
    #[oai(rename = "scanforpay")]
    ScanForPay,
}

/// `unproven`: nobody there has echoed the challenge yet; `active`; `paused` by its owner or an operator; `disabled` by the
/// gateway, because nothing was acknowledged for long or it answered 410, or by an operator.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "EndpointStatus", rename_all = "lowercase")]
pub enum Standing {
    Unproven,
    Active,
    Paused,
    Disabled,
}

impl From<endpoint::Format> for Format {
    fn from(format: endpoint::Format) -> Self {
        match format {
            endpoint::Format::ScanForPay => Self::ScanForPay,
            endpoint::Format::StandardWebhooks => Self::StandardWebhooks,
        }
    }
}

impl From<Status> for Standing {
    fn from(status: Status) -> Self {
        match status {
            Status::Unproven => Self::Unproven,
            Status::Active => Self::Active,
            Status::Paused => Self::Paused,
            Status::Disabled => Self::Disabled,
        }
    }
}

impl From<Standing> for Status {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Unproven => Self::Unproven,
            Standing::Active => Self::Active,
            Standing::Paused => Self::Paused,
            Standing::Disabled => Self::Disabled,
        }
    }
}

/// `any_success`: a status from 200 to 299; `success`: status 200 and the text `success`; `field`: a status from 200 to 299
/// and a JSON field with a value.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[oai(rename = "AcknowledgementKind", rename_all = "snake_case")]
pub enum ProfileKind {
    AnySuccess,
    Success,
    Field,
}

/// What an answer must be to count as an acknowledgement.
#[derive(Object, Debug, Clone)]
#[oai(rename = "Acknowledgement", skip_serializing_if_is_none)]
pub struct Profile {
    pub kind: ProfileKind,
    /// With `field`: a JSON pointer to it, such as `/result/code`.
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^(/[^\x00]*)?$"))]
    pub at: Option<String>,
    /// With `field`: its text; of a number, `true` or `false` as JSON writes it.
    #[oai(validator(max_length = 200, pattern = r"^[^\x00]*$"))]
    pub equals: Option<String>,
}

impl Profile {
    fn read(&self) -> Result<Acknowledgement, Error> {
        match (self.kind, &self.at, &self.equals) {
            (ProfileKind::AnySuccess, None, None) => Ok(Acknowledgement::AnySuccess),
            (ProfileKind::Success, None, None) => Ok(Acknowledgement::Success),
            (ProfileKind::Field, Some(at), Some(equals)) => {
                Ok(Acknowledgement::Field { at: at.clone(), equals: equals.clone() })
            }
            (ProfileKind::Field, _, _) => {
                Err(Error::invalid("/acknowledgement", "needs `at` and `equals` with `field`"))
            }
            _ => Err(Error::invalid("/acknowledgement", "takes `at` and `equals` with `field` only")),
        }
    }

    fn of(profile: Acknowledgement) -> Self {
        match profile {
            Acknowledgement::AnySuccess => Self { kind: ProfileKind::AnySuccess, at: None, equals: None },
            Acknowledgement::Success => Self { kind: ProfileKind::Success, at: None, equals: None },
            Acknowledgement::Field { at, equals } => {
                Self { kind: ProfileKind::Field, at: Some(at), equals: Some(equals) }
            }
        }
    }
}

/// An endpoint to be registered.
#[derive(Object)]
#[oai(rename = "NewEndpoint", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct New {
    /// With a platform's key: whose it is. Absent: the caller's own; a platform's own hears of all its merchants.
    #[oai(validator(min_length = 1, max_length = 64, pattern = r"^[^\x00]*$"))]
    pub merchant_id: Option<String>,
    /// Absolute; `https` for live events, and at a public address.
    #[oai(validator(min_length = 1, max_length = 2048, pattern = r"^[^\x00]*$"))]
    pub url: String,
    /// Absent: `standard-webhooks`.
    pub format: Option<Format>,
    /// Sign with a key pair (Ed25519, `v1a`) besides the secret, for receivers that shall hold none.
    pub key_pair: Option<bool>,
    /// For people.
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub description: Option<String>,
    /// What it hears of; absent: everything that its owner may.
    #[oai(validator(min_items = 1, max_items = 20, unique_items))]
    pub event_types: Option<Vec<EventType>>,
    /// Only of orders in these stores.
    #[oai(validator(min_items = 1, max_items = 100, unique_items))]
    pub store_ids: Option<Vec<String>>,
    /// Only of orders paid, or to be paid, with these wallets.
    #[oai(validator(min_items = 1, max_items = 3, unique_items))]
    pub wallets: Option<Vec<Wallet>>,
    /// Absent: `any_success`, and `success` in ScanForPay's form.
    pub acknowledgement: Option<Profile>,
    /// Waits between attempts, such as `["5s", "1m", "1h"]`: 1 to 30, each from 1s to 24h. Absent: the gateway's own.
    #[oai(validator(min_items = 1, max_items = 30))]
    pub schedule: Option<Vec<String>>,
    /// How long an answer may take, such as `5s`; absent: as long as the gateway allows, which is the most.
    #[oai(validator(min_length = 1, max_length = 20, pattern = r"^[^\x00]*$"))]
    pub timeout: Option<String>,
    /// Attempts a second at most, by each of the gateway's nodes; absent: as many as the gateway allows, which is the most.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub rate: Option<u32>,
    /// Attempts at one time at most, by each node; absent: as many as the gateway allows, which is the most.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub concurrency: Option<u32>,
    /// Headers to be sent besides, by name: 10 at most. Their values are sealed and never shown again.
    #[oai(validator(max_properties = 10))]
    pub headers: Option<HashMap<String, String>>,
}

/// What is to be changed of an endpoint; what is absent stays, `null` takes a setting back.
#[derive(Object)]
#[oai(rename = "EndpointPatch", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Change {
    /// Another URL has to be verified before anything is sent to it; what is due waits meanwhile.
    #[oai(validator(min_length = 1, max_length = 2048, pattern = r"^[^\x00]*$"))]
    pub url: Option<String>,
    #[oai(validator(min_length = 1, max_length = 200, pattern = r"^[^\x00]*$"))]
    pub description: Settable<String>,
    #[oai(validator(min_items = 1, max_items = 20, unique_items))]
    pub event_types: Settable<Vec<EventType>>,
    #[oai(validator(min_items = 1, max_items = 100, unique_items))]
    pub store_ids: Settable<Vec<String>>,
    #[oai(validator(min_items = 1, max_items = 3, unique_items))]
    pub wallets: Settable<Vec<Wallet>>,
    pub acknowledgement: Settable<Profile>,
    #[oai(validator(min_items = 1, max_items = 30))]
    pub schedule: Settable<Vec<String>>,
    #[oai(validator(min_length = 1, max_length = 20, pattern = r"^[^\x00]*$"))]
    pub timeout: Settable<String>,
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub rate: Settable<u32>,
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    pub concurrency: Settable<u32>,
    /// All of them anew; none: they are taken away.
    #[oai(validator(max_properties = 10))]
    pub headers: Option<HashMap<String, String>>,
}

/// A change of an endpoint's secrets.
#[derive(Object, Debug)]
#[oai(rename = "EndpointSecretRotation", rename_all = "camelCase", example, skip_serializing_if_is_none)]
pub struct Rotation {
    /// How many hours more the one before signs, too; 24 where it is absent. Those of earlier rotations sign no longer than it
    /// does. 0: all of them end at once.
    #[oai(validator(minimum(value = "0"), maximum(value = "720")))]
    pub previous_for_hours: Option<u32>,
}

impl Example for Rotation {
    fn example() -> Self {
        Self { previous_for_hours: Some(48) }
    }
}

/// What came of a test event.
#[derive(Object, Debug)]
#[oai(rename = "EndpointTrial", rename_all = "camelCase", skip_serializing_if_is_none)]
pub struct ShownTrial {
    pub acknowledged: bool,
    /// `delivered`, `not_acknowledged`, `refused`, `timed_out`, `no_connection`, …
    pub outcome: String,
    pub http_status: Option<u16>,
    pub duration_ms: u64,
    /// The beginning of the answer's body.
    pub excerpt: Option<String>,
}

impl From<Trial> for ShownTrial {
    fn from(trial: Trial) -> Self {
        Self {
            acknowledged: trial.outcome.acknowledged,
            outcome: trial.outcome.word.to_owned(),
            http_status: trial.outcome.http_status,
            duration_ms: u64::try_from(trial.took.as_millis()).unwrap_or(u64::MAX),
            excerpt: trial.outcome.excerpt,
        }
    }
}

impl Example for New {
    fn example() -> Self {
        Self {
            merchant_id: None,
            url: "https://shop.example/scangate/events".into(),
            format: Some(Format::StandardWebhooks),
            key_pair: None,
            description: Some("ERP".into()),
            event_types: Some(vec![
                EventType(crate::orders::tell::Kind::OrderPaid),
                EventType(crate::orders::tell::Kind::RefundSucceeded),
            ]),
            store_ids: None,
            wallets: None,
            acknowledgement: None,
            schedule: None,
            timeout: None,
            rate: None,
            concurrency: None,
            headers: None,
        }
    }
}

impl Example for Change {
    fn example() -> Self {
        Self {
            url: None,
            description: Settable(Some(Some("ERP of the new shop".into()))),
            event_types: Settable(Some(None)),
            store_ids: Settable::default(),
            wallets: Settable::default(),
            acknowledgement: Settable(None),
            schedule: Settable::default(),
            timeout: Settable(Some(Some("5s".into()))),
            rate: Settable(Some(Some(20))),
            concurrency: Settable::default(),
            headers: None,
        }
    }
}

impl New {
    pub fn wanted(&self) -> Result<Wanted, Error> {
        Ok(Wanted {
            merchant_id: self.merchant_id.clone(),
            format: match self.format {
                Some(Format::ScanForPay) => endpoint::Format::ScanForPay,
                Some(Format::StandardWebhooks) | None => endpoint::Format::StandardWebhooks,
            },
            with_key_pair: self.key_pair.unwrap_or(false),
            settings: Settings {
                url: Some(self.url.clone()),
                description: Some(self.description.clone()),
                kinds: Some(kinds(self.event_types.as_deref())),
                stores: Some(self.store_ids.clone()),
                wallets: Some(wallets(self.wallets.as_deref())),
                acknowledgement: self.acknowledgement.as_ref().map(Profile::read).transpose()?.map(Some),
                schedule: Some(self.schedule.as_deref().map(schedule).transpose()?),
                timeout: Some(self.timeout.as_deref().map(timeout).transpose()?),
                rate: Some(self.rate),
                concurrency: Some(self.concurrency),
                headers: self.headers.as_ref().map(pairs),
            },
        })
    }
}

impl Change {
    pub fn settings(&self) -> Result<Settings, Error> {
        let schedules = self.schedule.0.as_ref();
        let (timeouts, profiles) = (self.timeout.0.as_ref(), self.acknowledgement.0.as_ref());
        Ok(Settings {
            url: self.url.clone(),
            description: self.description.0.clone(),
            kinds: self.event_types.0.as_ref().map(|kinds| self::kinds(kinds.as_deref())),
            stores: self.store_ids.0.clone(),
            wallets: self.wallets.0.as_ref().map(|wallets| self::wallets(wallets.as_deref())),
            acknowledgement: profiles.map(|it| it.as_ref().map(Profile::read).transpose()).transpose()?,
            schedule: schedules.map(|waits| waits.as_deref().map(schedule).transpose()).transpose()?,
            timeout: timeouts.map(|text| text.as_deref().map(timeout).transpose()).transpose()?,
            rate: self.rate.0,
            concurrency: self.concurrency.0,
            headers: self.headers.as_ref().map(pairs),
        })
    }
}

fn kinds(listed: Option<&[EventType]>) -> Option<Vec<crate::orders::tell::Kind>> {
    listed.map(|listed| listed.iter().map(|EventType(kind)| *kind).collect())
}

fn wallets(listed: Option<&[Wallet]>) -> Option<Vec<shared::wallet::Wallet>> {
    listed.map(|listed| listed.iter().map(|wallet| (*wallet).into()).collect())
}

fn schedule(waits: &[String]) -> Result<Vec<Duration>, Error> {
    let waits = waits.iter().enumerate();
    waits.map(|(place, wait)| duration(wait, &format!("/schedule/{place}"))).collect()
}

fn timeout(text: &str) -> Result<Duration, Error> {
    duration(text, "/timeout")
}

fn pairs(headers: &HashMap<String, String>) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    pairs.sort_unstable();
    pairs
}
