//! The address policy: which addresses may be called on a tenant's word, and which URLs may name them.
//!
//! A tenant chooses the URLs the gateway posts to, so without this a tenant could reach whatever the gateway's own
//! machine reaches. URLs are looked at when they are given ([`AddressPolicy::check_url`]), which tells the tenant
//! early; the decision that counts is [`AddressPolicy::permits`], asked about every address right before it is
//! dialled, because a name may resolve differently each time.

#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Which addresses may be called on a tenant's word: the public ones, and what the operator's list adds. The default
/// allows nothing but public addresses.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicy {
    allow: Vec<IpNet>,
    own: Vec<SocketAddr>,
}

/// Why an address is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the address is one this gateway itself listens on")]
    OwnListener,
    #[error("the address is a cloud's metadata service")]
    Metadata,
    /// Holds the name of the range, fit for a sentence such as 'the address is loopback'.
    #[error("the address is not public: {0}")]
    NotPublic(&'static str),
}

/// Why a URL is not taken from a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefusal {
    #[error("not an absolute URL")]
    Malformed,
    #[error("the scheme is neither http nor https")]
    Scheme,
    #[error("the URL carries a user name or password")]
    UserInfo,
    #[error("the host is a name for the local machine")]
    LocalName,
    #[error(transparent)]
    Address(#[from] Refusal),
}

impl AddressPolicy {
    /// `allow` opens ranges that are closed otherwise; `own` are the gateway's own listeners, which stay closed
    /// whatever `allow` says. A wildcard listener (`0.0.0.0:8080`) closes its port on every address of this machine.
    /// A metadata service is opened only by an entry for that one address (`/32`, `/128`): who opens a private
    /// network seldom means the credentials served in it.
    pub fn new(allow: Vec<IpNet>, own: Vec<SocketAddr>) -> Self {
        Self { allow, own }
    }

    /// May this address be called? A v4-mapped IPv6 address is judged as the IPv4 address it stands for.
    pub fn permits(&self, address: SocketAddr) -> Result<(), Refusal> {
        let ip = address.ip().to_canonical();
        if self.own.iter().any(|own| listens_at(*own, ip, address.port())) {
            return Err(Refusal::OwnListener);
        }
        if METADATA.contains(&ip) {
            return if self.allow.contains(&IpNet::from(ip)) { Ok(()) } else { Err(Refusal::Metadata) };
        }
        match closed_range(ip) {
            Some(range) if !self.allow.iter().any(|net| net.contains(&ip)) => Err(Refusal::NotPublic(range)),
            _ => Ok(()),
        }
    }

    /// Can this be called, as far as the text tells? Literal addresses are judged in every spelling that clients
    /// understand (`127.1`, `0x7f.1`, `2130706433`), names only if they are known to mean the local machine. A
    /// fragment is no harm: it is never sent.
    pub fn check_url(&self, text: &str) -> Result<Url, UrlRefusal> {
        let url = Url::parse(text).map_err(|_| UrlRefusal::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(UrlRefusal::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlRefusal::UserInfo);
        }
        // Some host names that URLs allow cannot be written into an HTTP request.
        url.as_str().parse::<http::Uri>().map_err(|_| UrlRefusal::Malformed)?;
        let port = url.port_or_known_default().ok_or(UrlRefusal::Malformed)?;
        match url.host().ok_or(UrlRefusal::Malformed)? {
            Host::Ipv4(ip) => self.permits((ip, port).into())?,
            Host::Ipv6(ip) => self.permits((ip, port).into())?,
            Host::Domain(name) if means_this_machine(name) => self.permits_loopback(port)?,
            Host::Domain(_) => {}
        }
        Ok(url)
    }

    fn permits_loopback(&self, port: u16) -> Result<(), UrlRefusal> {
        let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), (Ipv6Addr::LOCALHOST, port).into()];
        if addresses.into_iter().any(|address| self.permits(address).is_ok()) {
            return Ok(());
        }
        Err(UrlRefusal::LocalName)
    }
}

