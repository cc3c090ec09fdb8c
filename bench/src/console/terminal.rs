//! A terminal in which the console runs, with somebody who types and looks.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// What is large for a terminal: more to draw.
const SIZE: PtySize = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Terminal {
    shown: Arc<(Mutex<Shown>, Condvar)>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// Closing it would hang up.
    _master: Box<dyn MasterPty + Send>,
}

struct Shown {
    parser: vt100::Parser,
    is_over: bool,
}

impl Terminal {
    pub fn with(program: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let pair = native_pty_system().openpty(SIZE)?;
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        command.args(arguments);
        let child = pair.slave.spawn_command(command).context("the console does not start")?;
        drop(pair.slave);
        let mut output = pair.master.try_clone_reader()?;
        let keys = pair.master.take_writer()?;
        let shown = Shown { parser: vt100::Parser::new(SIZE.rows, SIZE.cols, 0), is_over: false };
        let shown = Arc::new((Mutex::new(shown), Condvar::new()));
        let told = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = [0; 16 * 1024];
            loop {
                let read = output.read(&mut bytes).unwrap_or_default();
                let mut shown = told.0.lock().unwrap_or_else(PoisonError::into_inner);
                shown.parser.process(&bytes[..read]);
                shown.is_over = read == 0;
                told.1.notify_all();
                if shown.is_over {
                    return;
                }
            }
        });
        Ok(Self { shown, keys, child, _master: pair.master })
    }

    pub fn pid(&self) -> anyhow::Result<u32> {
        self.child.process_id().context("the console has ended")
    }

    /// Type `keys`, and look until the screen says `words`: how long that took.
    pub fn until(&mut self, keys: &str, words: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.keys.write_all(keys.as_bytes())?;
        self.keys.flush()?;
        let guard = self.shown.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missing =
            |shown: &mut Shown| !shown.is_over && !shown.parser.screen().contents().contains(words);
        let waited = self.shown.1.wait_timeout_while(guard, PATIENCE, is_missing);
        let (shown, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        let took = began.elapsed();
        if shown.is_over || waited.timed_out() {
            bail!("'{words}' is never shown; what is:\n{}", shown.parser.screen().contents());
        }
        Ok(took)
    }

    /// Leave the console, as its key for that does.
    pub fn quit(mut self) -> anyhow::Result<()> {
        self.keys.write_all(b"q")?;
        self.keys.flush()?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the console ended with {status:?}");
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended, or something else is the matter.
        let _ = self.child.kill();
    }
}
