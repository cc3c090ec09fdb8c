//! A line between console and gateway that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub struct Relay {
    pub url: String,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    is_cut: bool,
    /// Both ends of every connection there was.
    ends: Vec<TcpStream>,
}

impl Relay {
    pub fn to(url: &str) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("it has one"));
        let line = Arc::new(Mutex::new(Line::default()));
        let at = Arc::clone(&line);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let mut line = at.lock().expect("nobody panics holding it");
                if line.is_cut {
                    continue;
                }
                let far = TcpStream::connect(&address).expect("the gateway is there");
                for (from, to) in [(&near, &far), (&far, &near)] {
                    carry(same(from), same(to));
                }
                line.ends.extend([near, far]);
            }
        });
        Self { url, line }
    }

    /// Nothing goes through any more.
    pub fn cut(&self) {
        let mut line = self.line.lock().expect("nobody panics holding it");
        line.is_cut = true;
        for end in line.ends.drain(..) {
            // It may be closed already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.line.lock().expect("nobody panics holding it").is_cut = false;
    }
}

fn same(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("the same connection")
}

/// Until either end is closed; then both are.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..read]).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    });
}