/// Names that mean the local machine by standard (RFC 6761) or in the hosts files of common systems. Any other name
/// for it is caught when it is resolved.
const LOCAL_NAMES: [&str; 6] =
    ["localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"];

fn means_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    LOCAL_NAMES.contains(&name) || name.ends_with(".localhost")
}

/// Does the listener `own` take connections made to `ip` and `port`?
fn listens_at(own: SocketAddr, ip: IpAddr, port: u16) -> bool {
    let listening = own.ip().to_canonical();
    // Connecting to the unspecified address reaches the local machine.
    own.port() == port
        && (listening == ip || ip.is_unspecified() || (listening.is_unspecified() && is_local(ip)))
}

/// Is this an address of this machine? Only those can be bound. Where the system gives no clear answer the address
/// counts as local, which refuses it.
fn is_local(ip: IpAddr) -> bool {
    match UdpSocket::bind((ip, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrNotAvailable,
    }
}

/// Where clouds serve a machine's own credentials. Most lie in closed ranges; they are listed so that opening such a
/// range does not open them. 168.63.129.16 (Azure) looks public.
const METADATA: [IpAddr; 10] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), // AWS, Azure, Google, Oracle, DigitalOcean, …
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),   // AWS containers
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),  // AWS Kubernetes pods
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),    // Tencent
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), // Alibaba
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),     // Oracle, older
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),   // Azure
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), // AWS
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)), // AWS Kubernetes pods
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), // Google
];

/// The closed range this address lies in, by name.
fn closed_range(ip: IpAddr) -> Option<&'static str> {
    match ip {
        IpAddr::V4(ip) => CLOSED_V4.iter().find(|(net, _)| net.contains(&ip)).map(|(_, name)| *name),
        IpAddr::V6(ip) => CLOSED_V6
            .iter()
            .find(|(net, _)| net.contains(&ip))
            .map(|(_, name)| *name)
            .or((!GLOBAL_UNICAST.contains(&ip)).then_some("not global unicast")),
    }
}

/// What the IANA IPv4 special-purpose registry does not call globally reachable, 192.0.0.0/24 as a whole, the
/// withdrawn 6to4 relays, and multicast. The first match names an address.
const CLOSED_V4: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 0, 32), "unspecified"),
    (v4(0, 0, 0, 0, 8), "'this network'"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "protocol assignments"),
    (v4(192, 0, 2, 0, 24), "documentation"),
    (v4(192, 88, 99, 0, 24), "6to4 relay"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "benchmarking"),
    (v4(198, 51, 100, 0, 24), "documentation"),
    (v4(203, 0, 113, 0, 24), "documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved or broadcast"),
];

/// All of IPv6 that is handed out to be reached by everyone.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// What is closed inside [`GLOBAL_UNICAST`], then names for the parts of the rest. Forms that carry an IPv4 address
/// for some other machine to unpack (v4-compatible, NAT64, 6to4, Teredo) are closed whatever address they carry.
const CLOSED_V6: [(Ipv6Net, &str); 17] = [
    (v6([0x2001, 0, 0, 0], 32), "Teredo"),
    (v6([0x2001, 0x10, 0, 0], 28), "ORCHID"),
    (v6([0x2001, 0x20, 0, 0], 28), "ORCHID"),
    (v6([0x2001, 0, 0, 0], 23), "protocol assignments"),
    (v6([0x2001, 0xdb8, 0, 0], 32), "documentation"),
    (v6([0x2002, 0, 0, 0], 16), "6to4"),
    (v6([0x3fff, 0, 0, 0], 20), "documentation"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "unspecified"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback"),
    (v6([0, 0, 0, 0], 96), "v4-compatible"),
    (v6([0x64, 0xff9b, 0, 0], 96), "NAT64"),
    (v6([0x64, 0xff9b, 1, 0], 48), "NAT64"),
    (v6([0x100, 0, 0, 0], 64), "discard"),
    (v6([0xfc00, 0, 0, 0], 7), "private"),
    (v6([0xfe80, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0], 8), "multicast"),
];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// The first four groups, the others being zero in every range above.
const fn v6([a, b, c, d]: [u16; 4], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}
