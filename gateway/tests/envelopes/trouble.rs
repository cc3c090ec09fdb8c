//! What must not happen inside, wherever it is caught and however well it is answered: panics and failures of our own.

use std::io;
use std::panic;
use std::sync::{Mutex, Once, PoisonError};

use tracing::Level;

static SEEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Keep every panic and everything logged as an error from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_max_level(Level::ERROR).with_ansi(false).with_writer(|| Sink).init();
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            keep(format!("panic: {panic}\n").as_bytes());
            usual(panic);
        }));
    });
}

pub fn assert_none() {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(seen.is_empty(), "{}", String::from_utf8_lossy(&seen));
}

fn keep(bytes: &[u8]) {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
}

struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        keep(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
