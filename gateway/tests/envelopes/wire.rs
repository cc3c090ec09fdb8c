//! HTTP/1.1 by hand: what no well-behaved client would send, and reading what comes back.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing waits this long at a gateway that answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// One request, as it is to be put on the wire.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
    pub framing: Framing,
}

/// How the body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// With its length announced.
    Length,
    /// In chunks of so many bytes.
    Chunks(usize),
    /// More is announced than is sent before the sending side is closed.
    CutShort,
    /// A chunk with a size that is no number.
    BadChunk,
}

impl Framing {
    /// Whether the request can be read to its end. One that cannot may be answered by closing the connection.
    pub fn is_sound(self) -> bool {
        matches!(self, Self::Length | Self::Chunks(_))
    }
}

#[derive(Debug)]
pub enum Outcome {
    Answered(Answer),
    /// The connection was closed without one byte of an answer.
    Closed,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// One client's connection: kept open from request to request as long as both sides can, else opened again.
pub struct Wire {
    address: SocketAddr,
    open: Option<BufStream<TcpStream>>,
    /// How many connections there were.
    pub connections: usize,
}

impl Wire {
    pub fn to(address: SocketAddr) -> Self {
        Self { address, open: None, connections: 0 }
    }

    pub async fn exchange(&mut self, request: &Request) -> Outcome {
        timeout(PATIENCE, self.exchanged(request)).await.expect("the gateway answers or closes in time")
    }

    async fn exchanged(&mut self, request: &Request) -> Outcome {
        let mut stream = if let Some(stream) = self.open.take() {
            stream
        } else {
            self.connections += 1;
            BufStream::new(TcpStream::connect(self.address).await.expect("the gateway listens"))
        };
        // A gateway that has seen enough may answer and close before it was sent everything.
        let sent = send(&mut stream, request).await.is_ok();
        let Some((answer, keeps_open)) = read(&mut stream, request.method).await else {
            return Outcome::Closed;
        };
        // What was not read of a body is in the way of the next request.
        let is_usual = request.method == "POST" && request.framing.is_sound();
        if sent && keeps_open && is_usual {
            self.open = Some(stream);
        }
        Outcome::Answered(answer)
    }
}

async fn send(stream: &mut BufStream<TcpStream>, request: &Request) -> io::Result<()> {
    let Request { method, path, content_type, body, framing } = request;
    let content_type = content_type.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
    let length = match framing {
        Framing::Length => format!("Content-Length: {}", body.len()),
        Framing::CutShort => format!("Content-Length: {}", body.len() + 1),
        Framing::Chunks(_) | Framing::BadChunk => "Transfer-Encoding: chunked".to_owned(),
    };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: gateway.example\r\n{content_type}{length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    match *framing {
        Framing::Length | Framing::CutShort => stream.write_all(body).await?,
        Framing::Chunks(size) => {
            for chunk in body.chunks(size) {
                stream.write_all(format!("{:x};name=value\r\n", chunk.len()).as_bytes()).await?;
                stream.write_all(chunk).await?;
                stream.write_all(b"\r\n").await?;
            }
            stream.write_all(b"0\r\nTrailer: value\r\n\r\n").await?;
        }
        Framing::BadChunk => {
            stream.write_all(format!("{:x}\r\n", body.len()).as_bytes()).await?;
            stream.write_all(body).await?;
            stream.write_all(b"\r\nmore\r\n\r\n").await?;
        }
    }
    stream.flush().await?;
    if *framing == Framing::CutShort {
        stream.get_mut().shutdown().await?;
    }
    Ok(())
}

/// The answer, and whether the connection stays open after it. `None` where it was closed instead.
async fn read(stream: &mut BufStream<TcpStream>, method: &str) -> Option<(Answer, bool)> {
    let status = line(stream).await?;
    let code =
        status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let mut answer = Answer {
        status: code.unwrap_or_else(|| panic!("no status line: {status:?}")),
        content_type: None,
        body: Vec::new(),
    };
    let (mut length, mut keeps_open) = (0, true);
    loop {
        let header = line(stream).await.expect("an answer that was begun has all its headers");
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(": ").unwrap_or_else(|| panic!("no header: {header:?}"));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a length"),
            "content-type" => answer.content_type = Some(value.to_owned()),
            "connection" => keeps_open = !value.eq_ignore_ascii_case("close"),
            "transfer-encoding" => panic!("an answer in chunks is not expected here"),
            _ => {}
        }
    }
    if method != "HEAD" {
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body).await.expect("an answer that was begun comes whole");
    }
    Some((answer, keeps_open))
}

/// A line without its end; `None` where there is nothing any more. A connection that is reset was closed with bytes
/// of ours unread.
async fn line(stream: &mut BufStream<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(0) => None,
        Ok(_) => Some(line.strip_suffix("\r\n").expect("lines end with CR LF").to_owned()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
        Err(error) => panic!("the connection failed: {error}"),
    }
}
