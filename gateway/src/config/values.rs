//! The kinds of values that settings have, as they are written in TOML: secrets, the store's URL, sizes, URLs,
//! networks, amounts, lists of durations. Errors about secrets never repeat what was given.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shared::money::{Currency, MAX_AMOUNT};
use url::Url;
use zeroize::Zeroizing;

/// What is shown in a secret's place.
const HIDDEN: &str = "***";

/// A text that is neither logged nor printed, and wiped from memory when dropped.
#[derive(Clone, Default, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The one way to the text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That it is set may be shown; what it is may not.
    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { HIDDEN }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

/// Which store, and where. Shown without its password.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreUrl {
    /// The database file.
    Sqlite(PathBuf),
    /// The whole URL, for `PgConnectOptions`.
    Postgres(Secret),
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    #[error("must start with sqlite: or postgres://")]
    Scheme,
    #[error("names no file")]
    NoFile,
    #[error("is a database in memory, which would forget every order")]
    InMemory,
    #[error("has options after a question mark, which an SQLite path cannot have here")]
    Options,
    #[error("is not a URL")]
    NotAUrl,
    #[error("names no database, as in postgres://host/database")]
    NoDatabase,
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return sqlite_file(path.strip_prefix("//").unwrap_or(path)).map(Self::Sqlite);
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(StoreUrlError::Scheme);
        }
        let url = Url::parse(text).map_err(|_| StoreUrlError::NotAUrl)?;
        let named = url.query_pairs().any(|(key, _)| key == "dbname");
        if url.path().trim_start_matches('/').is_empty() && !named {
            return Err(StoreUrlError::NoDatabase);
        }
        Ok(Self::Postgres(text.to_owned().into()))
    }
}

fn sqlite_file(path: &str) -> Result<PathBuf, StoreUrlError> {
    match path {
        "" => Err(StoreUrlError::NoFile),
        _ if path.starts_with(":memory:") => Err(StoreUrlError::InMemory),
        _ if path.contains('?') => Err(StoreUrlError::Options),
        _ => Ok(path.into()),
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = StoreUrlError;

    fn try_from(text: String) -> Result<Self, StoreUrlError> {
        Zeroizing::new(text).parse()
    }
}

/// As it may be shown: a password in the authority or in the query is replaced.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&without_password(url)),
        }
    }
}

fn without_password(secret: &Secret) -> String {
    let Ok(mut url) = Url::parse(secret.expose()) else { return HIDDEN.to_owned() };
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.to_owned();
    }
    let is_secret = |key: &str| key.to_ascii_lowercase().contains("password");
    if url.query_pairs().any(|(key, _)| is_secret(&key)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| {
                let shown = if is_secret(&key) { HIDDEN.into() } else { value };
                (key.into_owned(), shown.into_owned())
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.into()
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for StoreUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes, as a number or as `"64KiB"`.
pub mod size {
    use serde::de::{Error, Unexpected, Visitor};

    use super::{Deserializer, Serializer, fmt};

    const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
    const EXPECTED: &str = "a size such as \"64KiB\", \"256MiB\", \"1GiB\" or a number of bytes";

    pub fn parse(text: &str) -> Option<u64> {
        let text = text.trim();
        let unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
        let (number, unit) = unit.unwrap_or((text, 1));
        number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
    }

    pub fn shown(bytes: u64) -> String {
        let unit = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
        let (name, unit) = unit.unwrap_or(&("B", 1));
        format!("{}{name}", bytes / unit)
    }

    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<u64>>(deserializer: D) -> Result<T, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = u64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<u64, E> {
                Ok(bytes)
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<u64, E> {
                bytes.try_into().map_err(|_| E::invalid_value(Unexpected::Signed(bytes), &EXPECTED))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
                parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &EXPECTED))
            }
        }
        let bytes = deserializer.deserialize_any(Bytes)?;
        bytes.try_into().map_err(|_| D::Error::custom("is more than this machine can address"))
    }

    pub fn serialize<S: Serializer, T: Copy + TryInto<u64>>(
        bytes: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&shown((*bytes).try_into().unwrap_or(u64::MAX)))
    }
}

