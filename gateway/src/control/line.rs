//! What goes over the socket: one line of JSON of bounded length in each direction.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use zeroize::Zeroizing;

use super::Outcome;

/// Bytes in a line at most: a description of some ten thousand merchants.
pub const MAX_LINE: usize = 4 * 1024 * 1024;

/// What became of a command.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Done(Outcome),
    /// In words for the person who gave the command.
    Refused(String),
}

/// The next line without its end. Lines may hold passwords and keys, so they are wiped after use.
pub async fn read(stream: impl AsyncRead + Unpin) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::new());
    let limit = u64::try_from(MAX_LINE).expect("a few million") + 1;
    BufReader::new(stream.take(limit)).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        Some(_) if line.len() >= MAX_LINE => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"))
        }
        _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the line was not finished")),
    }
}

pub async fn write(stream: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> io::Result<()> {
    let mut line = Zeroizing::new(serde_json::to_vec(what)?);
    if line.len() > MAX_LINE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the line is too long"));
    }
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}
