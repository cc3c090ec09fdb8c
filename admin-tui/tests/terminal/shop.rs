//! A shop that is told of payments, and for a while does not take it well.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use super::LONG;

pub struct Shop {
    pub url: String,
    is_well: Arc<AtomicBool>,
    told: Receiver<String>,
}

impl Shop {
    /// It answers 500.
    pub fn broken() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/notify", listener.local_addr().expect("it has one"));
        let is_well = Arc::new(AtomicBool::new(false));
        let (tell, told) = channel();
        let well = Arc::clone(&is_well);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever made the shop may be gone, and the gateway, too.
                let _ = tell.send(answer(stream, well.load(Ordering::SeqCst)));
            }
        });
        Self { url, is_well, told }
    }

    /// From now on it acknowledges.
    pub fn recovers(&self) {
        self.is_well.store(true, Ordering::SeqCst);
    }

    /// The next message that it was told.
    pub fn is_told(&self) -> String {
        self.told.recv_timeout(LONG).expect("the gateway calls")
    }
}

/// Gives what was asked.
fn answer(mut stream: TcpStream, is_well: bool) -> String {
    let mut reader = BufReader::new(stream.try_clone().expect("the same connection"));
    let mut length = 0;
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("as long as it says");
    let (status, said) =
        if is_well { ("200 OK", "success") } else { ("500 Internal Server Error", "the till is closed") };
    let length = said.len();
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{said}")
        .expect("it is sent");
    String::from_utf8(body).expect("UTF-8")
}
