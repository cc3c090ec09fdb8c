//! Where a call goes and as whom: read from the running demo's `demo.json`, or given piece by piece.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::Usage;

const KEY_VARIABLE: &str = "SCANGATE_CLIENT_KEY";

#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Call the running demo: address, merchant, store and shop come from its demo.json
    #[arg(long, conflicts_with_all = ["base", "partner_no", "key", "key_file"])]
    demo: bool,
    /// The demo's folder
    #[arg(long, value_name = "DIR", default_value = "scangate-data", conflicts_with = "base")]
    data: PathBuf,
    /// The address up to `/api`, such as `http://127.0.0.1:8080/demo` or `https://pay.scanforpay.com`
    #[arg(long, value_name = "URL", required_unless_present = "demo", value_parser = base)]
    base: Option<Url>,
    /// The merchant's partner number
    #[arg(long, value_name = "P", required_unless_present = "demo")]
    partner_no: Option<String>,
    /// The merchant's sign key. Other users of this machine can read it in the process list, and the shell keeps
    /// it in its history: --key-file, or the environment variable `SCANGATE_CLIENT_KEY`, is better
    #[arg(long, value_name = "K", conflicts_with = "key_file")]
    key: Option<SignKey>,
    /// A file that holds the merchant's sign key
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Also print the exact bytes sent and received
    #[arg(long)]
    pub(super) raw: bool,
}

/// A sign key; never printed, not even in debug output.
#[derive(Clone)]
pub struct SignKey(String);

impl SignKey {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl std::str::FromStr for SignKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("the key is empty") } else { Ok(Self(text.to_owned())) }
    }
}

/// What the demo writes for scripts; the parts a client needs.
#[derive(Deserialize)]
pub(super) struct Demo {
    gateway: DemoGateway,
    shop: DemoShop,
    merchant: DemoMerchant,
    stores: Vec<DemoStore>,
}

#[derive(Deserialize)]
struct DemoGateway {
    signed_base_url: String,
}

#[derive(Deserialize)]
struct DemoShop {
    notify_url: String,
    return_url: String,
}

#[derive(Deserialize)]
struct DemoMerchant {
    partner_no: String,
    sign_key: String,
}

#[derive(Deserialize)]
struct DemoStore {
    store_no: String,
    currency: String,
    wallets: Vec<String>,
}

pub(super) struct Target {
    base: Url,
    pub(super) partner_no: String,
    pub(super) key: SignKey,
    demo: Option<Demo>,
}

impl TargetArgs {
    pub(super) fn resolve(&self) -> Result<Target, Usage> {
        if self.demo {
            return Target::of_demo(read_demo(&self.data)?);
        }
        let (Some(base), Some(partner_no)) = (&self.base, &self.partner_no) else {
            return Err(Usage("--base and --partner-no are needed, or --demo".to_owned()));
        };
        let key = key_given(self.key.as_ref(), self.key_file.as_deref())?;
        Ok(Target { base: base.clone(), partner_no: partner_no.clone(), key, demo: None })
    }

    /// These options as they would be typed again, less the key.
    pub(super) fn spelled(&self) -> String {
        if self.demo {
            let data = self.data.to_string_lossy();
            return if data == "scangate-data" {
                "--demo".to_owned()
            } else {
                format!("--demo --data {}", quoted(&data))
            };
        }
        let mut words = Vec::new();
        if let Some(base) = &self.base {
            words.push(format!("--base {}", quoted(base.as_str())));
        }
        if let Some(partner_no) = &self.partner_no {
            words.push(format!("--partner-no {}", quoted(partner_no)));
        }
        if let Some(file) = &self.key_file {
            words.push(format!("--key-file {}", quoted(&file.to_string_lossy())));
        }
        words.join(" ")
    }
}

impl Target {
    pub(super) fn of_demo(demo: Demo) -> Result<Self, Usage> {
        let key = demo.merchant.sign_key.parse().map_err(|e| Usage(format!("demo.json: {e}")))?;
        let base = base(&demo.gateway.signed_base_url)
            .map_err(|e| Usage(format!("demo.json: gateway.signed_base_url {e}")))?;
        Ok(Self { base, partner_no: demo.merchant.partner_no.clone(), key, demo: Some(demo) })
    }

    /// The address of an operation's `path`, which starts with a slash.
    pub(super) fn address(&self, path: &str) -> Url {
        let mut address = self.base.clone();
        address.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        address
    }

    /// The demo's store for this currency, one that takes the wallet before one that does not.
    pub(super) fn store_for(&self, currency: &str, wallet: &str) -> Result<String, Usage> {
        let stores = self.demo.as_ref().map_or(&[][..], |demo| &demo.stores);
        let fitting = || stores.iter().filter(|store| store.currency == currency);
        let store = fitting()
            .find(|store| store.wallets.iter().any(|name| name == wallet))
            .or_else(|| fitting().next())
            .ok_or_else(|| {
                let known: Vec<&str> = stores.iter().map(|store| store.currency.as_str()).collect();
                Usage(format!(
                    "the demo has no {currency} store, only {}; or name one with --store-no",
                    known.join(", ")
                ))
            })?;
        Ok(store.store_no.clone())
    }

    pub(super) fn notify_url(&self) -> Option<&str> {
        self.demo.as_ref().map(|demo| demo.shop.notify_url.as_str())
    }

    pub(super) fn return_url(&self) -> Option<&str> {
        self.demo.as_ref().map(|demo| demo.shop.return_url.as_str())
    }
}

/// An address that operations' paths can be appended to.
pub(super) fn base(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|e| format!("is no address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("must start with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must end with its path: operations' paths are appended to it".to_owned());
    }
    Ok(url)
}

pub(super) fn read_demo<T: DeserializeOwned>(folder: &Path) -> Result<T, Usage> {
    let file = folder.join("demo.json");
    let text = std::fs::read_to_string(&file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Usage(format!(
            "{} is not there: start the demo with `scangate demo`, or name its folder with --data",
            file.display()
        )),
        _ => Usage(format!("{} cannot be read: {e}", file.display())),
    })?;
    serde_json::from_str(&text)
        .map_err(|e| Usage(format!("{} is not what the demo writes: {e}", file.display())))
}

/// From the command line, its file, or the environment.
pub(super) fn key_given(key: Option<&SignKey>, file: Option<&Path>) -> Result<SignKey, Usage> {
    match (key, file) {
        (Some(key), _) => Ok(key.clone()),
        (None, Some(file)) => key_in(file),
        (None, None) => key_from(environment()),
    }
}

pub(super) fn key_in(file: &Path) -> Result<SignKey, Usage> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Usage(format!("the key file {} cannot be read: {e}", file.display())))?;
    text.trim().parse().map_err(|e| Usage(format!("{}: {e}", file.display())))
}

fn environment() -> Option<String> {
    variable(KEY_VARIABLE)
}

#[expect(clippy::disallowed_methods, reason = "the caller's key is no setting of a server")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn key_from(environment: Option<String>) -> Result<SignKey, Usage> {
    environment
        .unwrap_or_default()
        .trim()
        .parse()
        .map_err(|_| Usage(format!("no sign key: set {KEY_VARIABLE}, or name a file with --key-file")))
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
