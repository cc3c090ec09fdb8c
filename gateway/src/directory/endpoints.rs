//! Registered endpoints as they are held in memory: all that a promise and an attempt need to know of them. How they are
//! made and changed: `manage`, and by operators: `operate`.

mod acknowledgement;
pub mod manage;
pub mod operate;
pub mod rotate;
mod secrets;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http::{HeaderName, HeaderValue};
use url::Url;

pub use self::acknowledgement::Acknowledgement;
pub use self::secrets::{Secret, Secrets};
use super::access::Mode;
use super::vault::Vault;
use crate::entity::endpoint::{self, Format, Status};
use crate::entity::endpoint_secret;
use crate::entity::event::{self, Audience};
use crate::limits::{Bucket, Limits};
use crate::orders::tell::Kind;

/// Where a merchant, or its platform, wants events.
#[derive(Clone)]
pub struct Endpoint {
    pub id: String,
    pub platform_id: String,
    /// `None`: the platform's own, which hears of all its merchants.
    pub merchant_id: Option<String>,
    /// Of the merchants it hears of.
    pub mode: Mode,
    pub url: Url,
    pub format: Format,
    pub filter: Filter,
    pub acknowledgement: Acknowledgement,
    /// What it is signed with; none where the format takes the merchant's sign key.
    pub secrets: Secrets,
    /// The owner's own, sent besides ours.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Challenges and test events.
    pub trials: Arc<Bucket>,
    /// Waits between attempts; `None`: the gateway's own, as those below.
    pub schedule: Option<Vec<Duration>>,
    pub timeout: Option<Duration>,
    /// Attempts a second.
    pub rate: Option<u32>,
    /// Attempts at one time.
    pub concurrency: Option<usize>,
    pub status: Status,
    /// Its URL's owner has shown that it wants our events. Before that nothing is sent to it.
    pub is_proven: bool,
    /// It was proven once, if perhaps at another URL: what is told until this one is, too, waits.
    pub is_promised_to: bool,
    /// Unix milliseconds: what is heard of it counts since then.
    pub heard_since: i64,
    /// Unix milliseconds: it asked to be left alone until then.
    pub quiet_until: Option<i64>,
    /// Unix milliseconds of the first failure since its last acknowledgement.
    pub failing_since: Option<i64>,
}

/// Which events are heard; `None`: all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub kinds: Option<Vec<Kind>>,
    pub stores: Option<Vec<String>>,
    pub wallets: Option<Vec<String>>,
}

/// What an event is about, besides itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub store_id: &'a str,
    /// In the wire's spelling; of an order that no wallet is known of, none.
    pub wallet: Option<&'a str>,
    pub mode: Mode,
}

impl Endpoint {
    /// Whose it is: the merchant's id, or the platform's.
    pub fn owner_id(&self) -> &str {
        self.merchant_id.as_deref().unwrap_or(&self.platform_id)
    }

    /// Whether the event is for it. Its owner is asked for elsewhere.
    pub fn hears(&self, event: &event::Model, about: &About<'_>) -> bool {
        let is_owners = self.merchant_id.is_none() || event.audience == Audience::All;
        let can_be_told = self.format == Format::StandardWebhooks || event.kind == Kind::OrderPaid.as_str();
        let Filter { kinds, stores, wallets } = &self.filter;
        let among = |listed: &Option<Vec<String>>, word: Option<&str>| {
            listed.as_ref().is_none_or(|listed| listed.iter().any(|one| Some(one.as_str()) == word))
        };
        is_owners
            && can_be_told
            && self.mode == about.mode
            && kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind.as_str() == event.kind))
            && among(stores, Some(about.store_id))
            && among(wallets, about.wallet)
    }
}

impl Endpoint {
    /// From the row of a registered one, and those of its secrets.
    pub fn read(
        row: endpoint::Model,
        secrets: Vec<endpoint_secret::Model>,
        vault: &Vault,
        limits: &Limits,
    ) -> anyhow::Result<Self> {
        let (Some(mode), Some(url)) = (row.mode, row.url.as_deref()) else {
            bail!("endpoint {} has no URL or no mode", row.id);
        };
        let url = Url::parse(url).with_context(|| format!("the URL of endpoint {}", row.id))?;
        let kinds = row.event_kinds.as_deref().map(|listed| {
            listed.split(',').map(|word| Kind::parse(word).with_context(|| format!("event {word}"))).collect()
        });
        let schedule: Option<Vec<u64>> = row.schedule.as_deref().map(serde_json::from_str).transpose()?;
        let words = |listed: &Option<String>| {
            listed.as_ref().map(|listed| listed.split(',').map(str::to_owned).collect::<Vec<String>>())
        };
        Ok(Self {
            filter: Filter {
                kinds: kinds.transpose()?,
                stores: words(&row.store_ids),
                wallets: words(&row.wallets),
            },
            acknowledgement: serde_json::from_str(&row.acknowledgement)
                .with_context(|| format!("the acknowledgement of endpoint {}", row.id))?,
            secrets: Secrets::open(secrets, vault)?,
            headers: settings::open_headers(&row, vault)?,
            trials: limits.endpoint_trials(&row.platform_id, &row.id),
            schedule: schedule.map(|waits| waits.into_iter().map(Duration::from_millis).collect()),
            timeout: row.timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
            rate: row.rate.and_then(|rate| u32::try_from(rate).ok()),
            concurrency: row.concurrency.and_then(|count| usize::try_from(count).ok()),
            id: row.id,
            platform_id: row.platform_id,
            merchant_id: row.merchant_id,
            mode,
            url,
            format: row.format,
            status: row.status,
            is_proven: row.proven_at.is_some(),
            is_promised_to: row.first_proven_at.is_some(),
            heard_since: row.heard_since.unwrap_or(0),
            quiet_until: row.quiet_until,
            failing_since: row.failing_since,
        })
    }
}
