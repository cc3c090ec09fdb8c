//! The other side: a loopback listener whose behaviour is a script.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::url;

/// A listener and what it has seen.
pub struct Peer {
    pub address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Peer {
    /// Every connection is given to `script`, and closed when that ends.
    pub async fn start<S, F>(script: S) -> Self
    where
        S: Fn(Conversation) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_at(Ipv4Addr::LOCALHOST, script).await
    }

    pub async fn start_at<S, F>(ip: Ipv4Addr, script: S) -> Self
    where
        S: Fn(Conversation) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((ip, 0)).await.expect("a free loopback port");
        let address = listener.local_addr().expect("a bound address");
        let seen = Arc::new(Seen::default());
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Conversation { stream, seen: Arc::clone(&shared) }));
            }
        });
        Self { address, seen }
    }

    /// Answers every request with the same text and keeps the connection.
    pub async fn saying(answer: &str) -> Self {
        let answer: Arc<str> = answer.into();
        Self::start(move |mut peer| {
            let answer = Arc::clone(&answer);
            async move { while peer.hear().await && peer.say(&answer).await {} }
        })
        .await
    }

    pub fn url(&self) -> Url {
        url(&format!("http://{}/", self.address))
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("no test panics while it holds this").clone()
    }
}

/// One connection, from the listener's side.
pub struct Conversation {
    stream: TcpStream,
    seen: Arc<Seen>,
}

impl Conversation {
    /// Read one whole request. `false` when the other side is gone.
    pub async fn hear(&mut self) -> bool {
        let mut text = Vec::new();
        while !is_whole(&text) {
            let mut byte = [0];
            match self.stream.read(&mut byte).await {
                Ok(1) => text.extend(byte),
                _ => return false,
            }
        }
        let text = String::from_utf8(text).expect("requests of these tests are text");
        self.seen.requests.lock().expect("no test panics while it holds this").push(text);
        true
    }

    pub async fn say(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).await.is_ok()
    }

    /// Wait until the other side is gone.
    pub async fn linger(&mut self) {
        while matches!(self.stream.read(&mut [0; 64]).await, Ok(read) if read > 0) {}
    }
}

pub fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().expect("a number"))
}
