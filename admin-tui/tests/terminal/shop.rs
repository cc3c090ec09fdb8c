//! A shop that is told of payments, and for a while does not take it well.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

use super::LONG;
use super::called::called;

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
fn answer(stream: TcpStream, is_well: bool) -> String {
    let (status, said) =
        if is_well { ("200 OK", "success") } else { ("500 Internal Server Error", "the till is closed") };
    String::from_utf8(called(stream, status, |_| said.as_bytes().to_vec())).expect("UTF-8")
}
