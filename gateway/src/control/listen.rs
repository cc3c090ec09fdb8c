//! The gateway's end of the socket.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line::{self, Reply};
use super::{Command, socket_path};
use crate::app::App;

/// A command must have arrived, and its answer must have been taken, in this time each.
const LINE_TIMEOUT: Duration = Duration::from_secs(10);
/// Commands at one time; more wait.
const MAX_CALLERS: usize = 4;

/// The socket, bound. It vanishes with this value.
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    /// Who may give commands, beside root.
    owner: u32,
}

impl Control {
    /// Beside a SQLite store that this process owns. Where the path is too long for a socket there is none, and
    /// commands find the store in use.
    pub fn bind(store: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(path) = store.map(socket_path) else { return Ok(None) };
        // Of a gateway that was killed: the store's lock is ours, so nobody listens there.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing the old {}", path.display()));
            }
            _ => {}
        }
        let listener = match UnixListener::bind(&path) {
            Ok(listener) => listener,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                tracing::warn!(
                    "the store's path is too long for a socket; commands that write are refused while this gateway runs"
                );
                return Ok(None);
            }
            Err(error) => {
                return Err(error).with_context(|| {
                    format!("making {}; choose another folder or mend its rights", path.display())
                });
            }
        };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .with_context(|| format!("making {} private", path.display()))?;
        let owner = std::fs::metadata(&path).with_context(|| format!("looking at {}", path.display()))?.uid();
        Ok(Some(Self { listener, path, owner }))
    }

    /// Take commands until `stop`; those that have arrived by then are carried out.
    pub async fn run(self, app: Arc<App>, stop: CancellationToken) {
        let (callers, places) = (TaskTracker::new(), Arc::new(Semaphore::new(MAX_CALLERS)));
        let next = async || {
            let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
            (place, self.listener.accept().await)
        };
        while let Some((place, accepted)) = stop.run_until_cancelled(next()).await {
            match accepted {
                Ok((stream, _)) if self.may_command(&stream) => {
                    let (app, stop) = (Arc::clone(&app), stop.clone());
                    callers.spawn(async move {
                        let _place = place;
                        answer(&app, stream, stop).await;
                    });
                }
                Ok(_) => tracing::warn!("another user tried to give a command"),
                Err(error) => {
                    tracing::error!(%error, "cannot accept a command");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        callers.close();
        callers.wait().await;
    }

    /// The mode keeps others out, but for the moment before it is set.
    fn may_command(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // One that stays behind does no harm: the next start removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

pub(super) async fn answer(app: &Arc<App>, mut stream: UnixStream, stop: CancellationToken) {
    let reading = tokio::time::timeout(LINE_TIMEOUT, line::read(&mut stream));
    let line = match stop.run_until_cancelled(reading).await {
        Some(Ok(Ok(line))) => line,
        Some(Ok(Err(error))) => return tracing::warn!(%error, "a command could not be read"),
        Some(Err(_)) => return tracing::warn!("a command did not arrive in time"),
        None => return,
    };
    // serde's own text could repeat a password.
    let reply = match serde_json::from_slice::<Command>(&line) {
        Err(_) => Reply::Refused(format!(
            "the running gateway, version {}, does not know this command; stop it first, or use its own version",
            env!("CARGO_PKG_VERSION")
        )),
        Ok(command) => {
            let name = command.name();
            match command.carry_out(app).await {
                Ok(outcome) => {
                    tracing::info!(command = name, "carried out a command");
                    Reply::Done(outcome)
                }
                Err(error) => {
                    tracing::warn!(command = name, error = %format!("{error:#}"), "refused a command");
                    Reply::Refused(format!("{error:#}"))
                }
            }
        }
    };
    match tokio::time::timeout(LINE_TIMEOUT, line::write(&mut stream, &reply)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "a command's outcome could not be told"),
        Err(_) => tracing::warn!("a command's outcome was not taken in time"),
    }
}
