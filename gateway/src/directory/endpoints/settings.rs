//! What an owner may ask of the gateway for its endpoint, and within which bounds.

use std::time::Duration;

use anyhow::Context;
use http::{HeaderName, HeaderValue, header};
use shared::wallet::Wallet;
use url::Url;

use super::Acknowledgement;
use crate::app::App;
use crate::directory::access::Mode;
use crate::directory::vault::{Sealed, Vault};
use crate::entity::endpoint::{self, Format};
use crate::entity::event::Audience;
use crate::error::Error;
use crate::orders::tell::Kind;

/// Waits of a schedule.
pub const MOST_WAITS: usize = 30;
pub const LONGEST_WAIT: Duration = Duration::from_hours(24);
pub const MOST_HEADERS: usize = 10;
const LONGEST_HEADER: usize = 1_024;

/// What a header may not be: those that say how the request is to be read or carried, and our own.
const DENIED: [HeaderName; 16] = [
    header::HOST,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    header::DATE,
    header::RANGE,
    header::FORWARDED,
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::USER_AGENT,
    header::RETRY_AFTER,
    header::ORIGIN,
    header::VIA,
];
const DENIED_PREFIXES: [&str; 8] =
    ["content-", "proxy-", "webhook-", "scangate-", "x-forwarded-", "sec-", "keep-alive", "if-"];

/// All settings of an endpoint, as its owner gives them.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub url: Option<String>,
    pub description: Option<Option<String>>,
    pub kinds: Option<Option<Vec<Kind>>>,
    pub stores: Option<Option<Vec<String>>>,
    pub wallets: Option<Option<Vec<Wallet>>>,
    pub acknowledgement: Option<Option<Acknowledgement>>,
    pub schedule: Option<Option<Vec<Duration>>>,
    pub timeout: Option<Option<Duration>>,
    pub rate: Option<Option<u32>>,
    pub concurrency: Option<Option<u32>>,
    /// Names and values.
    pub headers: Option<Vec<(String, String)>>,
}

impl Settings {
    /// Put what is given into the row. Stores are the caller's to look up.
    pub fn apply(&self, app: &App, row: &mut endpoint::Model) -> Result<(), Error> {
        if let Some(url) = &self.url {
            let url = checked_url(app, url, row.mode)?;
            row.origin = url.origin().ascii_serialization();
            row.url = Some(url.into());
        }
        if let Some(description) = &self.description {
            row.description.clone_from(description);
        }
        if let Some(kinds) = &self.kinds {
            row.event_kinds = kinds.as_ref().map(|kinds| joined(kinds.iter().map(|kind| kind.as_str())));
        }
        if let Some(stores) = &self.stores {
            row.store_ids = stores.as_ref().map(|ids| joined(ids.iter().map(String::as_str)));
        }
        if let Some(wallets) = &self.wallets {
            row.wallets = wallets.as_ref().map(|all| joined(all.iter().map(|wallet| wallet.as_str())));
        }
        if let Some(profile) = &self.acknowledgement {
            let profile = profile.clone().unwrap_or_else(|| Acknowledgement::usual(row.format));
            row.acknowledgement = profile.text();
        }
        if let Some(schedule) = &self.schedule {
            row.schedule = schedule.as_deref().map(checked_schedule).transpose()?;
        }
        if let Some(timeout) = self.timeout {
            row.timeout_ms = timeout.map(|timeout| checked_timeout(app, timeout)).transpose()?;
        }
        let deliveries = &app.config.deliveries;
        if let Some(rate) = self.rate {
            within(rate, deliveries.rate_per_endpoint, "/rate")?;
            row.rate = rate.map(i64::from);
        }
        if let Some(concurrency) = self.concurrency {
            let most = u32::try_from(deliveries.max_in_flight_per_endpoint).unwrap_or(u32::MAX);
            within(concurrency, most, "/concurrency")?;
            row.concurrency = concurrency.map(i64::from);
        }
        if let Some(headers) = &self.headers {
            (row.headers, row.master_key_id) = seal_headers(&app.vault, &row.id, headers)?.unzip();
        }
        if row.merchant_id.is_some() {
            told_to_its_owner(self.kinds.as_ref().and_then(Option::as_deref).unwrap_or_default())?;
        }
        told_in_its_form(row)
    }
}

/// Of some things only platforms hear: a merchant's endpoint would wait for them in vain.
fn told_to_its_owner(kinds: &[Kind]) -> Result<(), Error> {
    match kinds.iter().position(|kind| kind.audience() == Audience::Platform) {
        Some(place) => {
            let pointer = format!("/eventTypes/{place}");
            Err(Error::invalid(&pointer, "is told to platforms only, at endpoints of their own"))
        }
        None => Ok(()),
    }
}

/// ScanForPay's form can say that an order was paid, and nothing else.
fn told_in_its_form(row: &endpoint::Model) -> Result<(), Error> {
    if row.format != Format::ScanForPay {
        return Ok(());
    }
    if row.merchant_id.is_none() {
        let why = "ScanForPay's form is signed with a merchant's key: a platform's own endpoint is told in \
                   standard-webhooks";
        return Err(Error::invalid("/format", why));
    }
    match row.event_kinds.as_deref() {
        None => Ok(()),
        Some(kinds) if kinds == Kind::OrderPaid.as_str() => Ok(()),
        Some(_) => Err(Error::invalid("/eventTypes", "ScanForPay's form can tell of order.paid only")),
    }
}

