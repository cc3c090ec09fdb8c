//! Listening, for the sandbox and for the shop: an accept loop over poem's routes that can do what a server
//! normally must not, hang up without an answer, and that stops at once.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, EndpointExt, IntoEndpoint, Request, Response, endpoint::BoxEndpoint};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections open at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 4_096;
/// Also how long an idle connection is kept; generous, because callers keep theirs for the next call.
const HEADER_TIMEOUT: Duration = Duration::from_secs(90);
/// Longest a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest body that is read.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// Put into a response's extensions: the connection is closed instead.
#[derive(Clone)]
pub(crate) struct HangUp;

/// Tasks that end when the server stops.
#[derive(Clone, Default)]
pub(crate) struct Tasks {
    stopping: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Run `work` in a task of its own; it is dropped where it stands when the server stops.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<Option<T>> {
        self.tracker.spawn(self.stopping.clone().run_until_cancelled_owned(work))
    }
}

#[derive(Clone)]
pub(crate) struct Serving {
    address: SocketAddr,
    tasks: Tasks,
}

impl Serving {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, tasks: Tasks::default() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn tasks(&self) -> Tasks {
        self.tasks.clone()
    }

    pub(crate) fn serve<E>(&self, listener: TcpListener, routes: E)
    where
        E: IntoEndpoint,
        E::Endpoint: Endpoint + 'static,
    {
        let routes = Arc::new(routes.into_endpoint().map_to_response().boxed());
        let (tasks, address) = (self.tasks.clone(), self.address);
        self.tasks.spawn(async move { accept(&listener, address, &routes, &tasks).await });
    }

    pub(crate) async fn stop(&self) {
        self.tasks.stopping.cancel();
        self.tasks.tracker.close();
        self.tasks.tracker.wait().await;
    }
}

type Routes = Arc<BoxEndpoint<'static, Response>>;

async fn accept(listener: &TcpListener, local: SocketAddr, routes: &Routes, tasks: &Tasks) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, remote)) => {
                let routes = Arc::clone(routes);
                tasks.spawn(async move {
                    connection(stream, local, remote, routes).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of file descriptors, most likely: some must be closed first.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, local: SocketAddr, remote: SocketAddr, routes: Routes) {
    // Answers are small and written at once; a failure to say so costs time, nothing else.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let routes = Arc::clone(&routes);
        async move {
            let addresses = (LocalAddr(Addr::SocketAddr(local)), RemoteAddr(Addr::SocketAddr(remote)));
            let request: Request = (request, addresses.0, addresses.1, Scheme::HTTP).into();
            let response = routes.get_response(request).await;
            if response.extensions().get::<HangUp>().is_some() {
                return Err(io::Error::other("hanging up, as asked"));
            }
            Ok(http::Response::<_>::from(response))
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%remote, %error, "connection ended");
    }
}

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLarge,
    Broken,
}

/// The whole body, within limits of size and time.
pub(crate) async fn read_body(body: poem::Body) -> Result<bytes::Bytes, Unread> {
    match tokio::time::timeout(BODY_TIMEOUT, body.into_bytes_limit(MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => Err(Unread::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Unread::Broken),
    }
}