/// An absolute URL, or nothing, written as an empty text.
pub mod optional_url {
    use serde::de::Error;

    use super::{Deserialize, Deserializer, Serializer, Url};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        Url::parse(&text).map(Some).map_err(|reason| D::Error::custom(format!("is not a URL: {reason}")))
    }

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub fn serialize<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_ref().map_or("", |url| url.as_str().trim_end_matches('/')))
    }
}

/// A path, or nothing, written as an empty text.
pub mod optional_path {
    use super::{Deserialize, Deserializer, PathBuf, Serializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok((!text.is_empty()).then(|| text.into()))
    }

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&path.as_deref().unwrap_or("".as_ref()).display())
    }
}

/// An IP address, or nothing, written as an empty text.
pub mod optional_address {
    use std::net::IpAddr;

    use serde::de::Error;

    use super::{Deserialize, Deserializer, Serializer};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| D::Error::custom("is not an IP address"))
    }

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub fn serialize<S: Serializer>(address: &Option<IpAddr>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&address.map(|address| address.to_string()).unwrap_or_default())
    }
}

/// Defines a list whose entries are written as texts.
macro_rules! list_of_texts {
    ($(#[$doc:meta])* $name:ident, $entry:ty, $read:expr, $shown:expr) => {
        $(#[$doc])*
        pub mod $name {
            use serde::de::Error;

            use super::*;

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<$entry>, D::Error> {
                let read: fn(&str) -> Result<$entry, String> = $read;
                let texts = Vec::<String>::deserialize(deserializer)?;
                let entries = texts.iter().map(|text| {
                    read(text).map_err(|reason| D::Error::custom(format!("the entry \"{text}\" {reason}")))
                });
                entries.collect()
            }

            pub fn serialize<S: Serializer>(entries: &[$entry], serializer: S) -> Result<S::Ok, S::Error> {
                let shown: fn(&$entry) -> String = $shown;
                serializer.collect_seq(entries.iter().map(shown))
            }
        }
    };
}

list_of_texts!(
    /// Absolute URLs.
    urls,
    Url,
    |text| Url::parse(text).map_err(|reason| format!("is not a URL: {reason}")),
    |url| url.as_str().trim_end_matches('/').to_owned()
);

list_of_texts!(
    /// Durations such as `"15s"`.
    durations,
    std::time::Duration,
    |text| humantime_serde::re::humantime::parse_duration(text)
        .map_err(|_| "is not a duration such as \"15s\" or \"10m\"".to_owned()),
    |duration| humantime_serde::re::humantime::format_duration(*duration).to_string()
);

list_of_texts!(
    /// Networks such as `"10.1.0.0/16"`; an address alone is a network of one.
    networks,
    ipnet::IpNet,
    network,
    |network| if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
);

/// So much of a currency, in its smallest unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    pub minor: i64,
    pub currency: Currency,
}

list_of_texts!(
    /// Amounts such as `"500000 HKD"`, in the currency's smallest unit.
    amounts,
    crate::config::Amount,
    super::amount,
    |amount| format!("{} {}", amount.minor, amount.currency)
);

fn amount(text: &str) -> Result<Amount, String> {
    let parts = text.split_once(' ').and_then(|(minor, currency)| {
        let minor = minor.parse().ok().filter(|minor| (0..=MAX_AMOUNT).contains(minor))?;
        Some(Amount { minor, currency: Currency::parse(currency)? })
    });
    parts.ok_or_else(|| "is not a whole number and a currency such as \"500000 HKD\"".to_owned())
}

pub fn network(text: &str) -> Result<ipnet::IpNet, String> {
    text.parse()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(Into::into))
        .map_err(|_| "is not an address or network such as \"10.1.0.0/16\"".to_owned())
}
