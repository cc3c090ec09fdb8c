//! The side that is called: one request is read, and answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// Answer with `status` and what `say` makes of the request's body, which it gives.
pub fn called(mut stream: TcpStream, status: &str, say: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut reader = BufReader::new(stream.try_clone().expect("the same connection"));
    let mut length = 0;
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("as long as it says");
    let said = say(&body);
    let length = said.len();
    write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
        .and_then(|()| stream.write_all(&said))
        .expect("it is sent");
    body
}
