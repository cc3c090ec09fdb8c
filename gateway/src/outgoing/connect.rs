//! From a host name to an open connection: resolve, ask the address policy, dial, TLS.
//!
//! The policy is asked here because this is the one place that sees the address really dialled, for names and
//! literal addresses alike.

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
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::Service;

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

/// TLS with the roots that browsers trust.
pub(super) fn webpki_roots() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring serves the default protocol versions")
        .with_webpki_roots()
        .with_no_client_auth()
}

/// Opens connections, plain or with TLS as the scheme asks.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Dialler>,
}

impl Connector {
    pub(super) fn new(policy: Option<Arc<AddressPolicy>>, lookup: Lookup, tls: ClientConfig) -> Self {
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialler { policy, lookup });
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
}

impl Service<Uri> for Dialler {
    type Response = TokioIo<TcpStream>;
    type Error = SendError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { policy, lookup } = self.clone();
        Box::pin(async move {
            let found = resolve(&uri, &lookup).await?;
            let stream = dial(dialable(found, policy.as_deref())?)
                .await
                .map_err(|error| SendError::Connect { reason: reason(&error) })?;
            // A request goes out as one write; waiting to fill a packet only delays it.
            stream.set_nodelay(true).map_err(|error| SendError::Connect { reason: reason(&error) })?;
            Ok(TokioIo::new(stream))
        })
    }
}

async fn resolve(uri: &Uri, lookup: &Lookup) -> Result<Vec<SocketAddr>, SendError> {
    let host = uri.host().ok_or(SendError::Url)?;
    let default_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default_port);
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
pub(super) async fn dial(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut dialling = FuturesUnordered::new();
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        dialling.extend(waiting.next().map(TcpStream::connect));
        match timeout(NEXT_ADDRESS_AFTER, dialling.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) => return Err(failure),
            Err(_) => {} // too slow
        }
    }
}
