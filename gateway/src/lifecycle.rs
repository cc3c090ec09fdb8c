//! Listening, serving and stopping. The accept loop is our own because slow and silent clients have to be cut off
//! ([`pace`]), the number of connections bounded, and a stop has to let requests under way finish.

mod pace;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::{HeaderValue, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, IntoEndpoint, IntoResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::pace::{PacedBody, PacedIo, Pacer};
use crate::config;

/// The body of poem's answers, which poem does not name.
type AnswerBody = http_body_util::combinators::BoxBody<bytes::Bytes, io::Error>;

const MAX_HEADERS: usize = 64;

/// For a request's line and headers; beyond it the answer is 431.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// How long to wait when the system has no file descriptor left for another connection.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(100);

/// What the program exits with when told to stop a second time, as after an interrupt.
const ABORTED: i32 = 130;

/// How connections are held. What they mean is in the manual, `config/default.toml`, under `[server]`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub max_connections: usize,
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    pub shutdown_grace: Duration,
}

impl From<&config::Server> for Settings {
    fn from(server: &config::Server) -> Self {
        Self {
            max_connections: server.max_connections,
            header_timeout: server.header_timeout,
            idle_timeout: server.idle_timeout,
            shutdown_grace: server.shutdown_grace,
        }
    }
}

/// Why an address cannot be listened on, and the way out.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", way_out(.reason, .address, .setting))]
pub struct BindError {
    pub address: SocketAddr,
    /// What to change: `server.listen`, `--listen`.
    pub setting: String,
    #[source]
    pub reason: io::Error,
}

fn way_out(reason: &io::Error, address: &SocketAddr, setting: &str) -> String {
    let port = address.port();
    match reason.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {port} is in use by another program; stop that program, or choose another port with {setting}"
        ),
        io::ErrorKind::PermissionDenied => {
            format!("this user may not listen on port {port}; choose a port of 1024 or above with {setting}")
        }
        io::ErrorKind::AddrNotAvailable => format!(
            "this machine does not have the address {}; choose one that it has with {setting}",
            address.ip()
        ),
        _ => format!("{reason}; choose another address with {setting}"),
    }
}

/// `setting` is what a user changes to listen elsewhere, for the error.
pub async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, BindError> {
    let error = |reason| BindError { address, setting: setting.to_owned(), reason };
    TcpListener::bind(address).await.map_err(error)
}

/// How serving ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were cut off because the grace was over.
    pub cut: usize,
}

/// Serves until `stop`, then accepts nothing more, closes idle connections, and returns when the requests under way
/// are answered or the grace is over.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    settings: Settings,
    stop: CancellationToken,
) -> Stopped
where
    E: IntoEndpoint,
    E::Endpoint: 'static,
{
    let server = Arc::new(Server::new(endpoint.into_endpoint(), settings));
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();

    while let Some((place, socket, remote)) = stop.run_until_cancelled(server.next(&listener)).await {
        let connection = Arc::clone(&server).connection(socket, remote, graceful.watcher());
        let cut = cut.clone();
        connections.spawn(async move {
            let _place = place;
            cut.run_until_cancelled(connection).await;
        });
    }

    drop(listener);
    connections.close();
    let answered = tokio::time::timeout(settings.shutdown_grace, graceful.shutdown()).await.is_ok();
    let left = if answered { 0 } else { connections.len() };
    cut.cancel();
    connections.wait().await;
    Stopped { cut: left }
}

struct Server<E> {
    endpoint: E,
    http1: http1::Builder,
    settings: Settings,
    places: Arc<Semaphore>,
}

impl<E: Endpoint + 'static> Server<E> {
    fn new(endpoint: E, settings: Settings) -> Self {
        let mut http1 = http1::Builder::new();
        // hyper's timeout for headers also closes idle connections, and knows only one time for both.
        http1.header_read_timeout(None);
        http1.max_headers(MAX_HEADERS).max_header_size(MAX_HEAD_BYTES).max_buf_size(2 * MAX_HEAD_BYTES);
        let places = Arc::new(Semaphore::new(settings.max_connections));
        Self { endpoint, http1, settings, places }
    }

    /// The next connection, once there is a place for it. Until then clients wait in the system's backlog.
    async fn next(&self, listener: &TcpListener) -> (OwnedSemaphorePermit, TcpStream, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match listener.accept().await {
                Ok((socket, remote)) => return (place, socket, remote),
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept a connection");
                    tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
                }
            }
        }
    }

    /// Serves one connection to its end.
    async fn connection(self: Arc<Self>, socket: TcpStream, remote: SocketAddr, watcher: Watcher) {
        let Ok(local) = socket.local_addr() else { return };
        // Answers are written whole; waiting to fill a packet would only delay them.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch the delay off");
        }
        let pacer = Pacer::new(self.settings.header_timeout, self.settings.idle_timeout);
        let io = TokioIo::new(PacedIo::new(socket, pacer.clone()));
        let service = service_fn(|request| {
            pacer.request_read();
            let (server, pacer) = (Arc::clone(&self), pacer.clone());
            async move {
                let answer = server.answer(request, local, remote).await;
                pacer.answer_begun();
                Ok::<_, Infallible>(answer.map(|body| PacedBody::new(body, pacer)))
            }
        });
        let connection = watcher.watch(self.http1.serve_connection(io, service));
        match pacer.hold(connection).await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(%error, "connection failed"),
            None => tracing::debug!("connection closed: the client was too slow or silent for too long"),
        }
    }

    async fn answer(
        &self,
        request: http::Request<Incoming>,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> http::Response<AnswerBody> {
        let addresses = (LocalAddr(local.into()), RemoteAddr(remote.into()));
        let request = poem::Request::from((request, addresses.0, addresses.1, http::uri::Scheme::HTTP));
        let answer = AssertUnwindSafe(self.endpoint.call(request)).catch_unwind().await;
        let answer = match answer {
            Ok(Ok(answer)) => answer.into_response(),
            Ok(Err(error)) => error.into_response(),
            // The panic itself is in the log; the client learns nothing of it.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
        let mut answer = http::Response::from(answer);
        if self.places.available_permits() == 0 {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// Whether accepting failed for this one connection only.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

/// From now on SIGTERM or SIGINT cancels `stop`; a second one ends the process at once, with exit code 130.
pub fn signals(stop: CancellationToken) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let next = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    tokio::spawn(heed(next, stop, || std::process::exit(ABORTED)));
    Ok(())
}

async fn heed(mut next: impl AsyncFnMut() -> &'static str, stop: CancellationToken, abort: impl FnOnce()) {
    let signal = next().await;
    tracing::info!(signal, "stopping: what is under way is finished first; a second signal stops at once");
    stop.cancel();
    let signal = next().await;
    tracing::warn!(signal, "stopped at once, without finishing what was under way");
    abort();
}
