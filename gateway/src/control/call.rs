//! The commands' end of the socket.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::net::UnixStream;

use super::line::{self, MAX_LINE, Reply};
use super::{Command, Outcome, command, socket_path};

/// A command is carried out, or refused, in this time.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// The gateway that serves a store.
pub struct Gateway(UnixStream);

/// The gateway that serves the SQLite store at `store`; `None` where none does.
pub async fn reach(store: &Path) -> anyhow::Result<Option<Gateway>> {
    let path = socket_path(store);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        // A killed gateway leaves its socket behind. A path too long for a socket has none.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::InvalidInput
            ) =>
        {
            return Ok(None);
        }
        Err(error) => {
            return Err(error).with_context(|| {
                format!("the running gateway cannot be reached at {}; are you its user?", path.display())
            });
        }
    };
    let owner = std::fs::metadata(store).with_context(|| format!("looking at {}", store.display()))?.uid();
    let peer = stream.peer_cred()?.uid();
    // It is given passwords: not just anybody's program may answer here.
    ensure!(
        peer == owner || peer == 0,
        "{} is served by another user than the owner of the store",
        path.display()
    );
    Ok(Some(Gateway(stream)))
}

impl Gateway {
    pub async fn ask(mut self, command: &Command) -> anyhow::Result<Outcome> {
        let exchange = async {
            line::write(&mut self.0, command).await?;
            line::read(&mut self.0).await
        };
        let answer = match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                bail!("the command is longer than {} MiB; give it in parts", MAX_LINE / 1024 / 1024)
            }
            Ok(Err(error)) => return Err(error).context(
                "the running gateway broke off; it may have carried the command out: look before you repeat it",
            ),
            Err(_) => bail!(
                "the running gateway has not answered within {} s; it may still carry the command out: look before you repeat it",
                ANSWER_TIMEOUT.as_secs()
            ),
        };
        match serde_json::from_slice(&answer)
            .context("the running gateway gave an answer of another version")?
        {
            Reply::Done(outcome) => {
                command::check_schema(&outcome)?;
                Ok(outcome)
            }
            Reply::Refused(why) => bail!(why),
        }
    }
}
