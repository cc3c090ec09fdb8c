//! From a host name to an open connection: resolve, ask the address policy, dial or have a proxy dial, TLS.
//!
//! The policy is asked here because this is the one place that sees the address really dialled, for names and
//! literal addresses alike. A proxy is given the address that was permitted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::Service;

use super::proxy::Proxy;
use super::way::Way;
use super::{SendError, reason};
use crate::deliveries::address::AddressPolicy;

/// For resolving, dialling and the TLS handshake together. A request's own deadline is usually nearer; this one
/// ends a connection attempt that goes on in the background after its request was served by another.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// An address that does not answer holds up the next one for this long (RFC 8305 suggests 250 ms).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Addresses of one name that are dialled, so that a name with hundreds does not make us knock at each.
const ADDRESSES_DIALLED: usize = 6;

/// Names being resolved at a time by one client. The system's resolver blocks a thread for as long as a name server
/// takes; this keeps the rest of the runtime's blocking threads free.
const LOOKUPS_AT_ONCE: usize = 64;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, SendError>> + Send>>;
type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves a host name, with the port to be called, into addresses in the order to try them.
pub type Lookup = Arc<dyn Fn(String, u16) -> Resolving + Send + Sync>;

/// Names as the operating system resolves them, on every call.
pub fn system_lookup() -> Lookup {
    let slots = Arc::new(Semaphore::new(LOOKUPS_AT_ONCE));
    Arc::new(move |host, port| {
        let slots = Arc::clone(&slots);
        Box::pin(async move {
            let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
            // A task of its own: a lookup cannot be stopped, so its slot must outlive a caller who gave up.
            let lookup = tokio::spawn(async move {
                let addresses = tokio::net::lookup_host((host, port)).await.map(Iterator::collect);
                drop(slot);
                addresses
            });
            lookup.await.map_err(io::Error::other)?
        })
    })
}

/// Opens connections, plain or with TLS as the scheme asks.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Dialler>,
}

impl Connector {
    pub(super) fn new(policy: Option<Arc<AddressPolicy>>, lookup: Lookup, way: Way) -> Self {
        let Way { proxy, local, tls } = way;
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialler { policy, lookup, proxy, local });
        Self { https }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = SendError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.https.call(uri);
        Box::pin(async move {
            match timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(Ok(connection)) => Ok(connection),
                // Dialling reports in our own type; what comes as another is from the handshake.
                Ok(Err(error)) => Err(match error.downcast::<SendError>() {
                    Ok(dialling) => *dialling,
                    Err(handshake) => SendError::Tls { reason: reason(&*handshake) },
                }),
                Err(_) => Err(SendError::TimedOut { sent: false }),
            }
        })
    }
}

#[derive(Clone)]
struct Dialler {
    policy: Option<Arc<AddressPolicy>>,
    lookup: Lookup,
    proxy: Option<Arc<Proxy>>,
    local: Option<IpAddr>,
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<TcpStream>;
    type Error = SendError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialler = self.clone();
        Box::pin(async move {
            let stream = dialler.connected(&uri).await?;
            // A request goes out as one write; waiting to fill a packet only delays it.
            stream.set_nodelay(true).map_err(|error| SendError::Connect { reason: reason(&error) })?;
            Ok(TokioIo::new(stream))
        })
    }
}

impl Dialler {
    async fn connected(&self, uri: &Uri) -> Result<TcpStream, SendError> {
        let Self { policy, lookup, proxy, local } = self;
        if let (None, Some(proxy)) = (policy, proxy)
            && !means_loopback(uri)
        {
            // Nothing is asked about the address, so the proxy may resolve the name, where we perhaps cannot.
            let (host, port) = host_and_port(uri)?;
            return proxy.reach(&[format!("{host}:{port}")], lookup, *local).await;
        }
        let addresses = dialable(resolve(uri, lookup).await?, policy.as_deref())?;
        match proxy {
            // By the addresses that the policy permits: a name may be another address to the proxy.
            Some(proxy) if !addresses.iter().all(|address| address.ip().to_canonical().is_loopback()) => {
                let targets: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                proxy.reach(&targets, lookup, *local).await
            }
            _ => dial(addresses, *local).await.map_err(|error| SendError::Connect { reason: reason(&error) }),
        }
    }
}

/// What is on this machine is never asked of a proxy, to which it would be another.
fn means_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn host_and_port(uri: &Uri) -> Result<(&str, u16), SendError> {
    let host = uri.host().ok_or(SendError::Url)?;
    let default_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    Ok((host, uri.port_u16().unwrap_or(default_port)))
}

async fn resolve(uri: &Uri, lookup: &Lookup) -> Result<Vec<SocketAddr>, SendError> {
    let (host, port) = host_and_port(uri)?;
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if let Ok(ip) = literal {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let found = lookup(host.to_owned(), port).await;
    found.map_err(|error| SendError::Resolve { reason: reason(&error) })
}

/// Those of the addresses that may be called, in their order; an error if there are none.
pub(super) fn dialable(
    found: Vec<SocketAddr>,
    policy: Option<&AddressPolicy>,
) -> Result<Vec<SocketAddr>, SendError> {
    let mut refused = None;
    let mut permitted = Vec::new();
    for address in found {
        match policy.map_or(Ok(()), |policy| policy.permits(address)) {
            Ok(()) => permitted.push(address),
            Err(refusal) => refused = Some(refusal),
        }
    }
    permitted.truncate(ADDRESSES_DIALLED);
    match refused {
        Some(refusal) if permitted.is_empty() => Err(SendError::Refused(refusal)),
        None if permitted.is_empty() => {
            Err(SendError::Resolve { reason: "the name has no address".to_owned() })
        }
        _ => Ok(permitted),
    }
}

/// The first connection that comes about. The next address is dialled as soon as one failed, or answers too slowly.
pub(super) async fn dial(addresses: Vec<SocketAddr>, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut dialling = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        dialling.extend(waiting.next().map(|address| connect(address, local)));
        match timeout(NEXT_ADDRESS_AFTER, dialling.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) => return Err(failure),
            Err(_) => {} // too slow
        }
    }
}

/// From `local`, if that is given.
async fn connect(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(local) = local else { return TcpStream::connect(address).await };
    if local.is_ipv4() != address.is_ipv4() {
        let (ours, theirs) = if local.is_ipv4() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
        return Err(io::Error::other(format!("outgoing.local_address is {ours}, and the address {theirs}")));
    }
    let socket = if local.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.bind((local, 0).into())?;
    socket.connect(address).await
}