fn joined<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(",")
}

/// A live endpoint's is https. Which addresses may be called is asked again at every connection.
fn checked_url(app: &App, text: &str, mode: Option<Mode>) -> Result<Url, Error> {
    let url = app
        .policy
        .check_url(text)
        .map_err(|why| Error::invalid("/url", format!("cannot be called: {why}")))?;
    if mode == Some(Mode::Live) && url.scheme() != "https" {
        return Err(Error::invalid("/url", "must be https for live events"));
    }
    if url.fragment().is_some() {
        return Err(Error::invalid("/url", "must have no fragment: it is never sent"));
    }
    Ok(url)
}

fn checked_schedule(waits: &[Duration]) -> Result<String, Error> {
    if waits.is_empty() || waits.len() > MOST_WAITS {
        return Err(Error::invalid("/schedule", format!("must have 1 to {MOST_WAITS} waits")));
    }
    for (place, wait) in waits.iter().enumerate() {
        if !(Duration::from_secs(1)..=LONGEST_WAIT).contains(wait) {
            return Err(Error::invalid(&format!("/schedule/{place}"), "must be from 1s to 24h"));
        }
    }
    let waits: Vec<u128> = waits.iter().map(Duration::as_millis).collect();
    Ok(serde_json::to_string(&waits).expect("numbers serialise"))
}

/// Never longer than the gateway's own: leases are made for that.
fn checked_timeout(app: &App, timeout: Duration) -> Result<i64, Error> {
    let longest = app.config.deliveries.timeout;
    if !(Duration::from_secs(1).min(longest)..=longest).contains(&timeout) {
        let longest = longest.as_secs_f64();
        return Err(Error::invalid("/timeout", format!("must be from 1s to the gateway's own, {longest}s")));
    }
    Ok(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX))
}

fn within(wanted: Option<u32>, most: u32, pointer: &str) -> Result<(), Error> {
    match wanted {
        Some(wanted) if !(1..=most).contains(&wanted) => {
            Err(Error::invalid(pointer, format!("must be from 1 to the gateway's own, {most}")))
        }
        _ => Ok(()),
    }
}

/// `None` where there are none.
fn seal_headers(
    vault: &Vault,
    endpoint_id: &str,
    headers: &[(String, String)],
) -> Result<Option<(Vec<u8>, String)>, Error> {
    if headers.is_empty() {
        return Ok(None);
    }
    if headers.len() > MOST_HEADERS {
        return Err(Error::invalid("/headers", format!("may be {MOST_HEADERS} at most")));
    }
    for (place, (name, value)) in headers.iter().enumerate() {
        let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        checked_header(name, value).map_err(|why| Error::invalid(&pointer, why))?;
        if headers[..place].iter().any(|(before, _)| before.eq_ignore_ascii_case(name)) {
            return Err(Error::invalid(&pointer, "is there twice: capitals make no other name"));
        }
    }
    let text = serde_json::to_vec(headers).expect("texts serialise");
    let Sealed { bytes, master_key_id } = vault.seal(endpoint_id, &text);
    Ok(Some((bytes, master_key_id)))
}

fn checked_header(name: &str, value: &str) -> Result<(), &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "is no name of a header")?;
    let is_ours = DENIED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    if is_ours || DENIED.contains(&name) {
        return Err("is one that the gateway sets, or that says how a request is read: choose another name");
    }
    if value.len() > LONGEST_HEADER || !value.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err("must be printable ASCII, 1,024 characters at most");
    }
    Ok(())
}

/// The owner's headers, as they are sent.
pub fn open_headers(row: &endpoint::Model, vault: &Vault) -> anyhow::Result<Vec<(HeaderName, HeaderValue)>> {
    let names = header_pairs(row, vault)?;
    let headers = names.iter().map(|(name, value)| {
        let mut value = HeaderValue::try_from(value)?;
        value.set_sensitive(true);
        Ok((HeaderName::try_from(name)?, value))
    });
    headers.collect::<anyhow::Result<_>>().with_context(|| format!("the headers of endpoint {}", row.id))
}

/// Their names, which may be shown.
pub fn header_names(row: &endpoint::Model, vault: &Vault) -> anyhow::Result<Vec<String>> {
    Ok(header_pairs(row, vault)?.into_iter().map(|(name, _)| name).collect())
}

fn header_pairs(row: &endpoint::Model, vault: &Vault) -> anyhow::Result<Vec<(String, String)>> {
    let (Some(sealed), Some(key)) = (&row.headers, &row.master_key_id) else { return Ok(Vec::new()) };
    let text = vault.open(key, &row.id, sealed)?;
    serde_json::from_slice(&text).with_context(|| format!("the headers of endpoint {}", row.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_the_gateway_sets_or_that_carry_the_request_are_refused() {
        for name in [
            "Host",
            "Content-Type",
            "content-length",
            "Transfer-Encoding",
            "Connection",
            "webhook-signature",
            "ScanGate-Replay",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "User-Agent",
            "na me",
            "",
        ] {
            assert!(checked_header(name, "x").is_err(), "{name}");
        }
        for name in ["Authorization", "X-Api-Key", "Cookie", "tenant"] {
            assert_eq!(checked_header(name, "Bearer abc"), Ok(()), "{name}");
        }
        for value in ["a\r\nb: c", "\u{7f}", "é", &"x".repeat(1_025)] {
            assert!(checked_header("x-key", value).is_err(), "{value}");
        }
    }
}
