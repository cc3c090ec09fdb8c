//! Which proxies in front are believed about where a request comes from, and in which header they say it.

use std::fmt;

use ipnet::IpNet;
use serde::de::{Error, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Proxies between a client and the gateway at most.
pub const MAX_HOPS: u8 = 16;

const EXPECTED: &str =
    "a number of proxies from 0 to 16, or a list of their networks such as [\"10.1.0.0/16\"]";

/// Proxies whose word is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedHops {
    /// So many, counted from the gateway.
    Count(u8),
    /// Those in these networks.
    Networks(Vec<IpNet>),
}

/// The header in which they say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum ForwardedHeader {
    #[serde(rename = "X-Forwarded-For")]
    XForwardedFor,
    #[serde(rename = "Forwarded")]
    Forwarded,
}

impl Serialize for TrustedHops {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u8(*count),
            Self::Networks(networks) => super::values::networks::serialize(networks, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TrustedHops {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Hops)
    }
}

struct Hops;

impl<'de> Visitor<'de> for Hops {
    type Value = TrustedHops;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: Error>(self, count: u64) -> Result<TrustedHops, E> {
        match u8::try_from(count) {
            Ok(count) if count <= MAX_HOPS => Ok(TrustedHops::Count(count)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(count), &EXPECTED)),
        }
    }

    fn visit_i64<E: Error>(self, count: i64) -> Result<TrustedHops, E> {
        match u64::try_from(count) {
            Ok(count) => self.visit_u64(count),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(count), &EXPECTED)),
        }
    }

    /// From the environment: networks with commas between.
    fn visit_str<E: Error>(self, text: &str) -> Result<TrustedHops, E> {
        let networks = text.split(',').map(str::trim).map(network);
        Ok(TrustedHops::Networks(networks.collect::<Result<_, _>>().map_err(E::custom)?))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<TrustedHops, A::Error> {
        let mut networks = Vec::new();
        while let Some(text) = entries.next_element::<String>()? {
            networks.push(network(&text).map_err(A::Error::custom)?);
        }
        Ok(TrustedHops::Networks(networks))
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    super::values::network(text).map_err(|reason| format!("the entry \"{text}\" {reason}"))
}
