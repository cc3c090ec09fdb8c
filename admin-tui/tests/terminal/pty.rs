//! A terminal of which the test is the person in front.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::{CONSOLE, LONG};

/// A terminal with the console at it.
pub struct Terminal {
    shown: Arc<(Mutex<Shown>, Condvar)>,
    keys: Box<dyn Write + Send>,
    pub child: Box<dyn portable_pty::Child + Send + Sync>,
    /// Closing it would hang up.
    _master: Box<dyn MasterPty + Send>,
}

struct Shown {
    parser: vt100::Parser,
    raw: Vec<u8>,
    is_over: bool,
}

impl Terminal {
    pub fn with(arguments: &[&str], state: &Path) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(CONSOLE);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.args(arguments);
        command.arg("--state");
        command.arg(state);
        let child = pair.slave.spawn_command(command).expect("the console starts");
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader().expect("its output");
        let keys = pair.master.take_writer().expect("its input");
        let shown = Shown { parser: vt100::Parser::new(24, 80, 0), raw: Vec::new(), is_over: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let writer = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = output.read(&mut bytes).unwrap_or_default();
                let mut shown = writer.0.lock().expect("nobody panics holding it");
                shown.parser.process(&bytes[..read]);
                shown.raw.extend(&bytes[..read]);
                shown.is_over = read == 0;
                writer.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self { shown, keys, child, _master: pair.master }
    }

    /// Once the screen says so.
    pub fn sees(&self, words: &str) -> String {
        self.sees_line(&[words])
    }

    /// Once all of these words are on one line of it.
    pub fn sees_line(&self, words: &[&str]) -> String {
        self.shows(&format!("{words:?}"), |screen| {
            screen.lines().any(|line| words.iter().all(|word| line.contains(word)))
        })
    }

    fn shows(&self, wanted: &str, is_so: impl Fn(&str) -> bool) -> String {
        let text = |shown: &Shown| shown.parser.screen().contents();
        let guard = self.shown.0.lock().expect("nobody panics holding it");
        let is_missing = |shown: &mut Shown| !shown.is_over && !is_so(&text(shown));
        let (shown, _) =
            self.shown.1.wait_timeout_while(guard, LONG, is_missing).expect("nobody panics holding it");
        let text = text(&shown);
        // Otherwise whoever reads the screen panics, too.
        drop(shown);
        assert!(is_so(&text), "{wanted} never comes: {text}");
        text
    }

    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
        self.keys.flush().expect("it reads");
    }

    /// The exit code, and all that was written.
    pub fn ends(mut self) -> (u32, String) {
        let guard = self.shown.0.lock().expect("nobody panics holding it");
        let ended = self.shown.1.wait_timeout_while(guard, LONG, |shown| !shown.is_over);
        let (shown, waited) = ended.expect("nobody panics holding it");
        assert!(!waited.timed_out(), "it does not end");
        let raw = String::from_utf8_lossy(&shown.raw).into_owned();
        drop(shown);
        (self.child.wait().expect("it is our child").exit_code(), raw)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, or its test has failed.
        let _ = self.child.kill();
    }
}
